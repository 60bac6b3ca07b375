"""A condition that misses recordings stands beside the reference on the recordings it has."""

import numpy as np
import pandas as pd
import pytest

from ephys_deepinterpolation.figures import layouts, style
from ephys_deepinterpolation.figures.agreement import plot_agreement
from ephys_deepinterpolation.figures.amplitude import plot_amplitude
from ephys_deepinterpolation.figures.attenuation import kept_by_bin
from ephys_deepinterpolation.figures.collisions import plot_collisions
from ephys_deepinterpolation.figures.phantoms import plot_phantoms
from ephys_deepinterpolation.figures.quality import plot_quality
from ephys_deepinterpolation.figures.rounding import plot_rounding
from ephys_deepinterpolation.figures.run_time import plot_run_time
from ephys_deepinterpolation.figures.sortings import plot_sortings
from ephys_deepinterpolation.figures.spike_shape import plot_spike_shape
from ephys_deepinterpolation.figures.thresholds import plot_thresholds
from ephys_deepinterpolation.figures.transient_spread import plot_transient_spread
from example_tables import CONDITIONS, SORTERS, example_tables

KNOWN = [("easy", "synthetic"), ("hard", "synthetic")]


@pytest.fixture(scope="module")
def tables():
    """Return tables in which the condition gaussian exists for one dataset only."""
    return {
        name: table[(table["condition"] != "gaussian") | (table["dataset"] == "easy")]
        for name, table in example_tables(
            known=KNOWN, replicates=2, true_units=8, channels=2, with_recorded=False
        ).items()
        if {"condition", "dataset", "replicate"} <= set(table)
    }


def rings(axis):
    """Return the places of the reference's rings, from top to bottom."""
    found = [line for line in axis.lines if line.get_markerfacecolor() == "none"]
    places = [(line.get_xdata()[0], line.get_ydata()[0]) for line in found]
    return np.array(sorted(places, key=lambda place: place[1]))


def of_easy(table):
    return table[table["dataset"] == "easy"]


def reference_mean(table, value):
    """Return the mean over recordings of the reference, on all and on the easy ones."""
    rows = table[table["condition"] == "raw"].astype({value: float})
    means = rows.groupby(["dataset", "replicate"])[value].mean()
    return means.mean(), means["easy"].mean()


def test_both_sides_are_of_the_recordings_that_both_have(tables):
    table = tables["sortings"]
    rows, beside = layouts.beside_reference(table, "gaussian", "raw")
    pd.testing.assert_frame_equal(rows, table[table["condition"] == "gaussian"])
    pd.testing.assert_frame_equal(beside, of_easy(table[table["condition"] == "raw"]))
    assert len(layouts.beside_reference(table, "di", "raw")[1]) == 2 * len(beside)


def test_a_sorter_that_failed_with_the_reference_is_left_out_of_both(tables):
    table = tables["sortings"]
    lost = (table["condition"] == "raw") & (table["sorter"] == SORTERS[0])
    rows, beside = layouts.beside_reference(table[~lost], "di", "raw")
    assert set(rows["sorter"]) == set(beside["sorter"]) == {SORTERS[1]}
    assert len(rows) == len(beside) == 4


def test_without_a_shared_recording_a_condition_stands_alone(tables):
    table = tables["rounding"]
    hard = table[(table["condition"] != "raw") | (table["dataset"] == "hard")]
    rows, beside = layouts.beside_reference(hard, "gaussian", "raw")
    assert len(rows) == 2
    assert beside.empty
    rows, beside = layouts.beside_reference(table, "raw", "raw")
    assert len(rows) == 4
    assert beside.empty


@pytest.mark.parametrize(
    ("draw", "name", "column"),
    [(plot_agreement, "agreement", "share"), (plot_rounding, "rounding", "rounding_uv")],
)
def test_the_ring_of_a_row_is_the_reference_on_its_recordings(tables, draw, name, column):
    table = tables[name].copy()
    table.loc[table["dataset"] == "hard", column] *= 0.3
    figure = draw(table, "raw", CONDITIONS)
    everywhere, easy = reference_mean(table, column)
    assert everywhere != pytest.approx(easy)
    np.testing.assert_allclose(rings(figure.axes[0]), [[everywhere, 1], [everywhere, 2], [easy, 3]])
    assert "n = 2–4 recordings" in figure.axes[0].get_title(loc="left")


def test_rings_of_quality_count_the_units_of_the_same_sortings(tables):
    table = tables["quality"]
    axis = plot_quality(table, "raw", CONDITIONS).axes[0]
    own = table[(table["trains"] == "own") & (table["condition"] == "raw")]
    own = own[own["sorter"] == own["sorter"].iloc[0]].assign(passes=own["passes"].astype(float))
    each = own.groupby(["dataset", "replicate"])["passes"].sum()
    found = rings(axis)[:, 0]
    np.testing.assert_allclose(found, [each.mean(), each.mean(), each["easy"].mean()])


