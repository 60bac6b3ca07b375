"""Whether the scale of a study is right: conditions whose effect is known beforehand."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from ephys_deepinterpolation.statistics.effects import ALL, estimate_effects
from ephys_deepinterpolation.statistics.endpoints import MEASURES, Endpoint

CALIBRATORS = {"identity": "identity", "oracle": "oracle", "gaussian": "gaussian_filter"}
"""What a calibration condition adds to the reference's pipeline."""

NO_HYPOTHESIS = ("identity", "oracle")


@dataclass(frozen=True)
class Check:
    """Whether a condition did what it must.

    Attributes
    ----------
    check, condition : str
    holds : bool or None
        None where the study cannot tell.
    sentence : str
    """

    check: str
    condition: str
    holds: bool | None
    sentence: str


def find_calibrators(
    pipelines: Mapping[str, Sequence[Mapping[str, Any]]], conditions: Iterable[str], reference: str
) -> dict[str, list[str]]:
    """Find the conditions that are the reference's pipeline and one step whose effect is known.

    Parameters
    ----------
    pipelines : mapping of str to sequence of mapping
        The steps of each condition.
    conditions : iterable of str
        Those that are studied.
    reference : str

    Returns
    -------
    dict of str to list of str
        For each of `CALIBRATORS`, conditions.
    """

    def adds(condition: str, step: str) -> bool:
        steps = pipelines[condition]
        others = [each for each in steps if each["name"] != step]
        return len(others) < len(steps) and others == list(pipelines[reference])

    return {
        kind: [name for name in conditions if name != reference and adds(name, step)]
        for kind, step in CALIBRATORS.items()
    }


def check_calibration(
    tables: Mapping[str, pd.DataFrame],
    endpoints: Sequence[Endpoint],
    effects: pd.DataFrame,
    calibrators: Mapping[str, Sequence[str]],
    seed: int,
) -> list[dict[str, Any]]:
    """Check that identity changes nothing, nothing beats the oracle and smoothing gains nothing.

    Parameters
    ----------
    tables, endpoints, seed
        As of `estimate_effects`.
    effects : DataFrame
        What it returned.
    calibrators : mapping of str to sequence of str
        What `find_calibrators` returned.

    Returns
    -------
    list of dict
        The fields of `Check`.
    """
    checks = [_check_identity(effects, name) for name in calibrators["identity"]]
    for oracle in calibrators["oracle"]:
        against = estimate_effects(tables, endpoints, oracle, seed, calibrators["identity"])
        checks.append(_check_oracle(against, oracle))
    checks += [_check_gaussian(effects, name) for name in calibrators["gaussian"]]
    return [asdict(check) for check in checks]


def _check_identity(effects: pd.DataFrame, condition: str) -> Check:
    rows = effects[effects["condition"] == condition].dropna(subset=["effect"])
    other = rows[(rows["effect"] != 0) | (rows[["low", "high"]].fillna(0) != 0).any(axis=1)]
    if rows.empty:
        return Check("identity", condition, None, f"{condition}: nothing to compare.")
    if other.empty:
        sentence = f"{condition} changes nothing: all of its {len(rows)} effects are exactly 0."
        return Check("identity", condition, True, sentence)
    worst = other.iloc[int(other["effect"].abs().argmax())]
    sentence = (
        f"{condition} should change nothing, but {len(other)} of its {len(rows)} effects are not "
        f"0, as {worst['effect']:.3g} in {worst['endpoint']} with {worst['sorter'] or 'no sorter'}:"
        " a sorter does not repeat itself."
    )
    return Check("identity", condition, False, sentence)


def _overall(effects: pd.DataFrame) -> pd.DataFrame:
    """Keep the effects over all datasets and sorters that have an interval and a good side."""
    overall = effects["sorter"].isna() | (effects["sorter"] == ALL)
    rows = effects[overall & (effects["dataset"] == ALL)].dropna(subset=["p"])
    better = np.array([MEASURES[name].better for name in rows["measure"]], dtype=int)
    return rows.assign(gain=better * rows["effect"])[better != 0]


def _check_oracle(against: pd.DataFrame, oracle: str) -> Check:
    rows = _overall(against)
    if rows.empty:
        return Check("oracle", oracle, None, f"{oracle}: too few recordings to compare with.")
    ahead = rows[(rows["gain"] > 0) & (rows["p_holm"] < 0.05)]
    compared = f"{rows['condition'].nunique()} conditions in {rows['endpoint'].nunique()} endpoints"
    if ahead.empty:
        return Check("oracle", oracle, True, f"Nothing is better than {oracle}, of {compared}.")
    found = ", ".join(f"{row.condition} in {row.endpoint}" for row in ahead.itertuples())
    return Check("oracle", oracle, False, f"Better than {oracle}, which cannot be: {found}.")


def _check_gaussian(effects: pd.DataFrame, condition: str) -> Check:
    rows = _overall(effects[effects["condition"] == condition])
    rows = rows[[not MEASURES[name].cost for name in rows["measure"]]]
    if rows.empty:
        return Check("gaussian", condition, None, f"{condition}: nothing to compare.")
    ahead = rows[(rows["gain"] > 0) & (rows["p_holm"] < 0.05)]
    worse = rows[(rows["gain"] < 0) & (rows["high"] * rows["low"] > 0)]
    if ahead.empty:
        sentence = f"{condition} gains nothing, and loses in {len(worse)} of {len(rows)} endpoints."
        return Check("gaussian", condition, True, sentence)
    found = ", ".join(ahead["endpoint"])
    sentence = f"{condition}, which only smooths, gains in {found}: so may any smoothing."
    return Check("gaussian", condition, False, sentence)
