"""Per-channel location and scale: estimated once, stored with the model, inverted exactly."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import median_abs_deviation

# A channel this much quieter than the median channel carries no signal worth predicting.
_SILENT_FRACTION = 0.05


@dataclass(frozen=True)
class Normalization:
    """Location and scale of each channel, µV.

    Attributes
    ----------
    location, scale : numpy.ndarray of float32, shape (channels,)
    silent : numpy.ndarray of bool, shape (channels,)
        Dead or constant channels: shown to the network as zero, and never changed by it.
    """

    location: np.ndarray
    scale: np.ndarray
    silent: np.ndarray

    def apply(self, traces: np.ndarray) -> np.ndarray:
        """Normalize traces (frames, channels) in µV to unit scale, float32."""
        normalized = (traces - self.location) / self.scale
        normalized[:, self.silent] = 0
        return normalized.astype(np.float32, copy=False)

    def to_dict(self) -> dict[str, list]:
        """Plain lists, for JSON."""
        return {name: values.tolist() for name, values in vars(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, list]) -> "Normalization":
        """Read what `to_dict` gave."""
        return cls(
            location=np.array(values["location"], dtype=np.float32),
            scale=np.array(values["scale"], dtype=np.float32),
            silent=np.array(values["silent"], dtype=bool),
        )

    def invert(self, normalized: np.ndarray) -> np.ndarray:
        """Bring normalized traces (frames, channels) back to µV, float32."""
        return (normalized * self.scale + self.location).astype(np.float32, copy=False)


def estimate_normalization(traces: np.ndarray) -> Normalization:
    """Estimate the normalization from traces (frames, channels) in µV.

    Location is the median and scale the median absolute deviation over 0.6745, which spikes and
    short artifacts hardly move.

    Raises
    ------
    ValueError
        Traces hold values that are not finite, or every channel is constant.
    """
    if not np.isfinite(traces).all():
        channels = np.flatnonzero(~np.isfinite(traces).all(axis=0))
        raise ValueError(
            f"the recording holds values that are not finite on channels {channels.tolist()}: "
            "remove or interpolate these channels first"
        )
    location = np.median(traces, axis=0)
    scale = median_abs_deviation(traces, axis=0, scale="normal")
    if not (scale > 0).any():
        raise ValueError("every channel of the recording is constant: there is nothing to learn")
    silent = scale < _SILENT_FRACTION * np.median(scale[scale > 0])
    return Normalization(
        location=location.astype(np.float32),
        scale=np.where(silent, 1.0, scale).astype(np.float32),
        silent=silent,
    )
