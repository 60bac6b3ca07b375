"""Denoisers of other packages, which offer them as entry points.

A configuration names a step, never a module or a file: only what somebody installed can run.
"""

from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from spikeinterface.preprocessing.pipeline import pp_names_to_functions

GROUP = "ephys_deepinterpolation.denoisers"


class DenoiserError(ValueError):
    """A step that an installed package offers, and that cannot be used."""


@cache
def offers() -> dict[str, tuple[EntryPoint, ...]]:
    """Give what installed packages offer, by the names of the steps. Imports none of them."""
    found = entry_points(group=GROUP)
    return {name: tuple(found.select(name=name)) for name in found.names}


def import_denoiser(name: str) -> None:
    """Make a step known to SpikeInterface's pipelines, if another package offers it.

    Raises
    ------
    DenoiserError
        The step cannot be imported, or another one has its name.
    """
    if name not in offers():
        return
    entry, *others = offers()[name]
    known = pp_names_to_functions.get(name)
    if others:
        packages = " and ".join(sorted(_package(each) for each in (entry, *others)))
        raise DenoiserError(f"a step that {packages} both offer")
    try:
        step = entry.load()
    except Exception as error:
        raise DenoiserError(
            f"a step that {_package(entry)} offers as {entry.value}, which cannot be imported "
            f"({type(error).__name__}: {error})"
        ) from error
    if known not in (None, step):
        raise DenoiserError(f"a step that is there without {_package(entry)}, which offers it too")
    pp_names_to_functions[name] = step


def offering_packages(pipeline: Iterable[dict[str, Any]]) -> list[str]:
    """Name the packages whose denoisers a pipeline holds, with their versions."""
    names = {step["name"] for step in pipeline}
    return sorted({_package(entry) for name in names for entry in offers().get(name, ())})


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.module
