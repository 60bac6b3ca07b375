"""Put units whose spikes are known into a real recording."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

from ephys_deepinterpolation.ground_truth.donors import read_stock
from ephys_deepinterpolation.ground_truth.hybrid import generate_hybrid
from ephys_deepinterpolation.ground_truth.recorded import read_described

parameters = dict(snakemake.params.parameters)
host, templates = parameters.pop("host"), parameters.pop("templates")
training = parameters.pop("training", None)
seed = snakemake.params.seed
truth = generate_hybrid(
    read_described(host, snakemake.input.host),
    **parameters,
    seed=seed,
    stock=read_stock(templates, dict(snakemake.input.items()), seed),
    other_recording=training and read_described(training, snakemake.input.training),
    provenance={"host": host, "templates": templates, "training": training},
)
truth.save(snakemake.output[0])
