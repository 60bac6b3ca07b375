"""Recordings of real tissue: read with any reader, or refused in a sentence."""

import numpy as np
import pytest
from spikeinterface.core import NumpyRecording

from ephys_deepinterpolation.ground_truth import load_ground_truth, read_recorded
from fixtures import noise_recording


@pytest.fixture(scope="module")
def recording():
    return noise_recording(2000, seed=1)


@pytest.fixture
def folder(recording, tmp_path):
    recording.save(folder=tmp_path / "saved", progress_bar=False)
    return tmp_path / "saved"


def same(one, other):
    np.testing.assert_array_equal(one.get_traces(), other.get_traces())
    np.testing.assert_array_equal(one.get_channel_locations(), other.get_channel_locations())
    return True


@pytest.mark.parametrize("as_given", [str, lambda path: path], ids=["text", "path"])
def test_what_spikeinterface_saved_is_read_by_load(recording, folder, as_given):
    truth = read_recorded("load", as_given(folder))
    assert same(truth.recording, recording)


def test_a_reader_of_spikeinterface_reads_its_format_with_its_arguments(recording, tmp_path):
    saved = recording.save(folder=tmp_path / "saved.zarr", format="zarr", progress_bar=False)
    truth = read_recorded("read_zarr", tmp_path / "saved.zarr", arguments={"storage_options": None})
    assert same(truth.recording, saved)
    with pytest.raises(TypeError, match="no_such_argument"):
        read_recorded("read_zarr", tmp_path / "saved.zarr", arguments={"no_such_argument": 1})


def test_a_recording_without_truth_has_no_units_no_parts_and_is_not_exhaustive(folder):
    truth = read_recorded("load", folder)
    assert (truth.sorting, truth.templates, truth.units) == (None, None, None)
    assert truth.parts() == {}
    assert truth.facts["exhaustive"] is False
    assert truth.facts["kind"] == "recorded"


def test_without_a_training_path_there_is_no_training_recording(folder):
    assert read_recorded("load", folder).training_recording is None


def test_the_training_recording_is_the_one_at_its_path(recording, folder, tmp_path):
    other = noise_recording(1500, seed=2)
    other.save(folder=tmp_path / "other", progress_bar=False)
    truth = read_recorded("load", folder, training_path=tmp_path / "other")
    assert same(truth.recording, recording)
    assert same(truth.training_recording, other)


def test_what_was_read_can_be_saved_and_outlives_its_source(recording, folder, tmp_path):
    read_recorded("load", folder, training_path=folder).save(tmp_path / "truth")
    folder.rename(tmp_path / "moved")
    loaded = load_ground_truth(tmp_path / "truth")
    assert same(loaded.recording, recording)
    assert same(loaded.training_recording, recording)


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no recording at .*nowhere"):
        read_recorded("load", tmp_path / "nowhere")


def test_a_missing_training_path_is_named(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no recording at .*nowhere"):
        read_recorded("load", folder, training_path=tmp_path / "nowhere")


def test_a_recording_without_probe_is_refused_in_a_sentence(tmp_path):
    path = tmp_path / "traces.raw"
    path.write_bytes(np.zeros((1000, 4), np.int16).tobytes())
    arguments = {"sampling_frequency": 30_000.0, "dtype": "int16", "num_channels": 4}
    with pytest.raises(ValueError, match=r"traces\.raw has no probe: save it with one"):
        read_recorded("read_binary", path, arguments=arguments)


def test_a_training_recording_without_probe_is_refused_in_a_sentence(folder, tmp_path):
    bare = NumpyRecording([np.zeros((1000, 16), np.float32)], 30_000.0)
    bare.save(folder=tmp_path / "bare", progress_bar=False)
    with pytest.raises(ValueError, match="bare has no probe: save it with one"):
        read_recorded("load", folder, training_path=tmp_path / "bare")
