"""Datasets that cannot be used beside two that can: each failure is told, the others go on."""

import numpy as np
import pandas as pd
import pytest
from probeinterface import generate_linear_probe

from fixtures import correlated_noise, recording_of
from projects import project_in, said, snakemake

FREQUENCY = 30_000.0
FRAMES = 30_000
WORKING = ("good", "one-channel")
REFUSED = {
    "cut": "is cut off",
    "short": "has a segment of 0.333",
    "still": "is constant on every channel",
    "broken": "not finite on 1 of 16 channels, most on 3 (100.00%)",
}


def traces_of(name):
    traces = np.round(10 * correlated_noise(FRAMES, 0))
    if name == "short":
        traces = traces[:10]
    elif name == "still":
        traces[:] = 7
    elif name == "broken":
        traces[:, 3] = np.nan
        return traces
    return traces.astype(np.int16)


def saved(folder, name):
    probe = None
    traces = traces_of(name)
    if name == "one-channel":
        traces, probe = traces[:, :1], generate_linear_probe(1)
        probe.set_device_channel_indices([0])
    recording = recording_of(traces, probe=probe, frequency=FREQUENCY)
    recording.set_channel_gains(0.1)
    recording.save(folder=folder / name, progress_bar=False, verbose=False)
    if name == "cut":
        raw = folder / name / "traces_cached_seg0.raw"
        raw.write_bytes(raw.read_bytes()[:-5])
    return folder / name


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad")
    datasets = {
        name: {
            "kind": "recorded",
            "parameters": {"reader": "load", "path": str(saved(folder, name))},
        }
        for name in (*REFUSED, *WORKING)
    }
    project = project_in(
        folder / "study", study__datasets=datasets, artifacts__sort_noise_alone=False
    )
    return project, snakemake(project, "--cores", "2")


@pytest.mark.slow
def test_each_dataset_that_cannot_be_used_is_named_with_its_reason(study):
    project, run = study
    assert run.returncode != 0
    for name, sentence in REFUSED.items():
        assert f"results/logs/ground_truth/{name}/0.log" in said(run)
        last = (project / f"results/logs/ground_truth/{name}/0.log").read_text().splitlines()[-1]
        assert str(project.parent / name) in last
        assert sentence in last
        assert last.removeprefix("Failed: ") in said(run)
        assert not (project / f"results/ground_truth/{name}").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", WORKING)
def test_the_other_datasets_go_on_to_their_comparisons(study, name):
    project, run = study
    results = project / "results"
    for condition in ("raw", "di"):
        place = f"{name}/0/{condition}"
        tables = {
            part: sorted((results / part / place).glob("*.parquet"))
            for part in ("artifacts", "comparisons")
        }
        assert all(tables.values()), said(run)
        sortings = pd.read_parquet(results / "comparisons" / place / "sortings.parquet")
        assert sortings["sorter"].tolist() == ["mountainsort5"]
        assert (results / "ground_truth_checks" / name / "0/recordings.parquet").exists()
