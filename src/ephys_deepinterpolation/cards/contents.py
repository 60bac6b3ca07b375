"""The small tables and the sentences that a model card is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ephys_deepinterpolation.cards.evidence import Evidence
from ephys_deepinterpolation.figures.attenuation import BINS, attenuated_units, kept_by_bin
from ephys_deepinterpolation.figures.style import asked_units, broken, counted, in_order
from ephys_deepinterpolation.model import Model
from ephys_deepinterpolation.report.tables import cell_of
from ephys_deepinterpolation.report.words import (
    models_copying_noise,
    models_not_beaten,
    sorters_stopped_by_noise,
    sortings_in_trouble,
)

ATTENUATED = 0.8
"""A bin of units that keeps less of its peak is named among the failures."""
_MOST_RANGES = 6
_OF_A_FILE = {
    "dataset": "of the model it was tuned from",
    "kind": "not known",
    "licence": "see the card of that model",
}
_LOSSES = {
    "validation_loss": "this model",
    "linear_loss": "linear interpolation from the same context, what a network must beat",
    "constant_loss": "the best constant",
    "noise_floor": "noise floor, an estimate of what no network can take away",
}


def number(value: Any) -> str:
    """Return a number as the tables of a card show it."""
    return cell_of(value).text


def losses(summary: Mapping[str, Any]) -> pd.DataFrame:
    """Return the validation loss of a model and what it is read against."""
    return pd.DataFrame(
        [
            {"of": words, "mean squared error": float(summary[name])}
            for name, words in _LOSSES.items()
            if summary.get(name) is not None
        ]
    )


def training_data(model: Model, described: Sequence[Sequence[Mapping[str, str]]]) -> pd.DataFrame:
    """Return one row per recording that a model, and those it was tuned from, were trained on.

    Parameters
    ----------
    model : Model
    described : sequence of sequence of mapping
        `dataset`, `kind` and `licence` of the recordings of each training, the model's own last;
        what came before belongs to a model from a file.
    """
    trainings = _trainings(model.provenance.get("recordings", []))
    nothing: list[Sequence[Mapping[str, str]]] = [[]] * len(trainings)
    known = [*nothing, *described][len(described) :]
    rows = []
    for recordings, names in zip(trainings, known, strict=True):
        for index, recording in enumerate(recordings):
            row = dict(names[index]) if index < len(names) else _OF_A_FILE
            frames = sum(piece["end"] - piece["start"] for piece in recording["ranges"])
            row = row | {"frames": frames, "seconds": frames / model.sampling_frequency}
            rows.append(row | {"ranges of frames": _ranges(recording["ranges"])})
    return pd.DataFrame(rows)


def _trainings(seen: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Part recordings by the training that saw them: each counts its own from 0."""
    trainings: list[list[Mapping[str, Any]]] = []
    for recording in seen:
        if recording["ranges"][0]["recording"] == 0:
            trainings.append([])
        trainings[-1].append(recording)
    return trainings


def _ranges(ranges: Sequence[Mapping[str, int]]) -> str:
    segments = len({piece["segment"] for piece in ranges})
    texts = [
        f"segment {piece['segment']}: " * (segments > 1) + f"{piece['start']}–{piece['end']}"
        for piece in ranges
    ]
    if len(texts) <= _MOST_RANGES:
        return ", ".join(texts)
    return f"{texts[0]}, …, {texts[-1]} ({len(texts)} ranges)"


def noise(evidence: Evidence, reference: str) -> pd.DataFrame:
    """Return the median noise level of each dataset in each condition, µV."""
    table = evidence.tables.get("noise", pd.DataFrame())
    if table.empty:
        return table
    medians = table.groupby(["dataset", "condition"], sort=False)["noise_uv"].median()
    return _by_condition(medians, "dataset", evidence, reference)


def by_bin(table: pd.DataFrame, column: str, value: str, order: Sequence[str]) -> pd.DataFrame:
    """Return medians over true units, in bins of a property of theirs: a row per bin.

    Parameters
    ----------
    table : DataFrame
        With one row per true unit x condition x replicate.
    column, value : str
        The property, and what the medians are of.
    order : sequence of str
        The conditions, a column each.
    """
    values = asked_units(table)
    if values.empty or column not in values or value not in values:
        return pd.DataFrame()
    values = values.dropna(subset=[column, value])
    if values.empty:
        return pd.DataFrame()
    name, edges = BINS[column]
    medians = kept_by_bin(values, column, edges, value)
    rows = []
    for label in medians:
        bounds, units = str(label).split("\nn = ")
        row = {name: bounds, "units": int(units) if units.isdecimal() else units}
        rows.append(row | {each: medians[label].get(each) for each in order})
    return pd.DataFrame(rows)


def phantoms(evidence: Evidence, reference: str) -> pd.DataFrame:
    """Return threshold crossings of noise alone per channel and second, a row per threshold."""
    table = evidence.tables.get("noise_alone", pd.DataFrame())
    if table.empty:
        return table
    keys = ["threshold", "condition"]
    means = table.groupby(keys, sort=True)["crossings_per_channel_s"].mean()
    shown = _by_condition(means, "threshold", evidence, reference)
    own = table[table["condition"] != reference]
    gaussian = own.groupby("threshold", sort=True)["gaussian_per_channel_s"].mean()
    return shown.assign(**{"Gaussian noise": shown["threshold"].map(gaussian)})


