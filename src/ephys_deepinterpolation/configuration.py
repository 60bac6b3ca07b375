"""The configuration of a study and its table of datasets, checked before any job starts.

What a value may be stands in JSON Schemas; what one value asks of another, and what SpikeInterface
and probeinterface know, is checked here. Every problem is reported at once, as one sentence.
"""

import copy
import difflib
import inspect
import json
import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.jsonschema import DRAFT202012

DENOISING_STEP = "deepinterpolate"

_CONFIG_SCHEMA = "config.schema.yaml"
_ROW_SCHEMA = "datasets.schema.yaml"

# Keyword arguments of a SpikeInterface step that it passes on to another step.
_FORWARDED_ARGUMENTS = {"filter_kwargs": "filter"}

_TYPES_IN_WORDS = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "a mapping",
    "string": "text",
}
_NUMBERS = ("integer", "number")


class ConfigurationError(ValueError):
    """A configuration or a table of datasets that cannot be run.

    Attributes
    ----------
    problems : tuple of str
        One sentence each: file, row or key, what was found, what is allowed.
    """

    def __init__(self, problems: Iterable[str]):
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True)
class Dataset:
    """A row of the dataset table with the parameters it names.

    Attributes
    ----------
    name : str
    kind : str
    parameters : dict
        As in the configuration, defaults filled in.
    description : str
        A line for the report, maybe empty.
    """

    name: str
    kind: str
    parameters: dict[str, Any]
    description: str = ""


@dataclass(frozen=True)
class Study:
    """A configuration that has been found valid, defaults filled in.

    Attributes
    ----------
    seed, replicates : int
    conditions, sorters : tuple of str
        The names to run, in the order of the configuration.
    reference : str
        The condition that the others are compared with.
    datasets : dict of str to Dataset
        In the order of the table.
    pipelines : dict of str to list of dict
        The steps of every defined condition, each with `name` and `params`.
    models, sorter_settings, sources : dict of str to dict
        The sections `models`, `sorters` and `sources` of the configuration.
    """

    seed: int
    replicates: int
    conditions: tuple[str, ...]
    reference: str
    sorters: tuple[str, ...]
    datasets: dict[str, Dataset]
    pipelines: dict[str, list[dict[str, Any]]] = field(repr=False)
    models: dict[str, dict[str, Any]] = field(repr=False)
    sorter_settings: dict[str, dict[str, Any]] = field(repr=False)
    sources: dict[str, dict[str, Any]] = field(repr=False)

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
    registry = _read_schemas(schemas)
    settings = copy.deepcopy(config)
    root = _Place(f"{config_file}: ")
    problems = list(_schema_problems(settings, _CONFIG_SCHEMA, registry, root))
    if not isinstance(settings, dict):
        raise ConfigurationError(problems)

    problems += _study_problems(settings, root)
    problems += _condition_problems(settings, root)
    problems += _model_problems(settings, root)
    problems += _sorter_problems(settings, root)
    entries, table_problems = _read_entries(settings, registry, root)
    problems += table_problems
    datasets = []
    for entry in entries:
        dataset, dataset_problems = _read_dataset(entry, settings, registry, root)
        datasets.append(dataset)
        problems += dataset_problems
    if problems:
        raise ConfigurationError(problems)

    study = settings["study"]
    return Study(
        seed=study["seed"],
        replicates=study["replicates"],
        conditions=tuple(study["conditions"]),
        reference=study["reference"],
        sorters=tuple(study["sorters"]),
        datasets={dataset.name: dataset for dataset in datasets},
        pipelines=settings["conditions"],
        models=settings["models"],
        sorter_settings=settings["sorters"],
        sources=settings["sources"],
    )


@dataclass(frozen=True)
class _Place:
    """Where a value stands: the file (and line) it is in, and its dotted key (or column)."""

    lead: str
    key: str = ""

    def at(self, *steps: str | int) -> "_Place":
        key = self.key
        for step in steps:
            if isinstance(step, int) and key:
                key = f"{key}[{step}]"
            else:
                key = f"{key}.{step}" if key else str(step)
        return _Place(self.lead, key)

    def __str__(self) -> str:
        return f"{self.lead}{self.key or 'the whole file'}"


def _problem(place: _Place, found: str, allowed: str) -> str:
    return f"{place}: found {found}; allowed: {allowed}."


