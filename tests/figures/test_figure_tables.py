"""What each figure shows equals what its table says."""

import ast
import re
from importlib import import_module
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ephys_deepinterpolation.figures import layouts, style
from ephys_deepinterpolation.figures.accuracy import pair_accuracies, plot_accuracy
from ephys_deepinterpolation.figures.amplitude import (
    amplitude_edges,
    binned_accuracy,
    plot_amplitude,
)
from ephys_deepinterpolation.figures.effects import effect_interval, plot_effects
from ephys_deepinterpolation.figures.noise import plot_noise
from ephys_deepinterpolation.figures.noise_parts import plot_noise_parts
from ephys_deepinterpolation.figures.rasters import plot_rasters
from ephys_deepinterpolation.figures.sortings import CLASSES, count_classes, plot_sortings
from ephys_deepinterpolation.figures.traces import plot_traces
from ephys_deepinterpolation.figures.training import plot_training
from example_tables import CONDITIONS, PARTS, SORTERS, example_tables

RULES = Path(__file__).parents[2] / "workflow/rules/figures.smk"


def overviews():
    """Return name and tables of every figure that the workflow draws of all datasets."""
    text = RULES.read_text(encoding="utf-8")
    listed = text[text.index("all_overviews = [") :].split("=", 1)[1].split("\n]\n")[0] + "\n]"
    return {name: needed for _, name, needed in ast.literal_eval(listed.strip())}


def plot(name, tables, needed):
    module = import_module(f"ephys_deepinterpolation.figures.{name}")
    given = [tables[table] for table in needed]
    return getattr(module, f"plot_{name}")(*given, reference="raw", conditions=CONDITIONS)


def of_first(table):
    return table if table.empty else table[table["dataset"] == "np2-synthetic"]


DRAWN = {
    name: lambda tables, name=name, needed=needed: plot(name, tables, needed)
    for name, needed in overviews().items()
} | {
    "traces": lambda tables: plot_traces(of_first(tables["traces"]), "raw", "di", CONDITIONS),
    "rasters": lambda tables: plot_rasters(of_first(tables["rasters"]), "raw", "di", CONDITIONS),
    "accuracy": lambda tables: plot_accuracy(tables["units"], "raw", "di"),
}
COUNTS = r"n = \d|\d+ (found|recording|unit|spike|pair|of )|channels|µV per bit"
KNOWN = [("np2-synthetic", "synthetic"), ("np2-hybrid", "hybrid")]


def texts(figure):
    return "\n".join(
        artist.get_text() for artist in figure.findobj(lambda artist: hasattr(artist, "get_text"))
    )


def lettering(figure):
    """Return all text that is seen: titles, labels, numbers at ticks, notes and legends."""
    found = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    found += [figure._suptitle] if figure._suptitle is not None else []
    for axis in figure.axes:
        found += [axis.xaxis.label, axis.yaxis.label, axis.title, axis._left_title, *axis.texts]
        for side in (axis.xaxis, axis.yaxis):
            low, high = sorted(side.get_view_interval())
            ticks = [tick for tick in side.get_major_ticks() if low <= tick.get_loc() <= high]
            found += [tick.label1 for tick in ticks]
    seen = (text for text in found if text.get_visible() and text.get_text().strip())
    return list(dict.fromkeys(seen))


def overlapping(artists, pixels=2.5):
    """Return pairs of texts of which one lies on the other."""
    boxes = [(artist.get_text(), artist.get_window_extent()) for artist in artists]
    return [
        (one, other)
        for (one, first), (other, second) in combinations(boxes, 2)
        if min(first.x1, second.x1) - max(first.x0, second.x0) > pixels
        and min(first.y1, second.y1) - max(first.y0, second.y0) > pixels
    ]


