import json

import numpy as np
import pytest
from probeinterface.generator import generate_linear_probe
from scipy.signal import butter, lfilter, sosfiltfilt
from scipy.stats import norm
from spikeinterface.core import NumpyRecording

from ephys_deepinterpolation.geometry import GeometryError
from ephys_deepinterpolation.recording import deepinterpolate
from ephys_deepinterpolation.training import split_frames, train_deepinterpolation
from ephys_deepinterpolation.windows import Context
from fixtures import (
    CHANNELS,
    CONTEXT_MS,
    FREQUENCY,
    SILENT_CHANNEL,
    SMALL_NETWORK,
    neuropixels,
    noise_recording,
    recording_of,
)

FRAMES = 20_000


def train(recordings, **options):
    settings = {"network": SMALL_NETWORK, "context_ms": CONTEXT_MS, "max_steps": 250, "seed": 3}
    return train_deepinterpolation(recordings, **settings | options)


def white_noise(seed, frames=FRAMES):
    noise = np.random.default_rng(seed).normal(size=(frames, CHANNELS))
    return (10 * noise).astype(np.float32)


def in_uv(recording, segment):
    traces = recording.get_traces(segment).astype(float)
    return traces * recording.get_channel_gains() + recording.get_channel_offsets()


def frames_touched(pieces, context, segment_frames):
    """Whether each frame of one segment is a target, or in the context of one."""
    touched = np.zeros(segment_frames, dtype=bool)
    for piece in pieces:
        assert piece.start >= context.margin
        assert piece.end <= segment_frames - context.margin
        touched[piece.start - context.margin : piece.end + context.margin] = True
    return touched


@pytest.mark.parametrize("context", [Context(1, 0), Context(4, 1), Context(30, 10)])
def test_no_frame_seen_in_training_is_seen_in_validation(context):
    recordings = [noise_recording([5000, 3001], seed=0), noise_recording(4000, seed=1)]
    training, validation = split_frames(recordings, context)
    for index, recording in enumerate(recordings):
        for segment in range(recording.get_num_segments()):
            seen = [
                frames_touched(
                    [piece for piece in pieces if (piece.recording, piece.segment) == key],
                    context,
                    recording.get_num_samples(segment),
                )
                for pieces in (training, validation)
                for key in [(index, segment)]
            ]
            assert seen[0].any()
            assert seen[1].any()
            assert not (seen[0] & seen[1]).any()


def test_a_tenth_is_held_out_from_all_over_a_long_recording():
    context = Context(10, 1)
    training, validation = split_frames([recording_of(np.zeros((100_000, 2)))], context)
    held_out = frames_touched(validation, context, 100_000)
    used = frames_touched(training, context, 100_000)
    assert held_out.mean() == pytest.approx(0.1, abs=0.005)
    assert used.mean() == pytest.approx(0.9, abs=0.01)
    fifths = held_out.reshape(5, -1).any(axis=1)
    assert fifths.all()


@pytest.mark.parametrize("segments", [[100], [100, 5000], [5000, 5]])
def test_a_recording_too_short_is_refused_with_what_would_suffice(segments):
    context = Context(10, 1)
    with pytest.raises(ValueError, match="at least 440 frames in each segment"):
        split_frames([noise_recording(segments, seed=0)], context)
    split_frames([noise_recording([440] * len(segments), seed=0)], context)


def test_training_on_a_recording_too_short_is_refused_with_a_sentence():
    with pytest.raises(ValueError, match="training needs at least"):
        train(noise_recording(50, seed=0))


def test_the_validation_loss_is_what_applying_the_model_leaves(trained, recording):
    """The one number that ties layout, context, units and weights of training to use."""
    context = trained.model.context
    _, validation = split_frames([recording], context)
    denoised = deepinterpolate(recording, trained.model)
    live = np.arange(CHANNELS) != SILENT_CHANNEL
    squares = []
    for piece in validation:
        residual = in_uv(denoised, piece.segment) - in_uv(recording, piece.segment)
        scaled = residual / trained.model.normalization.scale
        squares.append(scaled[piece.start : piece.end, live] ** 2)
    assert np.concatenate(squares).mean() == pytest.approx(
        trained.summary["validation_loss"], rel=1e-3
    )


