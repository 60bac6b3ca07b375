"""The figures of the published study, drawn again from the tables that are kept."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from configurations import laid_over_the_default
from projects import PROJECT, project_in, said, snakemake

PUBLISHED = PROJECT / "docs/study"
FIGURES = sorted(path.stem for path in PUBLISHED.glob("figures/*.svg"))
PAGES = {
    "effects": "index.md",
    "effects_by_dataset": "by_noise_and_sorter.md",
    "effects_by_sorter": "by_noise_and_sorter.md",
    "rulers/effects_by_dataset": "rulers.md",
    "rulers/effects_by_sorter": "rulers.md",
}


@pytest.fixture(scope="module")
def redrawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with another configuration, after `snakemake paper_figures`."""
    folder = project_in(tmp_path_factory.mktemp("paper") / "project")
    shutil.copytree(PUBLISHED, folder / "docs/study")
    for figure in (folder / "docs/study/figures").iterdir():
        figure.write_text("")
    run = snakemake(folder, "paper_figures", "--cores", "2")
    assert run.returncode == 0, said(run)
    return folder / "results/paper"


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_byte_for_byte_the_published_one(redrawn, name):
    assert (redrawn / f"{name}.svg").read_bytes() == (
        PUBLISHED / f"figures/{name}.svg"
    ).read_bytes()


@pytest.mark.parametrize(("name", "page"), PAGES.items())
def test_the_text_shows_a_table_as_it_is_written_from_the_effects(redrawn, name, page):
    assert (redrawn / f"{name}.md").read_text() in (PUBLISHED / page).read_text()


@pytest.mark.parametrize(
    ("published", "given"),
    [("config.yaml", ["study.yaml"]), ("rulers/config.yaml", ["study.yaml", "rulers.yaml"])],
)
def test_the_published_configuration_is_what_the_named_files_give(published, given):
    whole = yaml.safe_load((PUBLISHED / published).read_text())
    assert whole == laid_over_the_default(*given)


@pytest.mark.parametrize("part", [".", "rulers"])
def test_the_effects_are_of_the_published_configuration(part):
    study = yaml.safe_load((PUBLISHED / part / "config.yaml").read_text())["study"]
    effects = pd.read_parquet(PUBLISHED / part / "tables/effects.parquet")
    assert set(effects["condition"]) == {*study["conditions"]} - {study["reference"]}
    of_datasets = effects[effects["dataset"].isin(study["datasets"])]
    found = of_datasets.groupby("dataset")["condition"].agg(set).to_dict()
    assert found == {
        name: {*dataset["conditions"]} - {study["reference"]}
        for name, dataset in study["datasets"].items()
    }
