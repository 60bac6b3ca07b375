"""Draw the figures of one stage that show all datasets at once."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

from importlib import import_module
from pathlib import Path

from ephys_deepinterpolation.figures.style import save
from ephys_deepinterpolation.files import read_table

tables = {name: read_table(path) for name, path in snakemake.input.items()}
for name, needed in snakemake.params.figures.items():
    draw = getattr(import_module(f"ephys_deepinterpolation.figures.{name}"), f"plot_{name}")
    figure = draw(
        *(tables[table] for table in needed),
        reference=snakemake.params.reference,
        conditions=snakemake.params.conditions,
    )
    for path in snakemake.output:
        if Path(path).stem == name:
            save(figure, path)
