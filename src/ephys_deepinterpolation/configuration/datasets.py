"""The datasets of a study: rows of a table, or entries of the configuration itself."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from referencing import Registry

from ephys_deepinterpolation.configuration.arguments import argument_problems
from ephys_deepinterpolation.configuration.mearec import simulation_problems
from ephys_deepinterpolation.configuration.paired import paired_problems
from ephys_deepinterpolation.configuration.problems import (
    Place,
    brace_problems,
    did_you_mean,
    mapping,
    problem,
    shown,
    texts,
    undefined,
    unknown_name,
)
from ephys_deepinterpolation.configuration.schemas import (
    ROW_SCHEMA,
    kinds_of_datasets,
    schema_of_kind,
    schema_problems,
)
from ephys_deepinterpolation.strangers import load, read_zarr, refusal_of

# Probes of `ground_truth.probes` without a part number, and the contacts of those that have few.
_GENERIC_PROBES = {"tetrode": 4, "linear": None, "planar": None}


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
    conditions : tuple of str
        Those of the study that it goes through, all of them when empty.
    environment : str
        In which conda makes or reads it.
    """

    name: str
    kind: str
    parameters: dict[str, Any]
    description: str = ""
    conditions: tuple[str, ...] = ()
    environment: str = "generation"


# Parts of the noise that hold spikes of their own: a real host, MEArec's many small neurons.
NOISE_WITH_SPIKES = frozenset({"host", "far-neurons"})


def known_parts(dataset: Dataset) -> frozenset[str]:
    """Name the parts that `GroundTruth.parts` will know of a dataset, none where it knows none."""
    parameters = dataset.parameters
    if dataset.kind == "synthetic":
        background = {"background"} if parameters["background"]["number"] else set()
        return frozenset({"units", *background, *parameters["noise"]})
    if dataset.kind == "mearec" and "simulation" in parameters:
        return frozenset({"units", parameters["simulation"]["noise"]["mode"]})
    # What a real recording is without the spikes put into it.
    rest = {"surrogate": "surrogate", "hybrid": "host"}
    return frozenset({"units", rest[dataset.kind]} if dataset.kind in rest else ())


@dataclass(frozen=True)
class Entry:
    """A dataset as written: its place and its cells by column."""

    place: Place
    cells: dict[str, Any]


def read_entries(
    settings: dict[str, Any], registry: Registry, root: Place
) -> tuple[list[Entry], list[str]]:
    """Read the datasets from the configuration itself or from the table it names."""
    datasets = mapping(settings.get("study")).get("datasets")
    place = root.at("study", "datasets")
    if isinstance(datasets, dict):
        entries = [
            Entry(place.at(name), {"dataset": name} | cells)
            for name, cells in datasets.items()
            if isinstance(name, str) and isinstance(cells, dict)
        ]
        return entries, []
    if not isinstance(datasets, str) or not datasets:
        return [], []
    try:
        text = Path(datasets).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        found = f"{shown(datasets)}, which does not exist in {Path.cwd()}"
        return [], [problem(place, found, "the path of a table of datasets")]
    except (OSError, UnicodeDecodeError) as error:
        found = f"{shown(datasets)}, which cannot be read ({error})"
        return [], [problem(place, found, "the path of a table of datasets in UTF-8")]
    return _read_table(datasets, text.split("\n"), registry)


def _read_table(table: str, lines: list[str], registry: Registry) -> tuple[list[Entry], list[str]]:
    """Read the rows of a tab-separated table; without a valid header there are none."""
    rows = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if len(rows) < 2:
        found = "no row below the header" if rows else "an empty file"
        return [], [f"{table}: found {found}; allowed: a header and at least one dataset."]
    header_line, columns = rows[0][0], _cells(rows[0][1])
    header = Place(f"{table}, line {header_line}, column ")
    problems = list(_header_problems(columns, registry.contents(ROW_SCHEMA), header))
    if problems:
        return [], problems
    entries = []
    for number, line in rows[1:]:
        place = Place(f"{table}, line {number}, column ")
        cells = _cells(line)
        if len(cells) > len(columns):
            problems.append(
                f"{table}, line {number}: found {len(cells)} cells; "
                f"allowed: one for each of the {len(columns)} columns of the header."
            )
            continue
        row = {column: cell for column, cell in zip(columns, cells, strict=False) if cell}
        problems += schema_problems(row, ROW_SCHEMA, registry, place)
        entries.append(Entry(place, row))
    return entries, problems + list(_repeated_datasets(entries))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("\t")]


def _header_problems(columns: list[str], schema: dict[str, Any], place: Place) -> Iterator[str]:
    known = schema["properties"]
    allowed = f"{', '.join(known)}, separated by tabs"
    for column, times in Counter(columns).items():
        if column not in known:
            found = "an unknown column"
            yield problem(place.at(shown(column)), found, allowed + did_you_mean(column, known))
        elif times > 1:
            yield problem(place.at(column), f"it {times} times", "each column once")
    for column in schema["required"]:
        if column not in columns:
            yield problem(place.at(column), "nothing", allowed)


def _repeated_datasets(entries: list[Entry]) -> Iterator[str]:
    first: dict[str, Entry] = {}
    for entry in entries:
        name = entry.cells.get("dataset")
        if name is None:
            continue
        if name in first:
            found = f"{shown(name)} again, as at {first[name].place.at('dataset')}"
            yield problem(entry.place.at("dataset"), found, "each name once")
        first.setdefault(name, entry)


