"""Profiles for clusters, and what rules ask of one."""

import json
import os
import re
import subprocess
import sys
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


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Put a command of the shell in the place of a cluster's own."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def put(name, does):
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)

    return put


def answer(profile: str) -> str:
    """What a profile says of a job."""
    asked = [PROJECT / f"profiles/{profile}/status.sh", "job-1"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("gpus", [0, 2])
def test_kubernetes_gets_what_a_job_asks_for(tmp_path, stand_in, gpus):
    stand_in("kubectl", "cat > manifest; echo job.batch/name-1")
    asked = {"--cpus": 2, "--memory-mb": 3000, "--minutes": 90, "--gpus": gpus}
    site = {"--image": "an-image", "--claim": "a-claim", "--mount": "/shared"}
    options = [str(word) for pair in (asked | site).items() for word in pair]
    submit = [sys.executable, PROJECT / "profiles/kubernetes/submit.py"]
    run = subprocess.run(
        [*submit, *options, "with 'quotes'.sh"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "job.batch/name-1\n"
    job = json.loads((tmp_path / "manifest").read_text())["spec"]
    assert job["activeDeadlineSeconds"] == 90 * 60
    container = job["template"]["spec"]["containers"][0]
    assert container["command"] == ["sh", str(tmp_path / "with 'quotes'.sh")]
    assert container["resources"]["requests"]["cpu"] == 2
    assert container["resources"]["limits"] == {"memory": "3000M"} | (
        {"nvidia.com/gpu": gpus} if gpus else {}
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ("succeeded=1 failed=", "success"),
        ("succeeded= failed=1", "failed"),
        ("succeeded= failed=", "running"),
    ],
)
def test_kubernetes_is_asked_how_a_job_fares(stand_in, found, said):
    stand_in("kubectl", f"echo '{found}'")
    assert answer("kubernetes") == said


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ("job_state = F\\n    Exit_status = 0", "success"),
        ("job_state = F\\n    Exit_status = 271", "failed"),
        ("job_state = C\\n    exit_status = 0", "success"),
        ("job_state = R", "running"),
        ("job_state = Q", "running"),
    ],
)
def test_pbs_is_asked_how_a_job_fares(stand_in, found, said):
    stand_in("qstat", f"printf 'Job Id: 1\\n    {found}\\n'")
    assert answer("generic") == said


@pytest.mark.parametrize(
    ("profile", "command", "complaint", "said"),
    [
        ("generic", "qstat", "qstat: Unknown Job Id 1", "failed"),
        ("generic", "qstat", "qstat: cannot connect to server", "running"),
        ("kubernetes", "kubectl", "Error from server (NotFound): jobs not found", "failed"),
        ("kubernetes", "kubectl", "Unable to connect to the server", "running"),
    ],
)
def test_a_cluster_that_does_not_answer_is_asked_again(stand_in, profile, command, complaint, said):
    stand_in(command, f"echo '{complaint}' >&2; exit 1")
    assert answer(profile) == said


@pytest.mark.long
def test_pbs_gets_what_a_job_asks_for_and_more_after_it_was_ended(tmp_path, monkeypatch):
    folder, pbs = project_in(tmp_path / "study"), tmp_path / "pbs"
    pbs.mkdir()
    monkeypatch.setenv("STAND_IN", str(pbs))
    monkeypatch.setenv("PATH", f"{STAND_INS}:{os.environ['PATH']}")
    checked = "results/ground_truth_checks/tiny-synthetic/0/spectra.parquet"
    run = snakemake(folder, "--profile", "profiles/generic", checked)
    assert run.returncode == 0, said(run)
    calls = (pbs / "calls").read_text().splitlines()
    asked = [
        re.search(r"select=1:ncpus=1:mem=(\d+)mb:ngpus=0 -l walltime=(\d+) ", call).groups()
        for call in calls
    ]
    assert len(asked) == 3, "generated twice, then checked"
    (memory, seconds), (more_memory, more_seconds), _ = [map(int, pair) for pair in asked]
    assert more_memory > 1.3 * memory
    assert more_seconds > 1.9 * seconds
    assert (folder / checked).exists()
