"""Sort a condition's recording with one sorter."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0], snakemake.params.settings["threads"])

from ephys_deepinterpolation.conditions import load_condition
from ephys_deepinterpolation.sortings import SorterSettings, sort

recording, _ = load_condition(snakemake.input.condition)
sort(
    recording,
    SorterSettings(**snakemake.params.settings),
    snakemake.params.seed,
    snakemake.output[0],
    python=snakemake.params.python,
)
