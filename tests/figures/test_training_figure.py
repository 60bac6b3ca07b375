"""The loss plot of one model shows what the model's history and summary say."""

import numpy as np
import pandas as pd
import pytest

from ephys_deepinterpolation import plot_loss
from ephys_deepinterpolation.figures import style

HISTORY = pd.DataFrame(
    {
        "step": [0, 250, 500],
        "training_loss": [np.nan, 0.7, 0.66],
        "validation_loss": [0.8, 0.72, 0.68],
    }
)
SUMMARY = {
    "validation_loss": 0.68,
    "linear_loss": 0.8,
    "constant_loss": 1.1,
    "noise_floor": 0.6,
    "steps": 500,
}


def labels(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def curves(figure):
    (axis,) = figure.axes
    return [line.get_xydata() for line in axis.lines if len(line.get_xdata()) == len(HISTORY)]


def test_both_losses_are_drawn_against_steps_in_whatever_order_the_rows_come():
    for history in (HISTORY, HISTORY[::-1]):
        training, validation = curves(plot_loss(history, SUMMARY))
        np.testing.assert_array_equal(training, HISTORY[["step", "training_loss"]])
        np.testing.assert_array_equal(validation, HISTORY[["step", "validation_loss"]])


def test_every_baseline_is_a_line_at_its_value_and_labelled_with_it():
    figure = plot_loss(HISTORY, SUMMARY)
    (axis,) = figure.axes
    levels = {line.get_ydata()[0] for line in axis.lines if line.get_color() == "black"}
    assert levels == {0.8, 1.1, 0.6}
    written = "\n".join(labels(figure))
    for text in ("linear interpolation, validation: 0.8", "constant: 1.1", "estimated: 0.6"):
        assert text in written


def test_a_baseline_that_a_model_does_not_know_is_left_out():
    known = {name: value for name, value in SUMMARY.items() if name != "noise_floor"}
    assert not any("noise floor" in label for label in labels(plot_loss(HISTORY, known)))


@pytest.mark.parametrize(("loss", "warned"), [(0.68, False), (0.81, True)])
def test_a_network_that_does_not_beat_linear_interpolation_is_said_to(loss, warned):
    figure = plot_loss(HISTORY, SUMMARY | {"validation_loss": loss})
    (axis,) = figure.axes
    assert any("does not beat it" in text.get_text() for text in axis.texts) == warned


def test_a_model_without_a_history_says_so():
    figure = plot_loss(pd.DataFrame(), {})
    assert not figure.axes
    assert "no history" in figure.texts[0].get_text()


def test_the_same_history_gives_the_same_bytes(tmp_path):
    first = style.save(plot_loss(HISTORY, SUMMARY), tmp_path / "first.svg")
    second = style.save(plot_loss(HISTORY, SUMMARY), tmp_path / "second.svg")
    assert first.read_bytes() == second.read_bytes()
