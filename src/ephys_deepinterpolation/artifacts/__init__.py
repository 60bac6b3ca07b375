"""What a condition did to the traces and to true spikes, apart from any sorter."""

from ephys_deepinterpolation.artifacts.attenuation import measure_attenuation
from ephys_deepinterpolation.artifacts.channels import contacts
from ephys_deepinterpolation.artifacts.excerpts import Excerpt, read_excerpts
from ephys_deepinterpolation.artifacts.levels import noise_levels
from ephys_deepinterpolation.artifacts.parts import parts_passed
from ephys_deepinterpolation.artifacts.recordings import describe_recording
from ephys_deepinterpolation.artifacts.residuals import (
    residual,
    residual_covariance,
    residual_spectra,
)
from ephys_deepinterpolation.artifacts.traces import excerpt
from ephys_deepinterpolation.artifacts.transfer import noise_transfer

__all__ = [
    "Excerpt",
    "contacts",
    "describe_recording",
    "excerpt",
    "measure_attenuation",
    "noise_levels",
    "noise_transfer",
    "parts_passed",
    "read_excerpts",
    "residual",
    "residual_covariance",
    "residual_spectra",
]
