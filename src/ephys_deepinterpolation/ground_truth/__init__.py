"""Recordings with what is known of them; every kind of dataset yields the same `GroundTruth`."""

from typing import TYPE_CHECKING

from ephys_deepinterpolation.ground_truth.base import GroundTruth, load_ground_truth
from ephys_deepinterpolation.ground_truth.spikes import DisplacedTemplates, inject_spikes
from ephys_deepinterpolation.imports import imported_when_asked

if TYPE_CHECKING:
    from ephys_deepinterpolation.ground_truth.hybrid import generate_hybrid
    from ephys_deepinterpolation.ground_truth.mearec import read_mearec
    from ephys_deepinterpolation.ground_truth.paired import read_paired
    from ephys_deepinterpolation.ground_truth.recorded import read_recorded
    from ephys_deepinterpolation.ground_truth.surrogate import generate_surrogate
    from ephys_deepinterpolation.ground_truth.synthetic import generate_synthetic

_HOMES = {
    "generate_hybrid": "hybrid",
    "generate_surrogate": "surrogate",
    "generate_synthetic": "synthetic",
    "read_mearec": "mearec",
    "read_paired": "paired",
    "read_recorded": "recorded",
}

__all__ = [
    "DisplacedTemplates",
    "GroundTruth",
    "generate_hybrid",
    "generate_surrogate",
    "generate_synthetic",
    "inject_spikes",
    "load_ground_truth",
    "read_mearec",
    "read_paired",
    "read_recorded",
]

# Most jobs only read what one of the generators made.
__getattr__ = imported_when_asked(__name__, _HOMES)