def noise_alone_units(evidence: Evidence, reference: str) -> pd.DataFrame:
    """Return how many units each sorter finds, on average, where there is no spike."""
    table = evidence.tables.get("noise_alone_sortings", pd.DataFrame())
    if table.empty:
        return table
    ended = table[~broken(table["status"])].astype({"sorted_units": float})
    if ended.empty:
        return pd.DataFrame()
    means = ended.groupby(["sorter", "condition"], sort=False)["sorted_units"].mean()
    return _by_condition(means, "sorter", evidence, reference)


def _by_condition(values: pd.Series, rows: str, evidence: Evidence, reference: str) -> pd.DataFrame:
    """Spread a series over rows and conditions; the reference comes first."""
    wide = values.rename("value").reset_index()
    wide = wide.pivot_table("value", rows, "condition", sort=False)
    order = [reference, *evidence.conditions]
    return wide.reindex(columns=order).rename_axis(columns=None).reset_index(names=rows)


def effects(found: pd.DataFrame, verdict: Mapping[str, Any]) -> pd.DataFrame:
    """Return the effects over all datasets, of all sorters and of each.

    Parameters
    ----------
    found : DataFrame
        From `statistics.estimate_effects`.
    verdict : mapping
        What `statistics.give_verdict` made of them.
    """
    words = {endpoint["name"]: endpoint["words"] for endpoint in verdict.get("endpoints", [])}
    rows = found[(found["dataset"] == "all") & found["effect"].notna()]
    sorters = [name for name in in_order(rows["sorter"]) if name not in ("all", "")]
    if len(sorters) == 1:
        rows = rows[rows["sorter"] != sorters[0]].replace({"sorter": {"all": sorters[0]}})
    shown = pd.DataFrame(
        {
            "endpoint": rows["endpoint"].map(words),
            "condition": rows["condition"],
            "sorter": rows["sorter"].replace("", None),
            "reference": rows["reference_value"],
            "change": rows["effect"],
            "95 % interval": [_interval(row) for _, row in rows.iterrows()],
            "p": rows["p_holm"].where(rows["p_holm"].notna(), rows["p"]),
            "units": rows["units"].astype(object),
            "recordings": rows["recordings"].astype(object),
        }
    )
    return shown.drop(columns="condition") if len(set(shown["condition"])) == 1 else shown


def _interval(row: pd.Series) -> str:
    if pd.isna(row["low"]) or pd.isna(row["high"]):
        return "none"
    return f"{number(row['low'])} to {number(row['high'])}"


def known_failures(
    tables: Mapping[str, pd.DataFrame],
    own_training: pd.DataFrame,
    evidence: Evidence,
    verdict: Mapping[str, Any],
) -> list[str]:
    """Return a sentence for each thing that went wrong with a model in the study.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        From `rows_at`, of every recording that the model denoised.
    own_training : DataFrame
        The row of the table `models` that is of this model.
    evidence : Evidence
    verdict : mapping
        On the evidence.
    """
    trained = {"models": own_training} if len(own_training) else {}
    own = {
        name: table[table["condition"].isin(evidence.conditions)] for name, table in tables.items()
    }
    sentences = [
        *models_not_beaten(trained),
        *(f"Its input is copied, noise included: {each}" for each in models_copying_noise(trained)),
        *sortings_in_trouble(own),
        *sorters_stopped_by_noise(own),
        *losses_of_endpoints(verdict),
        *shrunken_spikes(evidence),
    ]
    return [sentence if sentence.endswith(".") else f"{sentence}." for sentence in sentences]


def losses_of_endpoints(verdict: Mapping[str, Any]) -> list[str]:
    """Return the sentences of a verdict on what got worse, over all sorters or with one of them."""
    sentences = []
    for pooled in verdict.get("verdicts", []):
        each = pooled["by_sorter"] if len(pooled["by_sorter"]) > 1 else []
        sentences += [one["sentence"] for one in (pooled, *each) if one["verdict"] == "worse"]
    return sentences


def shrunken_spikes(evidence: Evidence) -> list[str]:
    """Return a sentence for each bin of peaks whose units shrink beyond `ATTENUATED`."""
    table = attenuated_units(evidence.tables.get("attenuation", pd.DataFrame()))
    if table.empty:
        return []
    sentences = []
    bins = by_bin(table, "peak_uv", "kept_peak", evidence.conditions)
    for condition in evidence.conditions:
        for row in bins.to_dict(orient="records"):
            if row[condition] is not None and row[condition] < ATTENUATED:
                bounds, kept = row[BINS["peak_uv"][0]], number(row[condition])
                sentences.append(
                    f"Spikes shrink: of units with a peak of {bounds} µV, {condition} keeps a "
                    f"median of {kept} of the peak"
                )
    return sentences


def rests_on(evidence: Evidence) -> str:
    """Say in a sentence what recordings the numbers are of."""
    datasets = in_order(dataset for dataset, _ in evidence.recordings)
    recordings = counted(len(evidence.recordings), "recording")
    if not evidence.recordings:
        return "The study denoised no recording with this model."
    if evidence.held_out:
        return (
            f"All numbers below are of {recordings} that the model was not trained on: "
            f"{', '.join(datasets)}."
        )
    return (
        "**No held-out data:** the model was trained on frames of every recording that the study "
        f"denoised with it. The numbers below are of these, {recordings} ({', '.join(datasets)}), "
        "and may flatter it."
    )
