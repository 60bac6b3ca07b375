"""What a condition removed is described as what it is."""

import numpy as np
import pytest

from ephys_deepinterpolation.artifacts import (
    Excerpt,
    residual,
    residual_covariance,
    residual_spectra,
)
from fixtures import recording_of

FREQUENCY = 30_000.0
FRAMES, CHANNELS = 7500, 16
LEVEL = {"correlated": 6.0, "independent": 8.0}


@pytest.fixture(scope="module")
def like():
    return recording_of(np.zeros((10, CHANNELS), np.float32), frequency=FREQUENCY)


def excerpts(like, output_of, known=True):
    """Noise whose correlation falls off with distance, and some of each channel alone."""
    positions = like.get_channel_locations()
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    mixing = np.linalg.cholesky(np.exp(-distances / 50.0))
    made = []
    for index in range(6):
        draws = np.random.default_rng(index).normal(size=(2, FRAMES, CHANNELS))
        noise = {
            "correlated": LEVEL["correlated"] * draws[0] @ mixing.T,
            "independent": LEVEL["independent"] * draws[1],
        }
        reference = sum(noise.values())
        quiet = np.ones(reference.shape, bool)
        made.append(Excerpt(reference, output_of(reference, noise), noise if known else {}, quiet))
    return made


def test_a_copy_removes_nothing_and_keeps_everything(like):
    table = residual(excerpts(like, lambda reference, noise: reference), like)
    assert (table["removed_uv"] == 0).all()
    np.testing.assert_allclose(table["kept_input"], 1.0)
    tests = ["known_noise_correlation", "ks_statistic", "ljung_box", "largest_autocorrelation"]
    assert table[tests].isna().all().all()


def test_a_copy_but_for_rounding_is_a_copy(like):
    table = residual(
        excerpts(like, lambda reference, noise: reference + 1e-5 * noise["independent"]), like
    )
    assert table[["known_noise_correlation", "ks_statistic"]].isna().all().all()


def test_removing_the_independent_part_removes_white_noise(like):
    table = residual(excerpts(like, lambda reference, noise: noise["correlated"]), like)
    np.testing.assert_allclose(table["removed_uv"], LEVEL["independent"], rtol=0.03)
    np.testing.assert_allclose(table["independent_noise_correlation"], 1.0)
    # Of the power of all noise, 64 parts of 100.
    np.testing.assert_allclose(table["known_noise_correlation"], 0.8, atol=0.03)
    np.testing.assert_allclose(table["kept_input"], 0.36, atol=0.03)
    assert table["ljung_box_p"].median() > 0.05
    assert (table["ks_statistic"] < 0.01).all()
    assert (table["largest_autocorrelation"] < 0.03).all()


def test_what_is_invented_has_nothing_to_do_with_the_noise(like):
    def invent(reference, noise):
        random = np.random.default_rng(reference[0].view(np.uint64))
        return reference + random.normal(size=reference.shape)

    table = residual(excerpts(like, invent), like)
    np.testing.assert_allclose(table["known_noise_correlation"], 0.0, atol=0.03)
    np.testing.assert_allclose(table["kept_input"], 1.0, atol=0.01)


def test_without_known_noise_the_rest_is_measured(like):
    table = residual(excerpts(like, lambda reference, noise: 0.25 * reference, known=False), like)
    assert table[["known_noise_correlation", "independent_noise_correlation"]].isna().all().all()
    np.testing.assert_allclose(table["kept_input"], 0.25)
    np.testing.assert_allclose(table["removed_uv"], 7.5, rtol=0.05)


def test_only_quiet_samples_say_what_is_kept(like):
    made = []
    for each in excerpts(like, lambda reference, noise: 0.5 * reference):
        output, quiet = each.output.copy(), each.quiet.copy()
        output[1000:2000], quiet[1000:2000] = 1e4, False
        made.append(Excerpt(each.reference, output, each.parts, quiet))
    np.testing.assert_allclose(residual(made, like)["kept_input"], 0.5)


def test_the_power_in_a_spectrum_is_the_variance_of_the_trace(like):
    table = residual_spectra(
        excerpts(like, lambda reference, noise: noise["correlated"]), FREQUENCY
    )
    for trace, variance in (("reference", 100.0), ("output", 36.0), ("removed", 64.0)):
        density = table.loc[table["trace"] == trace, "density_uv2_per_hz"]
        assert density.mean() * FREQUENCY / 2 == pytest.approx(variance, rel=0.05)
        assert table.loc[density.index, "frequency_hz"].is_monotonic_increasing


def test_correlation_falls_off_with_distance_as_it_was_made_to(like):
    table = residual_covariance(
        excerpts(like, lambda reference, noise: noise["independent"]), like
    ).set_index(["trace", "distance_um"])
    removed = table.loc["removed"]
    assert removed.loc[0.0, "correlation"] == pytest.approx(1.0)
    assert removed.loc[0.0, "covariance_uv2"] == pytest.approx(36.0, rel=0.05)
    apart = removed.index[1:].to_numpy()
    np.testing.assert_allclose(removed["correlation"].iloc[1:], np.exp(-apart / 50.0), atol=0.13)
    assert removed["correlation"].is_monotonic_decreasing
    np.testing.assert_allclose(table.loc["output", "correlation"].iloc[1:], 0.0, atol=0.02)
    channels = like.get_num_channels()
    assert removed["pairs"].sum() == channels * (channels + 1) / 2


def test_channels_of_two_shanks_are_no_pair(many_shanks):
    noise = np.random.default_rng(0).normal(size=(500, 150))
    quiet = np.ones(noise.shape, bool)
    table = residual_covariance([Excerpt(noise, 0 * noise, {}, quiet)], many_shanks)
    positions = many_shanks.get_channel_locations()
    shanks = many_shanks.get_probe().shank_ids
    pairs = sum(
        shanks[one] == shanks[other] and np.linalg.norm(positions[one] - positions[other]) <= 200.0
        for one in range(150)
        for other in range(one, 150)
    )
    assert table.groupby("trace")["pairs"].sum().to_dict() == dict.fromkeys(
        ("reference", "output", "removed"), pairs
    )
