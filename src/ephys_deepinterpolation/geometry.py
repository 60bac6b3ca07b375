"""From contact positions to the image a network sees, and back, exactly.

A probe's contacts become, per shank, an image of rows (depth) and columns (across the shank). Rows
follow a lattice of the probe's pitch, so that a missing or removed contact leaves a hole and not a
shift; holes are filled with zeros and masked in the loss.
"""

from dataclasses import dataclass

import numpy as np
from spikeinterface.core import BaseRecording

# Coarser, it would make rows 12.5 µm apart uneven, and holes between them would close.
_POSITION_TOLERANCE_UM = 0.1
_LARGEST_GAP_ROWS = 8


class GeometryError(ValueError):
    """The contacts of a recording cannot be laid out as an image."""


@dataclass(frozen=True)
class ProbeImage:
    """Where each channel of a recording lies in the image of its shank.

    Attributes
    ----------
    shank, row, column : numpy.ndarray of int, shape (channels,)
        Position of each channel.
    shape : tuple of int
        Shanks, rows and columns of the image.
    row_pitch_um : float
        Distance between neighbouring rows, µm; 0 when there is one row.
    """

    shank: np.ndarray
    row: np.ndarray
    column: np.ndarray
    shape: tuple[int, int, int]
    row_pitch_um: float

    @property
    def mask(self) -> np.ndarray:
        """Whether a pixel holds a contact: bool, shape (shanks, rows, columns)."""
        mask = np.zeros(self.shape, dtype=bool)
        mask[self.shank, self.row, self.column] = True
        return mask

    def to_image(self, traces: np.ndarray) -> np.ndarray:
        """Lay traces (frames, channels) out as (frames, shanks, rows, columns); holes are zero."""
        image = np.zeros((len(traces), *self.shape), dtype=traces.dtype)
        image[:, self.shank, self.row, self.column] = traces
        return image

    def from_image(self, image: np.ndarray) -> np.ndarray:
        """Read (frames, shanks, rows, columns) back as traces (frames, channels)."""
        return image[:, self.shank, self.row, self.column]


def image_of_recording(recording: BaseRecording) -> ProbeImage:
    """Lay out the contacts of a recording's probe.

    Raises
    ------
    GeometryError
        The recording has no probe, several probes, or two contacts at one place.
    """
    if not recording.has_probe():
        raise GeometryError("the recording has no probe: attach one with recording.set_probe()")
    probes = recording.get_probegroup().probes
    if len(probes) > 1:
        raise GeometryError(
            f"the recording has {len(probes)} probes: split it with recording.split_by('group') "
            "and treat each on its own"
        )
    probe = recording.get_probe()
    return image_of_positions(probe.contact_positions[:, :2], probe.shank_ids)


def image_of_positions(positions: np.ndarray, shanks: np.ndarray | None = None) -> ProbeImage:
    """Lay out contacts.

    Parameters
    ----------
    positions : numpy.ndarray, shape (channels, 2)
        Across (x) and along (y) the probe, µm, in the order of the channels.
    shanks : numpy.ndarray, shape (channels,), optional
        Identity of each contact's shank; one shank by default.

    Raises
    ------
    GeometryError
        Two contacts lie at one place.
    """
    positions = np.round(np.asarray(positions, dtype=float) / _POSITION_TOLERANCE_UM)
    positions = positions * _POSITION_TOLERANCE_UM
    labels = np.zeros(len(positions), int) if shanks is None else shanks
    names, shank = np.unique(labels, return_inverse=True)
    heights = [np.unique(positions[shank == index, 1]) for index in range(len(names))]
    pitch = _pitch(heights)
    row = np.zeros(len(positions), dtype=int)
    column = np.zeros(len(positions), dtype=int)
    for index, levels in enumerate(heights):
        members = np.flatnonzero(shank == index)
        level = np.searchsorted(levels, positions[members, 1])
        row[members] = _rows(levels, pitch)[level]
        column[members] = _columns(positions[members, 0], row[members])
    _refuse_overlaps(positions, shank, row, column)
    return ProbeImage(
        shank=shank,
        row=row,
        column=column,
        shape=(len(names), int(row.max()) + 1, int(column.max()) + 1),
        row_pitch_um=pitch,
    )


def _pitch(heights: list[np.ndarray]) -> float:
    """Smallest step between rows, over all shanks, µm."""
    steps = np.concatenate([np.diff(levels) for levels in heights])
    return float(steps.min()) if len(steps) else 0.0


def _rows(levels: np.ndarray, pitch: float) -> np.ndarray:
    """Row of each height: on the lattice of the pitch, wide gaps between banks cut short."""
    if len(levels) == 1:
        return np.zeros(1, dtype=int)
    steps = np.minimum(np.diff(levels) / pitch, _LARGEST_GAP_ROWS)
    on_lattice = np.allclose(steps, np.round(steps), atol=0.1)
    gaps = np.round(steps) if on_lattice else np.ones(len(steps))
    return np.concatenate([[0], np.cumsum(gaps)]).astype(int)


def _columns(x: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Column of each contact of a shank; staggered contacts share a column."""
    places = np.unique(x)
    column_of = {}
    column = 0
    rows_taken: set[int] = set()
    for place in places:
        rows = set(row[x == place])
        if rows_taken & rows:
            column, rows_taken = column + 1, set()
        rows_taken |= rows
        column_of[place] = column
    return np.array([column_of[place] for place in x], dtype=int)


def _refuse_overlaps(
    positions: np.ndarray, shank: np.ndarray, row: np.ndarray, column: np.ndarray
) -> None:
    _, first, counts = np.unique(
        np.stack([shank, row, column]), axis=1, return_index=True, return_counts=True
    )
    if (counts > 1).any():
        x, y = positions[first[np.argmax(counts)]]
        raise GeometryError(f"several contacts lie at x = {x:g} µm, y = {y:g} µm of one shank")
