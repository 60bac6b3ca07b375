"""What is known of a recording: its parts, and how it lies on disk."""

import json

import numpy as np
import pandas as pd
import pytest
import spikeinterface as si
from pandas.testing import assert_frame_equal
from pyarrow.lib import ArrowException

from ephys_deepinterpolation.ground_truth import GroundTruth, load_ground_truth
from ephys_deepinterpolation.ground_truth.noise import independent_noise
from example_ground_truth import FREQUENCY, NONE, contents, synthetic
from fixtures import noise_recording

PARTS = ("units", "background", "correlated", "independent")
# Sums of 32-bit numbers of up to a millivolt.
SAME_UV = 1e-4


class InterruptedRecording(si.BaseRecording):
    """A recording whose disk fails after two seconds."""

    def __init__(self, like):
        super().__init__(like.get_sampling_frequency(), like.channel_ids, like.get_dtype())
        like.copy_metadata(self)
        self.add_recording_segment(_InterruptedSegment(like))


class _InterruptedSegment(si.BaseRecordingSegment):
    def __init__(self, like):
        super().__init__(sampling_frequency=like.get_sampling_frequency())
        self.like = like

    def get_num_samples(self):
        return self.like.get_num_frames()

    def get_traces(self, start_frame, end_frame, channel_indices):
        if end_frame > 2 * FREQUENCY:
            raise OSError("the disk is gone")
        return self.like.segments[0].get_traces(start_frame, end_frame, channel_indices)


def test_spikes_of_units_and_of_the_background_add_up_to_all_spikes(truth):
    apart = [truth.spikes(background=which).get_traces() for which in (False, True)]
    np.testing.assert_allclose(sum(apart), truth.spikes().get_traces(), atol=1e-4)
    assert all(np.abs(traces).max() > 1.0 for traces in apart)


def test_the_spikes_of_the_background_are_the_small_ones(truth):
    largest = {which: np.abs(truth.spikes(which).get_traces()).max() for which in (False, True)}
    assert largest[True] < 30.0 < largest[False]


def test_a_recording_is_the_sum_of_its_parts_within_half_a_bit(truth):
    assert set(truth.parts()) == set(PARTS)
    total = sum(part.get_traces().astype(float) for part in truth.parts().values())
    gain = truth.recording.get_channel_gains()[0]
    error = truth.recording.get_traces(return_in_uV=True) - total
    assert np.abs(error).max() <= gain / 2 + SAME_UV
    # Rounding, and not a bias as cutting the digits off would leave.
    assert abs(error.mean()) < 0.01 * gain


@pytest.mark.parametrize("name", PARTS)
def test_a_part_read_in_chunks_equals_the_part_read_whole(truth, name):
    part = truth.parts()[name]
    whole = part.get_traces()
    random = np.random.default_rng(2)
    starts = random.integers(part.get_num_frames() - 1, size=8)
    # Within and across the blocks of 30,000 frames that noise is drawn in, and one single frame.
    chunks = [(0, 100), (29_990, 30_010), (30_000, 60_000), (59_999, 60_000), (89_000, 90_000)]
    chunks += [(start, min(start + 777, part.get_num_frames())) for start in starts]
    for start, end in chunks:
        np.testing.assert_allclose(part.get_traces(0, start, end), whole[start:end], atol=SAME_UV)
        some = part.get_traces(0, start, end, channel_ids=part.channel_ids[[7, 2]])
        np.testing.assert_allclose(some, whole[start:end, [7, 2]], atol=SAME_UV)


def test_a_truth_without_background_has_no_such_part():
    truth = synthetic(background=NONE, noise={})
    assert list(truth.parts()) == ["units"]
    assert not truth.units["background"].any()


def test_where_no_spikes_are_known_there_are_no_parts_and_asking_for_spikes_is_refused(canvas):
    truth = GroundTruth(recording=canvas)
    assert truth.parts() == {}
    with pytest.raises(ValueError, match="no known spikes"):
        truth.spikes()


def test_a_saved_recording_comes_back_with_the_same_integers_probe_and_gains(truth, loaded):
    np.testing.assert_array_equal(loaded.recording.get_traces(), truth.recording.get_traces())
    assert loaded.recording.get_dtype() == truth.recording.get_dtype()
    assert loaded.recording.channel_ids.tolist() == truth.recording.channel_ids.tolist()
    for what in ("get_channel_gains", "get_channel_offsets", "get_channel_locations"):
        np.testing.assert_array_equal(
            getattr(loaded.recording, what)(), getattr(truth.recording, what)()
        )


