"""Sortings held against the truth and against each other, as tidy tables."""

from ephys_deepinterpolation.comparisons.truth import (
    WELL_DETECTED_SCORE,
    compare_with_truth,
    signal_to_noise,
)

__all__ = ["WELL_DETECTED_SCORE", "compare_with_truth", "signal_to_noise"]
