"""The files under envs/ and what the rules say of them, without making any environment."""

import ast
import re
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

from projects import PROJECT

ENVIRONMENTS = {path.stem: path for path in sorted((PROJECT / "envs").glob("*.yaml"))}
LOCKS = {path.stem: path for path in sorted((PROJECT / "envs").glob("*.lock"))}
SOURCE = PROJECT / "src"
RULES = [
    (path.name, block)
    for path in sorted((PROJECT / "workflow/rules").glob("*.smk"))
    for block in re.split(r"^(?=(?:use )?rule )", path.read_text(), flags=re.MULTILINE)[1:]
]
WITH_A_JOB = {
    re.match(r"(?:use rule \w+ as|rule) (\w+)", block)[1]: block
    for _, block in RULES
    if re.search(r"^    (script|shell):", block, flags=re.MULTILINE)
}
# What `conda:` names where it is no path.
CHOSEN = {
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
