"""Draw a dataset's traces and spikes before and after each condition."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

from pathlib import Path

from ephys_deepinterpolation.figures.rasters import plot_rasters
from ephys_deepinterpolation.figures.style import save
from ephys_deepinterpolation.figures.traces import plot_traces
from ephys_deepinterpolation.files import read_table

dataset = snakemake.wildcards.dataset
params = snakemake.params
for name, draw in {"traces": plot_traces, "rasters": plot_rasters}.items():
    table = read_table(snakemake.input[name])
    of_dataset = table[table["dataset"] == dataset] if len(table) else table
    for condition in params.others:
        figure = draw(
            of_dataset,
            reference=params.reference,
            condition=condition,
            conditions=params.conditions,
        )
        for path in snakemake.output:
            if Path(path).stem == f"{name}-{dataset}-{condition}":
                save(figure, path)
