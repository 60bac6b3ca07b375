"""Read a recording beside a cell whose spikes another electrode tells."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

from ephys_deepinterpolation.ground_truth import read_paired

read_paired(**snakemake.params.parameters, fetched=dict(snakemake.input.items())).save(
    snakemake.output[0]
)
