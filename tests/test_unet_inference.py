import keras
import numpy as np
import pytest

from ephys_deepinterpolation import recording as recording_module
from ephys_deepinterpolation import unet_inference, unet_rewriting
from ephys_deepinterpolation.network import (
    NetworkParameters,
    UNetParameters,
    build_network,
    get_weights,
    set_weights,
)
from ephys_deepinterpolation.recording import deepinterpolate
from ephys_deepinterpolation.unet_inference import inference_function
from ephys_deepinterpolation.windows import Context
from fixtures import noise_recording, untrained_model

FRAMES = 6
# Of bfloat16. How many of them add up depends on whether a processor sums its products in float32.
ROUNDING = 2**-8

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the rewriting is for TensorFlow"
)


def a_network(parameters, columns, context_frames=FRAMES):
    """A U-Net whose biases are not zero: they matter at the filled rows and columns."""
    network = build_network(parameters, columns, context_frames, seed=0)
    random = np.random.default_rng(0)
    weights = {
        path: values + (values.ndim == 1) * random.normal(scale=0.1, size=values.shape)
        for path, values in get_weights(network).items()
    }
    set_weights(network, weights)
    return network, get_weights(network)


def contexts_of(rows, columns, images=5, context_frames=FRAMES):
    shape = (images, rows, context_frames * columns)
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def relative_rms(found, expected):
    return np.sqrt(np.mean((found - expected) ** 2)) / expected.std()


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("columns", [1, 2, 3, 4])
@pytest.mark.parametrize("rows", [1, 5, 16, 33, 48])
def test_the_rewritten_network_is_the_network(rows, columns, depth):
    network, weights = a_network(UNetParameters(width=4, depth=depth), columns)
    contexts = contexts_of(rows, columns)
    expected = np.asarray(network(contexts))
    found = inference_function(weights, columns, rows)(contexts)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5 * max(1, expected.std()))


def test_as_many_images_as_are_given_come_back_whatever_the_size_of_a_batch(monkeypatch):
    monkeypatch.setattr(unet_inference, "_ROWS_AT_ONCE", 32)
    network, weights = a_network(UNetParameters(width=4, depth=2), 2)
    contexts = contexts_of(16, 2, images=7)
    found = inference_function(weights, 2, 16)(contexts)
    np.testing.assert_allclose(found, np.asarray(network(contexts)), atol=1e-5)


@pytest.mark.parametrize("rows", [16, 33])
def test_half_precision_is_close(rows):
    network, weights = a_network(UNetParameters(width=16, depth=4), 2, 60)
    contexts = contexts_of(rows, 2, images=20, context_frames=60)
    expected = np.asarray(network(contexts))
    half = inference_function(weights, 2, rows, "bfloat16")(contexts)
    full = inference_function(weights, 2, rows)(contexts)
    assert relative_rms(full, expected) < 1e-5 < relative_rms(half, expected) < 4 * ROUNDING


def test_interleaved_channels_are_a_network_of_twice_the_rows_that_sees_zeros():
    rows = 24
    network, weights = a_network(UNetParameters(width=4, depth=3), 2)
    contexts = contexts_of(rows, 2)
    spread = np.zeros((5, 2 * rows, FRAMES, 2), np.float32)
    spread[:, 0::2, :, 0] = contexts.reshape(5, rows, FRAMES, 2)[..., 0]
    spread[:, 1::2, :, 1] = contexts.reshape(5, rows, FRAMES, 2)[..., 1]
    targets = np.asarray(network(spread.reshape(5, 2 * rows, -1)))
    expected = np.stack([targets[:, 0::2, 0], targets[:, 1::2, 1]], axis=-1)
    found = inference_function(weights, 2, rows, interleaved=True)(contexts)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.fixture(scope="module")
def calm():
    return noise_recording(1500, seed=0, channels=48)


@pytest.fixture(scope="module")
def unet(calm):
    network = UNetParameters(width=8, depth=3)
    weights = a_network(network, 2, 60)[1]
    return untrained_model(calm, Context(30, 1), network).replace(weights=weights)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_chunks_agree_bit_for_bit(calm, unet, precision, monkeypatch):
    monkeypatch.setattr(unet_inference, "_ROWS_AT_ONCE", 24 * 100)
    denoised = deepinterpolate(calm, unet, precision=precision)
    whole = denoised.get_traces()
    for start, end in [
        (0, 1),
        (7, 8),
        (255, 257),
        (256, 512),
        (700, 703),
        (99, 1400),
        (1490, 1500),
    ]:
        np.testing.assert_array_equal(denoised.get_traces(0, start, end), whole[start:end])
    some = denoised.channel_ids[[40, 3, 17]]
    np.testing.assert_array_equal(
        denoised.get_traces(0, 300, 900, channel_ids=some), whole[300:900][:, [40, 3, 17]]
    )


def test_a_recording_is_denoised_alike_with_and_without_the_rewriting(calm, unet, monkeypatch):
    rewritten = deepinterpolate(calm, unet).get_traces()
    assert unet_rewriting.can_rewrite()
    monkeypatch.setattr(unet_rewriting, "can_rewrite", lambda: False)
    monkeypatch.setattr(unet_inference, "inference_function", None)
    np.testing.assert_allclose(deepinterpolate(calm, unet).get_traces(), rewritten, atol=1e-3)


def test_only_a_cpu_uses_the_rewriting(monkeypatch):
    monkeypatch.setattr(unet_rewriting.tf.config, "list_physical_devices", lambda kind: [kind])
    assert not unet_rewriting.can_rewrite()


@pytest.mark.parametrize("network", [UNetParameters(8, 3), NetworkParameters(rows=3, width=8)])
def test_the_precision_is_the_callers_and_survives_saving(calm, network, tmp_path):
    model = untrained_model(calm, network=network).save(tmp_path / "model.safetensors")
    full, half = (
        deepinterpolate(calm, model, precision=each).get_traces()
        for each in ("float32", "bfloat16")
    )
    assert 1e-5 < relative_rms(half, full) < 8 * ROUNDING
    np.testing.assert_array_equal(deepinterpolate(calm, model).get_traces(), full)
    denoised = deepinterpolate(calm, model, precision="bfloat16")
    again = recording_module.DeepInterpolatedRecording.from_dict(denoised.to_dict())
    np.testing.assert_array_equal(again.get_traces(), half)


def test_an_unknown_precision_is_refused_and_the_known_ones_are_named(calm, unet):
    with pytest.raises(ValueError, match=r"'float16'.*float32, bfloat16"):
        deepinterpolate(calm, unet, precision="float16")
