"""The loss plot of one model shows what the model's history and summary say."""

import numpy as np
import pandas as pd
import pytest

from ephys_deepinterpolation import plot_loss
from ephys_deepinterpolation.figures import style
from ephys_deepinterpolation.figures.training_gain import training_of_conditions

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


def test_linear_interpolation_is_not_blamed_for_lacking_what_it_is():
    summary = {name: value for name, value in SUMMARY.items() if name != "linear_loss"}
    for steps, text in ((500, "no linear baseline"), (0, "linear interpolation itself")):
        (axis,) = plot_loss(HISTORY, summary | {"steps": steps}).axes
        assert any(text in artist.get_text() for artist in axis.texts)


def test_a_condition_that_uses_a_model_of_another_dataset_has_the_training_of_that_model():
    models = pd.DataFrame({"model": ["tuned", "base"], "steps": [500, 4000]})
    models = models.assign(
        dataset="tissue", replicate=0, condition="di", training_frames=[10_000, 90_000]
    )
    home = {"trained_on": "tissue", "trained_replicate": 0.0, "trained_for": "di"}
    uses = pd.DataFrame(
        [
            {"dataset": "tissue", "condition": "di", "model": "tuned"} | home,
            {"dataset": "slice", "condition": "di-short", "model": "tuned"} | home,
            {"dataset": "slice", "condition": "di", "model": "base"} | home,
            {"dataset": "slice", "condition": "given", "model": "file"},
        ]
    )
    found = training_of_conditions(models, uses).set_index(["dataset", "condition"])
    assert found["steps"].to_dict() == {
        ("tissue", "di"): 500,
        ("slice", "di-short"): 500,
        ("slice", "di"): 4000,
    }


def test_a_model_without_a_history_says_so():
    figure = plot_loss(pd.DataFrame(), {})
    assert not figure.axes
    assert "no history" in figure.texts[0].get_text()


def test_the_same_history_gives_the_same_bytes(tmp_path):
    first = style.save(plot_loss(HISTORY, SUMMARY), tmp_path / "first.svg")
    second = style.save(plot_loss(HISTORY, SUMMARY), tmp_path / "second.svg")
    assert first.read_bytes() == second.read_bytes()
