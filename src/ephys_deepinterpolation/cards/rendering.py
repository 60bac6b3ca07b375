"""A model card in the format of Hugging Face, written from a model's file and a study's tables."""

from __future__ import annotations

import hashlib
import math
import pprint
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure

from ephys_deepinterpolation.addresses import hub_address
from ephys_deepinterpolation.cards import contents
from ephys_deepinterpolation.cards.evidence import gather_evidence, rows_at, uses_of
from ephys_deepinterpolation.figures.attenuation import plot_attenuation
from ephys_deepinterpolation.figures.effects import plot_effects
from ephys_deepinterpolation.figures.noise import plot_noise
from ephys_deepinterpolation.figures.style import counted
from ephys_deepinterpolation.figures.training import plot_loss
from ephys_deepinterpolation.model import Model
from ephys_deepinterpolation.report.tables import markdown
from ephys_deepinterpolation.report.words import step_in_words
from ephys_deepinterpolation.seeds import derive_seed
from ephys_deepinterpolation.statistics import estimate_effects, give_verdict, read_endpoints

LIBRARY = "ephys-deepinterpolation"
TAGS = [
    "electrophysiology",
    "extracellular-recordings",
    "spike-sorting",
    "denoising",
    "deepinterpolation",
    "spikeinterface",
]
FIGURES = {
    "training": "Loss in training, and what it is read against.",
    "noise": "Noise of every channel.",
    "attenuation": "How much of the peak of true units is kept, by their size, width and rate.",
    "effects": "Change against the reference in every endpoint, with 95 % intervals.",
}


@dataclass(frozen=True)
class CardFacts:
    """What a study knows of a model beside its file and the tables.

    Attributes
    ----------
    name : str
        Of its recipe.
    home : mapping
        Which training of the recipe it is: `trained_on`, `trained_replicate`, `trained_for`.
    reference : str
        The condition that others are compared with.
    conditions : sequence of str
        Of the study, in order.
    steps : sequence of mapping
        Of the pipeline, before the denoising one.
    training_data : sequence of sequence of mapping
        `dataset`, `kind`, `licence` of the recordings of each training: those of the models that
        it was tuned from, then its own.
    endpoints : mapping
        The section of the configuration.
    seed, repeats : int
        Of the study.
    citation : mapping
        Of this project, as in CITATION.cff.
    tuned_from : str, optional
        The address on a hub of the model that it was tuned from, if it was from such a one.
    config_sha256 : str
        Of the study's configuration.
    versions : mapping of str to str
        That the study was judged with.
    """

    name: str
    home: Mapping[str, Any]
    reference: str
    conditions: Sequence[str]
    steps: Sequence[Mapping[str, Any]]
    training_data: Sequence[Sequence[Mapping[str, str]]]
    endpoints: Mapping[str, Mapping[str, Any]]
    seed: int
    repeats: int
    citation: Mapping[str, Any]
    tuned_from: str | None = None
    config_sha256: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


def model_card(
    model: Model,
    tables: Mapping[str, pd.DataFrame],
    facts: CardFacts,
    figures: Sequence[str] = (),
) -> ModelCard:
    """Write the card of a model.

    Parameters
    ----------
    model : Model
        Read from its file, which is hashed.
    tables : mapping of str to DataFrame
        Those of docs/tables.md, by name. Of one that is missing or holds nothing on the model, the
        card says that it was not measured.
    facts : CardFacts
    figures : sequence of str
        The names of those of `card_figures` that lie beside the card.

    Returns
    -------
    huggingface_hub.ModelCard
    """
    found = _Findings(tables, facts)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"table": markdown, "number": contents.number}
    text = environment.get_template("card.md.jinja").render(
        model=model,
        summary=model.summary,
        facts=facts,
        evidence=found.evidence,
        trained_on=_trained_on(facts),
        probes=_probes(tables, facts),
        gains=_gains(tables, facts),
        steps=[step_in_words(step) for step in facts.steps],
        steps_in_python=pprint.pformat([dict(step) for step in facts.steps], width=92),
        training_data=contents.training_data(model, facts.training_data),
        losses=contents.losses(model.summary),
        others=_other_trainings(tables, facts),
        rests_on=contents.rests_on(found.evidence),
        noise=contents.noise(found.evidence, facts.reference),
        kept=found.by_bins("attenuation", "kept_peak"),
        detectability=found.by_bins("detectability", "d_prime"),
        phantoms=contents.phantoms(found.evidence, facts.reference),
        noise_alone_units=contents.noise_alone_units(found.evidence, facts.reference),
        effects=contents.effects(found.effects, found.verdict),
        failures=contents.known_failures(
            found.everywhere, found.own_training, found.evidence, found.verdict
        ),
        figures={name: FIGURES[name] for name in figures},
        sha256=hashlib.sha256(model.path.read_bytes()).hexdigest() if model.path else None,
        versions={**model.provenance.get("versions", {}), **facts.versions},
    )
    return ModelCard(f"---\n{_metadata(model, facts, found).to_yaml()}\n---\n\n{text}")


