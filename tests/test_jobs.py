import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import psutil
import pytest
from snakemake.common import get_snakemake_searchpaths

from ephys_deepinterpolation.jobs import interpreter_of, what_went_wrong

THREADS = [
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
]
NAMES = ["yaml", "psutil", "ephys_deepinterpolation"]


def run_job(code, **options):
    """Run code in a new process after the import of `start_job`."""
    program = f"from ephys_deepinterpolation.jobs import start_job\n{code}"
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, **options
    )


def test_all_output_goes_to_the_log_also_of_programs_the_job_starts(tmp_path):
    log = tmp_path / "job.log"
    job = run_job(
        f"start_job({str(log)!r})\n"
        "import os, sys\n"
        "print('to output')\n"
        "print('to errors', file=sys.stderr)\n"
        "sys.stdout.flush()\n"
        "os.system('echo from a child')\n"
        "raise RuntimeError('how it ended')\n"
    )
    assert job.returncode == 1
    assert (job.stdout, job.stderr) == ("", "Failed: RuntimeError: how it ended\n")
    for text in ("to output", "to errors", "from a child", "RuntimeError: how it ended"):
        assert text in log.read_text()


def test_an_error_is_one_sentence_on_the_terminal_and_the_last_line_of_the_log(tmp_path):
    log = tmp_path / "job.log"
    job = run_job(
        f"start_job({str(log)!r})\n"
        "from ephys_deepinterpolation.files import DamagedResultError\n"
        "raise DamagedResultError('a.csv', 'cut\\noff', 'a')"
    )
    sentence = "a.csv is damaged (cut off): delete a and give the same command again"
    assert job.returncode == 1
    assert job.stderr == f"Failed: {sentence}\n"
    assert "Traceback" in log.read_text()
    assert what_went_wrong(log, script=True) == sentence


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (
            "raise MemoryError('Unable to allocate 9 PiB')",
            "out of memory: Unable to allocate 9 PiB",
        ),
        ("{}['key']", "KeyError: 'key'"),
        ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)", "it was interrupted by SIGTERM"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "it was killed, maybe by the system for want of"),
    ],
)
def test_what_went_wrong_is_read_from_the_log(tmp_path, code, sentence):
    log = tmp_path / "job.log"
    job = run_job(f"import os, signal, time\nstart_job({str(log)!r})\nprint('busy')\n{code}")
    assert job.returncode
    assert what_went_wrong(log, script=True).startswith(sentence)


def test_another_programs_last_line_says_what_went_wrong(tmp_path):
    log = tmp_path / "job.log"
    log.write_text("Collecting\nERROR: no such package\n\n")
    assert what_went_wrong(log, script=False) == "ERROR: no such package"


def test_a_job_without_a_log_ended_before_it_said_anything(tmp_path):
    for log in (None, tmp_path / "none.log"):
        assert "before it said anything" in what_went_wrong(log, script=True)


def test_a_job_that_is_told_to_end_removes_what_is_unfinished(tmp_path):
    job = run_job(
        f"start_job({str(tmp_path / 'job.log')!r})\n"
        "import os, signal, time\n"
        "from ephys_deepinterpolation.files import whole_folder\n"
        f"with whole_folder({str(tmp_path / 'result')!r}):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    time.sleep(60)"
    )
    assert job.returncode
    assert [path.name for path in tmp_path.iterdir()] == ["job.log"]


def test_what_was_printed_before_stays_where_it_went(tmp_path):
    log = tmp_path / "job.log"
    job = run_job(f"print('earlier')\nstart_job({str(log)!r})\nprint('later')")
    assert (job.stdout, log.read_text()) == ("earlier\n", "later\n")


def test_a_log_holds_the_last_run_only(tmp_path):
    log = tmp_path / "job.log"
    log.write_text("a much longer text of an earlier run\n")
    run_job(f"start_job({str(log)!r})\nprint('now')")
    assert log.read_text() == "now\n"


@pytest.mark.parametrize("threads", [1, 3])
def test_the_configuration_decides_the_number_of_threads_and_not_the_environment(
    tmp_path, threads, monkeypatch
):
    for name in THREADS:
        monkeypatch.setenv(name, "17")
    log = tmp_path / "job.log"
    run_job(
        f"start_job({str(log)!r}, threads={threads})\n"
        "import json, os\n"
        "print(json.dumps(dict(os.environ)))"
    )
    environment = json.loads(log.read_text())
    assert {name: environment[name] for name in THREADS} == dict.fromkeys(THREADS, str(threads))


def test_numpy_uses_as_many_threads_as_the_job_was_given(tmp_path):
    log = tmp_path / "job.log"
    run_job(
        f"start_job({str(log)!r}, threads=2)\n"
        "import numpy, json, threadpoolctl\n"
        "print(json.dumps([pool['num_threads'] for pool in threadpoolctl.threadpool_info()]))"
    )
    pools = json.loads(log.read_text())
    assert pools
    assert set(pools) == {2}


def test_starting_a_job_imports_nothing_that_fixes_its_threads_too_early():
    job = run_job("import sys\nprint('numpy' in sys.modules, 'tensorflow' in sys.modules)")
    assert job.stdout == "False False\n"


def imports_of_a_script(python, log):
    """Which of some packages a script of Snakemake's finds before and after it starts as a job."""
    program = (
        "import sys\n"
        # As Snakemake begins every script.
        f"sys.path.extend({get_snakemake_searchpaths()!r})\n"
        "from snakemake.logging import logger\n"
        "import importlib.util as util\n"
        f"names = {NAMES}\n"
        "from ephys_deepinterpolation.jobs import start_job\n"
        "def found():\n"
        "    print([name for name in names if util.find_spec(name)])\n"
        "found()\n"
        "sys.stdout.flush()\n"
        f"start_job({str(log)!r})\n"
        "found()\n"
        "from ephys_deepinterpolation import seeds\n"
    )
    without = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    job = subprocess.run(
        [python, "-c", program], capture_output=True, text=True, timeout=120, env=without
    )
    assert job.returncode == 0, job.stderr + log.read_text()
    return job.stdout.strip(), log.read_text().strip()


def test_a_job_in_an_environment_of_its_own_does_not_find_what_only_snakemake_has(tmp_path):
    venv.create(tmp_path / "environment", symlinks=True)
    python = tmp_path / "environment/bin/python"
    packages = next((tmp_path / "environment/lib").glob("python*/site-packages"))
    (packages / "psutil").symlink_to(Path(psutil.__file__).parent)
    before, after = imports_of_a_script(python, tmp_path / "job.log")
    assert before == str(NAMES), "else Snakemake no longer does what is undone"
    assert after == str(NAMES[1:])


def test_a_job_in_snakemakes_environment_finds_all_of_it(tmp_path):
    before, after = imports_of_a_script(sys.executable, tmp_path / "job.log")
    assert before == after == str(NAMES)


def test_a_sorter_without_an_environment_of_its_own_is_run_by_the_jobs_python():
    assert interpreter_of("results/environments/simple") == "results/environments/simple/bin/python"
    assert interpreter_of([]) is interpreter_of(None) is None
