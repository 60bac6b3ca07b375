"""Run one sorter on one recording; yield its result, or an honest failure."""

import inspect
import json
import shutil
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import spikeinterface as si
from spikeinterface.sorters import run_sorter, sorter_dict

from ephys_deepinterpolation.files import whole_folder

_MEMORY_INTERVAL_S = 0.1
_SEED_PARAMETERS = {
    "lupin": "seed",
    "mountainsort5": "whitening_seed",
    "spykingcircus2": "seed",
    "tridesclous2": "seed",
}
# Sorters seen to give the same spikes each time, from the same seed and number of threads.
_DETERMINISTIC = {"mountainsort5", "spykingcircus2"}


@dataclass(frozen=True)
class SortingRun:
    """How a sorting went.

    Attributes
    ----------
    sorter, version : str
        The version is empty when the sorter is not installed.
    status : str
        `ok`, `empty` (no unit found) or `failed`.
    error : str
        Last line of the error of a failed run.
    seconds : float
        Wall time.
    peak_memory_mb : float
        Largest resident memory of this process and its children, MB.
    deterministic : bool
        Whether the sorter gives the same spikes when run again.
    parameters : dict
    """

    sorter: str
    version: str
    status: str
    error: str
    seconds: float
    peak_memory_mb: float
    deterministic: bool
    parameters: dict


def sort(
    recording: si.BaseRecording, sorter: str, parameters: dict, seed: int, folder: Path | str
) -> SortingRun:
    """Run a sorter and write `sorting/` and `run.json` to a folder that appears whole.

    An exception of the sorter is caught and told in `run.json`; the sorting is then empty.

    Parameters
    ----------
    recording : BaseRecording
        Read as it is; each sorter's own preprocessing follows its parameters.
    sorter : str
        SpikeInterface's name of it; one that is not installed fails like any other.
    parameters : dict
        Over the sorter's defaults.
    seed : int
        For sorters that take one and whose parameters do not set it.
    folder : path
    """
    if sorter in _SEED_PARAMETERS:
        parameters = {_SEED_PARAMETERS[sorter]: seed, **parameters}
    if sorter == "spykingcircus2":
        _seed_matched_filtering(seed)
    installed = sorter_dict[sorter].is_installed()
    with whole_folder(folder) as unfinished:
        started = time.perf_counter()
        error = ""
        with _peak_memory() as memory:
            try:
                if not installed:
                    raise ModuleNotFoundError(f"the sorter {sorter} is not installed")
                sorting = run_sorter(
                    sorter,
                    recording,
                    folder=unfinished / "scratch",
                    delete_output_folder=True,
                    verbose=False,
                    **parameters,
                )
            except Exception as exception:
                traceback.print_exc()
                error = _last_line(exception)
                sorting = _no_units(recording)
        seconds = time.perf_counter() - started
        sorting = si.NumpySorting.from_sorting(sorting.remove_empty_units())
        # A failed sorter leaves its files there, a copy of the recording maybe among them.
        shutil.rmtree(unfinished / "scratch", ignore_errors=True)
        status = "failed" if error else ("ok" if len(sorting.unit_ids) else "empty")
        run = SortingRun(
            sorter=sorter,
            version=str(sorter_dict[sorter].get_sorter_version()) if installed else "",
            status=status,
            error=error,
            seconds=seconds,
            peak_memory_mb=memory["peak"] / 2**20,
            deterministic=sorter in _DETERMINISTIC,
            parameters=parameters,
        )
        sorting.save(folder=unfinished / "sorting", format="numpy_folder")
        (unfinished / "run.json").write_text(json.dumps(asdict(run), indent=2) + "\n")
    return run


def read_run(folder: Path | str) -> SortingRun:
    """Read the `run.json` of a sorting's folder."""
    return SortingRun(**json.loads((Path(folder) / "run.json").read_text()))


def _seed_matched_filtering(seed: int) -> None:
    """Seed the one draw of spykingcircus2 that no parameter of it reaches.

    In SpikeInterface 0.105, its peak detector estimates thresholds on chunks drawn without a seed
    unless the default of `random_chunk_kwargs`, a dictionary, holds one.
    """
    from spikeinterface.sortingcomponents.peak_detection.matched_filtering import (
        MatchedFilteringPeakDetector,
    )

    signature = inspect.signature(MatchedFilteringPeakDetector.__init__)
    signature.parameters["random_chunk_kwargs"].default["seed"] = seed


def _no_units(recording: si.BaseRecording) -> si.BaseSorting:
    segments = recording.get_num_segments()
    return si.NumpySorting.from_unit_dict([{}] * segments, recording.get_sampling_frequency())


def _last_line(exception: Exception) -> str:
    lines = [line.strip() for line in str(exception).splitlines()]
    # SpikeInterface ends with a sentence of its own on a log that is gone with the scratch folder.
    lines = [line for line in lines if line and not line.startswith("Spike sorting failed.")]
    return lines[-1] if lines else type(exception).__name__


@contextmanager
def _peak_memory() -> Iterator[dict[str, int]]:
    """Watch the resident memory of this process and its children while the block runs, bytes."""
    memory = {"peak": 0}
    finished = threading.Event()
    process = psutil.Process()

    def watch():
        while not finished.wait(_MEMORY_INTERVAL_S):
            memory["peak"] = max(memory["peak"], _resident(process))

    watcher = threading.Thread(target=watch, daemon=True)
    memory["peak"] = _resident(process)
    watcher.start()
    try:
        yield memory
    finally:
        finished.set()
        watcher.join()


def _resident(process: psutil.Process) -> int:
    total = 0
    for member in [process, *process.children(recursive=True)]:
        try:
            total += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
