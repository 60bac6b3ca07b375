"""Sort a recording's noise without any spike, as each condition shows it, with one sorter."""

from ephys_deepinterpolation.jobs import interpreter_of, start_job

settings, seed = snakemake.params.run["settings"], snakemake.params.run["seed"]
start_job(snakemake.log[0], settings["threads"])

from pathlib import Path

from ephys_deepinterpolation.conditions import load_condition
from ephys_deepinterpolation.files import whole_folder
from ephys_deepinterpolation.sortings import SorterSettings, sort

with whole_folder(snakemake.output[0]) as unfinished:
    for folder in map(Path, snakemake.input.recordings):
        recording, _ = load_condition(folder)
        sort(
            recording,
            SorterSettings(**settings, **vars(snakemake.params.limits)),
            seed,
            unfinished / folder.name,
            python=interpreter_of(snakemake.input.environment),
        )
