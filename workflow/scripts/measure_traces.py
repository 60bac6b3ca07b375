"""Measure what a condition did to the traces."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

from ephys_deepinterpolation.artifacts import (
    excerpt,
    noise_levels,
    noise_transfer,
    parts_passed,
    read_excerpts,
    residual,
    residual_covariance,
    residual_spectra,
)
from ephys_deepinterpolation.conditions import load_condition
from ephys_deepinterpolation.files import write_table
from ephys_deepinterpolation.ground_truth import load_ground_truth

truth = load_ground_truth(snakemake.input.truth)
recording, facts = load_condition(snakemake.input.condition)
reference, seed = snakemake.params.reference, snakemake.params.seed
frequency = recording.get_sampling_frequency()
excerpts = read_excerpts(truth, recording, reference, seed)
measures = {
    "noise": noise_levels(recording, seed),
    "noise_parts": parts_passed(truth, recording, reference, seed),
    "noise_transfer": noise_transfer(excerpts, frequency),
    "residual": residual(excerpts, recording),
    "residual_spectra": residual_spectra(excerpts, frequency),
    "residual_covariance": residual_covariance(excerpts, recording),
    "traces": excerpt(recording),
}
keys = {
    "dataset": snakemake.wildcards.dataset,
    "kind": snakemake.params.kind,
    "replicate": int(snakemake.wildcards.replicate),
    "condition": snakemake.wildcards.condition,
    "model_saw_recording": facts["model_saw_recording"],
}
for name, table in measures.items():
    write_table(table.assign(**keys), snakemake.output[name])
