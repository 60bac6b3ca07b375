"""Whether a model suits a recording, told from excerpts of it in one sentence and one figure.

From a terminal:

    python -m ephys_deepinterpolation.assessment RECORDING MODEL [--figure FIGURE]

RECORDING is a folder that SpikeInterface saved, MODEL what `load_model` takes.
"""

import argparse
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.ndimage import median_filter
from spikeinterface.core import BaseRecording

from ephys_deepinterpolation.geometry import ProbeImage
from ephys_deepinterpolation.model import Model, load_model
from ephys_deepinterpolation.normalization import Normalization, silent_channels
from ephys_deepinterpolation.predictability import COPIES_NOISE, measure_predictability
from ephys_deepinterpolation.recording import (
    TOLERATED_DIFFERENCE,
    TOLERATED_LOUDNESS,
    check_fit,
    image_for,
    normalization_for,
    units_of,
)
from ephys_deepinterpolation.sampling import NO_SPECTRA, Trial, cut_excerpts, try_model
from ephys_deepinterpolation.statistics.bootstrap import Estimate, estimate_mean
from ephys_deepinterpolation.strangers import load

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUITS, FINE_TUNE, DO_NOT_USE = "suits", "fine-tune first", "do not use"
# Worst first.
_HEADINGS = {
    DO_NOT_USE: "Do not use the model on this recording",
    FINE_TUNE: "Fine-tune the model before using it on this recording",
    SUITS: "The model suits this recording",
}

# With half of the contacts silent, the rows that a network looks at hold little of what it was
# trained to find there.
MOST_SILENT = 0.5
# What is near a saturation passes unchanged: with more of it, much of the output is not denoised.
MOST_SATURATED = 0.1
# Most of the power: what was high-passed where spikes begin holds next to none below.
SPIKE_BAND_HZ, MOST_SLOW = 300.0, 0.5
# Where the density falls to a hundredth (20 dB) on the way to a frequency half as high again, a
# low-pass has done it: noise and spikes, which fall with the square of frequency, lose 3.5 dB.
EMPTY_DENSITY, STEEP = 0.01, 1.5
# The model's own is added.
_OMISSIONS = (0, 1, 2, 4, 8)

# Of each measure the unit, and the limit where it is the same for every recording.
_MEASURES: dict[str, tuple[str, float]] = {
    "sampling_rate_difference": ("share of the model's", TOLERATED_DIFFERENCE),
    "row_pitch_difference": ("share of the model's", TOLERATED_DIFFERENCE),
    "noise_foretold": ("share of variance", COPIES_NOISE),
    "upper_edge": ("Hz", np.nan),
    "slow_input": ("share of power", np.nan),
    "slow_residual": ("share of power", MOST_SLOW),
    "loudness": ("times the model's", TOLERATED_LOUDNESS),
    "silent_channels": ("share of channels", MOST_SILENT),
    "saturated_frames": ("share of frames", MOST_SATURATED),
    "constant_loss": ("squared scale", np.nan),
    "linear_loss": ("squared scale", np.nan),
    "model_loss": ("squared scale", np.nan),
    "noise_floor": ("squared scale", np.nan),
    "gain_over_constant": ("share of the constant's loss", 0.0),
    "gain_over_linear": ("share of the linear loss", np.nan),
    "seen_in_training": ("0 or 1", np.nan),
}


@dataclass(frozen=True, eq=False)
class Assessment:
    """Whether a model suits a recording; its text is the sentence.

    Attributes
    ----------
    verdict : str
        `suits`, `fine-tune first` or `do not use`.
    sentence : str
        The verdict with its reasons, worst first.
    measures : pandas.DataFrame
        measure, value, low and high (95 % interval over excerpts), limit, unit; NaN where it is
        not known.
    predictability : pandas.DataFrame
        See `measure_predictability`, of the model's omission among others.
    spectra : pandas.DataFrame
        trace (`input`, `residual`), frequency_hz, density_uv2_per_hz; empty where the model cannot
        be applied.
    omission : int
        The model's, frames.
    """

    verdict: str
    sentence: str
    measures: pd.DataFrame
    predictability: pd.DataFrame
    spectra: pd.DataFrame
    omission: int

    def __str__(self) -> str:
        return self.sentence

    def figure(self) -> "Figure":
        """Draw losses, predictability and spectra under the sentence."""
        from ephys_deepinterpolation.figures.assessment import plot_assessment

        return plot_assessment(**vars(self))


