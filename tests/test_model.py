import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
from spikeinterface.preprocessing import bandpass_filter, scale_to_uV

from ephys_deepinterpolation.model import Model, ModelError, load_model, recording_identity
from ephys_deepinterpolation.normalization import Normalization
from ephys_deepinterpolation.windows import Context
from fixtures import integer_recording, noise_recording, train


@pytest.fixture
def tiny():
    """A model of few numbers, so that every byte of its file can be tried."""
    return Model(
        network={"rows": 1, "width": 1, "depth": 1},
        weights={"linear/kernel": np.arange(6, dtype=np.float32).reshape(1, 6, 1) / 7},
        context=Context(frames=3, omission=1),
        sampling_frequency=30_000.0,
        columns=1,
        row_pitch_um=20.0,
        positions=np.array([[0.0, 0.0], [0.1, 20.0]]),
        normalization=Normalization(
            location=np.array([1.5, -2.5], np.float32),
            scale=np.array([9.0, 11.0], np.float32),
            silent=np.array([False, True]),
        ),
        channel_ids=("AP0", "AP1"),
        provenance={"seed": 4, "summary": {"validation_loss": 0.1}, "note": "µV"},
        history=pd.DataFrame(
            {
                "step": [0, 250],
                "training_loss": [np.nan, 1 / 3],
                "validation_loss": [0.1 + 0.2, 1e-20 / 3],
            }
        ),
    )


def assert_same_model(one, other):
    assert set(one.weights) == set(other.weights)
    for name in one.weights:
        assert one.weights[name].dtype == other.weights[name].dtype
        np.testing.assert_array_equal(one.weights[name], other.weights[name])
    for name, values in vars(one.normalization).items():
        assert values.dtype == getattr(other.normalization, name).dtype
        np.testing.assert_array_equal(values, getattr(other.normalization, name))
    for name in (
        "network",
        "context",
        "sampling_frequency",
        "columns",
        "row_pitch_um",
        "channel_ids",
        "provenance",
    ):
        assert getattr(one, name) == getattr(other, name)
    np.testing.assert_array_equal(one.positions, other.positions)
    pd.testing.assert_frame_equal(one.history, other.history, check_exact=True)


ENTRY = "ephys-deepinterpolation"


def contents_of(path):
    with safetensors.safe_open(path, framework="numpy") as file:
        return json.loads(file.metadata()[ENTRY])


def with_contents(source, target, **changes):
    """Copy a model file with other contents beside its tensors; None leaves one out."""
    contents = contents_of(source) | changes
    contents = {name: value for name, value in contents.items() if value is not None}
    safetensors.numpy.save_file(
        safetensors.numpy.load_file(source), target, metadata={ENTRY: json.dumps(contents)}
    )


def test_a_saved_model_is_read_back_to_the_last_bit(tiny, tmp_path):
    saved = tiny.save(tmp_path / "new" / "model.safetensors")
    loaded = load_model(str(saved.path))
    assert_same_model(loaded, tiny)
    assert loaded.path == saved.path == tmp_path / "new" / "model.safetensors"
    assert tiny.path is None


def test_a_trained_model_is_read_back_to_the_last_bit(trained, model):
    assert_same_model(load_model(model.path), trained)


def test_a_model_is_saved_to_the_same_bytes_every_time(tiny, trained, tmp_path):
    for model in (tiny, trained):
        first = model.save(tmp_path / "first.safetensors").path
        again = model.save(tmp_path / "again.safetensors").path
        loaded = load_model(first).save(tmp_path / "loaded.safetensors").path
        assert first.read_bytes() == again.read_bytes() == loaded.read_bytes()


def test_a_model_without_history_or_provenance_can_be_saved(tiny, tmp_path):
    bare = tiny.replace(history=pd.DataFrame(), provenance={})
    loaded = load_model(bare.save(tmp_path / "bare.safetensors").path)
    assert loaded.history.empty
    assert loaded.summary == {}


def test_the_summary_comes_from_the_provenance(tiny):
    assert tiny.summary == {"validation_loss": 0.1}


def test_replacing_leaves_the_model_as_it_was(tiny):
    other = tiny.replace(columns=9)
    assert (other.columns, tiny.columns) == (9, 1)
    assert other.weights is tiny.weights


def test_a_file_cut_short_anywhere_is_refused_by_name(tiny, tmp_path):
    whole = tiny.save(tmp_path / "model.safetensors").path.read_bytes()
    cut = tmp_path / "cut.safetensors"
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])
        with pytest.raises(ModelError, match=r"cut\.safetensors"):
            load_model(cut)


@pytest.mark.parametrize("flip", [0x01, 0x0F, 0x80])
def test_a_byte_flipped_anywhere_is_refused_by_name_or_changes_nothing(tiny, tmp_path, flip):
    whole = tiny.save(tmp_path / "model.safetensors").path.read_bytes()
    flipped = tmp_path / "flipped.safetensors"
    refused = 0
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= flip
        flipped.write_bytes(damaged)
        try:
            loaded = load_model(flipped)
        except ModelError as error:
            refused += 1
            assert "flipped.safetensors" in str(error)
        else:
            assert_same_model(loaded, tiny)
    assert refused > 0.95 * len(whole)


