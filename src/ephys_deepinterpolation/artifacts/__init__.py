"""What a condition did to the traces, apart from any sorter."""

from ephys_deepinterpolation.artifacts.channels import contacts
from ephys_deepinterpolation.artifacts.levels import noise_levels
from ephys_deepinterpolation.artifacts.noise_alone import count_crossings, middle, noise_alone
from ephys_deepinterpolation.artifacts.parts import parts_passed
from ephys_deepinterpolation.artifacts.rounding import measure_rounding
from ephys_deepinterpolation.artifacts.traces import excerpt
from ephys_deepinterpolation.artifacts.transient_spread import (
    add_transients,
    make_transients,
    place_transients,
    transient_spread,
)

__all__ = [
    "add_transients",
    "contacts",
    "count_crossings",
    "excerpt",
    "make_transients",
    "measure_rounding",
    "middle",
    "noise_alone",
    "noise_levels",
    "parts_passed",
    "place_transients",
    "transient_spread",
]