def narrow_panels(figure, inches=0.6):
    """Return the widths of panels that their labels left no room for."""
    panels = [axis for axis in figure.axes if axis.get_label() != "<colorbar>"]
    widths = [axis.get_window_extent().width / figure.dpi for axis in panels]
    return [width for width in widths if width < inches]


@pytest.fixture(scope="module")
def tables():
    return example_tables(known=KNOWN, true_units=12, channels=8)


@pytest.fixture(scope="module")
def synthetic():
    return example_tables()


@pytest.fixture(scope="module")
def many():
    """Tables of a large study: conditions beyond colours, one not everywhere, a broken sorter."""
    others = [f"condition-with-a-long-name-{index}" for index in range(6)]
    sorters = [*SORTERS, *(f"sorter-{index}" for index in range(3))]
    full = example_tables(
        known=KNOWN,
        conditions=[*CONDITIONS, *others],
        sorters=sorters,
        true_units=4,
        replicates=1,
        channels=4,
        failed=("di", "sorter-2"),
        status="out_of_memory",
    )
    return {name: without(table, "gaussian", "np2-hybrid") for name, table in full.items()}


def without(table, condition, dataset):
    if not {"condition", "dataset"} <= set(table):
        return table
    return table[(table["condition"] != condition) | (table["dataset"] != dataset)]


@pytest.mark.parametrize("name", ["traces", "noise", "attenuation_map", "effects"])
def test_the_same_table_gives_the_same_bytes(tmp_path, tables, name):
    first = style.save(DRAWN[name](tables), tmp_path / "first.svg", dpi=60)
    second = style.save(DRAWN[name](tables), tmp_path / "second.svg", dpi=60)
    assert first.read_bytes() == second.read_bytes()


def from_csv(tables, folder):
    for key, table in tables.items():
        table.to_csv(folder / f"{key}.csv", index=False)
    return {key: pd.read_csv(folder / f"{key}.csv", dtype={"shank": str}) for key in tables}


def from_parquet(tables, folder):
    for key, table in tables.items():
        table.to_parquet(folder / f"{key}.parquet", index=False)
    return {
        key: pd.read_parquet(folder / f"{key}.parquet", dtype_backend="numpy_nullable")
        for key in tables
    }


SMALL = {"channels": 4, "true_units": 8}
ONE_UNIT = {"failed": ("di", "mountainsort5"), "status": "timeout", "with_recorded": False}
REFERENCE_FAILED = {"failed": ("raw", "spykingcircus2"), "channels": 2, "repeats": 2}
STUDIES = {
    "one-unit-from-parquet": (from_parquet, ONE_UNIT | {"true_units": 1, "replicates": 1}),
    "reference-failed-from-csv": (from_csv, SMALL | REFERENCE_FAILED),
    "only-reference": (lambda tables, folder: tables, SMALL | {"conditions": ["raw"]}),
}


@pytest.fixture(scope="module", params=STUDIES)
def odd(request, tmp_path_factory):
    read, study = STUDIES[request.param]
    return read(example_tables(**study), tmp_path_factory.mktemp("tables"))


@pytest.mark.parametrize("name", DRAWN)
def test_odd_studies_are_drawn_from_whatever_file_their_tables_come(odd, name):
    figure = DRAWN[name](odd)
    assert figure.get_size_inches().max() < 20
    assert texts(figure).strip()


@pytest.mark.parametrize("name", [name for name in DRAWN if name not in ("traces", "rasters")])
def test_large_studies_are_drawn_with_counts_and_every_text_can_be_read(many, name):
    figure = DRAWN[name](many)
    assert re.search(COUNTS, texts(figure))
    figure.draw_without_rendering()
    width, height = figure.get_size_inches() * figure.dpi
    assert height / figure.dpi < 20
    letters = lettering(figure)
    for artist in letters:
        box = artist.get_window_extent()
        inside = box.x0 > -3 and box.y0 > -3 and box.x1 < width + 3 and box.y1 < height + 3
        assert inside, f"{artist.get_text()!r} lies outside"
    assert overlapping(letters) == []
    assert narrow_panels(figure) == []


