"""Pictures of spike shape, of what is added around spikes, and of correlograms tell their table."""

import numpy as np
import pandas as pd
import pytest

from ephys_deepinterpolation.figures.added_signal import clearly_added, plot_added_signal
from ephys_deepinterpolation.figures.correlograms import KINDS, PANELS, plot_correlograms
from ephys_deepinterpolation.figures.spike_shape import median_by_size, plot_spike_shape
from example_tables import CONDITIONS, example_tables


@pytest.fixture(scope="module")
def tables():
    return example_tables(replicates=1, channels=2, with_recorded=False)


def test_medians_by_size_hold_every_unit_once():
    generator = np.random.default_rng(3)
    peaks = generator.uniform(5, 100, 48)
    rows = pd.DataFrame({"expected_peak_uv": peaks, "cosine": 0.01 * peaks})
    medians = median_by_size(rows, "cosine")
    assert len(medians) == 8
    np.testing.assert_allclose(medians["median"], 0.01 * medians["peak_uv"])
    slow = [np.median(part) for part in np.split(np.sort(peaks), 8)]
    np.testing.assert_allclose(medians["peak_uv"], slow)


def test_units_without_a_value_have_no_median():
    rows = pd.DataFrame({"expected_peak_uv": [5.0, 9.0], "kept_width": [np.nan, 1.2]})
    assert median_by_size(rows, "kept_width")["median"].tolist() == [1.2]
    assert median_by_size(rows.iloc[:1], "kept_width").empty


@pytest.mark.parametrize(("width", "said"), [(0.3, True), (0.6, False)])
def test_narrow_spikes_are_marked_where_there_are_any(tables, width, said):
    table = tables["attenuation"].assign(width_ms=width)
    figure = plot_spike_shape(table, "raw", CONDITIONS)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert any("narrow" in label for label in labels) == said


def test_far_shifts_stand_at_the_edge_and_every_unit_is_drawn(tables):
    table = tables["attenuation"].copy()
    table.loc[table.index[0], "shift_us"] = 9000.0
    figure = plot_spike_shape(table, "raw", CONDITIONS)
    (axis,) = [axis for axis in figure.axes if axis.get_ylabel() == "Shift (µs)"]
    heights = np.concatenate([part.get_offsets()[:, 1] for part in axis.collections])
    assert len(heights) == 24
    assert heights.max() == pytest.approx(axis.get_ylim()[1])
    assert heights.max() < 100


def test_only_what_exceeds_three_standard_errors_is_coloured(tables):
    table = tables["attenuation"].assign(leak_standard_error_uv=1.0, leak_uv=2.9)
    assert not clearly_added(table, "leak").any()
    asked = (table["condition"] == "di") & ~table["background"]
    table.loc[table.index[asked][:5], "leak_uv"] = 3.1
    figure = plot_added_signal(table, "raw", CONDITIONS)
    notes = [text.get_text() for axis in figure.axes for text in axis.texts]
    assert "5 of 24 beyond 3 s.e." in notes
    assert notes.count("0 of 24 beyond 3 s.e.") >= 2


def test_the_reference_stands_beside_each_correlogram_for_the_same_units(tables):
    figure = plot_correlograms(tables["correlograms"], "raw", CONDITIONS)
    panels = dict(zip(CONDITIONS, zip(figure.axes[:4], figure.axes[4:], strict=True), strict=True))
    for name, axes in panels.items():
        rows = tables["correlograms"][tables["correlograms"]["condition"] == name]
        for axis, column in zip(axes, PANELS, strict=True):
            lines = [line for line in axis.lines if len(line.get_xdata()) > 2]
            dotted = [line for line in lines if line.get_linestyle() == ":"]
            assert len(dotted) == (0 if name == "raw" else len(KINDS))
            for line in dotted:
                np.testing.assert_allclose(line.get_ydata(), rows[f"reference_{column}"].iloc[0])
            drawn = [line.get_ydata() for line in lines if line.get_linestyle() == "-"]
            for kind, heights in zip(KINDS, drawn, strict=True):
                means = rows[rows["kind_of"] == kind].groupby("lag_ms")[column].mean()
                np.testing.assert_allclose(heights, means)
