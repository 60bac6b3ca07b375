from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import spikeinterface as si
from pandas.testing import assert_frame_equal
from spikeinterface.preprocessing import scale_to_uV

from ephys_deepinterpolation.comparisons import Sorted, compare_condition
from ephys_deepinterpolation.ground_truth import GroundTruth
from ephys_deepinterpolation.sortings import SortingRun
from example_ground_truth import FREQUENCY, PARAMETERS, synthetic

SCORE = 0.7
TABLES = ["agreement", "collisions", "correlograms", "matches", "quality", "sortings", "units"]
STATUSES = ["empty", "failed", "timeout", "out_of_memory"]


@pytest.fixture(scope="module")
def truth():
    """Eight seconds in memory, so that each unit has more than a hundred spikes."""
    lazy = synthetic(duration_s=8.0, units=PARAMETERS["units"] | {"firing_rate_hz": [20.0, 25.0]})
    return replace(lazy, recording=lazy.recording.save(format="memory", progress_bar=False))


@pytest.fixture(scope="module")
def trains(truth):
    units = truth.units.loc[~truth.units["background"], "unit"]
    return {unit: truth.sorting.get_unit_spike_train(unit) for unit in units}


@pytest.fixture(scope="module")
def noise(truth):
    return pd.Series(8.0, index=truth.recording.channel_ids.astype(str))


def run_of(status):
    known = dict.fromkeys(SortingRun.__dataclass_fields__, 0)
    return SortingRun(**known | {"sorter": "a", "status": status, "error": "", "parameters": {}})


def sorted_units(trains, sorter="one", repeat=0, status="ok"):
    sorting = si.NumpySorting.from_unit_dict(trains if status == "ok" else {}, FREQUENCY)
    return Sorted(sorter, repeat, sorting, run_of(status))


def compare(truth, noise, sortings, reference=None, recording=None):
    """Compare with a reference on the recording as it is; the reference itself when left out."""
    raw = scale_to_uV(truth.recording)
    snr = pd.Series(dtype=float)
    base = None
    if reference is not None:
        base = compare_condition(truth, raw, noise, snr, reference, reference, None, SCORE)
    recording = raw if recording is None else recording
    reference = sortings if reference is None else reference
    return compare_condition(truth, recording, noise, snr, sortings, reference, base, SCORE)


@pytest.fixture(scope="module")
def sortings(trains):
    """Two sorters, two repeats each."""
    worse = {unit: frames[::2] for unit, frames in trains.items()}
    lucky = {unit: frames for unit, frames in trains.items() if unit != "units-000"}
    return [
        sorted_units(trains, "one", 0),
        sorted_units(lucky, "one", 1),
        sorted_units(worse, "two", 0),
        sorted_units(trains, "two", 1),
    ]


def test_the_reference_beside_itself_is_the_ruler(truth, noise, sortings):
    tables = compare(truth, noise, sortings)
    assert sorted(tables) == TABLES
    matches = tables["matches"]
    assert matches["matched"].all()
    assert matches["unit"].tolist() == matches["other_unit"].tolist()
    assert matches["snr"].tolist() == matches["other_snr"].tolist()
    for name, measures in (
        ("collisions", ("recall", "reference_recall")),
        ("correlograms", ("error", "reference_error")),
    ):
        assert len(tables[name]) > 0
        assert tables[name][measures[0]].tolist() == tables[name][measures[1]].tolist()


def test_a_condition_that_changes_nothing_changes_no_number(truth, noise, sortings):
    expected = compare(truth, noise, sortings)
    found = compare(truth, noise, sortings, reference=sortings)
    for name in TABLES:
        order = [
            column for column in ("trains", "sorter", "repeat", "unit") if column in found[name]
        ]
        one, other = (
            tables[name].sort_values(order, kind="stable").reset_index(drop=True)
            for tables in (found, expected)
        )
        assert_frame_equal(one, other[one.columns.tolist()], obj=name)


def test_every_sorter_and_repeat_has_its_rows(truth, noise, sortings):
    tables = compare(truth, noise, sortings, reference=sortings)
    keys = {(each.sorter, each.repeat) for each in sortings}
    for name in ("units", "sortings", "matches"):
        assert set(zip(tables[name]["sorter"], tables[name]["repeat"], strict=True)) == keys
    assert len(tables["units"]) == 4 * len(truth.units)
    agreement = tables["agreement"].set_index("repeat")
    assert agreement["sorter"].tolist() == ["one", "one"]
    assert agreement.loc[1, ["units", "other_units", "matched"]].tolist() == [4, 5, 4]
    assert agreement.loc[0, "matched"] == 0


