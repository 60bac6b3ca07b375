"""Publish a model with its card on a hub."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

import json

from ephys_deepinterpolation.files import whole_file
from ephys_deepinterpolation.hub import publish_model

published = publish_model(
    snakemake.input.model, snakemake.input.card, **snakemake.params.publication
)
with whole_file(snakemake.output[0]) as unfinished:
    unfinished.write_text(json.dumps(published, indent=2) + "\n")
