"""Recipes of models: which ways there are to come by one, and what each way asks for."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from ephys_deepinterpolation.addresses import (
    AddressError,
    hub_address,
    is_hub_address,
    without_secrets,
)
from ephys_deepinterpolation.configuration.problems import (
    Place,
    brace_problems,
    did_you_mean,
    mapping,
    problem,
    shown,
    undefined,
    unknown_key,
    unknown_name,
)
from ephys_deepinterpolation.pretrained import packaged_models

_DATA = ("train_on", "training_s")
_OPTIMISER = ("max_steps", "batch_size", "learning_rate")
# Way: the keys it needs, and those it may have.
_WAYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "pretrained": (("pretrained",), ()),
    "fine_tune": (("fine_tune", *_OPTIMISER), _DATA),
    "linear": (("network", "context_ms"), ("omission_ms", *_DATA)),
    "scratch": (("network", "context_ms", *_OPTIMISER), ("omission_ms", *_DATA)),
}
_NETWORKS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "compact": (("width", "depth"), ("rows",)),
    "unet": (("width", "depth"), ()),
    "linear": ((), ("rows", "own_channel")),
}
_LEGACY_SUFFIXES = (".h5", ".hdf5")


def model_problems(
    settings: dict[str, Any], datasets: Collection[str], root: Place
) -> Iterator[str]:
    """Check that each recipe is of one way, and what it refers to.

    Parameters
    ----------
    settings : dict
        The configuration.
    datasets : collection of str
        Of the study.
    root : Place
    """
    models = mapping(settings.get("models"))
    for name, model in models.items():
        recipe, place = mapping(model), root.at("models", name)
        yield from _key_problems(recipe, _WAYS[_way_of(recipe)], place)
        if "network" in recipe:
            yield from _network_problems(mapping(recipe["network"]), place.at("network"))
        if isinstance(path := recipe.get("pretrained"), str):
            yield from _file_problems(path, place.at("pretrained"))
        if isinstance(base := recipe.get("fine_tune"), str):
            yield from undefined(place.at("fine_tune"), base, settings, "models")
            yield from _chain_problems(name, models, place.at("fine_tune"))
        for other in training_datasets(recipe):
            if isinstance(other, str) and datasets and other not in datasets:
                yield unknown_name(place.at("train_on"), other, datasets, "a dataset of the study")


def training_datasets(recipe: dict[str, Any]) -> list[Any]:
    """List the datasets that a recipe says to train on; none where it leaves that to the use."""
    named = recipe.get("train_on", [])
    return named if isinstance(named, list) else [named]


def _way_of(recipe: dict[str, Any]) -> str:
    for way in ("pretrained", "fine_tune"):
        if way in recipe:
            return way
    return "linear" if mapping(recipe.get("network")).get("family") == "linear" else "scratch"


def _key_problems(
    given: dict[str, Any], keys: tuple[tuple[str, ...], tuple[str, ...]], place: Place
) -> Iterator[str]:
    needed, others = keys
    for key in needed:
        if key not in given:
            yield problem(
                place.at(key), "nothing", f"a value (beside {', '.join(map(str, given))})"
            )
    every = {*needed, *others}
    for key in given:
        if key not in every:
            yield unknown_key(place, key, every)


def _network_problems(network: dict[str, Any], place: Place) -> Iterator[str]:
    family = network.get("family", "compact")
    if not isinstance(family, str) or family not in _NETWORKS:
        return
    keys = {key: value for key, value in network.items() if key != "family"}
    yield from _key_problems(keys, _NETWORKS[family], place)
    if keys.get("own_channel") is True and "rows" in keys:
        yield problem(place.at("rows"), shown(keys["rows"]), "no rows beside own_channel")


def _file_problems(given: str, place: Place) -> Iterator[str]:
    """Check a model that is there: in this package, on a hub, or on this disk."""
    known = packaged_models()
    if given in known:
        return
    if is_hub_address(given):
        yield from _address_problems(given, place)
        return
    yield from brace_problems(place, given)
    packaged = f"the name of one that comes with this package ({', '.join(known) or 'none'})"
    allowed = f"the path of a model file, hf://owner/name@tag, or {packaged}"
    if "://" in given:
        found = f"{shown(without_secrets(given))}, another kind of address"
        yield problem(place, found, allowed)
    elif not Path(given).is_file():
        found = f"{shown(given)}, which does not exist in {Path.cwd()}"
        yield problem(place, found, allowed + did_you_mean(given, known))


def _address_problems(address: str, place: Place) -> Iterator[str]:
    try:
        hub_address(address)
    except AddressError as error:
        yield f"{place}: {error}."


def publication_problems(settings: dict[str, Any], root: Place) -> Iterator[str]:
    """Check that what is to be published is trained, and that its repository and tag can be.

    Parameters
    ----------
    settings : dict
        The configuration.
    root : Place
    """
    models = mapping(settings.get("models"))
    for name, entry in mapping(settings.get("publish")).items():
        place, publication = root.at("publish", name), mapping(entry)
        if name not in models:
            yield from undefined(place, name, settings, "models")
        elif "pretrained" in mapping(models[name]):
            yield problem(place, "a model that is not trained here", "a recipe that trains one")
        repository, tag = publication.get("repository"), publication.get("tag")
        if isinstance(repository, str) and isinstance(tag, str):
            yield from _address_problems(f"hf://{repository}@{tag}", place)


def _chain_problems(name: str, models: dict[str, Any], place: Place) -> Iterator[str]:
    """Follow a recipe to what it starts from, which must end in one that needs no other."""
    chain = [name]
    while isinstance(base := mapping(models.get(chain[-1])).get("fine_tune"), str):
        if base in chain:
            found = " from ".join([*chain, base])
            yield problem(place, f"{found}: a circle", "a recipe that needs none of these")
            return
        chain.append(base)
    path = mapping(models.get(chain[-1])).get("pretrained")
    if len(chain) == 2 and isinstance(path, str) and path.endswith(_LEGACY_SUFFIXES):
        found = f"{shown(chain[-1])}, a model of the deepinterpolation package"
        yield problem(place, found, "a model of this project, which knows its probe")
