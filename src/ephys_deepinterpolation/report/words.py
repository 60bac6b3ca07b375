"""What the tables say of a study, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ephys_deepinterpolation.figures.style import broken, in_order, is_true
from ephys_deepinterpolation.predictability import COPIES_NOISE

TROUBLE = {
    "empty": "found no unit",
    "failed": "failed",
    "timeout": "was stopped for its time",
    "out_of_memory": "ran out of memory",
}


def what_was_compared(tables: Mapping[str, pd.DataFrame], reference: str | None) -> str:
    """Return a sentence that says which conditions, datasets and sorters the tables hold."""
    names = {
        column: in_order(
            name
            for table in tables.values()
            if column in table
            for name in table[column].unique().tolist()
        )
        for column in ("dataset", "condition", "sorter")
    }
    if not names["condition"]:
        return ""
    names = {column: [name for name in found if name != "all"] for column, found in names.items()}
    others = [name for name in names["condition"] if name != reference]
    if not others:
        sentence = f"Only the reference {reference}: there is nothing to compare it with"
    elif reference:
        sentence = f"Compared with the reference {reference}: {_listed(others)}"
    else:
        sentence = f"Conditions: {_listed(others)}"
    if names["dataset"]:
        sentence += f"; on {_listed(names['dataset'])}"
    if names["sorter"]:
        sentence += f"; sorted by {_listed(names['sorter'])}"
    return f"{sentence}."


def pipelines_in_words(config: object) -> list[tuple[str, str]]:
    """Return the name of each condition studied and its steps, as the configuration gives them."""
    if not isinstance(config, Mapping):
        return []
    studied = config.get("study", {}).get("conditions", [])
    given = config.get("conditions", {})
    return [
        (str(name), " → ".join(step_in_words(step) for step in given[name]) or "nothing")
        for name in studied
        if name in given
    ]


def step_in_words(step: Mapping[str, Any]) -> str:
    """Return the name of a step of a pipeline, with its arguments."""
    parameters = ", ".join(
        f"{name} {value}" for name, value in (step.get("params") or {}).items() if value is not None
    )
    return f"{step['name']} ({parameters})" if parameters else str(step["name"])


def sortings_in_trouble(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return a sentence for each sorting that failed or found no unit; failures come first."""
    if "sortings" not in tables:
        return []
    sortings = tables["sortings"]
    keys = ["dataset", "condition", "sorter", "status", "error"]
    bad = sortings[sortings["status"] != "ok"].assign(
        error=lambda table: table["error"].astype("object").where(table["error"].notna(), "")
    )
    runs = sortings.groupby(["dataset", "condition", "sorter"]).size()
    repeated = "repeat" in sortings and sortings["repeat"].max() > 0
    sentences: list[tuple[int, str]] = []
    for key, rows in bad.groupby(keys, sort=False):
        dataset, condition, sorter, status, error = (str(part) for part in key)
        total = int(runs[(dataset, condition, sorter)])
        several = "runs" if repeated else "replicates"
        share = f", in {len(rows)} of {total} {several}" if total > 1 else ""
        words = TROUBLE.get(status, status)
        because = f": {error}" if error else ""
        text = f"{sorter} {words} on {condition} of {dataset}{share}{because}"
        sentences.append((int(status == "empty"), text))
    return [text for _, text in sorted(sentences, key=lambda sentence: sentence[0])]


def sorters_stopped_by_noise(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return a sentence for each sorter that came to no end on noise without spikes."""
    if "noise_alone_sortings" not in tables:
        return []
    sortings = tables["noise_alone_sortings"]
    sentences = []
    stopped = sortings[broken(sortings["status"])]
    for key, rows in stopped.groupby(["dataset", "sorter", "status"], sort=False):
        dataset, sorter, status = (str(part) for part in key)
        errors = in_order(rows["error"])
        because = f": {errors[0]}" if errors else ""
        after = _listed(in_order(rows["condition"]))
        words = TROUBLE.get(status, status)
        sentences.append(
            f"{sorter} {words} on the noise alone of {dataset}, after {after}{because}"
        )
    return sentences


def tuned_conditions(tables: Mapping[str, pd.DataFrame]) -> list[tuple[str, str]]:
    """Return (dataset, condition) whose model was trained on the recording it is judged on."""
    found: dict[tuple[str, str], None] = {}
    for name in ("models", "sortings", "units"):
        table = tables.get(name)
        if table is None or "model_saw_recording" not in table:
            continue
        seen = table[table["model_saw_recording"].map(is_true).astype(bool)]
        for pair in seen[["dataset", "condition"]].drop_duplicates().itertuples(index=False):
            found[(str(pair.dataset), str(pair.condition))] = None
    return list(found)


def unrepeatable_sorters(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return the sorters that give other spikes when they run again with the same seed."""
    if "sortings" not in tables:
        return []
    sortings = tables["sortings"].dropna(subset=["deterministic"])
    return in_order(sortings.loc[~sortings["deterministic"].map(is_true).astype(bool), "sorter"])


def models_not_beaten(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return a sentence for each network that is no better than linear interpolation."""
    notes = []
    for where, rows in _trained_models(tables):
        if (rows["steps"] == 0).all():
            continue
        judged = rows.dropna(subset=["validation_loss", "linear_loss"])
        worse = judged[judged["validation_loss"] >= judged["linear_loss"]]
        if judged.empty:
            notes.append(f"{where}: there is no linear baseline to judge it by")
        elif len(worse):
            replicates = f" in {len(worse)} of {len(judged)} replicates" if len(judged) > 1 else ""
            losses = worse.iloc[0]
            notes.append(
                f"{where}: the network did not beat linear interpolation{replicates} "
                f"(validation loss {losses['validation_loss']:.4g}, "
                f"linear {losses['linear_loss']:.4g})"
            )
    return notes


def models_copying_noise(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return a sentence for each model whose input is too predictable to be denoised."""
    return [
        f"{where}: {rows['noise_foretold'].max():.1%} predicted"
        for where, rows in _trained_models(tables)
        if (rows["noise_foretold"] > COPIES_NOISE).any()
    ]


def _trained_models(tables: Mapping[str, pd.DataFrame]) -> list[tuple[str, pd.DataFrame]]:
    """Return the words for each model, and its rows (one per replicate)."""
    if "models" not in tables:
        return []
    groups = tables["models"].groupby(["dataset", "condition", "model"], sort=False)
    return [
        (f"{model} for {condition} on {dataset}", rows)
        for (dataset, condition, model), rows in groups
    ]


def datasets_without_truth(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return the datasets that were sorted but have no true unit."""
    if "sortings" not in tables:
        return []
    units = tables.get("units")
    known = set() if units is None else set(units["dataset"])
    return [name for name in in_order(tables["sortings"]["dataset"]) if name not in known]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
