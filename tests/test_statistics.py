"""Paired effects: zero for no change, right for a planted one, and as uncertain as they claim."""

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from ephys_deepinterpolation.statistics import paired_effects

COLUMNS = ["dataset", "kind", "condition", "sorter", "endpoint"]
COLUMNS += ["effect", "low", "high", "units", "recordings"]
KEYS = ["dataset", "condition", "sorter"]


def study(
    differences, dataset="tissue", sorter="sorter-a", condition="denoised", replicate=0, seed=0
):
    """A table `units`: accuracies in the reference, `raw`, and as much higher in a condition."""
    count = len(differences)
    raw = np.random.default_rng(seed).uniform(0.1, 0.7, size=count)
    sides = {"raw": raw, condition: raw + differences}
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "dataset": dataset,
                    "kind": "synthetic",
                    "replicate": replicate,
                    "condition": name,
                    "sorter": sorter,
                    "repeat": 0,
                    "unit": [f"units-{index:03d}" for index in range(count)],
                    "background": False,
                    "status": "ok",
                    "accuracy": accuracy,
                }
            )
            for name, accuracy in sides.items()
        ],
        ignore_index=True,
    )


def several(differences_by_replicate, **names):
    return pd.concat(
        [
            study(differences, replicate=replicate, seed=replicate, **names)
            for replicate, differences in enumerate(differences_by_replicate)
        ],
        ignore_index=True,
    )


def only_row(units, **options):
    (row,) = paired_effects(units, "raw", seed=1, **options).to_dict("records")
    return row


def widths(row):
    return row["high"] - row["low"]


def normal(mean, deviation, size, seed=3):
    return np.random.default_rng(seed).normal(mean, deviation, size=size)


def test_a_condition_that_changes_nothing_has_an_effect_of_exactly_zero():
    row = only_row(several([np.zeros(25), np.zeros(10)]))
    assert (row["effect"], row["low"], row["high"]) == (0.0, 0.0, 0.0)
    assert (row["units"], row["recordings"]) == (35, 2)


def test_a_constant_improvement_is_recovered_without_uncertainty():
    row = only_row(study(np.full(20, 0.05)))
    assert [row["effect"], row["low"], row["high"]] == pytest.approx([0.05] * 3, abs=1e-12)


def test_a_planted_improvement_lies_in_an_interval_that_excludes_zero():
    differences = normal(0.1, 0.05, size=40)
    row = only_row(study(differences))
    assert row["effect"] == pytest.approx(differences.mean())
    assert 0.0 < row["low"] < 0.1 < row["high"]
    assert row["low"] < row["effect"] < row["high"]


def test_a_loss_is_the_mirror_image_of_a_gain():
    differences = normal(0.1, 0.05, size=40)
    gain, loss = only_row(study(differences)), only_row(study(-differences))
    assert (loss["effect"], loss["low"], loss["high"]) == pytest.approx(
        (-gain["effect"], -gain["high"], -gain["low"]), abs=0.002
    )


def test_the_difference_is_taken_on_the_same_unit():
    """Units differ far more from each other than by the condition: pairing removes that."""
    row = only_row(study(normal(0.02, 0.001, size=25)))
    assert widths(row) < 0.002


def test_the_interval_is_that_of_the_mean_of_paired_differences():
    differences = normal(0.0, 0.1, size=400)
    standard_error = differences.std() / np.sqrt(400)
    assert widths(only_row(study(differences))) == pytest.approx(2 * 1.96 * standard_error, rel=0.1)


def test_the_order_of_the_rows_changes_nothing():
    units = pd.concat(
        [
            several([normal(0.1, 0.1, 12), normal(0.0, 0.1, 7)], sorter=sorter)
            for sorter in ("sorter-a", "sorter-b")
        ]
    )
    expected = paired_effects(units, "raw", seed=1).sort_values(KEYS, ignore_index=True)
    for seed in range(3):
        shuffled = units.sample(frac=1.0, random_state=seed)
        found = paired_effects(shuffled, "raw", seed=1).sort_values(KEYS, ignore_index=True)
        assert_frame_equal(found, expected)


def test_the_seed_moves_an_interval_a_little_and_the_effect_not_at_all():
    units = study(normal(0.1, 0.1, size=25))
    one, same, other = (paired_effects(units, "raw", seed=seed).iloc[0] for seed in (1, 1, 2))
    assert one.equals(same)
    assert one["effect"] == other["effect"]
    assert one["low"] != other["low"]
    assert one["low"] == pytest.approx(other["low"], abs=0.1 * widths(one))


def test_other_datasets_sorters_and_conditions_change_no_other_row():
    units = several([normal(0.1, 0.1, 12), normal(0.0, 0.1, 7)])
    others = [
        study(normal(0.3, 0.1, 9), dataset="other"),
        study(normal(0.3, 0.1, 9), sorter="sorter-b"),
        study(normal(0.3, 0.1, 12), condition="smoothed").query("condition == 'smoothed'"),
    ]
    effects = paired_effects(pd.concat([*others, units]), "raw", seed=1)
    assert len(effects) == 4
    mine = effects.query("dataset == 'tissue' and sorter == 'sorter-a' and condition == 'denoised'")
    expected = paired_effects(units, "raw", seed=1)
    assert_frame_equal(mine.reset_index(drop=True), expected)


