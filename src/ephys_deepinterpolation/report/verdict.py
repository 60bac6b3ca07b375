"""The verdict as a table that can be read in seconds, and as sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ephys_deepinterpolation.figures.style import decimals, in_order, signed

SIGNS = {
    "better": "▲",
    "worse": "▼",
    "higher": "△",
    "lower": "▽",
    "no difference": "=",
    "cannot tell": "?",
}


@dataclass(frozen=True)
class VerdictCell:
    """A condition on an endpoint; `kind` is the verdict's name as a class of the style sheet."""

    sign: str = ""
    text: str = ""
    kind: str = "none"
    sentence: str = ""


@dataclass(frozen=True)
class VerdictRow:
    """A condition, on every endpoint; `calibrates` if it only tests the scale."""

    condition: str
    cells: list[VerdictCell]
    tuned: bool
    calibrates: bool
    cost: str
    by_sorter: list[str]


@dataclass(frozen=True)
class Verdict:
    """What `verdict.json` says, as the report shows it."""

    endpoints: list[dict[str, Any]] = field(default_factory=list)
    rows: list[VerdictRow] = field(default_factory=list)
    headline: list[str] = field(default_factory=list)
    calibration: list[dict[str, Any]] = field(default_factory=list)
    tests: int = 0
    repeats: int = 1


def verdict_in_cells(verdict: Mapping[str, Any]) -> Verdict:
    """Arrange a verdict by condition and endpoint.

    Parameters
    ----------
    verdict : mapping
        What `give_verdict` returned, or nothing.

    Returns
    -------
    Verdict
        A row per condition, those that only test the scale last; primary endpoints come first.
    """
    found = verdict.get("verdicts", [])
    calibration = list(verdict.get("calibration", []))
    if not found:
        return Verdict(calibration=calibration)
    endpoints = sorted(verdict["endpoints"], key=lambda endpoint: not endpoint["primary"])
    calibrators = {str(check["condition"]) for check in calibration}
    rows = [
        _row(
            [entry for entry in found if entry["condition"] == condition],
            endpoints,
            condition in calibrators,
            str(verdict.get("costs", {}).get(condition, "")),
        )
        for condition in in_order(entry["condition"] for entry in found)
    ]
    rows.sort(key=lambda row: row.calibrates)
    return Verdict(
        endpoints=endpoints,
        rows=rows,
        headline=_headline(rows, endpoints),
        calibration=calibration,
        tests=int(verdict.get("tests", 0)),
        repeats=int(verdict.get("repeats", 1)),
    )


def _row(
    entries: Sequence[Mapping[str, Any]],
    endpoints: Sequence[Mapping[str, Any]],
    calibrates: bool,
    cost: str,
) -> VerdictRow:
    of_endpoint = {entry["endpoint"]: entry for entry in entries}
    return VerdictRow(
        condition=str(entries[0]["condition"]),
        cells=[
            _cell(of_endpoint[endpoint["name"]])
            if endpoint["name"] in of_endpoint
            else VerdictCell()
            for endpoint in endpoints
        ],
        tuned=any(entry["tuned"] for entry in entries),
        calibrates=calibrates,
        cost=cost,
        by_sorter=[entry["sentence"] for each in entries for entry in each.get("by_sorter", [])],
    )


def _cell(entry: Mapping[str, Any]) -> VerdictCell:
    effect = entry["effect"]
    text = "no pair" if effect is None else signed(effect, decimals(effect))
    name = str(entry["verdict"])
    return VerdictCell(SIGNS.get(name, ""), text, name.replace(" ", "-"), str(entry["sentence"]))


def _headline(rows: Sequence[VerdictRow], endpoints: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for each condition that differs in a primary endpoint, and one for the rest.

    Conditions that only test the scale are left out.
    """
    primary = [place for place, endpoint in enumerate(endpoints) if endpoint["primary"]]
    lines: list[str] = []
    unclear: list[str] = []
    same: list[str] = []
    for row in rows:
        if row.calibrates:
            continue
        parts = []
        for kind in ("better", "worse"):
            names = [
                f"{endpoints[place]['name']} ({row.cells[place].text})"
                for place in primary
                if row.cells[place].kind == kind
            ]
            if names:
                parts.append(f"{kind} in {', '.join(names)}")
        if parts:
            lines.append(f"{row.condition}: {'; '.join(parts)}.")
        else:
            known = all(row.cells[place].kind in ("no-difference", "none") for place in primary)
            (same if known else unclear).append(row.condition)
    if unclear:
        lines.append(f"Cannot tell, in any primary endpoint: {', '.join(unclear)}.")
    if same:
        lines.append(f"No difference, in any primary endpoint: {', '.join(same)}.")
    return lines
