"""Draw the noise of a surrogate against that of its original."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

from ephys_deepinterpolation.figures.style import save
from ephys_deepinterpolation.figures.surrogate import plot_surrogate
from ephys_deepinterpolation.files import gather_tables

figure = plot_surrogate(gather_tables(snakemake.input))
for path in snakemake.output:
    save(figure, path)
