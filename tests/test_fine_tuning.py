import warnings

import numpy as np
import pandas as pd
import pytest
from probeinterface.generator import generate_linear_probe
from scipy.ndimage import gaussian_filter1d
from scipy.stats import norm

from ephys_deepinterpolation.model import ModelError, load_model, recording_identity
from ephys_deepinterpolation.recording import deepinterpolate
from ephys_deepinterpolation.training import fine_tune
from fixtures import (
    CHANNELS,
    FREQUENCY,
    assert_same_weights,
    correlated_noise,
    neuropixels,
    noise_recording,
    recording_of,
    train,
    untrained_model,
    white_noise,
)

FRAMES = 12_000


def tune(model, recordings, **options):
    return fine_tune(model, recordings, progress=False, **{"max_steps": 250, "seed": 3} | options)


def other_noise(seed, smooth, level, own):
    """Noise of another spectrum and level than `correlated_noise`, on the same channels."""
    random = np.random.default_rng(seed)
    noise = gaussian_filter1d(random.normal(size=(FRAMES, CHANNELS)), smooth, axis=0)
    noise = gaussian_filter1d(noise, 1.0, axis=1)
    traces = level * noise / noise.std() + own * random.normal(size=noise.shape)
    return recording_of(traces.astype(np.float32))


def in_windows(seed, level=10.0, own=0.0):
    """One column follows the size, not the sign, of the other: nothing linear predicts it."""
    random = np.random.default_rng(seed)
    traces = random.normal(size=(FRAMES, CHANNELS))
    size = np.abs(np.roll(traces[:, ::2], 1, axis=0))
    traces[:, 1::2] = norm.ppf(2 * norm.cdf(size) - 1)
    traces += own * random.normal(size=traces.shape)
    return recording_of((level * traces).astype(np.float32))


@pytest.fixture(scope="module")
def first():
    return noise_recording(FRAMES, seed=20)


@pytest.fixture(scope="module")
def pretrained(first):
    return train(first)


@pytest.mark.parametrize("seed", [3, 8])
def test_a_learning_rate_of_zero_changes_nothing(pretrained, first, seed):
    other = other_noise(0, smooth=1.0, level=10, own=5)
    tuned = tune(pretrained, other, learning_rate=0.0, seed=seed)
    assert_same_weights(tuned, pretrained)
    np.testing.assert_array_equal(
        deepinterpolate(first, tuned).get_traces(), deepinterpolate(first, pretrained).get_traces()
    )
    assert len(set(tuned.history["validation_loss"])) == 1


def test_the_model_it_starts_from_is_left_as_it_was(pretrained, first, tmp_path):
    saved = pretrained.save(tmp_path / "model.safetensors")
    before = saved.path.read_bytes()
    tuned = tune(saved, other_noise(0, smooth=1.0, level=10, own=5))
    assert saved.path.read_bytes() == before
    assert saved.save(tmp_path / "again.safetensors").path.read_bytes() == before
    assert tuned.path is None


@pytest.mark.parametrize(
    "shift",
    [
        {"smooth": 1.0, "level": 10, "own": 5},
        {"smooth": 4.0, "level": 10, "own": 5},
        {"smooth": 1.0, "level": 25, "own": 15},
    ],
    ids=["faster", "slower", "louder"],
)
def test_other_noise_is_learnt_in_a_few_hundred_steps(pretrained, shift):
    """Measured on the same held-out frames; a learning rate of 0 tells the model's own loss."""
    other = other_noise(1, **shift)
    given = tune(pretrained, other, learning_rate=0.0).summary["validation_loss"]
    tuned = tune(pretrained, other)
    assert tuned.summary["validation_loss"] < 0.9 * given


def test_before_its_first_step_it_is_no_worse_than_linear_interpolation(pretrained):
    """Which the linear path of other noise, kept as it was, would be."""
    other = other_noise(1, smooth=4.0, level=10, own=5)
    given = tune(pretrained, other, learning_rate=0.0).summary
    tuned = tune(pretrained, other)
    assert given["validation_loss"] > 1.1 * given["linear_loss"]
    assert tuned.history["validation_loss"][0] <= 1.01 * tuned.summary["linear_loss"]


