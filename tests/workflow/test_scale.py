"""A large study can be planned: how many jobs a dataset adds does not grow unnoticed."""

import json
import subprocess
import sys

from projects import PROJECT

# One to make it, one to check and one to draw it; 4 models, 10 conditions and 60 sortings; what
# is measured of each condition, and what is sorted of noise alone.
JOBS_OF_A_DATASET = 188


def plan(datasets: int) -> dict[str, float]:
    script = PROJECT / "benchmarks/scale.py"
    run = subprocess.run(
        [sys.executable, script, "--datasets", str(datasets)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return json.loads(run.stdout)


def test_a_dataset_of_ten_conditions_and_six_sorters_adds_no_more_jobs_than_it_did():
    assert plan(3)["jobs"] - plan(2)["jobs"] == JOBS_OF_A_DATASET