def read_dataset(
    entry: Entry, settings: dict[str, Any], registry: Registry, root: Place
) -> tuple[Dataset, list[str]]:
    """Find the parameters of a dataset and check them against its kind."""
    cells = entry.cells
    name, kind = cells.get("dataset", ""), cells.get("kind")
    parameters = cells.get("parameters", name)
    place = entry.place.at("parameters")
    problems: list[str] = []
    if isinstance(parameters, str) and parameters:
        problems += undefined(place, parameters, settings, "ground_truth")
        place = root.at("ground_truth", parameters)
        parameters = mapping(settings.get("ground_truth")).get(parameters)
    kinds = kinds_of_datasets(registry)
    if isinstance(kind, str) and kind not in kinds:
        problems.append(unknown_name(entry.place.at("kind"), kind, kinds, "a kind of dataset"))
    elif isinstance(kind, str) and isinstance(parameters, dict):
        problems += schema_problems(parameters, schema_of_kind(kind), registry, place)
        for values, where in _with_nested(parameters, place):
            generic = _GENERIC_PROBES if kind in ("synthetic", "paired") else {}
            problems += _probe_problems(values, where, generic)
            problems += _reader_problems(values, where)
            problems += _path_problems(values, where, settings)
        if kind == "mearec":
            problems += simulation_problems(parameters, place)
        if kind == "paired":
            problems += paired_problems(parameters, place)
    conditions, condition_problems = _conditions_of(entry, settings)
    problems += condition_problems
    dataset = Dataset(
        name,
        str(kind),
        mapping(parameters),
        str(cells.get("description", "")),
        conditions,
        str(cells.get("environment", "generation")),
    )
    return dataset, problems


def _conditions_of(entry: Entry, settings: dict[str, Any]) -> tuple[tuple[str, ...], list[str]]:
    """Read which conditions of the study a dataset goes through; the reference is among them."""
    given = entry.cells.get("conditions", [])
    names = [name.strip() for name in given.split(",")] if isinstance(given, str) else given
    study = mapping(settings.get("study"))
    known = [name for _, name in texts(study.get("conditions"))]
    place = entry.place.at("conditions")
    problems = [
        unknown_name(place, name, known, "one of the conditions of the study")
        for _, name in texts(names)
        if name not in known
    ]
    reference = study.get("reference")
    if names and reference in known and reference not in names:
        problems.append(problem(place, shown(", ".join(names)), f"a list with {shown(reference)}"))
    return tuple(name for _, name in texts(names)), problems


def _with_nested(
    parameters: dict[str, Any], place: Place
) -> Iterator[tuple[dict[str, Any], Place]]:
    """Yield a mapping and those within it, such as a host or a donor; not a reader's arguments."""
    yield parameters, place
    for key, value in parameters.items():
        if isinstance(value, dict) and key != "arguments":
            yield from _with_nested(value, place.at(key))


def _probe_problems(
    parameters: dict[str, Any], place: Place, generic: dict[str, int | None]
) -> Iterator[str]:
    """Check that a probe exists and has as many contacts as asked for."""
    probe, channels = parameters.get("probe"), parameters.get("channels")
    if not isinstance(probe, str):
        return
    from probeinterface import neuropixels_tools

    contacts = generic.get(probe)
    if probe not in generic:
        try:
            contacts = neuropixels_tools.build_neuropixels_probe(probe).get_contact_count()
        except KeyError:
            parts = neuropixels_tools._load_np_probe_features()["neuropixels_probes"]
            known = [*generic, *parts]
            yield unknown_name(place.at("probe"), probe, known, "the part number of a probe")
            return
    number = len(channels) if isinstance(channels, list) else channels
    if isinstance(number, int) and contacts is not None and number > contacts:
        yield problem(place.at("channels"), shown(channels), f"at most {contacts} on {probe}")


def _reader_problems(parameters: dict[str, Any], place: Place) -> Iterator[str]:
    """Check that the reader of a recording exists, runs no code and takes its arguments."""
    for key in ("reader", "sorting_reader"):
        name = parameters.get(key)
        if isinstance(name, str) and (reason := refusal_of(name)):
            yield problem(place.at(key), shown(name), f"no reader that {reason}")
            return
    reader = parameters.get("reader")
    if not isinstance(reader, str):
        return
    readers = _recording_readers()
    if reader not in readers:
        yield unknown_name(place.at("reader"), reader, readers, "a reader of recordings")
        return
    arguments = mapping(parameters.get("arguments"))
    yield from argument_problems(readers[reader], arguments, place.at("arguments"), {})


def _recording_readers() -> dict[str, Callable[..., Any]]:
    """Return the functions of SpikeInterface that read a recording, by name."""
    from spikeinterface import extractors

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
    return readers | {"load": load, "read_zarr": read_zarr}


def _path_problems(
    parameters: dict[str, Any], place: Place, settings: dict[str, Any]
) -> Iterator[str]:
    """Check that a recording's paths exist, or stay within the source they belong to."""
    source = parameters.get("source")
    if isinstance(source, str):
        yield from undefined(place.at("source"), source, settings, "sources")
    for key in ("path", "training_path"):
        path = parameters.get(key)
        if not isinstance(path, str) or not path:
            continue
        if source is None:
            yield from brace_problems(place.at(key), path)
            if not Path(path).exists():
                yield problem(
                    place.at(key),
                    f"{shown(path)}, which does not exist",
                    f"a file or folder that exists (a relative path starts from {Path.cwd()})",
                )
        elif PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            yield problem(
                place.at(key), shown(path), "a relative path without `..`, within the source"
            )
