import json
import shutil
from copy import deepcopy

import numpy as np
import pytest
import spikeinterface as si
from spikeinterface.core import BaseRecording, BaseRecordingSegment
from spikeinterface.preprocessing import bandpass_filter, common_reference, scale_to_uV

from ephys_deepinterpolation.conditions import (
    apply_condition,
    before_denoising,
    load_condition,
    save_condition,
)
from ephys_deepinterpolation.ground_truth import load_ground_truth
from ephys_deepinterpolation.recording import deepinterpolate
from example_ground_truth import synthetic
from fixtures import FREQUENCY, integer_recording, neuropixels

BANDPASS = {"name": "bandpass_filter", "params": {"freq_min": 300.0, "freq_max": 3000.0}}
REFERENCE = {"name": "common_reference", "params": {"operator": "median"}}
DENOISE = {"name": "deepinterpolate", "params": {"model": "scratch"}}


@pytest.fixture
def results(tmp_path):
    """A results folder that holds a ground truth's recording."""
    folder = tmp_path / "results"
    raw = integer_recording([3000], seed=1)
    raw.save(folder=folder / "ground_truth" / "recording", progress_bar=False)
    return folder


def raw_of(results):
    return si.load(results / "ground_truth" / "recording")


class _Failing(BaseRecording):
    """Fails once reading has got past its first half."""

    def __init__(self):
        super().__init__(FREQUENCY, list(range(16)), "float32")
        self.add_recording_segment(_FailingSegment(FREQUENCY))
        self.set_probe(neuropixels())
        self._kwargs = {}


class _FailingSegment(BaseRecordingSegment):
    def get_num_samples(self):
        return 30_000

    def get_traces(self, start_frame, end_frame, channel_indices):
        if end_frame > 15_000:
            raise OSError("the disk went away")
        return np.zeros((end_frame - start_frame, 16), np.float32)[:, channel_indices]


def test_a_condition_without_steps_is_the_recording_in_microvolts(results):
    raw = raw_of(results)
    condition = apply_condition(raw, [])
    assert condition.get_dtype() == np.float32
    expected = raw.get_traces() * raw.get_channel_gains() + raw.get_channel_offsets()
    np.testing.assert_allclose(condition.get_traces(), expected, atol=1e-3)
    np.testing.assert_array_equal(condition.get_channel_gains(), 1)
    np.testing.assert_array_equal(condition.get_channel_offsets(), 0)


def test_steps_run_in_the_order_they_are_written(results):
    scaled = scale_to_uV(raw_of(results))
    forth = apply_condition(raw_of(results), [BANDPASS, REFERENCE])
    by_hand = common_reference(bandpass_filter(scaled, **BANDPASS["params"]), operator="median")
    np.testing.assert_array_equal(forth.get_traces(), by_hand.get_traces())
    back = apply_condition(raw_of(results), [REFERENCE, BANDPASS])
    assert not np.allclose(back.get_traces(), forth.get_traces())


def test_the_model_takes_the_place_of_the_recipes_name_where_the_step_stands(results, model):
    condition = apply_condition(raw_of(results), [DENOISE, BANDPASS], model.path)
    denoised = deepinterpolate(scale_to_uV(raw_of(results)), model)
    np.testing.assert_array_equal(
        condition.get_traces(), bandpass_filter(denoised, **BANDPASS["params"]).get_traces()
    )


def test_applying_a_pipeline_leaves_it_as_it_was(results, model):
    pipeline = [{"name": "common_reference"}, DENOISE, BANDPASS]
    before = deepcopy(pipeline)
    apply_condition(raw_of(results), pipeline, model)
    assert pipeline == before


def test_a_model_learns_on_what_comes_before_its_step(results, model):
    learnt = before_denoising(raw_of(results), [BANDPASS, DENOISE, REFERENCE])
    np.testing.assert_array_equal(
        learnt.get_traces(), apply_condition(raw_of(results), [BANDPASS]).get_traces()
    )


