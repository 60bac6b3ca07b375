import json
import warnings

import numpy as np
import pandas as pd
import pytest
from probeinterface.generator import generate_linear_probe
from scipy.signal import butter, lfilter, sosfiltfilt
from scipy.stats import norm
from spikeinterface.core import NumpyRecording

from ephys_deepinterpolation import optimisation, training
from ephys_deepinterpolation.frames import split_frames
from ephys_deepinterpolation.geometry import GeometryError
from ephys_deepinterpolation.ground_truth.probes import build_probe
from ephys_deepinterpolation.recording import deepinterpolate
from ephys_deepinterpolation.training import train_deepinterpolation
from ephys_deepinterpolation.windows import Context
from fixtures import (
    CHANNELS,
    CONTEXT_MS,
    FREQUENCY,
    SILENT_CHANNEL,
    SMALL_NETWORK,
    assert_same_weights,
    neuropixels,
    noise_recording,
    recording_of,
    train,
    white_noise,
)

FRAMES = 20_000


def in_uv(recording, segment):
    traces = recording.get_traces(segment).astype(float)
    return traces * recording.get_channel_gains() + recording.get_channel_offsets()


def test_training_on_a_recording_too_short_is_refused_with_a_sentence():
    with pytest.raises(ValueError, match="training needs at least"):
        train(noise_recording(50, seed=0))


def test_the_validation_loss_is_what_applying_the_model_leaves(trained, recording):
    """The one number that ties layout, context, units and weights of training to use."""
    context = trained.context
    _, validation = split_frames([recording], context)
    denoised = deepinterpolate(recording, trained)
    live = np.arange(CHANNELS) != SILENT_CHANNEL
    squares = []
    for piece in validation:
        residual = in_uv(denoised, piece.segment) - in_uv(recording, piece.segment)
        scaled = residual / trained.normalization.scale
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
    assert (result.weights["correction/kernel"] == 0).all()


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
    assert_same_weights(again, segmented)
    pd.testing.assert_frame_equal(again.history, segmented.history, check_exact=True)


def test_the_same_training_writes_the_same_bytes(segmented, tmp_path):
    again = train(noise_recording([8000, 6000], seed=5)).save(tmp_path / "again.safetensors")
    first = segmented.save(tmp_path / "first.safetensors")
    assert again.path.read_bytes() == first.path.read_bytes()


def test_another_seed_trains_other_weights(segmented):
    other = train(noise_recording([8000, 6000], seed=5), seed=4)
    for name in ("hidden_0/kernel", "correction/kernel"):
        assert not np.array_equal(other.weights[name], segmented.weights[name])


def test_how_loud_each_recording_is_makes_no_difference():
    quiet, other = noise_recording(8000, seed=5), noise_recording(6000, seed=6)
    # A power of two, which rounds nothing.
    loud = recording_of(4 * other.get_traces(0))
    results = [train([quiet, recording]) for recording in (other, loud)]
    assert_same_weights(*results)
    assert all(results[1].saw(part) for part in (quiet, loud))
    assert not results[1].saw(other)
    np.testing.assert_array_equal(
        results[1].normalization.scale, 4 * results[0].normalization.scale
    )


def test_a_model_is_normalized_as_the_last_of_its_recordings(trained):
    first, last = noise_recording(6000, seed=5), noise_recording(6000, seed=6)
    result, alone = train([first, last]), train(last)
    np.testing.assert_allclose(result.normalization.scale, alone.normalization.scale, rtol=0.05)
    assert result.was_fitted_to(last)
    assert not result.was_fitted_to(first)
    assert result.saw(first)


@pytest.mark.parametrize("accelerated", [False, True])
def test_recordings_of_one_shank_and_of_four_train_one_model(monkeypatch, accelerated):
    """On an accelerator, a shank that a recording lacks is empty, and counts for nothing."""
    for module in (training, optimisation):
        monkeypatch.setattr(module, "on_accelerator", lambda: accelerated)
    probe = build_probe("NP2013", 4 * CHANNELS)
    four = noise_recording(3000, seed=7, channels=4 * CHANNELS, probe=probe)
    one = noise_recording(3000, seed=5)
    result = train([four, one])
    assert len(result.channel_ids) == CHANNELS
    for recording in (one, four):
        assert result.saw(recording)
        denoised = deepinterpolate(recording, result).get_traces(0, 0, 10)
        assert denoised.shape == (10, recording.get_num_channels())
    assert result.summary["linear_loss"] == pytest.approx(
        train(one).summary["linear_loss"], rel=0.1
    )