def test_the_network_is_never_worse_than_the_interpolation_it_starts_from(trained):
    first, *_ = trained.history["validation_loss"]
    assert first == pytest.approx(trained.summary["linear_loss"], rel=1e-4)
    assert trained.summary["validation_loss"] <= first
    assert trained.summary["validation_loss"] == trained.history["validation_loss"].min()


def test_weights_that_training_spoils_are_not_kept():
    result = train(noise_recording(FRAMES, seed=4), learning_rate=30.0)
    losses = result.history["validation_loss"].to_numpy()
    assert not losses[-1] <= 1.5 * losses[0]
    assert result.summary["validation_loss"] == losses[0]
    assert (result.model.weights["correction/kernel"] == 0).all()


def test_training_learns_what_no_linear_interpolation_can():
    """One column follows the size, not the sign, of the other: there is no correlation at all."""
    random = np.random.default_rng(0)
    traces = random.normal(size=(FRAMES, CHANNELS))
    size = np.abs(np.roll(traces[:, ::2], 1, axis=0))
    traces[:, 1::2] = norm.ppf(2 * norm.cdf(size) - 1)
    result = train(recording_of(10 * traces), context_ms=0.1, omission_ms=0.0, max_steps=1000)
    assert result.summary["predictability"] < 0.02
    assert result.summary["validation_loss"] < 0.7 * result.summary["constant_loss"]


def test_independent_noise_is_not_predictable():
    """A loss below the constant's would mean that the target leaks into its own context."""
    result = train(recording_of(white_noise(0)), max_steps=500)
    assert result.summary["validation_loss"] > 0.99 * result.summary["constant_loss"]
    assert result.summary["linear_loss"] > 0.99 * result.summary["constant_loss"]
    assert result.summary["linear_loss"] < 1.02 * result.summary["constant_loss"]


def test_the_predictability_of_autoregressive_noise_is_the_known_one():
    """Between two frames k away, each of correlation r = 0.95**k, a share r² is explained twice."""
    correlation = 0.95
    traces = lfilter([1.0], [1.0, -correlation], white_noise(1, 40_000), axis=0)
    for omission in (0, 1):
        result = train(
            recording_of(traces.astype(np.float32)), omission_ms=1000 * omission / FREQUENCY
        )
        shared = correlation ** (2 * (omission + 1))
        expected = 1 - (1 - shared) / (1 + shared)
        assert result.summary["predictability"] == pytest.approx(expected, abs=0.01)


def test_band_limited_noise_is_almost_wholly_predictable():
    band = butter(4, [50.0, 400.0], btype="band", fs=FREQUENCY, output="sos")
    traces = sosfiltfilt(band, white_noise(2), axis=0)
    result = train(recording_of((10 * traces).astype(np.float32)), context_ms=2.0)
    assert result.summary["predictability"] > 0.98


def test_predictability_is_a_share_of_the_constants_loss(trained):
    summary = trained.summary
    assert summary["predictability"] == pytest.approx(
        1 - summary["linear_loss"] / summary["constant_loss"]
    )
    assert summary["constant_loss"] == pytest.approx(1.0, abs=0.1)


@pytest.fixture(scope="module")
def segmented():
    """What one recording of two segments yields."""
    return train(noise_recording([8000, 6000], seed=5))


def test_the_same_seed_trains_the_same_weights(segmented):
    again = train(noise_recording([8000, 6000], seed=5))
    for name, values in segmented.model.weights.items():
        np.testing.assert_array_equal(again.model.weights[name], values)


def test_another_seed_trains_other_weights(segmented):
    other = train(noise_recording([8000, 6000], seed=5), seed=4)
    for name in ("hidden_0/kernel", "correction/kernel"):
        assert not np.array_equal(other.model.weights[name], segmented.model.weights[name])


