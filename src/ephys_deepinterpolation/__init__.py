"""DeepInterpolation for SpikeInterface, and a measure of what it does to spike sorting."""

from typing import TYPE_CHECKING

from ephys_deepinterpolation.imports import imported_when_asked

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

# Keras alone takes seconds to load.
__getattr__ = imported_when_asked(__name__, _HOMES)
