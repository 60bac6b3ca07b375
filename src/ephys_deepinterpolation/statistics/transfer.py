"""What models are worth on a dataset, by how they were come by and how much of it they saw."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ephys_deepinterpolation.seeds import derive_seed
from ephys_deepinterpolation.statistics.bootstrap import estimate_mean
from ephys_deepinterpolation.statistics.effects import ALL

HOME = {"dataset": "trained_on", "replicate": "trained_replicate", "condition": "trained_for"}
"""Where a row of the table `models` stands: the columns of `model_uses` that say so."""

AS_IT_IS, FINE_TUNED, FROM_SCRATCH, LINEAR = "as it is", "fine-tuned", "from scratch", "linear"
LOSS, GAP = "loss", "gap_closed"
COLUMNS = ["dataset", "kind", "condition", "model", "way", "data_s", "steps", "training_seconds"]
COLUMNS += ["endpoint", "measure", "value", "low", "high", "recordings"]
_USE = ["dataset", "kind", "condition", "model"]


def transfer_table(
    models: pd.DataFrame,
    model_uses: pd.DataFrame,
    recordings: pd.DataFrame,
    residual_spectra: pd.DataFrame,
    effects: pd.DataFrame,
    seed: int,
) -> pd.DataFrame:
    """Say how each condition came by its model, from how much data, and what it then is worth.

    Parameters
    ----------
    models, model_uses, recordings, residual_spectra, effects : DataFrame
        The tables of these names.
    seed : int
        Of the intervals.

    Returns
    -------
    DataFrame
        The table `transfer` of docs/tables.md.
    """
    ways = ways_of_conditions(models, model_uses, recordings)
    losses = losses_of_conditions(residual_spectra, seed)
    losses = pd.concat([losses, gaps_closed(ways.merge(losses, on=["dataset", "condition"]))])
    judged = effects[(effects["dataset"] != ALL) & effects["sorter"].fillna(ALL).eq(ALL)]
    judged = judged.rename(columns={"effect": "value"})
    losses = losses.assign(endpoint=losses["measure"])
    measured = pd.concat([losses, judged])[["dataset", "condition", *COLUMNS[-6:]]]
    measured = measured.astype(dict.fromkeys(["value", "low", "high"], float))
    return ways.merge(measured, on=["dataset", "condition"])[COLUMNS]


def ways_of_conditions(
    models: pd.DataFrame, model_uses: pd.DataFrame, recordings: pd.DataFrame
) -> pd.DataFrame:
    """Say how each condition of each dataset came by its model.

    Parameters
    ----------
    models, model_uses, recordings : DataFrame
        The tables of these names.

    Returns
    -------
    DataFrame, one row per condition that denoises with a model x dataset
        dataset, kind, condition, model; way: `as it is` for a model from a file or trained on
        another dataset, else `fine-tuned`, `from scratch` or `linear`; data_s, how much of the
        dataset it was trained on, validation included; steps and training_seconds there. Means over
        replicates.
    """
    homes = models.rename(columns=HOME).drop(columns="kind")
    homes["trained_replicate"] = homes["trained_replicate"].astype(float)
    uses = model_uses.astype({"trained_replicate": float})
    found = uses.merge(homes, how="left", on=[*HOME.values(), "model"])
    own = (found["trained_on"] == found["dataset"]).fillna(False).astype(bool)
    solved = (found["steps"] == 0).fillna(False).astype(bool)
    rate = recordings.groupby("dataset")["sampling_frequency_hz"].mean()
    frames = found["training_frames"] + found["validation_frames"]
    found["way"] = np.select(
        [solved, ~own, found["fine_tuned_from"].notna()],
        [LINEAR, AS_IT_IS, FINE_TUNED],
        FROM_SCRATCH,
    )
    found["data_s"] = frames / found["dataset"].map(rate)
    numbers = ["data_s", "steps", "training_seconds"]
    found[numbers] = found[numbers].astype(float).where(own, 0.0)
    return found.groupby([*_USE, "way"], sort=False)[numbers].mean().reset_index()


def losses_of_conditions(residual_spectra: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Say which share of the power of a recording each condition did not predict.

    On the recording that is denoised and in the band of the reference: what was removed is what
    the model did not predict. Unlike validation losses, which are each of their own frames, these
    are of the same frames for all conditions.

    Parameters
    ----------
    residual_spectra : DataFrame
        The table of this name.
    seed : int
        Of the intervals.

    Returns
    -------
    DataFrame, one row per dataset x condition
        dataset, condition, measure (`loss`); value, low and high over recordings; recordings.
    """
    keys = ["dataset", "condition", "replicate", "trace"]
    power = residual_spectra.groupby(keys, sort=False)["density_uv2_per_hz"].sum()
    removed, reference = (power.xs(trace, level="trace") for trace in ("removed", "reference"))
    rows = []
    for (dataset, condition), losses in (removed / reference).groupby(keys[:2], sort=False):
        random = np.random.default_rng(derive_seed(seed, LOSS, dataset, condition))
        estimate = estimate_mean(losses.to_numpy(float), random)
        row = {"dataset": dataset, "condition": condition, "measure": LOSS}
        row |= {"value": estimate.mean, "low": estimate.low, "high": estimate.high}
        rows.append(row | {"recordings": len(losses)})
    return pd.DataFrame(rows)


