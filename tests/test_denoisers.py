import numpy as np
import pytest

from ephys_deepinterpolation.denoisers import (
    LinearInterpolation,
    interpolate_linearly,
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
