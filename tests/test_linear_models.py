"""Linear interpolation as a model like any other."""

import numpy as np
import pytest

from ephys_deepinterpolation.denoisers import LinearInterpolation, interpolate_linearly
from ephys_deepinterpolation.frames import Frames
from ephys_deepinterpolation.geometry import image_of_recording
from ephys_deepinterpolation.model import load_model
from ephys_deepinterpolation.network import LinearParameters, NetworkParameters, network_parameters
from ephys_deepinterpolation.recording import deepinterpolate
from ephys_deepinterpolation.training import fine_tune
from fixtures import FREQUENCY, correlated_noise, noise_recording, recording_of, train

FRAMES = 12_000
OWN = LinearParameters(own_channel=True)
LINEAR = LinearParameters(rows=3)


@pytest.fixture(scope="module")
def recording():
    return noise_recording(FRAMES, seed=1)


@pytest.fixture(scope="module")
def own(recording):
    return train(recording, network=OWN)


@pytest.fixture(scope="module")
def linear(recording):
    return train(recording, network=LINEAR)


def test_no_step_is_taken(linear, own):
    for model in (linear, own):
        assert model.summary["steps"] == 0
        assert model.history["step"].tolist() == [0]
        assert model.summary["validation_loss"] == model.history["validation_loss"][0]


def test_its_weights_solve_the_normal_equations_of_all_training_frames(recording, linear):
    frames = Frames(
        [recording], [image_of_recording(recording)], [linear.normalization], linear.context
    )
    normal = LinearInterpolation(3, 2 * linear.context.frames * 2, 2)
    for start in (100, 4_000, 8_000):
        contexts, packed = frames.batch(*_piece(frames, start))
        normal.add(contexts, packed[..., 0], packed[..., 1])
    # Of other frames of the same noise: alike, but for what each estimate is uncertain by.
    np.testing.assert_allclose(linear.weights["linear/kernel"], normal.kernel(), atol=0.05)


def _piece(frames, start):
    from ephys_deepinterpolation.frames import FrameRange

    piece = frames.read(FrameRange(0, 0, start, start + 3_000))
    return piece, piece.targets


def test_a_compact_network_starts_where_a_linear_model_ends(recording, linear):
    started = train(recording, network=NetworkParameters(rows=3, width=4, depth=1))
    assert started.history["validation_loss"][0] == pytest.approx(
        linear.summary["validation_loss"], rel=0.01
    )


def test_a_contact_alone_is_told_from_nothing_but_itself(own):
    traces = correlated_noise(2_000, seed=2)
    changed = traces.copy()
    changed[:, 1:] += np.random.default_rng(0).normal(0, 5, changed[:, 1:].shape)
    outputs = [
        deepinterpolate(recording_of(each), own, normalization=own.normalization).get_traces()
        for each in (traces, changed)
    ]
    np.testing.assert_array_equal(outputs[0][:, 0], outputs[1][:, 0])
    assert not np.allclose(outputs[0][:, 1], outputs[1][:, 1])


def test_neighbours_help_where_the_noise_is_shared(own, linear):
    assert linear.summary["validation_loss"] < own.summary["validation_loss"]


def test_it_is_not_held_against_itself(linear, recwarn):
    assert linear.summary["linear_loss"] is None
    assert linear.summary["constant_loss"] > linear.summary["validation_loss"]


def test_a_file_gives_the_same_model_back(linear, tmp_path):
    loaded = load_model(linear.save(tmp_path / "model.safetensors").path)
    np.testing.assert_array_equal(loaded.weights["linear/kernel"], linear.weights["linear/kernel"])
    assert network_parameters(loaded.network) == LINEAR


def test_tuning_fits_the_filter_to_the_other_recording(linear):
    """White noise cannot be told, so that nothing is the best prediction of it."""
    white = np.random.default_rng(5).normal(0, 10, (FRAMES, 16)).astype(np.float32)
    tuned = fine_tune(linear, recording_of(white), progress=False)
    assert tuned.summary["steps"] == 0
    assert np.abs(tuned.weights["linear/kernel"]).max() < 0.05
    assert np.abs(linear.weights["linear/kernel"]).max() > 0.1


def test_its_prediction_is_the_kernel_applied_to_the_contexts(recording, linear):
    frames = Frames(
        [recording], [image_of_recording(recording)], [linear.normalization], linear.context
    )
    contexts, _ = frames.batch(_piece(frames, 6_000)[0], np.arange(6_000, 6_010))
    predicted = interpolate_linearly(linear.weights["linear/kernel"], contexts)
    output = deepinterpolate(recording, linear).get_traces(0, 6_000, 6_010)
    image = image_of_recording(recording)
    expected = image.from_image(predicted.reshape(10, *image.shape).astype(np.float32))
    np.testing.assert_allclose(output, linear.normalization.invert(expected), atol=1e-2)


def test_only_the_first_seconds_are_used_when_so_told(recording):
    half = train(recording, network=LINEAR, training_s=FRAMES / 2 / FREQUENCY)
    other = recording.get_traces().copy()
    other[FRAMES // 2 :] = 3.0 * other[FRAMES // 2 :][::-1]
    same = train(recording_of(other), network=LINEAR, training_s=FRAMES / 2 / FREQUENCY)
    np.testing.assert_array_equal(half.weights["linear/kernel"], same.weights["linear/kernel"])
    assert half.summary["training_frames"] < 0.5 * FRAMES
    ends = [piece["end"] for piece in half.provenance["recordings"][0]["ranges"]]
    assert max(ends) < FRAMES / 2
    assert half.saw(recording)


def test_an_even_number_of_rows_is_refused():
    with pytest.raises(ValueError, match="as many rows above as below"):
        LinearParameters(rows=4)
