"""Files that others made are read here, and nothing in them is run.

SpikeInterface makes an instance of whatever class a file of its own names, unpickles, and for some
formats evaluates Python. Here a file is looked at first and refused where reading it could run
something. Nothing is followed that a file says of its own provenance.
"""

import ast
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ephys_deepinterpolation.addresses import is_hub_address

# What runs code, or is no reader of a recording or sorting: name of a function or class of
# SpikeInterface, and why it is refused.
_REFUSED = {
    "read_sinaps_research_platform": "evaluates the text of its metadata as Python",
    "SinapsResearchPlatformRecordingExtractor": "evaluates the text of its metadata as Python",
    "read_shybrid_recording": "executes the file of its probe as Python",
    "SHYBRIDRecordingExtractor": "executes the file of its probe as Python",
    "read_klusta": "executes its configuration as Python",
    "KlustaSortingExtractor": "executes its configuration as Python",
    "read_tridesclous": "unpickles its catalogue",
    "TridesclousSortingExtractor": "unpickles its catalogue",
    "read_alf_sorting": "leaves its arrays to a package that unpickles them",
    "ALFSortingExtractor": "leaves its arrays to a package that unpickles them",
    "IblRecordingExtractor": "reads from a network",
    "IblSortingExtractor": "reads from a network",
    "read_kilosort_as_analyzer": "unpickles Kilosort's options",
    "OldToNewRecording": "wraps any object",
    "OldToNewSorting": "wraps any object",
    "SharedMemoryRecording": "reads the memory of other programs",
    "SharedMemorySorting": "reads the memory of other programs",
}
# SpikeInterface's own step loads a network with the code that its file may hold.
_REFUSED_MODULES = ("spikeinterface.preprocessing.deepinterpolation",)
_PACKAGES = ("spikeinterface.", "ephys_deepinterpolation.")
_ZARR_METADATA = (".zarray", ".zmetadata", "zarr.json", "attributes.json")
_TEMPLATE = "__use_yte__"
# In the names of arguments that are files or folders.
_NAMES_OF_PATHS = ("path", "file", "folder", "fname")


class UnsafeFileError(ValueError):
    """A file or an argument that would run code, or is not what it has to be."""


def refusal_of(name: str) -> str | None:
    """Say why a reader or class of SpikeInterface is not used, None where it is."""
    return _REFUSED.get(name)


def read_with(reader: str, path: Path | str, arguments: dict | None = None) -> Any:
    """Read a recording or a sorting that somebody else made.

    Parameters
    ----------
    reader : str
        `load` or the name of a function of `spikeinterface.extractors`.
    path : path
        A file or folder that exists.
    arguments : dict, optional
        Further arguments of the reader.

    Raises
    ------
    UnsafeFileError
        Reading it could run what it holds.
    """
    arguments = arguments or {}
    if reason := refusal_of(reader):
        raise UnsafeFileError(
            f"{reader} {reason}, and is not used: write {path} in another format first"
        )
    _check_arguments(arguments, reader)
    return reader_of(reader)(path, **arguments)


def reader_of(name: str) -> Callable[..., Any]:
    """Give the function that a reader's name stands for, which looks at the files before it reads.

    Raises
    ------
    UnsafeFileError
        SpikeInterface has no such reader.
    """
    own: dict[str, Callable[..., Any]] = {"load": load, "read_zarr": read_zarr}
    if name in own:
        return own[name]
    from spikeinterface import extractors

    if not name.startswith("read_") or not hasattr(extractors, name):
        raise UnsafeFileError(f"SpikeInterface has no reader called {name}")
    read = getattr(extractors, name)

    def checked(path, **arguments):
        check_files(path)
        return read(path, **arguments)

    return checked


def load(path: Path | str) -> Any:
    """Load a recording or sorting that SpikeInterface saved, as `spikeinterface.load` does.

    Parameters
    ----------
    path : path
        A folder, binary or zarr, or a JSON file; relative paths in it start from its folder.

    Raises
    ------
    UnsafeFileError
        It is a pickle, or holds one, or names something else than a recording or sorting.
    """
    from spikeinterface.core.base import BaseExtractor
    from spikeinterface.core.core_tools import make_paths_absolute

    path = Path(path)
    if path.is_dir() and (path / ".zgroup").exists():
        return read_zarr(path)
    description = _description(path)
    base = path if path.is_dir() else path.parent
    try:
        if description.get("relative_paths"):
            description = make_paths_absolute(description, base)
            description["relative_paths"] = False
        _check_description(description, path)
        check_files(base if path.is_dir() else path)
    except RecursionError:
        raise UnsafeFileError(f"{path} is nested too deeply to be a recording") from None
    return BaseExtractor.from_dict(description)


