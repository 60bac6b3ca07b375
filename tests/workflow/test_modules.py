"""Modules of a computing centre in place of environments: real module files, loaded by a shell."""

import sys
from pathlib import Path

import pytest

from ephys_deepinterpolation.environment_modules import loading_problem
from projects import project_in, said, snakemake

INIT = Path("/usr/share/modules/init/bash")
pytestmark = pytest.mark.skipif(not INIT.exists(), reason="environment-modules is not installed")

KINDS = ["generation", "deepinterpolation", "sorters", "report"]
TRUTH = "results/ground_truth/tiny-synthetic/0"


@pytest.fixture
def centre(tmp_path, monkeypatch):
    """A computing centre: its module files, and a Python that notes down when it is used."""
    monkeypatch.setenv("BASH_ENV", str(INIT))
    monkeypatch.setenv("MODULEPATH", str(tmp_path / "modules"))
    (tmp_path / "modules/ephys").mkdir(parents=True)
    folder = tmp_path / "software"
    folder.mkdir()
    python = folder / "python"
    python.write_text(f'#!/bin/sh\necho used >> {folder}/uses\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (tmp_path / "modules/ephys/1.0").write_text(f"#%Module\nprepend-path PATH {folder}\n")
    (tmp_path / "modules/compiler").write_text("#%Module\nsetenv COMPILER yes\n")
    return folder


def study_with(folder, **modules):
    named = {kind: ["compiler", "ephys/1.0"] for kind in KINDS} | modules
    named = {name: names for name, names in named.items() if names}
    return project_in(folder, environments__modules=named)


def run(folder, *arguments):
    return snakemake(folder, "--cores", "1", *arguments, "--sdm", "env-modules")


def test_jobs_run_with_the_python_of_the_modules(centre, tmp_path):
    folder = study_with(tmp_path / "project")
    done = run(folder, TRUTH)
    assert done.returncode == 0, said(done)
    assert (folder / TRUTH / "truth.json").exists()
    assert (centre / "uses").exists()


@pytest.mark.parametrize(
    ("modules", "told"),
    [
        ({"sorters": ["ephys/2.0"]}, ["environments.modules.sorters", "ephys/2.0 cannot be used"]),
        ({"generation": None}, ["environments.modules.generation is missing"]),
    ],
)
def test_modules_that_are_not_there_are_a_sentence_before_any_job(centre, tmp_path, modules, told):
    folder = study_with(tmp_path / "project", **modules)
    ended = run(folder, TRUTH)
    assert ended.returncode != 0
    assert all(part in said(ended) for part in told), said(ended)
    assert "Traceback" not in said(ended)
    assert not (folder / "results").exists()


def test_what_is_wrong_with_modules_is_told(centre, monkeypatch):
    assert loading_problem(["compiler", "ephys/1.0"]) is None
    assert "ephys/2.0" in loading_problem(["ephys/2.0"])
    assert "no python" in loading_problem(["compiler"])
    monkeypatch.delenv("BASH_ENV")
    monkeypatch.delenv("BASH_FUNC_module%%", raising=False)
    assert "module: command not found" in loading_problem(["ephys/1.0"])
