"""What one parameter of a paired recording asks of another."""

from collections.abc import Iterator
from typing import Any

from ephys_deepinterpolation.configuration.problems import Place, mapping, problem, shown

_PULSES = ("recording_pulses", "cell_pulses")


def paired_problems(parameters: dict[str, Any], place: Place) -> Iterator[str]:
    """Check that the spikes are known from one place, and that the clocks can be aligned."""
    ways = [key for key in ("trace", "spikes") if key in parameters]
    if len(ways) != 1:
        found = "trace and spikes" if ways else "neither trace nor spikes"
        yield problem(place, found, "either of the two, which says when the cell fires")
    spikes, alignment = parameters.get("spikes"), parameters.get("alignment")
    frequency = mapping(spikes).get("sampling_frequency_hz")
    if frequency is not None and mapping(spikes).get("unit") == "seconds":
        where = place.at("spikes", "sampling_frequency_hz")
        yield problem(where, shown(frequency), "none for spikes in seconds")
    if alignment == "length_ratio" and "trace" not in parameters:
        yield problem(
            place.at("alignment"), shown(alignment), "same_clock or sync_pulses without a trace"
        )
    for key in _PULSES:
        if alignment == "sync_pulses" and key not in parameters:
            yield problem(place.at(key), "nothing", "the channel of the pulses (sync_pulses)")
        elif alignment != "sync_pulses" and key in parameters:
            yield problem(place.at(key), "a channel", "none without alignment: sync_pulses")
    if alignment != "sync_pulses" and parameters.get("largest_offset_s") is not None:
        found = shown(parameters["largest_offset_s"])
        yield problem(place.at("largest_offset_s"), found, "none without alignment: sync_pulses")