def read_zarr(path: Path | str, storage_options: None = None) -> Any:
    """Read a recording or sorting in a zarr folder on this machine's disks.

    Raises
    ------
    UnsafeFileError
        It holds pickles, or neither a recording nor a sorting.
    """
    from spikeinterface.core.zarrextractors import (
        read_zarr_recording,
        read_zarr_sorting,
        super_zarr_open,
    )

    if storage_options is not None:
        raise UnsafeFileError(f"{path} has to be on disk: leave storage_options out")
    check_files(path)
    members = super_zarr_open(path, mode="r")
    # Not the class that its attributes name.
    if "channel_ids" in members and "unit_ids" not in members:
        return read_zarr_recording(path)
    if "unit_ids" in members and "channel_ids" not in members:
        return read_zarr_sorting(path)
    raise UnsafeFileError(f"{path} holds neither a recording nor a sorting of SpikeInterface")


def check_files(path: Path | str) -> None:
    """Refuse a file or folder where a reader of SpikeInterface would run what it finds.

    Raises
    ------
    UnsafeFileError
        A pickle stands in it, or Python beyond plain values.
    """
    if "://" in str(path) or "::" in str(path):
        raise UnsafeFileError(f"{path} is an address, not a file: fetch it as a source first")
    path = Path(path)
    if path.suffix in (".pkl", ".pickle"):
        raise UnsafeFileError(
            f"{path} is a pickle, which runs code when it is read: save the recording with "
            "SpikeInterface as a folder instead"
        )
    if not path.is_dir():
        return
    if (path / "params.py").is_file():
        _check_values_of_python(path / "params.py")
    for file in sorted((path / "properties").glob("*.npy")):
        check_array(file)
    for file in _below(path, _ZARR_METADATA):
        _check_codecs(file)


def check_array(path: Path) -> None:
    """Refuse an `.npy` file that is no plain array.

    Raises
    ------
    UnsafeFileError
        It holds pickled objects, or is another kind of file.
    """
    try:
        plain = isinstance(np.load(path, allow_pickle=False), np.ndarray)
    except (OSError, ValueError, EOFError):
        plain = False
    if not plain:
        raise UnsafeFileError(
            f"{path} is not a plain array, but maybe a pickle, which runs code when it is read: "
            "save the recording again without this property"
        )