def gaps_closed(losses: pd.DataFrame) -> pd.DataFrame:
    """Put losses on the scale from linear interpolation, 0, to the most data from scratch, 1.

    Parameters
    ----------
    losses : DataFrame
        Rows of the measure `loss`, with their ways and data_s.

    Returns
    -------
    DataFrame
        The same columns; no rows of a dataset without both ends, or of one where training from
        scratch is no better than linear interpolation.
    """
    rows = []
    for _, of_dataset in losses.groupby("dataset", sort=False):
        linear, scratch = (_most_data(of_dataset, way) for way in (LINEAR, FROM_SCRATCH))
        if linear is not None and scratch is not None and scratch["value"] < linear["value"]:
            gap = linear["value"] - scratch["value"]
            closed = (linear["value"] - of_dataset["value"]) / gap
            rows.append(of_dataset.assign(measure=GAP, value=closed, low=np.nan, high=np.nan))
    return pd.concat(rows) if rows else losses.iloc[:0]


def _most_data(rows: pd.DataFrame, way: str) -> pd.Series | None:
    of_way = rows[rows["way"] == way].sort_values("data_s")
    return None if of_way.empty else of_way.iloc[-1]


def headline(transfer: pd.DataFrame) -> str:
    """Say in a sentence what the least fine-tuning reaches of the most training from scratch.

    Parameters
    ----------
    transfer : DataFrame
        The table `transfer`.

    Returns
    -------
    str
        With the range over datasets; empty where none has a gap to close and a fine-tuned model.
    """
    gaps = transfer[transfer["measure"] == GAP]
    found = []
    for _, rows in gaps.groupby("dataset", sort=False):
        tuned, scratch = rows[rows["way"] == FINE_TUNED], _most_data(rows, FROM_SCRATCH)
        if len(tuned) and scratch is not None:
            least = tuned.sort_values("data_s").iloc[0]
            found.append((least["data_s"], 100 * least["value"], scratch["data_s"]))
    if not found:
        return ""
    tuned_s, closed, scratch_s = (_range(values) for values in zip(*found, strict=True))
    datasets = "1 dataset" if len(found) == 1 else f"{len(found)} datasets"
    return (
        f"Fine-tuning on {tuned_s} s closes {closed} % of the gap from linear interpolation to "
        f"training from scratch on {scratch_s} s ({datasets})"
    )


def seconds(value: float) -> str:
    """Write seconds of data with two digits: what is left out around cuts is no other amount."""
    return f"{float(f'{value:.2g}'):g}"


def _range(values: Sequence[float]) -> str:
    low, high = seconds(min(values)), seconds(max(values))
    return low if low == high else f"{low} to {high}"
