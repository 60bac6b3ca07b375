"""How a sorting went, beside the sorting itself."""

import json
from dataclasses import dataclass
from pathlib import Path

import spikeinterface as si

from ephys_deepinterpolation.files import check_sizes

# The sorter ran to its end; in any other status there is no result to be scored.
SORTED = ("ok", "empty")


@dataclass(frozen=True)
class SortingRun:
    """How a sorting went.

    Attributes
    ----------
    sorter : str
        SpikeInterface's name of it.
    version : str
        Of the sorter, or its container image; empty when the sorter is not installed or never
        came to say.
    mode : str
        `default` or `no-preprocessing`.
    status : str
        `ok`, `empty` (no unit found), `failed`, `timeout` or `out_of_memory`.
    error : str
        Last line of the error of a failed run, or what ended it.
    seconds : float
        Wall time of the sorter.
    peak_memory_mb : float
        Largest resident memory of the sorter's process and its children, MB.
    device : str
        `cuda` or `cpu`; empty when the sorter never came to say.
    deterministic : bool
        Whether the sorter, with this seed, number of threads and device, gives the same spikes
        when run again.
    parameters : dict
    seed, threads : int
    """

    sorter: str
    version: str
    mode: str
    status: str
    error: str
    seconds: float
    peak_memory_mb: float
    device: str
    deterministic: bool
    parameters: dict
    seed: int
    threads: int


def read_sorting(folder: Path | str) -> si.BaseSorting:
    """Read the sorting itself of a sorting's folder."""
    check_sizes(Path(folder))
    return si.load(Path(folder) / "sorting")


def read_run(folder: Path | str) -> SortingRun:
    """Read the `run.json` of a sorting's folder."""
    check_sizes(Path(folder))
    return SortingRun(**json.loads((Path(folder) / "run.json").read_text()))