@pytest.mark.parametrize("pipeline", [[], [BANDPASS, REFERENCE]], ids=["raw", "filtered"])
def test_a_lazy_condition_gives_back_its_traces_and_facts(results, pipeline):
    condition = apply_condition(raw_of(results), pipeline)
    facts = {"denoised": False, "pipeline": pipeline}
    save_condition(condition, facts, results / "conditions" / "plain")
    loaded, loaded_facts = load_condition(results / "conditions" / "plain")
    np.testing.assert_array_equal(loaded.get_traces(), condition.get_traces())
    assert loaded.get_probe() == condition.get_probe()
    assert loaded_facts == facts


def test_a_lazy_condition_takes_no_room(results):
    folder = results / "conditions" / "plain"
    save_condition(apply_condition(raw_of(results), [BANDPASS]), {"denoised": False}, folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        ".sizes.json",
        "condition.json",
        "recording.json",
    ]


def test_a_denoised_condition_gives_back_its_traces_and_facts(results, model):
    condition = apply_condition(raw_of(results), [DENOISE, BANDPASS], model)
    facts = {"denoised": True, "model": "scratch"}
    save_condition(condition, facts, results / "conditions" / "denoised")
    loaded, loaded_facts = load_condition(results / "conditions" / "denoised")
    np.testing.assert_allclose(loaded.get_traces(), condition.get_traces(), atol=1e-3)
    assert loaded.get_dtype() == np.float32
    assert loaded.get_probe() == condition.get_probe()
    np.testing.assert_array_equal(loaded.get_channel_gains(), condition.get_channel_gains())
    np.testing.assert_array_equal(loaded.get_times(), condition.get_times())
    assert loaded_facts == facts


def test_a_denoised_condition_needs_neither_model_nor_ground_truth_to_be_read(results, trained):
    own = trained.save(results / "models" / "model.safetensors")
    condition = apply_condition(raw_of(results), [DENOISE], own.path)
    expected = condition.get_traces()
    save_condition(condition, {"denoised": True}, results / "conditions" / "denoised")
    shutil.rmtree(results / "models")
    shutil.rmtree(results / "ground_truth")
    loaded, _ = load_condition(results / "conditions" / "denoised")
    np.testing.assert_array_equal(loaded.get_traces(), expected)


@pytest.mark.parametrize("denoised", [False, True])
def test_results_moved_as_a_whole_can_still_be_read(results, model, denoised, tmp_path):
    pipeline = [DENOISE, BANDPASS] if denoised else [BANDPASS, REFERENCE]
    condition = apply_condition(raw_of(results), pipeline, model)
    folder = results / "conditions" / "replicate-1" / "condition"
    save_condition(condition, {"denoised": denoised}, folder)
    expected, _ = load_condition(folder)
    expected = expected.get_traces()
    moved = tmp_path / "elsewhere" / "deeper" / "results"
    moved.parent.mkdir(parents=True)
    results.rename(moved)
    loaded, _ = load_condition(moved / folder.relative_to(results))
    np.testing.assert_array_equal(loaded.get_traces(), expected)


@pytest.mark.parametrize("denoised", [False, True])
def test_no_file_of_a_condition_names_the_folder_it_was_made_in(results, model, denoised):
    pipeline = [DENOISE] if denoised else [BANDPASS]
    condition = apply_condition(raw_of(results), pipeline, model)
    save_condition(condition, {"denoised": denoised}, results / "conditions" / "condition")
    for path in (results / "conditions").rglob("*.json"):
        assert str(results) not in path.read_text()
        assert str(model.path) not in path.read_text()


def test_a_condition_is_read_from_a_relative_path_too(results, monkeypatch):
    condition = apply_condition(raw_of(results), [BANDPASS])
    monkeypatch.chdir(results.parent)
    save_condition(condition, {"denoised": False}, "results/conditions/plain")
    loaded, _ = load_condition("results/conditions/plain")
    np.testing.assert_array_equal(loaded.get_traces(), condition.get_traces())


def test_a_condition_replaces_the_one_before_it(results, model):
    folder = results / "conditions" / "condition"
    save_condition(apply_condition(raw_of(results), [BANDPASS]), {"denoised": False}, folder)
    second = apply_condition(raw_of(results), [DENOISE], model)
    save_condition(second, {"denoised": True}, folder)
    assert not (folder / "recording.json").exists()
    assert load_condition(folder)[1] == {"denoised": True}


