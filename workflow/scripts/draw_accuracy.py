"""Draw the accuracy of each true unit, the reference against a condition."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

import pandas as pd

from ephys_deepinterpolation.figures.accuracy import plot_accuracy_pairs
from ephys_deepinterpolation.figures.style import save

figure = plot_accuracy_pairs(
    pd.read_parquet(snakemake.input[0]),
    reference=snakemake.params.reference,
    condition=snakemake.wildcards.condition,
)
for path in snakemake.output:
    save(figure, path)