def card_figures(
    model: Model, tables: Mapping[str, pd.DataFrame], facts: CardFacts
) -> dict[str, Figure]:
    """Draw what a card shows of its model and the reference, on the recordings it speaks of.

    Parameters
    ----------
    model, tables, facts
        As for `model_card`.

    Returns
    -------
    dict of str to Figure
        Of the names in `FIGURES` those that there is something to draw of.
    """
    found = _Findings(tables, facts)
    of_study = facts.reference, facts.conditions
    measured = found.evidence.tables
    figures = {}
    if len(model.history):
        figures["training"] = plot_loss(model.history, model.summary)
    if "noise" in measured:
        figures["noise"] = plot_noise(measured["noise"], *of_study)
    if not found.by_bins("attenuation", "kept_peak")["peak_uv"].empty:
        figures["attenuation"] = plot_attenuation(measured["attenuation"], *of_study)
    if found.effects["effect"].notna().any():
        figures["effects"] = plot_effects(found.effects, *of_study)
    return figures


class _Findings:
    """What the tables say of a model, worked out once."""

    def __init__(self, tables: Mapping[str, pd.DataFrame], facts: CardFacts):
        self._order = [facts.reference]
        uses = uses_of(tables.get("model_uses", pd.DataFrame()), facts.name, facts.home)
        self.evidence = gather_evidence(tables, uses, facts.reference)
        self._order += self.evidence.conditions
        places = uses[["dataset", "replicate", "condition"]] if len(uses) else uses
        self.everywhere = rows_at(tables, list(places.itertuples(index=False, name=None)))
        self.own_training = _own_training(tables, facts)
        endpoints = read_endpoints(facts.endpoints)
        # As the study estimates them, but from these recordings alone.
        seed = derive_seed(facts.seed, "statistics")
        self.effects = estimate_effects(self.evidence.tables, endpoints, facts.reference, seed)
        self.verdict = (
            give_verdict(self.effects, endpoints, facts.reference, facts.repeats)
            if len(self.effects)
            else {}
        )

    def by_bins(self, name: str, value: str) -> dict[str, pd.DataFrame]:
        """Return medians of a value by amplitude and by width."""
        table = self.evidence.tables.get(name, pd.DataFrame({"background": []}))
        return {
            column: contents.by_bin(table, column, value, self._order)
            for column in ("peak_uv", "width_ms")
        }


def _of_training(table: pd.DataFrame, facts: CardFacts) -> pd.Series:
    """Return which rows of `models` are of one training of a recipe."""
    columns = {"dataset": "trained_on", "replicate": "trained_replicate"}
    columns |= {"condition": "trained_for"}
    mine = table["model"] == facts.name
    for column, home in columns.items():
        mine &= table[column] == facts.home[home]
    return mine


def _own_training(tables: Mapping[str, pd.DataFrame], facts: CardFacts) -> pd.DataFrame:
    models = tables.get("models", pd.DataFrame())
    return models if models.empty else models[_of_training(models, facts)]


