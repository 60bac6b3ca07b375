"""Draw a dataset's traces before and after a condition."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

import pandas as pd

from ephys_deepinterpolation.figures.style import save
from ephys_deepinterpolation.figures.traces import plot_traces

traces = pd.read_parquet(snakemake.input[0])
figure = plot_traces(
    traces[traces["dataset"] == snakemake.wildcards.dataset],
    reference=snakemake.params.reference,
    condition=snakemake.wildcards.condition,
    conditions=snakemake.params.conditions,
)
for path in snakemake.output:
    save(figure, path)
