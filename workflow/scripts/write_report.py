"""Write the report from the tables and figures."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

import json
from pathlib import Path

from ephys_deepinterpolation.files import read_table
from ephys_deepinterpolation.report import write_report
from ephys_deepinterpolation.versions import versions_of

captions = Path(snakemake.input.captions)
figures = [
    (stage, name, (captions / f"{caption}.rst").read_text(), path)
    for (stage, caption, name), path in zip(
        snakemake.params.figures, snakemake.input.figures, strict=True
    )
]
packages = ["ephys-deepinterpolation", "spikeinterface", "keras", "numpy", "snakemake"]
write_report(
    snakemake.output[0],
    tables={Path(path).stem: read_table(path) for path in snakemake.input.tables},
    figures=figures,
    settings={
        "config": snakemake.params.config,
        "verdict": json.loads(Path(snakemake.input.verdict).read_text()),
        "versions": versions_of(packages),
        "description": (captions / "workflow.rst").read_text(),
    },
)
