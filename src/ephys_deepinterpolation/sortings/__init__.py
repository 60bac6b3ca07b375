"""One sorter run on one recording: its result, or an honest failure."""

from ephys_deepinterpolation.sortings.modes import MODES, NO_PREPROCESSING
from ephys_deepinterpolation.sortings.running import SorterSettings, sort
from ephys_deepinterpolation.sortings.runs import SORTED, SortingRun, read_run, read_sorting

__all__ = [
    "MODES",
    "NO_PREPROCESSING",
    "SORTED",
    "SorterSettings",
    "SortingRun",
    "read_run",
    "read_sorting",
    "sort",
]
