"""The workflow as a module of another one, which lies in another folder."""

from pathlib import Path

import pytest
import yaml

from fixtures import noise_recording
from projects import PROJECT, STUDY, said, snakemake

SNAKEFILE = """\
configfile: "outer.yaml"

module ephys:
    snakefile: {snakefile!r}
    config: config["ephys"]
    {prefix}

use rule * from ephys as ephys_*

rule all:
    default_target: True
    input:
        rules.ephys_all.input,
"""


def workflow_in(folder: Path, settings: dict, prefix: str) -> Path:
    """Another workflow that uses this one."""
    folder.mkdir()
    snakefile = str(PROJECT / "workflow/Snakefile")
    text = SNAKEFILE.format(snakefile=snakefile, prefix=f'prefix: "{prefix}"' if prefix else "")
    (folder / "Snakefile").write_text(text)
    (folder / "outer.yaml").write_text(yaml.safe_dump({"ephys": settings}))
    return folder


def run(folder: Path, *arguments: str):
    return snakemake(folder, "--cores", "2", *arguments, configfiles=())


@pytest.mark.parametrize("prefix", ["", "ephys"])
def test_another_workflow_plans_a_study(tmp_path, prefix):
    folder = workflow_in(tmp_path / "outer", yaml.safe_load(STUDY.read_text()), prefix)
    planned = run(folder, "--summary")
    assert planned.returncode == 0, said(planned)
    header, *rows = planned.stdout.splitlines()
    files = [row.split("\t")[0] for row in rows]
    assert header.startswith("output_file")
    assert str(Path(prefix, "results/report.html")) in files
    assert str(Path(prefix, "results/sortings/tiny-synthetic/0/di/mountainsort5/0")) in files
    assert all(Path(file).parts[: len(Path(prefix).parts)] == Path(prefix).parts for file in files)
    assert not any(file.startswith(f"{prefix}/{prefix}") for file in files if prefix)


@pytest.mark.parametrize("prefix", ["", "ephys"])
def test_without_settings_a_module_is_the_demo(tmp_path, prefix):
    planned = run(workflow_in(tmp_path / "outer", {}, prefix), "--dry-run", "--quiet", "rules")
    assert planned.returncode == 0, said(planned)
    assert "ephys_read_recorded" in said(planned)


def test_a_wrong_setting_of_a_module_is_one_sentence(tmp_path):
    folder = workflow_in(tmp_path / "outer", {"study": {"sorters": ["mountainsort55"]}}, "")
    planned = run(folder, "--dry-run")
    assert planned.returncode != 0
    assert "study.sorters[0]" in said(planned)
    assert "Traceback" not in said(planned)


def test_results_go_below_the_prefix_and_own_recordings_stay_where_they_are(tmp_path):
    settings = {
        "study": {
            "datasets": {
                "own": {
                    "kind": "recorded",
                    "parameters": {"reader": "load", "path": "my/recording"},
                }
            },
            "conditions": ["raw", "di"],
            "sorters": ["mountainsort5"],
        },
        "models": {"compact": {"network": {"rows": 3, "width": 8, "depth": 2}, "max_steps": 250}},
    }
    folder = tmp_path / "outer"
    recording = noise_recording(60_000, seed=1, frequency=30_000.0)
    workflow_in(folder, settings, "ephys")
    recording.save(folder=folder / "my/recording", progress_bar=False)
    sorting = "results/sortings/own/0/raw/mountainsort5/0"
    done = run(folder, f"ephys/{sorting}", "ephys/results/figures/training.svg")
    assert done.returncode == 0, said(done)
    results = folder / "ephys/results"
    assert (results / "figures/training.svg").stat().st_size
    assert (folder / f"ephys/{sorting}/run.json").exists()
    assert (results / "models/own/0/compact/di/model.safetensors").exists()
    assert (results / "logs/models/own/0/compact/di.log").exists()
    assert not list(results.rglob("checkpoint*"))
    assert sorted(path.name for path in folder.iterdir() if path.name != ".snakemake") == [
        "Snakefile",
        "ephys",
        "my",
        "outer.yaml",
    ]
