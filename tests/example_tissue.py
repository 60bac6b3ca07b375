"""Noise that stands for that of real tissue."""

import numpy as np
from scipy.ndimage import gaussian_filter1d

from example_ground_truth import FREQUENCY

CHANNELS = 16


def tissue(seed, seconds):
    """Noise in µV with slow waves that all channels share, and what neighbours share."""
    random = np.random.default_rng(seed)
    frames = round(seconds * FREQUENCY)
    slow = gaussian_filter1d(random.normal(size=(frames, 1)), 40.0, axis=0)
    near = gaussian_filter1d(random.normal(size=(frames, CHANNELS)), 2.0, axis=1)
    near = gaussian_filter1d(near, 1.5, axis=0)
    own = random.normal(size=(frames, CHANNELS)) * np.linspace(4, 8, CHANNELS)
    return (60 * slow / slow.std() + 12 * near / near.std() + own).astype(np.float32)
