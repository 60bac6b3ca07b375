"""Spike trains: rates, refractory periods, bursts and collisions are as asked for."""

import numpy as np
import pytest

from ephys_deepinterpolation.ground_truth.trains import (
    Bursts,
    Collisions,
    amplitude_factors,
    collide,
    generate_trains,
)

FREQUENCY = 30_000.0
DURATION_S = 300.0
FRAMES = int(DURATION_S * FREQUENCY)
REFRACTORY_MS = 2.0
RATES = np.array([1.0, 5.0, 20.0, 20.0])
BURSTS = Bursts(share=0.3, spikes=(2, 5), interval_ms=(3.0, 8.0), amplitude_decay=0.8)


def trains_of(bursts, rates=RATES, seed=1):
    return generate_trains(rates, FREQUENCY, DURATION_S, REFRACTORY_MS, bursts, seed)


@pytest.fixture(scope="module", params=[None, BURSTS], ids=["single", "bursts"])
def bursts(request):
    return request.param


def test_units_fire_as_often_as_asked(bursts):
    counts = np.array([len(train) for train in trains_of(bursts)])
    # A burst's spikes come together: fewer independent events.
    events = 1 if bursts is None else (1 + bursts.extra_spikes)
    expected = RATES * DURATION_S
    assert (np.abs(counts - expected) < 4 * np.sqrt(expected * events)).all()


def test_no_spike_falls_into_a_refractory_period_or_out_of_the_recording(bursts):
    for train in trains_of(bursts):
        assert np.diff(train).min() * 1000.0 / FREQUENCY >= REFRACTORY_MS
        assert train.min() >= 0
        assert train.max() < FRAMES


def test_the_rate_is_the_same_at_all_times(bursts):
    train = np.concatenate(trains_of(bursts, np.full(20, 20.0)))
    counts = np.histogram(train, bins=10, range=(0, FRAMES))[0]
    assert counts.std() / counts.mean() < 0.03


def test_bursts_are_as_asked():
    train = trains_of(BURSTS, np.full(10, 5.0))
    sizes, intervals = [], []
    for frames in train:
        gaps = np.diff(frames) * 1000.0 / FREQUENCY
        # Between bursts there is more time but for chance: 5 Hz leave 2 % within 5 ms.
        within = gaps <= BURSTS.interval_ms[1]
        intervals.append(gaps[within])
        sizes.append(np.diff(np.flatnonzero(np.r_[True, ~within, True])))
    sizes = np.concatenate(sizes)
    assert (sizes > 1).mean() == pytest.approx(BURSTS.share, abs=0.04)
    assert sizes.mean() == pytest.approx(1 + BURSTS.extra_spikes, rel=0.05)
    within = np.concatenate(intervals)
    assert (within >= BURSTS.interval_ms[0]).mean() > 0.97
    assert within.mean() == pytest.approx(5.5, abs=0.1)


def test_a_rate_that_bursts_cannot_reach_is_refused():
    with pytest.raises(ValueError, match="cannot fire 400 times a second"):
        trains_of(BURSTS, np.array([400.0]))


def test_bursts_within_the_refractory_period_are_refused():
    with pytest.raises(ValueError, match="3 ms apart, less than the refractory period of 4 ms"):
        generate_trains(RATES, FREQUENCY, DURATION_S, 4.0, BURSTS, seed=1)


def test_amplitudes_vary_as_asked_about_the_template():
    train = trains_of(None, np.array([20.0]))[0]
    factors = amplitude_factors(train, FREQUENCY, 0.2, None, np.random.default_rng(1))
    assert factors.mean() == pytest.approx(1.0, abs=5 * 0.2 / np.sqrt(len(train)))
    assert factors.std() == pytest.approx(0.2, rel=0.1)
    assert factors.min() > 0


def test_the_spikes_of_a_burst_get_smaller_one_by_one():
    train = np.array([100, 250, 400, 30_000, 30_241, 60_000])
    factors = amplitude_factors(train, FREQUENCY, 0.0, BURSTS, np.random.default_rng(1))
    assert factors == pytest.approx([1.0, 0.8, 0.64, 1.0, 1.0, 1.0])


def neighbours_of(positions, unit):
    distances = np.linalg.norm(positions - positions[unit], axis=1)
    return set(distances.argsort(kind="stable")[1:6])


def coincidences(trains, positions, lag):
    """Spikes with one of a neighbour within a lag, in frames: the pairs."""
    return {
        (unit, frame, other)
        for unit, train in enumerate(trains)
        for other in neighbours_of(positions, unit)
        for frame in train
        if np.abs(trains[other] - frame).min() <= lag
    }


@pytest.fixture(scope="module")
def collision():
    """Trains of twelve units before and after, where they are, and what was asked."""
    positions = np.stack([np.zeros(12), np.arange(12) * 20.0], axis=1)
    before = trains_of(None, np.full(12, 3.0))
    asked = Collisions(rate_hz=2.0, lag_ms=0.5)
    after = collide(before, positions, asked, FREQUENCY, FRAMES, REFRACTORY_MS, seed=4)
    return before, after, positions, asked


def test_collisions_come_at_the_asked_rate_on_top_of_chance(collision):
    before, after, positions, asked = collision
    pairs = [len(coincidences(trains, positions, 15)) for trains in (before, after)]
    # A pair of mutual neighbours counts from either side; at the ends of a row they are not.
    assert (pairs[1] - pairs[0]) / DURATION_S == pytest.approx(2 * asked.rate_hz, rel=0.15)


def test_collisions_leave_counts_and_refractory_periods(collision):
    before, after = collision[:2]
    assert [len(train) for train in after] == [len(train) for train in before]
    for train in after:
        assert np.diff(train).min() * 1000.0 / FREQUENCY >= REFRACTORY_MS
        assert 0 <= train.min() <= train.max() < FRAMES


def test_no_collisions_leave_the_trains_as_they_are(collision):
    before, _, positions, _ = collision
    none = Collisions(rate_hz=0.0, lag_ms=0.5)
    after = collide(before, positions, none, FREQUENCY, FRAMES, REFRACTORY_MS, seed=4)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_unit_alone_collides_with_nobody():
    train = trains_of(None, np.array([3.0]))
    asked = Collisions(rate_hz=2.0, lag_ms=0.5)
    after = collide(train, np.zeros((1, 3)), asked, FREQUENCY, FRAMES, REFRACTORY_MS, seed=4)
    np.testing.assert_array_equal(after[0], train[0])
