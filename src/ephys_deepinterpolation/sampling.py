"""A model tried on excerpts of a recording, beside linear interpolation of the same frames."""

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.signal import welch
from spikeinterface.core import BaseRecording

from ephys_deepinterpolation.denoisers import interpolate_linearly, noise_floor
from ephys_deepinterpolation.fitting import LINEAR_MODEL_ROWS, NEIGHBOURING_ROWS, fit_linear
from ephys_deepinterpolation.frames import FrameRange, Frames, Piece, traces_in_uv
from ephys_deepinterpolation.geometry import ProbeImage
from ephys_deepinterpolation.model import Model
from ephys_deepinterpolation.network import LinearParameters
from ephys_deepinterpolation.normalization import Normalization
from ephys_deepinterpolation.recording import DeepInterpolatedRecording
from ephys_deepinterpolation.windows import Context

# Every other excerpt is for the fit: sixteen to judge by are enough for an interval.
_EXCERPTS = 32
_EXCERPT_FRAMES, _SHORTEST_FRAMES = 1024, 100
_TARGETS = 256
_SPECTRUM_FRAMES = 1024
_LOSSES = ("model", "linear", "constant")
NO_SPECTRA = pd.DataFrame(columns=["trace", "frequency_hz", "density_uv2_per_hz"])


@dataclass(frozen=True)
class Trial:
    """What came of trying a model on a recording.

    Attributes
    ----------
    losses : pandas.DataFrame
        One row per excerpt: model, linear, constant; mean squared errors of normalized traces.
    noise_floor : float
        See `denoisers.noise_floor`, of all excerpts together.
    least_gain : float
        Share of its loss that linear interpolation itself would lose by endless data.
    left_out : float
        Share of the frames that are near a saturation or a transient.
    spectra : pandas.DataFrame
        trace (`input`, `residual`), frequency_hz, density_uv2_per_hz: median over channels.
    """

    losses: pd.DataFrame
    noise_floor: float
    least_gain: float
    left_out: float
    spectra: pd.DataFrame


