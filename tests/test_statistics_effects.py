"""Paired effects: zero for no change, right for a planted one, of recordings and not of units."""

import itertools

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from ephys_deepinterpolation.statistics import Endpoint, estimate_effects, holm, read_endpoints
from example_studies import ACCURACY, effects_of, overall, recording, recordings

KEYS = ["endpoint", "condition", "dataset", "sorter"]


def normal(mean, deviation, size, seed=3):
    return np.random.default_rng(seed).normal(mean, deviation, size=size)


def ordered(effects):
    return effects.sort_values(KEYS, ignore_index=True)


def sortings(counts, column="false_positive", **columns):
    """A table `sortings` with a count for each condition, replicate by replicate."""
    return pd.DataFrame(
        [
            {
                "dataset": "tissue",
                "kind": "synthetic",
                "replicate": replicate,
                "condition": condition,
                "sorter": "sorter-a",
                "repeat": 0,
                "status": "ok",
                column: count,
            }
            | columns
            for condition, each in counts.items()
            for replicate, count in enumerate(each)
        ]
    )


def allowed(rate, trials):
    """Four standard errors of a share."""
    return 4 * np.sqrt(rate * (1 - rate) / trials)


def test_a_condition_that_changes_nothing_has_an_effect_of_exactly_zero():
    row = overall(recordings([np.zeros(25), np.zeros(10)]))
    assert (row["effect"], row["low"], row["high"], row["p"]) == (0.0, 0.0, 0.0, 1.0)
    assert (row["units"], row["recordings"]) == (35, 2)


@pytest.mark.parametrize("planted", [0.04, -0.04])
def test_a_planted_gain_or_harm_lies_in_95_percent_of_the_intervals(planted):
    """Studies of five recordings, which differ, of 5 to 20 units, which differ more."""
    random, studies = np.random.default_rng(7), 200
    units = pd.concat(
        recordings(
            [
                random.normal(planted + random.normal(0, 0.03), 0.1, random.integers(5, 21))
                for _ in range(5)
            ],
            dataset=f"study-{index:03d}",
        )
        for index in range(studies)
    )
    effects = effects_of(units).query("dataset != 'all' and sorter == 'all'")
    held = (effects["low"] < planted) & (effects["high"] > planted)
    assert len(effects) == studies
    assert effects["effect"].mean() == pytest.approx(planted, abs=0.006)
    assert held.mean() == pytest.approx(0.945, abs=allowed(0.05, studies))


def test_shuffled_labels_give_5_percent_false_alarms():
    """Which side is the reference is drawn anew for each recording of a study with an effect."""
    random, studies = np.random.default_rng(8), 300
    parts = []
    for index in range(studies):
        for replicate in range(8):
            gain = random.normal(0.05 + random.normal(0, 0.05), 0.1, 6)
            flip = random.choice([-1, 1])
            names = {"dataset": f"study-{index:03d}", "replicate": replicate}
            parts.append(recording(flip * gain, **names))
    effects = effects_of(pd.concat(parts)).query("dataset != 'all' and sorter == 'all'")
    assert (effects["p"] < 0.05).mean() == pytest.approx(0.05, abs=allowed(0.05, studies))


def test_the_difference_is_taken_on_the_same_unit():
    """Units differ far more from each other than by the condition: pairing removes that."""
    row = overall(recording(normal(0.02, 0.001, size=25)))
    assert row["high"] - row["low"] < 0.002


def test_a_recording_with_many_units_counts_as_much_as_one_with_few():
    row = overall(recordings([np.full(50, 0.1), np.full(2, 0.3)]))
    assert row["effect"] == pytest.approx(0.2)


def test_a_sorter_more_makes_no_unit_count_twice():
    units = recordings([normal(0.1, 0.1, 12, seed) for seed in range(3)])
    twice = pd.concat([units, units.assign(sorter="sorter-b")])
    one, two = overall(units), overall(twice)
    for name in ("effect", "low", "high", "units", "recordings"):
        assert two[name] == one[name]


def test_sorters_count_alike_for_each_unit():
    both = pd.concat([recording(np.full(5, 0.1)), recording(np.full(5, 0.5), sorter="sorter-b")])
    assert overall(both)["effect"] == pytest.approx(0.3)
    effects = effects_of(both).query("dataset == 'all'").set_index("sorter")["effect"]
    assert effects.to_dict() == pytest.approx({"sorter-a": 0.1, "sorter-b": 0.5, "all": 0.3})


def test_units_of_one_name_in_other_replicates_and_datasets_are_not_mixed_up():
    units = pd.concat(
        [
            recording(np.full(5, 0.1), replicate=0, seed=1),
            recording(np.full(5, 0.3), replicate=1, seed=2),
            recording(np.full(5, 0.7), dataset="other", seed=4),
        ]
    )
    effects = effects_of(units).query("sorter == 'all'").set_index("dataset")["effect"]
    assert effects.to_dict() == pytest.approx({"tissue": 0.2, "other": 0.7, "all": 1.1 / 3})


