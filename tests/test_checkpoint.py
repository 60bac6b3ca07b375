import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ephys_deepinterpolation.checkpoint import TrainingState
from ephys_deepinterpolation.epochs import Epochs
from ephys_deepinterpolation.training import fine_tune
from fixtures import assert_same_weights, neuropixels, noise_recording, train

EVALUATIONS = 3
STEPS = 250 * EVALUATIONS


def a_recording():
    return noise_recording(6000, seed=30)


def assert_same_training(one, other):
    assert_same_weights(one, other)
    pd.testing.assert_frame_equal(one.history, other.history, check_exact=True)
    for name in ("validation_loss", "linear_loss", "noise_floor", "noise_foretold", "steps"):
        assert one.summary[name] == other.summary[name]


def interrupt_after(monkeypatch, evaluations):
    """Press Ctrl-C right after an evaluation."""
    keep = TrainingState._save

    def save(state):
        keep(state)
        if state.epoch == evaluations:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingState, "_save", save)


@pytest.fixture(scope="module")
def undisturbed():
    return train(a_recording(), max_steps=STEPS)


@pytest.fixture(scope="module")
def short():
    """One evaluation only, without a checkpoint."""
    return train(a_recording())


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The bytes of the checkpoint of the same training."""
    path = tmp_path_factory.mktemp("finished") / "checkpoint"
    train(a_recording(), checkpoint=path)
    return path.read_bytes()


@pytest.fixture
def checkpoint(tmp_path):
    return tmp_path / "kept" / "checkpoint"


@pytest.fixture
def starts(monkeypatch):
    """Stop a training before its first step, and note the epoch it would have begun with."""
    epochs = []

    def start(_, *arguments):
        epochs.append(arguments[-1])
        raise KeyboardInterrupt

    monkeypatch.setattr(Epochs, "__init__", start)
    return epochs


@pytest.mark.parametrize("evaluations", [1, 2])
def test_an_interrupted_training_ends_as_an_undisturbed_one(
    undisturbed, checkpoint, monkeypatch, evaluations
):
    interrupt_after(monkeypatch, evaluations)
    with pytest.raises(KeyboardInterrupt):
        train(a_recording(), max_steps=STEPS, checkpoint=checkpoint)
    monkeypatch.undo()
    drawn = []
    read = Epochs._read

    def note(epochs):
        drawn.append(epochs._epoch)
        read(epochs)

    monkeypatch.setattr(Epochs, "_read", note)
    taken_up = train(a_recording(), max_steps=STEPS, checkpoint=checkpoint)
    assert min(drawn) == evaluations
    assert_same_training(taken_up, undisturbed)


@pytest.mark.slow
def test_a_killed_training_ends_as_an_undisturbed_one(undisturbed, checkpoint):
    """Killed in the middle of its second epoch, without a chance to clean up."""
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from ephys_deepinterpolation.checkpoint import TrainingState
from test_checkpoint import STEPS, a_recording, train
def kill(state, batch, logs=None):
    if (state.epoch, batch) == (1, 100):
        os.kill(os.getpid(), signal.SIGKILL)
TrainingState.on_train_batch_end = kill
train(a_recording(), max_steps=STEPS, checkpoint={str(checkpoint)!r})
"""
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert checkpoint.is_file()
    assert_same_training(
        train(a_recording(), max_steps=STEPS, checkpoint=str(checkpoint)), undisturbed
    )


def test_a_checkpoint_changes_nothing_and_a_finished_training_is_not_repeated(
    short, checkpoint, monkeypatch
):
    assert_same_training(train(a_recording(), checkpoint=checkpoint), short)
    assert [path.name for path in checkpoint.parent.iterdir()] == ["checkpoint"]

    def refuse(*_):
        raise AssertionError("a step was made")

    monkeypatch.setattr(Epochs, "__getitem__", refuse)
    assert_same_training(train(a_recording(), checkpoint=checkpoint), short)