def test_units_of_one_name_in_other_replicates_sorters_and_datasets_are_not_mixed_up():
    units = pd.concat(
        [
            study(np.full(5, 0.1), replicate=0, seed=1),
            study(np.full(5, 0.3), replicate=1, seed=2),
            study(np.full(5, 0.5), sorter="sorter-b", seed=3),
            study(np.full(5, 0.7), dataset="other", seed=4),
        ]
    )
    effects = paired_effects(units, "raw", seed=1).set_index(["dataset", "sorter"])["effect"]
    assert effects.to_dict() == pytest.approx(
        {
            ("tissue", "sorter-a"): 0.2,
            ("tissue", "sorter-b"): 0.5,
            ("other", "sorter-a"): 0.7,
        }
    )


def test_every_condition_but_the_reference_has_a_row():
    units = pd.concat(
        [
            study(np.zeros(5), condition="denoised"),
            study(np.zeros(5), condition="smoothed").query("condition != 'raw'"),
        ]
    )
    effects = paired_effects(units, "raw", seed=1)
    assert effects["condition"].tolist() == ["denoised", "smoothed"]
    assert effects.columns.tolist() == COLUMNS


def test_the_reference_is_the_condition_that_is_named():
    units = study(np.full(5, 0.1))
    row = paired_effects(units, "denoised", seed=1).iloc[0]
    assert row["condition"] == "raw"
    assert row["effect"] == pytest.approx(-0.1)


def test_units_of_the_background_are_left_out():
    units = study(np.r_[np.full(5, 0.1), np.full(20, 0.4)])
    units["background"] = units["unit"] >= "units-005"
    row = only_row(units)
    assert row["effect"] == pytest.approx(0.1)
    assert row["units"] == 5


@pytest.mark.parametrize("side", ["raw", "denoised"])
def test_units_whose_sorting_failed_on_either_side_are_left_out_with_their_recording(side):
    units = several([np.full(5, 0.1), np.full(6, 0.4)])
    failed = (units["replicate"] == 1) & (units["condition"] == side)
    units.loc[failed, "accuracy"] = np.nan
    row = only_row(units)
    assert row["effect"] == pytest.approx(0.1)
    assert (row["units"], row["recordings"]) == (5, 1)


@pytest.mark.parametrize("side", ["raw", "denoised"])
def test_units_that_are_missing_on_either_side_are_left_out(side):
    units = study(np.r_[np.full(5, 0.1), np.full(2, 0.4)])
    missing = (units["condition"] == side) & (units["unit"] >= "units-005")
    row = only_row(units[~missing])
    assert row["effect"] == pytest.approx(0.1)
    assert row["units"] == 5


def test_a_sorter_that_found_nothing_counts_as_accuracy_zero():
    units = study(np.zeros(5))
    units.loc[units["condition"] == "denoised", "accuracy"] = 0.0
    raw = units.loc[units["condition"] == "raw", "accuracy"]
    assert only_row(units)["effect"] == pytest.approx(-raw.mean())


def test_a_condition_that_always_failed_stays_as_a_row_without_effect():
    units = study(np.zeros(5))
    units.loc[units["condition"] == "denoised", "accuracy"] = np.nan
    row = only_row(units)
    assert np.isnan([row["effect"], row["low"], row["high"]]).all()
    assert (row["units"], row["recordings"]) == (0, 0)


def test_without_units_the_table_is_empty_with_its_columns():
    for units in (pd.DataFrame(), study(np.zeros(3)).iloc[:0]):
        effects = paired_effects(units, "raw", seed=1)
        assert effects.empty
        assert effects.columns.tolist() == COLUMNS


def test_any_column_can_be_the_endpoint():
    units = study(np.full(5, 0.1))
    units["recall"] = 2 * units["accuracy"]
    row = only_row(units, endpoint="recall")
    assert row["endpoint"] == "recall"
    assert row["effect"] == pytest.approx(0.2)


def test_recordings_that_differ_make_the_interval_as_wide_as_their_number_says():
    """Units of one recording are not independent evidence on recordings."""
    shifts = np.linspace(-0.2, 0.2, 6)
    apart = several([shift + normal(0.1, 0.01, 25, seed) for seed, shift in enumerate(shifts)])
    pooled = apart.assign(unit=apart["unit"] + "/" + apart["replicate"].astype(str), replicate=0)
    clustered, ignored = only_row(apart), only_row(pooled)
    assert clustered["effect"] == pytest.approx(ignored["effect"])
    assert widths(clustered) == pytest.approx(2 * 1.96 * shifts.std() / np.sqrt(6), rel=0.15)
    assert widths(clustered) > 3 * widths(ignored)


def test_recordings_that_agree_leave_the_interval_as_wide_as_the_units_say():
    differences = [normal(0.1, 0.1, 30, seed) for seed in range(6)]
    apart = several(differences)
    values = np.concatenate(differences)
    expected = 2 * 1.96 * values.std() / np.sqrt(len(values))
    assert expected < widths(only_row(apart)) < 2 * expected


def test_95_percent_of_the_intervals_hold_the_true_effect():
    """Of 300 studies of 25 units; a percentile bootstrap of so few falls short by a percent or two.

    Three standard errors of a share of 300 are 0.038.
    """
    random = np.random.default_rng(7)
    units = pd.concat(
        study(random.normal(0.05, 0.1, size=25), dataset=f"study-{index}") for index in range(300)
    )
    effects = paired_effects(units, "raw", seed=1)
    covered = (effects["low"] < 0.05) & (effects["high"] > 0.05)
    assert covered.mean() == pytest.approx(0.94, abs=0.035)
    missed = (effects["low"] > 0.05).mean(), (effects["high"] < 0.05).mean()
    assert max(missed) < 0.06, "misses are about as many on either side"
