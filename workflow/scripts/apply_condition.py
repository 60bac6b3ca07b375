"""Apply the pipeline of a condition to a recording."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0], snakemake.params.threads)

from ephys_deepinterpolation.conditions import apply_condition, before_denoising, save_condition
from ephys_deepinterpolation.ground_truth import load_ground_truth
from ephys_deepinterpolation.model import load_model

truth = load_ground_truth(snakemake.input.truth)
recording, pipeline = truth.recording, snakemake.params.pipeline
path = snakemake.input.get("model")
model = load_model(path) if path else None
facts = {
    "pipeline": pipeline,
    "packages": snakemake.params.packages,
    "denoised": model is not None,
    "model_saw_recording": bool(model and model.saw(before_denoising(recording, pipeline))),
}
save_condition(
    apply_condition(recording, pipeline, model, truth.parts()), facts, snakemake.output[0]
)
