"""How far a study is, as `python -m ephys_deepinterpolation.progress` tells it."""

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ephys_deepinterpolation.progress import (
    DONE,
    FAILED,
    STAGES,
    WAITING,
    PlannedJob,
    Progress,
    RunLog,
    describe,
    stage_of,
)

NOW = 1_000_000_000.0
JOBS = [
    PlannedJob(1, "ground truth", "cortex", done=True),
    PlannedJob(2, "sortings", "cortex", done=False),
    PlannedJob(3, "sortings", "retina", done=False),
    PlannedJob(4, "report", "", done=False),
]


def record(event: str, when: float = 0.0, **facts: object) -> logging.LogRecord:
    """What Snakemake logs of a job, `when` seconds after the start of the run."""
    entry = logging.makeLogRecord({"event": event, **facts})
    entry.created = NOW + when
    return entry


def started(job: int, when: float = 0.0, message: str = "") -> logging.LogRecord:
    return record("job_info", when, jobid=job, rule_msg=message)


def finished(job: int, when: float = 0.0) -> logging.LogRecord:
    return record("job_finished", when, job_id=job)


def failed(job: int, when: float = 0.0) -> logging.LogRecord:
    return record("job_error", when, jobid=job, rule_msg=None)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A function that notes a run, and reads it again."""

    def noted(*records: logging.LogRecord, jobs=JOBS, **head: object) -> Progress:
        path = tmp_path / "results/logs/progress.jsonl"
        monkeypatch.setattr("time.time", lambda: NOW)
        log = RunLog(path, jobs)
        for entry in records:
            log.handle(entry)
        log.close()
        lines = path.read_text().splitlines(keepends=True)
        lines[0] = json.dumps(json.loads(lines[0]) | head) + "\n"
        path.write_text("".join(lines))
        return Progress.read(path)

    return noted


def states(progress: Progress) -> dict[int, str]:
    return {number: job.state for number, job in progress.jobs.items()}


def test_what_is_there_before_a_run_counts_as_done(run):
    assert states(run()) == {1: DONE, 2: WAITING, 3: WAITING, 4: WAITING}


def test_the_latest_news_of_a_job_counts(run):
    news = [started(2), failed(2), started(2), finished(2), started(3), failed(3)]
    assert states(run(*news)) == {1: DONE, 2: DONE, 3: FAILED, 4: WAITING}


def test_news_of_other_rules_and_other_news_are_passed_over(run):
    news = [record("progress", done=1, total=4), record("run_info"), started(99)]
    news += [logging.makeLogRecord({"msg": "Building DAG of jobs..."})]
    assert states(run(*news)) == states(run())


def test_a_line_that_was_cut_off_is_passed_over(run, tmp_path):
    run(started(2))
    path = tmp_path / "results/logs/progress.jsonl"
    with path.open("a") as file:
        file.write('{"job": 3, "sta\n{"job": 2, "state": "done", "time": 1.0, "message": null}\n')
    assert states(Progress.read(path)) == {1: DONE, 2: DONE, 3: WAITING, 4: WAITING}


def test_a_person_sees_datasets_stages_and_what_is_at_work(run):
    progress = run(
        started(2, 1, "Sort cortex"), finished(2, 60), started(3, 61, "Sort retina"), failed(3, 90)
    )
    assert describe(progress, NOW + 120).splitlines() == [
        "2 of 4 jobs done, 1 failed. Started 2 min ago, last heard of 30 s ago.",
        "",
        "dataset  ground truth  sortings  report",
        "retina   -             0/1!      -",
        "(not shown: 1 done)",
        "all      1/1           1/2!      0/1",
        "",
        "Failed:",
        "  Sort retina (30 s ago)",
    ]


def test_the_rest_is_estimated_from_jobs_of_the_same_stage(run):
    jobs = [PlannedJob(number, "sortings", "cortex", done=False) for number in range(1, 7)]
    two_at_a_time = [started(1), started(2), finished(1, 100), finished(2, 100), started(3, 100)]
    progress = run(*two_at_a_time, jobs=jobs)
    assert progress.seconds_left() == pytest.approx(200)
    assert "about 3.33 min left" in describe(progress, NOW + 100)


def test_without_a_job_to_go_by_nothing_is_estimated(run):
    assert run().seconds_left() is None
    assert run(started(2), finished(2, 10)).seconds_left() is None, "nobody knows of the report"


def test_a_run_that_was_killed_is_told_from_one_at_work(run):
    news = [started(2, 1, "Sort cortex")]
    alive, killed, elsewhere = (
        run(*news),
        run(*news, process_started=0.0),
        run(*news, host="node-7"),
    )
    assert [each.running for each in (alive, killed, elsewhere)] == [True, False, None]
    assert "At work:\n  Sort cortex" in describe(alive, NOW)
    assert "Snakemake is not running: give its command again" in describe(killed, NOW)
    assert "At work:" not in describe(killed, NOW)
    assert "not running" not in describe(elsewhere, NOW)


def test_of_many_datasets_those_that_something_is_done_about_are_shown(run):
    jobs = [PlannedJob(n, "sortings", f"dataset-{n}", done=n < 100) for n in range(1000)]
    text = describe(run(started(999, message="Sort dataset-999"), jobs=jobs), NOW)
    assert "dataset-999" in text
    assert "(not shown: 100 done and 870 unfinished)" in text
    assert len(text.splitlines()) < 50


def test_a_full_disk_does_not_end_the_run(run, tmp_path):
    log = RunLog(tmp_path / "progress.jsonl", JOBS)
    log._file = os.open("/dev/full", os.O_WRONLY)
    log.handle(started(2))
    assert states(Progress.read(tmp_path / "progress.jsonl"))[2] == WAITING


def test_every_folder_that_a_rule_writes_belongs_to_a_stage():
    rules = Path(__file__).parents[1] / "workflow/rules"
    folders = {
        folder
        for file in rules.glob("*.smk")
        for folder in re.findall(r"\"results/([\w.]+)", file.read_text())
    }
    assert {stage_of(folder) for folder in folders - {"logs"}} == set(STAGES)


def test_the_command_says_when_there_is_no_study(tmp_path):
    command = [sys.executable, "-m", "ephys_deepinterpolation.progress"]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert "no study has been started from this folder" in told.stderr
    assert "Traceback" not in told.stderr
