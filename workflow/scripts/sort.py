"""Sort a condition's recording with one sorter."""

from ephys_deepinterpolation.jobs import interpreter_of, start_job

settings, seed = snakemake.params.run["settings"], snakemake.params.run["seed"]
start_job(snakemake.log[0], settings["threads"])

from ephys_deepinterpolation.conditions import load_condition
from ephys_deepinterpolation.sortings import SorterSettings, sort

recording, _ = load_condition(snakemake.input.condition)
sort(
    recording,
    SorterSettings(**settings, **vars(snakemake.params.limits)),
    seed,
    snakemake.output[0],
    python=interpreter_of(snakemake.input.environment),
)
