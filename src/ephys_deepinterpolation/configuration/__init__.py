"""The configuration of a study and its table of datasets, checked before any job starts.

What a value may be stands in JSON Schemas; what one value asks of another, and what SpikeInterface
and probeinterface know, is checked here. Every problem is reported at once, as one sentence.
"""

from ephys_deepinterpolation.configuration.datasets import Dataset, licence_of
from ephys_deepinterpolation.configuration.models import training_datasets
from ephys_deepinterpolation.configuration.problems import ConfigurationError
from ephys_deepinterpolation.configuration.sections import (
    DENOISING_STEP,
    ORACLE_STEP,
    keeps_traces,
    steps_before_denoising,
)
from ephys_deepinterpolation.configuration.study import Study, read_study

__all__ = [
    "DENOISING_STEP",
    "ORACLE_STEP",
    "ConfigurationError",
    "Dataset",
    "Study",
    "keeps_traces",
    "licence_of",
    "read_study",
    "steps_before_denoising",
    "training_datasets",
]
