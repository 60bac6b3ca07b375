"""The sorter-free score is what theory says it is, and judges what a detector could do."""

import dataclasses

import numpy as np
import pytest
import spikeinterface as si
from scipy.stats import norm
from spikeinterface.preprocessing import scale

from ephys_deepinterpolation.conditions import apply_condition
from ephys_deepinterpolation.detectability import measure_detectability
from ephys_deepinterpolation.ground_truth import GroundTruth
from ephys_deepinterpolation.ground_truth.noise import SumRecording
from example_ground_truth import FREQUENCY, NONE, synthetic
from fixtures import noise_recording

BANDPASS = {"name": "bandpass_filter", "params": {"freq_min": 300.0, "freq_max": 6000.0}}
SCORES = ["d_prime", "d_prime_whitened", "auc"]
WHITE = {"independent": {"level_uv": 8.0}}
SHARED = {
    "correlated": {"level_uv": 8.0, "spatial_decay_um": 200.0, "time_constant_ms": 1e-3},
    "independent": {"level_uv": 1.0},
}


def lonely(noise, peak_uv=25.0):
    """One unit, which fires often."""
    rare = {"number": 1, "peak_uv": [peak_uv, peak_uv + 0.1], "firing_rate_hz": [40.0, 40.1]}
    return synthetic(duration_s=15.0, units=rare, background=NONE, noise=noise)


@pytest.fixture(scope="module")
def white():
    return lonely(WHITE)


@pytest.fixture(scope="module")
def shared():
    return lonely(SHARED)


def score(truth, condition=None, pipeline=()):
    pipeline = list(pipeline)
    condition = apply_condition(truth.recording, pipeline) if condition is None else condition
    return measure_detectability(truth, condition, pipeline, seed=1).iloc[0]


def filter_of(truth):
    """The template as the filter is cut from it: (frames, channels of the footprint)."""
    template = truth.templates.templates_array[0]
    before = truth.templates.nbefore
    cut = template[before - 30 : before + 60]
    largest = np.abs(cut).max(axis=0)
    return cut[:, largest >= 0.1 * largest.max()], largest >= 0.1 * largest.max()


def test_in_white_noise_it_is_the_norm_of_the_template_over_the_noise(white):
    template, _ = filter_of(white)
    found = score(white)
    assert found["d_prime"] == pytest.approx(np.linalg.norm(template) / 8.0, rel=0.1)
    assert found["d_prime_whitened"] == pytest.approx(found["d_prime"], rel=0.05)


def test_the_area_under_the_curve_is_that_of_two_normal_distributions():
    found = score(lonely({"independent": {"level_uv": 80.0}}))
    assert 0.7 < found["auc"] < 0.99
    assert found["auc"] == pytest.approx(norm.cdf(found["d_prime"] / np.sqrt(2)), abs=0.02)


def test_whitening_gives_what_the_best_linear_filter_can_do(shared):
    template, footprint = filter_of(shared)
    noise = sum(part.get_traces(0, 0, 60_000) for part in shared.noise.values())[:, footprint]
    inverse = np.linalg.inv(np.cov(noise.T))
    best = np.sqrt(np.einsum("fc,cd,fd->", template, inverse, template))
    plain = (template**2).sum() / np.sqrt(
        np.einsum("fc,cd,fd->", template, np.cov(noise.T), template)
    )
    found = score(shared)
    assert found["d_prime_whitened"] == pytest.approx(best, rel=0.1)
    assert found["d_prime"] == pytest.approx(plain, rel=0.1)
    assert found["d_prime_whitened"] > 1.5 * found["d_prime"]


def test_the_same_traces_score_exactly_the_same(white):
    one, two = score(white), score(white)
    assert one[SCORES].tolist() == two[SCORES].tolist()


def test_the_scale_of_the_traces_does_not_matter(white):
    louder = scale(apply_condition(white.recording, []), gain=7.0, dtype="float32")
    found, expected = score(white, louder), score(white)
    assert found[SCORES].tolist() == pytest.approx(expected[SCORES].tolist(), rel=1e-4)


