"""A cell beside a recording, as a user of the workflow reads it: by the preset, from its layout."""

import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

from ephys_deepinterpolation.ground_truth import load_ground_truth
from example_paired import PATCH_DRIFT, write_spe1
from projects import project_in, said, snakemake

CONFIGFILES = ("config/config.yaml", "mine.yaml", "config/presets/spe-1.yaml")


def study_of(folder):
    """A project with the cell c14 of SPE-1, of five seconds, in the place the preset says."""
    project_in(folder)
    datasets = {"spe-1-c14": {"kind": "paired"}}
    (folder / "mine.yaml").write_text(yaml.safe_dump({"study": {"datasets": datasets}}))
    return folder


def test_a_cell_of_spe_1_becomes_ground_truth_by_its_preset(tmp_path):
    folder = study_of(tmp_path / "project")
    example = write_spe1(folder / "spe-1/c14", duration_s=5.0, rate_hz=20.0, channels=384)
    targets = ["true_units.parquet", "spectra.parquet"]
    checks = [f"results/ground_truth_checks/spe-1-c14/0/{name}" for name in targets]
    run = snakemake(folder, "--cores", "1", *checks, configfiles=CONFIGFILES)
    assert run.returncode == 0, said(run)
    truth = load_ground_truth(folder / "results/ground_truth/spe-1-c14/0")
    assert truth.recording.get_num_channels() == 384
    found = truth.sorting.get_unit_spike_train("cell")
    nearest = np.abs(found[:, None] - example.frames[None, :]).min(axis=0)
    assert (nearest <= 1).mean() > 0.97
    unit = pd.read_parquet(folder / checks[0]).iloc[0]
    assert (unit["kind"], unit["spikes"]) == ("paired", len(found))
    assert unit["average_cosine"] > 0.99
    assert truth.facts["alignment"]["rate"] == pytest.approx(1 / (1 + PATCH_DRIFT), abs=1e-5)
    shutil.rmtree(folder)


def test_a_doubtful_cell_stops_its_job_with_the_reason(tmp_path):
    folder = study_of(tmp_path / "project")
    write_spe1(folder / "spe-1/c14", size=2.0, duration_s=5.0, rate_hz=20.0, channels=384)
    target = "results/ground_truth/spe-1-c14/0"
    run = snakemake(folder, "--cores", "1", target, configfiles=CONFIGFILES)
    assert run.returncode != 0
    log = (folder / "results/logs/ground_truth/spe-1-c14/0.log").read_text()
    assert "c14_patch_ch1.bin: the " in log
    assert not (folder / target).exists()
    shutil.rmtree(folder)
