"""Figures drawn from tables alone: one file per figure, each returns a matplotlib `Figure`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ephys_deepinterpolation.figures.effects import plot_effects
    from ephys_deepinterpolation.figures.gain_amplitude import plot_gain_amplitude
    from ephys_deepinterpolation.figures.noise_parts import plot_noise_parts
    from ephys_deepinterpolation.figures.residual import plot_residual
    from ephys_deepinterpolation.figures.residual_covariance import plot_residual_covariance
    from ephys_deepinterpolation.figures.residual_spectra import plot_residual_spectra
    from ephys_deepinterpolation.figures.training import plot_loss, plot_training

_HOMES = {
    "plot_effects": "effects",
    "plot_gain_amplitude": "gain_amplitude",
    "plot_loss": "training",
    "plot_noise_parts": "noise_parts",
    "plot_residual": "residual",
    "plot_residual_covariance": "residual_covariance",
    "plot_residual_spectra": "residual_spectra",
    "plot_training": "training",
}

__all__ = [
    "plot_effects",
    "plot_gain_amplitude",
    "plot_loss",
    "plot_noise_parts",
    "plot_residual",
    "plot_residual_covariance",
    "plot_residual_spectra",
    "plot_training",
]


def __getattr__(name: str) -> Any:
    """Import a figure when it is first asked for: each draws one, and few need all."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
