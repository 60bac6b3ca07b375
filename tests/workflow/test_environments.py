"""The files under envs/ and what the rules say of them, without making any environment."""

import ast
import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from rattler import MatchSpec

from projects import PROJECT, conda_in, project_in, said, snakemake

ENVIRONMENTS = {path.stem: path for path in sorted((PROJECT / "envs").glob("*.yaml"))}
LOCKS = {path.stem: path for path in sorted((PROJECT / "envs").glob("*.lock"))}
SOURCE = PROJECT / "src"
# Those in a loop are indented, and may have a name in place of one after `rule`.
RULES = [
    re.sub(f"^{re.match(' *', block)[0]}", "", block, flags=re.MULTILINE)
    for path in sorted((PROJECT / "workflow/rules").glob("*.smk"))
    for block in re.split(r"^(?= *(?:use )?rule\b)", path.read_text(), flags=re.MULTILINE)[1:]
]
WITH_A_JOB = {
    re.match(r'(?:use rule \w+ as |rule |rule:\n    name:\n        f")(\w+)', block)[1]: block
    for block in RULES
    if re.search(r"^    (script|shell):", block, flags=re.MULTILINE)
}
# What `conda:` names where it is no path.
CHOSEN = {
    "dataset_conda": ["generation"],
    "deepinterpolation": ["deepinterpolation", "deepinterpolation-gpu"],
    "sorter_conda": ["sorters", "kilosort4", "herdingspikes", "tridesclous"],
}


def dependencies(name: str) -> tuple[list[str], list[Requirement]]:
    """The conda part of an environment and its pip part."""
    listed = yaml.safe_load(ENVIRONMENTS[name].read_text())["dependencies"]
    conda = [each for each in listed if isinstance(each, str)]
    pip = [each for part in listed if isinstance(part, dict) for each in part["pip"]]
    return conda, [Requirement(each) for each in pip]


def pins(lock: str) -> dict[str, str]:
    lines = LOCKS[lock].read_text().splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(each.name): str(each.specifier) for each in requirements}


def environments_of(block: str) -> list[str]:
    """The environments that a rule may have."""
    named = re.search(r"^    conda:\n        (.*)$", block, flags=re.MULTILINE)[1]
    return CHOSEN.get(named) or [Path(named.strip('"')).stem]


@cache
def imports_of(path: Path) -> frozenset[str]:
    """The names that a file imports when it is imported itself."""
    found = set()
    for statement in ast.parse(path.read_text()).body:
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            # What is imported from a package may be a module of it.
            found |= {f"{statement.module}.{alias.name}" for alias in statement.names}
    return frozenset(found)


def modules_on_the_way(name: str) -> set[Path]:
    """The files of this project that an import of a name runs."""
    parts = name.split(".")
    places = [SOURCE.joinpath(*parts[: depth + 1]) for depth in range(len(parts))]
    files = {file for place in places for file in (place / "__init__.py", place.with_suffix(".py"))}
    return {file for file in files if file.exists()}


def packages_of(script: Path) -> set[str]:
    """The packages of others that a script imports, by way of this project's modules too."""
    seen, left, packages = set(), {script}, set()
    while left:
        seen |= left
        names = {name for file in left for name in imports_of(file)}
        packages |= {name.split(".")[0] for name in names}
        left = {file for name in names for file in modules_on_the_way(name)} - seen
    return packages - sys.stdlib_module_names - {"ephys_deepinterpolation"}


def with_what_they_need(names: set[str]) -> set[str]:
    """Distributions and, where they are installed here, all that these require."""
    found, left = set(), set(names)
    while left:
        name = left.pop()
        found.add(name)
        with suppress(PackageNotFoundError):
            for each in map(Requirement, distribution(name).requires or []):
                if not each.marker or each.marker.evaluate({"extra": ""}):
                    left |= {canonicalize_name(each.name)} - found
    return found


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_file_is_small_pinned_and_readable(name):
    content = yaml.safe_load(ENVIRONMENTS[name].read_text())
    assert set(content) == {"channels", "dependencies"}
    assert content["channels"] == ["conda-forge"]
    conda, pip = dependencies(name)
    names = [MatchSpec(each, strict=True).name.normalized for each in conda]
    assert names[:2] == ["python", "pip"]
    assert not set(names) & {canonicalize_name(each.name) for each in pip}
    assert all(str(each.specifier).startswith("==") for each in pip)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_pins_of_an_environment_are_those_of_the_lock(name):
    """Its own lock, where it has one, and for the rest that of the one pip environment."""
    locked = pins("requirements") | (pins(name) if name in LOCKS else {})
    _, pip = dependencies(name)
    found = {canonicalize_name(each.name): str(each.specifier) for each in pip}
    assert found == {each: locked.get(each) for each in found}


def test_every_rule_with_a_job_has_an_environment_that_exists():
    missing = [name for name, block in WITH_A_JOB.items() if "\n    conda:\n" not in block]
    assert not missing
    named = {name for block in WITH_A_JOB.values() for name in environments_of(block)}
    assert named == set(ENVIRONMENTS)


def test_modules_stand_for_the_environment_of_the_same_rule():
    # These run with the interpreter of the pip environment that they need, or that they make.
    own = {"install_environment", "simulate_templates", "simulate_recording"}
    for name, block in WITH_A_JOB.items():
        modules = re.search(r'\*modules_of\("(\w+)"\)', block)
        if name in own:
            assert modules is None
        else:
            assert modules and modules[1] in environments_of(block), name


