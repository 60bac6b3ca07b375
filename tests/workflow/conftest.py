"""One finished study for all tests of a run, in whichever process they are."""

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from projects import project_in, said, snakemake


@pytest.fixture(scope="session")
def small_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small study, which ran to its end without disturbance, two jobs at a time.

    Not to be changed: see `finished`.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "small-study"
    with (shared / "small-study.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "results/report.html").exists():
            run = snakemake(project_in(folder), "--cores", "2")
            assert run.returncode == 0, said(run)
    return folder


@pytest.fixture(scope="module")
def finished(small_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small study, finished, for the tests of a file to do with as they like."""
    folder = tmp_path_factory.mktemp("finished") / "study"
    return Path(shutil.copytree(small_study, folder, symlinks=True))