def _unknown_key(place: _Place, key: Any, known: Iterable[str]) -> str:
    allowed = ", ".join(sorted(known)) or "no key"
    return _problem(place.at(str(key)), "an unknown key", allowed + _did_you_mean(key, known))


def _unknown_name(place: _Place, name: Any, known: Iterable[str], what: str) -> str:
    allowed = f"{what} ({', '.join(sorted(known))})"
    return _problem(place, _shown(name), allowed + _did_you_mean(name, known))


def _did_you_mean(name: Any, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(name), map(str, known), n=1)
    return f" (did you mean {_shown(close[0])}?)" if close else ""


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str, skipkeys=True)
    return text if len(text) <= 80 else f"{text[:80]}…"


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: Any) -> list[tuple[int, str]]:
    """List the items that are text with their positions."""
    items = value if isinstance(value, list) else []
    return [(index, item) for index, item in enumerate(items) if isinstance(item, str)]


def _read_schemas(folder: Path) -> Registry:
    """Read the schemas, so that each can refer to the other by its file name."""
    resources = []
    for name in (_CONFIG_SCHEMA, _ROW_SCHEMA):
        schema = yaml.safe_load((folder / name).read_text(encoding="utf-8"))
        # Its draft would call the plain validator of that draft in place of the one below.
        del schema["$schema"]
        resources.append((name, DRAFT202012.create_resource(schema)))
    return Registry().with_resources(resources)


def _fill_defaults(validator, properties, instance, schema):
    """Validate the properties of a mapping after those left out got their defaults."""
    if isinstance(instance, dict):
        for name, subschema in properties.items():
            if "default" in subschema:
                instance.setdefault(name, copy.deepcopy(subschema["default"]))
    yield from Draft202012Validator.VALIDATORS["properties"](
        validator, properties, instance, schema
    )


def _check_ascending(validator, ascending, instance, _schema):
    if not ascending or not isinstance(instance, list):
        return
    numbers = [item for item in instance if validator.is_type(item, "number")]
    if numbers != sorted(numbers):
        yield ValidationError("not ascending")


def _is_whole_number(_checker, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_finite_number(_checker, value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_Validator = extend(
    Draft202012Validator,
    validators={"properties": _fill_defaults, "ascending": _check_ascending},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_whole_number, "number": _is_finite_number}
    ),
)


def _schema_problems(
    instance: Any, schema: str, registry: Registry, place: _Place
) -> Iterator[str]:
    """Check a value against a schema, by reference, and fill in its defaults."""
    for error in _Validator({"$ref": schema}, registry=registry).iter_errors(instance):
        here = place.at(*error.absolute_path)
        properties = error.schema.get("properties", {})
        if error.validator == "required":
            for key in error.validator_value:
                if key not in error.instance:
                    yield _problem(here.at(key), "nothing", _allowed(properties[key]))
        elif error.validator == "additionalProperties":
            for key in error.instance:
                if key not in properties:
                    yield _unknown_key(here, key, properties)
        elif error.validator == "uniqueItems":
            yield from _repetitions(here, error.instance)
        elif "propertyNames" in error.absolute_schema_path:
            yield _problem(here, f"the name {_shown(error.instance)}", _allowed(error.schema))
        else:
            hint = _text_for_number(error.instance, error.schema)
            yield _problem(here, _shown(error.instance), _allowed(error.schema) + hint)


def _allowed(schema: dict[str, Any]) -> str:
    """Say in words what a schema allows."""
    types = schema.get("type", [])
    words = " or ".join(
        _TYPES_IN_WORDS[name] + (_bounds(schema) if name in _NUMBERS else "")
        for name in ([types] if isinstance(types, str) else types)
    )
    if 1 in (schema.get(key) for key in ("minItems", "minLength", "minProperties")):
        words += ", not empty"
    description = schema["description"]
    return f"{words} ({description})" if words else description


def _bounds(schema: dict[str, Any]) -> str:
    at_least = f" of at least {schema['minimum']}" if "minimum" in schema else ""
    above = f" greater than {schema['exclusiveMinimum']}" if "exclusiveMinimum" in schema else ""
    return at_least + above


def _text_for_number(value: Any, schema: dict[str, Any]) -> str:
    """Explain a number that YAML took for text, such as 2e-3 or one in quotes."""
    if not isinstance(value, str) or not any(name in schema.get("type", []) for name in _NUMBERS):
        return ""
    try:
        float(value)
    except ValueError:
        return ""
    return "; YAML reads this as text: write it without quotes, and 2.0e-3 rather than 2e-3"


