"""How far a saturation or a stimulation spreads in time and over the probe."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import spikeinterface as si

from ephys_deepinterpolation.conditions import apply_condition
from ephys_deepinterpolation.ground_truth import GroundTruth
from ephys_deepinterpolation.ground_truth.injection import add_to
from ephys_deepinterpolation.ground_truth.spikes import inject_spikes
from ephys_deepinterpolation.model import Model

_SATURATION_MS = 5.0
# Of the channels; fewer than the share by which `transients` knows a saturation.
_PARTIAL_SHARE = 0.25
_PULSE_MS = 0.2
_TAIL_SHARE, _TAIL_DECAY_MS, _TAIL_LENGTH_MS = 0.1, 1.0, 7.0
_FALL_OFF_UM = 100.0
_MOST_EVENTS = 5
_WINDOW_MS = 25.0
_TIME_BIN_MS, _DISTANCE_BIN_UM = 0.1, 20.0


@dataclass(frozen=True)
class Transient:
    """Something large that is no spike.

    Attributes
    ----------
    name : str
    waveform_uv : numpy.ndarray, shape (frames, channels)
        What is added to a recording.
    distance_um : numpy.ndarray, shape (channels,)
        How far each contact is from where it happens; 0 for those it happens on.
    """

    name: str
    waveform_uv: np.ndarray
    distance_um: np.ndarray


def make_transients(recording: si.BaseRecording, saturation_uv: float) -> list[Transient]:
    """Make the transients that a recording is tried with.

    `saturation`: every channel at the upper end of its range for 5 ms. `partial_saturation`: the
    same on a quarter of the channels, around the middle of the probe. `stimulation`: at the
    contact nearest to the middle a biphasic pulse of 0.2 ms a phase over the whole range, and a
    tail of a tenth of it that decays with 1 ms; halved at 100 µm from there, a third at 200 µm.

    Parameters
    ----------
    recording : BaseRecording
        With its probe.
    saturation_uv : float
        Where the amplifier saturates, on either side.
    """
    frequency, positions = recording.sampling_frequency, recording.get_channel_locations()
    from_middle = np.linalg.norm(positions - np.median(positions, axis=0), axis=1)
    nearest_first = np.argsort(from_middle, kind="stable")
    chosen = nearest_first[: max(1, int(_PARTIAL_SHARE * len(positions)))]
    everywhere = np.zeros(len(positions))
    # Twice the range: flat at its end, whatever the noise.
    high = np.full(round(_SATURATION_MS * frequency / 1000.0), 2.0 * saturation_uv)
    partly = np.where(np.isin(np.arange(len(positions)), chosen), 1.0, 0.0)
    from_site = _distances(positions, positions[nearest_first[:1]])
    shape = _stimulation(frequency) * saturation_uv
    return [
        Transient("saturation", high[:, None] * np.ones(len(positions)), everywhere),
        Transient(
            "partial_saturation", high[:, None] * partly, _distances(positions, positions[chosen])
        ),
        Transient("stimulation", shape[:, None] / (1.0 + from_site / _FALL_OFF_UM), from_site),
    ]


def _stimulation(frequency: float) -> np.ndarray:
    """Shape a biphasic pulse and its tail, with a peak of 1."""
    phase = max(1, round(_PULSE_MS * frequency / 1000.0))
    times_ms = np.arange(round(_TAIL_LENGTH_MS * frequency / 1000.0)) * 1000.0 / frequency
    tail = -_TAIL_SHARE * np.exp(-times_ms / _TAIL_DECAY_MS)
    return np.concatenate([np.ones(phase), -np.ones(phase), tail])


def _distances(positions: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Distance of each position to the nearest of some places."""
    return np.linalg.norm(positions[:, None] - places[None], axis=-1).min(axis=1)