def test_more_conditions_than_colours_still_differ():
    names = [f"c{index}" for index in range(40)]
    colours, markers = style.condition_colours(names), style.condition_markers(names)
    assert len({(colours[name], markers[name]) for name in names}) == 40


@pytest.mark.parametrize("name", ["traces", "accuracy", "effects", "rivals", "cost", "matches"])
def test_a_study_of_the_reference_alone_says_so(name):
    assert "Nothing to compare" in texts(DRAWN[name](example_tables(conditions=["raw"])))


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("columns", [True, False], ids=["columns", "no-columns"])
def test_empty_tables_are_drawn_as_a_notice(tables, name, columns):
    empty = {key: table.iloc[:0] if columns else pd.DataFrame() for key, table in tables.items()}
    figure = DRAWN[name](empty)
    assert not figure.axes
    assert texts(figure).strip()


def test_every_figure_has_a_caption():
    captions = Path(__file__).parents[2] / "workflow/report"
    assert [name for name in DRAWN if not (captions / f"{name}.rst").is_file()] == []


def test_rasters_say_how_many_they_show(tables):
    assert re.search(COUNTS, texts(DRAWN["rasters"](tables)))


def test_rows_draw_the_mean_over_recordings_and_each_recording():
    table = pd.DataFrame(
        {
            "dataset": ["a", "a", "b", "b", "b"],
            "replicate": 0,
            "condition": "di",
            "value": [1.0, 3.0, 5.0, 6.0, 7.0],
        }
    )
    _, (axis,) = layouts.row_panels(["di"], 1, 1)
    layouts.draw_rows(axis, table, "value", ["di"], {"di": "black"}, {"di": "o"})
    assert axis.lines[-1].get_xdata()[0] == 4.0
    assert sorted(axis.collections[0].get_offsets()[:, 0]) == [2.0, 6.0]


def test_accuracy_draws_each_pair_and_its_mean_difference(synthetic):
    figure = plot_accuracy(synthetic["units"], "raw", "di")
    units = synthetic["units"][~synthetic["units"]["background"]]
    for sorter, axis in zip(SORTERS, figure.axes, strict=False):
        wide = units[units["sorter"] == sorter].pivot_table(
            index=["replicate", "unit"], columns="condition", values="accuracy"
        )
        points = axis.collections[0].get_offsets()
        np.testing.assert_allclose(
            sorted(map(tuple, np.asarray(points))),
            sorted(wide[["raw", "di"]].itertuples(index=False, name=None)),
        )
        difference = style.signed((wide["di"] - wide["raw"]).mean())
        assert f"n = {len(wide)} units\nmean difference {difference}" in axis.get_title(loc="left")


def test_accuracy_leaves_out_background_and_pairs_within_replicates(synthetic):
    pairs = pair_accuracies(synthetic["units"], "raw", "di")
    assert len(pairs) == 2 * 24 * len(SORTERS)
    assert pairs.duplicated(["replicate", "sorter", "unit"]).sum() == 0


def test_accuracy_says_which_sorter_failed():
    units = example_tables(failed=("di", "mountainsort5"), replicates=1)["units"]
    figure = plot_accuracy(units, "raw", "di")
    assert "di: failed" in texts(figure)
    assert "mountainsort5\nnp2-synthetic\nno pair" in texts(figure)


def test_amplitude_bins_hold_every_unit_and_their_interval_holds_the_mean():
    generator = np.random.default_rng(0)
    peaks, accuracy = generator.uniform(6, 150, 40), generator.uniform(0, 1, 40)
    means = binned_accuracy(peaks, accuracy, amplitude_edges(peaks))
    assert means["units"].sum() == 40
    assert means["units"].max() - means["units"].min() <= 1
    assert ((means["low"] <= means["mean"]) & (means["mean"] <= means["high"])).all()
    assert np.isclose((means["mean"] * means["units"]).sum() / 40, accuracy.mean())


