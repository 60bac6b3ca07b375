"""What a condition did to the traces, apart from any sorter."""

from ephys_deepinterpolation.artifacts.channels import contacts
from ephys_deepinterpolation.artifacts.levels import noise_levels
from ephys_deepinterpolation.artifacts.parts import parts_passed
from ephys_deepinterpolation.artifacts.traces import excerpt

__all__ = ["contacts", "excerpt", "noise_levels", "parts_passed"]
