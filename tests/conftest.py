"""Puts this folder on the path, for `example_tables` and `fixtures`; shares trained models."""

import pytest
import spikeinterface as si

from ephys_deepinterpolation.training import train_deepinterpolation
from fixtures import CONTEXT_MS, SMALL_NETWORK, integer_recording


@pytest.fixture(scope="session")
def recording(tmp_path_factory):
    """Two segments of 16-bit integers on disk, with one silent channel."""
    folder = tmp_path_factory.mktemp("ground_truth") / "recording"
    integer_recording([12_000, 8_000], seed=1).save(folder=folder, progress_bar=False)
    return si.load(folder)


@pytest.fixture(scope="session")
def trained(recording):
    """What training on `recording` yields."""
    return train_deepinterpolation(
        recording, network=SMALL_NETWORK, context_ms=CONTEXT_MS, max_steps=250, seed=3
    )


@pytest.fixture(scope="session")
def model(trained, tmp_path_factory):
    """The model trained on `recording`, saved."""
    return trained.model.save(tmp_path_factory.mktemp("models") / "model.safetensors")
