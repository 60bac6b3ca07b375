"""The table `transfer`: how each condition came by its model, from how much data, and its worth."""

import numpy as np
import pandas as pd
import pytest

from ephys_deepinterpolation.statistics.transfer import (
    gaps_closed,
    headline,
    losses_of_conditions,
    seconds,
    transfer_table,
    ways_of_conditions,
)

RATE = 1000.0
MODELS = [
    # model, dataset it was trained on, what it was tuned from, frames, steps
    ("base", "elsewhere", None, 300_000, 2000),
    ("tuned", "tissue", "base", 10_000, 500),
    ("own", "tissue", None, 60_000, 2000),
    ("filter", "tissue", None, 60_000, 0),
]
LOSSES = {"base": 0.70, "tuned": 0.54, "own": 0.50, "filter": 0.60, "file": 0.9}


@pytest.fixture
def tables():
    """A study on one dataset, each of whose conditions is named like its model."""
    home = {"replicate": 0, "condition": "base", "kind": "synthetic"}
    models = pd.DataFrame(
        [
            home
            | {"model": model, "dataset": trained_on, "fine_tuned_from": base, "steps": steps}
            | {"training_frames": 0.9 * frames, "validation_frames": 0.1 * frames}
            | {"training_seconds": 7.0}
            for model, trained_on, base, frames, steps in MODELS
        ]
    )
    used = {"dataset": "tissue", "kind": "synthetic", "replicate": 0}
    uses = [
        used
        | {"condition": model, "model": model}
        | {"trained_on": trained_on, "trained_replicate": 0, "trained_for": "base"}
        for model, trained_on, *_ in MODELS
    ]
    uses.append(used | {"condition": "file", "model": "file"})
    names = ["tissue", "elsewhere"]
    recordings = pd.DataFrame({"dataset": names, "sampling_frequency_hz": RATE})
    spectra = pd.DataFrame(
        [
            {"dataset": "tissue", "replicate": 0, "condition": condition, "trace": trace}
            | {"frequency_hz": frequency, "density_uv2_per_hz": share * density}
            for condition, loss in {"raw": 0.0, **LOSSES}.items()
            for trace, share in {"reference": 1.0, "output": 1.0 - loss, "removed": loss}.items()
            for frequency, density in {500.0: 3.0, 1000.0: 1.0}.items()
        ]
    )
    effects = pd.DataFrame(
        [
            {"dataset": dataset, "sorter": sorter, "condition": "tuned", "recordings": 1}
            | {"endpoint": "accuracy-small", "measure": "accuracy"}
            | {"effect": effect, "low": -0.1, "high": 0.1}
            for dataset, sorter, effect in [
                ("tissue", "all", 0.05),
                ("tissue", "mountainsort5", 0.9),
                ("all", "all", 0.8),
            ]
        ]
    )
    return {
        "models": models,
        "model_uses": pd.DataFrame(uses),
        "recordings": recordings,
        "residual_spectra": spectra,
        "effects": effects,
    }


def ways(tables):
    names = ("models", "model_uses", "recordings")
    return ways_of_conditions(*(tables[name] for name in names)).set_index("condition")


def test_the_way_follows_from_where_and_from_what_a_model_was_trained(tables):
    assert ways(tables)["way"].to_dict() == {
        "base": "as it is",
        "tuned": "fine-tuned",
        "own": "from scratch",
        "filter": "linear",
        "file": "as it is",
    }


def test_only_frames_of_the_dataset_itself_count_as_its_own_data(tables):
    found = ways(tables)
    expected = {"base": 0.0, "tuned": 10.0, "own": 60.0, "filter": 60.0, "file": 0.0}
    assert found["data_s"].to_dict() == pytest.approx(expected)
    assert found.loc["tuned", "training_seconds"] == 7.0
    assert found.loc[["base", "file"], "training_seconds"].tolist() == [0.0, 0.0]


def test_without_a_tuned_model_of_any_dataset_all_are_from_scratch(tables):
    tables["models"]["fine_tuned_from"] = np.nan
    assert ways(tables).loc["tuned", "way"] == "from scratch"


def test_the_loss_is_the_share_of_the_power_that_was_removed(tables):
    found = losses_of_conditions(tables["residual_spectra"], seed=0).set_index("condition")
    assert found["value"].to_dict() == pytest.approx({"raw": 0.0, **LOSSES})
    assert found["low"].isna().all()


def test_a_loss_of_several_recordings_is_their_mean_with_an_interval(tables):
    one = tables["residual_spectra"]
    louder = (one["trace"] == "removed") & (one["condition"] == "own")
    other = one.assign(replicate=1)
    other.loc[louder, "density_uv2_per_hz"] *= 1.2
    found = losses_of_conditions(pd.concat([one, other]), seed=0).set_index("condition")
    row = found.loc["own"]
    assert row["value"] == pytest.approx(0.55)
    assert row["low"] < row["value"] < row["high"]
    assert row["recordings"] == 2


def test_the_gap_is_0_for_linear_interpolation_and_1_from_scratch(tables):
    table = transfer_table(**tables, seed=0)
    gaps = table[table["measure"] == "gap_closed"].set_index("condition")["value"]
    expected = {"filter": 0.0, "own": 1.0, "tuned": 0.6, "base": -1.0, "file": -3.0}
    assert gaps.to_dict() == pytest.approx(expected)


@pytest.mark.parametrize("missing", ["filter", "own", "a gap"])
def test_without_a_gap_nothing_closes_it(tables, missing):
    found = ways(tables).reset_index()
    losses = found.assign(value=found["condition"].map(LOSSES), measure="loss")
    if missing == "a gap":
        losses.loc[losses["condition"] == "own", "value"] = LOSSES["filter"]
    kept = losses[losses["condition"] != missing]
    assert gaps_closed(kept).empty
    assert headline(gaps_closed(kept)) == ""


def test_effects_are_those_of_the_dataset_over_all_sorters(tables):
    table = transfer_table(**tables, seed=0)
    (row,) = table[table["measure"] == "accuracy"].to_dict("records")
    assert (row["dataset"], row["condition"], row["endpoint"]) == (
        "tissue",
        "tuned",
        "accuracy-small",
    )
    assert row["value"] == 0.05
    assert row["data_s"] == pytest.approx(10.0)


def test_the_headline_says_what_the_least_fine_tuning_reaches(tables):
    one = transfer_table(**tables, seed=0)
    sentence = (
        "Fine-tuning on 10 s closes {} % of the gap from linear interpolation to training from "
        "scratch on {} s ({})"
    )
    assert headline(one) == sentence.format("60", "60", "1 dataset")
    other = one.assign(dataset="other")
    tuned = (other["way"] == "fine-tuned") & (other["measure"] == "gap_closed")
    other.loc[tuned, "value"] = 0.9
    other.loc[other["way"] == "from scratch", "data_s"] = 299.0
    both = headline(pd.concat([one, other]))
    assert both == sentence.format("60 to 90", "60 to 300", "2 datasets")


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.4793, "0.48"), (9.979, "10"), (299.4, "300")]
)
def test_seconds_have_two_digits(value, text):
    assert seconds(value) == text
