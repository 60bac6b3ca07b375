"""Compare a sorting with the truth."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

from pathlib import Path

import pandas as pd
import spikeinterface as si

from ephys_deepinterpolation.comparisons import compare_with_truth, signal_to_noise
from ephys_deepinterpolation.conditions import load_condition
from ephys_deepinterpolation.files import write_table
from ephys_deepinterpolation.ground_truth import load_ground_truth
from ephys_deepinterpolation.sortings import read_run

truth = load_ground_truth(snakemake.input.truth)
_, facts = load_condition(snakemake.input.condition)
noise = pd.read_parquet(snakemake.input.reference_noise).set_index("channel")["noise_uv"]
folder = Path(snakemake.input.sorting)
snr = pd.Series(dtype=float)
if truth.templates is not None:
    snr = signal_to_noise(truth.templates, truth.recording, snakemake.params.reference, noise)
units, sortings = compare_with_truth(truth, si.load(folder / "sorting"), read_run(folder), snr)
keys = {
    "dataset": snakemake.wildcards.dataset,
    "kind": snakemake.params.kind,
    "replicate": int(snakemake.wildcards.replicate),
    "condition": snakemake.wildcards.condition,
    "sorter": snakemake.wildcards.sorter,
    "repeat": int(snakemake.wildcards.repeat),
    "model_saw_recording": facts["model_saw_recording"],
}
write_table(units.assign(**keys), snakemake.output.units)
write_table(sortings.assign(**keys), snakemake.output.sortings)
