"""Recordings of real tissue, whose true spikes nobody knows."""

from importlib.metadata import version
from pathlib import Path

import spikeinterface as si

from ephys_deepinterpolation.ground_truth.base import GroundTruth
from ephys_deepinterpolation.ground_truth.completeness import (
    UnusableError,
    refuse_cut_off,
    refuse_unusable,
)
from ephys_deepinterpolation.strangers import UnsafeFileError, read_with


def read_recorded(
    reader: str,
    path: Path | str,
    training_path: Path | str | None = None,
    arguments: dict | None = None,
    start_s: float = 0.0,
    duration_s: float | None = None,
) -> GroundTruth:
    """Read a recording with any of SpikeInterface's readers.

    Parameters
    ----------
    reader : str
        Name of a function of `spikeinterface.extractors`, such as `read_spikeglx`, or `load` for
        a recording that SpikeInterface saved.
    path : path
        First argument of the reader.
    training_path : path, optional
        Another recording with the same probe and channels, to train models on.
    arguments : dict, optional
        Further arguments of the reader.
    start_s, duration_s : float
        The excerpt of either recording, see `read_recording`.

    Raises
    ------
    FileNotFoundError
        There is nothing at one of the paths.
    ValueError
        A recording cannot be read, is cut off or too short for the excerpt, has no probe or no
        gains, is constant, or holds values that are not finite.
    """
    facts = {
        "kind": "recorded",
        "exhaustive": False,
        "path": str(path),
        "training_path": None if training_path is None else str(training_path),
        "start_s": start_s,
        "duration_s": duration_s,
        "versions": {"spikeinterface": version("spikeinterface")},
    }
    return GroundTruth(
        recording=read_recording(reader, path, arguments, start_s, duration_s),
        training_recording=None
        if training_path is None
        else read_recording(reader, training_path, arguments, start_s, duration_s),
        facts=facts,
    )


def read_recording(
    reader: str,
    path: Path | str,
    arguments: dict | None = None,
    start_s: float = 0.0,
    duration_s: float | None = None,
) -> si.BaseRecording:
    """Read a recording that has a probe; see `read_recorded`.

    Parameters
    ----------
    reader, path, arguments
        See `read_recorded`.
    start_s : float
        Where the excerpt begins, from the start of the recording.
    duration_s : float, optional
        How long the excerpt is; up to the end by default.

    Raises
    ------
    FileNotFoundError
        There is nothing at the path.
    ValueError
        It cannot be read, is cut off or too short for the excerpt, has no probe or no gains, is
        constant, or holds values that are not finite.
    """
    recording = read_traces(reader, path, arguments)
    if not recording.has_probe():
        raise ValueError(f"{path} has no probe: save it with one from SpikeInterface first")
    start, end = excerpt_frames(recording, start_s, duration_s)
    if (start, end) != (0, None):
        recording = recording.frame_slice(start, end)
    refuse_unusable(recording, path)
    return recording


def read_traces(reader: str, path: Path | str, arguments: dict | None = None) -> si.BaseRecording:
    """Read channels, with or without a probe; see `read_recorded`.

    Raises
    ------
    FileNotFoundError
        There is nothing at the path.
    UnsafeFileError
        Reading could run what somebody else wrote, see `read_with`.
    ValueError
        It cannot be read, is cut off, or holds no frames.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"no recording at {path}")
    try:
        recording = read_with(reader, path, arguments)
        refuse_cut_off(recording, reader, path)
    except (UnusableError, UnsafeFileError):
        raise
    # Readers raise whatever goes wrong with what they find.
    except Exception as error:
        lines = str(error).strip().splitlines()
        raise ValueError(
            f"{path} cannot be read with {reader} ({type(error).__name__}: {(lines or [''])[0]}): "
            "is it whole, of this format, and are the arguments right?"
        ) from error
    return recording


def excerpt_frames(
    recording: si.BaseRecording, start_s: float, duration_s: float | None
) -> tuple[int, int | None]:
    """Say which frames an excerpt begins and ends with; None for the end of the recording.

    Raises
    ------
    ValueError
        The recording is too short, or has several segments.
    """
    if start_s == 0 and duration_s is None:
        return 0, None
    if recording.get_num_segments() > 1:
        raise ValueError(
            f"the recording has {recording.get_num_segments()} segments, of which no excerpt can "
            "be taken: leave out start_s and duration_s"
        )
    frequency, frames = recording.get_sampling_frequency(), recording.get_num_samples(0)
    start = round(start_s * frequency)
    end = frames if duration_s is None else round((start_s + duration_s) * frequency)
    if start >= frames or end > frames:
        wanted = "on" if duration_s is None else f"to {start_s + duration_s:g} s"
        raise ValueError(
            f"the recording lasts {frames / frequency:g} s: there is no excerpt from {start_s:g} s "
            f"{wanted}"
        )
    return start, end


def read_described(description: dict, fetched: Path | str) -> si.BaseRecording:
    """Read a recording as a configuration describes it.

    Parameters
    ----------
    description : dict
        `reader`, `path` and maybe `arguments`, `start_s` and `duration_s`, see `read_recording`;
        with a `source` the path starts from where that was fetched to.
    fetched : path
        The folder of the source; not used without one.
    """
    return read_recording(
        description["reader"],
        described_path(description, fetched),
        description.get("arguments"),
        description.get("start_s", 0.0),
        description.get("duration_s"),
    )


def described_path(description: dict, fetched: Path | str) -> Path:
    """Say where what a configuration describes is, see `read_described`."""
    path = Path(description["path"])
    return Path(fetched) / path if "source" in description else path
