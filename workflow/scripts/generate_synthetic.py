"""Generate a synthetic recording with its truth."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

from ephys_deepinterpolation.ground_truth import generate_synthetic

truth = generate_synthetic(**snakemake.params.parameters, seed=snakemake.params.seed)
truth.save(snakemake.output[0])
