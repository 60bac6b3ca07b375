"""Model files that are damaged, foreign, incomplete or not finite: one sentence naming the file."""

import json

import h5py
import numpy as np
import pytest
import safetensors
import safetensors.numpy

from ephys_deepinterpolation import model as model_files
from ephys_deepinterpolation.model import ModelError, load_model
from ephys_deepinterpolation.recording import deepinterpolate
from fixtures import noise_recording, untrained_model

ENTRY = "ephys-deepinterpolation"


@pytest.fixture(scope="module")
def recording():
    return noise_recording(600, seed=0)


@pytest.fixture(scope="module")
def whole(recording, tmp_path_factory):
    """A whole model file."""
    folder = tmp_path_factory.mktemp("models")
    return untrained_model(recording).save(folder / "whole.safetensors").path


def rewritten(path, source, change):
    """Write a model file of another's description and arrays, changed, with a hash that fits."""
    with safetensors.safe_open(source, framework="numpy") as file:
        contents = json.loads(file.metadata()[ENTRY])
    arrays = safetensors.numpy.load_file(source)
    change(contents["model"], arrays)
    contents["hash"] = model_files._hash(contents["model"], arrays)
    safetensors.numpy.save_file(arrays, path, metadata={ENTRY: json.dumps(contents)})
    return path


def assert_refused_in_a_sentence(path, match):
    with pytest.raises(ModelError, match=match) as refusal:
        load_model(path)
    sentence = str(refusal.value)
    assert str(path) in sentence
    assert "\n" not in sentence


def test_an_unchanged_copy_is_read(whole, tmp_path):
    load_model(rewritten(tmp_path / "copy.safetensors", whole, lambda description, arrays: None))


@pytest.mark.parametrize(
    "key",
    [
        "network",
        "context",
        "sampling_frequency",
        "columns",
        "row_pitch_um",
        "positions",
        "history",
        "channel_ids",
        "provenance",
    ],
)
def test_a_model_without_part_of_its_description_is_refused(whole, tmp_path, key):
    path = rewritten(
        tmp_path / "part.safetensors", whole, lambda description, arrays: description.pop(key)
    )
    assert_refused_in_a_sentence(path, f"no complete model.*{key}")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("context", {"frames": 3, "omission": 1, "padding": 2}),
        ("context", {"frames": 0, "omission": 1}),
        ("context", {"frames": 3, "omission": -1}),
        ("context", None),
        ("sampling_frequency", 0.0),
        ("sampling_frequency", float("nan")),
        ("sampling_frequency", "30 kHz"),
        ("columns", 0),
        ("row_pitch_um", -15.0),
        ("channel_ids", ["0", "1"]),
        ("positions", []),
        ("history", "none"),
    ],
)
def test_a_description_that_cannot_be_is_refused(whole, tmp_path, key, value):
    path = rewritten(
        tmp_path / "other.safetensors",
        whole,
        lambda description, arrays: description.update({key: value}),
    )
    assert_refused_in_a_sentence(path, "no complete model")


@pytest.mark.parametrize("name", ["network/linear/kernel", "normalization/scale"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused_and_named(whole, tmp_path, name, value):
    def spoil(description, arrays):
        arrays[name] = arrays[name].copy()
        arrays[name].flat[0] = value

    path = rewritten(tmp_path / "spoilt.safetensors", whole, spoil)
    assert_refused_in_a_sentence(path, f"{name} is not finite")


def test_a_model_without_its_normalization_is_refused(whole, tmp_path):
    path = rewritten(
        tmp_path / "bare.safetensors",
        whole,
        lambda description, arrays: arrays.pop("normalization/scale"),
    )
    assert_refused_in_a_sentence(path, "no complete model.*scale")


@pytest.mark.parametrize("change", ["weights", "family", "size"])
def test_a_network_that_is_not_the_one_described_is_refused_when_it_is_to_run(
    whole, recording, tmp_path, change
):
    def alter(description, arrays):
        if change == "weights":
            arrays.pop("network/linear/kernel")
        else:
            description["network"] |= {"family": "other"} if change == "family" else {"width": 9}

    path = rewritten(tmp_path / "other.safetensors", whole, alter)
    with pytest.raises(ModelError, match=rf"{path} is not what it says it is"):
        deepinterpolate(recording, path).get_traces(0, 0, 10)


@pytest.mark.parametrize("suffix", ["h5", "hdf5"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_model_of_keras_that_is_cut_off_is_refused(tmp_path, suffix, share):
    path = tmp_path / f"cut.{suffix}"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Functional"})
        file["model_weights/kernel"] = np.ones(2000, np.float32)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert_refused_in_a_sentence(path, "is damaged or is no model of Keras")


@pytest.mark.parametrize("content", [b"", b"hello\n", b"\x89HDF\r\n\x1a\n" + bytes(500)])
@pytest.mark.parametrize("suffix", ["safetensors", "h5", "pth"])
def test_a_file_of_something_else_is_refused(tmp_path, content, suffix):
    path = tmp_path / f"other.{suffix}"
    path.write_bytes(content)
    assert_refused_in_a_sentence(path, "is damaged or is no model")


def test_deeply_nested_text_is_refused(tmp_path):
    path = tmp_path / "deep.safetensors"
    safetensors.numpy.save_file({"a": np.zeros(1)}, path, metadata={ENTRY: "[" * 100_000})
    assert_refused_in_a_sentence(path, "is damaged or is no model file")
