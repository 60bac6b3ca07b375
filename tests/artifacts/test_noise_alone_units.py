"""Units found in noise alone."""

import math

import numpy as np
import pytest
import spikeinterface as si

from ephys_deepinterpolation.artifacts import count_invented
from ephys_deepinterpolation.sortings import SortingRun


def run(status, error=""):
    return SortingRun(
        sorter="mountainsort5",
        version="0.5.9",
        mode="default",
        status=status,
        error=error,
        seconds=3.0,
        peak_memory_mb=500.0,
        device="cpu",
        deterministic=True,
        parameters={},
        seed=1,
        threads=1,
    )


def sorting(*trains):
    units = {str(index): np.array(train, dtype=np.int64) for index, train in enumerate(trains)}
    return si.NumpySorting.from_unit_dict([units], 30_000.0)


def test_units_and_spikes_are_counted_beside_the_seconds_of_noise():
    counts = count_invented(sorting([10, 20, 30], [15, 40]), run("ok"), seconds=10.0)
    assert counts == {
        "status": "ok",
        "error": "",
        "sorted_units": 2,
        "spikes": 5,
        "seconds": 10.0,
    }


def test_a_sorter_that_finds_nothing_in_noise_has_invented_nothing():
    counts = count_invented(sorting(), run("empty"), seconds=10.0)
    assert (counts["sorted_units"], counts["spikes"]) == (0, 0)


@pytest.mark.parametrize("status", ["failed", "timeout", "out_of_memory"])
def test_a_sorting_that_came_to_no_end_has_no_numbers_but_says_why(status):
    counts = count_invented(sorting(), run(status, "no peaks"), seconds=10.0)
    assert math.isnan(counts["sorted_units"])
    assert math.isnan(counts["spikes"])
    assert (counts["status"], counts["error"]) == (status, "no peaks")
