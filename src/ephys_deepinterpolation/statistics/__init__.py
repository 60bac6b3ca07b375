"""Whether conditions differ from the reference, how surely, and a verdict in words."""

from ephys_deepinterpolation.statistics.bootstrap import Estimate, estimate_mean
from ephys_deepinterpolation.statistics.calibration import (
    NO_HYPOTHESIS,
    check_calibration,
    find_calibrators,
)
from ephys_deepinterpolation.statistics.effects import estimate_effects, holm
from ephys_deepinterpolation.statistics.endpoints import (
    MEASURES,
    Endpoint,
    observations,
    read_endpoints,
    tables_of,
)
from ephys_deepinterpolation.statistics.power import detectable_effect, power
from ephys_deepinterpolation.statistics.verdict import give_verdict, hash_config

__all__ = [
    "MEASURES",
    "NO_HYPOTHESIS",
    "Endpoint",
    "Estimate",
    "check_calibration",
    "detectable_effect",
    "estimate_effects",
    "estimate_mean",
    "find_calibrators",
    "give_verdict",
    "hash_config",
    "holm",
    "observations",
    "power",
    "read_endpoints",
    "tables_of",
]
