"""Measure what a ground truth holds, beside what it says."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

from ephys_deepinterpolation.artifacts import contacts, describe_recording
from ephys_deepinterpolation.files import write_table
from ephys_deepinterpolation.ground_truth import load_ground_truth
from ephys_deepinterpolation.ground_truth.checks import (
    cut_excerpt,
    measure_spectra,
    measure_true_units,
)

truth = load_ground_truth(snakemake.input[0])
seed = snakemake.params.seed
measures = {
    "contacts": contacts(truth.recording),
    "true_units": measure_true_units(truth, seed),
    "excerpts": cut_excerpt(truth),
    "recordings": describe_recording(truth.recording, seed),
    "spectra": measure_spectra(truth, seed),
}
keys = {
    "dataset": snakemake.wildcards.dataset,
    "kind": snakemake.params.kind,
    "replicate": int(snakemake.wildcards.replicate),
}
for name, table in measures.items():
    write_table(table.assign(**keys), snakemake.output[name])
