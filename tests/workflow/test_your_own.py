"""A denoiser and a sorter of a reader's own, as their pages describe them, within a study."""

import json
import os

import pytest
import yaml

from example_packages import install_examples
from pages import name_of, to_run
from projects import project_in, said, snakemake


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    target = tmp_path_factory.mktemp("installed")
    install_examples(target, tmp_path_factory.mktemp("source"))
    return target


def settings_on(page):
    """The last configuration that a page shows."""
    last = [block for block in to_run("yaml") if name_of(block.page) == f"docs/{page}.md"][-1]
    return yaml.safe_load(last.text)


def test_both_take_part_in_a_study(packages, tmp_path, monkeypatch):
    search = [str(packages), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(search))
    folder = project_in(
        tmp_path / "own",
        study__conditions=["raw", "median"],
        study__sorters=["mysorter"],
        conditions=settings_on("your_denoiser")["conditions"],
        sorters=settings_on("your_sorter")["sorters"],
    )
    place = "results/sortings/tiny-synthetic/0/median/mysorter/0"
    run = snakemake(folder, "--cores", "1", place)
    assert run.returncode == 0, said(run)
    condition = folder / "results/conditions/tiny-synthetic/0/median"
    facts = json.loads((condition / "condition.json").read_text())
    assert facts["packages"] == ["temporal-median 1.0"]
    sorted_ = json.loads((folder / place / "run.json").read_text())
    assert (sorted_["status"], sorted_["version"]) == ("ok", "1.0"), sorted_["error"]
    # Another version of the denoiser makes its condition anew, and nothing else.
    (metadata,) = packages.glob("temporal_median-1.0.dist-info/METADATA")
    metadata.write_text(metadata.read_text().replace("Version: 1.0", "Version: 1.1"))
    again = snakemake(folder, "--cores", "1", "--dry-run", place)
    assert "apply_condition" in again.stdout and "generate_synthetic" not in again.stdout
