"""Versions to be written beside results."""

from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

import ephys_deepinterpolation


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Give the versions of packages, of those that the environment of a job has.

    This project's own is found where it runs from and need not be installed.
    """
    found = {}
    for name in packages:
        with suppress(PackageNotFoundError):
            own = name == "ephys-deepinterpolation"
            found[name] = ephys_deepinterpolation.__version__ if own else version(name)
    return found
