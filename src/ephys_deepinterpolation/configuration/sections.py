"""What the values of a section ask of each other, and of SpikeInterface."""

import inspect
import warnings
from collections.abc import Iterator
from typing import Any

from ephys_deepinterpolation.configuration.arguments import argument_problems
from ephys_deepinterpolation.configuration.problems import (
    Place,
    mapping,
    problem,
    shown,
    texts,
    undefined,
    unknown_key,
    unknown_name,
)
from ephys_deepinterpolation.offers import DENOISERS, SORTERS, OfferError, offers, take_offer

DENOISING_STEP = "deepinterpolate"
ORACLE_STEP = "oracle"
# By kind of dataset: see `datasets.known_parts`.
POSSIBLE_PARTS = {
    *("units", "background"),
    *("independent", "correlated", "coloured", "band_limited", "common_mode", "line"),
    *("uncorrelated", "distance-correlated", "far-neurons"),
    *("surrogate", "host"),
}


def study_problems(settings: dict[str, Any], root: Place) -> Iterator[str]:
    """Check the conditions that the section `study` names."""
    study = mapping(settings.get("study"))
    place = root.at("study")
    for index, name in texts(study.get("conditions")):
        yield from undefined(place.at("conditions", index), name, settings, "conditions")
    reference, conditions = study.get("reference"), study.get("conditions")
    if not isinstance(reference, str) or not isinstance(conditions, list):
        return
    if reference not in conditions:
        names = {name for _, name in texts(conditions)}
        yield unknown_name(
            place.at("reference"), reference, names, "one of the conditions of the study"
        )
    steps = _step_names(mapping(settings.get("conditions")).get(reference))
    for step in (DENOISING_STEP, ORACLE_STEP):
        if step in steps:
            found = f"{shown(reference)}, which holds a step {step}"
            yield problem(place.at("reference"), found, "a condition without denoising")


def _step_names(pipeline: Any) -> list[str]:
    steps = pipeline if isinstance(pipeline, list) else []
    return [name for step in steps if isinstance(name := mapping(step).get("name"), str)]


