"""Measure what a condition did to true spikes."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

from ephys_deepinterpolation.artifacts import measure_attenuation
from ephys_deepinterpolation.conditions import load_condition
from ephys_deepinterpolation.detectability import measure_detectability
from ephys_deepinterpolation.files import write_table
from ephys_deepinterpolation.ground_truth import load_ground_truth

truth = load_ground_truth(snakemake.input.truth)
recording, facts = load_condition(snakemake.input.condition)
measured = (truth, recording, snakemake.params.reference, snakemake.params.seed)
measures = {
    "attenuation": measure_attenuation(*measured),
    "detectability": measure_detectability(*measured),
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
