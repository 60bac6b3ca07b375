"""Recordings that the tests of the artifact checks share."""

import numpy as np
import pytest
from probeinterface.neuropixels_tools import build_neuropixels_probe

from example_ground_truth import synthetic
from fixtures import recording_of


@pytest.fixture(scope="module")
def truth():
    return synthetic()


@pytest.fixture(scope="module")
def many_shanks():
    """120 channels of one shank and 30 of another, in no order, with a gain and an offset."""
    probe = build_neuropixels_probe("NP2014")
    first, second = (np.flatnonzero(probe.shank_ids == shank) for shank in ("1", "3"))
    chosen = np.random.default_rng(4).permutation(np.r_[first[:120], second[:30]])
    wired = probe.get_slice(chosen)
    wired.set_device_channel_indices(np.random.default_rng(5).permutation(150))
    traces = np.random.default_rng(6).integers(-500, 500, size=(1000, 150)).astype(np.int16)
    recording = recording_of(traces, probe=wired)
    recording.set_channel_gains(2.0)
    recording.set_channel_offsets(3.0)
    return recording
