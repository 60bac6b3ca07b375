"""What each sorter does to a recording before it looks for spikes, and how that is turned off."""

from typing import Any

import numpy as np
import spikeinterface as si
from spikeinterface.preprocessing import scale

MODES = ("default", "no-preprocessing")

# By sorter, the parameters that turn off its own filter, reference, whitening and correction of
# motion, as far as they can be. A sorter that is not listed has only the mode `default`.
NO_PREPROCESSING: dict[str, dict[str, Any]] = {
    "herdingspikes": {"lowpass": False, "common_reference": "none"},
    "kilosort4": {
        "skip_kilosort_preprocessing": True,
        "do_CAR": False,
        "do_correction": False,
    },
    "lupin": {"apply_preprocessing": False},
    "mountainsort5": {"filter": False, "whiten": False},
    "simple": {"apply_preprocessing": False},
    "spykingcircus2": {
        "apply_preprocessing": False,
        "apply_whitening": False,
        "apply_motion_correction": False,
    },
    "tridesclous": {
        "freq_min": None,
        "freq_max": None,
        "common_ref_removal": False,
        # Else derived from the filter's lowest frequency.
        "nested_params": {"preprocessor": {"pad_width": 300}},
    },
    "tridesclous2": {"apply_preprocessing": False},
}
# Their thresholds count in the noise that their own whitening would have made of size 1. Without
# it Kilosort 4 takes any trace in µV for spikes, and does not end.
_COUNT_IN_NOISE = {"kilosort4", "mountainsort5"}


def parameters_of_mode(sorter: str, mode: str) -> dict[str, Any]:
    """Return the parameters that a mode sets.

    Raises
    ------
    ValueError
        For a mode that there is not, or not for this sorter.
    """
    if mode not in MODES:
        raise ValueError(f"mode {mode!r}: a sorter's mode is one of {', '.join(MODES)}")
    if mode == "default":
        return {}
    if sorter not in NO_PREPROCESSING:
        known = ", ".join(sorted(NO_PREPROCESSING))
        raise ValueError(f"{sorter} has no mode {mode}; those that have it: {known}")
    return NO_PREPROCESSING[sorter]


def recording_of_mode(
    recording: si.BaseRecording, sorter: str, mode: str, seed: int
) -> si.BaseRecording:
    """Return the recording as a sorter is given it in a mode.

    A sorter that counts in units of the noise, and in mode `no-preprocessing` no longer scales to
    them itself, is given the recording divided by one number: the median over channels of the
    noise level. The number leaves the shape of spikes, the relations between channels and the
    correlation of the noise as they are; to a recording that is whitened already it does nothing.

    Parameters
    ----------
    recording : BaseRecording
    sorter, mode : str
    seed : int
        Of the chunks that the noise level is estimated on.

    Returns
    -------
    BaseRecording
        The same, or lazily scaled, float32.
    """
    if mode == "default" or sorter not in _COUNT_IN_NOISE:
        return recording
    levels = si.get_noise_levels(
        recording, return_in_uV=False, random_slices_kwargs={"seed": seed}, progress_bar=False
    )
    level = float(np.median(levels))
    return scale(recording, gain=1 / level, dtype="float32") if level > 0 else recording
