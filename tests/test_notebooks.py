"""What is stored of the notebooks. That they run, the test of the documentation shows."""

import ast
import json
import re
from importlib import import_module

import pandas as pd
import pytest
import yaml

import ephys_deepinterpolation
from ephys_deepinterpolation.configuration import read_study
from ephys_deepinterpolation.statistics.effects import COLUMNS
from example_tables import example_tables, example_verdict
from pages import PROJECT

SCHEMAS = PROJECT / "workflow/schemas"
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
PACKAGE = ephys_deepinterpolation.__name__
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}

of_each_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)


def cells(notebook, kind):
    stored = json.loads(notebook.read_text())
    return [cell for cell in stored["cells"] if cell["cell_type"] == kind]


def text_of(notebook):
    return "\n".join("".join(cell["source"]) for cell in cells(notebook, "markdown"))


def imports(notebook):
    """Pairs of a module of the package and a name that is imported from it."""
    lines = "".join("".join([*cell["source"], "\n"]) for cell in cells(notebook, "code"))
    python = re.sub(r"^%.*$", "", lines, flags=re.MULTILINE)
    for statement in ast.walk(ast.parse(python)):
        if isinstance(statement, ast.ImportFrom) and statement.module.startswith(PACKAGE):
            yield from ((statement.module, alias.name) for alias in statement.names)
        elif isinstance(statement, ast.Import):
            assert not any(alias.name.startswith(PACKAGE) for alias in statement.names)


def is_public(module, name):
    """Whether a module lists a name in `__all__`, or the Python reference does."""
    if name in getattr(import_module(module), "__all__", ()):
        return True
    reference = (PROJECT / "docs/api.md").read_text()
    _, _, section = reference.partition(f".. currentmodule:: {module}\n")
    named = re.findall(r"auto(?:class|function):: (\w+)$", section.split("```")[0], re.MULTILINE)
    return name in named


@of_each_notebook
def test_no_output_is_stored(notebook):
    for cell in cells(notebook, "code"):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


@of_each_notebook
def test_metadata_say_nothing_of_who_ran_it_last(notebook):
    stored = json.loads(notebook.read_text())
    assert stored["metadata"] == {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    assert (stored["nbformat"], stored["nbformat_minor"]) == (4, 5)
    assert [cell["metadata"] for cell in stored["cells"]] == [{}] * len(stored["cells"])


@of_each_notebook
def test_only_the_public_api_is_imported(notebook):
    imported = list(imports(notebook))
    assert imported
    assert [pair for pair in imported if not is_public(*pair)] == []


def test_what_is_not_public_is_told_from_what_is():
    assert is_public(f"{PACKAGE}.network", "LinearParameters")
    assert not is_public(f"{PACKAGE}.network", "build_network")
    assert not is_public(f"{PACKAGE}.figures.style", "save")


@of_each_notebook
def test_a_notebook_is_a_tutorial_of_the_documentation(notebook):
    (tutorials,) = re.findall(r":caption: Tutorials\n\n(.*?)```", index(), re.DOTALL)
    assert f"notebooks/{notebook.stem}" in tutorials.split()
    assert f"](notebooks/{notebook.name})" in (PROJECT / "README.md").read_text()


def index():
    return (PROJECT / "docs/index.md").read_text()


def test_no_tutorial_is_missing():
    listed = re.findall(r"^notebooks/(\w+)$", index(), re.MULTILINE)
    assert listed == [notebook.stem for notebook in NOTEBOOKS]


@of_each_notebook
def test_links_lead_to_what_exists(notebook):
    links = re.findall(r"\]\(([\w./-]+)(?:#[\w-]+)?\)", text_of(notebook))
    assert links
    assert [link for link in links if not (notebook.parent / link).exists()] == []


def test_the_study_that_is_read_is_like_one_of_today():
    study = PROJECT / "docs/study"
    effects = pd.read_parquet(study / "tables/effects.parquet")
    assert list(effects.columns) == COLUMNS
    verdict = json.loads((study / "verdict.json").read_text())
    today = example_verdict(example_tables())
    assert verdict.keys() >= today.keys()
    assert verdict["verdicts"][0].keys() == today["verdicts"][0].keys()
    read_study(yaml.safe_load((study / "config.yaml").read_text()), SCHEMAS)
