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
    read = si.load if reader == "load" else getattr(extractors, reader)

    def read_one(place):
        if not Path(place).exists():
            raise FileNotFoundError(f"no recording at {place}")
        recording = read(place, **(arguments or {}))
        if not recording.has_probe():
            raise ValueError(f"{place} has no probe: save it with one from SpikeInterface first")
        return recording

    facts = {
        "kind": "recorded",
        "exhaustive": False,
        "path": str(path),
        "training_path": None if training_path is None else str(training_path),
        "versions": {"spikeinterface": version("spikeinterface")},
    }
    training = None if training_path is None else read_one(training_path)
    return GroundTruth(recording=read_one(path), training_recording=training, facts=facts)
