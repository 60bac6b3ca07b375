"""Recordings that are damaged, dead in part, or hardly there: right results, or one sentence.

What a network, a rival or training makes of them. Files that are not whole are tested beside the
readers, in `ground_truth/test_completeness.py`.
"""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from probeinterface import generate_linear_probe

from ephys_deepinterpolation import contexts
from ephys_deepinterpolation.conditions import apply_condition
from ephys_deepinterpolation.network import LinearParameters
from ephys_deepinterpolation.recording import deepinterpolate, normalization_for
from ephys_deepinterpolation.training import fine_tune
from fixtures import (
    CHANNELS,
    assert_same_weights,
    correlated_noise,
    neuropixels,
    noise_recording,
    recording_of,
    train,
    untrained_model,
)

FRAMES = 1000
BAD = 3
GOOD = np.arange(CHANNELS) != BAD
LINEAR = LinearParameters(rows=3)
# What may be found on a channel that is no signal at all.
DEAD = {
    "nan": np.nan,
    "infinite": np.inf,
    "zero": 0.0,
    "constant": 7.0,
    "saturated": 32_767.0,
    "between-its-limits": np.where(np.arange(FRAMES) % 3, -32_768.0, 32_767.0),
    "hardly-ever-finite": np.where(np.arange(FRAMES) % 4, np.nan, 5.0),
}


@pytest.fixture(scope="module")
def calm():
    return noise_recording(FRAMES, seed=0)


@pytest.fixture(scope="module")
def model(calm):
    """Of random weights, with the scale of `calm`."""
    return replace(untrained_model(calm), normalization=normalization_for(renamed(calm), _loose()))


def _loose():
    """A model of other channels, for which every recording is estimated anew."""
    return untrained_model(noise_recording(FRAMES, seed=0)).replace(channel_ids=("other",))


@pytest.fixture(scope="module")
def without(calm, model):
    """What comes of `calm` where the model does not see the bad channel."""
    return deepinterpolate(calm, silencing(model, BAD)).get_traces()


def silencing(model, *channels):
    silent = model.normalization.silent.copy()
    silent[list(channels)] = True
    return model.replace(normalization=replace(model.normalization, silent=silent))


def renamed(recording):
    return recording.rename_channels([f"AP{index}" for index in range(CHANNELS)])


def with_channel(values, frames=FRAMES):
    traces = correlated_noise(frames, (0, 0))
    traces[:, BAD] = values
    return recording_of(traces)


@pytest.mark.parametrize("values", DEAD.values(), ids=DEAD)
def test_a_dead_channel_stays_as_it_is_is_named_and_spreads_nowhere(model, without, values):
    recording = with_channel(values)
    with pytest.warns(UserWarning, match=rf"left as they are.*not finite: {BAD}$"):
        denoised = deepinterpolate(recording, model).get_traces()
    np.testing.assert_array_equal(denoised[:, BAD], recording.get_traces()[:, BAD])
    np.testing.assert_array_equal(denoised[:, GOOD], without[:, GOOD])


@pytest.mark.parametrize("name", ["nan", "infinite", "constant", "hardly-ever-finite"])
def test_of_channels_that_a_model_does_not_know_the_dead_one_is_found_too(calm, name):
    """The other channels get the scale that they have without it."""
    found = normalization_for(renamed(with_channel(DEAD[name])), _loose())
    alone = normalization_for(renamed(calm).select_channels(_names(GOOD)), _loose())
    np.testing.assert_array_equal(np.flatnonzero(found.silent), [BAD])
    np.testing.assert_array_equal(found.location[GOOD], alone.location)
    np.testing.assert_array_equal(found.scale[GOOD], alone.scale)


def _names(chosen):
    return [f"AP{index}" for index in np.flatnonzero(chosen)]


@pytest.mark.parametrize("on_device", [False, True], ids=["host", "device"])
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_values_that_are_not_finite_stay_and_are_shown_as_silence(
    calm, model, monkeypatch, value, on_device
):
    monkeypatch.setattr(contexts, "on_accelerator", lambda: on_device)
    broken = np.zeros((FRAMES, CHANNELS), bool)
    broken[300:350, BAD] = broken[340, 4] = broken[700, 0] = True
    traces = calm.get_traces()
    location = np.broadcast_to(model.normalization.location, traces.shape)
    denoised = deepinterpolate(recording_of(np.where(broken, value, traces)), model).get_traces()
    silence = deepinterpolate(recording_of(np.where(broken, location, traces)), model)
    np.testing.assert_array_equal(denoised[broken], np.float32(value))
    np.testing.assert_array_equal(denoised[~broken], silence.get_traces()[~broken])


