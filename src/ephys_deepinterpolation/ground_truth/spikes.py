"""Spikes without noise: the templates of units, each spike scaled, shifted and displaced."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import spikeinterface as si

from ephys_deepinterpolation.ground_truth.alike import RecordingLike, SegmentLike

SHIFTS_PER_FRAME = 16
VARIATION = {"amplitude_factor": 1.0, "shift_frames": 0.0, "displacement_um": 0.0}
_ARRAYS = ("displacements_um", "first_channel", "waveforms")


@dataclass(frozen=True)
class DisplacedTemplates:
    """Templates of units that have moved along the probe, on the channels they reach.

    Attributes
    ----------
    displacements_um : array (displacements,)
        Ascending, µm along the probe; between two of them templates are interpolated linearly.
    first_channel : array (units,)
        First of the neighbouring channels that the waveforms of a unit are on.
    waveforms : array (units, displacements, frames, width), float32
        µV; zero on all other channels.
    """

    displacements_um: np.ndarray
    first_channel: np.ndarray
    waveforms: np.ndarray

    @classmethod
    def gather(
        cls, displacements_um: np.ndarray, units: Iterable[np.ndarray]
    ) -> "DisplacedTemplates":
        """Keep what is not zero.

        Parameters
        ----------
        displacements_um : array (displacements,)
        units : iterable of arrays (displacements, frames, channels)
            µV. One unit after the other, so that not all of them need be in memory.
        """
        firsts, kept, channels = [], [], 0
        for templates in units:
            channels = templates.shape[-1]
            reached = np.flatnonzero(templates.any(axis=(0, 1)))
            first, last = (reached[0], reached[-1] + 1) if len(reached) else (0, 1)
            firsts.append(first)
            kept.append(templates[:, :, first:last].astype(np.float32))
        width = max(templates.shape[-1] for templates in kept)
        first_channel = np.minimum(firsts, channels - width)
        waveforms = np.zeros((len(kept), *kept[0].shape[:2], width), np.float32)
        for index, templates in enumerate(kept):
            start = firsts[index] - first_channel[index]
            waveforms[index, :, :, start : start + templates.shape[-1]] = templates
        return cls(np.asarray(displacements_um, float), first_channel, waveforms)

    def at(self, unit: int, displacement_um: float) -> np.ndarray:
        """Template of a unit, by its index, at a displacement: (frames, width), µV."""
        moved = self.waveforms[unit]
        if len(moved) == 1:
            return moved[0]
        place = np.interp(displacement_um, self.displacements_um, np.arange(len(moved)))
        below = min(int(place), len(moved) - 2)
        share = np.float32(place - below)
        return (1 - share) * moved[below] + share * moved[below + 1]

    def dense(self, channels: int) -> np.ndarray:
        """Templates of units that have not moved, on all channels: (units, frames, channels)."""
        templates = np.zeros((len(self.waveforms), self.waveforms.shape[2], channels), np.float32)
        for unit, first in enumerate(self.first_channel):
            resting = self.at(unit, 0.0)
            templates[unit, :, first : first + resting.shape[1]] = resting
        return templates

    def save(self, folder: Path) -> None:
        """Write the arrays to a new folder."""
        folder.mkdir()
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> "DisplacedTemplates":
        """Read what `save` wrote; waveforms stay on disk."""
        return cls(
            *(
                np.load(folder / f"{name}.npy", mmap_mode="r" if name == "waveforms" else None)
                for name in _ARRAYS
            )
        )


def inject_spikes(
    sorting: si.BaseSorting,
    templates: np.ndarray | DisplacedTemplates,
    nbefore: int,
    like: si.BaseRecording,
    variation: pd.DataFrame | None = None,
) -> si.BaseRecording:
    """Add up templates at the spikes of a sorting, on silence.

    Parameters
    ----------
    sorting : BaseSorting
        The spikes.
    templates : array (units, frames, channels) or DisplacedTemplates
        Of the units of the sorting, in their order, µV.
    nbefore : int
        Frames of a template before its spike.
    like : BaseRecording
        Whose channels, probe and durations the result takes.
    variation : DataFrame, optional
        One row per spike, in the order of `sorting.to_spike_vector()`. `amplitude_factor` scales
        the template (1 if there is no such column), `shift_frames` delays it by less than a frame,
        to the nearest sixteenth (0), `displacement_um` says how far the unit has moved (0).

    Returns
    -------
    BaseRecording
        Lazy, µV, float32; the same whatever chunks it is read in.

    Raises
    ------
    ValueError
        The table has another number of rows than there are spikes, or a column of another name.
    """
    if not isinstance(templates, DisplacedTemplates):
        templates = DisplacedTemplates.gather(np.zeros(1), (each[None] for each in templates))
    return SpikesRecording(sorting, templates, nbefore, like, variation)


class SpikesRecording(RecordingLike):
    """The spikes of a sorting on silence; see `inject_spikes`."""

    def __init__(
        self,
        sorting: si.BaseSorting,
        templates: DisplacedTemplates,
        nbefore: int,
        like: si.BaseRecording,
        variation: pd.DataFrame | None = None,
    ):
        super().__init__(like)
        spikes = sorting.to_spike_vector()
        table = _complete(variation, len(spikes))
        for segment in range(like.get_num_segments()):
            rows = slice(*np.searchsorted(spikes["segment_index"], [segment, segment + 1]))
            self.add_recording_segment(
                _SpikesSegment(
                    spikes[rows], templates, nbefore, like.segments[segment], table.iloc[rows]
                )
            )
        self._serializability["json"] = False
        self._kwargs = {
            "sorting": sorting,
            "templates": templates,
            "nbefore": nbefore,
            "like": like,
            "variation": variation,
        }


class _SpikesSegment(SegmentLike):
    def __init__(
        self,
        spikes: np.ndarray,
        templates: DisplacedTemplates,
        nbefore: int,
        like: si.BaseRecordingSegment,
        variation: pd.DataFrame,
    ):
        super().__init__(like)
        self._templates = templates
        self._starts = spikes["sample_index"].astype(np.int64) - nbefore
        self._units = spikes["unit_index"]
        self._factors = variation["amplitude_factor"].to_numpy(np.float32)
        self._displacements = variation["displacement_um"].to_numpy(float)
        shifts = np.rint(variation["shift_frames"].to_numpy(float) * SHIFTS_PER_FRAME)
        self._shifts = shifts.astype(np.int64)
        frames = templates.waveforms.shape[2]
        self._delays = {
            int(shift): _delay(frames, shift / SHIFTS_PER_FRAME)
            for shift in np.unique(self._shifts[self._shifts != 0])
        }

    def get_traces(self, start_frame, end_frame, channel_indices):
        channels = self.parent_extractor.get_num_channels()
        frames, width = self._templates.waveforms.shape[2:]
        traces = np.zeros((end_frame - start_frame, channels), np.float32)
        first, last = np.searchsorted(self._starts, [start_frame - frames + 1, end_frame])
        for spike in range(first, last):
            start = int(self._starts[spike]) - start_frame
            inside = slice(max(0, -start), min(frames, len(traces) - start))
            channel = self._templates.first_channel[self._units[spike]]
            target = traces[start + inside.start : start + inside.stop, channel : channel + width]
            target += self._waveform(spike)[inside]
        return traces if channel_indices is None else traces[:, channel_indices]

    def _waveform(self, spike: int) -> np.ndarray:
        waveform = self._templates.at(self._units[spike], self._displacements[spike])
        if self._shifts[spike]:
            waveform = self._delays[int(self._shifts[spike])] @ waveform
        factor = self._factors[spike]
        return waveform if factor == 1 else factor * waveform


def _complete(variation: pd.DataFrame | None, spikes: int) -> pd.DataFrame:
    """Fill in what a table of variation does not say."""
    if variation is None:
        variation = pd.DataFrame(index=range(spikes))
    unknown = [name for name in variation.columns if name not in VARIATION]
    if unknown:
        raise ValueError(
            f"unknown column {unknown[0]} in the table of spikes: there may be "
            f"{', '.join(VARIATION)}"
        )
    if len(variation) != spikes:
        raise ValueError(
            f"the table of spikes has {len(variation)} rows, but the sorting has {spikes} spikes"
        )
    missing = {name: value for name, value in VARIATION.items() if name not in variation}
    return variation.assign(**missing)


def _delay(frames: int, shift: float) -> np.ndarray:
    """Matrix that delays a waveform by part of a frame, without a change of its spectrum."""
    phases = np.exp(-2j * np.pi * np.fft.rfftfreq(frames) * shift)
    spectra = np.fft.rfft(np.eye(frames), axis=0) * phases[:, None]
    return np.fft.irfft(spectra, frames, axis=0).astype(np.float32)
