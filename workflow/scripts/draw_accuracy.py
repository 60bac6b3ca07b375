"""Draw the accuracy of each true unit, the reference against each condition."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

from pathlib import Path

from ephys_deepinterpolation.figures.accuracy import plot_accuracy
from ephys_deepinterpolation.figures.style import save
from ephys_deepinterpolation.files import read_table

units = read_table(snakemake.input[0])
for condition in snakemake.params.conditions:
    figure = plot_accuracy(units, reference=snakemake.params.reference, condition=condition)
    for path in snakemake.output:
        if Path(path).stem == f"accuracy-{condition}":
            save(figure, path)
