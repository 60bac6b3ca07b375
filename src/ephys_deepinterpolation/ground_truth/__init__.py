"""Recordings with what is known of them; every kind of dataset yields the same `GroundTruth`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ephys_deepinterpolation.ground_truth.base import GroundTruth, load_ground_truth
from ephys_deepinterpolation.ground_truth.spikes import DisplacedTemplates, inject_spikes

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


def __getattr__(name: str) -> Any:
    """Import a generator when it is first asked for: most jobs only read what one of them made."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
