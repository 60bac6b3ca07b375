"""Train a model on a recording as the steps before the denoising one leave it."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0], snakemake.params.threads)

from pathlib import Path

import pandas as pd

from ephys_deepinterpolation.conditions import before_denoising
from ephys_deepinterpolation.figures.style import save
from ephys_deepinterpolation.figures.training import plot_loss
from ephys_deepinterpolation.files import write_table
from ephys_deepinterpolation.ground_truth import load_ground_truth
from ephys_deepinterpolation.network import network_parameters
from ephys_deepinterpolation.training import train_deepinterpolation

truth = load_ground_truth(snakemake.input.truth)
recipe = dict(snakemake.params.recipe)
training_recording = truth.training_recording or truth.recording
model = train_deepinterpolation(
    before_denoising(training_recording, snakemake.params.pipeline),
    network=network_parameters(recipe.pop("network")),
    seed=snakemake.params.seed,
    checkpoint=snakemake.params.checkpoint,
    progress=False,
    **recipe,
)
keys = {"dataset": snakemake.wildcards.dataset, "kind": snakemake.params.kind}
keys |= {"replicate": int(snakemake.wildcards.replicate)}
keys |= {"condition": snakemake.wildcards.condition, "model": snakemake.wildcards.model}
seen = model.saw(before_denoising(truth.recording, snakemake.params.pipeline))
summary = pd.DataFrame([keys | model.summary | {"model_saw_recording": seen}])
write_table(summary, snakemake.output.summary)
write_table(model.history.assign(**keys), snakemake.output.history)
save(plot_loss(model.history, model.summary), snakemake.output.loss)
model.save(snakemake.output.model)
Path(snakemake.params.checkpoint).unlink(missing_ok=True)
