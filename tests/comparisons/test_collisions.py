from dataclasses import replace

import numpy as np
import pytest
import spikeinterface as si

from ephys_deepinterpolation.comparisons import measure_collisions, measure_correlograms
from example_ground_truth import FREQUENCY, PARAMETERS, synthetic

MS = FREQUENCY / 1000.0


@pytest.fixture(scope="module")
def truth():
    """Twenty seconds; five units that fire 30 times a second, so that many spikes collide."""
    rates = {"firing_rate_hz": [30.0, 30.0]}
    return synthetic(duration_s=20.0, units=PARAMETERS["units"] | rates)


@pytest.fixture(scope="module")
def units(truth):
    return truth.units.loc[~truth.units["background"], "unit"].tolist()


@pytest.fixture(scope="module")
def trains(truth, units):
    return {unit: truth.sorting.get_unit_spike_train(unit) for unit in units}


def sorting(trains):
    """Under names of its own, in another order."""
    named = {100 - index: frames for index, frames in enumerate(trains.values())}
    return si.NumpySorting.from_unit_dict(dict(reversed(named.items())), FREQUENCY)


def without_collisions(trains, unit, within_ms):
    """The spikes of a unit are lost where any other fires within so many ms."""
    others = np.sort(np.concatenate([each for name, each in trains.items() if name != unit]))
    frames = trains[unit]
    after = np.searchsorted(others, frames)
    nearest = np.minimum(
        np.abs(frames - others[np.clip(after, 0, len(others) - 1)]),
        np.abs(frames - others[np.clip(after - 1, 0, len(others) - 1)]),
    )
    return trains | {unit: frames[nearest > within_ms * MS]}


def by_lag(table):
    """Recall by lag, over all similarities."""
    hits = table["recall"] * table["spikes"]
    spikes = table.groupby("lag_ms")["spikes"].sum()
    return hits.groupby(table["lag_ms"]).sum() / spikes


def test_a_perfect_sorting_finds_every_spike_that_collides(truth, trains, units):
    found = sorting(trains)
    table = measure_collisions(truth, found, found, units)
    assert (table["recall"] == 1.0).all()
    assert (table["reference_recall"] == 1.0).all()
    assert table["spikes"].sum() > 1000
    assert table["lag_ms"].nunique() == 11
    assert table["lag_ms"].abs().max() < 2.0


def test_spikes_lost_to_collisions_lower_recall_at_small_lags_only(truth, trains, units):
    found = sorting(without_collisions(trains, units[2], within_ms=0.5))
    table = measure_collisions(truth, found, sorting(trains), units)
    recall = by_lag(table)
    near, far = recall[recall.index.to_series().abs() < 0.5], recall[abs(recall.index) > 1.0]
    assert (near < 0.85).all()
    # A third unit may fire closer than the second.
    assert (far > 0.95).all()
    assert (table["reference_recall"] == 1.0).all()


def test_what_the_reference_loses_stands_beside_what_the_condition_loses(truth, trains, units):
    broken = sorting(without_collisions(trains, units[2], within_ms=0.5))
    one = measure_collisions(truth, broken, sorting(trains), units)
    other = measure_collisions(truth, sorting(trains), broken, units)
    assert one["recall"].tolist() == other["reference_recall"].tolist()
    assert (other["recall"] == 1.0).all()


def test_a_collision_is_seen_from_both_sides_at_opposite_lags(truth, trains, units):
    found = sorting(trains)
    table = measure_collisions(truth, found, found, units[:2])
    spikes = table.groupby("lag_ms")["spikes"].sum()
    assert spikes.sum() % 2 == 0
    assert spikes.index.tolist() == (-spikes.index[::-1]).tolist()
    # A lag on the very edge of two bins falls into the later one from either side.
    assert np.abs(spikes.to_numpy() - spikes.to_numpy()[::-1]).sum() <= 0.2 * spikes.sum()
    assert (table["pairs"] == 1).all()