@dataclass(frozen=True)
class _Finding:
    """Something found, and the verdict it leads to by itself."""

    verdict: str
    clause: str


def assess(recording: BaseRecording, model: Model | Path | str) -> Assessment:
    """Tell whether a model suits a recording, from excerpts spread over it.

    `do not use`: the model cannot be applied (see `deepinterpolate`), would copy the noise, is no
    better than a constant, or leaves much of the recording as it is. `fine-tune first`: sampling
    rate or row pitch differ by more than 1 %, or its loss is not below that of linear
    interpolation fitted to other excerpts of the same recording.

    Parameters
    ----------
    recording : BaseRecording
        As the model would get it: filtered, or not, like what it was trained on.
    model : Model, or what `load_model` takes

    Returns
    -------
    Assessment

    Raises
    ------
    ValueError
        The recording is too short to tell, or a gain of it is no number.
    ModelError
        The model cannot be read.
    """
    model = model if isinstance(model, Model) else load_model(model)
    cut_excerpts(recording, model.context)
    units_of(recording)
    predicted = _predicted(recording, model)
    values = {
        "noise_foretold": Estimate(predicted.set_index("omission")["r2"][model.context.omission]),
        "sampling_rate_difference": _difference(
            recording.get_sampling_frequency(), model.sampling_frequency
        ),
        "seen_in_training": Estimate(float(model.saw(recording))),
    }
    try:
        image = image_for(recording, model)
        if image.row_pitch_um > 0 and model.row_pitch_um > 0:
            values["row_pitch_difference"] = _difference(image.row_pitch_um, model.row_pitch_um)
        doubts = _doubts(recording, image, model)
        normalization = normalization_for(recording, model)
    except ValueError as error:
        findings = [_Finding(DO_NOT_USE, str(error)), *_copying(values)]
        return _assessment(findings, values, predicted, NO_SPECTRA, model.context.omission)
    with warnings.catch_warnings():
        # They are clauses of the sentence.
        warnings.simplefilter("ignore", UserWarning)
        trial = try_model(recording, model, image, normalization)
    values |= _loudness(normalization, model) | _of_spectra(trial.spectra) | _of_losses(trial)
    findings = [
        *_copying(values),
        *_saturation(values),
        *_silence(recording, normalization),
        *_comparison(values, trial.least_gain),
        *doubts,
        *_level(recording, values),
    ]
    return _assessment(
        findings, values, predicted, trial.spectra, model.context.omission, trial.least_gain
    )


def _predicted(recording: BaseRecording, model: Model) -> pd.DataFrame:
    context_ms = 1000 * model.context.frames / recording.get_sampling_frequency()
    omissions = sorted({*_OMISSIONS, model.context.omission})
    return measure_predictability(recording, context_ms, omissions)


def _difference(found: float, trained: float) -> Estimate:
    return Estimate(abs(found / trained - 1))


def _loudness(normalization: Normalization, model: Model) -> dict[str, Estimate]:
    silent = {"silent_channels": Estimate(float(normalization.silent.mean()))}
    if model.layout != "probe" or model.of_several_recordings or normalization.silent.all():
        # Files of the deepinterpolation package do not tell how loud their recordings were, and
        # several recordings are not equally loud.
        return silent
    found, trained = (
        float(np.median(each.scale[~each.silent])) for each in (normalization, model.normalization)
    )
    return silent | {"loudness": Estimate(found / trained)}