def place_transients(recording: si.BaseRecording, transients: Sequence[Transient]) -> np.ndarray:
    """Choose where transients begin, in turn and around the middle of the first segment.

    Returns
    -------
    numpy.ndarray of int, shape (transients, events)
        At most five events each, fewer in a short recording, none in one too short for one each.
    """
    longest = max(len(transient.waveform_uv) for transient in transients)
    window = _window(recording)
    spacing = longest + 2 * window
    frames = recording.get_num_samples(0)
    events = min(_MOST_EVENTS, frames // (spacing * len(transients)))
    first = (frames - events * len(transients) * spacing) // 2 + window
    return first + spacing * np.arange(events * len(transients)).reshape(events, len(transients)).T


def add_transients(
    recording: si.BaseRecording,
    transients: Sequence[Transient],
    starts: np.ndarray,
    saturation_uv: float,
) -> si.BaseRecording:
    """Add transients to a recording, lazily, in its own integers.

    Parameters
    ----------
    recording : BaseRecording
        With gains to µV.
    transients : sequence of Transient
    starts : numpy.ndarray, shape (transients, events)
        Frames of the first segment.
    saturation_uv : float
        While a transient lasts, what exceeds this on either side is cut off.
    """
    if starts.size == 0:
        return recording
    longest = max(len(transient.waveform_uv) for transient in transients)
    patches = np.zeros((starts.size, longest, recording.get_num_channels()), np.float32)
    pairs = [
        (transient, start)
        for transient, row in zip(transients, starts, strict=True)
        for start in row.tolist()
    ]
    for patch, (transient, start) in zip(patches, pairs, strict=True):
        frames = len(transient.waveform_uv)
        before = recording.get_traces(0, start, start + frames, return_in_uV=True)
        after = np.clip(before + transient.waveform_uv, -saturation_uv, saturation_uv)
        reached = np.abs(transient.waveform_uv) > 0
        patch[:frames] = np.where(reached, after - before, 0.0)
    samples = np.array([start for _, start in pairs], dtype=np.int64)
    labels = np.arange(len(pairs))
    silent = [np.empty(0, dtype=np.int64)] * (recording.get_num_segments() - 1)
    events = si.NumpySorting.from_samples_and_labels(
        [samples, *silent], [labels, *silent], recording.sampling_frequency, unit_ids=labels
    )
    return add_to(recording, inject_spikes(events, patches, 0, recording))


def try_transients(
    truth: GroundTruth,
    condition: si.BaseRecording,
    pipeline: list[dict],
    model: Model | None,
    saturation_uv: float,
    noise_uv: float,
) -> pd.DataFrame:
    """Put transients into a recording and measure how far a condition spreads them.

    Parameters
    ----------
    truth : GroundTruth
        Of the recording.
    condition : BaseRecording
        The condition's output without transients, µV.
    pipeline : list of dict
        The condition's steps.
    model : Model, optional
        That the condition denoises with, if it does.
    saturation_uv, noise_uv : float
        See `make_transients` and `transient_spread`.

    Returns
    -------
    pandas.DataFrame
        See `transient_spread`.
    """
    transients = make_transients(truth.recording, saturation_uv)
    starts = place_transients(truth.recording, transients)
    disturbed = add_transients(truth.recording, transients, starts, saturation_uv)
    output = apply_condition(disturbed, pipeline, model, truth.parts())
    return transient_spread(output, condition, transients, starts, noise_uv)


def transient_spread(
    disturbed: si.BaseRecording,
    undisturbed: si.BaseRecording,
    transients: Sequence[Transient],
    starts: np.ndarray,
    noise_uv: float,
) -> pd.DataFrame:
    """Measure how far the output of a condition differs because of transients.

    A difference is the mean over events of its absolute value; in time the largest over channels,
    over the probe the largest of the frames in which the transient lasts.

    Parameters
    ----------
    disturbed, undisturbed : BaseRecording
        The condition's output with and without the transients, µV.
    transients : sequence of Transient
    starts : numpy.ndarray, shape (transients, events)
    noise_uv : float
        Differences up to this do not count for the reach: the reference condition's noise level,
        the same for every condition.

    Returns
    -------
    pandas.DataFrame
        transient; axis: `time_ms`, from the nearest end of the transient, negative before it, or
        `distance_um`, from the nearest contact it happens on; offset: the far end of a bin of
        0.1 ms or 20 µm, 0 for the transient itself; difference_uv: the largest of the bin; reach:
        largest offset with a difference above noise_uv, 0 without any; noise_uv; events. No rows
        without events; a transient of every channel has no distances.
    """
    tables = [
        _spread_of(disturbed, undisturbed, transient, row)
        for transient, row in zip(transients, starts, strict=True)
        if len(row)
    ]
    columns = ["transient", "axis", "offset", "difference_uv"]
    exact = pd.concat(tables) if tables else pd.DataFrame(columns=columns, dtype=float)
    return _binned(exact, noise_uv).assign(noise_uv=noise_uv, events=starts.shape[1])


def _spread_of(
    disturbed: si.BaseRecording,
    undisturbed: si.BaseRecording,
    transient: Transient,
    starts: np.ndarray,
) -> pd.DataFrame:
    """Differences by frame, and by channel while the transient lasts."""
    frames, window = len(transient.waveform_uv), _window(disturbed)
    total = np.zeros((frames + 2 * window, disturbed.get_num_channels()))
    for start in starts.tolist():
        with_it, without = (
            recording.get_traces(0, start - window, start + frames + window, return_in_uV=True)
            for recording in (disturbed, undisturbed)
        )
        total += np.abs(with_it.astype(float) - without)
    mean = total / len(starts)
    place = np.arange(-window, frames + window)
    late = np.where(place < 0, place, np.maximum(place - frames + 1, 0))
    in_time = pd.DataFrame(
        {
            "axis": "time_ms",
            "offset": late * 1000.0 / disturbed.sampling_frequency,
            "difference_uv": mean.max(axis=1),
        }
    )
    if not transient.distance_um.any():
        return in_time.assign(transient=transient.name)
    over_probe = pd.DataFrame(
        {
            "axis": "distance_um",
            "offset": transient.distance_um,
            "difference_uv": mean[window : window + frames].max(axis=0),
        }
    )
    return pd.concat([in_time, over_probe]).assign(transient=transient.name)


def _binned(exact: pd.DataFrame, noise_uv: float) -> pd.DataFrame:
    keys = ["transient", "axis"]
    width = exact["axis"].map({"time_ms": _TIME_BIN_MS, "distance_um": _DISTANCE_BIN_UM})
    # Rounded first: what lies at the end of a bin belongs to it.
    bins = np.ceil((exact["offset"].abs() / width).round(6)) * np.sign(exact["offset"])
    exact = exact.assign(
        far=exact["offset"].abs().where(exact["difference_uv"] > noise_uv, 0.0),
        offset=(bins * width).round(6),
    )
    reach = exact.groupby(keys, sort=False)["far"].max().rename("reach").reset_index()
    largest = exact.groupby([*keys, "offset"], sort=True)["difference_uv"].max().reset_index()
    return largest.merge(reach, on=keys)


def _window(recording: si.BaseRecording) -> int:
    return round(_WINDOW_MS * recording.sampling_frequency / 1000.0)
