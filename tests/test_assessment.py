"""A user is told whether a model suits a recording, and why."""

import subprocess
import sys

import numpy as np
import pytest
import spikeinterface as si
from probeinterface import generate_multi_columns_probe
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, sosfiltfilt

from ephys_deepinterpolation import assess, fine_tune
from ephys_deepinterpolation.assessment import (
    DO_NOT_USE,
    FINE_TUNE,
    MOST_SATURATED,
    SUITS,
    main,
)
from ephys_deepinterpolation.figures import style
from ephys_deepinterpolation.predictability import COPIES_NOISE
from ephys_deepinterpolation.recording import TOLERATED_DIFFERENCE
from example_legacy import LegacyFile
from fixtures import (
    CHANNELS,
    FREQUENCY,
    correlated_noise,
    recording_of,
    train,
)

FRAMES = 40_000
SPIKE = 150.0 * np.array([-0.4, -1.0, -0.5, 0.1, 0.4, 0.3, 0.15])


def smoother_noise(frames, seed):
    """Noise of a lower band than `correlated_noise`, and hardly any that is white."""
    random = np.random.default_rng(seed)
    smooth = gaussian_filter1d(random.normal(size=(frames, CHANNELS)), 6.0, axis=0)
    return (10 * smooth / smooth.std() + 2 * random.normal(size=smooth.shape)).astype(np.float32)


def spiking(seed, noise=correlated_noise, frames=FRAMES):
    """Noise and spikes on three neighbouring channels each, which are not linear to predict."""
    random = np.random.default_rng((seed, 7))
    traces = noise(frames, seed)
    for start in random.integers(0, frames - len(SPIKE), size=frames // 100):
        channel = random.integers(1, CHANNELS - 1)
        shape = np.outer(SPIKE, [0.4, 1.0, 0.4])
        traces[start : start + len(SPIKE), channel - 1 : channel + 2] += shape
    return traces


@pytest.fixture(scope="module")
def familiar():
    """What the model was trained on."""
    return recording_of(spiking(1))


@pytest.fixture(scope="module")
def fitting(familiar):
    return train(familiar, max_steps=500)


@pytest.fixture(scope="module")
def found(fitting):
    """The verdict on another recording of the same kind."""
    return assess(recording_of(spiking(2)), fitting)


def measure(found, name, column="value"):
    return found.measures.set_index("measure")[column][name]


def bandpassed(low, high, seed=2):
    sos = butter(4, [low, high], btype="band", fs=FREQUENCY, output="sos")
    return recording_of(sosfiltfilt(sos, spiking(seed), axis=0).astype(np.float32))


def test_a_model_suits_another_recording_of_the_same_kind(found):
    assert found.verdict == SUITS
    assert str(found) == found.sentence
    assert found.sentence.startswith("The model suits this recording: its loss is ")
    assert "trained on this recording" not in found.sentence
    assert measure(found, "gain_over_linear", "low") > measure(found, "gain_over_linear", "limit")


def test_losses_are_in_the_order_that_they_must_have_and_lie_in_their_intervals(found):
    names = ("model_loss", "linear_loss", "constant_loss")
    losses = [measure(found, name) for name in names]
    assert losses == sorted(losses)
    assert 0 < measure(found, "noise_floor") < measure(found, "linear_loss")
    for name in names:
        assert measure(found, name, "low") < measure(found, name) < measure(found, name, "high")


def test_the_losses_are_those_of_training_on_the_same_kind_of_frames(found, fitting):
    for name, known in (
        ("model_loss", "validation_loss"),
        ("linear_loss", "linear_loss"),
        ("constant_loss", "constant_loss"),
        ("noise_floor", "noise_floor"),
    ):
        assert measure(found, name) == pytest.approx(fitting.summary[known], rel=0.15)


def test_the_same_recording_gives_the_same_verdict_to_the_last_digit(found, fitting):
    again = assess(recording_of(spiking(2)), fitting)
    assert again.sentence == found.sentence
    assert again.measures.equals(found.measures)


def test_a_model_that_saw_the_recording_is_said_to_have(familiar, fitting):
    found = assess(familiar, fitting)
    assert "it was trained on this recording, so that its loss here proves nothing" in str(found)
    assert measure(found, "seen_in_training") == 1


def test_a_band_passed_recording_would_be_copied(fitting):
    found = assess(bandpassed(500, 1500), fitting)
    assert found.verdict == DO_NOT_USE
    assert "would copy the noise" in found.sentence
    assert measure(found, "noise_foretold") > COPIES_NOISE
    assert measure(found, "upper_edge") == pytest.approx(1750, abs=300)
    assert "it holds next to nothing above" in found.sentence


def test_noise_of_another_spectrum_asks_for_fine_tuning(fitting):
    found = assess(recording_of(spiking(3, smoother_noise)), fitting)
    assert found.verdict == FINE_TUNE
    assert "not below that of linear interpolation fitted to the recording itself" in str(found)
    assert measure(found, "model_loss") > measure(found, "linear_loss")


def test_the_model_suits_once_it_is_fine_tuned_as_the_sentence_says(fitting):
    tuned = fine_tune(
        fitting, recording_of(spiking(4, smoother_noise)), max_steps=250, progress=False
    )
    assert assess(recording_of(spiking(3, smoother_noise)), tuned).verdict == SUITS


def test_a_model_that_is_no_better_than_a_constant_is_not_to_be_used(fitting):
    inverted = {name: -values for name, values in fitting.weights.items()}
    found = assess(recording_of(correlated_noise(FRAMES, 5)), fitting.replace(weights=inverted))
    assert found.verdict == DO_NOT_USE
    assert "no better than a constant" in found.sentence


def test_slow_waves_that_the_model_was_not_trained_on_are_named(fitting):
    slow = butter(2, 30, fs=FREQUENCY, output="sos")
    waves = sosfiltfilt(slow, np.random.default_rng(4).normal(size=(FRAMES, 1)), axis=0)
    found = assess(recording_of((spiking(2) + 300 * waves / waves.std()).astype("f4")), fitting)
    assert found.verdict != SUITS
    assert "lies below 300 Hz" in found.sentence
    assert "times as loud as what the model was trained on" in found.sentence


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1.005, SUITS), (1.2, FINE_TUNE), (1.5, DO_NOT_USE), (0.6, DO_NOT_USE)]
)
def test_another_sampling_rate_is_judged_as_when_a_model_is_applied(fitting, factor, verdict):
    found = assess(recording_of(spiking(2), frequency=factor * FREQUENCY), fitting)
    assert found.verdict == verdict
    assert measure(found, "sampling_rate_difference") == pytest.approx(abs(factor - 1))
    assert measure(found, "sampling_rate_difference", "limit") == TOLERATED_DIFFERENCE
    assert ("sampling rate" in found.sentence) == (verdict != SUITS)