def test_half_the_noise_doubles_it_and_an_oracle_is_above_the_raw_recording(white):
    quieter = SumRecording(
        [white.spikes(), scale(white.noise["independent"], gain=0.5, dtype="float32")]
    )
    raw, oracle = score(white), score(white, quieter)
    assert oracle["d_prime"] == pytest.approx(2 * raw["d_prime"], rel=0.1)
    assert oracle["auc"] >= raw["auc"]


def test_an_output_of_half_signal_and_half_noise_has_gained_nothing(white):
    """Its noise is halved, yet so are the spikes: a ratio to the noise of one would be fooled."""
    halved = SumRecording(
        [
            scale(white.spikes(), gain=0.5, dtype="float32"),
            scale(white.noise["independent"], gain=0.5, dtype="float32"),
        ]
    )
    assert score(white, halved)["d_prime"] == pytest.approx(score(white)["d_prime"], rel=0.01)


def test_an_output_without_spikes_scores_as_chance(white):
    found = score(white, apply_condition(white.noise["independent"], []))
    assert abs(found["d_prime"]) < 0.2
    assert found["auc"] == pytest.approx(0.5, abs=0.05)


def test_the_template_is_taken_as_the_reference_pipeline_shows_it(white):
    """Of white noise the band-pass leaves 38 %; the filter must be cut from what it leaves."""
    alone = si.NumpyRecording(
        [np.pad(white.templates.templates_array[0], ((900, 900), (0, 0)))], FREQUENCY
    )
    alone.set_channel_gains(1.0)
    alone.set_channel_offsets(0.0)
    filtered = apply_condition(alone, [BANDPASS]).get_traces()
    peak = 900 + white.templates.nbefore
    template = filtered[peak - 30 : peak + 60, filter_of(white)[1]]
    frames, noise = slice(0, 30_000), apply_condition(white.noise["independent"], [BANDPASS])
    traces = noise.get_traces(0, frames.start, frames.stop)[:, filter_of(white)[1]]
    windows = np.lib.stride_tricks.sliding_window_view(traces, 90, axis=0)[::7]
    spread = np.tensordot(windows, template, axes=([2, 1], [0, 1])).std()
    found = score(white, pipeline=[BANDPASS])
    assert found["d_prime"] == pytest.approx((template**2).sum() / spread, rel=0.1)


def test_noise_covariance_leaves_spikes_out():
    """Spikes in it would make the whitened filter blind to them."""
    loud = lonely(SHARED, peak_uv=300.0)
    found = score(loud)
    template, footprint = filter_of(loud)
    noise = sum(part.get_traces(0, 0, 60_000) for part in loud.noise.values())[:, footprint]
    best = np.sqrt(np.einsum("fc,cd,fd->", template, np.linalg.inv(np.cov(noise.T)), template))
    assert found["d_prime_whitened"] == pytest.approx(best, rel=0.1)


def test_a_silent_output_has_no_score(white):
    found = score(white, scale(white.spikes(), gain=0.0, dtype="float32"))
    assert np.isnan(found["d_prime"])
    assert np.isnan(found["d_prime_whitened"])


def test_a_unit_of_hardly_any_spikes_has_no_score():
    truth = synthetic()
    trains = {unit: truth.sorting.get_unit_spike_train(unit) for unit in truth.sorting.unit_ids}
    first = next(iter(trains))
    trains[first] = trains[first][:3]
    rare = dataclasses.replace(
        truth, sorting=si.NumpySorting.from_unit_dict([trains], FREQUENCY), variation=None
    )
    table = measure_detectability(rare, apply_condition(truth.recording, []), [], seed=1)
    assert table["unit"].tolist() == truth.units["unit"].tolist()
    assert table[SCORES].isna().all(axis=1).tolist() == [True] + [False] * (len(table) - 1)


def test_without_known_spikes_there_are_no_rows():
    recording = noise_recording(1000, seed=0)
    assert measure_detectability(GroundTruth(recording=recording), recording, [], seed=1).empty