def test_recordings_that_differ_make_the_interval_as_wide_as_their_number_says():
    """Units of one recording are not independent evidence on recordings."""
    shifts = np.linspace(-0.2, 0.2, 6)
    apart = recordings([shift + normal(0.1, 0.01, 25, seed) for seed, shift in enumerate(shifts)])
    pooled = apart.assign(unit=apart["unit"] + "/" + apart["replicate"].astype(str), replicate=0)
    clustered, ignored = overall(apart), overall(pooled)
    assert clustered["effect"] == pytest.approx(ignored["effect"])
    expected = 2 * 2.571 * shifts.std(ddof=1) / np.sqrt(6)
    assert clustered["high"] - clustered["low"] == pytest.approx(expected, rel=0.1)
    assert clustered["high"] - clustered["low"] > 3 * (ignored["high"] - ignored["low"])


def test_the_interval_of_one_recording_is_that_of_its_units():
    differences = normal(0.0, 0.1, size=400)
    row = overall(recording(differences))
    expected = 2 * 1.96 * differences.std() / np.sqrt(400)
    assert row["high"] - row["low"] == pytest.approx(expected, rel=0.1)
    assert row["standardized"] == pytest.approx(differences.mean() / differences.std(ddof=1))


def test_the_order_of_the_rows_changes_nothing():
    units = recordings([normal(0.1, 0.1, 12), normal(0.0, 0.1, 7)])
    units = pd.concat([units, units.assign(sorter="sorter-b")])
    expected = ordered(effects_of(units))
    for seed in range(3):
        found = effects_of(units.sample(frac=1.0, random_state=seed))
        assert_frame_equal(ordered(found), expected)


def test_other_datasets_and_conditions_change_no_row_of_this_dataset():
    units = recordings([normal(0.1, 0.1, 12), normal(0.0, 0.1, 7)])
    others = [
        recording(normal(0.3, 0.1, 9), dataset="other"),
        units[units["condition"] == "denoised"].assign(condition="smoothed"),
    ]
    rows = "dataset == 'tissue' and condition == 'denoised'"
    expected = effects_of(units).query(rows).drop(columns="p_holm")
    found = effects_of(pd.concat([*others, units])).query(rows).drop(columns="p_holm")
    assert_frame_equal(found.reset_index(drop=True), expected.reset_index(drop=True))


def test_the_reference_is_the_condition_that_is_named():
    row = overall(recording(np.full(5, 0.1)), reference="denoised")
    assert row["condition"] == "raw"
    assert row["effect"] == pytest.approx(-0.1)


def test_units_of_the_background_are_left_out():
    units = recording(np.r_[np.full(5, 0.1), np.full(20, 0.4)])
    units["background"] = units["unit"] >= "units-005"
    row = overall(units)
    assert row["effect"] == pytest.approx(0.1)
    assert row["units"] == 5


def test_bands_of_amplitude_part_the_units_without_overlap():
    units = recording(np.arange(6) / 10)
    units["peak_uv"] = units["unit"].map(
        dict(zip(units["unit"].unique(), [10, 29, 30, 79, 80, 500], strict=True))
    )
    bands = read_endpoints(
        {
            "small": {"measure": "accuracy", "peak_uv": [0, 30]},
            "medium": {"measure": "accuracy", "peak_uv": [30, 80]},
            "large": {"measure": "accuracy", "peak_uv": [80, None]},
        }
    )
    effects = estimate_effects({"units": units}, bands, "raw", 1)
    of_all = effects.query("dataset == 'all' and sorter == 'all'").set_index("endpoint")
    assert of_all["effect"].to_dict() == pytest.approx(
        {"small": 0.05, "medium": 0.25, "large": 0.45}
    )
    assert of_all["units"].tolist() == [2, 2, 2]


@pytest.mark.parametrize("side", ["raw", "denoised"])
@pytest.mark.parametrize("status", ["failed", "timeout", "out_of_memory"])
def test_a_sorting_that_failed_on_either_side_is_left_out_and_counted(side, status):
    units = recordings([np.full(5, 0.1), np.full(6, 0.4)])
    failed = (units["replicate"] == 1) & (units["condition"] == side)
    units.loc[failed, ["accuracy", "status"]] = [np.nan, status]
    row = overall(units)
    assert row["effect"] == pytest.approx(0.1)
    assert (row["units"], row["recordings"], row["left_out"]) == (5, 1, 1)