def test_a_gap_on_all_channels_stays_and_is_shown_as_silence(calm, model):
    traces = calm.get_traces().copy()
    traces[300:350] = np.nan
    denoised = deepinterpolate(recording_of(traces), model).get_traces()
    assert np.isnan(denoised[300:350]).all()
    assert np.isfinite(np.delete(denoised, np.s_[300:350], axis=0)).all()
    untouched = deepinterpolate(calm, model).get_traces()
    np.testing.assert_array_equal(denoised[:256], untouched[:256])


@pytest.mark.parametrize("value", [0.0, 40.0, np.nan])
def test_a_recording_of_dead_channels_stays_as_it_is(model, value):
    recording = recording_of(np.full((FRAMES, CHANNELS), value, np.float32))
    with pytest.warns(UserWarning, match="not finite: 0, 1, 2.* and 6 others"):
        denoised = deepinterpolate(recording, model)
    np.testing.assert_array_equal(denoised.get_traces(), recording.get_traces())


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_recording_of_dead_channels_that_a_model_does_not_know_is_refused(value):
    recording = recording_of(np.full((FRAMES, CHANNELS), value, np.float32))
    with pytest.raises(ValueError, match="every channel of the recording is constant"):
        deepinterpolate(renamed(recording), _loose())


def test_all_channels_but_one_may_be_dead(calm, model):
    others = [index for index in range(CHANNELS) if index != 4]
    traces = np.where(np.arange(CHANNELS) == 4, calm.get_traces(), np.float32(9))
    denoised = deepinterpolate(recording_of(traces), model).get_traces()
    np.testing.assert_array_equal(denoised[:, others], 9)
    alone = deepinterpolate(calm, silencing(model, *others)).get_traces()
    np.testing.assert_array_equal(denoised[:, 4], alone[:, 4])


