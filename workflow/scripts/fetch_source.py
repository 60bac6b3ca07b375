"""Fetch data from a registry, a web server or a bucket."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

import sys

from ephys_deepinterpolation.ground_truth.sources import SourceError, fetch_source

try:
    fetch_source(snakemake.output[0], **snakemake.params.source)
except SourceError as error:
    sys.exit(str(error))
