"""Whether a model suits a recording: its loss, how far noise is predicted, what it leaves over."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ephys_deepinterpolation.figures import style
from ephys_deepinterpolation.predictability import COPIES_NOISE

COLOURS = {"suits": "#029e73", "fine-tune first": "#b86e00", "do not use": style.WARNING}
LOSSES = {
    "constant_loss": ("best\nconstant", style.MUTED, "v"),
    "linear_loss": ("linear inter-\npolation", style.REFERENCE_COLOUR, "s"),
    "model_loss": ("model", style.CONDITION_COLOURS[0], "o"),
    "noise_floor": ("noise floor,\nestimated", style.MUTED, "^"),
}
"""Measures: label, colour and marker."""

TRACES = {
    "input": (style.REFERENCE_COLOUR, "-", "recording"),
    "residual": (style.CONDITION_COLOURS[4], "--", "what the model\nleaves over"),
}

_LETTERS = 128
_LINE_INCHES = 0.155


@style.styled
def plot_assessment(
    verdict: str,
    sentence: str,
    measures: pd.DataFrame,
    predictability: pd.DataFrame,
    spectra: pd.DataFrame,
    omission: int,
) -> Figure:
    """Draw what an assessment rests on, under its sentence.

    Parameters
    ----------
    verdict, sentence, measures, predictability, spectra, omission
        See `Assessment`.

    Returns
    -------
    Figure
        The losses with 95 % intervals over excerpts; the share of the noise that linear
        interpolation predicts, against the omission; the spectra of the recording and of what
        the model leaves over.
    """
    heading, _, reasons = sentence.partition(": ")
    lines = textwrap.wrap(reasons[:1].upper() + reasons[1:], _LETTERS)
    height = 0.38 + _LINE_INCHES * len(lines)
    figure = Figure(figsize=(style.FULL_WIDTH, 2.5 + height), layout="constrained")
    top, below = figure.subfigures(2, 1, squeeze=False, height_ratios=[height, 2.5])[:, 0]
    bold = {"color": COLOURS[verdict], "fontsize": 11, "fontweight": "bold"}
    top.text(0.01, 1 - 0.08 / height, heading, va="top", **bold)
    top.text(0.01, 1 - 0.3 / height, "\n".join(lines), va="top", fontsize=8)
    losses, predicted, spectrum = below.subplots(1, 3, width_ratios=[1.15, 1.0, 1.0])
    _draw_losses(losses, measures.set_index("measure"))
    _draw_predictability(predicted, predictability, omission)
    _draw_spectra(spectrum, spectra)
    return figure


def _draw_losses(axis: Axes, measures: pd.DataFrame) -> None:
    axis.set_title("Loss (lower is better)")
    known = measures.loc[list(LOSSES), "value"]
    if known.isna().all():
        style.say(axis, "the model\ncannot be applied")
        axis.set_axis_off()
        return
    for place, (name, (_, colour, marker)) in enumerate(LOSSES.items()):
        value, low, high = (float(measures.loc[name, key]) for key in ("value", "low", "high"))
        axis.plot(place, value, marker=marker, color=colour, markersize=5.5)
        if np.isfinite([low, high]).all():
            axis.plot([place, place], [low, high], color=colour)
        if np.isfinite(value):
            axis.annotate(
                f"{value:.3g}",
                (place, max(value, high) if np.isfinite(high) else value),
                (0, 5),
                textcoords="offset points",
                ha="center",
                fontsize=7.5,
            )
    linear = float(measures.loc["linear_loss", "value"])
    axis.axhline(linear, color=style.REFERENCE_COLOUR, linestyle=":", linewidth=0.8)
    axis.set_xticks(range(len(LOSSES)), [label for label, _, _ in LOSSES.values()], fontsize=6.5)
    style.limit_categories(axis, len(LOSSES))
    axis.set_ylabel("Mean squared error\n(squared scale of a channel)")
    axis.margins(y=0.15)
    if known.min() > 0 and known.max() / known.min() > 10:
        axis.set_yscale("log")
        style.log_ticks(axis.yaxis, (1.0,))
    else:
        axis.set_ylim(bottom=0.0)


def _draw_predictability(axis: Axes, predictability: pd.DataFrame, omission: int) -> None:
    axis.set_title("Noise predicted by its channel")
    axis.plot(
        predictability["omission"], predictability["r2"], color=style.REFERENCE_COLOUR, marker="."
    )
    own = predictability[predictability["omission"] == omission]
    axis.plot(
        own["omission"],
        own["r2"],
        color=style.CONDITION_COLOURS[0],
        marker="o",
        linestyle="none",
        markersize=7,
        label="the model's omission",
    )
    axis.axhline(COPIES_NOISE, color=style.WARNING, linestyle="--", linewidth=1.0)
    axis.text(
        1.0,
        COPIES_NOISE + 0.015,
        "above: noise is copied",
        transform=axis.get_yaxis_transform(),
        ha="right",
        fontsize=7,
        color=style.WARNING,
    )
    axis.set_ylim(min(0.0, float(np.nanmin([0.0, *predictability["r2"]]))), 1.06)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel("Omitted frames on each side")
    axis.set_ylabel("R² above 300 Hz")
    axis.legend(loc="lower left", fontsize=7)


def _draw_spectra(axis: Axes, spectra: pd.DataFrame) -> None:
    axis.set_title("Spectrum")
    if spectra.empty:
        style.say(axis, "not measured")
        axis.set_axis_off()
        return
    for name, (colour, line, label) in TRACES.items():
        rows = spectra[spectra["trace"] == name]
        axis.plot(
            rows["frequency_hz"],
            rows["density_uv2_per_hz"],
            color=colour,
            linestyle=line,
            linewidth=1.1,
            label=label,
        )
    axis.set_xscale("log")
    axis.set_yscale("log")
    style.log_ticks(axis.xaxis, (1.0, 3.0))
    largest = float(spectra["density_uv2_per_hz"].max())
    axis.set_ylim(largest * 1e-5, largest * 3)
    axis.set_xlabel("Frequency (Hz)")
    axis.set_ylabel("µV²/Hz")
    axis.legend(loc="lower left", fontsize=7)
