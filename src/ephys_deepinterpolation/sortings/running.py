"""Run one sorter on one recording; yield its result, or an honest failure."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import spikeinterface as si

from ephys_deepinterpolation.files import no_room, note_sizes, whole_folder
from ephys_deepinterpolation.jobs import thread_limits
from ephys_deepinterpolation.sortings.modes import parameters_of_mode, recording_of_mode
from ephys_deepinterpolation.sortings.processes import Ended, run_limited
from ephys_deepinterpolation.sortings.runs import SortingRun

_CHILD = Path(__file__).with_name("child.py")
_PACKAGES = str(Path(__file__).parents[2])
_SEED_PARAMETERS = {
    "kilosort4": "cluster_init_seed",
    "lupin": "seed",
    "mountainsort5": "whitening_seed",
    "simple": "seed",
    "spykingcircus2": "seed",
    "tridesclous2": "seed",
}
_THREAD_PARAMETERS = {"herdingspikes": "clustering_n_jobs"}
# Seen to give the same spikes each time, from the same seed and number of threads, on a CPU.
_DETERMINISTIC = {
    "herdingspikes",
    "kilosort4",
    "lupin",
    "mountainsort5",
    "simple",
    "spykingcircus2",
    "tridesclous",
    "tridesclous2",
}
_OWN_VARIABLES = {"PYTHONHOME", "PYTHONPATH"}
_NO_ROOM_MB = 1.0
_NO_MEMORY = re.compile(r"\w*MemoryError\b|can't allocate memory|out of memory", re.IGNORECASE)


@dataclass(frozen=True)
class SorterSettings:
    """Which sorter to run, and how.

    Attributes
    ----------
    sorter : str
        SpikeInterface's name of it.
    mode : str
        `default`, or `no-preprocessing` for the sorter's own filter, reference, whitening and
        correction of motion turned off as far as it allows.
    parameters : dict
        Over the sorter's defaults and those of the mode.
    threads : int
        Of each numerical library.
    memory_mb : float or None
        Resident memory beyond which the run is ended, MB.
    timeout_s : float or None
        Wall time after which the run is ended, s.
    container : str or None
        The image of a container to run the sorter in.
    engine : str
        `docker` or `singularity`, which runs the image.
    """

    sorter: str
    mode: str = "default"
    parameters: dict[str, Any] = field(default_factory=dict)
    threads: int = 1
    memory_mb: float | None = None
    timeout_s: float | None = None
    container: str | None = None
    engine: str = "docker"


def sort(
    recording: si.BaseRecording,
    settings: SorterSettings,
    seed: int,
    folder: Path | str,
    python: str | None = None,
) -> SortingRun:
    """Run a sorter and write `sorting/` and `run.json` to a folder that appears whole.

    The sorter has a process of its own, so that whatever happens to it is told in `run.json`: an
    exception, a crash, too long a time, too much memory. The sorting is then empty.

    Parameters
    ----------
    recording : BaseRecording
        Read as it is; each sorter's own preprocessing follows its mode and parameters.
    settings : SorterSettings
        A sorter that is not installed fails like any other.
    seed : int
        For sorters that take one and whose parameters do not set it, and for draws that no
        parameter reaches.
    folder : path
    python : str, optional
        The interpreter to run it with, by default this one; its environment needs SpikeInterface
        and the sorter.

    Raises
    ------
    ValueError
        For a mode that the sorter does not have.
    DiskFullError
        The disk was full, which is no failure of the sorter's.
    """
    parameters = _parameters(settings, seed)
    python = python or sys.executable
    with whole_folder(folder) as unfinished:
        scratch = unfinished / "scratch"
        scratch.mkdir()
        prepared = recording_of_mode(recording, settings.sorter, settings.mode, seed)
        _hand_over(prepared, settings, python, scratch)
        request = {
            "sorter": settings.sorter,
            "parameters": parameters,
            "seed": seed,
            "container": settings.container,
            "engine": settings.engine,
            "parent": os.getpid(),
            # Its steps may be in the recipe of a recording, which another interpreter is not given.
            "packages": [_PACKAGES] if python == sys.executable else [],
        }
        (scratch / "request.json").write_text(json.dumps(request))
        try:
            ended = run_limited(
                [python, "-P", str(_CHILD), str(scratch.absolute())],
                _environment(settings.threads, python),
                settings.timeout_s,
                settings.memory_mb,
            )
        finally:
            if settings.container is not None:
                _remove_containers(settings.engine, scratch)
        result = _result(scratch)
        status, error = _status(ended, result["error"], settings)
        if status != "ok":
            _check_room(error, scratch)
        sorting = _no_units(recording)
        if status == "ok":
            sorting = si.NumpySorting.from_sorting(si.load(scratch / "found"))
            status = "ok" if len(sorting.unit_ids) else "empty"
        # A sorter that was ended leaves its files there, a copy of the recording maybe among them.
        shutil.rmtree(scratch, ignore_errors=True)
        run = SortingRun(
            sorter=settings.sorter,
            version=result["version"],
            mode=settings.mode,
            status=status,
            error=error,
            seconds=result["seconds"] or ended.seconds,
            peak_memory_mb=ended.peak_memory_mb,
            device=result["device"],
            deterministic=_is_deterministic(settings, result["device"]),
            parameters=parameters,
            seed=seed,
            threads=settings.threads,
        )
        sorting.save(folder=unfinished / "sorting", format="numpy_folder")
        (unfinished / "run.json").write_text(json.dumps(asdict(run), indent=2) + "\n")
        note_sizes(unfinished)
    return run


def _parameters(settings: SorterSettings, seed: int) -> dict[str, Any]:
    """Put the parameters together, those that the user gave last."""
    parameters = parameters_of_mode(settings.sorter, settings.mode)
    if settings.sorter in _SEED_PARAMETERS:
        parameters = {_SEED_PARAMETERS[settings.sorter]: seed, **parameters}
    if settings.sorter in _THREAD_PARAMETERS:
        parameters = {_THREAD_PARAMETERS[settings.sorter]: settings.threads, **parameters}
    return {**parameters, **settings.parameters}


def _hand_over(
    recording: si.BaseRecording, settings: SorterSettings, python: str, scratch: Path
) -> None:
    """Put the recording where the sorter's process finds it: as a recipe, or as traces."""
    written = python != sys.executable or settings.container is not None
    if settings.sorter == "herdingspikes":
        # It reads places from this property alone, which a recipe does not keep.
        recording = recording.select_channels(recording.channel_ids)
        recording.set_property("location", recording.get_channel_locations())
        written = True
    if not written and recording.check_serializability("json"):
        recording.dump_to_json(scratch / "recording.json", include_properties=True)
    else:
        recording.save(
            folder=scratch / "recording", n_jobs=1, chunk_duration="1s", progress_bar=False
        )


