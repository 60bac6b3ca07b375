"""Fetch a model from a hub."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

import shutil

from ephys_deepinterpolation.files import whole_file
from ephys_deepinterpolation.hub import fetch_model
from ephys_deepinterpolation.model import load_model

fetched = load_model(fetch_model(snakemake.params.address))
with whole_file(snakemake.output[0]) as unfinished:
    shutil.copyfile(fetched.path, unfinished)
