"""What the keys of a MEArec simulation ask of each other."""

from collections.abc import Iterator
from typing import Any

from ephys_deepinterpolation.configuration.problems import Place, mapping, problem, shown

# Cell models that MEArec 1.11 ships.
_CELL_MODELS = {"excitatory": 4, "inhibitory": 9}


def simulation_problems(parameters: dict[str, Any], place: Place) -> Iterator[str]:
    """Check that the templates of a simulation suffice for its recording."""
    simulation, place = mapping(parameters.get("simulation")), place.at("simulation")
    templates = mapping(simulation.get("templates"))
    per_cell, minimum = templates.get("per_cell"), templates.get("minimum_peak_uv")
    for kind, models in _CELL_MODELS.items():
        number = mapping(mapping(simulation.get("units")).get(kind)).get("number")
        if isinstance(number, int) and isinstance(per_cell, int) and number > models * per_cell:
            yield problem(
                place.at("units", kind, "number"),
                shown(number),
                f"at most {models * per_cell}, for there are {models} {kind} cell models and "
                f"templates.per_cell is {per_cell}",
            )
    noise = mapping(simulation.get("noise"))
    if noise.get("mode") == "far-neurons" and isinstance(minimum, int | float) and minimum > 0:
        yield problem(
            place.at("templates", "minimum_peak_uv"), shown(minimum), "0 for noise of far-neurons"
        )
    drift, reach = simulation.get("drift"), templates.get("drift_um", 0)
    if isinstance(drift, dict) and isinstance(reach, int | float):
        if reach == 0:
            yield problem(
                place.at("templates", "drift_um"), shown(reach), "more than 0 where units drift"
            )
        amplitude = drift.get("amplitude_um")
        if isinstance(amplitude, int | float) and 0 < reach < amplitude:
            yield problem(
                place.at("drift", "amplitude_um"), shown(amplitude), f"at most drift_um, {reach}"
            )