def test_a_condition_whose_traces_fail_half_way_leaves_no_trace(tmp_path):
    with pytest.raises(OSError, match="the disk went away"):
        save_condition(_Failing(), {"denoised": True}, tmp_path / "conditions" / "condition")
    assert list((tmp_path / "conditions").iterdir()) == []


def test_a_condition_that_fails_keeps_the_one_before_it(results):
    folder = results / "conditions" / "condition"
    first = apply_condition(raw_of(results), [BANDPASS])
    save_condition(first, {"denoised": False}, folder)
    with pytest.raises(OSError, match="the disk went away"):
        save_condition(_Failing(), {"denoised": True}, folder)
    loaded, facts = load_condition(folder)
    assert facts == {"denoised": False}
    np.testing.assert_array_equal(loaded.get_traces(), first.get_traces())
    assert [path.name for path in folder.parent.iterdir()] == ["condition"]


def test_an_oracle_gets_the_parts_of_the_recording(tmp_path):
    synthetic(duration_s=1.0).save(tmp_path / "truth")
    truth = load_ground_truth(tmp_path / "truth")
    pipeline = [{"name": "oracle", "params": {"noise_share": 0.0}}, BANDPASS]
    condition = apply_condition(truth.recording, pipeline, parts=truth.parts())
    spikes = apply_condition(truth.spikes(), [BANDPASS]).get_traces()
    np.testing.assert_allclose(condition.get_traces(), spikes, atol=1.0)
    facts = {"denoised": False, "pipeline": pipeline}
    save_condition(condition, facts, tmp_path / "condition")
    loaded, _ = load_condition(tmp_path / "condition")
    np.testing.assert_array_equal(loaded.get_traces(), condition.get_traces())


def test_an_oracle_without_parts_is_refused(results):
    with pytest.raises(ValueError, match="has no oracle"):
        apply_condition(raw_of(results), [{"name": "oracle"}])


def test_what_is_slow_to_compute_is_written(results):
    pipeline = [{"name": "low_rank", "params": {"rank": 3}}]
    folder = results / "conditions" / "few"
    condition = apply_condition(raw_of(results), pipeline)
    save_condition(condition, {"denoised": False, "pipeline": pipeline}, folder)
    assert not (folder / "recording.json").exists()
    np.testing.assert_array_equal(load_condition(folder)[0].get_traces(), condition.get_traces())


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("whiten", {"num_chunks_per_segment": 2, "chunk_size": 500}),
        ("zscore", {"num_chunks_per_segment": 2, "chunk_size": 500}),
        (
            "highpass_spatial_filter",
            {"n_channel_pad": 4, "random_slice_kwargs": {"chunk_size": 500}},
        ),
    ],
)
def test_steps_that_read_random_chunks_always_read_the_same(results, name, params):
    pipeline = [{"name": name, "params": params}]
    before = deepcopy(pipeline)
    one, other = (apply_condition(raw_of(results), pipeline).get_traces() for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert pipeline == before
    if name != "highpass_spatial_filter":
        seeded = [{"name": name, "params": params | {"seed": 5}}]
        assert not np.array_equal(apply_condition(raw_of(results), seeded).get_traces(), one)


def test_a_network_between_whitening_and_its_undoing_gives_microvolts(results, model):
    """A network that predicts well gives the recording back, whatever its units were."""
    whitened = [{"name": "whiten"}, {"name": "identity"}, {"name": "unwhiten"}]
    back = apply_condition(raw_of(results), whitened).get_traces()
    expected = scale_to_uV(raw_of(results)).get_traces()
    np.testing.assert_allclose(back, expected, atol=1e-2)
    pipeline = [{"name": "whiten"}, DENOISE, {"name": "unwhiten"}]
    denoised = apply_condition(raw_of(results), pipeline, model).get_traces()
    live = expected.std(axis=0) > 0
    ratio = denoised[:, live].std(axis=0) / expected[:, live].std(axis=0)
    assert ((ratio > 0.2) & (ratio < 1.5)).all()


def test_facts_are_written_as_json(results):
    facts = {"denoised": False, "seen_in_training": True, "unit": "µV"}
    save_condition(apply_condition(raw_of(results), []), facts, results / "conditions" / "plain")
    written = (results / "conditions" / "plain" / "condition.json").read_text()
    assert json.loads(written) == facts
