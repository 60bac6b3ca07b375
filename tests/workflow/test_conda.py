"""Conda environments, made by rattler in conda's place from a channel that holds this Python.

Everything but conda itself is real: the files under envs/, Snakemake's deployment, what is
linked and what pip installs. Needs a package index and 10 GB of disk; tens of minutes.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from projects import PROJECT, assert_same_tables, conda_in, project_in, said, snakemake

HERE = Path(__file__).with_name("conda")
# `identity` is a step of this project's own, which the process of a sorter has to know.
CONDITIONS = ["raw", "identity", "di"]
pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(7200),
    pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="envs/ asks for Python 3.11"),
]


@pytest.fixture(scope="module")
def environments(tmp_path_factory):
    """A folder for environments, and a `conda` on the path; both are gone afterwards."""
    root = tmp_path_factory.mktemp("conda")
    commands = conda_in(root)
    wheels = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "pip==26.0"]
    subprocess.run([*wheels, "--dest", root / "wheels"], check=True)
    wheel = next((root / "wheels").iterdir())
    channel = root / "channels/conda-forge"
    subprocess.run([sys.executable, HERE / "channel.py", channel, wheel], check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
        yield root / "environments"
    shutil.rmtree(root)


def run(folder, environments, *arguments):
    options = ["--sdm", "conda", "--conda-prefix", str(environments)]
    done = snakemake(folder, "--cores", "2", *arguments, *options)
    assert done.returncode == 0, said(done)
    return said(done)


def test_a_study_in_conda_environments_equals_one_in_the_pip_environment(environments, tmp_path):
    changes = {"study__conditions": CONDITIONS}
    with_conda = project_in(tmp_path / "conda", **changes)
    told = run(with_conda, environments)
    made = {line.split()[-1].strip(".") for line in told.splitlines() if "Creating conda" in line}
    assert {Path(file).stem for file in made} == {
        "deepinterpolation",
        "generation",
        "report",
        "sorters",
    }
    with_pip = project_in(tmp_path / "pip", **changes)
    done = snakemake(with_pip, "--cores", "2")
    assert done.returncode == 0, said(done)
    assert_same_tables(with_conda, with_pip)


@pytest.mark.parametrize("sorter", ["kilosort4-cpu", "herdingspikes", "tridesclous"])
def test_a_sorter_runs_in_the_conda_environment_named_like_it(environments, tmp_path, sorter):
    presets = str(PROJECT / "config/presets/sorters.yaml")
    folder = project_in(tmp_path / "project", study__conditions=["raw"], study__sorters=[sorter])
    table = "results/tables/sortings.parquet"
    options = ["--sdm", "conda", "--conda-prefix", str(environments)]
    configfiles = (presets, "study.yaml")
    done = snakemake(folder, "--cores", "2", table, *options, configfiles=configfiles)
    assert done.returncode == 0, said(done)
    row = pd.read_parquet(folder / table).iloc[0]
    assert (row["sorter"], row["status"], row["error"]) == (sorter, "ok", "")
    assert row["sorted_units"] > 0


def test_two_clones_that_share_environments_run_their_own_code(environments, tmp_path, monkeypatch):
    generated = "results/ground_truth/tiny-synthetic/0"
    for name in ("one", "two"):
        source = tmp_path / name / "src"
        shutil.copytree(PROJECT / "src", source)
        jobs = source / "ephys_deepinterpolation/jobs.py"
        jobs.write_text(f"{jobs.read_text()}\nprint('the code of {name}', flush=True)\n")
        monkeypatch.setenv("PYTHONPATH", str(source))
        told = run(project_in(tmp_path / name), environments, generated)
        assert f"the code of {name}" in told
