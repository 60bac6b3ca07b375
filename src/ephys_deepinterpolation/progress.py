"""How far a study is: which dataset, which stage, how much is left, what failed.

While Snakemake runs, `RunLog` notes what becomes of each job, in a file of its results. Another
terminal reads it, on this machine or on another one that sees the same folder:

    python -m ephys_deepinterpolation.progress [results/logs/progress.jsonl]
"""

import argparse
import json
import logging
import os
import socket
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import psutil

from ephys_deepinterpolation.files import whole_file

RUN_LOG = Path("results/logs/progress.jsonl")
DONE, WAITING, AT_WORK, FAILED = "done", "waiting", "at work", "failed"
_STATES = {"job_info": AT_WORK, "job_finished": DONE, "job_error": FAILED}
# Each stage, in the order of the flow, and the folders or files of the results that it makes.
STAGES = {
    "preparation": ("sources", "environments", "templates", "mearec"),
    "ground truth": ("ground_truth", "ground_truth_checks"),
    "models": ("models",),
    "conditions": ("conditions",),
    "artifacts": ("artifacts", "trials", "noise_alone"),
    "sortings": ("sortings",),
    "comparisons": ("comparisons",),
    "tables": ("tables", "verdict.json"),
    "figures": ("figures", "paper"),
    "report": ("report.html", "cards", "published"),
}
# What jobs of the study as a whole have in place of a dataset.
_ALL = ""
# More would scroll away.
_SHOWN_DATASETS, _SHOWN_JOBS = 30, 10


class PlannedJob(NamedTuple):
    """A job of a run, before it starts.

    Attributes
    ----------
    number : int
        By which Snakemake calls the job.
    stage : str
    dataset : str
        Empty for jobs of the study as a whole.
    done : bool
        Whether its results are there already.
    """

    number: int
    stage: str
    dataset: str
    done: bool


def stage_of(name: str) -> str:
    """Name the stage that makes a folder, or a file, right below the results."""
    return next(stage for stage, names in STAGES.items() if name in names)


def event_of(record: logging.LogRecord) -> str:
    """Name what Snakemake's logger tells of, empty where that is nothing in particular."""
    return str(getattr(record, "event", "")).rpartition(".")[2].lower()


class RunLog(logging.Handler):
    """Notes what Snakemake's logger says of each job, one line of JSON each.

    Parameters
    ----------
    path : path
        Of the file, which is replaced.
    jobs : iterable of PlannedJob
    """

    def __init__(self, path: Path | str, jobs: Iterable[PlannedJob]):
        super().__init__()
        head = {
            "host": socket.gethostname(),
            "process": os.getpid(),
            "process_started": psutil.Process().create_time(),
            "started": time.time(),
            "jobs": list(jobs),
        }
        with whole_file(path) as unfinished:
            unfinished.write_text(json.dumps(head) + "\n")
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND)

    def emit(self, record: logging.LogRecord) -> None:
        """Note a job's start or end; whatever else Snakemake says is passed over."""
        state = _STATES.get(event_of(record))
        if state is None:
            return
        entry = {
            "job": getattr(record, "jobid", getattr(record, "job_id", None)),
            "state": state,
            "time": record.created,
            "message": getattr(record, "rule_msg", None),
        }
        # On a full disk, to go on is worth more than to be followed.
        with suppress(OSError):
            os.write(self._file, (json.dumps(entry) + "\n").encode())


@dataclass
class _Job:
    stage: str
    dataset: str
    state: str
    message: str = ""
    since: float = 0.0
    seconds: float = 0.0


@dataclass
class Progress:
    """What has become of the jobs of a run.

    Attributes
    ----------
    started, latest : float
        When the run started, and when a job last started or ended; seconds since 1970.
    running : bool or None
        Whether Snakemake is at work; None where it runs on another machine.
    """

    started: float
    latest: float
    running: bool | None
    jobs: Mapping[int, _Job] = field(repr=False)

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """Read what `RunLog` wrote."""
        with Path(path).open() as file:
            head = json.loads(next(file))
            jobs = {
                number: _Job(stage, dataset, DONE if done else WAITING)
                for number, stage, dataset, done in head["jobs"]
            }
            latest = head["started"]
            for line in file:
                try:
                    entry = json.loads(line)
                    job = jobs[entry["job"]]
                except (ValueError, KeyError):
                    continue  # a line cut off, or a job that makes no results
                latest = entry["time"]
                job.seconds = latest - job.since if entry["state"] == DONE else 0.0
                job.state, job.since = entry["state"], latest
                job.message = entry["message"] or job.message
        return cls(head["started"], latest, _is_running(head), jobs)

    def in_state(self, state: str) -> list[_Job]:
        """List the jobs in a state, first those that have been in it for longest."""
        return sorted(
            (job for job in self.jobs.values() if job.state == state), key=lambda job: job.since
        )

    def seconds_left(self) -> float | None:
        """Estimate how long the rest takes at the pace so far.

        Jobs still to be done take as long as those of their stage did in this run, as many at a
        time as so far. None as long as a stage has none to go by.
        """
        ended = defaultdict(list)
        for job in self.jobs.values():
            if job.seconds:
                ended[job.stage].append(job.seconds)
        left = [job.stage for state in (WAITING, AT_WORK) for job in self.in_state(state)]
        if not ended or not set(left) <= set(ended):
            return None
        spent = sum(sum(seconds) for seconds in ended.values())
        at_a_time = max(1.0, spent / max(1.0, self.latest - self.started))
        return sum(sum(ended[stage]) / len(ended[stage]) for stage in left) / at_a_time


