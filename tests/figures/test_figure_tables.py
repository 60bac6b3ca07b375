"""What each figure shows equals what its table says."""

import numpy as np
import pandas as pd
import pytest

from ephys_deepinterpolation.figures import style
from ephys_deepinterpolation.figures.accuracy import pair_accuracies, plot_accuracy_pairs
from ephys_deepinterpolation.figures.amplitude import (
    amplitude_edges,
    binned_accuracy,
    plot_accuracy_amplitude,
)
from ephys_deepinterpolation.figures.effects import effect_interval, plot_effects
from ephys_deepinterpolation.figures.noise import plot_noise
from ephys_deepinterpolation.figures.noise_parts import plot_noise_parts
from ephys_deepinterpolation.figures.sortings import CLASSES, count_classes, plot_sortings
from ephys_deepinterpolation.figures.traces import plot_traces
from ephys_deepinterpolation.figures.training import plot_training
from example_tables import CONDITIONS, PARTS, SORTERS, example_tables


def traces_of(tables, dataset="np2-synthetic"):
    return tables["traces"][tables["traces"]["dataset"] == dataset]


DRAWN = {
    "traces": lambda tables: plot_traces(traces_of(tables), "raw", "di", CONDITIONS),
    "noise": lambda tables: plot_noise(tables["noise"], "raw", CONDITIONS),
    "noise_parts": lambda tables: plot_noise_parts(tables["noise_parts"], "raw", CONDITIONS),
    "accuracy": lambda tables: plot_accuracy_pairs(tables["units"], "raw", "di"),
    "amplitude": lambda tables: plot_accuracy_amplitude(tables["units"], "raw", CONDITIONS),
    "effects": lambda tables: plot_effects(tables["effects"], "raw", CONDITIONS),
    "training": lambda tables: plot_training(
        tables["training"], tables["models"], "raw", CONDITIONS
    ),
    "sortings": lambda tables: plot_sortings(tables["sortings"], "raw", CONDITIONS),
}


def texts(figure):
    return "\n".join(
        artist.get_text() for artist in figure.findobj(lambda artist: hasattr(artist, "get_text"))
    )


@pytest.fixture(scope="module")
def tables():
    return example_tables()


@pytest.mark.parametrize("name", DRAWN)
def test_the_same_table_gives_the_same_bytes(tmp_path, tables, name):
    first = style.save(DRAWN[name](tables), tmp_path / "first.svg", dpi=60)
    second = style.save(DRAWN[name](tables), tmp_path / "second.svg", dpi=60)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize(
    "study",
    [
        {"failed": ("di", "mountainsort5"), "replicates": 1},
        {"failed": ("raw", "spykingcircus2")},
        {"true_units": 1, "replicates": 1, "with_recorded": False},
        {"conditions": ["raw"]},
        {"channels": 2, "replicates": 1},
    ],
    ids=["failed", "reference-failed", "one-unit", "only-reference", "two-channels"],
)
def test_odd_studies_are_drawn(tmp_path, name, study):
    style.save(DRAWN[name](example_tables(**study)), tmp_path / "figure.png", dpi=40)


@pytest.mark.parametrize("name", DRAWN)
def test_tables_read_from_csv_are_drawn(tmp_path, tables, name):
    for key, table in tables.items():
        table.to_csv(tmp_path / f"{key}.csv", index=False)
    again = {key: pd.read_csv(tmp_path / f"{key}.csv", dtype={"shank": str}) for key in tables}
    style.save(DRAWN[name](again), tmp_path / "figure.png", dpi=40)


@pytest.mark.parametrize("name", DRAWN)
def test_tables_read_from_parquet_are_drawn(tmp_path, tables, name):
    for key, table in tables.items():
        table.to_parquet(tmp_path / f"{key}.parquet", index=False)
    again = {
        key: pd.read_parquet(tmp_path / f"{key}.parquet", dtype_backend="numpy_nullable")
        for key in tables
    }
    style.save(DRAWN[name](again), tmp_path / "figure.png", dpi=40)


@pytest.mark.parametrize("name", ["traces", "accuracy", "effects"])
def test_a_study_of_the_reference_alone_says_so(name):
    assert "Nothing to compare" in texts(DRAWN[name](example_tables(conditions=["raw"])))


