"""Put what is known of each model of the zoo into one table, from its card and the study's tables.

    snakemake cards --cores all --configfile config/zoo.yaml
    python benchmarks/zoo.py --results results --csv docs/benchmarks/zoo.csv

Losses and effects on sorting are read from the metadata of the cards, the rest from the tables, of
the held-out recordings alone. The table is printed in Markdown, too.
"""

import argparse
from pathlib import Path

import pandas as pd
from huggingface_hub import EvalResult, ModelCard

from ephys_deepinterpolation import load_model
from ephys_deepinterpolation.cards import Evidence, gather_evidence
from ephys_deepinterpolation.figures.attenuation import attenuated_units
from ephys_deepinterpolation.files import read_table

REFERENCE = "raw"
PEAKS_UV = {"below 30 µV": (0.0, 30.0), "30 to 80 µV": (30.0, 80.0), "above 80 µV": (80.0, 1e9)}
LOSSES = ("validation loss", "linear loss", "noise floor")
TABLES = ("model_uses", "models", "noise", "attenuation", "noise_alone")
CROSSINGS = 5.0


def row_of(name: str, card: Path, tables: dict[str, pd.DataFrame], models: Path) -> dict[str, str]:
    """Gather what is known of one model."""
    uses = tables["model_uses"]
    uses = uses[uses["model"] == name]
    evidence = gather_evidence(tables, uses, REFERENCE)
    assert evidence.held_out, f"nothing is held out of {name}"
    home = uses.iloc[0]
    file = (
        models / home["trained_on"] / str(home["trained_replicate"]) / name / home["trained_for"]
    ) / "model.safetensors"
    summary = load_model(file).summary
    own = tables["models"]
    seconds = own.loc[own["model"] == name, "training_seconds"].iloc[0]
    results = ModelCard.load(card / "README.md").data.eval_results
    losses = {each.metric_name: each.metric_value for each in results if _is_loss(each)}
    return {
        "model": name,
        "file (MB)": f"{file.stat().st_size / 1e6:.2f}",
        "parameters": f"{summary['parameters']:,}",
        "MFLOPs per frame": f"{summary['flops_per_frame'] / 1e6:.1f}",
        "training (min)": f"{seconds / 60:.0f}",
        **{loss: f"{losses[loss]:.3f}" for loss in LOSSES},
        **_noise(evidence, name),
        **_kept_peaks(evidence, name),
        **_phantoms(evidence, name),
        **{each.metric_name: _with_interval(each) for each in results if not _is_loss(each)},
    }


def _is_loss(result: EvalResult) -> bool:
    return bool(result.metric_type == "mse")


def _with_interval(result: EvalResult) -> str:
    known = result.metric_args or {}
    interval = f" ({known['low']:+.3f} to {known['high']:+.3f})" if "low" in known else ""
    return f"{result.metric_value:+.3f}{interval}"


def _noise(evidence: Evidence, name: str) -> dict[str, str]:
    medians = evidence.tables["noise"].groupby("condition")["noise_uv"].median()
    return {"noise, µV": f"{medians[REFERENCE]:.1f} → {medians[name]:.1f}"}


def _kept_peaks(evidence: Evidence, name: str) -> dict[str, str]:
    units = attenuated_units(evidence.tables["attenuation"])
    units = units[units["condition"] == name]
    kept = {words: units[units["peak_uv"].between(*edges)] for words, edges in PEAKS_UV.items()}
    return {f"peak kept, {words}": f"{of['kept_peak'].median():.2f}" for words, of in kept.items()}


def _phantoms(evidence: Evidence, name: str) -> dict[str, str]:
    crossings = evidence.tables["noise_alone"]
    crossings = crossings[crossings["threshold"] == CROSSINGS]
    means = crossings.groupby("condition")["crossings_per_channel_s"].mean()
    return {"crossings of noise alone": f"{means[REFERENCE]:.3g} → {means[name]:.3g}"}


def main() -> None:
    """Write and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--csv", type=Path, required=True)
    given = parser.parse_args()
    tables = {name: read_table(given.results / f"tables/{name}.parquet") for name in TABLES}
    names = tables["model_uses"]["model"].unique()
    cards, models = given.results / "cards", given.results / "models"
    rows = [row_of(name, cards / name, tables, models) for name in names]
    table = pd.DataFrame(rows).fillna("")
    table.to_csv(given.csv, index=False)
    print(table.set_index("model").T.rename_axis("").to_markdown())


if __name__ == "__main__":
    main()