def check_configuration(path: Path | str) -> None:
    """Refuse a configuration that is more than data: a template holds Python.

    Snakemake runs the Python in a template as it reads it, before any workflow can object. To look
    at a file first: `python -m ephys_deepinterpolation.strangers study.yaml`.

    Raises
    ------
    UnsafeFileError
        It is a template, or no YAML.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        # Parsing takes long, and without these no key can have that name.
        settings = yaml.safe_load(text) if _TEMPLATE in text or "\\" in text else {}
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise UnsafeFileError(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    if isinstance(settings, dict) and _TEMPLATE in settings:
        raise UnsafeFileError(
            f"{path} is a template ({_TEMPLATE}), which runs Python when it is read: "
            "write out what it makes, without that key"
        )


def _description(path: Path) -> dict:
    """Read how SpikeInterface describes a recording or sorting that it saved."""
    names = ("si_folder.json", "cached.json")
    found = next((path / name for name in names if (path / name).is_file()), None)
    file = found if path.is_dir() else path
    check_files(file or path)
    if file is None or file.suffix != ".json":
        raise UnsafeFileError(
            f"{path} is no recording or sorting that SpikeInterface saved: a folder with "
            "si_folder.json, a zarr folder or a .json file"
        )
    try:
        description = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UnsafeFileError(f"{file} is damaged or is no JSON: {error}") from None
    kwargs = description.get("kwargs") if isinstance(description, dict) else None
    if not isinstance(kwargs, dict) or not isinstance(description.get("class"), str):
        raise UnsafeFileError(f"{file} does not describe a recording or sorting")
    return description


def _check_description(description: dict, path: Path) -> None:
    """Check each class that a description names, and the files it would read."""
    from spikeinterface.core.core_tools import is_dict_extractor

    known = _known_classes()
    nested = filter(is_dict_extractor, _mappings(description["kwargs"]))
    for entry in (description, *nested):
        if not isinstance(entry["class"], str) or entry["class"] not in known:
            raise UnsafeFileError(
                f"{path} names the class {entry['class']!r}, which is no recording or sorting that "
                "may be loaded: save it with SpikeInterface as a folder"
            )
    _check_arguments(description["kwargs"], str(path))


def _known_classes() -> set[str]:
    """Full names of the recordings and sortings of SpikeInterface and of this package."""
    # What is imported here is found below as a subclass.
    import spikeinterface.extractors
    import spikeinterface.generation
    import spikeinterface.preprocessing  # noqa: F401
    from spikeinterface.core import BaseRecording, BaseSorting

    import ephys_deepinterpolation.denoisers
    import ephys_deepinterpolation.ground_truth.mearec
    import ephys_deepinterpolation.recording  # noqa: F401

    known = set()
    bases: list[type] = [BaseRecording, BaseSorting]
    while bases:
        found = bases.pop()
        bases += found.__subclasses__()
        refused = found.__name__ in _REFUSED or found.__module__.startswith(_REFUSED_MODULES)
        if found.__module__.startswith(_PACKAGES) and not refused:
            known.add(f"{found.__module__}.{found.__name__}")
    return known


def _check_arguments(arguments: Any, where: str) -> None:
    """Check what a reader is given: its files, and a text that SpikeInterface evaluates."""
    for entry in _mappings(arguments):
        for group in _texts(entry.get("exclude_cluster_groups")):
            if not group.replace("_", "").replace("-", "").isalnum():
                raise UnsafeFileError(f"{where}: {group!r} is not the name of a group of clusters")
        if entry.get("storage_options") or is_hub_address(entry.get("model")):
            raise UnsafeFileError(f"{where}: what is read has to be on disk, not on a network")
        for name, value in entry.items():
            if any(word in name for word in _NAMES_OF_PATHS):
                for text in _texts(value):
                    check_files(text)


def _mappings(value: Any) -> Iterator[dict]:
    """Yield a mapping and all those within it, or those within a list."""
    if isinstance(value, dict):
        yield value
    for each in _members(value):
        yield from _mappings(each)


def _texts(value: Any) -> Iterator[str]:
    """Yield a text, or those within a list or mapping."""
    if isinstance(value, str):
        yield value
    for each in _members(value):
        yield from _texts(each)


def _members(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _check_values_of_python(path: Path) -> None:
    """Refuse a file of parameters, as of Phy, that holds more than names and plain values."""
    try:
        for statement in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(statement, ast.Assign) or not all(
                isinstance(target, ast.Name) for target in statement.targets
            ):
                raise ValueError(f"line {statement.lineno} is no `name = value`")
            ast.literal_eval(statement.value)
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise UnsafeFileError(
            f"{path} holds Python beyond plain values, which would be run: write values alone "
            f"({error})"
        ) from None


def _check_codecs(path: Path) -> None:
    """Refuse the metadata of a zarr or N5 array that is unpickled."""
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
        codecs = [
            str(entry.get(key)).rpartition(".")[2]
            for entry in _mappings(metadata)
            for key in ("id", "name", "type")
        ]
    except (ValueError, RecursionError) as error:
        raise UnsafeFileError(f"{path} is damaged or is no JSON: {error}") from None
    if "pickle" in codecs:
        raise UnsafeFileError(
            f"{path} describes an array of pickles, which run code when they are read: "
            "save the recording again with SpikeInterface"
        )


def _below(folder: Path, names: tuple[str, ...]) -> Iterator[Path]:
    """Find files of these names at any depth, each folder once, links followed."""
    seen = set()
    for root, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(root)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        yield from (Path(root, name) for name in names if name in files)


def _check_named_configurations(paths: list[str]) -> int:
    problems = 0
    for path in paths:
        try:
            check_configuration(path)
            print(f"{path} is no template: reading it runs nothing")
        except UnsafeFileError as error:
            print(error, file=sys.stderr)
            problems += 1
    return min(problems, 1)


if __name__ == "__main__":
    sys.exit(_check_named_configurations(sys.argv[1:]))
