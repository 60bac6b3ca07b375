"""Puts this folder on the path, for modules that tests share; shares servers and trained models."""

import pytest
import spikeinterface as si

from fixtures import integer_recording, train
from hub_server import hub  # noqa: F401
from servers import bucket, line, s3_port, web  # noqa: F401


@pytest.fixture(scope="session")
def recording(tmp_path_factory):
    """Two segments of 16-bit integers on disk, with one silent channel."""
    folder = tmp_path_factory.mktemp("ground_truth") / "recording"
    integer_recording([12_000, 8_000], seed=1).save(folder=folder, progress_bar=False)
    return si.load(folder)


@pytest.fixture(scope="session")
def trained(recording):
    """A model trained on `recording`, not saved."""
    return train(recording)


@pytest.fixture(scope="session")
def model(trained, tmp_path_factory):
    """The model trained on `recording`, saved."""
    return trained.save(tmp_path_factory.mktemp("models") / "model.safetensors")
