"""Models that meet a recording as they are, fine-tuned, and beside one of its own."""

from pathlib import Path

import pandas as pd
import pytest

from projects import project_in, said, small_study_with, snakemake

OPTIMISER = {"max_steps": 250, "batch_size": 64, "learning_rate": 0.001}
NETWORK = {"network": {"rows": 3, "width": 8, "depth": 2}, "context_ms": 1.0}
MODELS = {
    "given": {**NETWORK, **OPTIMISER, "train_on": "elsewhere"},
    "tuned": {**OPTIMISER, "fine_tune": "given", "training_s": 4.0},
    "own": {**NETWORK, **OPTIMISER},
    "filter": {"network": {"family": "linear", "rows": 3}, "context_ms": 1.0},
}


def transfer_study(folder: Path) -> Path:
    """Put a study of two tissues into a folder, each recorded twice, of which one is judged."""
    tiny = small_study_with({})["study"]["datasets"]["tiny-synthetic"]["parameters"]
    parameters = {**tiny, "duration_s": 4.0, "training_duration_s": 8.0}
    datasets = {
        "elsewhere": {"kind": "synthetic", "parameters": parameters, "conditions": ["raw"]},
        "tissue": {"kind": "synthetic", "parameters": parameters},
    }
    bandpass = {"name": "bandpass_filter", "params": {"freq_min": 300.0, "freq_max": 6000.0}}
    steps = {
        model: [{"name": "deepinterpolate", "params": {"model": model}}, bandpass]
        for model in MODELS
    }
    return project_in(
        folder,
        study__datasets=datasets,
        study__conditions=["raw", *MODELS],
        conditions=steps,
        models=MODELS,
        endpoints={"detectability": {"measure": "d_prime"}},
    )


@pytest.mark.long
def test_the_table_says_how_each_model_was_come_by_and_what_it_is_worth(tmp_path):
    project = transfer_study(tmp_path)
    run = snakemake(project, "--cores", "2", "results/tables/transfer.csv")
    assert run.returncode == 0, said(run)
    table = pd.read_csv(project / "results/tables/transfer.csv")
    ways = table.drop_duplicates("condition").set_index("condition")
    assert ways["way"].to_dict() == {
        "given": "as it is",
        "tuned": "fine-tuned",
        "own": "from scratch",
        "filter": "linear",
    }
    seconds = {"given": 0.0, "tuned": 4.0, "own": 8.0, "filter": 8.0}
    assert ways["data_s"].to_dict() == pytest.approx(seconds, rel=0.1)
    assert ways.loc["own", "training_seconds"] > 0
    losses = table[table["measure"] == "loss"].set_index("condition")["value"]
    assert losses.between(0, 1).all()
    assert set(table["measure"]) >= {"loss", "d_prime"}
    models = pd.read_parquet(project / "results/tables/models.parquet")
    assert not models["model_saw_recording"].any()


def test_a_study_in_which_no_model_is_tuned_has_no_such_table(tmp_path):
    tuned, plain = transfer_study(tmp_path / "tuned"), project_in(tmp_path / "plain")
    for project, planned in ((tuned, True), (plain, False)):
        run = snakemake(project, "-n")
        assert run.returncode == 0, said(run)
        assert ("results/tables/transfer.csv" in said(run)) == planned
        assert ("results/figures/transfer.svg" in said(run)) == planned
