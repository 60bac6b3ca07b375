import itertools

import keras
import numpy as np
import pytest

from ephys_deepinterpolation.denoisers import interpolate_linearly
from ephys_deepinterpolation.network import (
    NetworkParameters,
    UNetParameters,
    build_network,
    flops_per_frame,
    get_weights,
    masked_loss,
    set_weights,
)

COLUMNS, FRAMES = 2, 6
PARAMETERS = NetworkParameters(rows=5, width=7, depth=3)


@pytest.fixture
def network():
    return build_network(PARAMETERS, COLUMNS, FRAMES, seed=0)


def random_contexts(rows, images=4, seed=0):
    shape = (images, rows, FRAMES * COLUMNS)
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def randomize(network, seed=0):
    random = np.random.default_rng(seed)
    set_weights(
        network,
        {
            name: random.normal(scale=0.3, size=values.shape).astype(np.float32)
            for name, values in get_weights(network).items()
        },
    )


@pytest.mark.parametrize("rows", [1, 2, 5, 48, 192])
def test_a_network_takes_any_number_of_rows(network, rows):
    assert np.asarray(network(random_contexts(rows))).shape == (4, rows, COLUMNS)


@pytest.mark.parametrize("rows", [1, 3, 5])
def test_a_new_network_computes_exactly_its_linear_path(rows):
    network = build_network(NetworkParameters(rows, 7, 2), COLUMNS, FRAMES, seed=0)
    kernel = np.random.default_rng(1).normal(size=(rows, FRAMES * COLUMNS, COLUMNS))
    network.get_layer("linear").set_weights([kernel.astype(np.float32)])
    contexts = random_contexts(9)
    np.testing.assert_allclose(
        np.asarray(network(contexts)), interpolate_linearly(kernel, contexts), rtol=1e-4, atol=1e-4
    )


def test_the_correction_can_express_what_the_linear_path_cannot(network):
    randomize(network)
    contexts = random_contexts(9)
    prediction = np.asarray(network(contexts)) - np.asarray(network(0 * contexts))
    mirrored = np.asarray(network(-contexts)) - np.asarray(network(0 * contexts))
    assert np.abs(prediction + mirrored).max() > 0.01


def test_the_seed_decides_the_initial_weights():
    first, again, other = (
        get_weights(build_network(PARAMETERS, COLUMNS, FRAMES, seed)) for seed in (1, 1, 2)
    )
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
    assert not np.array_equal(first["hidden_0/kernel"], other["hidden_0/kernel"])


def test_layers_of_one_network_start_from_different_weights():
    network = build_network(NetworkParameters(rows=3, width=6, depth=4), 1, 6, seed=0)
    kernels = [get_weights(network)[f"hidden_{layer}/kernel"] for layer in range(4)]
    for one, other in itertools.combinations(kernels, 2):
        assert not np.array_equal(one, other)


def test_weights_move_from_one_network_to_another_by_their_paths(network):
    randomize(network)
    other = build_network(PARAMETERS, COLUMNS, FRAMES, seed=9)
    set_weights(other, get_weights(network))
    contexts = random_contexts(9)
    np.testing.assert_array_equal(np.asarray(other(contexts)), np.asarray(network(contexts)))


@pytest.mark.parametrize(
    "change",
    [
        lambda weights: weights.pop("linear/kernel"),
        lambda weights: weights.update({"linear/kernel": weights["linear/kernel"][:1]}),
    ],
    ids=["missing", "other shape"],
)
def test_weights_that_do_not_fit_are_refused_by_name(network, change):
    weights = get_weights(network)
    change(weights)
    before = get_weights(network)
    with pytest.raises(ValueError, match="linear/kernel"):
        set_weights(network, {name: values + 1 for name, values in weights.items()})
    for name, values in get_weights(network).items():
        np.testing.assert_array_equal(values, before[name])


def test_unknown_weights_are_refused_by_name(network):
    weights = get_weights(network) | {"extra/kernel": np.zeros(3, np.float32)}
    with pytest.raises(ValueError, match="extra/kernel"):
        set_weights(network, weights)


@pytest.mark.parametrize("parameters", [PARAMETERS, NetworkParameters(1, 16, 1)])
@pytest.mark.parametrize("rows", [1, 192])
def test_the_count_of_operations_agrees_with_the_kernels(parameters, rows):
    network = build_network(parameters, COLUMNS, FRAMES, seed=0)
    kernels = [
        weight.shape for weight in network.weights if weight.path.rpartition("/")[2] == "kernel"
    ]
    multiplications = sum(np.prod(shape) for shape in kernels)
    assert flops_per_frame(parameters, COLUMNS, FRAMES, rows) == 2 * rows * multiplications


