"""Try a condition with transients, with rounding and with a recording's noise without any spike."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0], snakemake.params.threads)

import pandas as pd

from ephys_deepinterpolation.artifacts import (
    count_crossings,
    measure_rounding,
    middle,
    noise_alone,
    try_transients,
)
from ephys_deepinterpolation.conditions import apply_condition, load_condition, save_condition
from ephys_deepinterpolation.files import read_measure, write_measures
from ephys_deepinterpolation.ground_truth import load_ground_truth
from ephys_deepinterpolation.model import load_model

params = snakemake.params
truth = load_ground_truth(snakemake.input.truth)
condition, facts = load_condition(snakemake.input.condition)
path = snakemake.input.get("model")
model = load_model(path) if path else None
noise_uv = read_measure(snakemake.input.reference, "noise")["noise_uv"].median()
measures = {
    "transient_spread": try_transients(
        truth, condition, params.pipeline, model, params.saturation_uv, noise_uv
    ),
    "rounding": measure_rounding(truth.recording, condition, params.rounding_seed),
    "noise_alone": pd.DataFrame(),
}
if folder := snakemake.output.get("recording"):
    alone, seconds = noise_alone(truth), params.seconds
    output = apply_condition(alone.recording, params.pipeline, model, alone.parts())
    save_condition(middle(output, seconds), facts, folder)
    measures["noise_alone"] = count_crossings(
        load_condition(folder)[0],
        middle(apply_condition(alone.recording, params.reference), seconds),
        params.thresholds,
        params.noise_seed,
    )
write_measures(
    measures,
    snakemake.output.tables,
    dataset=snakemake.wildcards.dataset,
    kind=params.kind,
    replicate=int(snakemake.wildcards.replicate),
    condition=snakemake.wildcards.condition,
    model_saw_recording=facts["model_saw_recording"],
)
