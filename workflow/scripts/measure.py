"""Measure what a condition did to the traces and to true spikes."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

import pandas as pd

from ephys_deepinterpolation.artifacts import (
    excerpt,
    measure_attenuation,
    noise_levels,
    noise_transfer,
    parts_passed,
    read_excerpts,
    residual,
    residual_covariance,
    residual_spectra,
)
from ephys_deepinterpolation.conditions import load_condition
from ephys_deepinterpolation.detectability import measure_detectability
from ephys_deepinterpolation.files import write_measures
from ephys_deepinterpolation.ground_truth import load_ground_truth

truth = load_ground_truth(snakemake.input.truth)
recording, facts = load_condition(snakemake.input.condition)
reference, seed = snakemake.params.reference, snakemake.params.seed
replicate = int(snakemake.wildcards.replicate)
frequency = recording.get_sampling_frequency()
excerpts = read_excerpts(truth, recording, reference, seed)
measures = {
    "noise": noise_levels(recording, seed),
    "noise_parts": parts_passed(truth, recording, reference, seed),
    "noise_transfer": noise_transfer(excerpts, frequency),
    "residual": residual(excerpts, recording),
    "residual_spectra": residual_spectra(excerpts, frequency),
    "residual_covariance": residual_covariance(excerpts, recording),
    # One excerpt of a dataset is drawn.
    "traces": excerpt(recording) if replicate == 0 else pd.DataFrame(),
    "attenuation": measure_attenuation(truth, recording, reference, seed),
    "detectability": measure_detectability(truth, recording, reference, seed),
}
write_measures(
    measures,
    snakemake.output[0],
    dataset=snakemake.wildcards.dataset,
    kind=snakemake.params.kind,
    replicate=replicate,
    condition=snakemake.wildcards.condition,
    model_saw_recording=facts["model_saw_recording"],
)