@pytest.mark.parametrize("name", WITH_A_JOB)
def test_an_environment_has_what_the_scripts_of_its_rules_import(name):
    script = re.search(r'"\.\./(scripts/[\w/]+\.py)"', WITH_A_JOB[name])
    if script is None:
        pytest.skip("a command, whose interpreter does not hold this project")
    distributions = packages_distributions()
    for environment in environments_of(WITH_A_JOB[name]):
        _, pip = dependencies(environment)
        available = with_what_they_need({canonicalize_name(each.name) for each in pip})
        for package in packages_of(PROJECT / "workflow" / script[1]):
            provided = {canonicalize_name(each) for each in distributions[package]}
            assert provided & available, f"{environment} has no {package}"


@pytest.mark.long
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_pip_part_of_an_environment_can_be_installed_as_a_whole(name, tmp_path):
    _, pip = dependencies(name)
    (tmp_path / "requirements.txt").write_text("\n".join(map(str, pip)) + "\n")
    resolve = ["install", "--dry-run", "--ignore-installed", "--quiet", "--requirement"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *resolve, tmp_path / "requirements.txt"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "imports"),
    [
        ("mearec", "MEArec, neuron, LFPy"),
        ("kilosort4", "kilosort, torch, spikeinterface.sorters"),
        ("herdingspikes", "herdingspikes, spikeinterface.sorters"),
        ("tridesclous", "tridesclous, spikeinterface.sorters"),
    ],
)
def test_a_rule_builds_the_pip_environment_of_a_lock_file(name, imports, tmp_path):
    presets = str(PROJECT / "config/presets/sorters.yaml")
    folder = project_in(tmp_path / "project")
    environment = f"results/environments/{name}"
    configfiles = (presets, "study.yaml")
    done = snakemake(folder, "--cores", "1", environment, configfiles=configfiles)
    assert done.returncode == 0, said(done)
    python = folder / environment / "bin/python"
    try:
        for arguments in (["-c", f"import {imports}"], ["-m", "pip", "check"]):
            tried = subprocess.run([python, "-I", *arguments], capture_output=True, text=True)
            assert tried.returncode == 0, tried.stdout + tried.stderr
    finally:
        # It takes up to 6 GB, which pytest would keep.
        shutil.rmtree(folder / environment)


def test_a_target_builds_what_the_jobs_of_a_study_need_beside_the_workflows_environment(tmp_path):
    presets = str(PROJECT / "config/presets/sorters.yaml")
    folder = project_in(
        tmp_path / "project", study__sorters=["mountainsort5", "kilosort4-cpu", "tridesclous"]
    )
    planned = snakemake(folder, "-n", "environments", configfiles=(presets, "study.yaml"))
    assert planned.returncode == 0, said(planned)
    installed = set(re.findall(r"Install (\w+)", said(planned)))
    assert installed == {"kilosort4", "tridesclous"}


def test_gpus_are_asked_for_by_jobs_that_train_and_denoise_alone(tmp_path):
    folder = project_in(tmp_path / "project", environments__gpus=2)
    # A dry run tells what a job asks for where its rule has no message.
    for file in (folder / "workflow/rules").glob("*.smk"):
        file.write_text(re.sub(r"(?m)^    message:\n.*\n", "", file.read_text()))
    planned = snakemake(folder, "--dry-run", "conditions")
    assert planned.returncode == 0, said(planned)
    jobs = [job for job in said(planned).split("\nrule ") if "gpu=" in job]
    asked = {job.split(":")[0] + re.search(r"/(raw|di)\b", job)[0]: job for job in jobs}
    assert {name: re.search(r"gpu=(\d)", job)[1] for name, job in asked.items()} == {
        "train/di": "2",
        "apply_condition/di": "2",
        "apply_condition/raw": "0",
    }


@pytest.fixture
def conda(tmp_path, monkeypatch):
    """Names the environments that Snakemake would have conda make."""
    (tmp_path / "conda").mkdir()
    monkeypatch.setenv("PATH", f"{conda_in(tmp_path / 'conda')}{os.pathsep}{os.environ['PATH']}")

    def planned(folder):
        plan = snakemake(folder, "--dry-run", "sortings", "--sdm", "conda")
        assert plan.returncode == 0, said(plan)
        return set(re.findall(r"envs/([\w-]+)\.yaml will be created", said(plan)))

    return planned


def test_jobs_are_given_the_environments_of_their_kind(conda, tmp_path):
    changes = {"study__sorters": ["mountainsort5", "kilosort4"], "sorters": {"kilosort4": {}}}
    folder = project_in(tmp_path / "project", **changes)
    assert conda(folder) == {"generation", "deepinterpolation", "sorters", "kilosort4"}


def test_the_configuration_chooses_an_environment_with_cuda_and_one_for_a_dataset(conda, tmp_path):
    changes = {"study__datasets__tiny-synthetic__environment": "own", "environments__gpus": 1}
    folder = project_in(tmp_path / "project", **changes)
    shutil.copy(folder / "envs/generation.yaml", folder / "envs/own.yaml")
    assert conda(folder) == {"own", "deepinterpolation-gpu", "sorters"}


def test_an_environment_of_a_dataset_that_does_not_exist_is_a_sentence(tmp_path):
    changes = {"study__datasets__tiny-synthetic__environment": "none-such"}
    ended = snakemake(project_in(tmp_path / "project", **changes), "--dry-run")
    assert ended.returncode != 0
    assert 'tiny-synthetic, environment: found "none-such"' in said(ended)
    assert "Traceback" not in said(ended)
