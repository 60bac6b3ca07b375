"""Write the card of a model, and the figures it shows."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

import json
from pathlib import Path

import yaml

from ephys_deepinterpolation.cards import CardFacts, card_figures, model_card
from ephys_deepinterpolation.figures.style import save
from ephys_deepinterpolation.files import read_table, whole_folder
from ephys_deepinterpolation.model import load_model

model = load_model(snakemake.input.model)
tables = {Path(path).stem: read_table(path) for path in snakemake.input.tables}
verdict = json.loads(Path(snakemake.input.verdict).read_text())
facts = CardFacts(
    **snakemake.params.facts,
    citation=yaml.safe_load(Path(snakemake.input.citation).read_text()),
    config_sha256=verdict["config_sha256"],
    versions=verdict["versions"],
)
figures = card_figures(model, tables, facts)
with whole_folder(snakemake.output[0]) as folder:
    for name, figure in figures.items():
        save(figure, folder / f"{name}.png")
    model_card(model, tables, facts, list(figures)).save(folder / "README.md")
