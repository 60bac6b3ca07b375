"""A process that may not take longer, or more memory, than it is given."""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

_INTERVAL_S = 0.1
_GRACE_S = 5.0
_TRACKER = "multiprocessing.resource_tracker"


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes
    ----------
    status : str
        `ended` by itself, whatever its return code, `timeout` or `out_of_memory`.
    code : int or None
        Its return code, negative for a signal; None where it was ended here.
    seconds : float
        Wall time.
    peak_memory_mb : float
        Largest resident memory of the process and its children, MB.
    """

    status: str
    code: int | None
    seconds: float
    peak_memory_mb: float


def run_limited(
    command: Sequence[str],
    environment: Mapping[str, str],
    timeout_s: float | None = None,
    memory_mb: float | None = None,
) -> Ended:
    """Run a command in a process group of its own; end it and its children at a limit.

    Nothing that it started is left running when this returns or raises.

    Parameters
    ----------
    command : sequence of str
    environment : mapping of str to str
        All of its environment.
    timeout_s : float, optional
        Longest wall time.
    memory_mb : float, optional
        Largest resident memory of the process and its children, looked at ten times a second. What
        processes share counts once.

    Returns
    -------
    Ended
    """
    limit = float("inf") if memory_mb is None else memory_mb * 2**20
    end = float("inf") if timeout_s is None else timeout_s
    started, peak = time.perf_counter(), 0
    process = psutil.Popen(command, env=dict(environment), start_new_session=True)
    try:
        status, code = "ended", None
        while code is None and status == "ended":
            with suppress(psutil.TimeoutExpired):
                code = process.wait(_INTERVAL_S)
                break
            resident = _memory(process, "rss")
            peak = max(peak, resident)
            if resident > limit and _memory(process, "pss") > limit:
                status = "out_of_memory"
            elif time.perf_counter() - started > end:
                status = "timeout"
    finally:
        seconds = time.perf_counter() - started
        _end(process)
    return Ended(status, code, seconds, peak / 2**20)


def _memory(process: psutil.Process, field: str) -> int:
    """Sum over a process and its children, bytes; `rss` counts what they share several times."""
    total = 0
    for member in _family(process):
        with suppress(psutil.Error):
            if field == "rss":
                total += member.memory_info().rss
            else:
                full = member.memory_full_info()
                total += getattr(full, "pss", full.rss)
    return total


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _end(process: psutil.Process) -> None:
    """Kill a process, those it started, and those of its group that outlived it."""
    members = {*_family(process), *_group(process.pid)}
    # Python's tracker of shared memory ends by itself, and gives back what the others left.
    for member in members:
        with suppress(psutil.Error):
            if _TRACKER not in " ".join(member.cmdline()):
                member.kill()
    psutil.wait_procs(members, timeout=_GRACE_S)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _group(number: int) -> list[psutil.Process]:
    """List the processes of a group, those whose parent is gone among them."""
    found = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError):
            if os.getpgid(process.pid) == number:
                found.append(process)
    return found
