"""Read a recording that MEArec simulated, with its truth."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

from pathlib import Path

from ephys_deepinterpolation.ground_truth.mearec import neuropixels, read_mearec

parameters = snakemake.params.parameters
facts = {"seed": snakemake.params.seed, "parameters": parameters}
if simulation := parameters.get("simulation"):
    place = snakemake.input.path
    probe = neuropixels(simulation["templates"]["probe"], simulation["templates"]["channels"])
else:
    place = Path(snakemake.input.get("source", ".")) / parameters["path"]
    probe = None
truth = read_mearec(place, parameters["gain_uv_per_bit"], probe, facts)
truth.save(snakemake.output[0])