def test_the_loss_before_the_first_step_is_the_given_models(pretrained):
    """As applied with `deepinterpolate` to the held-out frames."""
    other = other_noise(2, smooth=1.0, level=10, own=5)
    tuned = tune(pretrained, other, learning_rate=0.0)
    residual = deepinterpolate(other, pretrained).get_traces() - other.get_traces()
    scaled = residual / pretrained.normalization.scale
    held_out = []
    for block in np.linspace(0, FRAMES, 6).astype(int)[1:]:
        margin = pretrained.context.margin
        held_out.append(scaled[block - FRAMES // 50 + margin : block - margin] ** 2)
    assert tuned.history["validation_loss"][0] == pytest.approx(
        np.concatenate(held_out).mean(), rel=1e-3
    )


def test_what_was_learnt_before_is_a_head_start_over_the_same_steps_from_scratch():
    """Where there is something to learn that the linear start of a new network lacks."""
    options = {"context_ms": 0.1, "omission_ms": 0.0}
    long = train(in_windows(0), max_steps=1000, **options)
    other = in_windows(1, level=14.0, own=0.1)
    tuned = tune(long, other, learning_rate=5e-4)
    scratch = train(other, **options)
    shares = [
        each.summary["validation_loss"] / each.summary["constant_loss"] for each in (tuned, scratch)
    ]
    assert shares[0] < 0.95 * shares[1]


def test_it_never_ends_worse_than_it_began(pretrained, first):
    given = tune(pretrained, first, learning_rate=0.0).summary["validation_loss"]
    tuned = tune(pretrained, first, learning_rate=30.0)
    losses = tuned.history["validation_loss"].to_numpy()
    assert not losses[-1] <= losses[0]
    assert tuned.summary["validation_loss"] == losses[0] <= given


def test_the_provenance_names_where_it_came_from_and_both_recordings(pretrained, first, tmp_path):
    other = noise_recording(FRAMES, seed=21)
    tuned = tune(pretrained, other)
    tuned = load_model(tuned.save(tmp_path / "tuned.safetensors").path)
    assert tuned.provenance["trained_from"] == pretrained.provenance["weights"]
    assert tuned.provenance["weights"] != pretrained.provenance["weights"]
    identities = [seen["identity"] for seen in tuned.provenance["recordings"]]
    assert identities == [recording_identity(first), recording_identity(other)]
    assert tuned.saw(first)
    assert tuned.saw(other)
    assert not pretrained.saw(other)
    assert tuned.provenance["optimisation"]["max_steps"] == 250
    assert tuned.provenance["optimisation"]["learning_rate"] == 5e-4


def test_the_same_seed_tunes_the_same_weights(pretrained):
    other = other_noise(0, smooth=1.0, level=10, own=5)
    one, again = tune(pretrained, other), tune(pretrained, other)
    assert_same_weights(one, again)
    pd.testing.assert_frame_equal(one.history, again.history, check_exact=True)


def test_the_normalization_is_kept_for_the_same_channels(pretrained):
    tuned = tune(pretrained, noise_recording(FRAMES, seed=22))
    assert tuned.normalization.to_dict() == pretrained.normalization.to_dict()


def test_a_louder_recording_of_the_same_channels_is_normalized_anew(pretrained):
    louder = other_noise(0, smooth=1.0, level=25, own=15)
    tuned = tune(pretrained, louder)
    np.testing.assert_allclose(tuned.normalization.scale, louder.get_traces().std(axis=0), rtol=0.1)


def test_a_recording_of_more_channels_is_tuned_to_with_its_own_normalization(pretrained):
    traces = 3 * correlated_noise(FRAMES, seed=5, channels=32)
    larger = recording_of(traces)
    tuned = tune(pretrained, larger)
    assert tuned.channel_ids == tuple(str(channel) for channel in larger.channel_ids)
    np.testing.assert_array_equal(tuned.positions, larger.get_channel_locations())
    np.testing.assert_allclose(tuned.normalization.scale, traces.std(axis=0), rtol=0.1)
    assert tuned.summary["constant_loss"] == pytest.approx(1.0, abs=0.1)
    assert tuned.summary["predictability"] > 0.3
    assert deepinterpolate(larger, tuned).get_traces(0, 0, 100).shape == (100, 32)


def test_a_probe_of_other_columns_is_refused(pretrained):
    probe = generate_linear_probe(CHANNELS)
    probe.set_device_channel_indices(np.arange(CHANNELS))
    with pytest.raises(ModelError, match="2 columns and this one has 1"):
        tune(pretrained, noise_recording(FRAMES, seed=0, probe=probe))


def test_another_sampling_rate_is_refused(pretrained):
    with pytest.raises(ModelError, match=r"10000 Hz.*30000 Hz"):
        tune(pretrained, recording_of(white_noise(0), frequency=3 * FREQUENCY))


def test_recordings_that_differ_are_refused(pretrained, first):
    fewer = first.select_channels(first.channel_ids[:-2])
    with pytest.raises(ValueError, match="recording 1 differs from recording 0"):
        tune(pretrained, [first, fewer])


def test_a_recording_too_short_is_refused(pretrained):
    with pytest.raises(ValueError, match="training needs at least"):
        tune(pretrained, noise_recording(50, seed=0))


def test_a_tuned_model_fits_the_rate_and_pitch_it_was_tuned_to():
    """They are warned of once, before, and not ever after."""
    trained_on = noise_recording(1000, seed=0)
    probe = neuropixels()
    probe.set_contacts(probe.contact_positions * [1, 1.2], shank_ids=probe.shank_ids)
    probe.set_device_channel_indices(np.arange(CHANNELS))
    stretched = noise_recording(4000, seed=1, probe=probe, frequency=1.1 * FREQUENCY)
    with pytest.warns(UserWarning, match="trained at a") as caught:
        tuned = tune(untrained_model(trained_on), stretched)
    sentences = " ".join(str(warning.message) for warning in caught)
    assert "10000 Hz and the recording has 11000 Hz" in sentences
    assert "15 µm and the recording has 18 µm" in sentences
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        deepinterpolate(stretched, tuned)