def test_a_sorter_that_failed_does_not_change_the_weight_of_the_recordings():
    units = pd.concat(
        recordings([np.full(5, 0.1), np.full(5, 0.3)], sorter=sorter)
        for sorter in ("sorter-a", "sorter-b")
    )
    failed = (units["replicate"] == 1) & (units["sorter"] == "sorter-b")
    units.loc[failed, ["accuracy", "status"]] = [np.nan, "failed"]
    row = overall(units)
    assert row["effect"] == pytest.approx(0.2)
    assert (row["recordings"], row["left_out"]) == (2, 1)


def test_a_condition_that_always_failed_stays_as_a_row_without_effect():
    units = recording(np.zeros(5))
    units.loc[units["condition"] == "denoised", ["accuracy", "status"]] = [np.nan, "failed"]
    row = overall(units)
    assert np.isnan([row["effect"], row["low"], row["high"], row["p"], row["p_holm"]]).all()
    assert (row["units"], row["recordings"], row["left_out"]) == (0, 0, 1)


def test_a_sorter_that_found_nothing_counts_as_accuracy_zero():
    units = recording(np.zeros(5))
    units.loc[units["condition"] == "denoised", ["accuracy", "status"]] = [0.0, "empty"]
    raw = units.loc[units["condition"] == "raw", "accuracy"]
    row = overall(units)
    assert row["effect"] == pytest.approx(-raw.mean())
    assert row["left_out"] == 0


def test_a_condition_that_does_not_exist_for_a_dataset_is_not_missed():
    units = pd.concat([recording(np.full(5, 0.1)), recording(np.full(5, 0.3), dataset="other")])
    units = units[(units["dataset"] == "tissue") | (units["condition"] == "raw")]
    effects = effects_of(units)
    assert effects["dataset"].unique().tolist() == ["tissue", "all"]
    assert overall(units)["recordings"] == 1
    assert overall(units)["left_out"] == 0


@pytest.mark.parametrize("side", ["raw", "denoised"])
def test_units_that_are_missing_on_either_side_are_left_out(side):
    units = recording(np.r_[np.full(5, 0.1), np.full(2, 0.4)])
    missing = (units["condition"] == side) & (units["unit"] >= "units-005")
    row = overall(units[~missing])
    assert row["effect"] == pytest.approx(0.1)
    assert row["units"] == 5


def test_repeats_are_averaged_and_tell_what_chance_does():
    """Repeats of the reference differ by 0.06, 0.06 and 0.12; the condition is at their mean."""
    shifts = np.array([-0.06, 0.0, 0.06])
    base = recording(np.zeros(8))
    units = pd.concat(
        base.assign(
            repeat=repeat,
            accuracy=base["accuracy"] + np.where(base["condition"] == "raw", shift, 0.0),
        )
        for repeat, shift in enumerate(shifts)
    )
    row = overall(units)
    assert row["effect"] == pytest.approx(0.0, abs=1e-12)
    assert row["units"] == 8
    pairs = [one - other for one, other in itertools.combinations(shifts, 2)]
    assert row["repeat_spread"] == pytest.approx(np.sqrt(np.mean(np.square(pairs)) / 3))


def test_without_repeats_their_spread_is_unknown_and_of_a_sorter_that_repeats_itself_zero():
    units = recording(normal(0.1, 0.1, 8))
    assert np.isnan(overall(units)["repeat_spread"])
    assert overall(pd.concat([units, units.assign(repeat=1)]))["repeat_spread"] == 0.0


def test_the_spread_of_repeats_is_that_of_an_effect_of_nothing():
    """Two conditions that are one, sorted with other seeds, differ by as much as it predicts."""
    random, spreads, effects = np.random.default_rng(1), [], []
    base = recording(np.zeros(10))
    for _ in range(60):
        units = pd.concat(
            base.assign(
                repeat=repeat,
                accuracy=base["accuracy"] + np.repeat(random.normal(0, 0.05, 2), 10),
            )
            for repeat in range(4)
        )
        row = overall(units)
        spreads.append(row["repeat_spread"])
        effects.append(row["effect"])
    assert np.sqrt(np.mean(np.square(spreads))) == pytest.approx(np.std(effects), rel=0.25)


def test_what_was_tuned_on_the_recording_says_so():
    units = pd.concat([recording(np.zeros(5)), recording(np.zeros(5), dataset="other")])
    saw = (units["condition"] == "denoised") & (units["dataset"] == "other")
    effects = effects_of(units.assign(model_saw_recording=saw)).query("sorter == 'all'")
    assert effects.set_index("dataset")["tuned"].to_dict() == {
        "tissue": False,
        "other": True,
        "all": True,
    }