@pytest.mark.parametrize("name", ["noise", "noise_parts", "accuracy", "amplitude", "effects"])
@pytest.mark.parametrize("columns", [True, False], ids=["columns", "no-columns"])
def test_empty_tables_are_drawn_as_a_notice(tables, name, columns):
    empty = {key: table.iloc[:0] if columns else pd.DataFrame() for key, table in tables.items()}
    figure = DRAWN[name](empty)
    assert not figure.axes
    assert texts(figure).strip()


@pytest.mark.parametrize("columns", [True, False], ids=["columns", "no-columns"])
def test_no_traces_no_models_and_no_sortings_are_drawn_as_a_notice(tables, columns):
    empty = {key: table.iloc[:0] if columns else pd.DataFrame() for key, table in tables.items()}
    for figure in (
        plot_traces(empty["traces"], "raw", "di"),
        plot_training(empty["training"], empty["models"]),
        plot_sortings(empty["sortings"]),
    ):
        assert not figure.axes


def test_accuracy_draws_each_pair_and_its_mean_difference(tables):
    figure = plot_accuracy_pairs(tables["units"], "raw", "di")
    units = tables["units"][~tables["units"]["background"]]
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


def test_accuracy_leaves_out_background_and_pairs_within_replicates(tables):
    pairs = pair_accuracies(tables["units"], "raw", "di")
    assert len(pairs) == 2 * 24 * len(SORTERS)
    assert pairs.duplicated(["replicate", "sorter", "unit"]).sum() == 0


def test_accuracy_says_which_sorter_failed():
    units = example_tables(failed=("di", "mountainsort5"), replicates=1)["units"]
    figure = plot_accuracy_pairs(units, "raw", "di")
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


def test_amplitude_draws_a_point_per_unit_and_condition(tables):
    figure = plot_accuracy_amplitude(tables["units"], "raw", CONDITIONS)
    assert len(figure.axes) == len(SORTERS)
    for axis in figure.axes:
        drawn = sum(
            len(part.get_offsets()) for part in axis.collections if len(part.get_offsets()) > 1
        )
        assert drawn == 48 * len(CONDITIONS)
        assert "n = 48 units" in axis.get_title(loc="left")


def test_noise_starts_at_zero_and_writes_the_median(tables):
    figure = plot_noise(tables["noise"], "raw", CONDITIONS)
    assert len(figure.axes) == 2
    medians = tables["noise"].groupby(["dataset", "condition"])["noise_uv"].median()
    for axis in figure.axes:
        assert axis.get_ylim()[0] == 0
        dataset = axis.get_title(loc="left")
        written = {text.get_text() for text in axis.texts}
        assert written == {f"{medians[dataset, name]:.2f}" for name in CONDITIONS}


def test_noise_parts_draws_the_mean_of_each_part(tables):
    figure = plot_noise_parts(tables["noise_parts"], "raw", CONDITIONS)
    (axis,) = figure.axes
    levels = {line.get_ydata()[0] for line in axis.lines if line.get_linestyle() == ":"}
    assert levels == {0.0, 1.0}
    means = tables["noise_parts"].groupby(["condition", "part"])["passed"].mean()
    drawn = [line.get_ydata()[0] for line in axis.lines if line.get_linestyle() != ":"]
    np.testing.assert_allclose(sorted(drawn), sorted(means))
    labels = [label.get_text() for label in axis.get_xticklabels()]
    assert labels == [f"{part}\n{level:.1f} µV" for part, level in PARTS.items()]


def test_effects_are_written_with_their_intervals(tables):
    figure = plot_effects(tables["effects"], "raw", CONDITIONS)
    written = texts(figure)
    for _, row in tables["effects"].iterrows():
        low, high = style.signed(row["low"]), style.signed(row["high"])
        assert f"{style.signed(row['effect'])}  [{low}, {high}]  n = {row['units']}" in written


def test_an_effect_of_one_unit_has_no_interval(tables):
    row = tables["effects"].iloc[0].copy()
    assert effect_interval(row) == (row["low"], row["high"])
    row["units"] = 1
    assert effect_interval(row) is None


def test_effects_without_a_pair_are_listed():
    effects = example_tables(failed=("di", "mountainsort5"))["effects"]
    assert "no pair to compare" in texts(plot_effects(effects, "raw"))


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


def test_traces_share_one_symmetric_scale_and_show_the_difference(tables):
    traces = traces_of(tables)
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
