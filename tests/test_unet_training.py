import keras
import numpy as np
import pytest

from ephys_deepinterpolation import unet_rewriting
from ephys_deepinterpolation.network import (
    UNetParameters,
    build_network,
    get_weights,
    masked_loss,
    set_weights,
)
from fixtures import assert_same_weights, noise_recording, train

FRAMES = 6

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the rewriting is for TensorFlow"
)


def two_of(parameters, columns, precision="float32"):
    """The same U-Net twice, as Keras computes it and rewritten; no bias is zero."""
    from ephys_deepinterpolation.unet_training import RewrittenUNet

    network, copy = (build_network(parameters, columns, FRAMES, 0, precision) for _ in range(2))
    random = np.random.default_rng(0)
    weights = {
        path: values + (values.ndim == 1) * random.normal(scale=0.1, size=values.shape)
        for path, values in get_weights(network).items()
    }
    set_weights(network, weights)
    set_weights(copy, weights)
    return network, RewrittenUNet(copy)


def batch_of(rows, columns, images=5):
    """Contexts, and targets with a mask that leaves out every fourth pixel."""
    random = np.random.default_rng(1)
    contexts = random.normal(size=(images, rows, FRAMES * columns)).astype(np.float32)
    targets = random.normal(size=(images, rows, columns)).astype(np.float32)
    mask = (np.arange(rows * columns) % 4 > 0).reshape(rows, columns).astype(np.float32)
    return contexts, np.stack([targets, np.broadcast_to(mask, targets.shape)], axis=-1)


def loss_and_gradients(network, contexts, targets):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = masked_loss("mean_squared_error")(targets, network(contexts, training=True))
    gradients = tape.gradient(loss, [weight.value for weight in network.trainable_variables])
    names = [weight.path for weight in network.trainable_variables]
    return float(loss), {name: each.numpy() for name, each in zip(names, gradients, strict=True)}


def assert_close_gradients(found, expected, tolerance):
    """Relative to the size of the whole gradient of a layer: single entries may cancel to zero."""
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        size = np.sqrt(np.mean(values**2))
        assert size > 0
        np.testing.assert_allclose(found[name], values, rtol=0, atol=tolerance * size, err_msg=name)


@pytest.mark.parametrize(
    ("rows", "columns", "depth"), [(16, 2, 4), (33, 2, 4), (5, 1, 2), (48, 3, 2), (1, 4, 1)]
)
def test_loss_and_gradients_are_those_of_the_network(rows, columns, depth):
    network, rewritten = two_of(UNetParameters(width=4, depth=depth), columns)
    batch = batch_of(rows, columns)
    loss, gradients = loss_and_gradients(network, *batch)
    found_loss, found = loss_and_gradients(rewritten, *batch)
    assert found_loss == pytest.approx(loss, rel=1e-5)
    assert_close_gradients(found, gradients, tolerance=1e-4)


def test_half_precision_rounds_the_gradients_no_more_than_the_network_does():
    parameters = UNetParameters(width=16, depth=3)
    batch = batch_of(24, 2, images=20)
    exact, _ = two_of(parameters, 2)
    network, rewritten = two_of(parameters, 2, "mixed_bfloat16")
    (_, truth), (_, rounded), (_, found) = (
        loss_and_gradients(each, *batch) for each in (exact, network, rewritten)
    )

    def error(gradients):
        return sum(np.sum((gradients[name] - truth[name]) ** 2) for name in truth)

    size = sum(np.sum(values**2) for values in truth.values())
    assert 1e-8 * size < error(found) < min(2 * error(rounded), 0.01 * size)
    assert all(weight.dtype == "float32" for weight in rewritten.weights)


def test_the_weights_are_the_networks_own():
    _, rewritten = two_of(UNetParameters(width=4, depth=2), 2)
    network = rewritten.network
    assert get_weights(rewritten).keys() == get_weights(network).keys()
    before = network(batch_of(16, 2)[0]).numpy()
    for weight in rewritten.trainable_variables:
        weight.assign(weight + 0.1)
    assert np.abs(network(batch_of(16, 2)[0]).numpy() - before).max() > 0.1


def test_steps_of_training_lead_to_the_same_weights():
    networks = two_of(UNetParameters(width=8, depth=2), 2)
    batch = batch_of(19, 2, images=40)
    for network in networks:
        network.compile(
            keras.optimizers.AdamW(1e-3, clipnorm=1.0),
            masked_loss("mean_squared_error"),
        )
        history = network.fit(*batch, batch_size=8, epochs=4, shuffle=False, verbose=0)
        assert history.history["loss"][-1] < 0.98 * history.history["loss"][0]
    expected, found = (get_weights(network) for network in networks)
    for name, values in expected.items():
        # Twenty steps of at most 1e-3 each: a hundredth of the way.
        np.testing.assert_allclose(found[name], values, rtol=0, atol=2e-4, err_msg=name)


UNET = {"network": UNetParameters(width=4, depth=1), "max_steps": 500}


def a_recording():
    return noise_recording(4000, seed=30)


@pytest.fixture(scope="module")
def trained():
    return train(a_recording(), **UNET)


def test_a_model_trained_with_the_rewriting_is_the_one_trained_without(trained, monkeypatch):
    assert unet_rewriting.can_rewrite()
    monkeypatch.setattr(unet_rewriting, "can_rewrite", lambda: False)
    plain = train(a_recording(), **UNET)
    assert not np.array_equal(plain.weights["target/kernel"], trained.weights["target/kernel"])
    assert {name: values.shape for name, values in plain.weights.items()} == {
        name: values.shape for name, values in trained.weights.items()
    }
    for column in ("training_loss", "validation_loss"):
        np.testing.assert_allclose(plain.history[column], trained.history[column], rtol=1e-3)
    assert trained.summary["validation_loss"] < 0.9 * trained.history["validation_loss"][0]


def test_an_interrupted_training_ends_as_an_undisturbed_one(trained, tmp_path, monkeypatch):
    from ephys_deepinterpolation.checkpoint import TrainingState

    def interrupt_the_second(_, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingState, "on_epoch_begin", interrupt_the_second)
    with pytest.raises(KeyboardInterrupt):
        train(a_recording(), checkpoint=tmp_path / "checkpoint", **UNET)
    monkeypatch.undo()
    taken_up = train(a_recording(), checkpoint=tmp_path / "checkpoint", **UNET)
    assert_same_weights(taken_up, trained)
    assert taken_up.history.equals(trained.history)
