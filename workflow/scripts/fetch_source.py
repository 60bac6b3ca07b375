"""Fetch data from a registry, a web server or a bucket."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

from ephys_deepinterpolation.ground_truth.sources import fetch_source

fetch_source(snakemake.output[0], **snakemake.params.source)
