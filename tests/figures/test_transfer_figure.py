"""The figure of transfer: what is drawn where, of made-up tables."""

import numpy as np
import pandas as pd

from ephys_deepinterpolation.figures.transfer import COLOURS, plot_transfer

WAYS = {
    "as it is": {0.0: 0.8},
    "fine-tuned": {9.97: 0.6, 59.8: 0.55},
    "from scratch": {9.97: 0.9, 59.8: 0.54},
    "linear": {59.8: 0.7},
}


def table(dataset="tissue", ways=WAYS):
    return pd.DataFrame(
        [
            {"dataset": dataset, "condition": f"{way}-{data_s}", "way": way, "data_s": data_s}
            | {"training_seconds": 3.0, "endpoint": "loss", "measure": "loss", "value": value}
            | {"low": np.nan, "high": np.nan, "recordings": 1}
            for way, values in ways.items()
            for data_s, value in values.items()
        ]
    )


def line_of(axis, way):
    return next(
        line
        for line in axis.lines
        if line.get_color() == COLOURS[way] and line.get_linestyle() == "-"
    )


def test_a_line_of_fine_tuning_begins_with_the_model_as_it_is():
    axis = plot_transfer(table(), "raw").axes[0]
    assert line_of(axis, "fine-tuned").get_ydata().tolist() == [0.8, 0.6, 0.55]
    assert line_of(axis, "from scratch").get_ydata().tolist() == [0.9, 0.54]
    (level,) = (line.get_ydata()[0] for line in axis.lines if line.get_linestyle() == "--")
    assert level == 0.7


def test_values_stand_where_the_seconds_that_were_really_used_are_written():
    figure = plot_transfer(table(), "raw")
    lowest = figure.axes[-1]
    written = dict(
        zip(
            (label.get_text() for label in lowest.get_xticklabels()),
            lowest.get_xticks(),
            strict=True,
        )
    )
    assert list(written) == ["0", "10", "60"]
    for axis in figure.axes:
        np.testing.assert_allclose(
            line_of(axis, "from scratch").get_xdata(), [written["10"], written["60"]]
        )


def test_a_dataset_without_a_tuned_model_is_not_drawn():
    alone = table("alone", {"from scratch": {9.97: 0.5}})
    figure = plot_transfer(pd.concat([table(), alone]), "raw")
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    assert any("tissue" in title for title in titles)
    assert not any("alone" in title for title in titles)
    assert not plot_transfer(alone, "raw").axes


def test_many_datasets_are_drawn_as_one():
    worse = {way: {s: v + 0.2 for s, v in of.items()} for way, of in WAYS.items()}
    tables = [table(f"d{index}", WAYS if index % 2 else worse) for index in range(20)]
    axis = plot_transfer(pd.concat(tables), "raw").axes[0]
    assert "20 datasets\nn = 20 recordings" in axis.get_title(loc="left")
    np.testing.assert_allclose(line_of(axis, "fine-tuned").get_ydata(), [0.9, 0.7, 0.65])
