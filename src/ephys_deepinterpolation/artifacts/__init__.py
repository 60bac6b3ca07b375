"""What a condition did to the traces and to true spikes, apart from any sorter."""

from ephys_deepinterpolation.artifacts.attenuation import measure_attenuation
from ephys_deepinterpolation.artifacts.channels import contacts
from ephys_deepinterpolation.artifacts.excerpts import Excerpt, read_excerpts
from ephys_deepinterpolation.artifacts.levels import noise_levels
from ephys_deepinterpolation.artifacts.noise_alone import count_crossings, middle, noise_alone
from ephys_deepinterpolation.artifacts.noise_alone_units import count_invented
from ephys_deepinterpolation.artifacts.parts import parts_passed
from ephys_deepinterpolation.artifacts.recordings import describe_recording
from ephys_deepinterpolation.artifacts.residuals import (
    residual,
    residual_covariance,
    residual_spectra,
)
from ephys_deepinterpolation.artifacts.rounding import measure_rounding
from ephys_deepinterpolation.artifacts.traces import excerpt
from ephys_deepinterpolation.artifacts.transfer import noise_transfer
from ephys_deepinterpolation.artifacts.transient_spread import (
    add_transients,
    make_transients,
    place_transients,
    transient_spread,
    try_transients,
)

__all__ = [
    "Excerpt",
    "add_transients",
    "contacts",
    "count_crossings",
    "count_invented",
    "describe_recording",
    "excerpt",
    "make_transients",
    "measure_attenuation",
    "measure_rounding",
    "middle",
    "noise_alone",
    "noise_levels",
    "noise_transfer",
    "parts_passed",
    "place_transients",
    "read_excerpts",
    "residual",
    "residual_covariance",
    "residual_spectra",
    "transient_spread",
    "try_transients",
]
