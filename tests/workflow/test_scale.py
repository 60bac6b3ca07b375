"""A large study can be planned: how many jobs a dataset adds does not grow unnoticed."""

import json
import subprocess
import sys

from projects import PROJECT

# One to make it, one to check and one to draw it; 4 models, 10 conditions, 60 sortings; three that
# measure each condition; one for each sorter with noise alone, and one for all of them.
JOBS_OF_A_DATASET = 3 + 4 + 10 + 60 + 3 * 10 + 6 + 1


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