def test_the_lag_says_how_much_later_the_other_unit_fires(truth, units):
    first = np.arange(1000, 500_000, 3000)
    later = first + round(1.1 * MS)
    planted = si.NumpySorting.from_unit_dict({units[0]: first, units[1]: later}, FREQUENCY)
    lost = si.NumpySorting.from_unit_dict({0: first, 1: later[::2]}, FREQUENCY)
    table = measure_collisions(replace(truth, sorting=planted), lost, lost, units[:2])
    table = table.set_index("lag_ms")
    ahead, behind = table[table.index > 0], table[table.index < 0]
    assert ahead["recall"].tolist() == [1.0]
    assert behind["recall"].tolist() == pytest.approx([0.5], abs=0.01)
    assert ahead.index[0] == pytest.approx(1.1, abs=0.19)


def test_each_pair_of_units_counts_where_the_cosine_of_its_templates_says(truth, trains, units):
    found = sorting(trains)
    templates = truth.templates.select_units(units).templates_array.reshape(len(units), -1)
    norms = np.linalg.norm(templates, axis=1)
    cosine = (templates @ templates.T / np.outer(norms, norms))[np.triu_indices(len(units), 1)]
    table = measure_collisions(truth, found, found, units)
    for (low, high), group in table.groupby(["similarity_low", "similarity_high"]):
        assert group["pairs"].max() == ((cosine >= low) & (cosine < high)).sum()
    assert table.groupby("similarity_low")["pairs"].max().sum() == len(cosine)


@pytest.mark.parametrize("number", [0, 1])
def test_fewer_than_two_units_never_collide(truth, trains, units, number):
    found = sorting(trains)
    assert len(measure_collisions(truth, found, found, units[:number])) == 0


def test_of_a_recording_in_two_segments_there_are_correlograms_but_no_collisions(truth, units):
    segments = [{unit: start + np.arange(0, 9000, 300) for unit in units[:2]} for start in (50, 70)]
    halves = si.NumpySorting.from_unit_dict(segments, FREQUENCY)
    known = replace(truth, sorting=halves)
    assert len(measure_collisions(known, halves, halves, units[:2])) == 0
    table = measure_correlograms(known, halves, halves, units[:2])
    assert (table["error"] == 0.0).all()
    assert set(table["kind_of"]) == {"auto", "cross"}


def near_and_far(table, kind, measure="error"):
    """The mean of a measure below 1 ms, and beyond 3."""
    chosen = table[table["kind_of"] == kind].set_index("lag_ms")[measure]
    lags = chosen.index.to_series().abs()
    return chosen[lags < 1.0].mean(), chosen[lags > 3.0].mean()


def test_correlograms_of_a_perfect_sorting_are_without_error(truth, trains, units):
    found = sorting(trains)
    table = measure_correlograms(truth, found, found, units)
    assert (table[["error", "bias", "reference_error", "reference_bias"]] == 0.0).all(axis=None)
    assert set(table["lag_ms"]) == set(-table["lag_ms"])
    assert table.groupby("kind_of")["pairs"].first().to_dict() == {"auto": 5, "cross": 10}


def test_spikes_lost_to_collisions_dent_the_cross_correlogram_at_zero_lag(truth, trains, units):
    found = sorting(without_collisions(trains, units[2], within_ms=0.5))
    table = measure_correlograms(truth, found, sorting(trains), units)
    near, far = near_and_far(table, "cross")
    assert near > 3 * far
    assert near_and_far(table, "cross", "bias")[0] == pytest.approx(-near)
    assert (table[["reference_error", "reference_bias"]] == 0.0).all(axis=None)


def test_spikes_found_twice_fill_the_refractory_period(truth, trains, units):
    twice = np.sort(np.r_[trains[units[0]], trains[units[0]][::5] + round(0.7 * MS)])
    table = measure_correlograms(truth, sorting(trains | {units[0]: twice}), sorting(trains), units)
    near, far = near_and_far(table, "auto")
    assert near > 3 * far
    assert near_and_far(table, "auto", "bias")[0] == pytest.approx(near)


def test_one_unit_has_an_autocorrelogram_only(truth, trains, units):
    table = measure_correlograms(truth, sorting(trains), sorting(trains), units[:1])
    assert set(table["kind_of"]) == {"auto"}
    assert (table["pairs"] == 1).all()


def test_without_units_there_are_no_correlograms(truth, trains):
    table = measure_correlograms(truth, sorting(trains), sorting(trains), [])
    assert len(table) == 0
    assert "error" in table.columns
