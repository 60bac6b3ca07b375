"""Per-channel location and scale: estimated once, stored with the model, inverted exactly."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import median_abs_deviation

# A channel this much quieter than the median channel carries no signal worth predicting.
_SILENT_FRACTION = 0.05
# A channel of which fewer values are finite is as good as dead.
_FINITE_FRACTION = 0.5
_MOST_NAMES = 10


@dataclass(frozen=True)
class Normalization:
    """Location and scale of each channel, µV.

    Attributes
    ----------
    location, scale : numpy.ndarray of float32, shape (channels,)
    silent : numpy.ndarray of bool, shape (channels,)
        Channels that are dead, constant or hardly ever finite: shown to the network as zero, and
        never changed by it.
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
    short artifacts hardly move. Values that are not finite do not count.

    Raises
    ------
    ValueError
        Every channel is constant, or hardly ever finite.
    """
    location, scale = _location_and_scale(traces)
    if not (scale > 0).any():
        raise ValueError(
            "every channel of the recording is constant or holds values that are not finite: "
            "there is nothing to learn"
        )
    silent = scale < _SILENT_FRACTION * np.median(scale[scale > 0])
    return Normalization(
        location=location.astype(np.float32),
        scale=np.where(silent, 1.0, scale).astype(np.float32),
        silent=silent,
    )


def _location_and_scale(traces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median and robust deviation of each channel; a deviation of 0 where few values are finite."""
    finite = np.isfinite(traces)
    if finite.all():
        return np.median(traces, axis=0), median_abs_deviation(traces, axis=0, scale="normal")
    location = np.zeros(traces.shape[1], traces.dtype)
    scale = np.zeros(traces.shape[1], traces.dtype)
    for channel in np.flatnonzero(finite.mean(axis=0) > _FINITE_FRACTION):
        values = traces[finite[:, channel], channel]
        location[channel] = np.median(values)
        scale[channel] = median_abs_deviation(values, scale="normal")
    return location, scale


def silent_channels(normalization: Normalization, channel_ids: Sequence) -> str:
    """Name the channels that a normalization takes for silent, for a sentence; "" without any."""
    names = [
        str(name) for name, silent in zip(channel_ids, normalization.silent, strict=True) if silent
    ]
    others = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {others} others" if others > 0 else "")
