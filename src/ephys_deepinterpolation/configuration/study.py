"""A configuration that has been found valid."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ephys_deepinterpolation.configuration.datasets import (
    NOISE_WITH_SPIKES,
    Dataset,
    known_parts,
    read_dataset,
    read_entries,
)
from ephys_deepinterpolation.configuration.endpoints import endpoint_problems
from ephys_deepinterpolation.configuration.models import model_problems, publication_problems
from ephys_deepinterpolation.configuration.problems import (
    ConfigurationError,
    Place,
    problem,
    shown,
)
from ephys_deepinterpolation.configuration.schemas import (
    CONFIG_SCHEMA,
    read_schemas,
    schema_problems,
)
from ephys_deepinterpolation.configuration.sections import (
    DENOISING_STEP,
    condition_problems,
    parts_needed,
    sorter_problems,
    source_problems,
    steps_before_denoising,
    study_problems,
)


@dataclass(frozen=True)
class Study:
    """A configuration that has been found valid, defaults filled in.

    Attributes
    ----------
    seed, replicates, repeats : int
    match_score : float
    conditions, sorters : tuple of str
        The names to run, in the order of the configuration; of the conditions, those that exist
        for a dataset.
    reference : str
        The condition that the others are compared with.
    datasets : dict of str to Dataset
        In the order of the table.
    pipelines : dict of str to list of dict
        The steps of every defined condition, each with `name` and `params`.
    models, sorter_settings, sources, endpoints, publications : dict of str to dict
        The sections `models`, `sorters`, `sources`, `endpoints` and `publish` of the configuration.
    artifacts, environments : dict
        The sections of that name.
    """

    seed: int
    replicates: int
    repeats: int
    match_score: float
    conditions: tuple[str, ...]
    reference: str
    sorters: tuple[str, ...]
    datasets: dict[str, Dataset]
    pipelines: dict[str, list[dict[str, Any]]] = field(repr=False)
    models: dict[str, dict[str, Any]] = field(repr=False)
    sorter_settings: dict[str, dict[str, Any]] = field(repr=False)
    sources: dict[str, dict[str, Any]] = field(repr=False)
    artifacts: dict[str, Any] = field(repr=False)
    environments: dict[str, Any] = field(repr=False)
    endpoints: dict[str, dict[str, Any]] = field(repr=False)
    publications: dict[str, dict[str, str]] = field(repr=False)

    def conditions_of(self, dataset: str) -> tuple[str, ...]:
        """Name the conditions that a dataset goes through; an oracle needs to know its parts."""
        asked_for = self.datasets[dataset].conditions or self.conditions
        known = known_parts(self.datasets[dataset])
        return tuple(
            condition
            for condition in self.conditions
            if condition in asked_for
            and (
                (needed := parts_needed(self.pipelines[condition])) is None
                or (known and needed <= known)
            )
        )

    def knows_noise_alone(self, dataset: str) -> bool:
        """Whether it is known what a dataset would be without any spike."""
        parts = known_parts(self.datasets[dataset])
        return bool(parts) and parts.isdisjoint(NOISE_WITH_SPIKES)

    def model_of(self, condition: str) -> str | None:
        """Name the model that a condition denoises with, None where it does not."""
        return next(
            (
                step["params"]["model"]
                for step in self.pipelines[condition]
                if step["name"] == DENOISING_STEP
            ),
            None,
        )

    def bases_of(self, model: str) -> list[str]:
        """Name the recipes that a recipe starts from, nearest first."""
        bases: list[str] = []
        while (base := self.models[model].get("fine_tune")) is not None:
            bases.append(base)
            model = base
        return bases

    def home_of(self, model: str, condition: str) -> str:
        """Name the condition under which a model is kept that several conditions share.

        Those share it that train it on the same steps: the first that denoises with it, else the
        first that denoises with a model tuned from it.
        """
        prefix = steps_before_denoising(self.pipelines[condition])
        alike = [
            name
            for name in self.conditions
            if self.model_of(name) and steps_before_denoising(self.pipelines[name]) == prefix
        ]
        own = [name for name in alike if self.model_of(name) == model]
        tuned = [name for name in alike if model in self.bases_of(str(self.model_of(name)))]
        return (own + tuned)[0]


def read_study(
    config: dict[str, Any], schemas: Path, config_file: str = "the configuration"
) -> Study:
    """Check a configuration and the datasets it names. Writes nothing, changes nothing.

    Parameters
    ----------
    config : dict
        The configuration, already parsed and merged.
    schemas : pathlib.Path
        The folder of `config.schema.yaml` and `datasets.schema.yaml`.
    config_file : str
        What messages call the configuration.

    Returns
    -------
    Study

    Raises
    ------
    ConfigurationError
        Names everything that is wrong.
    """
    registry = read_schemas(schemas)
    settings = copy.deepcopy(config)
    root = Place(f"{config_file}: ")
    problems = list(schema_problems(settings, CONFIG_SCHEMA, registry, root))
    if not isinstance(settings, dict):
        raise ConfigurationError(problems)

    problems += study_problems(settings, root)
    problems += source_problems(settings, root)
    problems += condition_problems(settings, root)
    problems += sorter_problems(settings, root)
    problems += endpoint_problems(settings, root)
    entries, table_problems = read_entries(settings, registry, root)
    problems += table_problems
    names = {str(entry.cells["dataset"]) for entry in entries if "dataset" in entry.cells}
    problems += model_problems(settings, names, root)
    problems += publication_problems(settings, root)
    datasets = []
    for entry in entries:
        dataset, dataset_problems = read_dataset(entry, settings, registry, root)
        datasets.append(dataset)
        problems += dataset_problems
    if problems:
        raise ConfigurationError(problems)

    study = _study_of(settings, datasets)
    problems += _existence_problems(study, root.at("study", "conditions"))
    if problems:
        raise ConfigurationError(problems)
    existing = {name for dataset in study.datasets for name in study.conditions_of(dataset)}
    return replace(study, conditions=tuple(name for name in study.conditions if name in existing))


def _in_one_order(entries: dict[str, Any]) -> dict[str, Any]:
    """Sort the keys within each entry of a section: another order is no other study.

    The entries themselves keep their order, in which tables and figures show them.
    """
    return {name: _sorted_keys(entry) for name, entry in entries.items()}


def _sorted_keys(value: Any, key: str = "") -> Any:
    if isinstance(value, list):
        return [_sorted_keys(each) for each in value]
    if not isinstance(value, dict):
        return value
    # The parts of a noise are summed in the order in which they stand: the last bits follow it.
    names = value if key == "noise" else sorted(value, key=str)
    return {name: _sorted_keys(value[name], name) for name in names}


def _existence_problems(study: Study, place: Place) -> Iterator[str]:
    """Check that an oracle is not all that a dataset of unknown parts has to compare."""
    for name, dataset in study.datasets.items():
        asked_for = dataset.conditions or study.conditions
        if len(asked_for) > 1 and len(study.conditions_of(name)) == 1:
            found = f"no condition beside the reference that exists for {shown(name)}"
            yield problem(place, found, "one without an oracle, as its parts are not known")


def _study_of(settings: dict[str, Any], datasets: list[Dataset]) -> Study:
    study = settings["study"]
    return Study(
        seed=study["seed"],
        replicates=study["replicates"],
        repeats=study["repeats"],
        match_score=study["match_score"],
        conditions=tuple(study["conditions"]),
        reference=study["reference"],
        sorters=tuple(study["sorters"]),
        datasets={
            dataset.name: replace(dataset, parameters=_sorted_keys(dataset.parameters))
            for dataset in datasets
        },
        pipelines=_in_one_order(settings["conditions"]),
        models=_in_one_order(settings["models"]),
        sorter_settings={
            name: {"sorter": name, **entry}
            for name, entry in _in_one_order(settings["sorters"]).items()
        },
        sources=_in_one_order(settings["sources"]),
        artifacts=_sorted_keys(settings["artifacts"]),
        environments=settings["environments"],
        endpoints=_in_one_order(settings["endpoints"]),
        publications=settings["publish"],
    )