@pytest.mark.parametrize(
    "content",
    [b"", b"not a model", b"\x89HDF\r\n\x1a\n" + bytes(500), b"PK\x03\x04" + bytes(500)],
    ids=["empty", "text", "h5", "zip"],
)
def test_a_foreign_file_is_refused_by_name(tmp_path, content):
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"foreign\.safetensors"):
        load_model(path)


def test_safetensors_of_another_program_are_refused_by_name(tmp_path):
    path = tmp_path / "foreign.safetensors"
    safetensors.numpy.save_file({"weights": np.zeros(3)}, path)
    with pytest.raises(ModelError, match=r"foreign\.safetensors has format 'none'"):
        load_model(path)


def test_a_newer_format_is_refused_and_both_formats_are_named(tiny, tmp_path):
    source = tiny.save(tmp_path / "model.safetensors").path
    newer = tmp_path / "newer.safetensors"
    with_contents(source, newer, format="ephys-deepinterpolation/2")
    with pytest.raises(
        ModelError, match=r"newer\.safetensors.*deepinterpolation/2.*deepinterpolation/1"
    ):
        load_model(newer)


@pytest.mark.parametrize("entry", ["model", "hash"])
def test_a_file_without_its_description_or_hash_is_refused(tiny, tmp_path, entry):
    source = tiny.save(tmp_path / "model.safetensors").path
    damaged = tmp_path / "damaged.safetensors"
    with_contents(source, damaged, **{entry: None})
    with pytest.raises(ModelError, match=r"damaged\.safetensors"):
        load_model(damaged)


def test_a_description_edited_by_hand_is_refused(tiny, tmp_path):
    source = tiny.save(tmp_path / "model.safetensors").path
    edited = tmp_path / "edited.safetensors"
    description = contents_of(source)["model"] | {"sampling_frequency": 25_000.0}
    with_contents(source, edited, model=description)
    with pytest.raises(ModelError, match="hash"):
        load_model(edited)


def test_opening_a_file_runs_no_code(tmp_path):
    class Trap:
        def __reduce__(self):
            return Path.touch, (tmp_path / "sprung",)

    path = tmp_path / "trap.safetensors"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ModelError):
        load_model(path)
    assert not (tmp_path / "sprung").exists()
    pickle.loads(path.read_bytes())
    assert (tmp_path / "sprung").exists()


def test_a_file_is_a_header_of_plain_json_before_plain_numbers(tiny, tmp_path):
    content = tiny.save(tmp_path / "model.safetensors").path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    numbers = content[8 + length :]
    start, end = header["network/linear/kernel"]["data_offsets"]
    assert numbers[start:end] == tiny.weights["linear/kernel"].tobytes()
    assert len(numbers) == max(
        entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"
    )


def test_a_file_that_does_not_exist_is_said_to_be_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.safetensors"):
        load_model(tmp_path / "absent.safetensors")


def test_a_failed_save_leaves_the_old_file_and_nothing_beside_it(tiny, tmp_path, monkeypatch):
    path = tiny.save(tmp_path / "model.safetensors").path

    def run_out_of_space(file, content):
        with file.open("wb") as opened:
            opened.write(content[: len(content) // 2])
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_bytes", run_out_of_space)
    with pytest.raises(OSError, match="no space"):
        replace(tiny, columns=9).save(path)
    monkeypatch.undo()
    assert_same_model(load_model(path), tiny)
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_saved_model_can_be_read_by_others_as_any_new_file(tiny, tmp_path):
    (tmp_path / "any").touch()
    saved = tiny.save(tmp_path / "model.safetensors")
    assert saved.path.stat().st_mode == (tmp_path / "any").stat().st_mode


def test_a_model_knows_the_recording_it_saw(model, recording):
    assert load_model(model.path).saw(recording)
    assert model.saw(integer_recording([12_000, 8_000], seed=1))


def test_a_model_does_not_know_a_recording_of_another_noise_seed(model):
    assert not model.saw(integer_recording([12_000, 8_000], seed=2))


def test_a_model_does_not_know_a_longer_or_shorter_recording(model):
    assert not model.saw(integer_recording([12_000, 9_000], seed=1))
    assert not model.saw(integer_recording([12_000], seed=1))


def test_a_model_knows_its_recording_however_it_was_preprocessed(model, recording):
    band = {"freq_min": 300.0, "freq_max": 3000.0}
    for other in (scale_to_uV(recording), bandpass_filter(scale_to_uV(recording), **band)):
        assert model.saw(other)
        assert not model.was_fitted_to(other)
    filtered = train(bandpass_filter(scale_to_uV(recording), **band))
    assert filtered.saw(recording)
    assert not filtered.was_fitted_to(recording)


def test_an_excerpt_is_a_recording_of_its_own():
    """Trained on one half, a model has not seen the other one."""
    whole = noise_recording(24_000, seed=4)
    halves = [whole.frame_slice(0, 12_000), whole.frame_slice(12_000, 24_000)]
    model = train(scale_to_uV(halves[0]))
    assert model.saw(halves[0])
    assert not model.saw(scale_to_uV(halves[1]))


def test_a_model_of_unknown_origin_saw_nothing(tiny, recording):
    assert not tiny.saw(recording)


@pytest.mark.parametrize("frames", [1, 50, 100, 101, 250])
def test_short_recordings_have_an_identity_that_follows_their_traces(frames):
    identities = {recording_identity(noise_recording(frames, seed)) for seed in (1, 2)}
    assert len(identities) == 2
    assert recording_identity(noise_recording(frames, 1)) in identities
