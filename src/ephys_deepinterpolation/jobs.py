"""What every job of the workflow does first."""

import _thread
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)


_SHELLS = {"bash", "dash", "sh", "zsh"}
_WATCH_INTERVAL_S = 1.0
_GRACE_S = 5.0


def start_job(log: Path | str, threads: int = 1) -> None:
    """Send this process's output to a log file and fix how many threads its libraries use.

    From here on it imports from its own environment alone, and this package from where it is.

    The process also ends itself when the Snakemake that started it is gone: killed without a
    chance to stop its jobs, it would otherwise leave them writing beside those of the next run.

    To be called before numpy is imported. The number of threads is part of a result: sums are
    split over them, and the last bits of a float depend on how. It therefore comes from the
    configuration and never from the machine.
    """
    _keep_to_own_packages()
    os.environ.update(thread_limits(threads))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("MPLBACKEND", "Agg")
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(descriptor, stream.fileno())
    os.close(descriptor)
    _end_with_starter()


def thread_limits(threads: int) -> dict[str, str]:
    """Return the environment variables that fix how many threads numerical libraries use."""
    return dict.fromkeys(_THREAD_VARIABLES, str(threads)) | {"TF_NUM_INTEROP_THREADS": "1"}


def _keep_to_own_packages() -> None:
    """Take Snakemake's search path away, which it appends to that of a script's environment.

    A package that the environment lacks would be found there, on this machine at least. This
    package, once imported, finds its own modules.
    """
    ask = [sys.executable, "-c", "import json, sys; print(json.dumps(sys.path))"]
    told = subprocess.run(ask, capture_output=True, text=True, check=True).stdout
    own = {sys.path[0], *json.loads(told)}
    sys.path[:] = [folder for folder in sys.path if folder in own]


def _end_with_starter() -> None:
    """End this process when the Snakemake that started it does."""
    import psutil

    starter = next((p for p in psutil.Process().parents() if p.name() not in _SHELLS), None)
    if starter is None:
        return

    def watch():
        while starter.is_running() and starter.status() != psutil.STATUS_ZOMBIE:
            time.sleep(_WATCH_INTERVAL_S)
        print("the Snakemake that started this job is gone: the job stops", flush=True)
        # Let the main thread clean up; if it is deep in native code, do not wait for it.
        _thread.interrupt_main()
        time.sleep(_GRACE_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
