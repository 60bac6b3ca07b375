"""Hold the noise of a surrogate against the recording that it was made after."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

from ephys_deepinterpolation.files import write_table
from ephys_deepinterpolation.ground_truth import load_ground_truth
from ephys_deepinterpolation.ground_truth.recorded import read_described
from ephys_deepinterpolation.ground_truth.surrogate import measure_likeness

original = read_described(snakemake.params.parameters["original"], snakemake.input.original)
truth = load_ground_truth(snakemake.input.truth)
likeness = measure_likeness(truth, original, snakemake.params.seed).assign(
    dataset=snakemake.wildcards.dataset, replicate=int(snakemake.wildcards.replicate)
)
write_table(likeness, snakemake.output[0])
