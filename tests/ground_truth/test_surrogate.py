"""Surrogates: the noise of a real recording at any length, and units whose spikes are known."""

import numpy as np
import pytest
import spikeinterface as si

from ephys_deepinterpolation.ground_truth import load_ground_truth
from ephys_deepinterpolation.ground_truth.surrogate import (
    first_channels,
    generate_surrogate,
    measure_likeness,
)
from example_ground_truth import FREQUENCY, GAIN, contents
from example_tissue import tissue
from fixtures import neuropixels, recording_of

UNITS = {"number": 4, "peak_uv": [40.0, 160.0], "firing_rate_hz": [8.0, 15.0]}


@pytest.fixture(scope="module")
def original():
    """A second of 16-bit integers with a gain, which stands for real tissue."""
    integers = np.round(tissue(seed=1, seconds=1.0) / GAIN).astype(np.int16)
    recording = recording_of(integers, neuropixels(16), FREQUENCY)
    recording.set_channel_gains(GAIN)
    return recording


def surrogate(original, seed=1, **changes):
    return generate_surrogate(
        original, **({"duration_s": 20.0, "units": UNITS, "seed": seed} | changes)
    )


@pytest.fixture(scope="module")
def truth(original):
    return surrogate(original)


def test_a_surrogate_is_as_long_as_asked_in_the_units_of_the_original(original, truth):
    recording = truth.recording
    assert recording.get_num_frames() == 20 * FREQUENCY
    assert recording.get_dtype() == np.int16
    np.testing.assert_array_equal(recording.get_channel_gains(), GAIN)
    np.testing.assert_array_equal(recording.channel_ids, original.channel_ids)
    np.testing.assert_array_equal(
        recording.get_channel_locations(), original.get_channel_locations()
    )
    assert truth.facts["exhaustive"] is False


def test_the_recording_is_the_sum_of_its_parts(truth):
    total = sum(part.get_traces(0, 0, 50_000) for part in truth.parts().values())
    expected = truth.recording.get_traces(0, 0, 50_000, return_in_uV=True)
    np.testing.assert_allclose(total, expected, atol=1e-3)
    assert set(truth.parts()) == {"units", "surrogate"}


def test_the_spike_triggered_average_is_the_template(truth):
    """At the peak of each unit, within six standard errors of the noise there."""
    traces = truth.recording.get_traces(return_in_uV=True).astype(float)
    traces -= traces.mean(axis=0)
    before = truth.templates.nbefore
    for unit, template in zip(truth.sorting.unit_ids, truth.templates.templates_array, strict=True):
        frame, channel = np.unravel_index(np.abs(template).argmax(), template.shape)
        spikes = truth.sorting.get_unit_spike_train(unit)
        seen = traces[np.clip(spikes - before + frame, 0, len(traces) - 1), channel]
        error = traces[:, channel].std() / np.sqrt(len(spikes))
        assert seen.mean() == pytest.approx(template[frame, channel], abs=6 * error)


def test_noise_has_the_spectrum_and_the_covariance_of_the_original(original, truth):
    likeness = measure_likeness(truth, original, seed=0)
    spectrum = likeness[(likeness["measure"] == "spectrum") & (likeness["x"] > 500)]
    ratio = np.log(spectrum["surrogate"] / spectrum["original"])
    # Ten windows to a half second of the original: a third of a deviation, less over channels.
    assert abs(ratio.mean()) < 0.05
    assert ratio.std() < 0.3
    correlation = likeness[likeness["measure"] == "correlation"]
    np.testing.assert_allclose(correlation["surrogate"], correlation["original"], atol=0.05)
    covariance = likeness[likeness["measure"] == "covariance"]
    assert np.corrcoef(covariance["surrogate"], covariance["original"])[0, 1] > 0.97


def test_likeness_tells_another_recording_apart(truth):
    """What the test above would not let pass."""
    white = np.random.default_rng(0).normal(scale=15, size=(30_000, 16)).astype(np.float32)
    other = recording_of(white, neuropixels(16), FREQUENCY)
    other = other.rename_channels(truth.recording.channel_ids)
    likeness = measure_likeness(truth, other, seed=0)
    correlation = likeness[likeness["measure"] == "correlation"]
    assert np.abs(correlation["surrogate"] - correlation["original"]).max() > 0.3


def test_a_saved_surrogate_comes_back_with_its_noise(truth, tmp_path):
    truth.save(tmp_path / "truth")
    loaded = load_ground_truth(tmp_path / "truth")
    np.testing.assert_array_equal(
        loaded.recording.get_traces(0, 0, 9000), truth.recording.get_traces(0, 0, 9000)
    )
    np.testing.assert_allclose(
        loaded.noise["surrogate"].get_traces(0, 0, 9000),
        truth.noise["surrogate"].get_traces(0, 0, 9000),
        atol=1e-4,
    )


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_noise(original, tmp_path):
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        surrogate(original, seed=seed, duration_s=1.0).save(tmp_path / name)
    assert contents(tmp_path / "one") == contents(tmp_path / "again")
    one, other = (load_ground_truth(tmp_path / name) for name in ("one", "other"))
    high = [np.diff(each.recording.get_traces()[:, 3].astype(float)) for each in (one, other)]
    assert abs(np.corrcoef(*high)[0, 1]) < 0.1
    assert high[0].std() == pytest.approx(high[1].std(), rel=0.05)


def test_channels_are_counted_from_the_tip_of_the_first_shank():
    recording = si.generate_recording(num_channels=4, durations=[0.1], set_probe=False, seed=0)
    probe = neuropixels(4, part="NP2013")
    probe.set_shank_ids(["1", "0", "1", "0"])
    recording.set_probe(probe)
    chosen = first_channels(recording, 3)
    ids = recording.channel_ids
    assert set(chosen.channel_ids) == {ids[1], ids[3], ids[0]}
    with pytest.raises(ValueError, match="has 4 channels, not 5"):
        first_channels(recording, 5)
