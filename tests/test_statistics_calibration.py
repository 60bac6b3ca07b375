"""Conditions whose effect is known beforehand, and what is said when they have another."""

import numpy as np
import pandas as pd
import pytest

from ephys_deepinterpolation.statistics import (
    NO_HYPOTHESIS,
    check_calibration,
    estimate_effects,
    find_calibrators,
)
from example_studies import ACCURACY, recordings

BANDPASS = {"name": "bandpass_filter", "params": {"freq_min": 300.0}}
PIPELINES = {
    "raw": [BANDPASS],
    "same": [{"name": "identity", "params": {}}, BANDPASS],
    "best": [{"name": "oracle", "params": {"noise_share": 0.1}}, BANDPASS],
    "smoothed": [{"name": "gaussian_filter", "params": {"freq_max": 3000.0}}, BANDPASS],
    "di": [{"name": "deepinterpolate", "params": {"model": "compact"}}, BANDPASS],
    "same-but-unfiltered": [{"name": "identity", "params": {}}],
    "best-of-di": [{"name": "oracle"}, {"name": "deepinterpolate"}, BANDPASS],
}
CALIBRATORS = {"identity": ["same"], "oracle": ["best"], "gaussian": ["smoothed"]}


def checks_of(changes, count=5):
    """Check a study of the mean changes of each condition; units and recordings differ a little."""
    random = np.random.default_rng(3)
    base = recordings([np.zeros(10)] * count)
    raw = base[base["condition"] == "raw"]
    parts = [
        raw.assign(
            condition=name,
            accuracy=raw["accuracy"] + (change + random.normal(0, 0.01, len(raw)))
            if change is not None
            else raw["accuracy"],
        )
        for name, change in changes.items()
    ]
    tables = {"units": pd.concat([raw, *parts])}
    excluded = [name for kind in NO_HYPOTHESIS for name in CALIBRATORS[kind]]
    effects = estimate_effects(tables, [ACCURACY], "raw", 1, excluded)
    found = check_calibration(tables, [ACCURACY], effects, CALIBRATORS, 1)
    return {check["check"]: check for check in found}


def test_calibrators_are_the_reference_and_one_known_step():
    assert find_calibrators(PIPELINES, list(PIPELINES), "raw") == CALIBRATORS


def test_calibrators_that_are_not_studied_are_not_found():
    found = find_calibrators(PIPELINES, ["raw", "di", "same"], "raw")
    assert found == {"identity": ["same"], "oracle": [], "gaussian": []}


def test_a_sound_study_holds_every_check():
    checks = checks_of({"same": None, "best": 0.2, "smoothed": -0.1, "di": 0.1})
    assert {name: check["holds"] for name, check in checks.items()} == dict.fromkeys(
        CALIBRATORS, True
    )
    assert "exactly 0" in checks["identity"]["sentence"]


def test_an_identity_that_changes_something_is_told():
    checks = checks_of({"same": 0.01, "best": 0.2, "smoothed": -0.1})
    assert checks["identity"]["holds"] is False
    assert "does not repeat itself" in checks["identity"]["sentence"]


def test_a_condition_ahead_of_the_oracle_is_told():
    checks = checks_of({"same": None, "best": 0.1, "smoothed": -0.1, "di": 0.3})
    assert checks["oracle"]["holds"] is False
    assert "di in accuracy" in checks["oracle"]["sentence"]


def test_a_condition_level_with_the_oracle_is_not_ahead_of_it():
    assert checks_of({"best": 0.2, "di": 0.2})["oracle"]["holds"] is True


def test_a_reference_ahead_of_the_oracle_is_told():
    checks = checks_of({"best": -0.2, "di": -0.3})
    assert checks["oracle"]["holds"] is False
    assert "raw in accuracy" in checks["oracle"]["sentence"]


def test_smoothing_that_gains_is_told():
    assert checks_of({"smoothed": 0.1, "best": 0.3})["gaussian"]["holds"] is False


@pytest.mark.parametrize("kind", ["oracle", "gaussian"])
def test_one_recording_of_one_unit_cannot_be_checked(kind):
    base = recordings([np.zeros(1)])
    raw = base[base["condition"] == "raw"]
    names = ("best", "smoothed")
    tables = {"units": pd.concat([raw, *(raw.assign(condition=name) for name in names)])}
    effects = estimate_effects(tables, [ACCURACY], "raw", 1)
    checks = check_calibration(tables, [ACCURACY], effects, CALIBRATORS, 1)
    assert next(check["holds"] for check in checks if check["check"] == kind) is None