def _repetitions(place: _Place, items: list[Any]) -> Iterator[str]:
    for index, item in enumerate(items):
        first = items.index(item)
        if first < index:
            yield _problem(
                place.at(index), f"{_shown(item)} again, as at {place.at(first).key}", "each once"
            )


def _study_problems(settings: dict[str, Any], root: _Place) -> Iterator[str]:
    """Check the conditions that the section `study` names."""
    study = _mapping(settings.get("study"))
    place = root.at("study")
    for index, name in _texts(study.get("conditions")):
        yield from _undefined(place.at("conditions", index), name, settings, "conditions")
    reference, conditions = study.get("reference"), study.get("conditions")
    if not isinstance(reference, str) or not isinstance(conditions, list):
        return
    if reference not in conditions:
        names = {name for _, name in _texts(conditions)}
        yield _unknown_name(
            place.at("reference"), reference, names, "one of the conditions of the study"
        )
    if DENOISING_STEP in _step_names(_mapping(settings.get("conditions")).get(reference)):
        yield _problem(
            place.at("reference"),
            f"{_shown(reference)}, which holds a step {DENOISING_STEP}",
            "a condition without denoising",
        )


def _undefined(place: _Place, name: str, settings: dict[str, Any], section: str) -> Iterator[str]:
    """Report a name without an entry in a section, unless the section itself is malformed."""
    known = settings.get(section)
    if isinstance(known, dict) and name not in known:
        found = f"{_shown(name)}, which has no entry under {section}"
        names = ", ".join(sorted(map(str, known))) or "there is no entry yet"
        yield _problem(place, found, names + _did_you_mean(name, known))


def _step_names(pipeline: Any) -> list[str]:
    steps = pipeline if isinstance(pipeline, list) else []
    return [name for step in steps if isinstance(name := _mapping(step).get("name"), str)]


def _condition_problems(settings: dict[str, Any], root: _Place) -> Iterator[str]:
    """Check the steps of every condition and their arguments."""
    for condition, pipeline in _mapping(settings.get("conditions")).items():
        place = root.at("conditions", condition)
        denoising_steps = _step_names(pipeline).count(DENOISING_STEP)
        if denoising_steps > 1:
            yield _problem(place, f"{denoising_steps} steps {DENOISING_STEP}", "at most one")
        for index, step in enumerate(pipeline if isinstance(pipeline, list) else []):
            yield from _step_problems(_mapping(step), place.at(index), settings)


def _step_problems(step: dict[str, Any], place: _Place, settings: dict[str, Any]) -> Iterator[str]:
    from spikeinterface.preprocessing.pipeline import pp_names_to_functions

    name, params = step.get("name"), _mapping(step.get("params"))
    if not isinstance(name, str):
        return
    if name == DENOISING_STEP:
        if isinstance(model := params.get("model"), str):
            yield from _undefined(place.at("params", "model"), model, settings, "models")
    elif name in pp_names_to_functions:
        yield from _argument_problems(
            pp_names_to_functions[name], params, place.at("params"), pp_names_to_functions
        )
    else:
        known = {*pp_names_to_functions, DENOISING_STEP}
        yield _unknown_name(place.at("name"), name, known, "a preprocessing step")


def _argument_problems(
    function: Callable[..., Any],
    given: dict[str, Any],
    place: _Place,
    forwarded_to: dict[str, Callable[..., Any]],
) -> Iterator[str]:
    """Check arguments, beyond the first (the data itself), against a function's signature."""
    first, *others = inspect.signature(function).parameters.values()
    known = {other.name: other for other in others if other.kind is not other.VAR_KEYWORD}
    takes_any = False
    for other in others:
        if other.name in _FORWARDED_ARGUMENTS:
            target = forwarded_to[_FORWARDED_ARGUMENTS[other.name]]
            _, *passed_on = inspect.signature(target).parameters.values()
            known |= {parameter.name: parameter for parameter in passed_on}
        elif other.kind is other.VAR_KEYWORD:
            takes_any = True
    for name in given:
        if name not in known and (name == first.name or not takes_any):
            yield _unknown_key(place, name, [key for key in known if not key.startswith("_")])
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in given:
            yield _problem(place.at(name), "nothing", f"a value ({function.__name__} needs it)")


def _model_problems(settings: dict[str, Any], root: _Place) -> Iterator[str]:
    for name, model in _mapping(settings.get("models")).items():
        network = _mapping(_mapping(model).get("network"))
        if network.get("family") == "unet" and "rows" in network:
            place = root.at("models", name, "network", "rows")
            yield _problem(place, _shown(network["rows"]), "no rows for a unet")