def test_amplitude_of_one_unit_has_no_interval():
    means = binned_accuracy(np.array([20.0]), np.array([0.5]), amplitude_edges(np.array([20.0])))
    assert means["mean"].tolist() == [0.5]
    assert means["low"].isna().all()


def test_amplitude_draws_a_point_per_unit_and_condition(synthetic):
    figure = plot_amplitude(synthetic["units"], "raw", CONDITIONS)
    assert len(figure.axes) == len(SORTERS)
    for axis in figure.axes:
        drawn = sum(
            len(part.get_offsets()) for part in axis.collections if len(part.get_offsets()) > 1
        )
        assert drawn == 48 * len(CONDITIONS)
        assert "n = 48 units" in axis.get_title(loc="left")


def test_noise_starts_at_zero_and_writes_the_median(synthetic):
    figure = plot_noise(synthetic["noise"], "raw", CONDITIONS)
    assert len(figure.axes) == 2
    medians = synthetic["noise"].groupby(["dataset", "condition"])["noise_uv"].median()
    for axis in figure.axes:
        assert axis.get_xlim()[0] == 0
        dataset = axis.get_title(loc="left")
        written = {text.get_text() for text in axis.texts}
        assert written == {f"{medians[dataset, name]:.2f}" for name in CONDITIONS}


def test_noise_parts_draws_the_mean_of_each_part(synthetic):
    figure = plot_noise_parts(synthetic["noise_parts"], "raw", CONDITIONS)
    means = synthetic["noise_parts"].groupby(["part", "condition"])["passed"].mean()
    for axis, (part, level) in zip(figure.axes, PARTS.items(), strict=True):
        assert axis.get_title(loc="left") == f"{part}, {level:.1f} µV\nn = 2 recordings"
        drawn = [line.get_xdata()[0] for line in axis.lines if line.get_linestyle() != ":"]
        np.testing.assert_allclose(drawn, means[part][CONDITIONS])


def test_effects_over_all_datasets_and_sorters_are_written_with_their_intervals(tables):
    written = texts(plot_effects(tables["effects"], "raw", CONDITIONS))
    effects = tables["effects"]
    overall = effects[(effects["dataset"] == "all") & (effects["sorter"] == "all")]
    assert len(overall) == 3 * (len(CONDITIONS) - 1)
    for _, row in overall.iterrows():
        low, high = style.signed(row["low"]), style.signed(row["high"])
        assert f"{style.signed(row['effect'])} [{low}, {high}]" in written


@pytest.mark.parametrize(("p", "filled"), [(0.01, True), (0.2, False)])
def test_only_effects_that_survive_the_correction_are_filled(tables, p, filled):
    effects = tables["effects"].assign(p_holm=p, low=0.01, effect=0.02, high=0.03)
    axis = plot_effects(effects, "raw", CONDITIONS).axes[0]
    markers = [line for line in axis.lines if line.get_marker() not in ("None", "")]
    assert len(markers) == len(CONDITIONS) - 1
    for line in markers:
        assert (line.get_markerfacecolor() != "white") == filled


def test_an_effect_of_one_unit_has_no_interval(tables):
    row = tables["effects"].iloc[0].copy()
    assert effect_interval(row) == (row["low"], row["high"])
    row["units"] = 1
    assert effect_interval(row) is None


def test_an_endpoint_without_a_pair_says_so():
    effects = example_tables()["effects"]
    gone = (effects["condition"] == "di") & (effects["endpoint"] == "accuracy-small")
    effects.loc[gone, ["effect", "low", "high", "p", "p_holm"]] = np.nan
    assert "nothing to compare" in texts(plot_effects(effects, "raw"))