def test_recordings_train_a_model_as_segments_of_one_do(segmented):
    whole = noise_recording([8000, 6000], seed=5)
    parts = [whole.select_segments([index]) for index in (0, 1)]
    result = train(parts)
    for name, values in segmented.model.weights.items():
        np.testing.assert_array_equal(result.model.weights[name], values)
    assert all(result.model.saw(part) for part in parts)


def test_all_recordings_and_segments_are_learnt_from(segmented):
    ranges = [
        piece for seen in segmented.model.provenance["recordings"] for piece in seen["ranges"]
    ]
    assert {piece["segment"] for piece in ranges} == {0, 1}
    training, _ = split_frames([noise_recording([8000, 6000], seed=5)], segmented.model.context)
    assert ranges == [vars(piece) for piece in training]


def other_rate():
    return recording_of(white_noise(0), frequency=2 * FREQUENCY)


def other_channels():
    recording = noise_recording(FRAMES, seed=0)
    return recording.rename_channels([f"AP{index}" for index in range(CHANNELS)])


def fewer_channels():
    recording = noise_recording(FRAMES, seed=0)
    return recording.select_channels(recording.channel_ids[:-2])


def other_probe():
    probe = generate_linear_probe(CHANNELS)
    probe.set_device_channel_indices(np.arange(CHANNELS))
    return noise_recording(FRAMES, seed=0, probe=probe)


@pytest.mark.parametrize("differing", [other_rate, other_channels, fewer_channels, other_probe])
def test_recordings_that_differ_are_refused_and_the_odd_one_named(differing):
    alike = noise_recording(FRAMES, seed=0)
    with pytest.raises(ValueError, match="recording 2 differs from recording 0"):
        train([alike, alike, differing()])


def test_a_recording_without_probe_is_refused():
    with pytest.raises(GeometryError, match="no probe"):
        train(NumpyRecording(white_noise(0), FREQUENCY))


def test_values_that_are_not_finite_are_refused():
    traces = white_noise(0)
    traces[:, 3] = np.nan
    with pytest.raises(ValueError, match=r"channels \[3\]"):
        train(recording_of(traces))


def test_a_silent_channel_neither_counts_in_the_loss_nor_is_learnt(trained):
    np.testing.assert_array_equal(
        np.flatnonzero(trained.model.normalization.silent), [SILENT_CHANNEL]
    )
    noise = white_noise(0)
    noise[:, SILENT_CHANNEL] = 0
    result = train(recording_of(noise))
    assert result.summary["constant_loss"] == pytest.approx(1.0, abs=0.05)


def test_units_do_not_change_what_is_learnt():
    microvolts = noise_recording(FRAMES, seed=6)
    counts = noise_recording(FRAMES, seed=6)
    counts.set_channel_gains(0.25)
    losses = [train(each).summary["validation_loss"] for each in (microvolts, counts)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


def test_the_probes_shanks_are_learnt_from_together():
    recording = noise_recording(FRAMES, seed=7)
    probe = neuropixels()
    probe.set_shank_ids(np.repeat(["0", "1"], CHANNELS // 2))
    recording.set_probe(probe)
    result = train(recording)
    assert result.summary["predictability"] > 0.3
    assert deepinterpolate(recording, result.model).get_traces().shape == (FRAMES, CHANNELS)


def test_the_provenance_can_be_written_as_json_and_tells_the_seed(trained):
    provenance = json.loads(json.dumps(trained.model.provenance))
    assert provenance == trained.model.provenance
    assert provenance["seed"] == 3
    assert "seconds" not in provenance["summary"]


def test_the_history_begins_before_the_first_step_and_ends_at_the_last(trained):
    steps = trained.history["step"].to_numpy()
    assert steps[0] == 0
    assert (np.diff(steps) > 0).all()
    assert steps[-1] == trained.summary["steps"] >= 250
    assert trained.history["validation_loss"].notna().all()