def _sorter_problems(settings: dict[str, Any], root: _Place) -> Iterator[str]:
    """Check the names of the sorters and the names of their parameters."""
    from spikeinterface.sorters import sorter_dict

    for index, name in _texts(_mapping(settings.get("study")).get("sorters")):
        place = root.at("study", "sorters", index)
        if name in sorter_dict:
            yield from _undefined(place, name, settings, "sorters")
        else:
            yield _unknown_name(place, name, sorter_dict, "a sorter of SpikeInterface")
    for name, sorter in _mapping(settings.get("sorters")).items():
        place = root.at("sorters", name)
        if name not in sorter_dict:
            yield _unknown_name(place, name, sorter_dict, "a sorter of SpikeInterface")
            continue
        known = _sorter_parameters(name)
        for parameter in _mapping(_mapping(sorter).get("parameters")):
            if known is not None and parameter not in known:
                yield _unknown_key(place.at("parameters"), parameter, known)


def _sorter_parameters(name: str) -> set[str] | None:
    """Name the parameters of a sorter, None where only its own package, not installed, knows."""
    from spikeinterface.core.job_tools import job_keys
    from spikeinterface.sorters import get_default_sorter_params

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            known = set(get_default_sorter_params(name))
        except ImportError:
            return None
    return known if known - set(job_keys) else None


@dataclass(frozen=True)
class _Entry:
    """A dataset as written: its place and its cells by column."""

    place: _Place
    cells: dict[str, Any]


def _read_entries(
    settings: dict[str, Any], registry: Registry, root: _Place
) -> tuple[list[_Entry], list[str]]:
    """Read the datasets from the configuration itself or from the table it names."""
    datasets = _mapping(settings.get("study")).get("datasets")
    place = root.at("study", "datasets")
    if isinstance(datasets, dict):
        entries = [
            _Entry(place.at(name), {"dataset": name} | cells)
            for name, cells in datasets.items()
            if isinstance(name, str) and isinstance(cells, dict)
        ]
        return entries, []
    if not isinstance(datasets, str) or not datasets:
        return [], []
    try:
        text = Path(datasets).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        found = f"{_shown(datasets)}, which does not exist in {Path.cwd()}"
        return [], [_problem(place, found, "the path of a table of datasets")]
    except (OSError, UnicodeDecodeError) as error:
        found = f"{_shown(datasets)}, which cannot be read ({error})"
        return [], [_problem(place, found, "the path of a table of datasets in UTF-8")]
    return _read_table(datasets, text.split("\n"), registry)


def _read_table(table: str, lines: list[str], registry: Registry) -> tuple[list[_Entry], list[str]]:
    """Read the rows of a tab-separated table; without a valid header there are none."""
    rows = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if len(rows) < 2:
        found = "no row below the header" if rows else "an empty file"
        return [], [f"{table}: found {found}; allowed: a header and at least one dataset."]
    header_line, columns = rows[0][0], _cells(rows[0][1])
    header = _Place(f"{table}, line {header_line}, column ")
    problems = list(_header_problems(columns, registry.contents(_ROW_SCHEMA), header))
    if problems:
        return [], problems
    entries = []
    for number, line in rows[1:]:
        place = _Place(f"{table}, line {number}, column ")
        cells = _cells(line)
        if len(cells) > len(columns):
            problems.append(
                f"{table}, line {number}: found {len(cells)} cells; "
                f"allowed: one for each of the {len(columns)} columns of the header."
            )
            continue
        row = {column: cell for column, cell in zip(columns, cells, strict=False) if cell}
        problems += _schema_problems(row, _ROW_SCHEMA, registry, place)
        entries.append(_Entry(place, row))
    return entries, problems + list(_repeated_datasets(entries))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("\t")]


def _header_problems(columns: list[str], schema: dict[str, Any], place: _Place) -> Iterator[str]:
    known = schema["properties"]
    allowed = f"{', '.join(known)}, separated by tabs"
    for column, times in Counter(columns).items():
        if column not in known:
            found = "an unknown column"
            yield _problem(place.at(_shown(column)), found, allowed + _did_you_mean(column, known))
        elif times > 1:
            yield _problem(place.at(column), f"it {times} times", "each column once")
    for column in schema["required"]:
        if column not in columns:
            yield _problem(place.at(column), "nothing", allowed)


