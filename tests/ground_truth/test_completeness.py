"""Files of recordings that are cut off, corrupt or hold nothing: one sentence each."""

import json
import shutil

import numpy as np
import pytest
import spikeinterface as si

from ephys_deepinterpolation.ground_truth import read_recorded
from ephys_deepinterpolation.ground_truth.completeness import UnusableError, refuse_cut_off
from fixtures import CHANNELS, FREQUENCY, correlated_noise, neuropixels, recording_of

FRAMES = 500


def integers(frames=FRAMES):
    return np.round(10 * correlated_noise(frames, 0)).astype(np.int16)


def saved(folder, traces, **options):
    recording = recording_of(traces)
    recording.save(folder=folder, progress_bar=False, verbose=False, **options)
    return folder


def raw_of(folder, segment=0):
    return folder / f"traces_cached_seg{segment}.raw"


def assert_refused(path, *words, reader="load", **arguments):
    with pytest.raises(ValueError) as refusal:
        read_recorded(reader, path, arguments=arguments or None)
    sentence = str(refusal.value)
    assert str(path) in sentence
    assert "\n" not in sentence
    for word in words:
        assert word in sentence


def test_a_whole_recording_is_read(tmp_path):
    folder = saved(tmp_path / "whole", integers())
    read = read_recorded("load", folder).recording
    np.testing.assert_array_equal(read.get_traces(), integers())


@pytest.mark.parametrize("missing", [1, 2, 31])
def test_a_file_that_ends_within_a_frame_is_cut_off(tmp_path, missing):
    folder = saved(tmp_path / "cut", integers())
    whole = raw_of(folder).read_bytes()
    raw_of(folder).write_bytes(whole[:-missing])
    assert_refused(folder, "cut off", f"{len(whole) - missing} bytes of {len(whole)}", "copy it")


def test_a_file_without_a_byte_holds_no_frames(tmp_path):
    folder = saved(tmp_path / "empty", integers())
    raw_of(folder).write_bytes(b"")
    assert_refused(folder, "holds no frames")


def test_a_segment_without_frames_is_named(tmp_path):
    folder = saved(tmp_path / "segments", [integers(), integers()])
    raw_of(folder, 1).write_bytes(b"")
    assert_refused(folder, "segment 1 of ", "holds no frames: leave it out")


@pytest.mark.parametrize("file", ["binary.json", "si_folder.json", "traces_cached_seg0.raw"])
def test_a_file_that_is_missing_is_named(tmp_path, file):
    folder = saved(tmp_path / "part", integers())
    (folder / file).unlink()
    assert_refused(folder, file)


@pytest.mark.parametrize("file", ["binary.json", "si_folder.json", "probegroup.json"])
@pytest.mark.parametrize("content", ["", "{", '{"kwargs": 1}', "[]"], ids=str)
def test_a_description_that_is_damaged_is_refused(tmp_path, file, content):
    folder = saved(tmp_path / "damaged", integers())
    (folder / file).write_text(content)
    assert_refused(folder)


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("dtype", "float32", "not finite on 16 of 16 channels"),
        ("dtype", "nonsense", "nonsense"),
        ("num_channels", 15, "channels"),
        ("sampling_frequency", "fast", "cannot be read"),
        ("file_paths", ["elsewhere.raw"], "elsewhere.raw"),
    ],
)
def test_a_description_of_other_files_is_refused(tmp_path, key, value, word):
    folder = saved(tmp_path / "other", integers())
    description = json.loads((folder / "binary.json").read_text())
    description["kwargs"][key] = value
    (folder / "binary.json").write_text(json.dumps(description))
    assert_refused(folder, word)


@pytest.mark.parametrize("how", ["cut", "lost"])
def test_a_compressed_recording_that_is_damaged_is_refused(tmp_path, how):
    folder = saved(tmp_path / "compressed.zarr", integers(), format="zarr")
    chunk = folder / "traces_seg0" / "0.0"
    if how == "cut":
        chunk.write_bytes(chunk.read_bytes()[:1000])
        assert_refused(folder, "cannot be read from frame 0 of segment 0 on")
    else:
        chunk.unlink()
        assert_refused(folder, "constant on every channel")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused_and_their_channels_named(tmp_path, value):
    """They would spread over time and channels in the filters of every condition."""
    traces = correlated_noise(FRAMES, 0)
    traces[:, 3] = value
    traces[-5:, 7] = value
    folder = saved(tmp_path / "broken", traces)
    assert_refused(folder, "on 2 of 16 channels", "3 (100.00%), 7 (1.00%)", "remove or interpolate")


