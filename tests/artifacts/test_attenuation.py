"""Losses, shifts and phantoms that were planted are found; where there are none, none are."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import spikeinterface as si
from spikeinterface.preprocessing import scale

from ephys_deepinterpolation.artifacts import measure_attenuation
from ephys_deepinterpolation.conditions import apply_condition
from ephys_deepinterpolation.ground_truth import GroundTruth, inject_spikes
from ephys_deepinterpolation.ground_truth.noise import SumRecording, noise_parts
from example_ground_truth import FREQUENCY, NONE, synthetic
from fixtures import noise_recording

BANDPASS = {"name": "bandpass_filter", "params": {"freq_min": 300.0, "freq_max": 6000.0}}
GAUSSIAN = {"name": "gaussian_filter", "params": {"freq_min": None, "freq_max": 2000.0}}
PHANTOMS = ["leak_uv", "echo_uv"]


@pytest.fixture(scope="module")
def truth():
    """Few units, so that far channels see none of them."""
    return synthetic(
        channels=48,
        duration_s=5.0,
        units={"number": 3, "peak_uv": [40.0, 120.0], "firing_rate_hz": [8.0, 12.0]},
        background=NONE,
        noise={"independent": {"level_uv": 4.0}},
    )


def reference_of(truth, pipeline=()):
    return apply_condition(truth.recording, list(pipeline))


def with_more(truth, added):
    return SumRecording([reference_of(truth), added])


def injected(truth, templates, delay_ms=0.0):
    """Templates (units, frames, channels) at the true spikes, earlier or later than these."""
    nbefore = truth.templates.nbefore - round(delay_ms * FREQUENCY / 1000.0)
    return inject_spikes(truth.sorting, templates, nbefore, truth.recording)


@pytest.mark.parametrize("pipeline", [[], [BANDPASS]], ids=["raw", "filtered"])
def test_the_reference_itself_has_lost_nothing_and_added_nothing(truth, pipeline):
    table = measure_attenuation(truth, reference_of(truth, pipeline), pipeline, seed=1)
    error = table["standard_error_uv"] / table["expected_peak_uv"]
    assert ((table["kept_peak"] - 1).abs() < 4 * error).all()
    assert (table["cosine"] > 0.99).all()
    np.testing.assert_allclose(table["kept_width"], 1.0, atol=0.05)
    np.testing.assert_allclose(table["shift_us"], 0.0, atol=3.0)
    assert (table[PHANTOMS] == 0).all().all()


def test_units_are_those_of_the_truth(truth):
    table = measure_attenuation(truth, reference_of(truth), [], seed=1)
    for column in ("unit", "background", "peak_uv", "width_ms", "firing_rate_hz", "depth_um"):
        assert table[column].tolist() == truth.units[column].tolist()
    np.testing.assert_allclose(table["expected_peak_uv"], table["peak_uv"], rtol=0.02)


def test_the_standard_error_is_that_of_an_average_of_the_noise(truth):
    table = measure_attenuation(truth, reference_of(truth), [], seed=1)
    expected = 4.0 / np.sqrt(table["spikes"])
    np.testing.assert_allclose(table["standard_error_uv"], expected, rtol=0.3)


@pytest.mark.parametrize("share", [0.5, 1.3])
def test_a_planted_loss_or_gain_is_found(truth, share):
    condition = scale(reference_of(truth), gain=share, dtype="float32")
    table = measure_attenuation(truth, condition, [], seed=1)
    np.testing.assert_allclose(table["kept_peak"], share, rtol=0.05)
    np.testing.assert_allclose(table["kept_width"], 1.0, atol=0.05)
    assert (table["cosine"] > 0.99).all()


def test_what_is_lost_is_no_phantom(truth):
    table = measure_attenuation(truth, scale(truth.spikes(), gain=0.0), [], seed=1)
    np.testing.assert_allclose(table["kept_peak"], 0.0, atol=0.01)
    assert table["kept_width"].isna().all()
    assert (table[PHANTOMS] < 4 * table[["leak_standard_error_uv"]].to_numpy()).all().all()


@pytest.mark.parametrize("delay_ms", [-0.1, 0.1])
def test_a_planted_delay_is_found(truth, delay_ms):
    moved = injected(truth, truth.templates.templates_array, delay_ms)
    table = measure_attenuation(truth, moved, [], seed=1)
    np.testing.assert_allclose(table["shift_us"], 1000.0 * delay_ms, atol=3.0)
    np.testing.assert_allclose(table["kept_width"], 1.0, atol=0.02)


def test_half_a_frame_is_found_too(truth):
    spikes = truth.sorting.to_spike_vector()
    late = pd.DataFrame({"shift_frames": np.full(len(spikes), 0.5)})
    templates = truth.templates
    moved = inject_spikes(
        truth.sorting, templates.templates_array, templates.nbefore, truth.recording, late
    )
    table = measure_attenuation(truth, moved, [], seed=1)
    np.testing.assert_allclose(table["shift_us"], 0.5e6 / FREQUENCY, atol=2.0)


def test_smoothing_lowers_the_peak_as_it_does_that_of_the_template_and_widens_it(truth):
    table = measure_attenuation(truth, apply_condition(truth.spikes(), [GAUSSIAN]), [], seed=1)
    alone = si.NumpyRecording(
        [np.pad(each, ((300, 300), (0, 0))) for each in truth.templates.templates_array],
        FREQUENCY,
    )
    alone.set_channel_gains(1.0)
    alone.set_channel_offsets(0.0)
    smooth = apply_condition(alone, [GAUSSIAN])
    for unit, kept in enumerate(table["kept_peak"]):
        before, after = (each.get_traces(unit) for each in (alone, smooth))
        place = np.unravel_index(np.abs(before).argmax(), before.shape)
        assert kept == pytest.approx(after[place] / before[place], abs=0.02)
    assert (table["kept_peak"] < 0.9).all()
    assert (table["kept_width"] > 1.05).all()
    assert table["cosine"].between(0.9, 0.999).all()


def test_noise_alone_is_no_phantom():
    many = synthetic(
        channels=32,
        duration_s=6.0,
        units={"number": 25, "peak_uv": [40.0, 120.0], "firing_rate_hz": [8.0, 12.0]},
        background=NONE,
        noise={"independent": {"level_uv": 4.0}},
    )
    added = noise_parts(many.recording, {"independent": {"level_uv": 5.0}}, 77)["independent"]
    table = measure_attenuation(many, with_more(many, added), [], seed=1)
    for phantom in ("leak", "echo"):
        scores = table[f"{phantom}_uv"] / table[f"{phantom}_standard_error_uv"]
        scores = scores.dropna()
        assert -1.0 < scores.mean() < 3 / np.sqrt(len(scores)), phantom
        assert scores.max() < 4.0, phantom


@pytest.mark.parametrize("lag_ms", [-2.5, 3.0])
def test_a_planted_echo_is_found_where_and_as_large_as_it_is(truth, lag_ms):
    templates = 0.2 * truth.templates.templates_array
    table = measure_attenuation(
        truth, with_more(truth, injected(truth, templates, lag_ms)), [], seed=1
    )
    expected = 0.2 * truth.units["peak_uv"]
    assert ((table["echo_uv"] - expected).abs() < 0.1 * expected + 2.0).all()
    np.testing.assert_allclose(table["echo_lag_ms"], lag_ms, atol=0.1)
    assert (table["leak_uv"] < 3.0).all()


def test_a_planted_leak_is_found_where_and_as_large_as_it_is(truth):
    positions = truth.recording.get_channel_locations()
    shape = np.zeros_like(truth.templates.templates_array)
    distances = []
    for unit, template in enumerate(truth.templates.templates_array):
        away = np.linalg.norm(positions - positions[np.abs(template).max(axis=0).argmax()], axis=1)
        shape[unit, truth.templates.nbefore, away.argmax()] = 9.0
        distances.append(away.max())
    table = measure_attenuation(truth, with_more(truth, injected(truth, shape)), [], seed=1)
    np.testing.assert_allclose(table["leak_uv"], 9.0, atol=1.0)
    np.testing.assert_allclose(table["leak_distance_um"], distances)
    assert (table["kept_peak"] > 0.97).all()


def test_units_of_hardly_any_spikes_are_rows_without_values(truth):
    trains = {
        unit: truth.sorting.get_unit_spike_train(unit)[: 2 if index == 1 else None]
        for index, unit in enumerate(truth.sorting.unit_ids)
    }
    rare = dataclasses.replace(
        truth, sorting=si.NumpySorting.from_unit_dict([trains], FREQUENCY), variation=None
    )
    table = measure_attenuation(rare, reference_of(truth), [], seed=1)
    assert table["unit"].tolist() == truth.units["unit"].tolist()
    assert table["kept_peak"].isna().tolist() == [False, True, False]


def test_the_seed_chooses_the_spikes_the_same_ones_in_every_condition(truth):
    one = measure_attenuation(truth, reference_of(truth), [], seed=1)
    two = measure_attenuation(truth, scale(reference_of(truth), gain=0.5), [], seed=1)
    np.testing.assert_allclose(two["kept_peak"], one["kept_peak"] / 2, rtol=1e-4)


def test_without_known_spikes_there_are_no_rows():
    recording = noise_recording(1000, seed=0)
    assert measure_attenuation(GroundTruth(recording=recording), recording, [], seed=1).empty
