"""Apply a condition to a recording's noise without any spike, and count what it invents."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0], snakemake.params.threads)

from ephys_deepinterpolation.artifacts import count_crossings, middle, noise_alone
from ephys_deepinterpolation.conditions import (
    apply_condition,
    before_denoising,
    load_condition,
    save_condition,
)
from ephys_deepinterpolation.files import write_table
from ephys_deepinterpolation.ground_truth import load_ground_truth
from ephys_deepinterpolation.model import load_model

params = snakemake.params
truth = load_ground_truth(snakemake.input.truth)
path = snakemake.input.get("model")
model = load_model(path) if path else None
saw = bool(model and model.saw(before_denoising(truth.recording, params.pipeline)))
alone, seconds = noise_alone(truth), params.artifacts["noise_alone_s"]
output = middle(apply_condition(alone.recording, params.pipeline, model, alone.parts()), seconds)
facts = {
    "pipeline": params.pipeline,
    "denoised": model is not None,
    "model_saw_recording": saw,
}
save_condition(output, facts, snakemake.output.recording)
crossings = count_crossings(
    load_condition(snakemake.output.recording)[0],
    middle(apply_condition(alone.recording, params.reference), seconds),
    params.artifacts["thresholds"],
    params.seed,
)
keys = {
    "dataset": snakemake.wildcards.dataset,
    "kind": params.kind,
    "replicate": int(snakemake.wildcards.replicate),
    "condition": snakemake.wildcards.condition,
    "model_saw_recording": saw,
}
write_table(crossings.assign(**keys), snakemake.output.crossings)
