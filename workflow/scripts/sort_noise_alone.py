"""Sort a recording's noise without any spike, as each condition shows it, with one sorter."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0], snakemake.params.settings["threads"])

from pathlib import Path

from ephys_deepinterpolation.conditions import load_condition
from ephys_deepinterpolation.files import whole_folder
from ephys_deepinterpolation.sortings import SorterSettings, sort

settings = SorterSettings(**snakemake.params.settings)
with whole_folder(snakemake.output[0]) as unfinished:
    for folder in map(Path, snakemake.input.recordings):
        recording, _ = load_condition(folder)
        sort(
            recording,
            settings,
            snakemake.params.seed,
            unfinished / folder.name,
            python=snakemake.params.python,
        )
