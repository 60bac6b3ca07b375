"""A model as a recipe of the configuration describes it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spikeinterface.core import BaseRecording

from ephys_deepinterpolation.model import Model
from ephys_deepinterpolation.network import network_parameters
from ephys_deepinterpolation.training import fine_tune, train_deepinterpolation


def follow_recipe(
    recipe: dict[str, Any],
    recordings: BaseRecording | Sequence[BaseRecording],
    base: Model | None,
    seed: int,
    checkpoint: Path | str | None = None,
) -> Model:
    """Train a model from scratch, or from a base.

    Parameters
    ----------
    recipe : dict
        An entry of the section `models`, which is checked: `network` as plain values, and arguments
        of `train_deepinterpolation`, or with `fine_tune` of that. `train_on` and `fine_tune` say
        where recordings and base come from.
    recordings : BaseRecording or sequence of them
        To train on, preprocessed.
    base : Model or None
        Where the recipe fine-tunes.
    seed : int
    checkpoint : path, optional
        To go on from, see `train_deepinterpolation`.
    """
    options = {
        key: recipe[key] for key in recipe if key not in ("network", "train_on", "fine_tune")
    }
    options |= {"seed": seed, "checkpoint": checkpoint, "progress": False}
    if base is not None:
        return fine_tune(base, recordings, **options)
    network = network_parameters(recipe["network"])
    return train_deepinterpolation(recordings, network=network, **options)
