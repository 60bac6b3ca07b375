"""Generate noise after that of a real recording, with units put into it."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

from ephys_deepinterpolation.ground_truth.recorded import read_described
from ephys_deepinterpolation.ground_truth.surrogate import generate_surrogate

parameters = dict(snakemake.params.parameters)
original = read_described(parameters.pop("original"), snakemake.input.original)
truth = generate_surrogate(original, **parameters, seed=snakemake.params.seed)
truth.save(snakemake.output[0])