def test_an_excerpt_before_the_values_that_are_not_finite_is_read(tmp_path):
    traces = correlated_noise(FRAMES, 0)
    traces[400] = np.nan
    folder = saved(tmp_path / "broken", traces)
    read_recorded("load", folder, duration_s=400 / FREQUENCY)
    with pytest.raises(UnusableError, match="not finite"):
        read_recorded("load", folder, duration_s=401 / FREQUENCY)


@pytest.mark.parametrize("dtype", ["int16", "float32"])
@pytest.mark.parametrize("value", [0, 32_767])
def test_a_recording_without_any_signal_is_refused(tmp_path, dtype, value):
    folder = saved(tmp_path / "still", np.full((FRAMES, CHANNELS), value, dtype))
    assert_refused(folder, "constant on every channel: there is nothing to sort")


def test_a_recording_with_one_channel_alive_is_read(tmp_path):
    traces = np.where(np.arange(CHANNELS) == 4, integers(), np.int16(9))
    read_recorded("load", saved(tmp_path / "one", traces))


@pytest.mark.parametrize("frames", [1, 10, 99, 100])
def test_a_recording_of_less_than_ten_milliseconds_is_refused(tmp_path, frames):
    folder = saved(tmp_path / "short", [integers(), integers(frames)])
    if frames / FREQUENCY >= 0.01:
        read_recorded("load", folder)
    else:
        assert_refused(folder, f"has a segment of {1000 * frames / FREQUENCY:g} ms", "longer")


def test_a_recording_without_gains_is_refused(tmp_path):
    recording = si.NumpyRecording([integers()], FREQUENCY)
    recording.set_probe(neuropixels())
    recording.save(folder=tmp_path / "bare", progress_bar=False, verbose=False)
    assert_refused(tmp_path / "bare", "no gains", "set_channel_gains()")


def test_a_gain_of_zero_is_refused_and_its_channel_named(tmp_path):
    recording = recording_of(integers())
    recording.set_channel_gains(np.where(np.arange(CHANNELS) == 5, 0.0, 0.1))
    recording.save(folder=tmp_path / "zero", progress_bar=False, verbose=False)
    assert_refused(tmp_path / "zero", "the gain of channel 5 to µV is 0", "set_channel_gains()")


@pytest.mark.parametrize("reader", ["read_spikeglx", "read_openephys", "load"])
def test_a_folder_of_something_else_is_refused(tmp_path, reader):
    (tmp_path / "notes.txt").write_text("hello")
    assert_refused(tmp_path, reader=reader)


@pytest.mark.parametrize("told", [FRAMES, FRAMES + 1])
def test_a_file_of_spikeglx_shorter_than_its_metadata_say_is_cut_off(tmp_path, told):
    frame = 2 * CHANNELS
    (tmp_path / "run_g0").mkdir()
    file = tmp_path / "run_g0" / "run_g0_t0.imec0.ap.bin"
    file.write_bytes(integers().tobytes())
    file.with_suffix(".meta").write_text(f"imSampRate=30000\nfileSizeBytes={told * frame}\n")
    recording = recording_of(integers())
    if told == FRAMES:
        refuse_cut_off(recording, "read_spikeglx", tmp_path)
        return
    sentence = rf"{file} is cut off, it holds {FRAMES * frame} bytes of {told * frame}"
    with pytest.raises(UnusableError, match=sentence):
        refuse_cut_off(recording, "read_spikeglx", tmp_path)


@pytest.mark.parametrize("numbers", ["sample_numbers.npy", "timestamps.npy"])
@pytest.mark.parametrize("told", [FRAMES, FRAMES + 1])
def test_a_file_of_open_ephys_shorter_than_its_numbers_is_cut_off(tmp_path, numbers, told):
    frame = 2 * CHANNELS
    stream = tmp_path / "continuous" / "Probe-A"
    stream.mkdir(parents=True)
    entry = {"folder_name": "Probe-A/", "num_channels": CHANNELS}
    (tmp_path / "structure.oebin").write_text(json.dumps({"continuous": [entry]}))
    (stream / "continuous.dat").write_bytes(integers().tobytes())
    np.save(stream / numbers, np.arange(told))
    recording = recording_of(integers())
    if told == FRAMES:
        refuse_cut_off(recording, "read_openephys", tmp_path)
        return
    sentence = rf"continuous\.dat is cut off, it holds {FRAMES * frame} bytes of {told * frame}"
    with pytest.raises(UnusableError, match=sentence):
        refuse_cut_off(recording, "read_openephys", tmp_path)


def test_a_training_recording_is_held_to_the_same(tmp_path):
    folder = saved(tmp_path / "whole", integers())
    cut = shutil.copytree(folder, tmp_path / "cut")
    raw_of(cut).write_bytes(raw_of(cut).read_bytes()[:-1])
    with pytest.raises(UnusableError, match=rf"{raw_of(cut)} is cut off"):
        read_recorded("load", folder, training_path=cut)