def test_all_recordings_and_segments_are_learnt_from(segmented):
    ranges = [piece for seen in segmented.provenance["recordings"] for piece in seen["ranges"]]
    assert {piece["segment"] for piece in ranges} == {0, 1}
    training, _ = split_frames([noise_recording([8000, 6000], seed=5)], segmented.context)
    assert ranges == [vars(piece) for piece in training]


def other_rate():
    return recording_of(white_noise(0), frequency=2 * FREQUENCY)


def fewer_channels():
    recording = noise_recording(FRAMES, seed=0)
    return recording.select_channels(recording.channel_ids[:-2])


def other_probe():
    probe = generate_linear_probe(CHANNELS)
    probe.set_device_channel_indices(np.arange(CHANNELS))
    return noise_recording(FRAMES, seed=0, probe=probe)


@pytest.mark.parametrize("differing", [other_rate, fewer_channels, other_probe])
def test_recordings_that_differ_are_refused_and_the_odd_one_named(differing):
    alike = noise_recording(FRAMES, seed=0)
    with pytest.raises(ValueError, match="recording 2 differs from recording 0"):
        train([alike, alike, differing()])


def test_a_recording_without_probe_is_refused():
    with pytest.raises(GeometryError, match="no probe"):
        train(NumpyRecording(white_noise(0), FREQUENCY))


def test_a_silent_channel_neither_counts_in_the_loss_nor_is_learnt(trained):
    np.testing.assert_array_equal(np.flatnonzero(trained.normalization.silent), [SILENT_CHANNEL])
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
    assert deepinterpolate(recording, result).get_traces().shape == (FRAMES, CHANNELS)


def test_the_provenance_can_be_written_as_json_and_tells_the_seed(trained):
    provenance = json.loads(json.dumps(trained.provenance))
    assert provenance == trained.provenance
    assert provenance["optimisation"]["seed"] == 3
    assert provenance["trained_from"] is None
    assert provenance["summary"] == trained.summary


def test_the_history_begins_before_the_first_step_and_ends_at_the_last(trained):
    steps = trained.history["step"].to_numpy()
    assert steps[0] == 0
    assert (np.diff(steps) > 0).all()
    assert steps[-1] == trained.summary["steps"] >= 250
    assert trained.history["validation_loss"].notna().all()


