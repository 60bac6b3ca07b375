"""The verdict of a study: a plain sentence for each endpoint and condition."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ephys_deepinterpolation.statistics.effects import ALL
from ephys_deepinterpolation.statistics.endpoints import MEASURES, Endpoint

_LEVEL = 0.05


def give_verdict(
    effects: pd.DataFrame,
    endpoints: Sequence[Endpoint],
    reference: str,
    repeats: int,
    calibration: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Put effects into words, over all datasets and sorters and for each sorter.

    A condition is better or worse only where p is below 5 %, corrected by Holm's method for a
    primary endpoint over all sorters; the uncorrected p decides for the others, and they say so.

    Parameters
    ----------
    effects : DataFrame
        The table `effects`.
    endpoints : sequence of Endpoint
    reference : str
    repeats : int
        How often each sorting was run.
    calibration : sequence of mapping
        What `check_calibration` returned.

    Returns
    -------
    dict
        `reference`, `repeats`, `endpoints`, `not_measured` (of which the study has no value),
        `tests` (how many p-values were corrected together), `verdicts`, `costs` (by condition, a
        sentence) and `calibration`, as docs/statistics.md describes them. Ready for JSON: NaN is
        None.
    """
    overall = effects[effects["dataset"] == ALL]
    measured = effects.loc[effects["effect"].notna() | effects["left_out"].gt(0), "endpoint"]
    tests = int(effects["p_holm"].notna().sum())
    costs = _costs(overall, endpoints)
    found = []
    for endpoint in endpoints:
        of_endpoint = overall[overall["endpoint"] == endpoint.name]
        for condition in of_endpoint["condition"].unique():
            rows = of_endpoint[of_endpoint["condition"] == condition]
            pooled = rows["sorter"].isna() | (rows["sorter"] == ALL)
            sorters = rows.loc[~pooled & rows["effect"].notna(), "sorter"].tolist()
            datasets = effects[
                (effects["endpoint"] == endpoint.name)
                & (effects["condition"] == condition)
                & (effects["dataset"] != ALL)
                & effects["effect"].notna()
            ]["dataset"].unique()
            entry = _entry(rows[pooled].iloc[0], endpoint, reference, sorters, tests)
            entry |= {"datasets": datasets.tolist(), "repeats": repeats}
            if entry["verdict"] == "better" and condition in costs:
                entry["sentence"] += f" {costs[condition]}"
            entry["by_sorter"] = [
                _entry(row, endpoint, reference, [row["sorter"]], tests)
                for _, row in rows[~pooled].iterrows()
            ]
            found.append(entry)
    return {
        "reference": reference,
        "repeats": repeats,
        "endpoints": [
            {
                "name": endpoint.name,
                "measure": endpoint.measure,
                "words": endpoint.words,
                "primary": endpoint.primary,
                "margin": endpoint.margin,
                "better": MEASURES[endpoint.measure].better,
            }
            for endpoint in endpoints
        ],
        "not_measured": [each.name for each in endpoints if each.name not in set(measured)],
        "tests": tests,
        "verdicts": found,
        "costs": costs,
        "calibration": list(calibration),
    }