def test_counts_are_one_per_recording():
    table = sortings({"raw": [4, 3, 5, 4], "denoised": [6, 8, 6, 7]})
    endpoint = Endpoint("false-positives", "false_positive")
    effects = estimate_effects({"sortings": table}, [endpoint], "raw", 1)
    row = effects.query("dataset == 'all' and sorter == 'all'").iloc[0]
    assert row["effect"] == pytest.approx(2.75)
    assert row["low"] > 0
    assert row["recordings"] == 4
    assert pd.isna(row["units"])


def test_a_count_of_one_recording_has_no_interval():
    table = sortings({"raw": [4], "denoised": [9]})
    effects = estimate_effects({"sortings": table}, [Endpoint("f", "false_positive")], "raw", 1)
    assert (effects["effect"] == 5).all()
    assert effects[["low", "high", "p", "p_holm", "detectable"]].isna().all(axis=None)


def test_a_dataset_without_truth_is_no_failure():
    table = pd.concat(
        [
            sortings({"raw": [4, 3], "denoised": [6, 8]}),
            sortings({"raw": [None], "denoised": [None]}, dataset="real", kind="recorded"),
        ]
    )
    effects = estimate_effects({"sortings": table}, [Endpoint("f", "false_positive")], "raw", 1)
    assert effects["dataset"].unique().tolist() == ["tissue", "all"]
    assert (effects["left_out"] == 0).all()


def test_a_measure_without_sorters_has_one_row_per_dataset():
    noise = pd.concat(
        pd.DataFrame(
            {
                "dataset": "tissue",
                "kind": "synthetic",
                "replicate": range(3),
                "condition": condition,
                "threshold": threshold,
                "crossings_per_channel_s": rate + 0.01 * np.arange(3),
            }
        )
        for condition, threshold, rate in [("raw", 5.0, 0.1), ("denoised", 5.0, 0.4),
                                           ("raw", 4.0, 3.0), ("denoised", 4.0, 9.0)]
    )  # fmt: skip
    endpoint = Endpoint("phantoms", "phantom_rate", threshold=5.0)
    effects = estimate_effects({"noise_alone": noise}, [endpoint], "raw", 1)
    assert effects["dataset"].tolist() == ["tissue", "all"]
    assert effects["sorter"].isna().all()
    assert effects["effect"].to_numpy() == pytest.approx([0.3, 0.3])


def test_well_detected_is_a_share_of_the_true_units():
    units = recording(np.zeros(10))
    raw = units["condition"] == "raw"
    units["well_detected"] = pd.Series([True] * 4 + [False] * 6 + [True] * 7 + [False] * 3)
    units["well_detected"] = units["well_detected"].astype(object)
    row = overall(units, endpoint=Endpoint("well-detected", "well_detected"))
    assert row["effect"] == pytest.approx(0.3)
    units.loc[raw, "well_detected"] = None
    assert np.isnan(overall(units, endpoint=Endpoint("w", "well_detected"))["effect"])


def test_without_tables_or_rows_the_table_is_empty_with_its_columns():
    expected = effects_of(recording(np.zeros(3))).columns.tolist()
    for tables in ({}, {"units": pd.DataFrame()}, {"units": recording(np.zeros(3)).iloc[:0]}):
        effects = estimate_effects(tables, [ACCURACY], "raw", 1)
        assert effects.empty
        assert effects.columns.tolist() == expected


def test_holm_corrects_the_primary_endpoints_of_judged_conditions_over_all_datasets():
    random = np.random.default_rng(2)
    units = recordings([random.normal(0.05, 0.1, 9) for _ in range(4)])
    better = units[units["condition"] == "denoised"]
    units = pd.concat(
        [units]
        + [
            better.assign(condition=name, accuracy=better["accuracy"] + random.normal(0, 0.1, 36))
            for name in ("smoothed", "oracle")
        ]
    ).assign(recall=lambda table: table["accuracy"] ** 2)
    endpoints = [ACCURACY, Endpoint("recall", "recall"), Endpoint("r", "recall", primary=False)]
    effects = estimate_effects({"units": units}, endpoints, "raw", 1, calibration=["oracle"])
    family = effects.query(
        "dataset == 'all' and sorter == 'all' and endpoint != 'r' and condition != 'oracle'"
    )
    assert len(family) == 4
    assert family["p_holm"].to_numpy() == pytest.approx(holm(family["p"].to_numpy()))
    assert effects.drop(family.index)["p_holm"].isna().all()


def test_the_reference_value_is_what_the_effect_is_added_to():
    units = pd.concat([recording([0.2, 0.2]), recording([0.1], replicate=1)])
    row = overall(units)
    means = units.groupby(["condition", "replicate"])["accuracy"].mean()
    assert row["reference_value"] == pytest.approx(means["raw"].mean())
    assert row["reference_value"] + row["effect"] == pytest.approx(means["denoised"].mean())
