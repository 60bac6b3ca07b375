"""Profiles for clusters, and what rules ask of one."""

import os
import re
from pathlib import Path

import pytest
import yaml

from projects import PROJECT, project_in, said, snakemake

PROFILES = sorted(path.parent.name for path in PROJECT.glob("profiles/*/config.yaml"))
CLUSTERS = [name for name in PROFILES if name != "default"]
STAND_INS = Path(__file__).with_name("pbs")


def rules() -> dict[str, str]:
    """The text of every rule by its name; one that inherits another's text is left out."""
    found = {}
    for file in sorted((PROJECT / "workflow/rules").glob("*.smk")):
        # A rule ends where the next line is that is indented no further than itself.
        for match in re.finditer(r"^( *)rule ?(\w*):\n((?:\1 +.*\n|\n)+)", file.read_text(), re.M):
            text = match[3]
            name = match[2] or re.search(r"name:\s+f?\"(.+)\"", text)[1]
            found[name] = text
    return found


@pytest.mark.parametrize(
    "name", [name for name, text in rules().items() if "localrule" not in text]
)
def test_a_rule_that_a_cluster_runs_says_how_much_memory_and_time_it_takes(name):
    assert {"mem_mb", "runtime"} <= set(re.findall(r"^ +(\w+)=", rules()[name], re.M))


def test_all_rules_were_looked_at():
    assert {"sort", "train", "draw_traces", "draw_{figure_stage}"} <= set(rules())
    assert not [name for name, text in rules().items() if "retries:" in text], "see profiles"


def test_every_group_has_a_number_of_jobs_in_every_profile():
    groups = {group for text in rules().values() for group in re.findall(r'"(\w+)"', grouped(text))}
    assert "measures" in groups
    for cluster in CLUSTERS:
        profile = yaml.safe_load((PROJECT / f"profiles/{cluster}/config.yaml").read_text())
        assert set(profile["group-components"]) == groups, cluster


def grouped(text: str) -> str:
    found = re.search(r"^ +group:\s+(.*)", text, re.M)
    return found[1] if found else ""


def test_jobs_of_a_group_take_turns():
    for name, text in rules().items():
        assert bool(grouped(text)) == ("at_once=1" in text), name


@pytest.mark.parametrize("profile", CLUSTERS)
def test_a_profile_plans_the_demo(tmp_path, profile):
    run = snakemake(project_in(tmp_path), "-n", "--profile", f"profiles/{profile}", configfiles=())
    assert run.returncode == 0, said(run)
    assert "This was a dry-run" in said(run)
    assert "np2-real" in said(run)


@pytest.mark.long
def test_pbs_gets_what_a_job_asks_for_and_more_after_it_was_ended(tmp_path, monkeypatch):
    folder, stand_in = project_in(tmp_path / "study"), tmp_path / "pbs"
    stand_in.mkdir()
    monkeypatch.setenv("STAND_IN", str(stand_in))
    monkeypatch.setenv("PATH", f"{STAND_INS}:{os.environ['PATH']}")
    checked = "results/ground_truth_checks/tiny-synthetic/0/spectra.parquet"
    run = snakemake(folder, "--profile", "profiles/generic", checked)
    assert run.returncode == 0, said(run)
    calls = (stand_in / "calls").read_text().splitlines()
    asked = [
        re.search(r"select=1:ncpus=1:mem=(\d+)mb:ngpus=0 -l walltime=(\d+) ", call).groups()
        for call in calls
    ]
    assert len(asked) == 3, "generated twice, then checked"
    (memory, seconds), (more_memory, more_seconds), _ = [map(int, pair) for pair in asked]
    assert more_memory > 1.3 * memory
    assert more_seconds > 1.9 * seconds
    assert (folder / checked).exists()
