"""Figures drawn from tables alone: one file per figure, each returns a matplotlib `Figure`."""

from typing import TYPE_CHECKING

from ephys_deepinterpolation.imports import imported_when_asked

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

# Each job draws one, and few need all.
__getattr__ = imported_when_asked(__name__, _HOMES)