def cut_excerpts(recording: BaseRecording, context: Context) -> list[FrameRange]:
    """Cut excerpts spread evenly over a recording, no nearer to each other than a context.

    Raises
    ------
    ValueError
        The recording is too short.
    """
    lengths = [recording.get_num_samples(index) for index in range(recording.get_num_segments())]
    ends = np.cumsum(lengths)
    excerpts = []
    edges = np.linspace(0, ends[-1], _EXCERPTS + 1).astype(int)
    for start, end in itertools.pairwise(edges) if ends[-1] else ():
        segment = int(np.searchsorted(ends, (start + end) // 2, side="right"))
        first = ends[segment] - lengths[segment]
        low = max(start, first) - first + context.margin
        high = min(end, ends[segment]) - first - context.margin
        length = min(_EXCERPT_FRAMES, high - low)
        if length >= _SHORTEST_FRAMES:
            begin = int(low + high - length) // 2
            excerpts.append(FrameRange(0, segment, begin, begin + int(length)))
    if len(excerpts) < _EXCERPTS // 2:
        least = _EXCERPTS * (_SHORTEST_FRAMES + 2 * context.margin)
        raise ValueError(
            f"the recording holds {ends[-1]} frames; to tell whether a model suits it takes at "
            f"least {least} in segments that are not much shorter than a thirtieth of it"
        )
    return excerpts


def try_model(
    recording: BaseRecording, model: Model, image: ProbeImage, normalization: Normalization
) -> Trial:
    """Try a model on a recording that it can be applied to.

    Linear interpolation is fitted to every other excerpt, as a linear model is trained; both are
    tried on the rest.

    Raises
    ------
    ValueError
        The recording is too short.
    """
    excerpts = cut_excerpts(recording, model.context)
    fitted, tried = excerpts[::2], excerpts[1::2]
    frames = Frames([recording], [image], [normalization], model.context)
    rows = model.network.get("rows", LinearParameters().rows)
    kernel = fit_linear(frames, fitted, LinearParameters(rows=rows), np.random.default_rng(0))
    denoised = DeepInterpolatedRecording(recording, model, normalization=normalization)
    judged = [_judge(frames, piece, kernel, denoised) for piece in tried]
    examples = frames.images_per_frame * image.shape[1] * sum(map(_length, fitted))
    clean = [each for each in judged if each.packed[..., 1].any()]
    return Trial(
        losses=pd.DataFrame([_losses(each) for each in clean], columns=list(_LOSSES)),
        noise_floor=_noise_floor(clean, rows),
        # What least squares lose by not knowing their weights; rows resemble each other, hence 2.
        least_gain=2 * kernel[..., 0].size / min(examples, LINEAR_MODEL_ROWS),
        left_out=1 - sum(each.clean for each in judged) / sum(map(_length, tried)),
        spectra=_spectra(judged, frames, recording.get_sampling_frequency()),
    )


@dataclass(frozen=True)
class _Judged:
    """An excerpt: traces in µV, and what both leave over of some of its frames, as images."""

    traces: np.ndarray
    residual: np.ndarray
    clean: int
    packed: np.ndarray
    of_model: np.ndarray
    of_linear: np.ndarray


def _length(piece: FrameRange) -> int:
    return piece.end - piece.start


def _judge(
    frames: Frames, piece: FrameRange, kernel: np.ndarray, denoised: BaseRecording
) -> _Judged:
    read = frames.read(piece)
    output = traces_in_uv(denoised, piece.segment, piece.start, piece.end)
    normalized = frames.normalizations[0].apply(output)
    step = max(1, len(read) // _TARGETS)
    targets = read.targets[::step][:_TARGETS]
    contexts, packed = frames.batch(read, targets)
    predictions = frames.images[0].to_image(normalized)[targets - piece.start]
    mask = packed[..., 1] > 0
    traces = _traces(read, frames, piece)
    return _Judged(
        traces=traces,
        residual=traces - output,
        clean=len(read),
        packed=packed,
        of_model=np.where(mask, packed[..., 0] - predictions.reshape(mask.shape), 0),
        of_linear=np.where(mask, packed[..., 0] - interpolate_linearly(kernel, contexts), 0),
    )


def _traces(read: Piece, frames: Frames, piece: FrameRange) -> np.ndarray:
    """Bring the images of a piece back to traces (frames, channels) in µV."""
    start = piece.start - read.windows.first_frame
    images = read.windows.image[start : start + _length(piece)]
    return frames.normalizations[0].invert(frames.images[0].from_image(images))


def _losses(judged: _Judged) -> dict[str, float]:
    valid = judged.packed[..., 1] > 0
    count = valid.sum()
    errors = (judged.of_model, judged.of_linear)
    squared = [float(np.square(error).sum() / count) for error in errors]
    return dict(zip(_LOSSES, [*squared, float(np.var(judged.packed[..., 0][valid]))], strict=True))


def _noise_floor(judged: list[_Judged], rows: int) -> float:
    if not judged:
        return np.nan
    residual = np.concatenate([each.of_linear for each in judged])
    mask = np.concatenate([each.packed[..., 1] for each in judged])
    return noise_floor(residual, mask, max(rows, NEIGHBOURING_ROWS))


def _spectra(judged: list[_Judged], frames: Frames, sampling_frequency: float) -> pd.DataFrame:
    """Power spectral densities by Welch's method, of excerpts without a transient."""
    live = ~frames.normalizations[0].silent
    clean = [each for each in judged if each.clean == len(each.traces)]
    if not clean or not live.any():
        return NO_SPECTRA
    length = min(_SPECTRUM_FRAMES, *(len(each.traces) for each in clean))
    tables = []
    for trace, name in (("input", "traces"), ("residual", "residual")):
        densities = []
        for each in clean:
            frequencies, density = welch(
                getattr(each, name)[:, live], sampling_frequency, nperseg=length, axis=0
            )
            densities.append(density)
        # The first holds the mean, the last only half a bin.
        median = np.nanmedian(np.mean(densities, axis=0), axis=1)[1:-1]
        columns = {"frequency_hz": frequencies[1:-1], "density_uv2_per_hz": median}
        tables.append(pd.DataFrame({"trace": trace, **columns}))
    return pd.concat(tables, ignore_index=True)