def test_rings_of_run_time_and_of_noise_alone_are_of_the_same_sortings(tables):
    table = tables["sortings"].copy()
    table.loc[table["dataset"] == "hard", "seconds"] *= 5
    axis = plot_run_time(table, "raw", CONDITIONS).axes[0]
    first = table[table["sorter"] == style.in_order(table["sorter"])[0]]
    everywhere, easy = (value / 60 for value in reference_mean(first, "seconds"))
    np.testing.assert_allclose(rings(axis)[:3, 0], [everywhere, everywhere, easy])

    found = tables["noise_alone_sortings"].assign(status="ok", sorted_units=3.0)
    found.loc[found["dataset"] == "hard", "sorted_units"] += 9
    figure = plot_phantoms(tables["noise_alone"], found, "raw", CONDITIONS)
    first = found[found["sorter"] == style.in_order(found["sorter"])[0]]
    everywhere, easy = reference_mean(first, "sorted_units")
    np.testing.assert_allclose(rings(figure.axes[-1])[::2, 0], [everywhere, everywhere, easy])


def test_bars_of_pooled_datasets_have_rings_and_bars_of_one_dataset_have_none():
    study = example_tables(
        known=[*KNOWN, *((f"more-{index}", "synthetic") for index in range(3))],
        replicates=1,
        true_units=6,
        channels=1,
        with_recorded=False,
    )["sortings"]
    table = study[(study["condition"] != "gaussian") | (study["dataset"] == "easy")].copy()
    table.loc[table["dataset"] != "easy", "sorted_units"] += 20
    axis = plot_sortings(table, "raw", CONDITIONS).axes[0]
    everywhere, easy = reference_mean(table[table["sorter"] == SORTERS[0]], "sorted_units")
    np.testing.assert_allclose(rings(axis)[:, 0], [everywhere, everywhere, easy])
    assert not any(len(rings(axis)) for axis in plot_sortings(of_easy(table)).axes)


def dotted(axis):
    return [line for line in axis.lines if line.get_linestyle() == ":" and len(line.get_xdata())]


def greys(axis):
    """Return lines in the colour of the reference, and its bars and points."""
    return [line for line in axis.lines if line.get_color() == style.REFERENCE_COLOUR]


@pytest.mark.parametrize(
    ("draw", "name", "chosen"),
    [
        (plot_collisions, "collisions", dotted),
        (plot_spike_shape, "attenuation", dotted),
        (plot_transient_spread, "transient_spread", dotted),
        (plot_thresholds, "quality", greys),
    ],
)
def test_the_reference_in_a_panel_is_as_if_the_other_dataset_were_not_there(
    tables, draw, name, chosen
):
    def drawn(table):
        figure = draw(table, "raw", CONDITIONS)
        titles = [axis.get_title(loc="left") for axis in figure.axes]
        axis = figure.axes[titles.index("gaussian")]
        return [np.asarray(line.get_xydata(), dtype=float) for line in chosen(axis)]

    table = tables[name].copy()
    numbers = table.select_dtypes("float").columns.difference(
        ["offset", "lag_ms", "similarity_low", "similarity_high", "snr"]
    )
    table.loc[table["dataset"] == "hard", numbers] *= 0.7
    together, alone = drawn(table), drawn(of_easy(table))
    assert len(together) == len(alone) > 0
    for one, other in zip(together, alone, strict=True):
        if draw is not plot_thresholds or len(one) == len(other):
            np.testing.assert_allclose(one[:, 1], other[:, 1], rtol=1e-9)


def test_the_recall_beside_a_condition_is_that_of_the_same_spikes(tables):
    table = tables["collisions"].copy()
    table.loc[table["condition"] == "gaussian", "reference_recall"] = 0.42
    figure = plot_collisions(table, "raw", CONDITIONS)
    panels = {axis.get_title(loc="left"): axis for axis in figure.axes}
    assert not dotted(panels["raw"])
    for name, beside in {"gaussian": True, "di": False}.items():
        heights = np.concatenate([line.get_ydata() for line in dotted(panels[name])])
        assert len(heights) == 2 * 21
        assert np.allclose(heights, 0.42) == beside


def test_accuracies_beside_a_condition_are_of_its_sortings(tables):
    table = tables["units"].copy()
    table.loc[table["dataset"] == "hard", "accuracy"] = 0.123
    many = [table.assign(sorter=[f"{name}-{turn}" for name in table["sorter"]]) for turn in "abc"]
    figure = plot_amplitude(pd.concat(many), "raw", CONDITIONS)
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    for name, units in {"gaussian": 16, "di": 32}.items():
        points = figure.axes[titles.index(name)].collections[0].get_offsets()
        assert len(points) == units
        assert (np.asarray(points)[:, 1] == 0.123).any() == (name == "di")


def test_bins_say_the_range_of_their_numbers_of_units(tables):
    table = tables["attenuation"]
    counts = kept_by_bin(table, "peak_uv", (0.0, np.inf)).columns[0].split("n = ")[1]
    low, high = map(int, counts.split("–"))
    assert high == 2 * low == len(table[table["condition"] == "raw"])
