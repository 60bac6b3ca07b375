import keras
import numpy as np
import pytest

from ephys_deepinterpolation.contexts import GatherContexts, ResidentContexts, on_accelerator
from ephys_deepinterpolation.windows import Context, Windows, context_index

FRAMES, SHANKS, ROWS, COLUMNS = 41, 2, 3, 2
CONTEXTS = [Context(1, 0), Context(5, 0), Context(4, 2), Context(3, 7)]


def noise_images(frames=FRAMES):
    shape = (frames, SHANKS, ROWS, COLUMNS)
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def with_frame_of_zeros(image):
    return np.concatenate([image, np.zeros_like(image[:1])])


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("frames", [1, 2, 9, FRAMES])
def test_contexts_gathered_by_index_are_those_of_the_windows_edges_included(context, frames):
    image = noise_images(frames)
    targets = np.arange(frames)
    index = context_index(context, targets, 0, frames, frames)
    gathered = GatherContexts()([with_frame_of_zeros(image), index])
    expected = Windows(image, context).at(targets)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(gathered), expected.reshape(-1, *expected.shape[2:])
    )


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize(("start", "end"), [(0, 9), (13, 30), (35, 41)])
def test_a_stretch_with_its_margin_gives_what_the_whole_segment_gives(context, start, end):
    image = noise_images()
    left, right = max(0, start - context.margin), min(FRAMES, end + context.margin)
    targets = np.arange(start, end)
    index = context_index(context, targets, left, right - left, FRAMES)
    gathered = GatherContexts()([with_frame_of_zeros(image[left:right]), index])
    expected = Windows(image, context).at(targets)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(gathered), expected.reshape(-1, *expected.shape[2:])
    )


def test_a_stretch_held_on_the_device_can_be_replaced():
    context, targets = CONTEXTS[1], np.array([3, 40, 0, 20])
    held = ResidentContexts(FRAMES, (SHANKS, ROWS, COLUMNS))
    index = context_index(context, targets, 0, FRAMES, FRAMES)
    for image in (noise_images(), -noise_images()):
        held.hold(image)
        expected = Windows(image, context).at(targets)
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(held(index)), expected.reshape(-1, *expected.shape[2:])
        )


def test_a_stretch_held_on_the_device_is_not_trained():
    assert not ResidentContexts(FRAMES, (SHANKS, ROWS, COLUMNS)).trainable_weights


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="asks TensorFlow")
def test_an_accelerator_is_what_the_backend_computes_on():
    import tensorflow as tf

    assert on_accelerator() == bool(tf.config.list_logical_devices("GPU"))
    with tf.device("CPU"):
        assert not on_accelerator()
