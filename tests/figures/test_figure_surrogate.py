"""The figure of a surrogate shows the original and the surrogate, each where its table says."""

import numpy as np
import pandas as pd
import pytest

from ephys_deepinterpolation.figures.surrogate import plot_surrogate


@pytest.fixture
def likeness():
    x = np.arange(1.0, 51.0)
    tables = [
        pd.DataFrame({"measure": measure, "x": x, "original": x, "surrogate": 2 * x})
        for measure in ("spectrum", "correlation", "covariance")
    ]
    return pd.concat(tables).assign(dataset="tissue", replicate=0)


def test_both_are_drawn_against_frequency_and_distance(likeness):
    spectrum, correlation, _ = plot_surrogate(likeness).axes
    for axis in (spectrum, correlation):
        original, surrogate = (line.get_ydata() for line in axis.lines)
        np.testing.assert_allclose(surrogate, 2 * np.asarray(original))
        assert len(original) == 50


def test_pairs_of_channels_are_drawn_one_against_the_other(likeness):
    covariance = plot_surrogate(likeness).axes[2]
    places = covariance.collections[0].get_offsets()
    np.testing.assert_allclose(places[:, 1], 2 * places[:, 0])
    assert "r = 1.000" in covariance.get_title(loc="left")


def test_only_the_first_replicate_is_drawn(likeness):
    more = pd.concat([likeness, likeness.assign(replicate=1)])
    assert len(plot_surrogate(more).axes[0].lines[0].get_ydata()) == 50


def test_without_rows_the_figure_says_so(likeness):
    assert plot_surrogate(likeness.iloc[:0]).findobj(
        lambda artist: "nothing to compare" in getattr(artist, "get_text", str)()
    )
