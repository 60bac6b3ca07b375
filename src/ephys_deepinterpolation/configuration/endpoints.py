"""What the section `endpoints` asks beyond its schema."""

from collections.abc import Iterator
from typing import Any

from ephys_deepinterpolation.configuration.problems import Place, mapping, problem, shown
from ephys_deepinterpolation.statistics.effects import ALL
from ephys_deepinterpolation.statistics.endpoints import MEASURES


def endpoint_problems(settings: dict[str, Any], root: Place) -> Iterator[str]:
    """Check that an endpoint holds the keys of its measure, and that `all` is no dataset's name."""
    for name, endpoint in mapping(settings.get("endpoints")).items():
        endpoint, place = mapping(endpoint), root.at("endpoints", name)
        measure = endpoint.get("measure")
        if measure not in MEASURES:
            continue
        band = endpoint.get("peak_uv")
        if band is not None and not MEASURES[measure].of_units:
            yield problem(place.at("peak_uv"), shown(band), f"no peak_uv for {measure}")
        if isinstance(band, list) and len(band) == 2 and (band[0] is None or band[0] == band[1]):
            yield problem(place.at("peak_uv"), shown(band), "[low, high] with low < high")
        yield from _threshold_problems(measure, endpoint.get("threshold"), settings, place)
    study = mapping(settings.get("study"))
    for key in ("datasets", "sorters"):
        if isinstance(names := study.get(key), list | dict) and ALL in names:
            yield problem(root.at("study", key), shown(ALL), f"any other name: {ALL} means all")


def _threshold_problems(
    measure: str, threshold: Any, settings: dict[str, Any], place: Place
) -> Iterator[str]:
    place = place.at("threshold")
    if measure != "phantom_rate":
        if threshold is not None:
            yield problem(place, shown(threshold), f"no threshold for {measure}")
        return
    measured = mapping(settings.get("artifacts")).get("thresholds")
    if threshold is None:
        yield problem(place, "nothing", "the threshold of the phantom_rate")
    elif isinstance(measured, list) and threshold not in measured:
        allowed = f"one of artifacts.thresholds, {shown(measured)}"
        yield problem(place, shown(threshold), allowed)
