"""Rounding an output to the integers of its recording."""

import numpy as np
import pytest

from ephys_deepinterpolation.artifacts import measure_rounding
from fixtures import integer_recording, recording_of, white_noise


def integers(gain=2.5, offset=0.0, dtype="int16"):
    recording = recording_of(np.zeros((1000, 16), dtype))
    recording.set_channel_gains(gain)
    recording.set_channel_offsets(offset)
    return recording


@pytest.mark.parametrize(("gain", "offset"), [(0.5, 0.0), (4.69, 0.0), (2.34, 1.0)])
def test_the_error_is_that_of_a_uniform_distribution_over_a_bit(gain, offset):
    table = measure_rounding(integers(gain, offset), recording_of(white_noise(1)), seed=1)
    assert len(table) == 1
    assert table["gain_uv_per_bit"][0] == pytest.approx(gain)
    assert table["rounding_uv"][0] == pytest.approx(gain / np.sqrt(12), rel=0.02)
    assert table["noise_uv"][0] == pytest.approx(10.0, rel=0.03)
    assert table[["clipped_samples", "clipped_share"]].to_numpy().tolist() == [[0.0, 0.0]]


def test_what_is_in_integers_already_is_not_changed():
    recording = integer_recording(12_000, seed=3)
    output = recording_of(recording.get_traces(return_in_uV=True))
    table = measure_rounding(recording, output, seed=1)
    assert table["rounding_uv"][0] == pytest.approx(0.0, abs=1e-3)


def test_an_output_that_is_smaller_than_a_bit_is_lost_whole():
    quiet = white_noise(1) / 100
    table = measure_rounding(integers(gain=2.5), recording_of(quiet), seed=1)
    assert table["rounding_uv"][0] == pytest.approx(quiet.std(), rel=0.03)
    assert table["rounding_uv"][0] == pytest.approx(table["noise_uv"][0], rel=0.05)


def test_what_lies_beyond_the_integers_is_counted_and_is_no_error_of_rounding():
    traces = white_noise(1)
    traces[:, 3], traces[:, 5] = 1e5, -1e5
    table = measure_rounding(integers(gain=2.5), recording_of(traces), seed=1)
    assert table["clipped_share"][0] == pytest.approx(2 / 16)
    assert table["rounding_uv"][0] == pytest.approx(2.5 / np.sqrt(12), rel=0.02)


def test_narrow_integers_clip_sooner():
    output = recording_of(white_noise(1))
    wide, narrow = (
        measure_rounding(integers(gain=0.1, dtype=dtype), output, seed=1)["clipped_samples"][0]
        for dtype in ("int16", "int8")
    )
    assert wide == 0
    assert narrow > 0


def test_a_recording_of_floats_rounds_nothing():
    table = measure_rounding(integers(dtype="float32"), recording_of(white_noise(1)), seed=1)
    assert table["noise_uv"][0] == pytest.approx(10.0, rel=0.03)
    assert table.drop(columns="noise_uv").isna().all(axis=None)
