"""Sort a condition's recording with one sorter."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0], snakemake.params.threads)

from ephys_deepinterpolation.conditions import load_condition
from ephys_deepinterpolation.sortings import sort

recording, _ = load_condition(snakemake.input.condition)
sort(
    recording,
    snakemake.wildcards.sorter,
    snakemake.params.parameters,
    snakemake.params.seed,
    snakemake.output[0],
)
