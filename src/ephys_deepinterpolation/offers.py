"""Denoisers and sorters of other packages, which offer them as entry points.

A configuration names a step or a sorter, never a module or a file: only what somebody installed can
run.
"""

from collections.abc import Iterable, MutableMapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

# Groups of entry points.
DENOISERS = "ephys_deepinterpolation.denoisers"
SORTERS = "ephys_deepinterpolation.sorters"


class OfferError(ValueError):
    """What an installed package offers, and what cannot be used."""


@cache
def offers(group: str) -> dict[str, tuple[EntryPoint, ...]]:
    """Give what installed packages offer, by name. Imports none of it."""
    found = entry_points(group=group)
    return {name: tuple(found.select(name=name)) for name in found.names}


def take_offer(group: str, name: str, known: MutableMapping[str, Any]) -> None:
    """Add what another package offers under a name to what is known, if one does.

    Parameters
    ----------
    group : str
        `DENOISERS` or `SORTERS`.
    name : str
    known : dict of str to object
        SpikeInterface's steps, or sorters, by name.

    Raises
    ------
    OfferError
        It cannot be imported, or the name is taken.
    """
    if name not in offers(group):
        return
    entry, *others = offers(group)[name]
    if others:
        packages = " and ".join(sorted(_package(each) for each in (entry, *others)))
        raise OfferError(f"which {packages} both offer")
    try:
        offered = entry.load()
    except Exception as error:
        raise OfferError(
            f"which {_package(entry)} offers as {entry.value}, but which cannot be imported "
            f"({type(error).__name__}: {error})"
        ) from error
    if known.setdefault(name, offered) is not offered:
        raise OfferError(f"which is there without {_package(entry)}, which offers it too")


def offering_packages(pipeline: Iterable[dict[str, Any]]) -> list[str]:
    """Name the packages whose denoisers a pipeline holds, with their versions."""
    names = {step["name"] for step in pipeline}
    return sorted({_package(entry) for name in names for entry in offers(DENOISERS).get(name, ())})


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.module
