"""Sortings held against the truth and against each other, as tidy tables."""

from ephys_deepinterpolation.comparisons.agreement import sorter_agreement
from ephys_deepinterpolation.comparisons.collisions import (
    measure_collisions,
    measure_correlograms,
)
from ephys_deepinterpolation.comparisons.condition import (
    Sorted,
    compare_condition,
    read_sortings,
)
from ephys_deepinterpolation.comparisons.matches import match_units
from ephys_deepinterpolation.comparisons.quality import measure_quality
from ephys_deepinterpolation.comparisons.truth import (
    WELL_DETECTED_SCORE,
    compare_with_truth,
    signal_to_noise,
)

__all__ = [
    "WELL_DETECTED_SCORE",
    "Sorted",
    "compare_condition",
    "compare_with_truth",
    "match_units",
    "measure_collisions",
    "measure_correlograms",
    "measure_quality",
    "read_sortings",
    "signal_to_noise",
    "sorter_agreement",
]
