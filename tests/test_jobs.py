import json
import subprocess
import sys

import pytest

THREADS = [
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
]


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
    assert (job.stdout, job.stderr) == ("", "")
    for text in ("to output", "to errors", "from a child", "RuntimeError: how it ended"):
        assert text in log.read_text()


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