def _of_spectra(spectra: pd.DataFrame) -> dict[str, Estimate]:
    if spectra.empty:
        return {}
    of_input, of_residual = (
        spectra[spectra["trace"] == name].set_index("frequency_hz")["density_uv2_per_hz"]
        for name in ("input", "residual")
    )
    return {
        "upper_edge": Estimate(_upper_edge(of_input)),
        "slow_input": _slow(of_input),
        "slow_residual": _slow(of_residual),
    }


def _upper_edge(density: pd.Series) -> float:
    """Find the frequency above which a low-pass has taken everything away; NaN without one."""
    frequencies = density.index.to_numpy(float)
    # Without the lines of mains and clocks.
    smooth = median_filter(density.to_numpy(float), 5)
    further = np.interp(STEEP * frequencies, frequencies, smooth, right=np.nan)
    falls = (frequencies >= SPIKE_BAND_HZ) & (further < EMPTY_DENSITY * smooth)
    return STEEP * float(frequencies[falls].min()) if falls.any() else np.nan


def _slow(density: pd.Series) -> Estimate:
    return Estimate(float(density[density.index < SPIKE_BAND_HZ].sum() / density.sum()))


def _of_losses(trial: Trial) -> dict[str, Estimate]:
    losses = trial.losses
    per_excerpt = {
        "constant_loss": losses["constant"],
        "linear_loss": losses["linear"],
        "model_loss": losses["model"],
        "gain_over_constant": _gain(losses, "constant"),
        "gain_over_linear": _gain(losses, "linear"),
    }
    estimates = {
        name: estimate_mean(values.to_numpy(float), np.random.default_rng(0))
        for name, values in per_excerpt.items()
    }
    return estimates | {
        "noise_floor": Estimate(trial.noise_floor),
        "saturated_frames": Estimate(trial.left_out),
    }


def _gain(losses: pd.DataFrame, over: str) -> pd.Series:
    """By how much the model's loss is lower, excerpt by excerpt, as a share of the mean loss."""
    return (losses[over] - losses["model"]) / losses[over].mean()


def _copying(values: dict[str, Estimate]) -> list[_Finding]:
    predicted = values["noise_foretold"].mean
    if not predicted > COPIES_NOISE:
        return []
    edge = values.get("upper_edge", Estimate(np.nan)).mean
    where = f" (it holds next to nothing above {edge:,.0f} Hz)" if np.isfinite(edge) else ""
    return [
        _Finding(
            DO_NOT_USE,
            f"linear interpolation predicts {predicted:.1%} of its variance above 300 Hz, noise "
            "included, so that the model would copy the noise: give it the recording before any "
            f"low-pass or band-pass filter{where}, or a model with a wider omission",
        )
    ]


def _saturation(values: dict[str, Estimate]) -> list[_Finding]:
    share = values["saturated_frames"].mean
    if share == 0:
        return []
    verdict = DO_NOT_USE if share > MOST_SATURATED else SUITS
    return [
        _Finding(
            verdict,
            f"{share:.1%} of its frames are in or near a saturation or a transient, and such "
            "frames pass unchanged",
        )
    ]


def _silence(recording: BaseRecording, normalization: Normalization) -> list[_Finding]:
    names = silent_channels(normalization, recording.channel_ids)
    if not names:
        return []
    verdict = DO_NOT_USE if normalization.silent.mean() > MOST_SILENT else SUITS
    return [_Finding(verdict, f"dead, saturated or not finite, and left as they are: {names}")]


