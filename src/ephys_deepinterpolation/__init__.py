"""DeepInterpolation for SpikeInterface, and a measure of what it does to spike sorting."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ephys_deepinterpolation.assessment import Assessment, assess
    from ephys_deepinterpolation.figures.training import plot_loss
    from ephys_deepinterpolation.model import Model, ModelError, load_model
    from ephys_deepinterpolation.recording import deepinterpolate
    from ephys_deepinterpolation.training import fine_tune, train_deepinterpolation

__version__ = "0.1.0"

_HOMES = {
    "Assessment": "assessment",
    "Model": "model",
    "ModelError": "model",
    "assess": "assessment",
    "deepinterpolate": "recording",
    "fine_tune": "training",
    "load_model": "model",
    "plot_loss": "figures.training",
    "train_deepinterpolation": "training",
}

__all__ = [
    "Assessment",
    "Model",
    "ModelError",
    "assess",
    "deepinterpolate",
    "fine_tune",
    "load_model",
    "plot_loss",
    "train_deepinterpolation",
]


def __getattr__(name: str) -> Any:
    """Import a name of the API when it is first asked for: Keras alone takes seconds to load."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
