"""What the Snakemake workflow catalog reads."""

from pathlib import Path

import yaml

PROJECT = Path(__file__).parents[1]


def test_the_catalog_finds_what_it_asks_of_a_workflow():
    described = yaml.safe_load((PROJECT / ".snakemake-workflow-catalog.yml").read_text())
    assert described.keys() == {"usage"}
    usage = described["usage"]
    assert usage.keys() == {"mandatory-flags", "software-stack-deployment", "report"}
    assert usage["mandatory-flags"].keys() == {"desc", "flags"}
    deployment = usage["software-stack-deployment"]
    assert deployment.keys() == {"conda", "apptainer", "apptainer+conda"}
    assert all(isinstance(works, bool) for works in (*deployment.values(), usage["report"]))
    for path in ("workflow/Snakefile", "config/README.md", "README.md", "LICENSE"):
        assert (PROJECT / path).stat().st_size


def test_without_containers_none_is_claimed():
    rules = "".join(file.read_text() for file in (PROJECT / "workflow").rglob("*.smk"))
    described = yaml.safe_load((PROJECT / ".snakemake-workflow-catalog.yml").read_text())
    deployment = described["usage"]["software-stack-deployment"]
    assert deployment["apptainer"] == ("    container:" in rules)
    assert deployment["conda"] == ("    conda:" in rules)