def _other_trainings(tables: Mapping[str, pd.DataFrame], facts: CardFacts) -> pd.DataFrame:
    """Return the losses of the same recipe, trained on other data or with another seed."""
    models = tables.get("models", pd.DataFrame())
    if models.empty:
        return models
    others = models[(models["model"] == facts.name) & ~_of_training(models, facts)]
    columns = ["dataset", "replicate", "condition", "validation_loss", "linear_loss"]
    return others[columns].rename(columns=lambda name: name.replace("_", " "))


def _trained_on(facts: CardFacts) -> list[str]:
    """Name the datasets of the model's own training."""
    own = facts.training_data[-1] if facts.training_data else []
    return [each["dataset"] for each in own] or [str(facts.home["trained_on"])]


def _of_training_data(table: pd.DataFrame | None, facts: CardFacts) -> pd.DataFrame:
    if table is None or table.empty:
        return pd.DataFrame()
    return table[table["dataset"].isin(_trained_on(facts))]


def _probes(tables: Mapping[str, pd.DataFrame], facts: CardFacts) -> list[str]:
    """Say how many channels and shanks the probes have that a model was trained on."""
    contacts = _of_training_data(tables.get("contacts"), facts)
    if contacts.empty:
        return []
    probes = contacts.groupby(["dataset", "replicate"], sort=False)["shank"]
    words = (
        f"{counted(len(shanks), 'channel')} on {counted(shanks.nunique(), 'shank')}"
        for _, shanks in probes
    )
    return list(dict.fromkeys(words))


def _gains(tables: Mapping[str, pd.DataFrame], facts: CardFacts) -> list[float]:
    """Return the gains of the recordings that a model was trained on, µV per bit."""
    rounding = _of_training_data(tables.get("rounding"), facts)
    gains = rounding["gain_uv_per_bit"].dropna() if len(rounding) else pd.Series(dtype=float)
    return sorted(gains.unique().tolist())


def _metadata(model: Model, facts: CardFacts, found: _Findings) -> ModelCardData:
    return ModelCardData(
        license=str(facts.citation["license"]).lower(),
        library_name=LIBRARY,
        tags=TAGS,
        base_model=hub_address(facts.tuned_from).repository if facts.tuned_from else None,
        model_name=facts.name,
        eval_results=[*_losses_as_results(model, facts), *_effects_as_results(found, facts)],
    )


def _losses_as_results(model: Model, facts: CardFacts) -> list[EvalResult]:
    return [
        EvalResult(
            task_type="denoising",
            task_name="Prediction of frames from those around them",
            dataset_type=str(facts.home["trained_on"]),
            dataset_name=f"validation frames of {', '.join(_trained_on(facts))}",
            metric_type="mse",
            metric_name=name.replace("_", " "),
            metric_value=float(model.summary[name]),
        )
        for name in ("validation_loss", "linear_loss", "constant_loss", "noise_floor")
        if model.summary.get(name) is not None
    ]


def _effects_as_results(found: _Findings, facts: CardFacts) -> list[EvalResult]:
    """Return the effects on held-out recordings, over all datasets and sorters."""
    if not found.evidence.held_out or found.effects.empty:
        return []
    effects = found.effects
    pooled = effects["sorter"].isna() | effects["sorter"].isin(["all", ""])
    rows = effects[(effects["dataset"] == "all") & pooled & effects["effect"].notna()]
    datasets = list(dict.fromkeys(dataset for dataset, _ in found.evidence.recordings))
    words = {endpoint["name"]: endpoint["words"] for endpoint in found.verdict["endpoints"]}
    return [
        EvalResult(
            task_type="spike-sorting",
            task_name=f"Spike sorting: {row['condition']} against {facts.reference}",
            dataset_type="held-out",
            dataset_name=f"held-out recordings: {', '.join(datasets)}",
            metric_type=str(row["measure"]),
            metric_name=f"change in {words[row['endpoint']]}",
            metric_value=float(row["effect"]),
            metric_args=_interval_arguments(row),
        )
        for _, row in rows.iterrows()
    ]


def _interval_arguments(row: pd.Series) -> dict[str, Any]:
    """Return what a change is read against, as plain numbers."""
    given = {name: float(row[name]) for name in ("reference_value", "low", "high")}
    known = {name: value for name, value in given.items() if math.isfinite(value)}
    return known | {"recordings": int(row["recordings"])}
