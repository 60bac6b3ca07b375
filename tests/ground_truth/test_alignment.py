"""Two clocks: the line between them is recovered from pulses or lengths, or refused."""

import numpy as np
import pytest
from spikeinterface.core import NumpyRecording

from ephys_deepinterpolation.ground_truth.alignment import (
    Alignment,
    AlignmentError,
    align_lengths,
    align_pulses,
    find_pulses,
)

FRAME_S = 1 / 30_000
DURATION_S = 600.0


def irregular_pulses(seed, number=300):
    """Intervals from 1 to 3 s."""
    return 5.0 + np.cumsum(np.random.default_rng(seed).uniform(1.0, 3.0, size=number))


def seen_by(pulses, truth, random, missing=0.0, jitter_s=10e-6, extra=0):
    """Pulses on the two clocks, each of which loses some and adds some of its own."""
    clocks = pulses, (pulses - truth.offset_s) / truth.rate
    seen = []
    for times in clocks:
        kept = times[random.random(len(times)) >= missing]
        own = random.uniform(times[0], times[-1], size=extra)
        seen.append(np.sort(np.append(kept, own) + random.normal(0, jitter_s, len(kept) + extra)))
    return seen


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(("missing", "extra"), [(0.0, 0), (0.1, 0), (0.1, 20), (0.3, 5)])
def test_offset_and_drift_are_recovered_to_less_than_a_frame(seed, missing, extra):
    random = np.random.default_rng(seed)
    truth = Alignment(random.uniform(-60.0, 60.0), 1 + random.uniform(-5e-4, 5e-4))
    recording_s, other_s = seen_by(irregular_pulses(seed), truth, random, missing, extra=extra)
    found = align_pulses(recording_s, other_s)
    times = np.linspace(0, DURATION_S, 50)
    errors = found.to_recording(times) - truth.to_recording(times)
    assert np.abs(errors).max() < 0.5 * FRAME_S
    assert found.residual_ms == pytest.approx(1000 * np.sqrt(2) * 10e-6, rel=0.3)


def test_pulses_that_only_one_device_recorded_at_its_start_do_not_matter():
    pulses = irregular_pulses(1)
    found = align_pulses(pulses[:200], pulses[80:] - 200.0)
    assert found.offset_s == pytest.approx(200.0, abs=1e-6)
    assert found.pulses == 120


def test_pulses_of_another_session_are_refused():
    with pytest.raises(AlignmentError, match="match"):
        align_pulses(irregular_pulses(2), irregular_pulses(3))


def test_pulses_out_of_place_are_refused():
    truth, random = Alignment(3.0), np.random.default_rng(4)
    with pytest.raises(AlignmentError, match="off the line"):
        align_pulses(*seen_by(irregular_pulses(4), truth, random, jitter_s=200e-6))


def test_a_clock_that_skips_is_refused():
    pulses = irregular_pulses(5)
    skipped = np.where(np.arange(len(pulses)) < 150, pulses, pulses - 0.4e-3)
    with pytest.raises(AlignmentError, match="off the line"):
        align_pulses(pulses, skipped)


def test_regular_pulses_are_ambiguous_unless_the_offset_is_bounded():
    pulses = 0.5 + np.arange(100.0)
    with pytest.raises(AlignmentError, match="as regular pulses do"):
        align_pulses(pulses, pulses - 0.2)
    found = align_pulses(pulses, pulses - 0.2, largest_offset_s=0.4)
    assert found.offset_s == pytest.approx(0.2, abs=1e-6)


def test_an_offset_beyond_its_bound_is_refused():
    pulses = irregular_pulses(6)
    with pytest.raises(AlignmentError, match="at no offset up to 1 s"):
        align_pulses(pulses, pulses - 2.0, largest_offset_s=1.0)


@pytest.mark.parametrize("number", [0, 1, 9])
def test_few_pulses_are_refused(number):
    pulses = irregular_pulses(7)
    with pytest.raises(AlignmentError, match="not enough"):
        align_pulses(pulses, pulses[:number])


def channel_of(values, frequency=30_000.0):
    return NumpyRecording([np.asarray(values)[:, None]], frequency)


@pytest.mark.parametrize("chunk_s", [10.0, 0.0101])
@pytest.mark.parametrize(
    ("low", "high", "noise", "dtype"),
    [(0, 64, 0, "int16"), (-0.2, 4.9, 0.1, "float64"), (5.0, 0.0, 0.1, "float32")],
)
def test_pulses_are_found_where_the_level_rises(low, high, noise, dtype, chunk_s, monkeypatch):
    monkeypatch.setattr("ephys_deepinterpolation.ground_truth.alignment._CHUNK_S", chunk_s)
    random = np.random.default_rng(8)
    edges = np.sort(random.choice(np.arange(50, 29_000, 60), size=80, replace=False))
    level = np.zeros(30_000)
    for edge in edges:
        level[edge : edge + 30] = 1
    rises = edges if high > low else edges + 30
    trace = (low + (high - low) * level + noise * random.normal(size=len(level))).astype(dtype)
    found = find_pulses(channel_of(trace))
    np.testing.assert_allclose(found * 30_000.0, rises - 0.5, atol=1e-6)


def test_a_channel_that_starts_high_has_no_pulse_there():
    level = np.repeat([1, 0, 1, 0], 100)
    np.testing.assert_allclose(find_pulses(channel_of(level, 1000.0)), [0.1995])


def test_a_constant_channel_is_refused():
    with pytest.raises(AlignmentError, match="constant"):
        find_pulses(channel_of(np.zeros(100)))


def test_lengths_give_the_rate():
    found = align_lengths(600.0, 600.03)
    np.testing.assert_allclose(found.to_recording([0.0, 600.03]), [0.0, 600.0])


def test_lengths_that_no_clocks_explain_are_refused():
    with pytest.raises(AlignmentError, match="more than a thousandth"):
        align_lengths(600.0, 612.0)
