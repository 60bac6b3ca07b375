"""Draw a dataset: probe, traces, spectrum and truth."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

from ephys_deepinterpolation.figures.ground_truth import plot_ground_truth
from ephys_deepinterpolation.figures.style import save
from ephys_deepinterpolation.files import read_table

tables = {name: read_table(path) for name, path in snakemake.input.items()}
of_dataset = {
    name: table[table["dataset"] == snakemake.wildcards.dataset] if len(table) else table
    for name, table in tables.items()
}
figure = plot_ground_truth(**of_dataset)
for path in snakemake.output:
    save(figure, path)
