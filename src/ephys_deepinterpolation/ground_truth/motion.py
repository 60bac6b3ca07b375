"""How tissue moves along the probe."""

from dataclasses import dataclass

import numpy as np
from spikeinterface.generation.drifting_generator import make_one_displacement_vector

from ephys_deepinterpolation.seeds import derive_seed

_SAMPLES_PER_S = 5.0
_MODES = {"zigzag": "zigzag", "jumps": "bump", "random_walk": "random_walk"}


@dataclass(frozen=True)
class Motion:
    """One movement of the tissue; several add up.

    Attributes
    ----------
    shape : str
        `zigzag`, to and fro at a constant speed; `jumps`, to and fro within a fifth of a second;
        `random_walk`.
    amplitude_um : float
        From the lowest to the highest displacement.
    start_s : float
        When it begins.
    period_s : float
        Of a zigzag.
    interval_s : tuple of float
        Shortest and longest time between jumps.
    non_rigid : float
        How much less the tissue at the deepest contact moves than that at the highest: 0 the same,
        1 not at all.
    """

    shape: str
    amplitude_um: float
    start_s: float = 0.0
    period_s: float = 60.0
    interval_s: tuple[float, float] = (30.0, 90.0)
    non_rigid: float = 0.0


def displacements(
    motions: list[Motion],
    times_s: np.ndarray,
    heights: np.ndarray,
    duration_s: float,
    seed: int,
) -> np.ndarray:
    """Displacement along the probe at given times and depths.

    Parameters
    ----------
    motions : list of Motion
    times_s : array (spikes,)
    heights : array (spikes,)
        0 at the deepest contact, 1 at the highest.
    duration_s : float
        Of the recording.
    seed : int

    Returns
    -------
    array (spikes,)
        µm, positive towards the highest contact.
    """
    total = np.zeros(len(times_s))
    for index, motion in enumerate(motions):
        if motion.start_s >= duration_s:
            continue
        # A second more than the recording, so that its last frames are covered.
        course = make_one_displacement_vector(
            drift_mode=_MODES[motion.shape],
            duration=duration_s + 1.0,
            amplitude_factor=motion.amplitude_um,
            displacement_sampling_frequency=_SAMPLES_PER_S,
            t_start_drift=motion.start_s,
            period_s=motion.period_s,
            bump_interval_s=motion.interval_s,
            seed=derive_seed(seed, index),
        )
        moved = np.interp(times_s, np.arange(len(course)) / _SAMPLES_PER_S, course)
        total += moved * (1 - motion.non_rigid * (1 - np.clip(heights, 0, 1)))
    return total