def test_quality_is_of_the_true_trains_the_reference_s_units_and_the_condition_s(
    truth, noise, trains, sortings
):
    few = sorted_units({"x": trains["units-001"]}, "one", 0)
    quality = compare(truth, noise, [few], reference=sortings[:1])["quality"]
    units = {name: group["unit"].tolist() for name, group in quality.groupby("trains")}
    assert units == {"truth": list(trains), "reference": list(trains), "own": ["x"]}
    true_rows = quality[quality["trains"] == "truth"]
    assert true_rows[["sorter", "repeat"]].isna().all(axis=None)
    assert (quality.loc[quality["trains"] != "truth", "sorter"] == "one").all()


def test_signal_to_noise_of_matches_is_of_each_sorting_on_its_own_recording(truth, noise, sortings):
    quieter = si.preprocessing.scale(scale_to_uV(truth.recording), gain=0.5)
    tables = compare(truth, noise, sortings[:1], sortings[:1], recording=quieter)
    matches, quality = tables["matches"], tables["quality"]
    np.testing.assert_allclose(matches["other_peak_uv"], 0.5 * matches["peak_uv"], rtol=1e-5)
    of_reference = quality[quality["trains"] == "reference"].set_index("unit")["snr"]
    np.testing.assert_allclose(of_reference.loc[matches["unit"]], 0.5 * matches["snr"], rtol=1e-5)


def test_collisions_are_of_units_that_both_sortings_detect_well(truth, noise, trains, sortings):
    lost = sorted_units(trains | {"units-001": trains["units-001"][::3]})
    tables = compare(truth, noise, [lost], reference=sortings[:1])
    assert (tables["collisions"]["recall"] == 1.0).all()
    pairs = tables["correlograms"].groupby("kind_of")["pairs"].first()
    assert pairs.to_dict() == {"auto": 4, "cross": 6}


@pytest.mark.parametrize("side", ["condition", "reference"])
@pytest.mark.parametrize("status", STATUSES)
def test_a_sorting_without_result_leaves_the_other_sorter_s_rows(
    truth, noise, trains, status, side
):
    broken = [sorted_units({}, "one", status=status), sorted_units(trains, "two")]
    whole = [sorted_units(trains, "one"), sorted_units(trains, "two")]
    pair = (broken, whole) if side == "condition" else (whole, broken)
    tables = compare(truth, noise, pair[0], reference=pair[1])
    assert len(tables["sortings"]) == 2
    assert len(tables["units"]) == 2 * len(truth.units)
    matches = tables["matches"].groupby("sorter")["matched"].agg(["size", "sum"])
    assert matches.loc["two"].tolist() == [5, 5]
    assert ("one" in matches.index) == (status == "empty")
    if status == "empty":
        assert matches.loc["one"].tolist() == [5, 0]
    for name in ("collisions", "correlograms"):
        assert set(tables[name]["sorter"]) == {"two"}
    assert len(tables["agreement"]) == 1


@pytest.mark.parametrize("status", STATUSES)
def test_where_every_sorting_is_without_result_the_tables_keep_their_columns(
    truth, noise, sortings, status
):
    filled = compare(truth, noise, sortings)
    tables = compare(truth, noise, [sorted_units({}, status=status)])
    for name in TABLES:
        assert set(filled[name].columns) == set(tables[name].columns), name
    assert set(tables["quality"]["trains"]) == {"truth"}


def test_without_truth_there_are_matches_quality_and_agreement(truth, noise, sortings):
    unknown = GroundTruth(recording=truth.recording, facts={"exhaustive": False})
    tables = compare(unknown, noise, sortings, reference=sortings)
    for name in ("units", "collisions", "correlograms"):
        assert len(tables[name]) == 0
    assert set(tables["quality"]["trains"]) == {"reference", "own"}
    assert tables["matches"]["matched"].all()
    assert len(tables["sortings"]) == 4


def test_one_unit_is_compared_like_many(truth, noise, trains):
    one = replace(
        truth,
        sorting=truth.sorting.select_units(["units-002"]),
        templates=truth.templates.select_units(["units-002"]),
        units=truth.units[truth.units["unit"] == "units-002"].reset_index(drop=True),
    )
    found = [sorted_units({4: trains["units-002"]})]
    tables = compare(one, noise, found, reference=found)
    assert tables["units"]["accuracy"].tolist() == [1.0]
    assert tables["matches"]["other_unit"].tolist() == ["4"]
    assert len(tables["collisions"]) == 0
    assert set(tables["correlograms"]["kind_of"]) == {"auto"}
