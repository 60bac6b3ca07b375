"""How tissue moves: shape, size and dependence on depth are as asked for."""

import numpy as np
import pytest

from ephys_deepinterpolation.ground_truth.motion import Motion, displacements

DURATION_S = 300.0
TIMES = np.linspace(0, DURATION_S, 3001)
SHAPES = ("zigzag", "jumps", "random_walk")


def course(*motions, height=1.0, seed=1):
    return displacements(list(motions), TIMES, np.full(len(TIMES), height), DURATION_S, seed)


@pytest.mark.parametrize("shape", SHAPES)
def test_tissue_moves_as_far_as_asked_and_not_before_the_start(shape):
    moved = course(Motion(shape, 20.0, start_s=60.0, interval_s=(10.0, 20.0)))
    assert not moved[TIMES < 59.0].any()
    if shape == "random_walk":
        assert np.abs(moved).max() == pytest.approx(10.0, rel=0.1)
    else:
        assert (moved.min(), moved.max()) == pytest.approx((-10.0, 10.0), abs=0.5)


def test_a_zigzag_has_its_period_and_a_constant_speed():
    moved = course(Motion("zigzag", 20.0, period_s=50.0))
    np.testing.assert_allclose(moved[500:], moved[:-500], atol=0.3)
    speed = np.abs(np.diff(moved)) / np.diff(TIMES)
    assert np.median(speed) == pytest.approx(2 * 20.0 / 50.0, rel=0.05)


def test_jumps_last_a_fifth_of_a_second_and_come_as_often_as_asked():
    moved = course(Motion("jumps", 20.0, interval_s=(10.0, 20.0)))
    moving = np.flatnonzero(np.abs(np.diff(moved)) > 1e-6)
    jumps = moving[np.diff(moving, prepend=-100) > 10]
    assert len(moving) <= 3 * len(jumps)
    intervals = np.diff(TIMES[jumps])
    assert 9.5 <= intervals.min() <= intervals.max() <= 20.5


def test_rigid_tissue_moves_alike_at_all_depths():
    motion = Motion("random_walk", 20.0)
    np.testing.assert_array_equal(course(motion, height=0.0), course(motion, height=1.0))


@pytest.mark.parametrize("height", [0.0, 0.5, 1.0])
def test_tissue_that_is_not_rigid_moves_less_the_deeper_it_is(height):
    rigid = course(Motion("zigzag", 20.0))
    moved = course(Motion("zigzag", 20.0, non_rigid=0.6), height=height)
    np.testing.assert_allclose(moved, rigid * (0.4 + 0.6 * height), atol=1e-9)


def test_motions_add_up():
    one, other = Motion("zigzag", 20.0), Motion("zigzag", 5.0, period_s=7.0)
    np.testing.assert_allclose(course(one, other), course(one) + course(other), atol=1e-9)


def test_without_motion_and_before_any_begins_nothing_moves():
    assert not course().any()
    assert not course(Motion("zigzag", 20.0, start_s=1000.0)).any()


def test_the_seed_decides_a_random_walk():
    motion = Motion("random_walk", 20.0)
    np.testing.assert_array_equal(course(motion, seed=1), course(motion, seed=1))
    assert not np.allclose(course(motion, seed=1), course(motion, seed=2))