def test_training_has_a_panel_per_model_and_its_baselines(tables):
    figure = plot_training(tables["training"], tables["models"], "raw", CONDITIONS)
    keys = tables["models"][["dataset", "condition", "model"]].drop_duplicates()
    assert len(figure.axes) == len(keys)
    for axis, (dataset, condition, _) in zip(
        figure.axes, keys.itertuples(index=False), strict=True
    ):
        rows = style.rows_of(tables["models"], {"dataset": dataset, "condition": condition})
        levels = {line.get_ydata()[0] for line in axis.lines if line.get_linestyle() == "--"}
        assert levels == set(rows["linear_loss"])
    assert "does not beat it" in texts(figure)


def test_what_is_solved_for_without_steps_has_no_panel_among_networks(tables):
    names = {"condition": "linear", "model": "linear", "step": 0}
    linear = tables["training"].drop_duplicates(["dataset", "replicate"]).assign(**names)
    both = pd.concat([linear, tables["training"]])
    for training in (both, tables["training"]):
        figure = plot_training(training, tables["models"], "raw", CONDITIONS)
        assert len(figure.axes) == len(
            tables["training"][["dataset", "condition", "model"]].drop_duplicates()
        )
    alone = plot_training(linear, tables["models"], "raw", CONDITIONS)
    assert len(alone.axes) == linear["dataset"].nunique()


def test_sorted_units_are_split_into_classes_that_add_up(tables):
    ran = tables["sortings"][tables["sortings"]["status"] == "ok"]
    for _, row in ran.iterrows():
        counts, overlap = count_classes(row)
        assert sum(counts.values()) == row["sorted_units"]
        assert not overlap


def test_classes_that_overlap_are_cut_and_said():
    row = pd.Series(
        {"sorted_units": 5} | dict.fromkeys(CLASSES, 2) | {"true_units": 3, "status": "ok"}
    )
    counts, overlap = count_classes(row)
    assert sum(counts.values()) == 5
    assert overlap


def test_sortings_say_what_failed_and_what_has_no_truth():
    sortings = example_tables(failed=("di", "mountainsort5"), replicates=1)["sortings"]
    written = texts(plot_sortings(sortings, "raw", CONDITIONS))
    assert "failed" in written
    assert "sorted, no ground truth" in written


def test_a_bar_of_several_sortings_counts_what_became_of_the_others():
    sortings = example_tables(replicates=4, with_recorded=False)["sortings"]
    chosen = sortings[(sortings["condition"] == "di") & (sortings["sorter"] == SORTERS[0])].index
    sortings.loc[chosen[:3], "status"] = ["out_of_memory", "timeout", "timeout"]
    sortings.loc[chosen[:3], "sorted_units"] = None
    written = texts(plot_sortings(sortings, "raw", CONDITIONS))
    found = int(sortings.loc[chosen[3], "sorted_units"])
    assert f"{found}; 2 T, 1 M" in written.replace("*", "")
    assert "T timeout, M out of memory" in written


def test_traces_share_one_symmetric_scale_and_show_the_difference(synthetic):
    traces = of_first(synthetic["traces"])
    figure = plot_traces(traces, "raw", "di", CONDITIONS)
    images = [image for axis in figure.findobj() for image in getattr(axis, "images", [])]
    images = list(dict.fromkeys(images))
    assert len(images) == 3
    assert len({image.get_clim() for image in images}) == 1
    low, high = images[0].get_clim()
    assert low == -high
    before, after, difference = (np.asarray(image.get_array()) for image in images)
    np.testing.assert_allclose(difference, before - after)
    wide = traces[traces["condition"] == "raw"].pivot_table(
        index=["shank", "depth_um", "x_um"], columns="time_ms", values="trace_uv"
    )
    np.testing.assert_allclose(before, wide.to_numpy())


def test_traces_of_two_datasets_are_refused(tables):
    with pytest.raises(ValueError, match="one dataset"):
        plot_traces(tables["traces"], "raw", "di")
