"""How much of each part a condition passes, on traces whose every part is known."""

import dataclasses

import numpy as np
import pytest
from spikeinterface.preprocessing import scale

from ephys_deepinterpolation.artifacts import parts_passed
from ephys_deepinterpolation.conditions import apply_condition
from ephys_deepinterpolation.ground_truth import GroundTruth
from ephys_deepinterpolation.ground_truth.noise import SumRecording
from example_ground_truth import INDEPENDENT, NONE, synthetic
from fixtures import noise_recording, recording_of

BANDPASS = {"name": "bandpass_filter", "params": {"freq_min": 300.0, "freq_max": 6000.0}}
PIPELINES = pytest.mark.parametrize("pipeline", [[], [BANDPASS]], ids=["raw", "filtered"])


def white(frames, levels, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(frames, len(levels))) * np.asarray(levels)


@PIPELINES
def test_a_condition_that_is_the_reference_passes_every_part_whole(truth, pipeline):
    condition = apply_condition(truth.recording, pipeline)
    table = parts_passed(truth, condition, pipeline, seed=1)
    assert set(table["part"]) == {"units", "background", "correlated", "independent"}
    np.testing.assert_allclose(table["passed"], 1.0, atol=0.01)


@PIPELINES
def test_a_known_mixture_of_the_parts_is_recovered(truth, pipeline):
    parts = truth.parts()
    mixture = SumRecording([parts["units"], scale(parts["independent"], gain=0.3, dtype="float32")])
    table = parts_passed(truth, apply_condition(mixture, pipeline), pipeline, seed=1)
    expected = {"units": 1.0, "background": 0.0, "correlated": 0.0, "independent": 0.3}
    assert table.set_index("part")["passed"].to_dict() == pytest.approx(expected, abs=0.002)


def test_what_is_in_no_part_is_attributed_to_none(truth):
    """A denoiser that invents something unrelated has passed nothing."""
    invented = white(truth.recording.get_num_frames(), np.full(16, 10.0), seed=9)
    condition = recording_of(
        invented.astype(np.float32), probe=truth.recording.get_probe(), frequency=30_000.0
    )
    table = parts_passed(truth, condition, [], seed=1)
    # The smaller a part, the more of it chance can find in something as large as this.
    assert (table["passed"].abs() * table["level_uv"] < 0.1).all()


@PIPELINES
def test_the_level_of_a_part_is_its_standard_deviation_in_the_reference_condition(truth, pipeline):
    table = parts_passed(truth, truth.recording, pipeline, seed=1).set_index("part")
    for name in ("correlated", "independent"):
        traces = apply_condition(truth.parts()[name], pipeline).get_traces()
        assert table.loc[name, "level_uv"] == pytest.approx(traces.std(), rel=0.02), name
    if not pipeline:
        assert table.loc["independent", "level_uv"] == pytest.approx(8.0, rel=0.02)


def test_a_part_of_level_zero_has_no_share_and_disturbs_no_other():
    silent = {"level_uv": 0.0, "spatial_decay_um": 40.0, "time_constant_ms": 0.1}
    truth = synthetic(noise={"independent": INDEPENDENT, "correlated": silent}, background=NONE)
    condition = apply_condition(truth.recording, [])
    table = parts_passed(truth, condition, [], seed=1).set_index("part")
    assert table.loc["correlated", "level_uv"] == 0.0
    assert np.isnan(table.loc["correlated", "passed"])
    assert table["passed"].drop("correlated").tolist() == pytest.approx([1.0, 1.0], abs=0.01)


def test_parts_of_a_recording_shorter_than_a_second_are_measured_too():
    truth = synthetic(duration_s=0.4)
    table = parts_passed(truth, apply_condition(truth.recording, []), [], seed=1)
    np.testing.assert_allclose(table["passed"], 1.0, atol=0.02)


def test_where_the_parts_are_not_known_the_table_is_empty_with_its_columns():
    recording = noise_recording(1000, seed=0)
    table = parts_passed(GroundTruth(recording=recording), recording, [], seed=1)
    assert table.empty
    assert table.columns.tolist() == ["part", "level_uv", "passed"]


def test_a_truth_with_spikes_but_without_noise_knows_its_spikes_as_parts(truth):
    known = dataclasses.replace(truth, noise={})
    table = parts_passed(known, apply_condition(truth.recording, []), [], seed=1)
    assert table["part"].tolist() == ["units", "background"]
