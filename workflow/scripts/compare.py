"""Compare the sortings of a condition with the truth, the reference and each other."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

import pandas as pd

from ephys_deepinterpolation.comparisons import (
    compare_condition,
    read_sortings,
    signal_to_noise,
)
from ephys_deepinterpolation.conditions import load_condition
from ephys_deepinterpolation.files import read_measure, write_measures
from ephys_deepinterpolation.ground_truth import load_ground_truth

truth = load_ground_truth(snakemake.input.truth)
recording, facts = load_condition(snakemake.input.condition)
noise, reference_noise = (
    read_measure(folder, "noise").set_index("channel")["noise_uv"]
    for folder in (snakemake.input.artifacts, snakemake.input.reference_artifacts)
)
snr = pd.Series(dtype=float)
if truth.templates is not None:
    snr = signal_to_noise(
        truth.templates, truth.recording, snakemake.params.reference, reference_noise
    )
reference_tables = None
if folder := snakemake.input.get("reference"):
    reference_tables = {name: read_measure(folder, name) for name in ("units", "quality")}
tables = compare_condition(
    truth,
    recording,
    noise,
    snr,
    read_sortings(snakemake.input.sortings),
    read_sortings(snakemake.input.reference_sortings),
    reference_tables,
    snakemake.params.match_score,
)
write_measures(
    tables,
    snakemake.output[0],
    dataset=snakemake.wildcards.dataset,
    kind=snakemake.params.kind,
    replicate=int(snakemake.wildcards.replicate),
    condition=snakemake.wildcards.condition,
    model_saw_recording=facts["model_saw_recording"],
)
