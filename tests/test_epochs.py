import keras
import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from ephys_deepinterpolation import optimisation
from ephys_deepinterpolation.checkpoint import TrainingState
from ephys_deepinterpolation.contexts import GatheringNetwork, ResidentContexts
from ephys_deepinterpolation.epochs import Epochs, IndexedEpochs, stretch_frames
from ephys_deepinterpolation.frames import FrameRange, Frames, split_frames
from ephys_deepinterpolation.geometry import image_of_recording
from ephys_deepinterpolation.network import build_network, get_weights
from ephys_deepinterpolation.normalization import estimate_normalization
from ephys_deepinterpolation.windows import Context
from fixtures import (
    CHANNELS,
    SMALL_NETWORK,
    assert_same_weights,
    correlated_noise,
    neuropixels,
    noise_recording,
    recording_of,
    train,
)

CONTEXT = Context(frames=4, omission=1)
STEPS = 500


def two_shanks():
    probe = neuropixels()
    probe.set_shank_ids(np.repeat(["0", "1"], CHANNELS // 2))
    return probe


def with_a_transient():
    traces = correlated_noise(1200, seed=2)
    traces[500:502] = 1e5
    return recording_of(traces, two_shanks())


def all_transient():
    """Of 2000 frames, all but the first 900 in reach of a transient."""
    traces = correlated_noise(2000, seed=3)
    traces[900::6] = 1e5
    return recording_of(traces, two_shanks())


def plain(frames):
    return noise_recording(frames, seed=4, probe=two_shanks())


def whole(recordings):
    """All targets whose contexts do not leave their segment."""
    return [
        FrameRange(index, segment, CONTEXT.margin, recording.get_num_samples(segment) - 5)
        for index, recording in enumerate(recordings)
        for segment in range(recording.get_num_segments())
    ]


def split(recordings):
    return split_frames(recordings, CONTEXT)[0]


def frames_of(recordings):
    sample = np.concatenate([each.get_traces(0)[:400] for each in recordings])
    alike = len(recordings)
    images = [image_of_recording(recordings[0])] * alike
    return Frames(recordings, images, [estimate_normalization(sample)] * alike, CONTEXT)


@pytest.mark.parametrize(
    ("recordings", "choose"),
    [
        ([plain(60)], whole),
        ([plain([60, 900, 20_000])], whole),
        ([plain([1500, 900]), with_a_transient(), plain(700)], split),
        ([all_transient(), plain(900)], split),
    ],
    ids=["short", "uneven", "more than are read", "a piece without targets"],
)
def test_contexts_gathered_by_index_are_those_sent_from_the_host(recordings, choose):
    frames, pieces = frames_of(recordings), choose(recordings)
    sent, indexed = (kind(frames, pieces, 16, seed=5, epoch=2) for kind in (Epochs, IndexedEpochs))
    resident = ResidentContexts(stretch_frames(pieces, CONTEXT), frames.shape)
    for _ in range(3):
        resident.hold(indexed.stretch())
        for step in range(0, len(sent), 5):
            (contexts, targets), (index, same_targets) = sent[step], indexed[step]
            gathered = keras.ops.convert_to_numpy(resident(index))
            np.testing.assert_array_equal(gathered, contexts)
            np.testing.assert_array_equal(same_targets, targets)
        for epochs in (sent, indexed):
            epochs.on_epoch_end()


def test_a_gathering_network_takes_an_index_as_it_takes_contexts():
    recordings = [plain(600)]
    frames, pieces = frames_of(recordings), whole(recordings)
    epochs = IndexedEpochs(frames, pieces, 16, seed=5, epoch=0)
    network = build_network(SMALL_NETWORK, 2, 2 * CONTEXT.frames, 0)
    for weight in network.weights:
        weight.assign(np.random.default_rng(0).normal(size=weight.shape))
    gathering = GatheringNetwork(network, stretch_frames(pieces, CONTEXT), frames.shape)
    gathering.resident.hold(epochs.stretch())
    contexts, _ = Epochs(frames, pieces, 16, seed=5, epoch=0)[0]
    expected = keras.ops.convert_to_numpy(network(contexts))
    assert expected.std() > 0
    for inputs in (epochs[0][0], contexts):
        found = keras.ops.convert_to_numpy(gathering(inputs))
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def a_recording():
    return noise_recording([3000, 4000], seed=30, probe=two_shanks())


def train_where(device, checkpoint=None):
    """Train as on an accelerator, or as on a CPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(optimisation, "on_accelerator", lambda: device)
        return train(a_recording(), max_steps=STEPS, checkpoint=checkpoint)


def checkpoint_of_interrupted(device, checkpoint):
    """Press Ctrl-C right after the first evaluation."""
    keep = TrainingState._save

    def save(state):
        keep(state)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingState, "_save", save)
        with pytest.raises(KeyboardInterrupt):
            train_where(device, checkpoint)
    return checkpoint.read_bytes()


@pytest.fixture(scope="module")
def on_host():
    return train_where(device=False)


@pytest.fixture(scope="module")
def on_device():
    return train_where(device=True)


@pytest.fixture(scope="module")
def kept_on_device(tmp_path_factory):
    return checkpoint_of_interrupted(True, tmp_path_factory.mktemp("device") / "checkpoint")


@pytest.fixture
def checkpoint(tmp_path):
    return tmp_path / "checkpoint"


def assert_close_training(one, other):
    """But for rounding, which the optimiser carries along."""
    pd.testing.assert_frame_equal(one.history, other.history, rtol=1e-5)
    for name, values in one.weights.items():
        np.testing.assert_allclose(other.weights[name], values, rtol=1e-3, atol=1e-4, err_msg=name)


def test_training_on_the_device_is_training_on_the_host(on_device, on_host):
    assert on_device.history["validation_loss"].is_monotonic_decreasing
    assert_close_training(on_device, on_host)


def test_an_interrupted_training_on_the_device_ends_as_an_undisturbed_one(
    on_device, kept_on_device, checkpoint
):
    checkpoint.write_bytes(kept_on_device)
    taken_up = train_where(device=True, checkpoint=checkpoint)
    assert_same_weights(taken_up, on_device)
    pd.testing.assert_frame_equal(taken_up.history, on_device.history, check_exact=True)


def refuse(*_):
    raise AssertionError("drew batches of the other kind")


def test_the_host_goes_on_from_a_checkpoint_of_the_device(
    on_host, kept_on_device, checkpoint, monkeypatch
):
    checkpoint.write_bytes(kept_on_device)
    monkeypatch.setattr(IndexedEpochs, "__getitem__", refuse)
    assert_close_training(train_where(device=False, checkpoint=checkpoint), on_host)


def test_the_device_goes_on_from_a_checkpoint_of_the_host(on_host, checkpoint, monkeypatch):
    checkpoint_of_interrupted(False, checkpoint)
    monkeypatch.setattr(Epochs, "__getitem__", refuse)
    assert_close_training(train_where(device=True, checkpoint=checkpoint), on_host)


def test_a_checkpoint_holds_the_network_and_nothing_of_the_recording(kept_on_device, checkpoint):
    checkpoint.write_bytes(kept_on_device)
    kept = load_file(checkpoint)
    weights = get_weights(build_network(SMALL_NETWORK, 2, 2 * CONTEXT.frames, 0))
    names = {f"{which}/{name}" for which in ("best", "current") for name in weights}
    assert {name for name in kept if not name.startswith("optimiser/")} == names
    assert max(each.size for each in kept.values()) == max(each.size for each in weights.values())
