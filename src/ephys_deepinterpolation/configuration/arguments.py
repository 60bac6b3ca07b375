"""Arguments that a configuration hands to a function, checked against its signature."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from ephys_deepinterpolation.configuration.problems import Place, problem, unknown_key

# Keyword arguments of a SpikeInterface step that it passes on to another step.
_FORWARDED_ARGUMENTS = {"filter_kwargs": "filter"}


def argument_problems(
    function: Callable[..., Any],
    given: dict[str, Any],
    place: Place,
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
            yield unknown_key(place, name, [key for key in known if not key.startswith("_")])
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in given:
            yield problem(place.at(name), "nothing", f"a value ({function.__name__} needs it)")
