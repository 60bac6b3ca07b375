"""Write the effects of a study as tables for a text."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

import json
from pathlib import Path

from ephys_deepinterpolation.files import read_table, whole_file
from ephys_deepinterpolation.report import effects_in_markdown

effects = read_table(snakemake.input.effects)
verdict = json.loads(Path(snakemake.input.verdict).read_text())
spreads = [None, "dataset", "sorter"]
for by, path in zip(spreads, snakemake.output, strict=True):
    text = effects_in_markdown(effects, verdict, snakemake.params.conditions, by)
    with whole_file(path) as unfinished:
        unfinished.write_text(text)
