"""All sortings of one condition, held against the truth, the reference and each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import spikeinterface as si

from ephys_deepinterpolation.comparisons import agreement, collisions, matches
from ephys_deepinterpolation.comparisons.quality import measure_quality
from ephys_deepinterpolation.comparisons.truth import compare_with_truth
from ephys_deepinterpolation.ground_truth import GroundTruth
from ephys_deepinterpolation.sortings import SORTED, SortingRun, read_run, read_sorting


@dataclass(frozen=True)
class Sorted:
    """A sorting, by which entry of the sorters and in which repeat it was made, and how it went."""

    sorter: str
    repeat: int
    sorting: si.BaseSorting
    run: SortingRun

    @property
    def ran(self) -> bool:
        """Whether the sorter came to its end, with or without units."""
        return self.run.status in SORTED


def read_sortings(folders: Sequence[Path | str]) -> list[Sorted]:
    """Read the folders of sortings, `.../{sorter}/{repeat}` each."""
    return [
        Sorted(
            sorter=folder.parent.name,
            repeat=int(folder.name),
            sorting=read_sorting(folder),
            run=read_run(folder),
        )
        for folder in map(Path, folders)
    ]


def compare_condition(
    truth: GroundTruth,
    recording: si.BaseRecording,
    noise_uv: pd.Series,
    snr: pd.Series,
    sortings: Sequence[Sorted],
    reference: Sequence[Sorted],
    reference_tables: dict[str, pd.DataFrame] | None,
    match_score: float,
) -> dict[str, pd.DataFrame]:
    """Compare everything that was sorted in a condition.

    Parameters
    ----------
    truth : GroundTruth
        With or without true spikes.
    recording : BaseRecording
        The condition's output, µV.
    noise_uv : pandas.Series
        Its noise level by channel, µV.
    snr : pandas.Series
        See `compare_with_truth`.
    sortings, reference : sequence of Sorted
        Of this condition and of the reference: the same sorters and repeats in the same order.
    reference_tables : dict of DataFrame or None
        What this function returned for the reference, None when it is the condition.
    match_score : float
        See `match_units`.

    Returns
    -------
    dict of str to pandas.DataFrame
        units, sortings, matches, quality, agreement, collisions and correlograms, with the columns
        sorter and repeat where they apply. Where a sorter failed there are no matches, no units to
        judge the quality of, no collisions and no correlograms.
    """
    compared = [
        [_of(each, table) for table in compare_with_truth(truth, each.sorting, each.run, snr)]
        for each in sortings
    ]
    tables = {
        "units": pd.concat([units for units, _ in compared], ignore_index=True),
        "sortings": pd.concat([row for _, row in compared], ignore_index=True),
        "quality": _qualities(truth, recording, noise_uv, sortings, reference, reference_tables),
        "agreement": _agreement(sortings, match_score),
    }
    base = tables if reference_tables is None else reference_tables
    pairs = [
        (one, other)
        for one, other in zip(reference, sortings, strict=True)
        if one.ran and other.ran
    ]
    tables["matches"] = _stack(
        [
            _of(
                other,
                matches.match_units(
                    one.sorting,
                    other.sorting,
                    match_score,
                    _own(base["quality"], one),
                    _own(tables["quality"], other),
                ),
            )
            for one, other in pairs
        ],
        ["sorter", "repeat", *matches.COLUMNS],
    )
    for name, measure, columns in (
        ("collisions", collisions.measure_collisions, collisions.COLLISIONS),
        ("correlograms", collisions.measure_correlograms, collisions.CORRELOGRAMS),
    ):
        tables[name] = _stack(
            [
                _of(
                    other,
                    measure(
                        truth,
                        other.sorting,
                        one.sorting,
                        _detected_in_both(base["units"], tables["units"], other),
                    ),
                )
                for one, other in pairs
            ],
            ["sorter", "repeat", *columns],
        )
    return tables


def _of(each: Sorted, table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(sorter=each.sorter, repeat=each.repeat)


def _stack(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    filled = [table for table in tables if not table.empty]
    return (
        pd.concat(filled, ignore_index=True)[columns] if filled else pd.DataFrame(columns=columns)
    )


def _qualities(
    truth: GroundTruth,
    recording: si.BaseRecording,
    noise_uv: pd.Series,
    sortings: Sequence[Sorted],
    reference: Sequence[Sorted],
    reference_tables: dict[str, pd.DataFrame] | None,
) -> pd.DataFrame:
    """Quality of the true trains, of the reference's units and of the condition's own."""
    trains: list[tuple[str, Sorted | None, si.BaseSorting]] = []
    if truth.sorting is not None and truth.units is not None:
        asked = truth.units.loc[~truth.units["background"], "unit"].to_list()
        trains.append(("truth", None, truth.sorting.select_units(asked)))
    if reference_tables is not None:
        trains += [("reference", each, each.sorting) for each in reference]
    trains += [("own", each, each.sorting) for each in sortings]
    measured = measure_quality(recording, noise_uv, [sorting for _, _, sorting in trains])
    tables = [
        table.assign(
            trains=name,
            sorter=each.sorter if each else None,
            repeat=pd.array([each.repeat if each else None] * len(table), dtype="Int64"),
        )
        for table, (name, each, _) in zip(measured, trains, strict=True)
    ]
    quality = pd.concat(tables, ignore_index=True)
    if reference_tables is not None:
        return quality
    own = quality[quality["trains"] == "own"]
    return pd.concat([quality, own.assign(trains="reference")], ignore_index=True)


def _own(quality: pd.DataFrame, each: Sorted) -> pd.DataFrame:
    return quality[
        (quality["trains"] == "own")
        & (quality["sorter"] == each.sorter)
        & (quality["repeat"] == each.repeat)
    ]


def _agreement(sortings: Sequence[Sorted], match_score: float) -> pd.DataFrame:
    repeats = sorted({each.repeat for each in sortings})
    tables = []
    for repeat in repeats:
        found = {
            each.sorter: each.sorting if each.ran else None
            for each in sortings
            if each.repeat == repeat
        }
        tables.append(agreement.sorter_agreement(found, match_score).assign(repeat=repeat))
    return pd.concat(tables, ignore_index=True)


def _detected_in_both(reference: pd.DataFrame, units: pd.DataFrame, each: Sorted) -> list[str]:
    """Name the true units that the same sorting detects well in both, background left out."""
    if units.empty:
        return []
    detected = [
        table.loc[
            (table["sorter"] == each.sorter)
            & (table["repeat"] == each.repeat)
            & ~table["background"].astype(bool)
            & table["well_detected"].eq(True),
            "unit",
        ]
        for table in (reference, units)
    ]
    return [unit for unit in detected[1] if unit in set(detected[0])]
