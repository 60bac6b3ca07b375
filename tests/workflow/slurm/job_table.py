"""Write down what a Slurm without accounting does: one line for each job, as a table in Markdown.

    python tests/workflow/slurm/job_table.py FOLDER > jobs.md

FOLDER is that of start.sh. It asks every two seconds and writes the table when it is interrupted.
"""

import re
import signal
import subprocess
import sys
import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path

COLUMNS = ["id", "job", "CPUs", "MB asked", "limit, min", "waited, s", "ran, s", "MB", "state"]


def ask(*command: str) -> list[list[str]]:
    """Run a command of Slurm; its lines, split at `|`."""
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return [line.split("|") for line in run.stdout.splitlines()]


def watch(names: dict[str, str], memory_mb: dict[str, dict[str, float]]) -> None:
    """Note the names of jobs and the most memory that each of their steps was seen to take."""
    running = []
    for job, state, comment in ask("squeue", "--noheader", "--format", "%A|%T|%k"):
        names[job] = comment.removeprefix("rule_").replace("_wildcards_", " ")
        running += [job] if state == "RUNNING" else []
    if not running:
        return
    jobs = ("--jobs", ",".join(running))
    for step, size in ask("sstat", "-anP", "--noconvert", *jobs, "-o", "JobID,MaxRSS"):
        steps = memory_mb.setdefault(step.split(".")[0], {})
        steps[step] = max(steps.get(step, 0), int(size or 0) / 2**20)


def most(steps: dict[str, float]) -> float:
    """The most memory that a job took: the jobs of a group are steps, one after the other."""
    batch = sum(size for step, size in steps.items() if step.endswith(".batch"))
    return batch + max((size for step, size in steps.items() if "batch" not in step), default=0)


def table(folder: Path, names: dict[str, str], memory_mb: dict[str, dict[str, float]]) -> list[str]:
    """One line for each job that ended."""
    rows = [COLUMNS, ["---"] * len(COLUMNS)]
    for line in (folder / "jobs.txt").read_text().splitlines():
        job = dict(re.findall(r"(\w+)=(\S*)", line))
        times = [datetime.fromisoformat(job[key]) for key in ("SubmitTime", "StartTime", "EndTime")]
        waited, ran = ((after - before).seconds for before, after in pairwise(times))
        number = job["JobId"]
        rows.append(
            [
                number,
                names.get(number, ""),
                job["ProcCnt"],
                re.search(r"mem=(\d+)M", line)[1],
                job["TimeLimit"],
                f"{waited}",
                f"{ran}",
                f"{most(memory_mb.get(number, {})):.0f}",
                job["JobState"],
            ]
        )
    return [f"| {' | '.join(row)} |" for row in rows]


def main() -> None:
    names: dict[str, str] = {}
    memory_mb: dict[str, dict[str, float]] = {}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        while True:
            watch(names, memory_mb)
            time.sleep(2)
    except KeyboardInterrupt:
        print("\n".join(table(Path(sys.argv[1]), names, memory_mb)))


if __name__ == "__main__":
    main()
