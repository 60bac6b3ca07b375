import numpy as np
import pytest

from ephys_deepinterpolation.denoisers import (
    LinearInterpolation,
    interpolate_linearly,
    noise_floor,
    unfold_rows,
)

IMAGES, HEIGHT, FEATURES, COLUMNS = 200, 6, 8, 2


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.fixture
def contexts(random):
    return random.normal(size=(IMAGES, HEIGHT, FEATURES))


def fitted(rows, contexts, targets, mask=None):
    linear = LinearInterpolation(rows, FEATURES, COLUMNS)
    linear.add(contexts, targets, np.ones(targets.shape) if mask is None else mask)
    return linear.kernel()


def test_unfolding_puts_neighbouring_rows_side_by_side_and_zeros_beyond(contexts):
    unfolded = unfold_rows(contexts, 3).reshape(IMAGES, HEIGHT, 3, FEATURES)
    np.testing.assert_array_equal(unfolded[:, :, 1], contexts)
    np.testing.assert_array_equal(unfolded[:, 1:, 0], contexts[:, :-1])
    np.testing.assert_array_equal(unfolded[:, :-1, 2], contexts[:, 1:])
    assert (unfolded[:, 0, 0] == 0).all()
    assert (unfolded[:, -1, 2] == 0).all()


@pytest.mark.parametrize("rows", [1, 3, 5])
def test_a_known_kernel_is_recovered(contexts, random, rows):
    kernel = random.normal(size=(rows, FEATURES, COLUMNS)).astype(np.float32)
    targets = interpolate_linearly(kernel, contexts)
    np.testing.assert_allclose(fitted(rows, contexts, targets), kernel, atol=1e-3)


def test_the_fit_equals_least_squares(contexts, random):
    targets = random.normal(size=(IMAGES, HEIGHT, COLUMNS))
    expected, *_ = np.linalg.lstsq(
        unfold_rows(contexts, 3).reshape(-1, 3 * FEATURES), targets.reshape(-1, COLUMNS)
    )
    kernel = fitted(3, contexts, targets)
    np.testing.assert_allclose(kernel.reshape(-1, COLUMNS), expected, atol=1e-5)


@pytest.mark.parametrize("masked", [False, True])
def test_batches_add_up_to_the_fit_of_all_at_once(contexts, random, masked):
    targets = random.normal(size=(IMAGES, HEIGHT, COLUMNS))
    mask = (random.random(targets.shape) > 0.3 * masked).astype(float)
    batched = LinearInterpolation(3, FEATURES, COLUMNS)
    for batch in np.array_split(np.arange(IMAGES), [3, 50, 51]):
        batched.add(contexts[batch], targets[batch], mask[batch])
    np.testing.assert_allclose(
        batched.kernel(), fitted(3, contexts, targets, mask), rtol=1e-5, atol=1e-6
    )


def test_masked_targets_do_not_count(contexts, random):
    kernel = random.normal(size=(3, FEATURES, COLUMNS)).astype(np.float32)
    targets = interpolate_linearly(kernel, contexts)
    mask = np.ones(targets.shape)
    mask[:, 2, 0] = 0
    mask[:, 4, 1] = 0
    targets[mask == 0] = 1e6
    np.testing.assert_allclose(fitted(3, contexts, targets, mask), kernel, atol=1e-3)


def test_a_column_without_a_single_target_is_predicted_as_zero(contexts, random):
    targets = random.normal(size=(IMAGES, HEIGHT, COLUMNS))
    mask = np.ones(targets.shape)
    mask[..., 1] = 0
    kernel = fitted(3, contexts, targets, mask)
    assert np.isfinite(kernel).all()
    assert (kernel[..., 1] == 0).all()


def test_a_feature_that_is_always_zero_gets_no_weight(contexts, random):
    contexts[..., 5] = 0
    targets = random.normal(size=(IMAGES, HEIGHT, COLUMNS))
    kernel = fitted(1, contexts, targets)
    assert np.isfinite(kernel).all()
    np.testing.assert_allclose(kernel[:, 5], 0, atol=1e-6)


def test_the_kernel_scales_inversely_with_the_units_of_its_input(contexts, random):
    targets = random.normal(size=(IMAGES, HEIGHT, COLUMNS))
    np.testing.assert_allclose(
        1e-3 * fitted(3, 1e-3 * contexts, targets), fitted(3, contexts, targets), rtol=1e-4
    )


def residuals(random, shared, independent, height=60, images=2000):
    """What all contacts of an image share in a frame, and what each has of its own."""
    common = shared * random.normal(size=(images, 1, 1))
    own = independent * random.normal(size=(images, height, COLUMNS))
    return common + own


@pytest.mark.parametrize(
    ("rows", "shared"), [(1, 0.0), (1, 0.5), (1, 3.0), (1, 30.0), (5, 0.0), (5, 0.5), (5, 3.0)]
)
def test_the_noise_floor_is_the_independent_variance(random, rows, shared):
    """But for what is left uncertain of a shared signal seen through n neighbours' own noise."""
    residual = residuals(random, shared, independent=3.0)
    neighbours = rows * COLUMNS - 1
    uncertain = shared**2 * 9.0 / (neighbours * shared**2 + 9.0)
    floor = noise_floor(residual, np.ones(residual.shape), rows)
    # Contacts at the ends of the probe have fewer neighbours: 4 rows of 60 here.
    assert floor == pytest.approx(9.0 + uncertain, rel=0.03)


def test_the_noise_floor_nears_the_independent_variance_with_more_neighbours(random):
    residual = residuals(random, shared=1.0, independent=1.0)
    floors = [noise_floor(residual, np.ones(residual.shape), rows) for rows in (1, 3, 9)]
    assert floors[0] > floors[1] > floors[2] > 1.0
    assert floors[2] == pytest.approx(1.0, rel=0.08)


def test_what_neighbours_share_wholly_leaves_no_floor(random):
    residual = residuals(random, shared=3.0, independent=0.0)
    assert noise_floor(residual[:, 2:-2], np.ones(residual[:, 2:-2].shape), 1) < 1e-6


def test_masked_pixels_have_no_part_in_the_noise_floor(random):
    residual = residuals(random, shared=0.0, independent=3.0)
    mask = np.ones(residual.shape)
    mask[:, 7, 0] = mask[:, 20:30, 1] = 0
    silenced = np.where(mask > 0, residual, 0)
    assert noise_floor(silenced, mask, 3) == pytest.approx(9.0, rel=0.02)
    column = np.zeros(residual.shape)
    column[..., 0] = 1
    assert noise_floor(residual * column, column, 3) == pytest.approx(9.0, rel=0.02)
