"""Read a recording of real tissue."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

from pathlib import Path

from ephys_deepinterpolation.ground_truth import read_recorded

parameters = dict(snakemake.params.parameters)
parameters.pop("source", None)
base = Path(snakemake.input.get("source", "."))
for name in ("path", "training_path"):
    if name in parameters:
        parameters[name] = base / parameters[name]
read_recorded(**parameters).save(snakemake.output[0])
