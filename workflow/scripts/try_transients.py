"""Put transients into a recording, see how far a condition spreads them; round its output."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0], snakemake.params.threads)

from ephys_deepinterpolation.artifacts import (
    add_transients,
    make_transients,
    measure_rounding,
    place_transients,
    transient_spread,
)
from ephys_deepinterpolation.conditions import apply_condition, load_condition
from ephys_deepinterpolation.files import read_table, write_table
from ephys_deepinterpolation.ground_truth import load_ground_truth
from ephys_deepinterpolation.model import load_model

params = snakemake.params
truth = load_ground_truth(snakemake.input.truth)
condition, facts = load_condition(snakemake.input.condition)
path = snakemake.input.get("model")
transients = make_transients(truth.recording, params.saturation_uv)
starts = place_transients(truth.recording, transients)
disturbed = apply_condition(
    add_transients(truth.recording, transients, starts, params.saturation_uv),
    params.pipeline,
    load_model(path) if path else None,
    truth.parts(),
)
noise_uv = read_table(snakemake.input.reference_noise)["noise_uv"].median()
measures = {
    "transient_spread": transient_spread(disturbed, condition, transients, starts, noise_uv),
    "rounding": measure_rounding(truth.recording, condition, params.seed),
}
keys = {
    "dataset": snakemake.wildcards.dataset,
    "kind": params.kind,
    "replicate": int(snakemake.wildcards.replicate),
    "condition": snakemake.wildcards.condition,
    "model_saw_recording": facts["model_saw_recording"],
}
for name, table in measures.items():
    write_table(table.assign(**keys), snakemake.output[name])
