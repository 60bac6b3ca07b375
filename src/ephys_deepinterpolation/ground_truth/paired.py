"""Recordings beside a cell that has an electrode of its own, which says when it fires."""

from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import spikeinterface as si
from spikeinterface.core.waveform_tools import estimate_templates_with_accumulator

from ephys_deepinterpolation.ground_truth.alignment import (
    Alignment,
    AlignmentError,
    align_lengths,
    align_pulses,
    find_pulses,
)
from ephys_deepinterpolation.ground_truth.base import GroundTruth
from ephys_deepinterpolation.ground_truth.donors import frames_after, frames_before, widths_ms
from ephys_deepinterpolation.ground_truth.juxtacellular import (
    DetectionQuality,
    DoubtfulCellError,
    detect_spikes,
)
from ephys_deepinterpolation.ground_truth.probes import build_probe
from ephys_deepinterpolation.ground_truth.recorded import (
    described_path,
    excerpt_frames,
    read_traces,
)

UNIT = "cell"
_LARGEST_SHIFT_MS = 1.0
_CERTAIN_ERRORS = 5.0


def read_paired(
    recording: dict,
    fetched: dict,
    trace: dict | None = None,
    spikes: dict | None = None,
    channels: list[int] | None = None,
    probe: str | None = None,
    alignment: str = "same_clock",
    recording_pulses: dict | None = None,
    cell_pulses: dict | None = None,
    largest_offset_s: float | None = None,
) -> GroundTruth:
    """Read a recording and the cell beside it, as a configuration describes them.

    Parameters
    ----------
    recording : dict
        `reader`, `path`, maybe `arguments`, `source`, `start_s` and `duration_s`, see
        `read_described`.
    fetched : dict of str to path
        Folders of the sources that `recording`, `trace`, `spikes`, `recording_pulses` and
        `cell_pulses` name, by these words.
    trace : dict
        As `recording`, with the `channel` that the cell was recorded on, counted from 0; its
        spikes are detected. Either this or `spikes` is given.
    spikes : dict
        `path` of a file with one number per spike (`.npy`, or text with one a line), their `unit`,
        `seconds` or `frames`, and of frames their `sampling_frequency_hz`.
    channels : list of int, optional
        The extracellular channels, counted from 0; all by default.
    probe : str, optional
        Of a recording that knows none, see `build_probe`.
    alignment : str
        `same_clock`; `length_ratio`, see `align_lengths`; or `sync_pulses`, see `align_pulses`.
    recording_pulses, cell_pulses : dict
        As `trace`: the channels of the sync pulses.
    largest_offset_s : float, optional
        See `align_pulses`.

    Returns
    -------
    GroundTruth
        See `pair`.

    Raises
    ------
    FileNotFoundError
        There is nothing at one of the paths.
    DoubtfulCellError
        The spikes of the cell are not certain.
    AlignmentError
        The two clocks cannot be related.
    ValueError
        Something of the above cannot be used.
    """
    described = {"recording": recording, "trace": trace, "spikes": spikes}
    path = described_path(recording, fetched.get("recording", "."))
    whole = _extracellular(read_traces(recording["reader"], path, recording.get("arguments")), path)
    if channels is not None:
        whole = _select(whole, channels, path)
    if probe is not None:
        whole.set_probe(build_probe(probe, whole.get_num_channels()))
    if not whole.has_probe():
        raise ValueError(f"{path} has no probe: name one (probe)")
    patch = None if trace is None else _channel(trace, fetched.get("trace", "."))
    clock = _align(
        alignment,
        whole,
        patch,
        None
        if recording_pulses is None
        else _channel(recording_pulses, fetched.get("recording_pulses", ".")),
        None if cell_pulses is None else _channel(cell_pulses, fetched.get("cell_pulses", ".")),
        largest_offset_s,
    )
    quality = None
    if patch is not None and trace is not None:
        try:
            frames, quality = detect_spikes(patch)
        except DoubtfulCellError as error:
            place = described_path(trace, fetched.get("trace", "."))
            raise DoubtfulCellError(f"{place}: {error}") from None
        times_s = frames / patch.get_sampling_frequency()
    elif spikes is not None:
        times_s = read_spike_times(
            described_path(spikes, fetched.get("spikes", ".")),
            spikes["unit"],
            spikes.get("sampling_frequency_hz") or whole.get_sampling_frequency(),
        )
    else:
        raise ValueError("neither a trace of the cell nor its spikes are given")
    return pair(
        whole,
        clock.to_recording(times_s),
        recording.get("start_s", 0.0),
        recording.get("duration_s"),
        quality,
        {"alignment": {"method": alignment, **asdict(clock)}, **described},
    )


