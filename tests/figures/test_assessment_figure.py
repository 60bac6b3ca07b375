"""The figure of an assessment shows its sentence, its losses and how far noise is predicted."""

import numpy as np
import pandas as pd
import pytest

from ephys_deepinterpolation.figures import style
from ephys_deepinterpolation.figures.assessment import plot_assessment

MEASURES = pd.DataFrame(
    [
        ("constant_loss", 1.0, 0.9, 1.1),
        ("linear_loss", 0.5, 0.45, 0.55),
        ("model_loss", 0.48, 0.43, 0.53),
        ("noise_floor", 0.3, np.nan, np.nan),
    ],
    columns=["measure", "value", "low", "high"],
)
PREDICTABILITY = pd.DataFrame({"omission": [0, 1, 2], "r2": [0.7, 0.5, 0.4]})
SPECTRA = pd.DataFrame(
    {
        "trace": ["input", "input", "residual", "residual"],
        "frequency_hz": [500.0, 1000.0] * 2,
        "density_uv2_per_hz": [1.0, 0.5, 0.2, 0.1],
    }
)
SENTENCE = "The model suits this recording: its loss is 4% below; one channel is dead."


def draw(verdict="suits", measures=MEASURES, predictability=PREDICTABILITY, spectra=SPECTRA):
    return plot_assessment(verdict, SENTENCE, measures, predictability, spectra, omission=1)


def panels(figure):
    return figure.subfigs[1].axes


def texts(axis):
    return " ".join(text.get_text() for text in axis.texts)


@pytest.mark.parametrize("verdict", ["suits", "fine-tune first", "do not use"])
def test_the_sentence_stands_above_whatever_the_verdict(verdict):
    heading, reasons = draw(verdict).subfigs[0].texts
    assert heading.get_text() == "The model suits this recording"
    assert reasons.get_text() == "Its loss is 4% below; one channel is dead."


def test_losses_are_drawn_with_their_numbers_and_their_intervals():
    losses = panels(draw())[0]
    drawn = [line.get_ydata() for line in losses.lines]
    marks = [float(values[0]) for values in drawn if len(values) == 1]
    assert marks == [1.0, 0.5, 0.48, 0.3]
    intervals = [list(values) for values in drawn if len(set(values)) == 2]
    assert intervals == [[0.9, 1.1], [0.45, 0.55], [0.43, 0.53]]
    for text in ("1", "0.5", "0.48", "0.3"):
        assert text in texts(losses).split()


def test_losses_that_are_worlds_apart_are_drawn_on_a_logarithmic_axis():
    apart = MEASURES.assign(value=[1.0, 2e-5, 0.2, 1e-5])
    assert panels(draw(measures=apart))[0].get_yscale() == "log"
    assert panels(draw())[0].get_yscale() == "linear"


def test_the_omission_of_the_model_is_marked():
    _, predicted, _ = panels(draw())
    marked = [line for line in predicted.lines if line.get_label() == "the model's omission"]
    assert [(*line.get_xdata(), *line.get_ydata()) for line in marked] == [(1, 0.5)]


def test_recording_and_residual_are_drawn_by_frequency():
    spectrum = panels(draw())[2]
    drawn = {line.get_label(): list(line.get_ydata()) for line in spectrum.lines}
    assert list(drawn.values()) == [[1.0, 0.5], [0.2, 0.1]]


def test_what_is_not_known_is_said():
    unknown = MEASURES.assign(value=np.nan, low=np.nan, high=np.nan)
    predicted = PREDICTABILITY.assign(r2=np.nan)
    figure = draw("do not use", unknown, predicted, SPECTRA.iloc[:0])
    losses, _, spectrum = panels(figure)
    assert "cannot be applied" in texts(losses)
    assert "not measured" in texts(spectrum)


def test_the_same_assessment_gives_the_same_bytes(tmp_path):
    first = style.save(draw(), tmp_path / "first.svg")
    second = style.save(draw(), tmp_path / "second.svg")
    assert first.read_bytes() == second.read_bytes()
