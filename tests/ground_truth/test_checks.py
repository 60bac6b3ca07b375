"""A truth that holds what it says is found to; one that does not is found out."""

from dataclasses import replace

import numpy as np
import pytest
import spikeinterface as si

from ephys_deepinterpolation.ground_truth import GroundTruth
from ephys_deepinterpolation.ground_truth.checks import (
    cut_excerpt,
    measure_spectra,
    measure_true_units,
)
from example_ground_truth import GAIN, INDEPENDENT, NONE, synthetic


@pytest.fixture(scope="module")
def truth():
    """Quiet, so that ten seconds suffice for an average."""
    return synthetic(duration_s=10.0, noise={"independent": {"level_uv": 2.0}})


def test_the_average_spike_is_what_it_should_be_within_its_error(truth):
    units = measure_true_units(truth, seed=0)
    difference = units["average_peak_uv"] - units["expected_peak_uv"]
    assert (difference.abs() < 4 * units["standard_error_uv"]).all()
    assert (units["average_cosine"] > 0.99).all()
    assert not units["background"].any()


def test_the_standard_error_is_that_of_an_average_of_the_noise(truth):
    quiet = synthetic(duration_s=10.0, background=NONE, noise={"independent": {"level_uv": 2.0}})
    units = measure_true_units(quiet, seed=0)
    lonely = units.loc[units["standard_error_uv"].idxmin()]
    assert lonely["standard_error_uv"] == pytest.approx(2.0 / np.sqrt(lonely["spikes"]), rel=0.3)


def test_spikes_a_millisecond_off_are_found_out(truth):
    late = [truth.sorting.get_unit_spike_train(unit) + 30 for unit in truth.sorting.unit_ids]
    sorting = si.NumpySorting.from_unit_dict(
        dict(zip(truth.sorting.unit_ids, late, strict=True)), truth.sorting.sampling_frequency
    )
    units = measure_true_units(replace(truth, sorting=sorting), seed=0)
    assert (units["average_cosine"] < 0.8).all()


def test_units_that_move_and_spikes_that_vary_are_expected_to():
    moving = synthetic(
        duration_s=10.0,
        noise={"independent": {"level_uv": 2.0}},
        drift=[{"shape": "zigzag", "amplitude_um": 30.0, "period_s": 5.0}],
    )
    units = measure_true_units(moving, seed=0)
    assert (units["expected_peak_uv"] < 0.97 * units["peak_uv"]).any()
    difference = units["average_peak_uv"] - units["expected_peak_uv"]
    assert (difference.abs() < 4 * units["standard_error_uv"]).all()


def test_no_two_spikes_of_a_unit_are_closer_than_the_refractory_period(truth):
    assert (measure_true_units(truth, seed=0)["shortest_interval_ms"] >= 2.0).all()


def test_the_spectra_of_the_parts_add_up_to_that_of_the_recording(truth):
    spectra = measure_spectra(truth, seed=0)
    table = spectra.pivot_table(index="frequency_hz", columns="part", values="density_uv2_per_hz")
    high = table[table.index > 9000.0]
    rounding = GAIN**2 / 12 / (30_000.0 / 2)
    expected = 2.0**2 / (30_000.0 / 2)
    assert high["independent"].mean() == pytest.approx(expected, rel=0.05)
    assert high["recording"].mean() == pytest.approx(expected + rounding, rel=0.05)


def test_an_excerpt_marks_the_spikes_on_the_channel_where_they_peak(truth):
    excerpt = cut_excerpt(truth, duration_ms=1000.0, channels=16)
    marked = excerpt[excerpt["unit"] != ""]
    largest = truth.units.loc[~truth.units["background"]].nlargest(2, "peak_uv")["unit"]
    start = (truth.recording.get_num_frames() - 30_000) // 2
    for unit in largest:
        rows = marked[marked["unit"] == unit]
        train = truth.sorting.get_unit_spike_train(unit, 0, start, start + 30_000)
        np.testing.assert_allclose(rows["time_ms"] * 30.0, train - start)
        assert rows["channel"].nunique() == 1
        assert (rows["trace_uv"] < -20.0).all()


def test_without_units_there_are_traces_and_a_spectrum_alone(truth):
    bare = GroundTruth(truth.recording)
    assert measure_true_units(bare, seed=0).empty
    assert set(measure_spectra(bare, seed=0)["part"]) == {"recording"}
    assert (cut_excerpt(bare)["unit"] == "").all()


def test_the_same_seed_measures_the_same(truth):
    again = synthetic(duration_s=3.0, noise={"independent": INDEPENDENT})
    one, other = (measure_true_units(again, seed=4) for _ in range(2))
    assert one.equals(other)
