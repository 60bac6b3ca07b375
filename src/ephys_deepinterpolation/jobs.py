"""What every job of the workflow does first, and what is said of those that fail."""

import _thread
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType

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
_FAILED = "Failed: "
_PACKAGE = __name__.partition(".")[0]


def start_job(log: Path | str, threads: int = 1) -> None:
    """Send this process's output to a log file and fix how many threads its libraries use.

    From here on it imports from its own environment alone, and this package from where it is.

    An exception that nobody catches is told on the terminal in one sentence, which ends the log,
    too, after the traceback.

    The process also ends itself when the Snakemake that started it is gone: killed without a
    chance to stop its jobs, it would otherwise leave them writing beside those of the next run.
    Asked to end, it first removes what is unfinished.

    To be called before numpy is imported. The number of threads is part of a result: sums are
    split over them, and the last bits of a float depend on how. It therefore comes from the
    configuration and never from the machine.
    """
    _keep_to_own_packages()
    os.environ.update(thread_limits(threads))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("MPLBACKEND", "Agg")
    terminal = os.dup(sys.stderr.fileno())
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(descriptor, stream.fileno())
    os.close(descriptor)
    sys.excepthook = _telling(terminal)
    signal.signal(signal.SIGTERM, _end_by_signal)
    _end_with_starter()


def says_why_it_failed(log: Path | str) -> bool:
    """Whether the log of a job that called `start_job` ends with the reason why it failed."""
    return Path(log).exists() and _last_line(log).startswith(_FAILED)


def what_went_wrong(log: Path | str | None, *, script: bool) -> str:
    """Say in a sentence why a job failed, as its log tells it.

    Parameters
    ----------
    log : path or None
        Its log file, if it has one.
    script : bool
        Whether the job called `start_job`; the log of another one ends with its error.
    """
    if log is None or not Path(log).exists():
        return "it ended before it said anything"
    last = _last_line(log)
    if last.startswith(_FAILED):
        return last.removeprefix(_FAILED)
    if script:
        return "it was killed, maybe by the system for want of memory"
    return last or "it ended without a word"


def _last_line(log: Path | str) -> str:
    lines = Path(log).read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _telling(terminal: int) -> Callable[..., None]:
    """Return the hook that tells of an exception in the log and, in short, on the terminal."""

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sentence = _FAILED + _sentence(error)
        # On a full disk the log takes no more, the terminal does.
        with suppress(OSError):
            traceback.print_exception(kind, error, trace)
            print(sentence, file=sys.stderr, flush=True)
        with suppress(OSError):
            os.write(terminal, f"{sentence}\n".encode())

    return tell


def _sentence(error: BaseException) -> str:
    """Return what an exception says, in one line; whose exception it is if it is not our own."""
    if isinstance(error, KeyboardInterrupt):
        return f"it was interrupted {error}".strip()
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return f"out of memory: {text or 'no more could be had'}"
    if type(error).__module__.partition(".")[0] == _PACKAGE and text:
        return text
    return f"{type(error).__name__}: {text}"


def _end_by_signal(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt("by SIGTERM, as a cluster does at a time limit")


def interpreter_of(environment: Path | str | list | None) -> str | None:
    """Return the Python of an environment that a rule installed, None where it names none."""
    return f"{environment}/bin/python" if environment else None


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
        # Let the main thread clean up; if it is deep in native code, do not wait for it. Not by
        # SIGINT, which is ignored where a shell started Snakemake in the background.
        _thread.interrupt_main(signal.SIGTERM)
        time.sleep(_GRACE_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
