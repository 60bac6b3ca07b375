"""Made-up tables that follow docs/tables.md, for tests that need no recording and no sorter."""

from __future__ import annotations

import numpy as np
import pandas as pd

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
) -> dict[str, pd.DataFrame]:
    """Return every table of a study on a synthetic dataset and on a recorded one.

    Parameters
    ----------
    replicates, true_units, channels : int
        Size of the study; a sixth more units are background.
    conditions : list of str, optional
        The conditions; all four when left out.
    with_recorded : bool
        Add a dataset without truth.
    failed : (condition, sorter), optional
        A sorting that failed in every replicate of the synthetic dataset.
    """
    conditions = CONDITIONS if conditions is None else conditions
    generator = np.random.default_rng(7)
    units = _units(generator, replicates, true_units, conditions, failed)
    datasets = [("np2-synthetic", "synthetic", replicates)]
    if with_recorded:
        datasets.append(("np2-real", "recorded", 1))
    trained = [name for name in conditions if name.startswith("di")]
    models, training = _models(datasets, trained)
    return {
        "units": units,
        "sortings": _sortings(generator, units, datasets, conditions, failed),
        "noise": _noise(generator, datasets, conditions, channels),
        "noise_parts": _noise_parts(generator, replicates, conditions),
        "traces": _traces(generator, datasets, conditions, channels),
        "models": models,
        "training": training,
        "effects": _effects(units),
    }


def _units(generator, replicates, true_units, conditions, failed):
    rows = []
    number = true_units + true_units // 6
    for replicate in range(replicates):
        peaks = np.exp(generator.uniform(np.log(6), np.log(150), number))
        for index, peak in enumerate(peaks):
            background = index >= true_units
            peak = generator.uniform(2, 5) if background else peak
            depth, rate = generator.uniform(0, 300), generator.uniform(3, 15)
            for condition in conditions:
                for sorter in SORTERS:
                    broken = failed == (condition, sorter)
                    easy = 1 / (1 + np.exp(-(np.log(peak) - np.log(25)) * 3))
                    noisy = easy + SHIFT.get(condition, 0.0) + generator.normal(0, 0.04)
                    accuracy = float(np.clip(noisy, 0, 1))
                    rows.append(
                        {
                            "dataset": "np2-synthetic",
                            "kind": "synthetic",
                            "replicate": replicate,
                            "condition": condition,
                            "sorter": sorter,
                            "repeat": 0,
                            "unit": f"u{index}",
                            "background": background,
                            "peak_uv": float(peak),
                            "snr_raw": float(peak / 7),
                            "firing_rate_hz": rate,
                            "spikes": int(rate * 40),
                            "depth_um": depth,
                            "status": "failed" if broken else "ok",
                            "sorted_unit": None if broken or accuracy < 0.1 else str(index),
                            "accuracy": np.nan if broken else accuracy,
                            "precision": np.nan if broken else min(1.0, accuracy + 0.05),
                            "recall": np.nan if broken else min(1.0, accuracy + 0.02),
                            "well_detected": None if broken else accuracy >= 0.8,
                            "model_saw_recording": condition.startswith("di"),
                        }
                    )
    return pd.DataFrame(rows)


def _sortings(generator, units, datasets, conditions, failed):
    rows = []
    for dataset, kind, replicates in datasets:
        for replicate in range(replicates):
            for condition in conditions:
                for sorter in SORTERS:
                    row = {
                        "dataset": dataset,
                        "kind": kind,
                        "replicate": replicate,
                        "condition": condition,
                        "sorter": sorter,
                        "repeat": 0,
                        "status": "ok",
                        "error": None,
                        "sorted_units": 20 + int(generator.integers(0, 9)),
                        "seconds": float(generator.uniform(20, 60)),
                        "peak_memory_mb": float(generator.uniform(900, 2300)),
                        "deterministic": sorter == "mountainsort5",
                        "model_saw_recording": condition.startswith("di"),
                    }
                    if kind == "synthetic":
                        row |= _classes(units, replicate, condition, sorter)
                    if kind == "recorded" and condition == "raw":
                        row |= {"status": "empty", "sorted_units": 0}
                    if kind == "synthetic" and failed == (condition, sorter):
                        row |= {
                            "status": "failed",
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


def _classes(units, replicate, condition, sorter):
    mask = (
        (units["replicate"] == replicate)
        & (units["condition"] == condition)
        & (units["sorter"] == sorter)
        & ~units["background"]
    )
    asked = units[mask]
    return {
        "true_units": len(asked),
        "well_detected": int((asked["accuracy"] >= 0.8).sum()),
        "redundant": 2,
        "overmerged": 1,
        "false_positive": 4,
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
            | {"noise_uv": level[condition] * float(generator.lognormal(0, 0.08))}
            for dataset, kind, replicates in datasets
            for replicate in range(replicates)
            for condition in conditions
            for channel in _channel_table(dataset, channels)
        ]
    )


def _noise_parts(generator, replicates, conditions):
    return pd.DataFrame(
        [
            {
                "dataset": "np2-synthetic",
                "kind": "synthetic",
                "replicate": replicate,
                "condition": condition,
                "part": part,
                "level_uv": level,
                "passed": PASSED[condition][index] + float(generator.normal(0, 0.01)),
            }
            for replicate in range(replicates)
            for condition in conditions
            for index, (part, level) in enumerate(PARTS.items())
        ]
    )


def _traces(generator, datasets, conditions, channels, frames=600):
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
            values = spikes + keep[condition] * noise
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
                        "training_frames": 900_000,
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


def _effects(units):
    rows = []
    asked = units[~units["background"]]
    keys = ["dataset", "replicate", "sorter", "unit"]
    before = asked[asked["condition"] == REFERENCE].set_index(keys)["accuracy"]
    for sorter in SORTERS:
        for condition in asked["condition"].unique():
            if condition == REFERENCE:
                continue
            after = asked[(asked["condition"] == condition) & (asked["sorter"] == sorter)]
            paired = (after.set_index(keys)["accuracy"] - before).dropna()
            deviation = paired.std() / np.sqrt(max(1, len(paired))) if len(paired) else np.nan
            rows.append(
                {
                    "dataset": "np2-synthetic",
                    "kind": "synthetic",
                    "condition": condition,
                    "sorter": sorter,
                    "endpoint": "accuracy",
                    "effect": paired.mean() if len(paired) else np.nan,
                    "low": paired.mean() - 2 * deviation if len(paired) else np.nan,
                    "high": paired.mean() + 2 * deviation if len(paired) else np.nan,
                    "units": len(paired),
                    "recordings": paired.reset_index()["replicate"].nunique(),
                }
            )
    columns = ["dataset", "kind", "condition", "sorter", "endpoint", "effect", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, "units", "recordings"])
