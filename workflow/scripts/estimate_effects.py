"""Estimate paired effects against the reference condition."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

import pandas as pd

from ephys_deepinterpolation.files import write_table
from ephys_deepinterpolation.statistics import paired_effects

units = pd.read_parquet(snakemake.input.units)
effects = paired_effects(units, snakemake.params.reference, snakemake.params.seed)
write_table(effects, *snakemake.output)