def _comparison(values: dict[str, Estimate], least_gain: float) -> list[_Finding]:
    """Compare the loss with those of a constant and of linear interpolation: this decides."""
    constant, linear = values["gain_over_constant"], values["gain_over_linear"]
    if np.isnan(linear.mean):
        return []
    advice = ""
    if values.get("slow_residual", Estimate(0.0)).mean > MOST_SLOW:
        advice = (
            ": most of what it misses lies below 300 Hz, where a high-passed recording holds "
            "nothing, so try a 300 Hz high-pass first"
        )
    if constant.high <= 0:
        clause = (
            f"the model predicts it no better than a constant does (loss "
            f"{values['model_loss'].mean:.3g} against {values['constant_loss'].mean:.3g}){advice}"
        )
        findings = [_Finding(DO_NOT_USE, clause)]
    else:
        better = linear.low > least_gain
        clause = (
            f"its loss is {_interval(linear)} below that of linear interpolation fitted to the "
            f"recording itself"
            if better
            else f"its loss is not below that of linear interpolation fitted to the recording "
            f"itself ({values['model_loss'].mean:.3g} against "
            f"{values['linear_loss'].mean:.3g}){advice}"
        )
        findings = [_Finding(SUITS if better else FINE_TUNE, clause)]
    if values["seen_in_training"].mean:
        findings.append(
            _Finding(
                SUITS, "it was trained on this recording, so that its loss here proves nothing"
            )
        )
    return findings


def _interval(share: Estimate) -> str:
    return f"{100 * share.mean:.2g}% ({100 * share.low:.2g} to {100 * share.high:.2g})"


def _doubts(recording: BaseRecording, image: ProbeImage, model: Model) -> list[_Finding]:
    with warnings.catch_warnings(record=True) as doubts:
        warnings.simplefilter("always")
        check_fit(recording, image, model)
    return [_Finding(FINE_TUNE, str(doubt.message)) for doubt in doubts]


def _level(recording: BaseRecording, values: dict[str, Estimate]) -> list[_Finding]:
    """Remarks on units and loudness; the traces are normalized, so that neither decides."""
    findings = []
    if not recording.has_scaleable_traces():
        findings.append(
            _Finding(SUITS, "it has no gains to µV, so that its numbers are taken for µV")
        )
    times = values.get("loudness", Estimate(np.nan)).mean
    if times > TOLERATED_LOUDNESS or times < 1 / TOLERATED_LOUDNESS:
        findings.append(
            _Finding(
                SUITS,
                f"it is {times:.2g} times as loud as what the model was trained on, by another "
                "gain, reference or filter",
            )
        )
    return findings


def _assessment(
    findings: list[_Finding],
    values: dict[str, Estimate],
    predicted: pd.DataFrame,
    spectra: pd.DataFrame,
    omission: int,
    least_gain: float = np.nan,
) -> Assessment:
    worst_first = sorted(findings, key=lambda finding: [*_HEADINGS].index(finding.verdict))
    verdict = worst_first[0].verdict
    clauses = "; ".join(finding.clause for finding in worst_first)
    unknown = Estimate(np.nan)
    rows = [
        (name, found.mean, found.low, found.high, limit, unit)
        for name, (unit, limit) in _MEASURES.items()
        for found in [values.get(name, unknown)]
    ]
    measures = pd.DataFrame(rows, columns=["measure", "value", "low", "high", "limit", "unit"])
    measures.loc[measures["measure"] == "gain_over_linear", "limit"] = least_gain
    return Assessment(
        verdict, f"{_HEADINGS[verdict]}: {clauses}.", measures, predicted, spectra, omission
    )


def main(arguments: list[str] | None = None) -> int | str:
    """Tell whether a model suits a recording."""
    parser = argparse.ArgumentParser(
        prog="python -m ephys_deepinterpolation.assessment", description=str(main.__doc__)
    )
    parser.add_argument("recording", type=Path, help="folder that SpikeInterface saved")
    parser.add_argument("model", help="what load_model takes")
    parser.add_argument("--figure", type=Path, help="where to draw it: .svg, .pdf or .png")
    given = parser.parse_args(arguments)
    try:
        recording = load(given.recording)
        if not isinstance(recording, BaseRecording):
            raise ValueError(f"{given.recording} holds no recording")
        found = assess(recording, given.model)
        if given.figure is not None:
            from ephys_deepinterpolation.figures.style import save

            save(found.figure(), given.figure)
    except (OSError, ValueError) as error:
        return f"{error}"
    print(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
