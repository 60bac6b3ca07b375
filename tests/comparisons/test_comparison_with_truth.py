"""Sortings whose every mistake is known, held against the truth."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import spikeinterface as si
from pandas.testing import assert_frame_equal

from ephys_deepinterpolation.comparisons import compare_with_truth, signal_to_noise
from ephys_deepinterpolation.conditions import apply_condition
from ephys_deepinterpolation.ground_truth import GroundTruth, inject_spikes
from ephys_deepinterpolation.sortings import SortingRun
from example_ground_truth import FREQUENCY, PARAMETERS, synthetic
from fixtures import noise_recording

BANDPASS = {"name": "bandpass_filter", "params": {"freq_min": 300.0, "freq_max": 6000.0}}
COUNTS = ["well_detected", "redundant", "overmerged", "false_positive"]
SCORES = ["accuracy", "precision", "recall"]
OK = SortingRun(
    sorter="a-sorter",
    version="1.0",
    mode="default",
    status="ok",
    error="",
    seconds=12.5,
    peak_memory_mb=340.0,
    device="cpu",
    deterministic=True,
    parameters={},
    seed=0,
    threads=1,
)
EMPTY = dataclasses.replace(OK, status="empty")
FAILED = dataclasses.replace(OK, status="failed", error="ValueError: no")
STOPPED = [dataclasses.replace(FAILED, status=status) for status in ("timeout", "out_of_memory")]


@pytest.fixture(scope="module")
def truth():
    """Twenty seconds; five units, `units-000` to `units-004`, and four of the background."""
    rates = {"firing_rate_hz": [8.0, 12.0]}
    return synthetic(
        duration_s=20.0,
        units=PARAMETERS["units"] | rates,
        background=PARAMETERS["background"] | rates,
    )


@pytest.fixture
def trains(truth):
    """The true spikes of each unit, background left out: what a perfect sorter finds."""
    return {
        unit: truth.sorting.get_unit_spike_train(unit)
        for unit in truth.units.loc[~truth.units["background"], "unit"]
    }


def compare(truth, trains, run=OK):
    """The table by unit, and the row, of a sorting with these spike trains."""
    sorting = si.NumpySorting.from_unit_dict(trains, FREQUENCY)
    snr = pd.Series(np.arange(len(truth.units)) / 2.0, index=truth.units["unit"])
    units, sortings = compare_with_truth(truth, sorting, run, snr)
    assert len(sortings) == 1
    return units.set_index("unit"), sortings.iloc[0]


def counts(row):
    return row[COUNTS].to_dict()


def foreground(units):
    return units[~units["background"]]


def test_a_perfect_sorting_has_accuracy_one_everywhere_and_no_mistakes(truth, trains):
    units, row = compare(truth, trains)
    assert (foreground(units)[SCORES] == 1.0).all(axis=None)
    assert foreground(units)["well_detected"].all()
    assert foreground(units)["sorted_unit"].tolist() == list(trains)
    assert counts(row) == dict(zip(COUNTS, [5, 0, 0, 0], strict=True))
    assert (row["sorted_units"], row["true_units"], row["mean_accuracy"]) == (5, 5, 1.0)


def test_units_of_the_background_that_nobody_found_lower_no_mean(truth, trains):
    units, row = compare(truth, trains)
    background = units[units["background"]]
    assert len(background) == 4
    assert (background["accuracy"] == 0.0).all()
    assert background["sorted_unit"].isna().all()
    assert not background["well_detected"].any()
    assert row["mean_accuracy"] == 1.0


@pytest.mark.parametrize("kept", [0.9, 0.7])
def test_spikes_that_were_missed_lower_recall_by_their_share(truth, trains, kept):
    spikes = trains["units-002"]
    found = round(kept * len(spikes))
    chosen = np.random.default_rng(1).permutation(len(spikes))[:found]
    units, row = compare(truth, trains | {"units-002": np.sort(spikes[chosen])})
    missed = units.loc["units-002"]
    assert missed[SCORES].tolist() == pytest.approx([found / len(spikes), 1.0, found / len(spikes)])
    assert missed["well_detected"] == (kept >= 0.8)
    assert row["well_detected"] == (5 if kept >= 0.8 else 4)
    assert row["mean_accuracy"] == pytest.approx((4 + found / len(spikes)) / 5)
    assert (foreground(units).drop("units-002")["accuracy"] == 1.0).all()


def test_spikes_that_never_were_lower_precision_by_their_share(truth, trains):
    spikes = trains["units-001"]
    gaps = np.flatnonzero(np.diff(spikes) > 300)[: len(spikes) // 4]
    invented = spikes[gaps] + 150
    units, _ = compare(truth, trains | {"units-001": np.sort(np.r_[spikes, invented])})
    share = len(spikes) / (len(spikes) + len(invented))
    assert len(invented) > 10
    assert units.loc["units-001", SCORES].tolist() == pytest.approx([share, share, 1.0])


def test_accuracy_is_hits_over_hits_misses_and_false_alarms(truth, trains):
    spikes = trains["units-001"]
    gaps = np.flatnonzero(np.diff(spikes) > 300)[:20]
    found = np.sort(np.r_[np.delete(spikes, [0, 5, 9]), spikes[gaps] + 150])
    units, _ = compare(truth, trains | {"units-001": found})
    hits = len(spikes) - 3
    expected = [hits / (hits + 3 + 20), hits / (hits + 20), hits / (hits + 3)]
    assert units.loc["units-001", SCORES].tolist() == pytest.approx(expected)


def test_a_spike_a_fraction_of_a_millisecond_late_is_still_found_and_one_later_is_not(
    truth, trains
):
    near = {unit: spikes + 6 for unit, spikes in trains.items()}
    assert compare(truth, near)[1]["mean_accuracy"] > 0.99
    far = {unit: spikes + 60 for unit, spikes in trains.items()}
    assert compare(truth, far)[1]["mean_accuracy"] < 0.1


def test_a_unit_split_in_two_is_one_redundant_unit_and_no_false_positive(truth, trains):
    spikes = trains.pop("units-003")
    first = np.random.default_rng(2).permutation(len(spikes)) < 0.65 * len(spikes)
    split = {"larger": spikes[first], "smaller": spikes[~first]}
    units, row = compare(truth, trains | split)
    assert counts(row) == dict(zip(COUNTS, [4, 1, 0, 0], strict=True))
    assert row["sorted_units"] == 6
    assert units.loc["units-003", "sorted_unit"] == "larger"
    assert units.loc["units-003", "recall"] == pytest.approx(first.mean())


def test_two_units_merged_into_one_are_one_overmerged_unit(truth, trains):
    merged = np.unique(np.r_[trains.pop("units-000"), trains.pop("units-004")])
    units, row = compare(truth, trains | {"both": merged})
    assert (row["overmerged"], row["redundant"], row["false_positive"]) == (1, 0, 0)
    assert row["well_detected"] == 3
    assert units.loc[["units-000", "units-004"], "accuracy"].max() < 0.7


def test_a_unit_of_random_spikes_is_one_false_positive(truth, trains):
    frames = np.sort(np.random.default_rng(3).integers(600_000, size=200))
    units, row = compare(truth, trains | {"noise": frames})
    assert counts(row) == dict(zip(COUNTS, [5, 0, 0, 1], strict=True))
    assert (foreground(units)["accuracy"] == 1.0).all()


def test_a_unit_of_the_background_that_was_found_is_neither_a_mistake_nor_a_success(truth, trains):
    small = truth.units.loc[truth.units["background"], "unit"].tolist()
    found = {f"found-{unit}": truth.sorting.get_unit_spike_train(unit) for unit in small}
    units, row = compare(truth, trains | found)
    assert counts(row) == dict(zip(COUNTS, [5, 0, 0, 0], strict=True))
    assert (row["sorted_units"], row["true_units"], row["mean_accuracy"]) == (9, 5, 1.0)
    assert units.loc[small, "sorted_unit"].tolist() == list(found)
    assert (units.loc[small, "accuracy"] == 1.0).all()


def test_only_the_background_found_means_that_nothing_asked_for_was_found(truth):
    small = truth.units.loc[truth.units["background"], "unit"]
    _, row = compare(truth, {unit: truth.sorting.get_unit_spike_train(unit) for unit in small})
    assert counts(row) == dict(zip(COUNTS, [0, 0, 0, 0], strict=True))
    assert row["mean_accuracy"] == 0.0


def imperfect(trains):
    """Something of everything: missed spikes, a split unit and a false positive."""
    spikes = trains["units-003"]
    return {
        "units-000": trains["units-000"][::2],
        "units-001": trains["units-001"],
        "units-002": np.delete(trains["units-002"], np.s_[::4]),
        "larger": np.delete(spikes, np.s_[::3]),
        "smaller": spikes[::3],
        "noise": np.arange(1000, 590_000, 2999),
    }


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_sorted_units_changes_nothing(truth, trains, seed):
    found = imperfect(trains)
    names = np.random.default_rng(seed).permutation(list(found)).tolist()
    expected, row = compare(truth, found)
    shuffled, same = compare(truth, {name: found[name] for name in names})
    assert_frame_equal(shuffled, expected)
    assert same.equals(row)


@pytest.mark.parametrize(
    "labels",
    [["z", "y", "x", "w", "v", "u"], [5, 0, 17, 3, 1, 2], ["5", "0", "1", "a", "b", "-2"]],
    ids=["letters", "integers", "texts"],
)
def test_the_names_of_the_sorted_units_change_nothing_but_themselves(truth, trains, labels):
    found = imperfect(trains)
    names = dict(zip(found, labels, strict=True))
    expected, row = compare(truth, found)
    renamed, same = compare(truth, {names[name]: spikes for name, spikes in found.items()})
    assert_frame_equal(renamed.drop(columns="sorted_unit"), expected.drop(columns="sorted_unit"))
    assert same.equals(row)
    matched = expected["sorted_unit"].dropna()
    assert len(matched) == 4
    assert renamed["sorted_unit"].dropna().to_dict() == {
        unit: str(names[name]) for unit, name in matched.items()
    }


@pytest.mark.parametrize("run", [FAILED, *STOPPED], ids=lambda run: run.status)
def test_a_failed_or_stopped_sorting_has_rows_without_accuracy_and_no_counts(truth, run):
    units, row = compare(truth, {}, run)
    assert len(units) == 9
    assert units[[*SCORES, "well_detected", "sorted_unit"]].isna().all(axis=None)
    assert row[[*COUNTS, "sorted_units", "mean_accuracy"]].isna().all()
    assert row["true_units"] == 5
    assert (row["status"], row["error"]) == (run.status, "ValueError: no")
    assert (units["status"] == run.status).all()


def test_an_empty_sorting_has_accuracy_zero_and_counts_zero(truth):
    units, row = compare(truth, {}, EMPTY)
    assert len(units) == 9
    assert (units[SCORES] == 0.0).all(axis=None)
    assert not units["well_detected"].any()
    assert units["sorted_unit"].isna().all()
    assert (row[[*COUNTS, "sorted_units"]] == 0).all()
    assert (row["mean_accuracy"], row["true_units"]) == (0.0, 5)


def test_without_truth_there_are_no_units_and_no_counts_but_the_sorting_is_a_row():
    truth = GroundTruth(recording=noise_recording(100, seed=0), facts={"exhaustive": False})
    sorting = si.NumpySorting.from_unit_dict({0: np.array([5]), 1: np.array([7])}, FREQUENCY)
    units, sortings = compare_with_truth(truth, sorting, OK, pd.Series(dtype=float))
    assert len(units) == 0
    row = sortings.iloc[0]
    assert row["sorted_units"] == 2
    assert row[[*COUNTS, "true_units", "mean_accuracy"]].isna().all()


def test_where_the_truth_is_not_exhaustive_nobody_is_called_a_false_positive(truth, trains):
    partial = dataclasses.replace(truth, facts=truth.facts | {"exhaustive": False})
    _, row = compare(partial, trains | {"unknown": np.arange(1000, 590_000, 2999)})
    assert pd.isna(row["false_positive"])
    assert row["well_detected"] == 5


@pytest.mark.parametrize("run", [OK, EMPTY, FAILED], ids=lambda run: run.status)
def test_the_tables_have_the_same_columns_however_the_run_went(truth, trains, run):
    expected = [table.columns.tolist() for table in comparison_tables(truth, trains, OK)]
    found = [table.columns.tolist() for table in comparison_tables(truth, {}, run)]
    assert [sorted(columns) for columns in found] == [sorted(columns) for columns in expected]


def comparison_tables(truth, trains, run):
    sorting = si.NumpySorting.from_unit_dict(trains or {"a": np.array([5])}, FREQUENCY)
    return compare_with_truth(truth, sorting, run, pd.Series(dtype=float))


@pytest.mark.parametrize("run", [OK, EMPTY, FAILED], ids=lambda run: run.status)
def test_what_is_known_of_units_and_run_stands_in_the_tables(truth, trains, run):
    units, row = compare(truth, trains if run.status == "ok" else {}, run)
    for column in ("peak_uv", "firing_rate_hz", "spikes", "depth_um", "background"):
        assert units[column].tolist() == truth.units[column].tolist(), column
    assert units["snr_raw"].tolist() == (np.arange(9) / 2.0).tolist()
    for column in ("status", "error", "mode", "seconds", "peak_memory_mb", "deterministic"):
        assert row[column] == getattr(run, column), column


@pytest.fixture(scope="module")
def noise(truth):
    """A noise level of its own for each channel, µV."""
    channels = truth.recording.channel_ids.astype(str)
    return pd.Series(np.linspace(5.0, 9.0, len(channels)), index=channels)


def with_templates(truth, factor):
    templates = truth.templates
    return si.Templates(
        factor * templates.templates_array,
        sampling_frequency=templates.sampling_frequency,
        nbefore=templates.nbefore,
        channel_ids=templates.channel_ids,
        unit_ids=templates.unit_ids,
        probe=templates.probe,
    )


def test_without_a_filter_signal_to_noise_is_the_peak_over_the_noise_where_it_peaks(truth, noise):
    ratio = signal_to_noise(truth.templates, truth.recording, [], noise)
    absolute = np.abs(truth.templates.templates_array)
    channels = absolute.max(axis=1).argmax(axis=1)
    expected = absolute.max(axis=(1, 2)) / noise.to_numpy()[channels]
    assert ratio.index.tolist() == truth.sorting.unit_ids.tolist()
    np.testing.assert_allclose(ratio, expected, rtol=1e-5)
    assert len(set(channels)) > 3


def test_with_a_filter_it_is_that_of_each_template_filtered_alone(truth, noise):
    ratio = signal_to_noise(truth.templates, truth.recording, [BANDPASS], noise)
    canvas = truth.recording.frame_slice(0, 30_000)
    for index, unit in enumerate(truth.sorting.unit_ids):
        sorting = si.NumpySorting.from_unit_dict({unit: np.array([15_000])}, FREQUENCY)
        template = truth.templates.templates_array[index : index + 1]
        alone = inject_spikes(sorting, template, truth.templates.nbefore, canvas)
        traces = np.abs(apply_condition(alone, [BANDPASS]).get_traces())
        expected = traces.max() / noise.to_numpy()[traces.max(axis=0).argmax()]
        assert ratio[unit] == pytest.approx(expected, rel=0.01), unit


@pytest.mark.parametrize("units_at_once", [1, 4])
def test_a_recording_may_be_too_short_for_all_units_at_once(truth, noise, units_at_once):
    whole = signal_to_noise(truth.templates, truth.recording, [BANDPASS], noise)
    frames = units_at_once * 10 * truth.templates.templates_array.shape[1]
    short = truth.recording.frame_slice(0, frames)
    found = signal_to_noise(truth.templates, short, [BANDPASS], noise)
    pd.testing.assert_series_equal(found, whole, rtol=0.01)
    with pytest.raises(ValueError, match="must be at least"):
        signal_to_noise(truth.templates, short.frame_slice(0, 100), [BANDPASS], noise)


@pytest.mark.parametrize("pipeline", [[], [BANDPASS]], ids=["raw", "filtered"])
def test_signal_to_noise_doubles_with_the_templates_and_halves_with_the_noise(
    truth, noise, pipeline
):
    ratio = signal_to_noise(truth.templates, truth.recording, pipeline, noise)
    louder = signal_to_noise(with_templates(truth, 2.0), truth.recording, pipeline, noise)
    np.testing.assert_allclose(louder, 2 * ratio, rtol=1e-4)
    noisier = signal_to_noise(truth.templates, truth.recording, pipeline, 2 * noise)
    np.testing.assert_allclose(noisier, ratio / 2, rtol=1e-6)


def test_signal_to_noise_finds_the_noise_of_a_channel_by_its_name(truth, noise):
    expected = signal_to_noise(truth.templates, truth.recording, [], noise)
    shuffled = noise.sample(frac=1.0, random_state=1)
    found = signal_to_noise(truth.templates, truth.recording, [], shuffled)
    pd.testing.assert_series_equal(found, expected)


def test_a_positive_peak_counts_like_a_negative_one(truth, noise):
    expected = signal_to_noise(truth.templates, truth.recording, [BANDPASS], noise)
    turned = signal_to_noise(with_templates(truth, -1.0), truth.recording, [BANDPASS], noise)
    np.testing.assert_allclose(turned, expected, rtol=1e-4)
