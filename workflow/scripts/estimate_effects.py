"""Estimate paired effects against the reference condition, and give the verdict."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

import json

from ephys_deepinterpolation.files import read_table, whole_file, write_table
from ephys_deepinterpolation.seeds import derive_seed
from ephys_deepinterpolation.statistics import (
    NO_HYPOTHESIS,
    check_calibration,
    estimate_effects,
    find_calibrators,
    give_verdict,
    read_endpoints,
)
from ephys_deepinterpolation.versions import versions_of

params = snakemake.params
tables = {name: read_table(path) for name, path in snakemake.input.items()}
endpoints = read_endpoints(params.endpoints)
seed = derive_seed(params.seed, "statistics")
calibrators = find_calibrators(params.pipelines, params.conditions, params.reference)
no_hypothesis = [name for kind in NO_HYPOTHESIS for name in calibrators[kind]]
effects = estimate_effects(tables, endpoints, params.reference, seed, no_hypothesis)
checks = check_calibration(tables, endpoints, effects, calibrators, seed)
packages = ["ephys-deepinterpolation", "spikeinterface", "numpy", "scipy", "pandas"]
verdict = {
    "seed": params.seed,
    "config_sha256": params.config_sha256,
    "versions": versions_of(packages),
    **give_verdict(effects, endpoints, params.reference, params.repeats, checks),
}
write_table(effects, *snakemake.output.tables)
with whole_file(snakemake.output.verdict) as unfinished:
    unfinished.write_text(json.dumps(verdict, indent=2, ensure_ascii=False, allow_nan=False))