def test_the_best_weights_survive_although_the_last_are_spoilt(checkpoint, monkeypatch):
    options = {"learning_rate": 30.0, "max_steps": 500}
    spoilt = train(a_recording(), **options)
    interrupt_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        train(a_recording(), checkpoint=checkpoint, **options)
    monkeypatch.undo()
    taken_up = train(a_recording(), checkpoint=checkpoint, **options)
    assert_same_training(taken_up, spoilt)
    assert (taken_up.weights["correction/kernel"] == 0).all()


def test_patience_goes_on_where_it_was(checkpoint, monkeypatch):
    options = {"learning_rate": 30.0, "max_steps": STEPS, "patience": 2}
    interrupt_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        train(a_recording(), checkpoint=checkpoint, **options)
    monkeypatch.undo()
    for _ in range(2):
        assert train(a_recording(), checkpoint=checkpoint, **options).summary["steps"] == 500


def test_fine_tuning_is_taken_up_too(short, checkpoint, monkeypatch):
    other = noise_recording(6000, seed=31)
    options = {"max_steps": 500, "progress": False}
    expected = fine_tune(short, other, **options)
    interrupt_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        fine_tune(short, other, checkpoint=checkpoint, **options)
    monkeypatch.undo()
    assert_same_training(fine_tune(short, other, checkpoint=checkpoint, **options), expected)


def on_another_probe():
    """The same numbers on the same channels, but the rows swapped."""
    probe = neuropixels()
    probe.set_contacts(probe.contact_positions[::-1], shank_ids=probe.shank_ids)
    probe.set_device_channel_indices(np.arange(16))
    recording = a_recording()
    recording.set_probe(probe)
    return recording


@pytest.mark.parametrize(
    ("recording", "options"),
    [
        (a_recording, {"seed": 9}),
        (a_recording, {"context_ms": 0.3}),
        (a_recording, {"learning_rate": 1e-3}),
        (a_recording, {"max_steps": 500}),
        (lambda: noise_recording(6000, seed=31), {}),
        (on_another_probe, {}),
    ],
    ids=["seed", "context", "rate", "steps", "recording", "probe"],
)
def test_a_checkpoint_of_another_training_is_warned_of_and_ignored(
    finished, checkpoint, starts, recording, options
):
    """It is enough to see where training starts: that it ends well is tested above."""
    checkpoint.parent.mkdir()
    checkpoint.write_bytes(finished)
    with (
        pytest.warns(UserWarning, match="checkpoint is of another training: starting anew"),
        pytest.raises(KeyboardInterrupt),
    ):
        train(recording(), checkpoint=checkpoint, **options)
    assert starts == [0]


def cut(content):
    return content[: len(content) // 2]


def flip_a_number(content):
    return content[:-10] + bytes([content[-10] ^ 0x10]) + content[-9:]


def flip_a_fact(content):
    place = content.index(b"waited")
    return content[: place + 1] + b"x" + content[place + 2 :]


def spoil_the_json(content):
    place = content.index(b"best_loss")
    return content[:place] + b"}" + content[place + 1 :]


@pytest.mark.parametrize(
    "damage",
    [cut, flip_a_number, flip_a_fact, spoil_the_json, lambda _: b"", lambda _: b"a diary"],
    ids=["cut", "number", "fact", "json", "empty", "foreign"],
)
def test_a_damaged_checkpoint_is_warned_of_and_ignored(finished, checkpoint, starts, damage):
    checkpoint.parent.mkdir()
    checkpoint.write_bytes(damage(finished))
    with (
        pytest.warns(UserWarning, match=r"checkpoint cannot be read .*: starting anew"),
        pytest.raises(KeyboardInterrupt),
    ):
        train(a_recording(), checkpoint=checkpoint)
    assert starts == [0]


def test_a_checkpoint_that_is_ignored_is_replaced_by_the_new_trainings(short, checkpoint):
    checkpoint.parent.mkdir()
    checkpoint.write_bytes(b"a diary")
    with pytest.warns(UserWarning, match="starting anew"):
        assert_same_training(train(a_recording(), checkpoint=checkpoint), short)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.filterwarnings("ignore", message="the network did not beat")
        assert_same_training(train(a_recording(), checkpoint=checkpoint), short)