def test_a_saved_truth_comes_back_with_the_same_spikes_templates_units_and_facts(truth, loaded):
    assert loaded.sorting.unit_ids.tolist() == truth.sorting.unit_ids.tolist()
    np.testing.assert_array_equal(loaded.sorting.to_spike_vector(), truth.sorting.to_spike_vector())
    np.testing.assert_array_equal(loaded.templates.templates_array, truth.templates.templates_array)
    assert loaded.templates.nbefore == truth.templates.nbefore
    assert loaded.templates.unit_ids.tolist() == truth.templates.unit_ids.tolist()
    assert loaded.templates.sampling_frequency == truth.templates.sampling_frequency
    assert_frame_equal(loaded.units, truth.units)
    assert loaded.facts == truth.facts


def test_the_parts_of_a_saved_truth_are_made_again_as_they_were(truth, loaded):
    parts, again = truth.parts(), loaded.parts()
    assert set(again) == set(parts)
    for name, part in parts.items():
        np.testing.assert_array_equal(again[name].get_traces(), part.get_traces(), name)


def test_a_training_recording_is_kept_apart_from_the_recording(tmp_path):
    truth = GroundTruth(
        recording=noise_recording(2000, seed=1), training_recording=noise_recording(3000, seed=2)
    )
    truth.save(tmp_path / "truth")
    loaded = load_ground_truth(tmp_path / "truth")
    for name in ("recording", "training_recording"):
        before, after = getattr(truth, name), getattr(loaded, name)
        np.testing.assert_array_equal(after.get_traces(), before.get_traces())
    assert (loaded.sorting, loaded.templates, loaded.units) == (None, None, None)
    assert (loaded.noise, loaded.facts, loaded.parts()) == ({}, {}, {})


def lazy(canvas, tmp_path):
    """Made from parameters alone, at whatever time it is read."""
    return independent_noise(canvas, 5.0, seed=1).frame_slice(0, 1000)


def on_disk(canvas, tmp_path):
    """SpikeInterface would note the folder it was read from."""
    noise_recording(1000, seed=1).save(folder=tmp_path / "its-source", progress_bar=False)
    return si.load(tmp_path / "its-source").frame_slice(100, 900)


@pytest.mark.parametrize("making", [lazy, on_disk])
def test_a_saved_folder_holds_no_pickle_and_names_no_other_folder(canvas, tmp_path, making):
    recording = making(canvas, tmp_path)
    GroundTruth(recording=recording, training_recording=recording).save(tmp_path / "truth")
    is_harmless(tmp_path / "truth")


def test_a_saved_synthetic_truth_holds_no_pickle_and_names_no_other_folder(saved_folder):
    is_harmless(saved_folder)


def is_harmless(folder):
    paths = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in paths}.isdisjoint({".pkl", ".pickle"})
    for path in paths:
        if path.suffix == ".npy":
            np.load(path, allow_pickle=False)
        if path.suffix == ".json":
            assert not any(word in path.read_text() for word in ("its-source", str(folder.parent)))


def test_a_saved_folder_can_be_moved(truth, tmp_path):
    truth.save(tmp_path / "before")
    (tmp_path / "before").rename(tmp_path / "after")
    loaded = load_ground_truth(tmp_path / "after")
    np.testing.assert_array_equal(
        loaded.recording.get_traces(0, 0, 100), truth.recording.get_traces(0, 0, 100)
    )


def test_saving_writes_the_same_bytes_each_time(saved_folder, truth, tmp_path):
    truth.save(tmp_path / "again")
    assert contents(tmp_path / "again") == contents(saved_folder)


def test_facts_are_readable_without_this_software(saved_folder):
    facts = json.loads((saved_folder / "truth.json").read_text())
    assert facts["exhaustive"] is True
    assert {"kind", "seed", "noise", "versions"} <= set(facts)


def broken_at_its_traces(truth):
    return GroundTruth(recording=InterruptedRecording(truth.recording))


def broken_at_its_table(truth):
    return GroundTruth(
        recording=truth.recording.frame_slice(0, 1000), units=pd.DataFrame({"unit": [1, "a"]})
    )


@pytest.mark.parametrize(
    ("breaking", "error"), [(broken_at_its_traces, OSError), (broken_at_its_table, ArrowException)]
)
def test_nothing_is_left_of_a_save_that_fails(truth, tmp_path, breaking, error):
    with pytest.raises(error):
        breaking(truth).save(tmp_path / "truth")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("breaking", "error"), [(broken_at_its_traces, OSError), (broken_at_its_table, ArrowException)]
)
def test_a_save_that_fails_leaves_what_was_there_before(truth, tmp_path, breaking, error):
    GroundTruth(recording=noise_recording(2000, seed=1)).save(tmp_path / "truth")
    before = contents(tmp_path)
    with pytest.raises(error):
        breaking(truth).save(tmp_path / "truth")
    assert contents(tmp_path) == before


def test_a_second_save_replaces_the_first_one_whole(truth, tmp_path):
    truth.save(tmp_path / "truth")
    GroundTruth(recording=noise_recording(2000, seed=1)).save(tmp_path / "truth")
    assert load_ground_truth(tmp_path / "truth").sorting is None
    assert [path.name for path in tmp_path.iterdir()] == ["truth"]
