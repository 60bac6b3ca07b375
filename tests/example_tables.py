"""Made-up tables that follow docs/tables.md, for tests that need no recording and no sorter."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from ephys_deepinterpolation.statistics import give_verdict
from ephys_deepinterpolation.statistics.endpoints import Endpoint
from example_measures import measured_tables

REFERENCE = "raw"
CONDITIONS = ["raw", "di", "di-after-bandpass", "gaussian"]
SORTERS = ["spykingcircus2", "mountainsort5"]
PARTS = {"units": 3.1, "background": 1.4, "correlated": 5.2, "independent": 4.3}
PASSED = {
    "raw": [1.0, 1.0, 1.0, 1.0],
    "di": [0.9, 0.6, 0.8, 0.1],
    "di-after-bandpass": [0.99, 0.98, 0.99, 0.97],
    "gaussian": [0.7, 0.7, 0.9, 0.6],
}
SHIFT = {"raw": 0.0, "di": 0.04, "di-after-bandpass": 0.0, "gaussian": -0.12}


def example_tables(
    replicates: int = 2,
    true_units: int = 24,
    conditions: list[str] | None = None,
    channels: int = 24,
    with_recorded: bool = True,
    failed: tuple[str, str] | None = None,
    known: list[tuple[str, str]] | None = None,
    sorters: list[str] | None = None,
    repeats: int = 1,
    status: str = "failed",
) -> dict[str, pd.DataFrame]:
    """Return every table of a study on datasets with truth and on a recorded one.

    Parameters
    ----------
    replicates, true_units, channels, repeats : int
        Size of the study; a sixth more units are background.
    conditions, sorters : list of str, optional
        All four conditions and both sorters when left out.
    with_recorded : bool
        Add a dataset without truth.
    failed : (condition, sorter), optional
        A sorting that failed in every replicate of the datasets with truth.
    known : list of (dataset, kind), optional
        Datasets with truth; a synthetic one when left out.
    status : str
        Of the sorting that failed.
    """
    conditions = CONDITIONS if conditions is None else conditions
    sorters = SORTERS if sorters is None else sorters
    known = [("np2-synthetic", "synthetic")] if known is None else known
    generator = np.random.default_rng(7)
    datasets = [(dataset, kind, replicates) for dataset, kind in known]
    units = pd.concat(
        [
            _units(generator, dataset, true_units, conditions, sorters, failed, repeats, status)
            for dataset in datasets
        ],
        ignore_index=True,
    )
    if with_recorded:
        datasets.append(("np2-real", "recorded", 1))
    trained = [name for name in conditions if name.startswith("di")]
    models, training = _models(datasets, trained)
    tables = {
        "units": units,
        "sortings": _sortings(generator, units, datasets, conditions, sorters, failed, repeats),
        "noise": _noise(generator, datasets, conditions, channels),
        "noise_parts": _noise_parts(generator, datasets, conditions),
        "traces": _traces(generator, datasets, conditions, channels),
        "models": models,
        "model_uses": _model_uses(models),
        "training": training,
        "effects": _effects(units),
    }
    return tables | measured_tables(units, datasets, conditions, sorters)


def _units(generator, dataset, true_units, conditions, sorters, failed, repeats, status):
    rows = []
    name, kind, replicates = dataset
    number = true_units + true_units // 6
    for replicate in range(replicates):
        peaks = np.exp(generator.uniform(np.log(6), np.log(150), number))
        for index, peak in enumerate(peaks):
            background = index >= true_units
            peak = generator.uniform(2, 5) if background else peak
            depth, rate = generator.uniform(0, 300), generator.uniform(1, 15)
            width = generator.uniform(0.15, 0.7)
            for condition in conditions:
                for sorter in sorters:
                    for repeat in range(repeats):
                        broken = failed == (condition, sorter)
                        easy = 1 / (1 + np.exp(-(np.log(peak) - np.log(25)) * 3))
                        noisy = easy + SHIFT.get(condition, 0.0) + generator.normal(0, 0.04)
                        accuracy = float(np.clip(noisy, 0, 1))
                        rows.append(
                            {
                                "dataset": name,
                                "kind": kind,
                                "replicate": replicate,
                                "condition": condition,
                                "sorter": sorter,
                                "repeat": repeat,
                                "unit": f"u{index}",
                                "background": background,
                                "peak_uv": float(peak),
                                "snr_raw": float(peak / 7),
                                "width_ms": width,
                                "firing_rate_hz": rate,
                                "spikes": int(rate * 40),
                                "depth_um": depth,
                                "status": status if broken else "ok",
                                "sorted_unit": None if broken or accuracy < 0.1 else str(index),
                                "accuracy": np.nan if broken else accuracy,
                                "precision": np.nan if broken else min(1.0, accuracy + 0.05),
                                "recall": np.nan if broken else min(1.0, accuracy + 0.02),
                                "well_detected": None if broken else accuracy >= 0.8,
                                "model_saw_recording": condition.startswith("di"),
                            }
                        )
    return pd.DataFrame(rows)


def _sortings(generator, units, datasets, conditions, sorters, failed, repeats):
    rows = []
    for dataset, kind, replicates in datasets:
        has_truth = kind != "recorded"
        for replicate in range(replicates):
            for condition in conditions:
                for place, sorter in enumerate(sorters):
                    for repeat in range(repeats):
                        row = {
                            "dataset": dataset,
                            "kind": kind,
                            "replicate": replicate,
                            "condition": condition,
                            "sorter": sorter,
                            "repeat": repeat,
                            "mode": "default",
                            "status": "ok",
                            "error": None,
                            "sorted_units": 20 + int(generator.integers(0, 9)),
                            "seconds": float(generator.uniform(20, 60)) * (place + 1),
                            "peak_memory_mb": float(generator.uniform(900, 2300)),
                            "deterministic": sorter == "mountainsort5",
                            "model_saw_recording": condition.startswith("di"),
                        }
                        if has_truth:
                            keys = (dataset, replicate, condition, sorter, repeat)
                            row |= _classes(units, *keys)
                        elif condition == "raw":
                            row |= {"status": "empty", "sorted_units": 0}
                        if has_truth and failed == (condition, sorter):
                            row |= {
                                "status": units.loc[units["accuracy"].isna(), "status"].iloc[0],
                                "error": "ValueError: too few spikes",
                                "sorted_units": None,
                                "well_detected": None,
                                "false_positive": None,
                                "redundant": None,
                                "overmerged": None,
                                "mean_accuracy": None,
                            }
                        rows.append(row)
    table = pd.DataFrame(rows)
    empty = ["true_units", "well_detected", "false_positive", "redundant", "overmerged"]
    return table.reindex(columns=list(dict.fromkeys([*table, *empty, "mean_accuracy"])))


def _classes(units, dataset, replicate, condition, sorter, repeat):
    mask = (
        (units["dataset"] == dataset)
        & (units["replicate"] == replicate)
        & (units["condition"] == condition)
        & (units["sorter"] == sorter)
        & (units["repeat"] == repeat)
        & ~units["background"]
    )
    asked = units[mask]
    return {
        "true_units": len(asked),
        "well_detected": int((asked["accuracy"] >= 0.8).sum()),
        "redundant": 2,
        "overmerged": 1,
        "false_positive": 4 + (condition != "raw"),
        "mean_accuracy": float(asked["accuracy"].mean()),
    }


def _channel_table(dataset, channels):
    shanks = 2 if dataset == "np2-real" else 1
    return [
        {
            "channel": f"AP{index}",
            "depth_um": 15.0 * ((index % (channels // shanks)) // 2),
            "x_um": 32.0 * (index % 2),
            "shank": str(index // (channels // shanks)),
        }
        for index in range(channels)
    ]


def _noise(generator, datasets, conditions, channels):
    level = {"raw": 7.5, "di": 3.2, "di-after-bandpass": 7.4, "gaussian": 5.9}
    return pd.DataFrame(
        [
            {"dataset": dataset, "kind": kind, "replicate": replicate, "condition": condition}
            | channel
            | {"noise_uv": level.get(condition, 5.0) * float(generator.lognormal(0, 0.08))}
            for dataset, kind, replicates in datasets
            for replicate in range(replicates)
            for condition in conditions
            for channel in _channel_table(dataset, channels)
        ]
    )


def _noise_parts(generator, datasets, conditions):
    return pd.DataFrame(
        [
            {
                "dataset": dataset,
                "kind": kind,
                "replicate": replicate,
                "condition": condition,
                "part": part,
                "level_uv": level,
                "passed": PASSED.get(condition, [0.8] * 4)[index]
                + float(generator.normal(0, 0.01)),
            }
            for dataset, kind, replicates in datasets
            if kind == "synthetic"
            for replicate in range(replicates)
            for condition in conditions
            for index, (part, level) in enumerate(PARTS.items())
        ]
    )


def _traces(generator, datasets, conditions, channels):
    frames = 600
    keep = {"raw": 1.0, "di": 0.4, "di-after-bandpass": 0.98, "gaussian": 0.7}
    time = np.arange(frames) / 30.0
    parts = []
    for dataset, kind, _ in datasets:
        noise = generator.normal(0, 7, (channels, frames))
        spikes = np.zeros((channels, frames))
        for _ in range(12):
            centre, row = generator.integers(40, frames - 40), generator.integers(0, channels)
            shape = -np.exp(-(((np.arange(frames) - centre) / 4) ** 2))
            reach = np.exp(-(((np.arange(channels) - row) / 2) ** 2))
            spikes += generator.uniform(20, 120) * reach[:, None] * shape
        for condition in conditions:
            values = spikes + keep.get(condition, 0.6) * noise
            for channel, trace in zip(_channel_table(dataset, channels), values, strict=True):
                parts.append(
                    pd.DataFrame(
                        {"dataset": dataset, "kind": kind, "replicate": 0, "condition": condition}
                        | channel
                        | {"time_ms": time, "trace_uv": trace}
                    )
                )
    return pd.concat(parts, ignore_index=True)


def _models(datasets, trained):
    models, training = [], []
    for dataset, kind, replicates in datasets:
        for replicate in range(replicates):
            for condition in trained:
                copies = condition == "di-after-bandpass"
                names = {
                    "dataset": dataset,
                    "kind": kind,
                    "replicate": replicate,
                    "condition": condition,
                    "model": "compact",
                }
                linear, final = (0.004, 0.006) if copies else (0.648, 0.633 + 0.002 * replicate)
                models.append(
                    names
                    | {
                        "training_frames": 900_000 // (1 + len(dataset) % 3),
                        "validation_frames": 100_000,
                        "steps": 3000,
                        "parameters": 63_000,
                        "flops_per_frame": 6_100_000,
                        "validation_loss": final,
                        "linear_loss": linear,
                        "constant_loss": 1.0,
                        "noise_floor": 0.9 * linear,
                        "predictability": 1 - linear,
                        "noise_foretold": 1 - linear,
                        "model_saw_recording": dataset == "np2-synthetic",
                    }
                )
                for step in range(0, 3001, 250):
                    loss = final + (1 - final) * np.exp(-step / 300)
                    training.append(
                        names
                        | {"step": step, "training_loss": loss * 0.99, "validation_loss": loss}
                    )
    columns = ["dataset", "kind", "replicate", "condition", "model"]
    losses = ["validation_loss", "linear_loss", "constant_loss", "noise_floor"]
    losses += ["predictability", "noise_foretold"]
    return (
        pd.DataFrame(models, columns=None if models else [*columns, *losses]),
        pd.DataFrame(
            training,
            columns=None if training else [*columns, "step", "training_loss", "validation_loss"],
        ),
    )


def _model_uses(models):
    """Every model is used where it was trained, and nowhere else."""
    uses = models[["dataset", "kind", "replicate", "condition", "model"]]
    homes = {"trained_on": "dataset", "trained_replicate": "replicate", "trained_for": "condition"}
    return uses.assign(**{home: uses[column] for home, column in homes.items()})


def _effects(units):
    """Effects on accuracy in two bands and on well-detected units, in every scope."""
    asked = units[~units["background"]].assign(detected=units["well_detected"].astype(float))
    keys = ["dataset", "kind", "replicate", "sorter", "repeat", "unit", "peak_uv"]
    scopes = [(True, True), (True, False), (False, True), (False, False)]
    endpoints = {
        "accuracy-small": ("accuracy", asked["peak_uv"] < 30),
        "accuracy-large": ("accuracy", asked["peak_uv"] >= 30),
        "well_detected": ("well_detected", asked["peak_uv"] > 0),
    }
    rows = []
    for endpoint, (measure, chosen) in endpoints.items():
        value = "accuracy" if measure == "accuracy" else "detected"
        wide = asked[chosen].pivot_table(
            index=keys, columns="condition", values=value, dropna=False, observed=True
        )
        wide = wide.dropna(how="all").reset_index()
        for condition in asked["condition"].unique():
            if condition == REFERENCE or REFERENCE not in wide:
                continue
            change = wide.assign(
                condition=condition,
                difference=wide[condition] - wide[REFERENCE] if condition in wide else np.nan,
            )
            for of_dataset, of_sorter in scopes:
                by = ["dataset"] * of_dataset + ["sorter"] * of_sorter
                groups = change.groupby(by, sort=False) if by else [((), change)]
                for names, group in groups:
                    given = dict(zip(by, names, strict=True))
                    rows.append(
                        {"dataset": "all", "kind": "all", "sorter": "all", "primary": True}
                        | given
                        | {"condition": condition, "endpoint": endpoint, "measure": measure}
                        | _effect(group)
                    )
    columns = ["dataset", "kind", "sorter", "condition", "endpoint", "measure", "primary"]
    columns += [
        "reference_value",
        "effect",
        "low",
        "high",
        "p",
        "p_holm",
        "standardized",
        "detectable",
    ]
    columns += ["repeat_spread", "units", "recordings", "left_out", "tuned"]
    return pd.DataFrame(rows, columns=columns)


def example_verdict(tables: dict[str, pd.DataFrame]) -> dict:
    """Return the verdict on example tables."""
    endpoints = [
        Endpoint("accuracy-small", "accuracy", (0.0, 30.0)),
        Endpoint("accuracy-large", "accuracy", (30.0, None)),
        Endpoint("well_detected", "well_detected", primary=False),
    ]
    checks = [
        {
            "check": "gaussian",
            "condition": "gaussian",
            "holds": True,
            "sentence": "gaussian gains nothing, and loses in 2 of 2 endpoints.",
        }
    ]
    return give_verdict(tables["effects"], endpoints, REFERENCE, 1, checks)


def _effect(group):
    paired = group["difference"].dropna()
    if paired.empty:
        return {"units": 0, "recordings": 0, "left_out": 1, "tuned": False}
    spread = float(paired.std()) if len(paired) > 1 else np.nan
    error = spread / np.sqrt(len(paired))
    effect = float(paired.mean())
    p = math.erfc(abs(effect) / error / math.sqrt(2)) if error > 0 else np.nan
    recordings = group.loc[paired.index, ["dataset", "replicate"]].drop_duplicates()
    return {
        "reference_value": 0.5,
        "effect": effect,
        "low": effect - 2 * error,
        "high": effect + 2 * error,
        "p": p,
        "p_holm": min(1.0, 3 * p),
        "standardized": effect / spread if spread else np.nan,
        "detectable": 2.8 * error,
        "repeat_spread": np.nan,
        "units": group.loc[paired.index, ["dataset", "replicate", "unit"]]
        .drop_duplicates()
        .shape[0],
        "recordings": len(recordings),
        "left_out": 0,
        "tuned": bool(group["condition"].str.startswith("di").any()),
    }
