"""Recipes of models: which ways there are to come by one, and what each way asks for."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from ephys_deepinterpolation.configuration.problems import (
    Place,
    brace_problems,
    mapping,
    problem,
    shown,
    undefined,
    unknown_key,
    unknown_name,
)

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


def _file_problems(path: str, place: Place) -> Iterator[str]:
    yield from brace_problems(place, path)
    if "://" in path:
        yield problem(place, f"{shown(path)}, an address", "the path of a model file on this disk")
    elif not Path(path).is_file():
        found = f"{shown(path)}, which does not exist in {Path.cwd()}"
        yield problem(place, found, "the path of a model file")


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