def _repeated_datasets(entries: list[_Entry]) -> Iterator[str]:
    first: dict[str, _Entry] = {}
    for entry in entries:
        name = entry.cells.get("dataset")
        if name is None:
            continue
        if name in first:
            found = f"{_shown(name)} again, as at {first[name].place.at('dataset')}"
            yield _problem(entry.place.at("dataset"), found, "each name once")
        first.setdefault(name, entry)


def _read_dataset(
    entry: _Entry, settings: dict[str, Any], registry: Registry, root: _Place
) -> tuple[Dataset, list[str]]:
    """Find the parameters of a dataset and check them against its kind."""
    cells = entry.cells
    name, kind = cells.get("dataset", ""), cells.get("kind")
    parameters = cells.get("parameters", name)
    place = entry.place.at("parameters")
    problems: list[str] = []
    if isinstance(parameters, str) and parameters:
        problems += _undefined(place, parameters, settings, "ground_truth")
        place = root.at("ground_truth", parameters)
        parameters = _mapping(settings.get("ground_truth")).get(parameters)
    kinds = registry.contents(_CONFIG_SCHEMA)["$defs"]["kinds"]["properties"]
    if isinstance(kind, str) and kind not in kinds:
        problems.append(_unknown_name(entry.place.at("kind"), kind, kinds, "a kind of dataset"))
    elif isinstance(kind, str) and isinstance(parameters, dict):
        schema = f"{_CONFIG_SCHEMA}#/$defs/kinds/properties/{kind}"
        problems += _schema_problems(parameters, schema, registry, place)
        problems += _probe_problems(parameters, place)
        problems += _reader_problems(parameters, place)
        problems += _path_problems(parameters, place, settings)
    dataset = Dataset(name, str(kind), _mapping(parameters), str(cells.get("description", "")))
    return dataset, problems


def _probe_problems(parameters: dict[str, Any], place: _Place) -> Iterator[str]:
    """Check that a probe exists and has as many contacts as asked for."""
    probe, channels = parameters.get("probe"), parameters.get("channels")
    if not isinstance(probe, str):
        return
    from probeinterface import neuropixels_tools

    try:
        contacts = neuropixels_tools.build_neuropixels_probe(probe).get_contact_count()
    except KeyError:
        known = neuropixels_tools._load_np_probe_features()["neuropixels_probes"]
        yield _unknown_name(place.at("probe"), probe, known, "the part number of a probe")
        return
    if isinstance(channels, int) and channels > contacts:
        yield _problem(place.at("channels"), _shown(channels), f"at most {contacts} on {probe}")


def _reader_problems(parameters: dict[str, Any], place: _Place) -> Iterator[str]:
    """Check that the reader of a recording exists and takes its arguments."""
    reader = parameters.get("reader")
    if not isinstance(reader, str):
        return
    readers = _recording_readers()
    if reader not in readers:
        yield _unknown_name(place.at("reader"), reader, readers, "a reader of recordings")
        return
    arguments = _mapping(parameters.get("arguments"))
    yield from _argument_problems(readers[reader], arguments, place.at("arguments"), {})


def _recording_readers() -> dict[str, Callable[..., Any]]:
    """Return the functions of SpikeInterface that read a recording, by name."""
    from spikeinterface import extractors, load

    others = [
        *extractors.sorting_extractor_full_dict.values(),
        *extractors.event_extractor_full_dict.values(),
        *extractors.snippets_extractor_full_dict.values(),
    ]
    readers = {
        name: function
        for name, function in vars(extractors).items()
        if name.startswith("read_") and function not in others
    }
    return readers | {"load": load}


def _path_problems(
    parameters: dict[str, Any], place: _Place, settings: dict[str, Any]
) -> Iterator[str]:
    """Check that a recording's paths exist, or stay within the source they belong to."""
    source = parameters.get("source")
    if isinstance(source, str):
        yield from _undefined(place.at("source"), source, settings, "sources")
    for key in ("path", "training_path"):
        path = parameters.get(key)
        if not isinstance(path, str) or not path:
            continue
        if source is None:
            if not Path(path).exists():
                yield _problem(
                    place.at(key),
                    f"{_shown(path)}, which does not exist",
                    f"a file or folder that exists (a relative path starts from {Path.cwd()})",
                )
        elif PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            yield _problem(
                place.at(key), _shown(path), "a relative path without `..`, within the source"
            )