def read_spike_times(path: Path | str, unit: str, sampling_frequency: float) -> np.ndarray:
    """Read the spikes of one cell from a file.

    Parameters
    ----------
    path : path
        `.npy`, an array of one dimension; else text with one number a line.
    unit : str
        `seconds` or `frames`.
    sampling_frequency : float
        Of the frames, Hz.

    Returns
    -------
    float array (spikes,)
        s.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It holds something else, or the spikes do not ascend.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no file of spikes at {path}")
    try:
        values = (
            np.load(path, allow_pickle=False)
            if path.suffix == ".npy"
            else np.loadtxt(path, ndmin=1)
        )
        values = np.asarray(values, float)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} does not hold one number per spike: {error}") from None
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ValueError(
            f"{path} holds an array of shape {values.shape} where one number per spike is wanted"
        )
    descents = np.flatnonzero(np.diff(values) < 0)
    if values[0] < 0 or len(descents):
        place = 0 if values[0] < 0 else int(descents[0]) + 1
        raise ValueError(
            f"spike {place} of {path}, counted from 0, is {values[place]:g}: "
            "spikes ascend from 0 on"
        )
    return values if unit == "seconds" else values / sampling_frequency


def pair(
    whole: si.BaseRecording,
    times_s: np.ndarray,
    start_s: float = 0.0,
    duration_s: float | None = None,
    quality: DetectionQuality | None = None,
    provenance: dict | None = None,
) -> GroundTruth:
    """Make the spikes of a cell the truth of a recording beside it.

    The template is the average of the recording around all spikes, without any filter, less the
    median of each channel. Where its peak within 1 ms of the spikes is certain (more than five
    standard errors), the spikes are moved there: a cell's own electrode sees another moment of the
    spike than those beside it.

    Parameters
    ----------
    whole : spikeinterface.BaseRecording
        One segment, with probe and gains to µV.
    times_s : float array (spikes,)
        s from the start of the recording, ascending.
    start_s, duration_s : float
        The excerpt of the recording to take, see `read_recording`.
    quality : DetectionQuality, optional
        Of the detection of the spikes.
    provenance : dict, optional
        Further facts.

    Returns
    -------
    GroundTruth
        One unit, named `cell`, not exhaustive. `units` has besides the usual columns
        peak_standard_error_uv, of the template at its peak; halves_cosine and halves_lag_ms, how
        much the averages of the first and of the second half of the spikes are alike and how much
        later the second comes; shift_ms, how far spikes were moved; and the fields of `quality`.

    Raises
    ------
    ValueError
        Fewer than two spikes of the cell lie within the recording.
    """
    start, end = excerpt_frames(whole, start_s, duration_s)
    recording = whole if (start, end) == (0, None) else whole.frame_slice(start, end)
    frequency, number = recording.get_sampling_frequency(), recording.get_num_samples(0)
    frames = np.round(np.asarray(times_s) * frequency).astype(np.int64) - start
    before, after = frames_before(frequency), frames_after(frequency)
    reach = round(_LARGEST_SHIFT_MS * frequency / 1000.0)
    inside = (frames >= 0) & (frames < number)
    usable = frames[(frames >= before + reach) & (frames < number - after - reach)]
    if len(usable) < 2:
        raise ValueError(
            f"of the {len(frames)} spikes of the cell {len(usable)} lie within the recording of "
            f"{number / frequency:g} s: is the alignment right?"
        )
    average, halves, errors = _average(recording, usable, before + reach, after + reach)
    near = np.abs(average[before : before + 2 * reach + 1])
    offset, channel = np.unravel_index(near.argmax(), near.shape)
    certain = near[offset, channel] > _CERTAIN_ERRORS * errors[before + offset, channel]
    shift = int(offset) - reach if certain else 0
    window = slice(reach + shift, reach + shift + before + after)
    template = average[window]
    frames = frames[inside] + shift
    frames = frames[(frames >= 0) & (frames < number)]
    peak = np.unravel_index(np.abs(template).argmax(), template.shape)
    position = recording.get_channel_locations()[peak[1]]
    sorting = si.NumpySorting.from_samples_and_labels(
        [frames], [np.full(len(frames), UNIT)], frequency, unit_ids=[UNIT]
    )
    unit = {
        "unit": UNIT,
        "background": False,
        "peak_uv": abs(float(template[peak])),
        "firing_rate_hz": len(frames) * frequency / number,
        "spikes": len(frames),
        "x_um": position[0],
        "depth_um": position[1],
        "width_ms": float(widths_ms(template[None], frequency)[0]),
        "peak_standard_error_uv": float(errors[window][peak]),
        "halves_cosine": _cosine(
            halves[:, window], np.abs(template) > 0.1 * np.abs(template[peak])
        ),
        "halves_lag_ms": _lag(halves[:, window, peak[1]], reach) * 1000.0 / frequency,
        "shift_ms": shift * 1000.0 / frequency,
        **({} if quality is None else asdict(quality) | {"spikes": len(frames)}),
    }
    return GroundTruth(
        recording=recording,
        sorting=sorting,
        templates=si.Templates(
            template[None],
            sampling_frequency=frequency,
            nbefore=before,
            channel_ids=recording.channel_ids,
            unit_ids=sorting.unit_ids,
            probe=recording.get_probe(),
        ),
        units=pd.DataFrame([unit]),
        facts={
            "kind": "paired",
            "exhaustive": False,
            "evidence": "one cell: report it by itself, its spikes never pooled with another's",
            "template": f"average of {len(usable)} spikes of the unfiltered recording, less the "
            "median of each channel over time",
            "start_s": start_s,
            "duration_s": duration_s,
            "spikes_outside": int((~inside).sum()),
            "detection": None if quality is None else asdict(quality),
            **(provenance or {}),
            "versions": {"spikeinterface": version("spikeinterface")},
        },
    )


def _align(
    method: str,
    recording: si.BaseRecording,
    trace: si.BaseRecording | None,
    recording_pulses: si.BaseRecording | None,
    cell_pulses: si.BaseRecording | None,
    largest_offset_s: float | None,
) -> Alignment:
    if method == "same_clock":
        return Alignment()
    if method == "length_ratio":
        if trace is None:
            raise AlignmentError("length_ratio needs the trace of the cell, to know its length")
        return align_lengths(_seconds(recording), _seconds(trace))
    if recording_pulses is None or cell_pulses is None:
        raise AlignmentError("sync_pulses needs recording_pulses and cell_pulses")
    return align_pulses(find_pulses(recording_pulses), find_pulses(cell_pulses), largest_offset_s)


def _seconds(recording: si.BaseRecording) -> float:
    return recording.get_num_samples(0) / recording.get_sampling_frequency()


def _channel(described: dict, fetched: Path | str) -> si.BaseRecording:
    """Read one channel."""
    path = described_path(described, fetched)
    traces = read_traces(described["reader"], path, described.get("arguments"))
    return _select(_one_segment(traces, path), [described.get("channel", 0)], path)


def _extracellular(recording: si.BaseRecording, path: Path) -> si.BaseRecording:
    if not recording.has_scaleable_traces():
        raise ValueError(f"{path} has no gain to µV: give the reader one (arguments)")
    return _one_segment(recording, path)


def _one_segment(recording: si.BaseRecording, path: Path) -> si.BaseRecording:
    if recording.get_num_segments() > 1:
        raise ValueError(f"{path} has {recording.get_num_segments()} segments instead of one")
    return recording


def _select(recording: si.BaseRecording, channels: list[int], path: Path) -> si.BaseRecording:
    number = recording.get_num_channels()
    beyond = [channel for channel in channels if not 0 <= channel < number]
    if beyond:
        raise ValueError(
            f"{path} has {number} channels, from 0 to {number - 1}, and no channel {beyond[0]}"
        )
    return recording.select_channels(recording.channel_ids[list(channels)])


def _average(
    recording: si.BaseRecording, frames: np.ndarray, before: int, after: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average around spikes (frames, channels), µV; that of each half of them; standard errors."""
    half = np.repeat([0, 1], [(len(frames) + 1) // 2, len(frames) // 2])
    spikes = np.zeros(len(frames), si.core.base.minimum_spike_dtype)
    spikes["sample_index"], spikes["unit_index"] = frames, half
    halves, deviations = estimate_templates_with_accumulator(
        recording,
        spikes,
        [0, 1],
        before,
        after,
        return_std=True,
        n_jobs=1,
        chunk_duration="1s",
        progress_bar=False,
    )
    shares = np.bincount(half)[:, None, None] / len(frames)
    average = (shares * halves).sum(axis=0)
    variance = (shares * (deviations**2 + (halves - average) ** 2)).sum(axis=0)
    average = average - np.median(average, axis=0)
    halves = halves - np.median(halves, axis=1, keepdims=True)
    return average.astype(np.float32), halves, np.sqrt(variance / len(frames))


def _cosine(halves: np.ndarray, large: np.ndarray) -> float:
    """Cosine between two averages over the frames and channels where their mean is large."""
    first, second = halves[0][large], halves[1][large]
    return float(first @ second / (np.linalg.norm(first) * np.linalg.norm(second)))


def _lag(halves: np.ndarray, largest: int) -> int:
    """Frames, at most so many, that the second of two averages (2, frames) comes later."""
    first, second = halves
    lags = np.arange(-largest, largest + 1)
    padded = np.pad(second, largest)
    products = [first @ padded[largest + lag : largest + lag + len(first)] for lag in lags]
    return int(lags[int(np.argmax(products))])
