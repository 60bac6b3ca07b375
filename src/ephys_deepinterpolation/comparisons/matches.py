"""A sorting held against the reference's: which units are the same, where there is no truth."""

import pandas as pd
import spikeinterface as si
from spikeinterface.comparison import SymmetricSortingComparison, compare_two_sorters

COLUMNS = [
    *("unit", "other_unit", "agreement", "matched", "spikes", "other_spikes"),
    *("snr", "other_snr", "peak_uv", "other_peak_uv"),
]


def match_units(
    reference: si.BaseSorting,
    sorting: si.BaseSorting,
    match_score: float,
    reference_quality: pd.DataFrame,
    quality: pd.DataFrame,
) -> pd.DataFrame:
    """Match the units of two sortings by their spikes, through SpikeInterface's comparison.

    Parameters
    ----------
    reference, sorting : BaseSorting
        Of the same recording, denoised in two ways.
    match_score : float
        The least agreement (spikes in common over spikes in either) of two units that match.
    reference_quality, quality : pandas.DataFrame
        Of the units of each sorting on its own recording: unit, snr, peak_uv.

    Returns
    -------
    pandas.DataFrame
        unit (of the reference), other_unit, agreement, matched, spikes, other_spikes, snr,
        other_snr, peak_uv, other_peak_uv. First one row per unit of the reference, then one per
        unmatched other. Of an unmatched unit the other side is empty, and `agreement` is the
        largest with any unit.
    """
    pairs = pair_units(reference, sorting, match_score)
    for side, units, measured in (
        ("", reference, reference_quality),
        ("other_", sorting, quality),
    ):
        spikes = units.count_num_spikes_per_unit(outputs="dict")
        known = measured.set_index("unit")
        counts = {str(unit): count for unit, count in spikes.items()}
        pairs[f"{side}spikes"] = pairs[f"{side}unit"].map(counts).astype("Int64")
        for column in ("snr", "peak_uv"):
            pairs[f"{side}{column}"] = pairs[f"{side}unit"].map(known[column])
    return pairs[COLUMNS]


def pair_units(one: si.BaseSorting, other: si.BaseSorting, match_score: float) -> pd.DataFrame:
    """Pair the units of two sortings: unit, other_unit, agreement, matched; see `match_units`."""
    scores = pd.DataFrame(0.0, index=one.unit_ids, columns=other.unit_ids)
    matches: dict = {}
    if scores.size:
        comparison: SymmetricSortingComparison = compare_two_sorters(
            one, other, match_score=match_score
        )
        scores = comparison.agreement_scores
        found = comparison.hungarian_match_12
        matches = found[found.isin(other.unit_ids)].to_dict()
    rows: list[tuple[str | None, str | None, float, bool]] = []
    for unit in one.unit_ids:
        if unit in matches:
            match = matches[unit]
            rows.append((str(unit), str(match), scores.loc[unit, match], True))
        else:
            rows.append((str(unit), None, scores.loc[unit].max(), False))
    unmatched = set(other.unit_ids) - set(matches.values())
    for unit in other.unit_ids:
        if unit in unmatched:
            rows.append((None, str(unit), scores[unit].max(), False))
    pairs = pd.DataFrame(rows, columns=["unit", "other_unit", "agreement", "matched"])
    return pairs.fillna({"agreement": 0.0})
