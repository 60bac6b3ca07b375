"""Noise passed through, by frequency: filters and mixtures that are known are found."""

import numpy as np
import pytest
from scipy.signal import butter, freqz, lfilter, sosfilt

from ephys_deepinterpolation.artifacts import Excerpt, noise_transfer

FREQUENCY = 30_000.0
FRAMES, CHANNELS, EXCERPTS = 7500, 6, 12


def excerpts(output_of, parts=("correlated", "independent"), spikes=0.0):
    """Excerpts of two parts of noise, one of them coloured, and what becomes of them."""
    made = []
    for index in range(EXCERPTS):
        random = np.random.default_rng(index)
        white = random.normal(size=(2, FRAMES, CHANNELS)) * 8.0
        noise = {"correlated": lfilter([0.5], [1, -0.5], white[0], axis=0), "independent": white[1]}
        noise = {name: noise[name] for name in parts}
        shape = np.zeros((FRAMES, CHANNELS))
        shape[400::800] = spikes
        quiet = np.ones((FRAMES, CHANNELS), bool)
        for frame in range(400, FRAMES, 800):
            quiet[frame - 60 : frame + 61] = False
        reference = sum(noise.values()) + shape
        made.append(Excerpt(reference, output_of(reference, noise, shape), noise, quiet))
    return made


def gains(table, part):
    return table.loc[table["part"] == part].set_index("frequency_hz")["gain"]


def test_a_copy_passes_everything_at_every_frequency():
    table = noise_transfer(excerpts(lambda reference, noise, spikes: reference), FREQUENCY)
    np.testing.assert_allclose(table["gain"], 1.0, atol=1e-6)
    whole = table[table["part"] == "input"]
    np.testing.assert_allclose(whole["coherence"], 1.0, atol=1e-6)


def test_a_filter_shows_its_own_response():
    taps = np.array([0.25, 0.5, 0.25])
    table = noise_transfer(
        excerpts(lambda reference, noise, spikes: lfilter(taps, 1, reference, axis=0)), FREQUENCY
    )
    for part in ("input", "correlated", "independent"):
        gain = gains(table, part)
        _, response = freqz(taps, worN=gain.index.to_numpy(), fs=FREQUENCY)
        np.testing.assert_allclose(gain, np.abs(response), atol=0.03)


def test_parts_passed_in_different_shares_are_told_apart():
    table = noise_transfer(
        excerpts(
            lambda reference, noise, spikes: 0.9 * noise["correlated"] + 0.2 * noise["independent"]
        ),
        FREQUENCY,
    )
    np.testing.assert_allclose(gains(table, "correlated"), 0.9, atol=1e-6)
    np.testing.assert_allclose(gains(table, "independent"), 0.2, atol=1e-6)
    assert gains(table, "input").between(0.2, 0.9).all()


def test_coherence_is_the_share_of_the_output_that_a_part_explains():
    table = noise_transfer(excerpts(lambda reference, noise, spikes: reference), FREQUENCY)
    shares = table.pivot_table(index="frequency_hz", columns="part", values="coherence")
    np.testing.assert_allclose(shares["correlated"] + shares["independent"], 1.0, atol=0.1)
    response = freqz([0.5], [1, -0.5], worN=shares.index.to_numpy(), fs=FREQUENCY)[1]
    power = np.abs(response) ** 2
    np.testing.assert_allclose(shares["correlated"], power / (power + 1), atol=0.1)


def test_output_that_has_nothing_to_do_with_the_noise_passes_none():
    def unrelated(reference, noise, spikes):
        return np.random.default_rng(reference[0].view(np.uint64)).normal(size=reference.shape)

    table = noise_transfer(excerpts(unrelated), FREQUENCY)
    assert (table["gain"] < 0.03).all()
    assert (table["coherence"] < 0.02).all()


def test_what_becomes_of_spikes_is_no_matter():
    kept = noise_transfer(
        excerpts(lambda reference, noise, spikes: reference, spikes=500.0), FREQUENCY
    )
    lost = noise_transfer(
        excerpts(lambda reference, noise, spikes: reference - spikes, spikes=500.0), FREQUENCY
    )
    np.testing.assert_allclose(lost["gain"], kept["gain"])
    np.testing.assert_allclose(lost["gain"], 1.0, atol=1e-6)


def test_on_real_data_there_is_the_input_alone():
    table = noise_transfer(excerpts(lambda reference, *_: 0.3 * reference), FREQUENCY)
    alone = [
        Excerpt(each.reference, each.output, {}, each.quiet)
        for each in excerpts(lambda reference, *_: 0.3 * reference)
    ]
    table = noise_transfer(alone, FREQUENCY)
    assert set(table["part"]) == {"input"}
    np.testing.assert_allclose(table["gain"], 0.3, atol=1e-6)


def test_where_the_reference_has_hardly_any_power_nothing_is_said():
    band = butter(8, [300.0, 6000.0], "bandpass", fs=FREQUENCY, output="sos")
    filtered = [
        Excerpt(reference, reference + 0.01 * each.reference, {}, each.quiet)
        for each in excerpts(lambda reference, *_: reference)
        for reference in [sosfilt(band, each.reference, axis=0)]
    ]
    gain = gains(noise_transfer(filtered, FREQUENCY), "input")
    assert gain[gain.index > 11_000].isna().all()
    inside = gain[(gain.index > 500) & (gain.index < 5000)]
    np.testing.assert_allclose(inside, 1.0, atol=0.05)


@pytest.mark.parametrize("quiet", [False, True])
def test_a_channel_without_quiet_windows_or_without_signal_takes_no_part(quiet):
    made = []
    for each in excerpts(lambda reference, *_: 0.5 * reference):
        silent = each.quiet.copy()
        silent[:, 0] = quiet
        reference, output = each.reference.copy(), each.output.copy()
        reference[:, 0] = 0.0 if quiet else reference[:, 0]
        output[:, 0] = 77.0 * output[:, 0]
        made.append(Excerpt(reference, output, {}, silent))
    np.testing.assert_allclose(noise_transfer(made, FREQUENCY)["gain"], 0.5, atol=1e-6)