def saturated_for_a_fifth(seed=0, frames=FRAMES):
    traces = noise_recording(frames, seed=seed).get_traces().copy()
    traces[: frames // 5] = 3000.0
    return traces


def test_a_saturation_as_long_as_a_block_is_left_out_and_the_rest_is_learnt():
    saturated = train(recording_of(saturated_for_a_fifth()))
    clean = train(noise_recording(FRAMES, seed=0))
    for name in ("validation_loss", "linear_loss"):
        share = saturated.summary[name] / saturated.summary["constant_loss"]
        expected = clean.summary[name] / clean.summary["constant_loss"]
        assert share == pytest.approx(expected, rel=0.1)


def test_a_recording_of_nothing_but_transients_is_refused_with_a_sentence():
    traces = noise_recording(FRAMES, seed=0).get_traces().copy()
    traces[::3] += 3000.0
    with pytest.raises(ValueError, match="every frame is near a saturation or a transient"):
        train(recording_of(traces))


def test_transients_change_little_of_what_is_learnt():
    traces = noise_recording(FRAMES, seed=0).get_traces().copy()
    traces[np.random.default_rng(0).choice(FRAMES, 40, replace=False)] += 5000.0
    spoilt, clean = train(recording_of(traces)), train(noise_recording(FRAMES, seed=0))
    assert spoilt.summary["validation_loss"] == pytest.approx(
        clean.summary["validation_loss"], rel=0.05
    )


def test_patience_stops_training_that_no_longer_gets_better():
    result = train(noise_recording(6000, seed=4), learning_rate=30.0, max_steps=2500, patience=2)
    assert result.summary["steps"] == 500
    assert list(result.history["step"]) == [0, 250, 500]
    assert result.summary["validation_loss"] == result.history["validation_loss"].min()


def test_patience_waits_while_training_gets_better(segmented):
    patient = train(noise_recording([8000, 6000], seed=5), patience=1)
    assert_same_weights(patient, segmented)


def test_steps_are_rounded_up_to_whole_evaluations():
    assert train(noise_recording(6000, seed=0), max_steps=251).summary["steps"] == 500


def test_the_absolute_error_is_reported_as_a_squared_one_too():
    """The loss trained on is another, and so is what is learnt; reports can be compared."""
    recording = noise_recording(6000, seed=0)
    results = [train(recording, loss=f"mean_{name}_error") for name in ("squared", "absolute")]
    squared, absolute = (each.history for each in results)
    assert absolute["validation_loss"][0] == squared["validation_loss"][0]
    assert absolute["validation_loss"][1] != squared["validation_loss"][1]
    assert absolute["validation_loss"][1] == pytest.approx(squared["validation_loss"][1], rel=0.02)
    # Of Gaussian residuals the mean absolute error is 0.8 standard deviations.
    expected = np.sqrt(2 / np.pi * absolute["validation_loss"][1])
    assert absolute["training_loss"][1] == pytest.approx(expected, rel=0.05)


def test_an_unknown_loss_is_refused():
    with pytest.raises(ValueError, match="no loss is called 'huber'"):
        train(noise_recording(6000, seed=0), loss="huber")


def test_half_precision_trains_to_about_the_same_loss(segmented):
    mixed = train(noise_recording([8000, 6000], seed=5), precision="mixed_bfloat16")
    assert not np.array_equal(mixed.weights["linear/kernel"], segmented.weights["linear/kernel"])
    assert mixed.summary["validation_loss"] == pytest.approx(
        segmented.summary["validation_loss"], rel=0.02
    )
    assert all(values.dtype == np.float32 for values in mixed.weights.values())


def band_limited():
    sos = butter(4, [500.0, 2500.0], btype="band", fs=FREQUENCY, output="sos")
    return recording_of(sosfiltfilt(sos, white_noise(2), axis=0).astype(np.float32))


def test_an_automatic_omission_is_widened_as_far_as_the_band_asks_for():
    with pytest.warns(UserWarning, match="the network will copy the noise"):
        narrow = train(band_limited())
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*copy the noise")
        wide = train(band_limited(), omission_ms="auto")
    assert narrow.context.omission == 1
    assert wide.context.omission > 1
    assert wide.context.frames == narrow.context.frames
    assert wide.summary["noise_foretold"] < 0.9 < narrow.summary["noise_foretold"]
    assert wide.summary["predictability"] < narrow.summary["predictability"]


def test_an_automatic_omission_stays_at_a_frame_for_white_noise():
    result = train(recording_of(white_noise(0, 6000)), omission_ms="auto")
    assert result.context == Context.from_ms(CONTEXT_MS, None, FREQUENCY)


def test_an_omission_that_is_no_number_is_refused():
    with pytest.raises(
        ValueError, match="omission_ms is 'wide'; allowed: a number, None or 'auto'"
    ):
        train(noise_recording(6000, seed=0), omission_ms="wide")


def test_a_network_that_did_not_beat_linear_interpolation_is_warned_of():
    with pytest.warns(UserWarning, match="did not beat linear interpolation"):
        train(noise_recording(6000, seed=4), learning_rate=30.0)


def test_the_losses_stand_in_the_order_that_they_must(trained):
    summary = trained.summary
    assert 0 < summary["noise_floor"] < summary["linear_loss"] < summary["constant_loss"]


def test_the_noise_floor_of_noise_without_structure_is_all_of_it():
    summary = train(recording_of(white_noise(0))).summary
    assert summary["noise_floor"] == pytest.approx(summary["constant_loss"], rel=0.02)


@pytest.mark.parametrize("progress", [False, True])
def test_the_progress_bar_can_be_off(capfd, progress):
    train_deepinterpolation(
        noise_recording(6000, seed=0),
        network=SMALL_NETWORK,
        context_ms=CONTEXT_MS,
        max_steps=250,
        progress=progress,
    )
    shown = capfd.readouterr()
    assert shown.out == ""
    assert ("training" in shown.err and "250/250" in shown.err) == progress
    assert ("validation=" in shown.err and "frames_per_s=" in shown.err) == progress