def _is_running(head: Mapping[str, Any]) -> bool | None:
    if head["host"] != socket.gethostname():
        return None
    try:
        return abs(psutil.Process(head["process"]).create_time() - head["process_started"]) < 1.0
    except psutil.NoSuchProcess:
        return False


def describe(progress: Progress, now: float) -> str:
    """Say how far a run is, as text for a terminal of any width that a table of stages fits in."""
    parts = [_headline(progress, now), _stages_table(progress)]
    parts += [_listed("At work", progress.in_state(AT_WORK), now)] if progress.running else []
    parts += [_listed("Failed", progress.in_state(FAILED), now)]
    return "\n\n".join(part for part in parts if part)


def _headline(progress: Progress, now: float) -> str:
    count = Counter(job.state for job in progress.jobs.values())
    text = f"{count[DONE]} of {len(progress.jobs)} jobs done"
    for state in (AT_WORK, FAILED):
        text += f", {count[state]} {state}" if count[state] else ""
    text += f". Started {_ago(now - progress.started)}"
    text += f", last heard of {_ago(now - progress.latest)}"
    if count[DONE] == len(progress.jobs):
        return text + ". Everything is done."
    if progress.running is False:
        return text + ". Snakemake is not running: give its command again to go on."
    left = progress.seconds_left()
    return text + (f", about {_duration(left)} left." if left is not None else ".")


def _stages_table(progress: Progress) -> str:
    """Draw a table of datasets by stages: done of all, `*` at work, `!` failed."""
    cells: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for job in progress.jobs.values():
        for dataset in {job.dataset, _ALL}:
            cells[dataset, job.stage][job.state] += 1
    stages = [stage for stage in STAGES if (_ALL, stage) in cells]
    unfinished = [name for name in _datasets(progress) if not _finished(cells, name)]
    shown = unfinished[:_SHOWN_DATASETS]
    rows = [["dataset", *stages]]
    rows += [
        [name or "all", *(_cell(cells[name, stage]) for stage in stages)] for name in [*shown, _ALL]
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    hidden = {
        "done": len(_datasets(progress)) - len(unfinished),
        "unfinished": len(unfinished) - len(shown),
    }
    counted = " and ".join(f"{number} {kind}" for kind, number in hidden.items() if number)
    if counted:
        lines.insert(-1, f"(not shown: {counted})")
    return "\n".join(lines)


def _datasets(progress: Progress) -> list[str]:
    """Name the datasets, first those that something is done about."""
    names = dict.fromkeys(job.dataset for job in progress.jobs.values() if job.dataset)
    busy = {job.dataset for state in (AT_WORK, FAILED) for job in progress.in_state(state)}
    return sorted(names, key=lambda name: name not in busy)


def _finished(cells: Mapping[tuple[str, str], Counter[str]], dataset: str) -> bool:
    return all(set(states) == {DONE} for (name, _), states in cells.items() if name == dataset)


def _cell(states: Counter[str]) -> str:
    if not states:
        return "-"
    marks = ("*" if states[AT_WORK] else "") + ("!" if states[FAILED] else "")
    return f"{states[DONE]}/{states.total()}{marks}"


def _listed(title: str, jobs: list[_Job], now: float) -> str:
    if not jobs:
        return ""
    lines = [f"  {job.message} ({_ago(now - job.since)})" for job in jobs[:_SHOWN_JOBS]]
    more = [f"  and {len(jobs) - _SHOWN_JOBS} more"] if len(jobs) > _SHOWN_JOBS else []
    return "\n".join([f"{title}:", *lines, *more])


def _ago(seconds: float) -> str:
    return f"{_duration(seconds)} ago"


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{max(seconds, 0):.0f} s"


def main(arguments: list[str] | None = None) -> int | str:
    """Print how far the study in this folder is."""
    parser = argparse.ArgumentParser(
        prog="python -m ephys_deepinterpolation.progress", description=str(main.__doc__)
    )
    parser.add_argument("log", nargs="?", type=Path, default=RUN_LOG, help=f"default: {RUN_LOG}")
    log = parser.parse_args(arguments).log
    if not log.exists():
        return f"{log.absolute()} does not exist: no study has been started from this folder."
    print(describe(Progress.read(log), time.time()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
