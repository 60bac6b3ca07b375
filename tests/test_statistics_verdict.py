"""The verdict says what the numbers say, and 'cannot tell' where they do not say anything."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from ephys_deepinterpolation.statistics import (
    Endpoint,
    estimate_effects,
    give_verdict,
    hash_config,
)
from example_studies import ACCURACY, effects_of, recording, recordings


def spread(mean, count=6, units=10, deviation=0.02):
    random = np.random.default_rng(0)
    return [mean + random.normal(0, deviation, units) for _ in range(count)]


def verdict_on(units, endpoint=ACCURACY, repeats=1, **options):
    verdict = give_verdict(effects_of(units, endpoint, **options), [endpoint], "raw", repeats)
    (entry,) = verdict["verdicts"]
    return entry


@pytest.mark.parametrize(
    ("change", "expected"), [(0.1, "better"), (-0.1, "worse"), (0.0, "cannot tell")]
)
def test_the_verdict_follows_the_interval(change, expected):
    entry = verdict_on(recordings(spread(change)))
    assert entry["verdict"] == expected
    assert (entry["low"] > 0, entry["high"] < 0) == (change > 0, change < 0)
    assert (expected in entry["sentence"].lower()) and "denoised" in entry["sentence"]


def test_the_sentence_holds_number_interval_and_what_it_rests_on():
    entry = verdict_on(recordings(spread(0.1)))
    numbers = [float(text) for text in re.findall(r"\+(\d\.\d{3})", entry["sentence"])]
    expected = [entry["effect"], entry["low"], entry["high"]]
    assert numbers == pytest.approx(expected, abs=0.0005)
    assert "60 true units, 6 recordings, sorted by sorter-a" in entry["sentence"]
    assert entry["sorters"] == ["sorter-a"]
    assert entry["datasets"] == ["tissue"]


@pytest.mark.parametrize(("change", "expected"), [(3, "worse"), (-3, "better")])
def test_more_false_positives_are_worse(change, expected):
    table = pd.DataFrame(
        {
            "dataset": "tissue",
            "kind": "synthetic",
            "replicate": [*range(5), *range(5)],
            "condition": ["raw"] * 5 + ["denoised"] * 5,
            "sorter": "sorter-a",
            "status": "ok",
            "false_positive": [7, 6, 8, 7, 9, *np.array([7, 6, 8, 7, 10]) + change],
        }
    )
    endpoint = Endpoint("false-positives", "false_positive")
    effects = estimate_effects({"sortings": table}, [endpoint], "raw", 1)
    (entry,) = give_verdict(effects, [endpoint], "raw", 1)["verdicts"]
    assert entry["verdict"] == expected
    assert entry["units"] is None
    assert "true unit" not in entry["sentence"]


def test_a_difference_within_the_margin_is_none_that_matters():
    units = recordings(spread(0.005, deviation=0.005))
    assert verdict_on(units)["verdict"] == "better"
    entry = verdict_on(units, Endpoint("accuracy", "accuracy", margin=0.02))
    assert entry["verdict"] == "no difference"
    assert "beyond 0.02" in entry["sentence"]
    wide = recordings(spread(0.0, deviation=0.3))
    assert verdict_on(wide, Endpoint("a", "accuracy", margin=0.02))["verdict"] == "cannot tell"


def test_identical_sortings_are_no_difference():
    assert verdict_on(recordings([np.zeros(5)] * 3))["verdict"] == "no difference"


def test_what_correction_takes_away_is_told():
    """An effect with p of about 2 % does not outlive the correction for ten tests."""
    random = np.random.default_rng(0)
    units = recordings([0.05 + shift + np.zeros(4) for shift in (-0.03, -0.02, 0.0, 0.02, 0.045)])
    same = units[units["condition"] == "denoised"]
    others = [
        same.assign(
            condition=f"other-{index}",
            accuracy=same["accuracy"] - 0.05 + random.normal(0, 0.1, len(same)),
        )
        for index in range(9)
    ]
    effects = effects_of(pd.concat([units, *others]))
    verdict = give_verdict(effects, [ACCURACY], "raw", 1)
    entry = next(each for each in verdict["verdicts"] if each["condition"] == "denoised")
    assert entry["p"] < 0.05 < entry["p_holm"]
    assert entry["low"] > 0
    assert entry["verdict"] == "cannot tell"
    assert "After correction for 10 tests" in entry["sentence"]
    assert verdict["tests"] == 10


def test_a_secondary_endpoint_says_that_nothing_was_corrected():
    entry = verdict_on(recordings(spread(0.1)), Endpoint("a", "accuracy", primary=False))
    assert entry["p_holm"] is None
    assert "Not corrected" in entry["sentence"]


def test_one_recording_speaks_of_itself_only():
    assert "this recording only" in verdict_on(recording(np.full(9, 0.1)))["sentence"]
    assert "this recording only" not in verdict_on(recordings(spread(0.1)))["sentence"]


def test_one_unit_cannot_tell():
    entry = verdict_on(recording(np.array([0.3])))
    assert entry["verdict"] == "cannot tell"
    assert entry["low"] is None
    assert "without an interval" in entry["sentence"]


def test_two_recordings_that_happen_to_agree_cannot_tell():
    entry = verdict_on(recordings([np.full(4, 0.25), np.full(4, 0.25)]))
    assert entry["verdict"] == "cannot tell"
    assert "too few to judge by" in entry["sentence"]


def test_what_was_tuned_on_the_recording_says_so():
    units = recordings(spread(0.1))
    seen = units.assign(model_saw_recording=units["condition"] == "denoised")
    assert "trained on the recording it is judged on" in verdict_on(seen)["sentence"]
    assert "trained" not in verdict_on(units)["sentence"]


def test_failures_are_in_the_sentence():
    units = recordings(spread(0.1))
    failed = (units["replicate"] == 0) & (units["condition"] == "denoised")
    units.loc[failed, ["accuracy", "status"]] = [np.nan, "failed"]
    entry = verdict_on(units)
    assert entry["left_out"] == 1
    assert "1 pair of sortings" in entry["sentence"]


def test_a_condition_that_always_failed_cannot_tell_and_says_why():
    units = recordings(spread(0.1))
    units.loc[units["condition"] == "denoised", ["accuracy", "status"]] = [np.nan, "failed"]
    entry = verdict_on(units)
    assert entry["verdict"] == "cannot tell"
    assert "no pair" in entry["sentence"]
    assert "6 pairs of sortings" in entry["sentence"]


def test_each_sorter_has_a_verdict_of_its_own():
    units = pd.concat(
        [recordings(spread(0.1)), recordings(spread(-0.1), sorter="sorter-b")], ignore_index=True
    )
    entry = verdict_on(units)
    assert entry["verdict"] == "cannot tell"
    assert "2 sorters" in entry["sentence"]
    assert all(f"sorted by {each['sorters'][0]}" in each["sentence"] for each in entry["by_sorter"])
    assert {each["sorters"][0]: each["verdict"] for each in entry["by_sorter"]} == {
        "sorter-a": "better",
        "sorter-b": "worse",
    }


def test_a_gain_comes_with_its_cost():
    units = recordings(spread(0.1))
    sortings = pd.DataFrame(
        {
            "dataset": "tissue",
            "kind": "synthetic",
            "replicate": [*range(6)] * 2,
            "condition": ["raw"] * 6 + ["denoised"] * 6,
            "sorter": "sorter-a",
            "status": "ok",
            "false_positive": [1, 2, 1, 2, 1, 2, 7, 6, 7, 6, 7, 7],
        }
    )
    endpoints = [ACCURACY, Endpoint("false-positives", "false_positive")]
    effects = estimate_effects({"units": units, "sortings": sortings}, endpoints, "raw", 1)
    verdict = give_verdict(effects, endpoints, "raw", 1)
    gain = next(each for each in verdict["verdicts"] if each["endpoint"] == "accuracy")
    assert "Its cost: false-positive units per sorting +5.167" in gain["sentence"]
    assert verdict["costs"]["denoised"] in gain["sentence"]


def test_a_verdict_is_json_without_nan_and_the_same_each_time():
    units = pd.concat([recordings(spread(0.1)), recording(np.array([0.2]), dataset="small")])
    texts = [
        json.dumps(give_verdict(effects_of(units), [ACCURACY], "raw", 1), allow_nan=False)
        for _ in range(2)
    ]
    assert texts[0] == texts[1]


def test_an_endpoint_without_any_value_is_named():
    endpoints = [ACCURACY, Endpoint("large", "accuracy", peak_uv=(80.0, None))]
    tables = {"units": recordings(spread(0.1))}
    verdict = give_verdict(estimate_effects(tables, endpoints, "raw", 1), endpoints, "raw", 1)
    assert [each["endpoint"] for each in verdict["verdicts"]] == ["accuracy"]
    assert verdict["not_measured"] == ["large"]


def test_without_effects_there_is_no_verdict():
    verdict = give_verdict(estimate_effects({}, [ACCURACY], "raw", 1), [ACCURACY], "raw", 1)
    assert verdict["verdicts"] == []
    assert verdict["not_measured"] == ["accuracy"]


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        (Endpoint("e", "accuracy"), "accuracy"),
        (Endpoint("e", "accuracy", peak_uv=(0, 30)), "accuracy of true units of 0 to 30 µV"),
        (Endpoint("e", "recall", peak_uv=(80, None)), "recall of true units of 80 µV and more"),
        (
            Endpoint("e", "well_detected", peak_uv=(0, 30)),
            "share of well-detected true units of 0 to 30 µV",
        ),
        (
            Endpoint("e", "phantom_rate", threshold=5.0),
            "phantom rate, crossings on noise alone beyond 5 robust deviations",
        ),
    ],
)
def test_endpoints_have_words(endpoint, words):
    assert endpoint.words == words


def test_a_configuration_has_one_hash_whatever_the_order_of_its_keys():
    assert hash_config({"a": 1, "b": {"c": [2]}}) == hash_config({"b": {"c": [2]}, "a": 1})
    assert hash_config({"a": 1}) != hash_config({"a": 2})
