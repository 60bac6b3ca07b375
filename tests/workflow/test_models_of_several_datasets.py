"""A model that is trained on several datasets: once, for every dataset that is denoised with it."""

import json

import pandas as pd
import safetensors
import yaml

from projects import project_in, said, snakemake

TINY = yaml.safe_load(
    """
    probe: NP2003
    channels: 8
    sampling_frequency_hz: 30000.0
    duration_s: 1.0
    gain_uv_per_bit: 0.763
    units: {number: 2, peak_uv: [50.0, 100.0], firing_rate_hz: [5.0, 10.0]}
    background: {number: 1, peak_uv: [3.0, 5.0], firing_rate_hz: [5.0, 10.0]}
    noise: {independent: {level_uv: 5.0}}
    """
)
LOUD = TINY | {"noise": {"independent": {"level_uv": 15.0}}}
LINEAR = {"network": {"family": "linear", "rows": 3}, "context_ms": 1.0}


def test_one_model_is_trained_on_all_and_used_by_all(tmp_path):
    datasets = {name: {"kind": "synthetic"} for name in ("quiet", "loud", "other")}
    study = project_in(
        tmp_path / "study",
        study__datasets=datasets,
        ground_truth={"quiet": TINY, "loud": LOUD, "other": TINY},
        models__shared=LINEAR | {"train_on": ["quiet", "loud"]},
        conditions__shared=[{"name": "deepinterpolate", "params": {"model": "shared"}}],
        study__conditions=["raw", "shared"],
    )
    uses = "results/models/uses.csv"
    run = snakemake(study, "--cores", "2", "models", uses)
    assert run.returncode == 0, said(run)
    trained = list((study / "results/models").rglob("*.safetensors"))
    assert [str(path.relative_to(study / "results/models")) for path in trained] == [
        "quiet/0/shared/shared/model.safetensors"
    ]
    with safetensors.safe_open(trained[0], framework="numpy") as file:
        described = json.loads(file.metadata()["ephys-deepinterpolation"])["model"]
    assert len(described["provenance"]["recordings"]) == 2
    assert not (study / "results/ground_truth/other").exists()
    table = pd.read_csv(study / uses)
    assert table["dataset"].tolist() == ["quiet", "loud", "other"]
    assert set(table["trained_on"]) == {"quiet"}