def steps_before_denoising(pipeline: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cut a pipeline off at its denoising step."""
    names = [step["name"] for step in pipeline]
    return pipeline[: names.index(DENOISING_STEP)]


def keeps_traces(pipeline: list[dict[str, Any]]) -> bool:
    """Whether what a pipeline gives is written as traces: to run its steps again takes long."""
    slow = {DENOISING_STEP, ORACLE_STEP, "low_rank", *offers(DENOISERS)}
    return not slow.isdisjoint(_step_names(pipeline))


def parts_needed(pipeline: list[dict[str, Any]]) -> set[str] | None:
    """Name the parts of a recording that an oracle's shares speak of, None without an oracle."""
    for step in pipeline:
        if step["name"] == ORACLE_STEP:
            return set(mapping(mapping(step.get("params")).get("shares")))
    return None


def source_problems(settings: dict[str, Any], root: Place) -> Iterator[str]:
    """Check that a source is one thing, and has the keys of that thing only."""
    for name, source in mapping(settings.get("sources")).items():
        source, place = mapping(source), root.at("sources", name)
        url = source.get("url")
        if ("package" in source) == ("url" in source):
            found = "both package and url" if url else "neither package nor url"
            yield problem(place, found, "one of the two")
            continue
        if url is None and source.get("sha256", "") is None:
            yield problem(place.at("sha256"), "null", "the hash of the wheel")
        in_bucket = isinstance(url, str) and url.startswith("s3://")
        for key in ("endpoint", "unsigned"):
            if key in source and not in_bucket:
                yield problem(place.at(key), shown(source[key]), "only beside a url s3://...")
        if source.get("unpack") and (url is None or str(url).endswith("/")):
            yield problem(place.at("unpack"), "true", "only beside the url of one file")


def condition_problems(settings: dict[str, Any], root: Place) -> Iterator[str]:
    """Check the steps of every condition and their arguments."""
    for condition, pipeline in mapping(settings.get("conditions")).items():
        place = root.at("conditions", condition)
        denoising_steps = _step_names(pipeline).count(DENOISING_STEP)
        if denoising_steps > 1:
            yield problem(place, f"{denoising_steps} steps {DENOISING_STEP}", "at most one")
        for index, step in enumerate(pipeline if isinstance(pipeline, list) else []):
            yield from _step_problems(mapping(step), place.at(index), settings)
        yield from _order_problems(_step_names(pipeline), place)
        if ORACLE_STEP in _step_names(pipeline):
            yield from _share_problems(pipeline, place)


def _share_problems(pipeline: list[Any], place: Place) -> Iterator[str]:
    """Check that an oracle's shares are of parts that a kind of dataset can have."""
    for index, step in enumerate(pipeline):
        shares = mapping(mapping(mapping(step).get("params")).get("shares"))
        for part in shares if mapping(step).get("name") == ORACLE_STEP else ():
            if part not in POSSIBLE_PARTS:
                yield unknown_key(place.at(index, "params", "shares"), part, POSSIBLE_PARTS)


def _order_problems(names: list[str], place: Place) -> Iterator[str]:
    """Check what steps ask of those around them."""
    if ORACLE_STEP in names[1:] or (ORACLE_STEP in names and DENOISING_STEP in names):
        found = f"{ORACLE_STEP} beside {', '.join(name for name in names if name != ORACLE_STEP)}"
        yield problem(
            place,
            found,
            f"it as the first step only, without {DENOISING_STEP}: it undoes noise "
            "that nothing has been done to",
        )
    whitened = 0
    for index, name in enumerate(names):
        whitened += {"whiten": 1, "unwhiten": -1}.get(name, 0)
        if whitened < 0:
            yield problem(
                place.at(index), "unwhiten with nothing to undo", "one after each step whiten"
            )
            return


def _step_problems(step: dict[str, Any], place: Place, settings: dict[str, Any]) -> Iterator[str]:
    from spikeinterface.preprocessing.pipeline import pp_names_to_functions

    import ephys_deepinterpolation.denoisers  # noqa: F401  (its steps)

    name, params = step.get("name"), mapping(step.get("params"))
    if not isinstance(name, str):
        return
    try:
        take_offer(DENOISERS, name, pp_names_to_functions)
    except OfferError as error:
        yield problem(place.at("name"), f"{shown(name)}, {error}", "a step of one package")
        return
    if name == DENOISING_STEP:
        if isinstance(model := params.get("model"), str):
            yield from undefined(place.at("params", "model"), model, settings, "models")
    elif name == ORACLE_STEP:
        # Its arguments stand in the schema; the parts are the dataset's.
        return
    elif name in pp_names_to_functions:
        yield from argument_problems(
            pp_names_to_functions[name], params, place.at("params"), pp_names_to_functions
        )
    else:
        known = {*pp_names_to_functions, *offers(DENOISERS), DENOISING_STEP}
        yield unknown_name(place.at("name"), name, known, "a preprocessing step")


def sorter_problems(settings: dict[str, Any], root: Place) -> Iterator[str]:
    """Check the sorters of the study, their modes and the names of their parameters."""
    for index, name in texts(mapping(settings.get("study")).get("sorters")):
        yield from undefined(root.at("study", "sorters", index), name, settings, "sorters")
    for name, entry in mapping(settings.get("sorters")).items():
        yield from _sorter_problems(name, mapping(entry), root.at("sorters", name))


def _sorter_problems(name: str, entry: dict[str, Any], place: Place) -> Iterator[str]:
    from spikeinterface.sorters import run_sorter, sorter_dict

    from ephys_deepinterpolation.sortings.modes import NO_PREPROCESSING

    sorter = entry.get("sorter", name)
    if not isinstance(sorter, str):
        return
    here = place.at("sorter") if "sorter" in entry else place
    try:
        take_offer(SORTERS, sorter, sorter_dict)
    except OfferError as error:
        yield problem(here, f"{shown(sorter)}, {error}", "a sorter of one package")
        return
    if sorter not in sorter_dict:
        known_sorters = {*sorter_dict, *offers(SORTERS)}
        yield unknown_name(here, sorter, known_sorters, "a sorter of SpikeInterface")
        return
    parameters = mapping(entry.get("parameters"))
    known = _sorter_parameters(sorter)
    # Such as `docker_image`: what runs a sorter is no parameter of it.
    not_its_own = inspect.signature(run_sorter).parameters
    for parameter in parameters:
        if parameter in not_its_own or (known is not None and parameter not in known):
            yield unknown_key(place.at("parameters"), parameter, known or ())
    if entry.get("mode") == "no-preprocessing":
        if sorter not in NO_PREPROCESSING:
            allowed = f"default for {sorter}, whose own preprocessing cannot be turned off here"
            yield problem(place.at("mode"), '"no-preprocessing"', allowed)
        for parameter in NO_PREPROCESSING.get(sorter, {}):
            if parameter in parameters:
                found = shown(parameters[parameter])
                allowed = "nothing in mode no-preprocessing, which sets it"
                yield problem(place.at("parameters", parameter), found, allowed)
    if entry.get("container") is not None and entry.get("environment") is not None:
        yield problem(place.at("environment"), shown(entry["environment"]), "null in a container")


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
