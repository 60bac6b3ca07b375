"""Whether the files of a recording are whole, and hold what can be worked with."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import spikeinterface as si

from ephys_deepinterpolation.recording import units_of

_CHUNK_VALUES = 2**22
_MOST_NAMES = 5
_BYTES_OF_INT16 = 2
# Filters need some tens of frames.
_SHORTEST_MS = 10.0
# How Open Ephys calls the numbers of the frames beside them; the older name comes last.
_FRAME_NUMBERS = ("sample_numbers.npy", "timestamps.npy")


class UnusableError(ValueError):
    """A recording is not whole, or holds nothing to work with."""


def refuse_cut_off(recording: si.BaseRecording, reader: str, path: Path | str) -> None:
    """Refuse a recording whose files are shorter than they should be, or empty.

    Raises
    ------
    UnusableError
        A segment holds no frames; a binary file ends within a frame; a file of SpikeGLX or Open
        Ephys holds less than its metadata say.
    """
    segments = recording.get_num_segments()
    empty = [segment for segment in range(segments) if recording.get_num_samples(segment) == 0]
    if empty:
        which = f"segment {empty[0]} of {path}" if len(empty) < segments else str(path)
        raise UnusableError(f"{which} holds no frames: leave it out")
    less_than_told = _METADATA.get(reader, lambda folder: iter(()))
    for file, found, expected in [*_within_a_frame(recording), *less_than_told(Path(path))]:
        raise UnusableError(
            f"{file} is cut off, it holds {found} bytes of {expected}: copy it again from where "
            "it was recorded"
        )


def _within_a_frame(recording: si.BaseRecording) -> Iterator[tuple[Path, int, int]]:
    """Find binary files that end within a frame: bytes they hold, and would with all of it."""
    if not recording.is_binary_compatible():
        return
    description = recording.get_binary_description()
    frame = description["num_channels"] * np.dtype(description["dtype"]).itemsize
    for file in map(Path, description["file_paths"]):
        found = file.stat().st_size
        missing = -(found - description["file_offset"]) % frame
        if missing:
            yield file, found, found + missing


def _shorter_than_spikeglx_says(folder: Path) -> Iterator[tuple[Path, int, int]]:
    for meta in sorted(folder.rglob("*.meta")):
        file = meta.with_suffix(".bin")
        lines = meta.read_text(errors="replace").splitlines()
        told = [line.split("=")[1] for line in lines if line.startswith("fileSizeBytes=")]
        if file.exists() and told and file.stat().st_size < int(told[0]):
            yield file, file.stat().st_size, int(told[0])


def _shorter_than_open_ephys_says(folder: Path) -> Iterator[tuple[Path, int, int]]:
    """Compare with how many numbers of frames lie beside the frames."""
    for structure in sorted(folder.rglob("structure.oebin")):
        for stream in json.loads(structure.read_text())["continuous"]:
            place = structure.parent / "continuous" / stream["folder_name"]
            file = place / "continuous.dat"
            numbers = [place / name for name in _FRAME_NUMBERS if (place / name).exists()]
            if not (file.exists() and numbers):
                continue
            frames = len(np.load(numbers[0], mmap_mode="r"))
            told = frames * stream["num_channels"] * _BYTES_OF_INT16
            if file.stat().st_size < told:
                yield file, file.stat().st_size, told


_METADATA = {
    "read_spikeglx": _shorter_than_spikeglx_says,
    "read_openephys": _shorter_than_open_ephys_says,
}


def refuse_unusable(recording: si.BaseRecording, path: Path | str) -> None:
    """Refuse a recording too short, without gains or any signal, or with values not finite.

    Filters and references would spread a value that is not finite over time and channels. Floats,
    and formats that can be damaged anywhere, are read to the end, plain integers as far as it takes
    to find two values that differ.

    Raises
    ------
    UnusableError
        Which of them, and where.
    """
    segments = range(recording.get_num_segments())
    shortest = min(recording.get_duration(segment) for segment in segments) * 1000.0
    if shortest < _SHORTEST_MS:
        raise UnusableError(
            f"{path} has a segment of {shortest:g} ms: take a longer recording, at least "
            f"{_SHORTEST_MS:g} ms can be filtered and measured"
        )
    if not recording.has_scaleable_traces():
        raise UnusableError(
            f"{path} has no gains to µV: set them with recording.set_channel_gains() and "
            "recording.set_channel_offsets(), and save it again"
        )
    try:
        units_of(recording)
    except ValueError as error:
        raise UnusableError(f"{path}: {error}") from error
    may_be_broken = recording.get_dtype().kind == "f"
    to_the_end = may_be_broken or not recording.is_binary_compatible()
    broken = np.zeros(recording.get_num_channels(), int)
    first, moving = None, False
    for traces in _chunks(recording, path):
        first = traces[0] if first is None else first
        moving = moving or bool((traces != first).any())
        if may_be_broken:
            broken += np.count_nonzero(~np.isfinite(traces), axis=0)
        if moving and not to_the_end:
            break
    if broken.any():
        worst = np.argsort(-broken, kind="stable")[: np.count_nonzero(broken)]
        shares = broken / recording.get_total_samples()
        names = [f"{recording.channel_ids[one]} ({shares[one]:.2%})" for one in worst[:_MOST_NAMES]]
        raise UnusableError(
            f"{path} holds values that are not finite on {len(worst)} of {len(broken)} channels, "
            f"most on {', '.join(names)}: remove or interpolate them and save it again, or take "
            "an excerpt without such values"
        )
    if not moving:
        raise UnusableError(f"{path} is constant on every channel: there is nothing to sort")


def _chunks(recording: si.BaseRecording, path: Path | str) -> Iterator[np.ndarray]:
    frames = max(1, _CHUNK_VALUES // recording.get_num_channels())
    for segment in range(recording.get_num_segments()):
        length = recording.get_num_samples(segment)
        for start in range(0, length, frames):
            try:
                traces = recording.get_traces(segment, start, min(length, start + frames))
            # Whatever a format's own reader raises.
            except Exception as error:
                raise UnusableError(
                    f"{path} cannot be read from frame {start} of segment {segment} on ({error}): "
                    "copy it again from where it was recorded"
                ) from error
            yield traces
