"""What figures compute for themselves."""

import numpy as np
import pandas as pd

from ephys_deepinterpolation.figures.attenuation import kept_by_bin
from ephys_deepinterpolation.figures.collisions import recall_by_lag
from ephys_deepinterpolation.figures.gain_amplitude import binned_gain, paired_gains
from ephys_deepinterpolation.figures.intervals import mean_interval
from ephys_deepinterpolation.figures.rasters import spikes_found
from ephys_deepinterpolation.figures.thresholds import count_by_threshold
from example_tables import example_tables


def test_the_mean_is_over_recordings_whatever_their_number_of_units():
    values, recordings = np.array([0.0, 0.0, 0.0, 1.0]), np.array(["a", "a", "a", "b"])
    mean = mean_interval(values, recordings)
    assert mean.value == 0.5
    assert (mean.low, mean.high) == (0.0, 1.0)


def test_one_recording_has_the_interval_of_its_values_and_one_value_has_none():
    values = np.random.default_rng(0).normal(3.0, 1.0, 400)
    low, high = mean_interval(values, np.full(400, "a"))[1:]
    np.testing.assert_allclose([low, high], 3.0 + np.array([-1.96, 1.96]) / 20, atol=0.12)
    assert np.isnan(mean_interval(np.array([2.0]))[1])


def test_gains_are_paired_and_average_the_repeats():
    units = example_tables(replicates=1, true_units=5, repeats=2)["units"]
    units["accuracy"] = np.where(units["condition"] == "di", 0.7, 0.5) + 0.1 * units["repeat"]
    gains = paired_gains(units, "raw")
    assert len(gains) == 3 * 2 * 5
    np.testing.assert_allclose(gains.loc[gains["condition"] == "di", "gain"], 0.2)
    np.testing.assert_allclose(gains.loc[gains["condition"] != "di", "gain"], 0.0, atol=1e-12)


def test_bins_of_gain_hold_every_unit():
    gains = paired_gains(example_tables(replicates=2, true_units=12)["units"], "raw")
    of_di = gains[(gains["condition"] == "di") & (gains["sorter"] == "mountainsort5")]
    bins = binned_gain(of_di, np.array([0.0, 20.0, 60.0, 200.0]))
    assert bins["units"].sum() == len(of_di) == 24
    assert ((bins["low"] <= bins["gain"]) & (bins["gain"] <= bins["high"])).all()


def test_units_are_counted_on_the_good_side_of_each_threshold():
    values = pd.Series([1.0, 2.0, 3.0, np.nan])
    thresholds = np.array([0.0, 2.0, 4.0])
    assert count_by_threshold(values, thresholds, "above", 1).tolist() == [3, 2, 0]
    assert count_by_threshold(values, thresholds, "below", 2).tolist() == [0, 0.5, 1.5]


def test_every_overlapping_spike_counts_once():
    table = pd.DataFrame(
        {"lag_ms": [0.0, 0.0, 1.0], "recall": [1.0, 0.0, 0.5], "spikes": [30, 10, 4]}
    )
    assert recall_by_lag(table).to_dict() == {0.0: 0.75, 1.0: 0.5}


def test_kept_peaks_are_medians_of_the_units_in_a_bin():
    table = pd.DataFrame(
        {
            "dataset": "a",
            "replicate": 0,
            "condition": "di",
            "unit": ["x", "y", "z"],
            "peak_uv": [10.0, 15.0, 90.0],
            "kept_peak": [0.5, 0.9, 1.0],
        }
    )
    cells = kept_by_bin(table, "peak_uv", (0.0, 15.0, 30.0, np.inf))
    assert cells.loc["di"].to_dict() == {
        "< 15\nn = 1": 0.5,
        "15–30\nn = 1": 0.9,
        "≥ 30\nn = 1": 1.0,
    }


def test_a_spike_is_found_within_four_tenths_of_a_millisecond():
    found = spikes_found(np.array([1.0, 5.0]), np.array([1.39, 5.41]))
    assert found.tolist() == [True, False]
    assert spikes_found(np.array([1.0]), np.array([])).tolist() == [False]
