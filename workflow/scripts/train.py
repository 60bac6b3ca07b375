"""Train a model on a recording as the steps before the denoising one leave it."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0], snakemake.params.threads)

import time
from pathlib import Path

import pandas as pd

from ephys_deepinterpolation.conditions import apply_condition
from ephys_deepinterpolation.figures.style import save
from ephys_deepinterpolation.figures.training import plot_loss
from ephys_deepinterpolation.files import write_table
from ephys_deepinterpolation.ground_truth import load_ground_truth
from ephys_deepinterpolation.model import load_model
from ephys_deepinterpolation.recipes import follow_recipe

truths = [load_ground_truth(folder) for folder in snakemake.input.truths]
recordings = [
    apply_condition(truth.training_recording or truth.recording, snakemake.params.pipeline)
    for truth in truths
]
base = snakemake.input.get("base")
recipe = snakemake.params.recipe
started = time.monotonic()
model = follow_recipe(
    recipe,
    recordings,
    load_model(base) if base else None,
    snakemake.params.seed,
    snakemake.params.checkpoint,
)
keys = {"dataset": snakemake.wildcards.dataset, "kind": snakemake.params.kind}
keys |= {"replicate": int(snakemake.wildcards.replicate)}
keys |= {"condition": snakemake.wildcards.condition, "model": snakemake.wildcards.model}
facts = {
    "fine_tuned_from": recipe.get("fine_tune"),
    "training_seconds": time.monotonic() - started,
    "model_saw_recording": model.saw(
        apply_condition(truths[0].recording, snakemake.params.pipeline)
    ),
}
summary = pd.DataFrame([keys | model.summary | facts])
write_table(summary, snakemake.output.summary)
write_table(model.history.assign(**keys), snakemake.output.history)
save(plot_loss(model.history, model.summary), snakemake.output.loss)
model.save(snakemake.output.model)
Path(snakemake.params.checkpoint).unlink(missing_ok=True)
