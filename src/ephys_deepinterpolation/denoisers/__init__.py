"""The rivals that every claim about the network is measured against.

Importing this makes them steps of SpikeInterface's preprocessing pipelines.
"""

from spikeinterface.preprocessing.pipeline import pp_names_to_functions

from ephys_deepinterpolation.denoisers.boxcar import BoxcarRecording, boxcar
from ephys_deepinterpolation.denoisers.identity import IdentityRecording, identity
from ephys_deepinterpolation.denoisers.linear import (
    LinearInterpolation,
    interpolate_linearly,
    noise_floor,
    unfold_rows,
)
from ephys_deepinterpolation.denoisers.low_rank import LowRankRecording, low_rank
from ephys_deepinterpolation.denoisers.oracle import oracle
from ephys_deepinterpolation.denoisers.unwhitening import UnwhitenedRecording, unwhiten

__all__ = [
    "BoxcarRecording",
    "IdentityRecording",
    "LinearInterpolation",
    "LowRankRecording",
    "UnwhitenedRecording",
    "boxcar",
    "identity",
    "interpolate_linearly",
    "low_rank",
    "noise_floor",
    "oracle",
    "unfold_rows",
    "unwhiten",
]

pp_names_to_functions |= {
    step.__name__: step for step in (boxcar, identity, low_rank, oracle, unwhiten)
}