@pytest.mark.parametrize(
    ("columns", "pitch", "verdict"),
    [(2, 18.0, FINE_TUNE), (2, 40.0, DO_NOT_USE), (1, 15.0, DO_NOT_USE)],
)
def test_another_probe_is_judged_as_when_a_model_is_applied(fitting, columns, pitch, verdict):
    probe = generate_multi_columns_probe(columns, CHANNELS // columns, 32.0, pitch)
    probe.set_device_channel_indices(np.arange(CHANNELS))
    found = assess(recording_of(spiking(2), probe=probe), fitting)
    assert found.verdict == verdict
    assert ("columns" if columns == 1 else "distance between rows") in found.sentence


def test_a_recording_without_a_probe_is_refused_in_a_sentence(fitting):
    found = assess(si.NumpyRecording([spiking(2)], FREQUENCY), fitting)
    assert found.verdict == DO_NOT_USE
    assert "no probe" in found.sentence


@pytest.mark.parametrize(("share", "verdict"), [(0.02, SUITS), (3 * MOST_SATURATED, DO_NOT_USE)])
def test_saturation_is_said_and_much_of_it_decides(fitting, share, verdict):
    traces = spiking(2)
    for start in range(0, FRAMES, 200):
        traces[start : start + round(share * 200)] = 5000.0
    found = assess(recording_of(traces), fitting)
    assert found.verdict == verdict
    assert "saturation" in found.sentence
    assert measure(found, "saturated_frames") >= share / 2


@pytest.mark.parametrize(("dead", "verdict"), [(1, SUITS), (CHANNELS - 4, DO_NOT_USE)])
def test_dead_channels_are_named_and_many_decide(fitting, dead, verdict):
    traces = spiking(2)
    traces[:, :dead] = 0.0
    found = assess(recording_of(traces), fitting)
    assert found.verdict == verdict
    assert "left as they are: 0" in found.sentence
    assert measure(found, "silent_channels") == pytest.approx(dead / CHANNELS)


def test_a_recording_that_is_dead_altogether_has_a_verdict(fitting):
    found = assess(recording_of(np.zeros((FRAMES, CHANNELS), np.float32)), fitting)
    assert found.verdict == DO_NOT_USE


def test_values_that_are_not_finite_do_not_spoil_the_losses(fitting, found):
    traces = spiking(2)
    traces[::50, 3] = np.nan
    measured = assess(recording_of(traces), fitting)
    assert measure(measured, "model_loss") == pytest.approx(measure(found, "model_loss"), rel=0.1)


def test_gains_that_are_missing_are_said_to_be(fitting):
    recording = recording_of(spiking(2))
    bare = si.NumpyRecording([recording.get_traces()], FREQUENCY)
    bare.set_probe(recording.get_probe())
    found = assess(bare, fitting)
    assert "no gains" in found.sentence
    assert found.verdict == SUITS


def test_integers_with_gains_are_judged_as_the_microvolts_they_stand_for(fitting, found):
    integers = recording_of(np.round(spiking(2) / 0.2).astype(np.int16))
    integers.set_channel_gains(0.2)
    measured = assess(integers, fitting)
    assert measured.verdict == SUITS
    assert measure(measured, "model_loss") == pytest.approx(measure(found, "model_loss"), rel=0.01)


def test_many_segments_some_of_them_empty_are_one_recording(fitting):
    pieces = np.array_split(spiking(2), 7)
    found = assess(recording_of([pieces[0], pieces[0][:0], *pieces[1:]]), fitting)
    assert found.verdict == SUITS


def test_a_model_of_the_deepinterpolation_package_is_judged_too(tmp_path):
    path = tmp_path / "unet.h5"
    LegacyFile(rows=CHANNELS // 2).write(path)
    found = assess(recording_of(spiking(2, frames=12_000), frequency=30_000.0), path)
    assert found.verdict == DO_NOT_USE
    assert measure(found, "model_loss") > 0


@pytest.mark.parametrize("frames", [0, 100, 2000])
def test_a_recording_too_short_to_tell_is_refused(fitting, frames):
    with pytest.raises(ValueError, match=rf"holds {frames} frames; .* takes at least"):
        assess(recording_of(spiking(2)[:frames]), fitting)


def test_only_excerpts_of_a_long_recording_are_read(fitting, monkeypatch):
    recording = recording_of(np.tile(spiking(2), (50, 1)))
    read = []
    segment = type(recording.segments[0])
    get = segment.get_traces

    def counted(self, start_frame, end_frame, channel_indices):
        traces = get(self, start_frame, end_frame, channel_indices)
        read.append(traces.shape)
        return traces

    monkeypatch.setattr(segment, "get_traces", counted)
    assess(recording, fitting)
    whole = [frames for frames, channels in read if channels == CHANNELS]
    assert sum(whole) < recording.get_num_frames() / 4


def test_the_figure_is_drawn_of_every_verdict(found, fitting, tmp_path):
    refused = assess(recording_of(spiking(2), frequency=2 * FREQUENCY), fitting)
    for each in (found, refused):
        assert style.save(each.figure(), tmp_path / "figure.png").stat().st_size > 10_000


@pytest.fixture(scope="module")
def saved(fitting, tmp_path_factory):
    """A recording and a model on disk."""
    folder = tmp_path_factory.mktemp("assessed")
    recording_of(spiking(2)).save(folder=folder / "recording", progress_bar=False)
    fitting.save(folder / "model.safetensors")
    return folder


def test_the_command_prints_the_sentence_and_draws_the_figure(saved, tmp_path, capsys, found):
    figure = tmp_path / "figure.png"
    recording, model = str(saved / "recording"), str(saved / "model.safetensors")
    assert main([recording, model, "--figure", str(figure)]) == 0
    assert capsys.readouterr().out == f"{found}\n"
    assert figure.stat().st_size > 10_000


@pytest.mark.parametrize("wrong", ["recording", "model", "figure", "sorting"])
def test_bad_input_of_the_command_is_one_sentence(saved, tmp_path, wrong):
    given = {
        "recording": saved / "recording",
        "model": saved / "model.safetensors",
        "figure": tmp_path / "figure.png",
    }
    if wrong == "sorting":
        sorting = si.NumpySorting.from_unit_dict([{0: np.array([1, 2])}], FREQUENCY)
        given["recording"] = tmp_path / "sorting"
        sorting.save(folder=given["recording"])
    else:
        given[wrong] = tmp_path / "nowhere"
    said = main([str(given["recording"]), str(given["model"]), "--figure", str(given["figure"])])
    assert isinstance(said, str)
    assert "\n" not in said
    assert ("nowhere" in said) or ("no recording" in said)


def test_the_command_ends_with_an_error_where_it_cannot_tell(tmp_path):
    command = [sys.executable, "-m", "ephys_deepinterpolation.assessment"]
    ended = subprocess.run(
        [*command, tmp_path / "recording", tmp_path / "model"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert str(tmp_path) in ended.stderr