def _environment(threads: int, python: str) -> dict[str, str]:
    environment = os.environ | thread_limits(threads) | {"PYTHONHASHSEED": "0", "MPLBACKEND": "Agg"}
    if python != sys.executable:
        # These name modules of this interpreter.
        environment = {
            name: value for name, value in environment.items() if name not in _OWN_VARIABLES
        }
    return environment


def _result(scratch: Path) -> dict[str, Any]:
    """Read what the sorter's process had to say, if it came to that."""
    path = scratch / "result.json"
    if path.exists():
        return json.loads(path.read_text())
    return {"error": None, "version": "", "device": "", "seconds": None}


def _status(ended: Ended, error: str | None, settings: SorterSettings) -> tuple[str, str]:
    """Return the status of a run and what to tell of it, before its units are counted."""
    if error is not None:
        no_memory = _NO_MEMORY.search(error)
        return ("out_of_memory" if no_memory else "failed") if error else "ok", error
    if ended.status == "timeout":
        return "timeout", f"still running after {settings.timeout_s:g} s"
    if ended.status == "out_of_memory":
        return "out_of_memory", f"took more than {settings.memory_mb:g} MB"
    if ended.code == -signal.SIGKILL:
        return "out_of_memory", "killed by signal 9 (SIGKILL), as where a system has no memory left"
    if ended.code is not None and ended.code < 0:
        name = signal.Signals(-ended.code).name
        return "failed", f"killed by signal {-ended.code} ({name})"
    return "failed", f"ended with exit code {ended.code} and no result"


def _check_room(error: str, scratch: Path) -> None:
    """Raise what the system says of a full disk, if that ended a run."""
    number = no_room(OSError(error))
    if number is None and shutil.disk_usage(scratch).free < _NO_ROOM_MB * 1e6:
        number = errno.ENOSPC
    if number is not None:
        raise OSError(number, os.strerror(number))


def _is_deterministic(settings: SorterSettings, device: str) -> bool:
    known = settings.sorter in _DETERMINISTIC and settings.container is None
    return known and device != "cuda"


def _remove_containers(engine: str, scratch: Path) -> None:
    """Remove what a run that was ended left: a container is no child of the sorter's process."""
    if engine != "docker" or shutil.which("docker") is None:
        return
    mounted = ["docker", "ps", "--all", "--quiet", "--filter", f"volume={scratch.resolve()}"]
    left = subprocess.run(mounted, capture_output=True, text=True, check=False).stdout.split()
    if left:
        subprocess.run(["docker", "rm", "--force", *left], capture_output=True, check=False)


def _no_units(recording: si.BaseRecording) -> si.BaseSorting:
    segments = recording.get_num_segments()
    return si.NumpySorting.from_unit_dict([{}] * segments, recording.get_sampling_frequency())