def hash_config(config: Mapping[str, Any]) -> str:
    """Give the SHA-256 hash of a configuration, whatever the order of its keys."""
    text = json.dumps(config, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _entry(
    row: pd.Series, endpoint: Endpoint, reference: str, sorters: list[str], tests: int
) -> dict[str, Any]:
    verdict = _verdict(row, endpoint)
    return {
        "endpoint": endpoint.name,
        "measure": endpoint.measure,
        "primary": endpoint.primary,
        "condition": row["condition"],
        **{
            name: _number(row[name])
            for name in (
                "reference_value",
                "effect",
                "low",
                "high",
                "p",
                "p_holm",
                "standardized",
                "detectable",
            )
        },
        "repeat_spread": _number(row["repeat_spread"]),
        "units": None if pd.isna(row["units"]) else int(row["units"]),
        "recordings": int(row["recordings"]),
        "sorters": sorters,
        "left_out": int(row["left_out"]),
        "tuned": bool(row["tuned"]),
        "verdict": verdict,
        "sentence": _sentence(row, endpoint, reference, sorters, verdict, tests),
    }


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _verdict(row: pd.Series, endpoint: Endpoint) -> str:
    """Choose among better, worse, higher, lower, no difference and cannot tell."""
    effect, low, high = row["effect"], row["low"], row["high"]
    if pd.isna(low):
        return "cannot tell"
    if effect == low == high == 0.0:
        return "no difference"
    if endpoint.margin is not None and -endpoint.margin < low and high < endpoint.margin:
        return "no difference"
    if not _p(row) < _LEVEL:
        return "cannot tell"
    better = MEASURES[endpoint.measure].better
    if better == 0:
        return "higher" if effect > 0 else "lower"
    return "better" if better * effect > 0 else "worse"


def _p(row: pd.Series) -> float:
    return float(row["p"] if pd.isna(row["p_holm"]) else row["p_holm"])


def _sentence(
    row: pd.Series,
    endpoint: Endpoint,
    reference: str,
    sorters: list[str],
    verdict: str,
    tests: int,
) -> str:
    condition, words = row["condition"], endpoint.words
    lead = {
        "better": f"{condition} is better than {reference}: {words}",
        "worse": f"{condition} is worse than {reference}: {words}",
        "higher": f"{condition} is above {reference}: {words}",
        "lower": f"{condition} is below {reference}: {words}",
        "no difference": f"{condition} does not differ from {reference}"
        + ("" if endpoint.margin is None else f" beyond {endpoint.margin:g}")
        + f": {words}",
        "cannot tell": f"Cannot tell whether {condition} differs from {reference}: {words}",
    }[verdict]
    if pd.isna(row["effect"]):
        return f"{lead}; there is no pair to compare.{_left_out(row)}"
    base = f"from {row['reference_value']:.3g} in {reference}"
    sentence = f"{lead} {_effect(row, endpoint)}, {base}; {_rests_on(row, sorters)}."
    if verdict == "cannot tell" and row["p"] < _LEVEL:
        sentence += f" After correction for {tests} tests p is {_p(row):.2g}."
    elif verdict == "cannot tell" and not pd.isna(row["detectable"]):
        number = signed(row["detectable"]).lstrip("+")
        sentence += f" Only {number} or more would have been found four times out of five."
    if verdict == "cannot tell" and row["low"] == row["high"]:
        sentence += " All differences are the same, too few to judge by."
    if verdict not in ("cannot tell", "no difference") and pd.isna(row["p_holm"]):
        sentence += " Not corrected for the number of tests."
    if row["recordings"] == 1:
        sentence += " This speaks of this recording only."
    if row["repeat_spread"] > 0:
        sentence += f" Repeats of {reference} alone differ by {row['repeat_spread']:.3f}."
    if row["tuned"]:
        sentence += " The model was trained on the recording it is judged on."
    return sentence + _left_out(row)


def _effect(row: pd.Series, endpoint: Endpoint) -> str:
    unit = MEASURES[endpoint.measure].unit
    effect = signed(row["effect"]) + (f" {unit}" if unit else "")
    if pd.isna(row["low"]):
        return f"{effect}, without an interval"
    return f"{effect} (95 % interval {signed(row['low'])} to {signed(row['high'])})"


def _rests_on(row: pd.Series, sorters: list[str]) -> str:
    words = [] if pd.isna(row["units"]) else [_counted(int(row["units"]), "true unit")]
    words.append(_counted(int(row["recordings"]), "recording"))
    if sorters:
        words.append(f"sorted by {sorters[0]}" if len(sorters) == 1 else f"{len(sorters)} sorters")
    return ", ".join(words)


def _left_out(row: pd.Series) -> str:
    count = int(row["left_out"])
    if not count:
        return ""
    pairs = _counted(count, "pair") + " of sortings"
    return f" Left out, because one of the two failed: {pairs}."


def _costs(overall: pd.DataFrame, endpoints: Sequence[Endpoint]) -> dict[str, str]:
    """Name what each condition costs: more units to look through, more of them false."""
    costs = {endpoint.name: endpoint for endpoint in endpoints if MEASURES[endpoint.measure].cost}
    pooled = overall["sorter"].isna() | (overall["sorter"] == ALL)
    rows = overall[pooled & overall["endpoint"].isin(list(costs))].dropna(subset=["effect"])
    return {
        str(condition): "Its cost: "
        + ", ".join(
            f"{costs[row['endpoint']].words} {_effect(row, costs[row['endpoint']])}"
            for _, row in group.iterrows()
        )
        + "."
        for condition, group in rows.groupby("condition", sort=False)
    }


def signed(value: float) -> str:
    """Return a number with its sign and three decimals, fewer where it is large."""
    text = f"{abs(value):.{3 if abs(value) < 10 else 1}f}"
    if float(text) == 0.0:
        return text
    return ("−" if value < 0 else "+") + text


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
