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
    with pytest.raises(ValueError, match=r"cannot be read with read_zarr.*no_such_argument"):
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


def test_an_excerpt_is_those_frames_of_the_recording_and_of_the_training_recording(
    recording, folder, tmp_path
):
    other = noise_recording(1500, seed=2)
    other.save(folder=tmp_path / "other", progress_bar=False)
    truth = read_recorded(
        "load", folder, training_path=tmp_path / "other", start_s=0.05, duration_s=0.1
    )
    assert same(truth.recording, recording.frame_slice(500, 1500))
    assert same(truth.training_recording, other.frame_slice(500, 1500))
    assert (truth.facts["start_s"], truth.facts["duration_s"]) == (0.05, 0.1)
    truth.save(tmp_path / "truth")
    assert same(load_ground_truth(tmp_path / "truth").recording, truth.recording)


def test_an_excerpt_without_a_length_goes_to_the_end(recording, folder):
    read = read_recorded("load", folder, start_s=0.15).recording
    assert same(read, recording.frame_slice(1500, 2000))


def test_two_excerpts_one_after_the_other_are_the_recording(recording, folder):
    first = read_recorded("load", folder, duration_s=0.0777).recording
    second = read_recorded("load", folder, start_s=0.0777).recording
    together = np.concatenate([first.get_traces(), second.get_traces()])
    np.testing.assert_array_equal(together, recording.get_traces())


@pytest.mark.parametrize(
    ("start_s", "duration_s", "wanted"),
    [(0.0, 0.3, "from 0 s to 0.3 s"), (0.15, 0.1, "to 0.25 s"), (0.2, None, "from 0.2 s on")],
)
def test_an_excerpt_beyond_the_end_is_refused(folder, start_s, duration_s, wanted):
    with pytest.raises(ValueError, match=rf"lasts 0.2 s: there is no excerpt .*{wanted}"):
        read_recorded("load", folder, start_s=start_s, duration_s=duration_s)


def test_an_excerpt_of_several_segments_is_refused(tmp_path):
    noise_recording([500, 500], seed=3).save(folder=tmp_path / "two", progress_bar=False)
    with pytest.raises(ValueError, match="has 2 segments, of which no excerpt can be taken"):
        read_recorded("load", tmp_path / "two", duration_s=0.01)
