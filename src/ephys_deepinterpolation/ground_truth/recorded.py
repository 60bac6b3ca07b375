"""Recordings of real tissue, whose true spikes nobody knows."""

from importlib.metadata import version
from pathlib import Path

import spikeinterface as si
import spikeinterface.extractors as extractors

from ephys_deepinterpolation.ground_truth.base import GroundTruth


def read_recorded(
    reader: str,
    path: Path | str,
    training_path: Path | str | None = None,
    arguments: dict | None = None,
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

    Raises
    ------
    FileNotFoundError
        There is nothing at one of the paths.
    """
    facts = {
        "kind": "recorded",
        "exhaustive": False,
        "path": str(path),
        "training_path": None if training_path is None else str(training_path),
        "versions": {"spikeinterface": version("spikeinterface")},
    }
    return GroundTruth(
        recording=read_recording(reader, path, arguments),
        training_recording=None
        if training_path is None
        else read_recording(reader, training_path, arguments),
        facts=facts,
    )


def read_recording(
    reader: str, path: Path | str, arguments: dict | None = None
) -> si.BaseRecording:
    """Read a recording that has a probe; see `read_recorded`.

    Raises
    ------
    FileNotFoundError
        There is nothing at the path.
    ValueError
        The recording has no probe.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"no recording at {path}")
    read = si.load if reader == "load" else getattr(extractors, reader)
    recording = read(path, **(arguments or {}))
    if not recording.has_probe():
        raise ValueError(f"{path} has no probe: save it with one from SpikeInterface first")
    return recording


def read_described(description: dict, fetched: Path | str) -> si.BaseRecording:
    """Read a recording as a configuration describes it.

    Parameters
    ----------
    description : dict
        `reader`, `path` and maybe `arguments`, see `read_recorded`; with a `source` the path
        starts from where that was fetched to.
    fetched : path
        The folder of the source; not used without one.
    """
    return read_recording(
        description["reader"], described_path(description, fetched), description.get("arguments")
    )


def described_path(description: dict, fetched: Path | str) -> Path:
    """Say where what a configuration describes is, see `read_described`."""
    path = Path(description["path"])
    return Path(fetched) / path if "source" in description else path