def test_a_good_recording_is_not_warned_of_and_keeps_the_models_normalization(calm, model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        deepinterpolate(calm, model)
    assert normalization_for(calm, model) is model.normalization


@pytest.mark.parametrize("frames", [1, 2, 10])
def test_fewer_frames_than_a_context_are_denoised(calm, frames):
    """Of other channels than the model's, whose scale is estimated from those frames, too."""
    few = recording_of(calm.get_traces()[:frames])
    model = untrained_model(calm)
    denoised = deepinterpolate(few, model).get_traces()
    assert denoised.shape == (frames, CHANNELS)
    assert np.isfinite(denoised).all()
    if frames == 10:
        assert np.isfinite(deepinterpolate(renamed(few), _loose()).get_traces()).all()


def test_a_segment_without_frames_is_passed_over(calm, model):
    traces = calm.get_traces()
    segments = deepinterpolate(recording_of([traces[:0], traces]), model)
    assert segments.get_traces(0).shape == (0, CHANNELS)
    np.testing.assert_array_equal(segments.get_traces(1), deepinterpolate(calm, model).get_traces())


@pytest.mark.parametrize("segments", [1, 2])
def test_a_recording_without_frames_is_refused(calm, model, segments):
    with pytest.raises(ValueError, match="the recording holds no frames"):
        deepinterpolate(recording_of([calm.get_traces()[:0]] * segments), model)


@pytest.mark.parametrize(("gain", "offset"), [(0.0, 0.0), (np.nan, 0.0), (1.0, np.inf)])
def test_a_gain_that_is_none_is_refused_and_its_channel_named(calm, model, gain, offset):
    recording = recording_of(calm.get_traces())
    recording.set_channel_gains(np.where(GOOD, 1.0, gain))
    recording.set_channel_offsets(np.where(GOOD, 0.0, offset))
    with pytest.raises(ValueError, match=f"the gain of channel {BAD} to µV is {gain:g}"):
        deepinterpolate(recording, model)


@pytest.mark.parametrize("values", [np.nan, 0.0, 32_767.0])
def test_a_model_of_the_deepinterpolation_package_sees_no_dead_channel(calm, values):
    model = untrained_model(calm).replace(layout="file-order", row_pitch_um=0.0)
    recording = with_channel(values)
    with pytest.warns(UserWarning, match=f"not finite: {BAD}$"):
        denoised = deepinterpolate(recording, model)
    kept = normalization_for(recording, model)
    others = calm.select_channels(calm.channel_ids[GOOD])
    alone = normalization_for(others, model)
    np.testing.assert_allclose(kept.scale[GOOD], alone.scale, rtol=1e-6)
    np.testing.assert_array_equal(denoised.get_traces()[:, BAD], recording.get_traces()[:, BAD])


# Training


def learn(recording, **options):
    return train(recording, network=LINEAR, **options)


@pytest.fixture(scope="module")
def learnt():
    """A linear model of good channels."""
    return learn(noise_recording(FRAMES, seed=0))


@pytest.mark.parametrize("name", ["nan", "constant"])
def test_a_dead_channel_is_left_out_of_training_and_named(learnt, name):
    with pytest.warns(UserWarning, match=rf"left out of training.*not finite: {BAD}$"):
        found = learn(with_channel(DEAD[name]))
    np.testing.assert_array_equal(np.flatnonzero(found.normalization.silent), [BAD])
    with pytest.warns(UserWarning, match=rf"left out of training.*not finite: {BAD}$"):
        saturated = learn(with_channel(DEAD["saturated"]))
    assert_same_weights(found, saturated)
    relative = found.summary["validation_loss"] / learnt.summary["validation_loss"]
    assert relative == pytest.approx(1, abs=0.1)


def test_stretches_that_are_not_finite_are_left_out_of_training(learnt):
    traces = correlated_noise(FRAMES, (0, 0))
    traces[100:200, BAD] = np.nan
    traces[400:450] = np.inf
    traces[::40, 7] = np.nan
    found = learn(recording_of(traces))
    assert not found.normalization.silent.any()
    assert all(np.isfinite(values).all() for values in found.weights.values())
    relative = found.summary["validation_loss"] / learnt.summary["validation_loss"]
    assert relative == pytest.approx(1, abs=0.1)


def test_a_dead_channel_is_left_out_of_fine_tuning_and_named(learnt):
    with pytest.warns(UserWarning, match=rf"left out of training.*not finite: {BAD}$"):
        tuned = fine_tune(learnt, with_channel(np.nan), progress=False)
    np.testing.assert_array_equal(np.flatnonzero(tuned.normalization.silent), [BAD])
    assert all(np.isfinite(values).all() for values in tuned.weights.values())


def test_one_channel_is_learnt_and_denoised():
    probe = generate_linear_probe(1)
    probe.set_device_channel_indices([0])
    recording = recording_of(correlated_noise(FRAMES, 0)[:, :1], probe=probe)
    found = learn(recording)
    assert found.summary["validation_loss"] < found.summary["constant_loss"]
    assert np.isfinite(deepinterpolate(recording, found).get_traces()).all()


@pytest.mark.parametrize("frames", [[0], [1], [10], [FRAMES, 10], [0, 0]], ids=str)
def test_a_recording_that_is_too_short_to_learn_from_is_refused(learnt, frames):
    recording = recording_of([correlated_noise(FRAMES, 0)[:each] for each in frames])
    sentence = "training needs at least .* take a longer recording"
    for omission_ms in (None, "auto"):
        with pytest.raises(ValueError, match=sentence):
            learn(recording, omission_ms=omission_ms)
    with pytest.raises(ValueError, match=f"{sentence}|holds no frames"):
        fine_tune(learnt, recording, progress=False)


def test_a_segment_without_frames_does_not_count_in_training(learnt):
    traces = correlated_noise(FRAMES, (0, 0))
    assert_same_weights(learn(recording_of([traces[:0], traces])), learnt)


@pytest.mark.parametrize("value", [5.0, np.nan, 32_767.0])
def test_a_recording_of_dead_channels_teaches_nothing(value):
    with pytest.raises(ValueError, match="there is nothing to learn"):
        learn(recording_of(np.full((FRAMES, CHANNELS), value, np.float32)))


# Rivals


RIVALS = {
    "identity": {},
    "boxcar": {"width_ms": 0.5},
    "low_rank": {"rank": 2, "chunk_ms": 20.0},
    "gaussian_filter": {"freq_min": None, "freq_max": 1000.0},
}


def rival(name, recording):
    return apply_condition(recording, [{"name": name, "params": RIVALS[name]}]).get_traces()


@pytest.mark.parametrize("name", RIVALS)
@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_rivals_do_to_the_others_what_they_do_without_a_dead_channel(calm, name, value):
    found = rival(name, with_channel(value))
    alone = rival(name, calm.select_channels(calm.channel_ids[GOOD]))
    np.testing.assert_allclose(found[:, GOOD], alone, atol=1e-3)
    if np.isfinite(value):
        np.testing.assert_allclose(found[:, BAD], value, atol=1e-3)
    else:
        assert not np.isfinite(found[:, BAD]).any()


@pytest.mark.parametrize("name", RIVALS)
@pytest.mark.parametrize("frames", [1, 10])
@pytest.mark.parametrize("channels", [1, CHANNELS])
def test_rivals_work_on_hardly_any_frames_or_channels(name, frames, channels):
    probe = generate_linear_probe(channels) if channels == 1 else neuropixels(channels)
    probe.set_device_channel_indices(np.arange(channels))
    recording = recording_of(correlated_noise(frames, 0)[:, :channels], probe=probe)
    found = rival(name, recording)
    assert found.shape == (frames, channels)
    assert np.isfinite(found).all()