def test_the_losses_are_means_over_the_unmasked_pixels():
    random = np.random.default_rng(0)
    target, prediction = random.normal(size=(2, 3, 5, COLUMNS)).astype(np.float32)
    mask = (random.random(target.shape) > 0.4).astype(np.float32)
    loss = masked_loss("mean_squared_error")(np.stack([target, mask], axis=-1), prediction)
    expected = np.mean((target - prediction)[mask > 0] ** 2)
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    loss = masked_loss("mean_absolute_error")(np.stack([target, mask], axis=-1), prediction)
    expected = np.mean(np.abs(target - prediction)[mask > 0])
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_an_unknown_loss_is_refused_and_the_known_ones_are_named():
    with pytest.raises(ValueError, match=r"'huber'.*mean_squared_error, mean_absolute_error"):
        masked_loss("huber")


def test_masked_pixels_change_neither_the_loss_nor_its_gradient():
    random = np.random.default_rng(0)
    target, prediction = random.normal(size=(2, 3, 5, COLUMNS)).astype(np.float32)
    mask = np.ones(target.shape, np.float32)
    mask[:, 2, 1] = 0
    spoilt = np.where(mask > 0, target, 1e4)
    packed = [np.stack([values, mask], axis=-1) for values in (target, spoilt)]
    losses = [float(masked_loss("mean_squared_error")(each, prediction)) for each in packed]
    assert losses[0] == losses[1]
    moved = np.where(mask > 0, prediction, -1e4)
    assert float(masked_loss("mean_squared_error")(packed[0], moved)) == losses[0]


def test_shifting_the_rows_shifts_the_prediction_away_from_the_ends(network):
    randomize(network)
    shift, height = 3, 40
    reach = PARAMETERS.rows // 2 + PARAMETERS.depth - 1
    contexts = random_contexts(height + shift)
    low = np.asarray(network(contexts[:, :height]))
    high = np.asarray(network(contexts[:, shift:]))
    np.testing.assert_allclose(
        low[:, shift + reach : -reach], high[:, reach : -reach - shift], rtol=1e-4, atol=1e-5
    )


def test_a_row_is_predicted_from_its_neighbourhood_alone(network):
    randomize(network)
    reach = PARAMETERS.rows // 2 + PARAMETERS.depth - 1
    contexts = random_contexts(30)
    moved = contexts.copy()
    moved[:, 15] += 10
    change = np.abs(np.asarray(network(moved)) - np.asarray(network(contexts))).max(axis=(0, 2))
    np.testing.assert_array_equal(
        np.flatnonzero(change > 1e-6), np.arange(15 - reach, 15 + reach + 1)
    )


def test_images_of_a_batch_do_not_see_each_other(network):
    randomize(network)
    contexts = random_contexts(9)
    alone = np.concatenate([np.asarray(network(image[None])) for image in contexts])
    np.testing.assert_allclose(np.asarray(network(contexts)), alone, rtol=1e-4, atol=1e-5)


def test_the_loss_can_be_trained_through_keras(network):
    contexts = random_contexts(9, images=32)
    target = contexts[..., :COLUMNS]
    packed = np.stack([target, np.ones_like(target)], axis=-1)
    network.compile(optimizer=keras.optimizers.Adam(1e-2), loss=masked_loss("mean_squared_error"))
    before = network.evaluate(contexts, packed, verbose=0)
    network.fit(contexts, packed, epochs=30, verbose=0)
    assert network.evaluate(contexts, packed, verbose=0) < 0.5 * before


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (7, 2), (8, 3), (16, 2)])
def test_the_u_net_sees_rows_and_columns_that_do_not_divide_as_if_zeros_followed(rows, columns):
    """Equal to the same images, filled up with zeros beforehand and cut afterwards."""
    parameters = UNetParameters(width=3, depth=2)
    network = build_network(parameters, columns, FRAMES, seed=0)
    shape = (4, rows, FRAMES, columns)
    contexts = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    fill = [(0, 0), (0, -rows % 4), (0, 0), (0, columns % 2)]
    filled = np.pad(contexts, fill)
    wider = build_network(parameters, columns + columns % 2, FRAMES, seed=0)
    set_weights(wider, get_weights(network))
    expected = np.asarray(wider(filled.reshape(4, filled.shape[1], -1)))
    np.testing.assert_allclose(
        np.asarray(network(contexts.reshape(4, rows, -1))),
        expected[:, :rows, :columns],
        atol=1e-6,
    )
