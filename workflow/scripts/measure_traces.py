"""Measure what a condition did to the traces."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

from ephys_deepinterpolation.artifacts import excerpt, noise_levels, parts_passed
from ephys_deepinterpolation.conditions import load_condition
from ephys_deepinterpolation.files import write_table
from ephys_deepinterpolation.ground_truth import load_ground_truth

truth = load_ground_truth(snakemake.input.truth)
recording, _ = load_condition(snakemake.input.condition)
seed = snakemake.params.seed
measures = {
    "noise": noise_levels(recording, seed),
    "noise_parts": parts_passed(truth, recording, snakemake.params.reference, seed),
    "traces": excerpt(recording),
}
keys = {
    "dataset": snakemake.wildcards.dataset,
    "kind": snakemake.params.kind,
    "replicate": int(snakemake.wildcards.replicate),
    "condition": snakemake.wildcards.condition,
}
for name, table in measures.items():
    write_table(table.assign(**keys), snakemake.output[name])
