"""What the tests of ground truth share."""

import pytest
import spikeinterface as si

from ephys_deepinterpolation.ground_truth import load_ground_truth
from example_ground_truth import FREQUENCY, GAIN, synthetic
from fixtures import neuropixels


@pytest.fixture(scope="package")
def truth():
    """Three seconds of five units, four background units and two parts of noise."""
    return synthetic()


@pytest.fixture(scope="package")
def saved_folder(truth, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "truth"
    truth.save(folder)
    return folder


@pytest.fixture(scope="package")
def loaded(saved_folder):
    return load_ground_truth(saved_folder)


@pytest.fixture(scope="package")
def canvas():
    """Ten seconds of 16 channels whose traces do not matter; its gain is not 1."""
    recording = si.generate_recording(
        num_channels=16, sampling_frequency=FREQUENCY, durations=[10.0], set_probe=False, seed=0
    )
    recording = recording.rename_channels([f"AP{channel}" for channel in range(16)])
    recording.set_probe(neuropixels())
    recording.set_channel_gains(GAIN)
    recording.set_channel_offsets(0.0)
    return recording
