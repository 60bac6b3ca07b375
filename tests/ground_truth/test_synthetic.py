"""Synthetic recordings: what is asked for is what is in the traces, and only the seed decides."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pandas.testing import assert_frame_equal
from scipy.stats import kstest, norm, truncnorm

from ephys_deepinterpolation.ground_truth import load_ground_truth
from example_ground_truth import (
    CORRELATED,
    EVERYTHING,
    FREQUENCY,
    GAIN,
    INDEPENDENT,
    NONE,
    PARAMETERS,
    contents,
    synthetic,
)

REFRACTORY_MS = 2.0
PARTS = ("independent", "correlated")
TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def long_truth():
    """Twenty seconds, for averages over many spikes."""
    return synthetic(duration_s=20.0)


@pytest.fixture(scope="module")
def crowd():
    """Many units, whose traces are never read."""
    population = {"number": 150, "peak_uv": [6.0, 200.0], "firing_rate_hz": [2.0, 20.0]}
    return synthetic(duration_s=60.0, units=population, background=population)


def isolated(truth):
    """Frame and unit of each spike whose template overlaps with no other's."""
    length = truth.templates.num_samples
    spikes = truth.sorting.to_spike_vector()
    frames = spikes["sample_index"].astype(int)
    gaps = np.diff(frames, prepend=-length, append=truth.recording.get_num_frames() + length)
    alone = (gaps[:-1] >= length) & (gaps[1:] >= length)
    return frames[alone], spikes["unit_index"][alone]


def cut(traces, frames, truth):
    """The traces around each frame as far as a template reaches."""
    first = frames - truth.templates.nbefore
    return traces[first[:, None] + np.arange(truth.templates.num_samples)]


def test_around_an_isolated_spike_the_noise_free_trace_is_the_template(long_truth):
    frames, labels = isolated(long_truth)
    assert len(set(labels)) == 9, "every unit has an isolated spike"
    found = cut(long_truth.spikes().get_traces(), frames, long_truth)
    np.testing.assert_allclose(found, long_truth.templates.templates_array[labels], atol=1e-5)


def test_away_from_all_spikes_the_noise_free_trace_is_zero(long_truth):
    length = long_truth.templates.num_samples
    near = np.zeros(long_truth.recording.get_num_frames(), bool)
    for frame in long_truth.sorting.to_spike_vector()["sample_index"]:
        near[max(0, frame - length) : frame + length] = True
    assert 0.05 < near.mean() < 0.95
    assert not long_truth.spikes().get_traces()[~near].any()


def test_the_spike_triggered_average_of_the_recording_is_the_template(long_truth):
    """Within its sampling error, that the levels of the parts of the noise give."""
    frames, labels = isolated(long_truth)
    traces = long_truth.recording.get_traces(return_in_uV=True)
    sigma = np.hypot(CORRELATED["level_uv"], INDEPENDENT["level_uv"])
    errors = []
    for index, template in enumerate(long_truth.templates.templates_array):
        mine = frames[labels == index]
        average = cut(traces, mine, long_truth).mean(axis=0)
        errors.append((average - template) / (sigma / np.sqrt(len(mine))))
    assert np.abs(errors).max() < 6
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("frequency", [30_000.0, 24_414.0625, 32_000.0, 25_000.0])
def test_a_template_peaks_at_the_frame_of_the_spike(frequency):
    truth = synthetic(sampling_frequency_hz=frequency, duration_s=0.5)
    templates = np.abs(truth.templates.templates_array)
    peaks = templates.max(axis=2).argmax(axis=1)
    assert peaks.tolist() == [truth.templates.nbefore] * len(templates)


@pytest.mark.parametrize("name", ["units", "background"])
def test_peaks_are_spread_evenly_on_a_log_scale_from_the_lowest_to_the_highest(crowd, name):
    templates = crowd.templates.templates_array[crowd.units["background"] == (name == "background")]
    peaks = np.sort(np.abs(templates).max(axis=(1, 2)))
    assert (peaks[0], peaks[-1]) == pytest.approx((6.0, 200.0), rel=1e-5)
    np.testing.assert_allclose(peaks[1:] / peaks[:-1], (200.0 / 6.0) ** (1 / 149), rtol=1e-4)


def test_the_table_of_units_says_what_is_in_the_templates_and_spikes(crowd):
    table = crowd.units
    assert table["unit"].tolist() == crowd.sorting.unit_ids.tolist()
    assert table["unit"].tolist() == crowd.templates.unit_ids.tolist()
    assert table["unit"].is_unique
    peaks = np.abs(crowd.templates.templates_array).max(axis=(1, 2))
    np.testing.assert_allclose(table["peak_uv"], peaks, rtol=1e-5)
    spikes = [len(crowd.sorting.get_unit_spike_train(unit)) for unit in table["unit"]]
    assert table["spikes"].tolist() == spikes
    np.testing.assert_allclose(table["firing_rate_hz"], np.array(spikes) / 60.0)


def test_a_unit_is_largest_near_where_the_table_says_it_is(crowd):
    positions = crowd.recording.get_channel_locations()
    largest = np.abs(crowd.templates.templates_array).max(axis=1).argmax(axis=1)
    error = positions[largest] - crowd.units[["x_um", "depth_um"]].to_numpy()
    assert np.median(np.abs(error[:, 1])) < 15.0
    assert np.median(np.abs(error[:, 0])) < 20.0


def test_large_units_are_no_nearer_to_the_tip_and_no_faster_than_small_ones(crowd):
    """Peaks are shuffled: the order of the draws ties them to nothing else."""
    for _, population in crowd.units.reset_index().groupby("background"):
        for column in ("index", "depth_um", "x_um", "firing_rate_hz"):
            ranks = population[["peak_uv", column]].rank().corr().iloc[0, 1]
            assert abs(ranks) < 4 / np.sqrt(len(population)), column


def test_firing_rates_lie_in_the_asked_range_within_their_sampling_error(crowd):
    rates = crowd.units["firing_rate_hz"]
    assert rates.min() > 2.0 - 4 * np.sqrt(2.0 / 60.0)
    assert rates.max() < 20.0 + 4 * np.sqrt(20.0 / 60.0)


def test_firing_rates_are_spread_over_the_range_on_a_log_scale(crowd):
    share = np.log(crowd.units["firing_rate_hz"] / 2.0) / np.log(10.0)
    assert kstest(share, "uniform").pvalue > 0.01


def test_no_unit_fires_within_its_refractory_period_yet_some_do_soon_after(crowd):
    shortest = [
        np.diff(crowd.sorting.get_unit_spike_train(unit)).min() * 1000.0 / FREQUENCY
        for unit in crowd.sorting.unit_ids
    ]
    assert REFRACTORY_MS <= min(shortest) < REFRACTORY_MS + 1.0


def test_no_two_units_fire_together_more_than_by_chance():
    """Of one rate: trains drawn from one and the same seed would be the same."""
    population = {"number": 30, "peak_uv": [6.0, 200.0], "firing_rate_hz": [10.0, 10.0]}
    truth = synthetic(duration_s=60.0, units=population, background=population)
    frames = truth.sorting.to_spike_vector()["sample_index"].astype(int)
    chance = len(frames) ** 2 / (2 * truth.recording.get_num_frames())
    assert (np.diff(frames) == 0).sum() == pytest.approx(chance, abs=5 * np.sqrt(chance))


def test_units_and_background_are_named_apart_and_units_come_first(crowd):
    background = crowd.units["background"].to_numpy()
    assert background.tolist() == [False] * 150 + [True] * 150
    assert all(
        unit.startswith("background" if small else "units")
        for unit, small in zip(crowd.units["unit"], background, strict=True)
    )


def test_a_single_unit_has_the_lowest_peak():
    one = {"number": 1, "peak_uv": [40.0, 90.0], "firing_rate_hz": [5.0, 5.0]}
    truth = synthetic(units=one, background=NONE)
    assert np.abs(truth.templates.templates_array).max() == pytest.approx(40.0)


@pytest.mark.parametrize("noise", [{}, {"independent": INDEPENDENT}, {"correlated": CORRELATED}])
def test_only_the_asked_parts_of_the_noise_are_there(noise):
    truth = synthetic(noise=noise, background=NONE, duration_s=1.0)
    assert set(truth.noise) == set(noise)
    assert set(truth.parts()) == {"units", *noise}
    rest = truth.recording.get_traces(return_in_uV=True) - truth.spikes().get_traces()
    level = np.hypot(*(noise.get(name, {"level_uv": 0.0})["level_uv"] for name in PARTS))
    assert rest.std() == pytest.approx(level, rel=0.05, abs=GAIN / 2)


def test_noise_leaves_the_spikes_as_they_are(truth):
    silent = synthetic(noise={})
    np.testing.assert_array_equal(silent.sorting.to_spike_vector(), truth.sorting.to_spike_vector())
    np.testing.assert_array_equal(silent.templates.templates_array, truth.templates.templates_array)


def test_the_background_leaves_the_units_and_the_noise_as_they_are(truth):
    alone = synthetic(background=NONE)
    for name, part in alone.parts().items():
        np.testing.assert_array_equal(part.get_traces(), truth.parts()[name].get_traces(), name)


@pytest.mark.parametrize("gain", [0.763, 2.34])
def test_the_recording_is_16_bit_with_the_asked_gain(gain):
    recording = synthetic(gain_uv_per_bit=gain, duration_s=0.5).recording
    assert recording.get_dtype() == np.int16
    assert recording.get_traces().dtype == np.int16
    np.testing.assert_array_equal(recording.get_channel_gains(), gain)
    np.testing.assert_array_equal(recording.get_channel_offsets(), 0.0)


MANY = {"number": 200, "peak_uv": [6.0, 200.0], "firing_rate_hz": [1.0, 25.0]}


def test_log_normal_rates_and_peaks_have_their_middle_95_percent_in_the_range():
    log_normal = {"peak_distribution": "log-normal", "firing_rate_distribution": "log-normal"}
    truth = synthetic(duration_s=60.0, units=MANY | log_normal, background=NONE)
    for column, low, high in [("peak_uv", 6.0, 200.0), ("firing_rate_hz", 1.0, 25.0)]:
        middle, deviation = np.log(low * high) / 2, np.log(high / low) / 2 / norm.ppf(0.975)
        scaled = (np.log(truth.units[column]) - middle) / deviation
        expected = truncnorm(norm.ppf(0.025), norm.ppf(0.975))
        assert kstest(scaled, expected.cdf).pvalue > 0.01, column
    assert truth.units["peak_uv"].between(6.0 - 1e-9, 200.0 + 1e-9).all()


def test_units_lie_within_the_asked_depths():
    truth = synthetic(units=MANY | {"depth_um": [30.0, 70.0]}, background=NONE, duration_s=1.0)
    depths = truth.units["depth_um"]
    assert (depths.min(), depths.max()) == pytest.approx((30.0, 70.0), abs=2.0)
    assert kstest((depths - 30.0) / 40.0, "uniform").pvalue > 0.01


@pytest.mark.parametrize("width", [(0.15, 0.2), (0.4, 1.2)])
def test_templates_are_as_wide_as_asked(width):
    truth = synthetic(units=MANY | {"width_ms": width}, background=NONE, duration_s=1.0)
    found = truth.units["width_ms"]
    # Two frames of rounding, and what smoothing adds to the narrowest.
    assert found.min() > width[0] - 2 / 30
    assert found.max() < width[1] + 2 / 30 + 0.07
    assert np.ptp(found) > 0.5 * np.ptp(width)


def test_every_shank_has_units_and_each_is_largest_on_its_own():
    truth = synthetic(probe="NP2013", channels=64, duration_s=0.5, units=MANY, background=NONE)
    positions = truth.recording.get_channel_locations()
    largest = np.abs(truth.templates.templates_array).max(axis=1).argmax(axis=1)
    shank = positions[largest][:, 0] // 250.0
    assert (truth.units["x_um"] // 250.0 == shank).all()
    assert np.bincount(shank.astype(int)).min() > 25


@pytest.mark.parametrize(
    ("probe", "channels"), [("tetrode", 4), ("linear", 8), ("planar", 9), ("NP1100", 32)]
)
def test_a_recording_can_be_made_on_any_probe(probe, channels):
    truth = synthetic(probe=probe, channels=channels, duration_s=0.5)
    assert truth.recording.get_num_channels() == channels
    peaks = np.abs(truth.templates.templates_array).max(axis=(1, 2))
    np.testing.assert_allclose(peaks, truth.units["peak_uv"], rtol=1e-5)


@pytest.fixture(scope="module")
def varied():
    """All that a synthetic recording may have."""
    return synthetic(duration_s=12.0, **EVERYTHING)


@pytest.fixture(scope="module")
def varied_again(varied, tmp_path_factory):
    folder = tmp_path_factory.mktemp("varied") / "truth"
    varied.save(folder)
    return load_ground_truth(folder)


def test_the_parts_of_a_saved_recording_add_up_to_it_however_its_spikes_vary(varied_again):
    total = sum(
        part.get_traces(0, 60_000, 120_000).astype(float) for part in varied_again.parts().values()
    )
    found = varied_again.recording.get_traces(0, 60_000, 120_000, return_in_uV=True)
    assert np.abs(found - total).max() <= GAIN / 2 + 1e-3


def test_saving_keeps_how_each_spike_varies(varied, varied_again):
    assert set(varied.variation) == {"amplitude_factor", "shift_frames", "displacement_um"}
    assert_frame_equal(varied_again.variation, varied.variation)
    np.testing.assert_array_equal(
        varied_again.spikes().get_traces(0, 0, 60_000), varied.spikes().get_traces(0, 0, 60_000)
    )


def test_spikes_that_vary_in_size_average_to_the_template():
    """Their amplitudes, by regression on the template, are those of the table."""
    units = PARAMETERS["units"] | {"amplitude_variation": 0.2}
    truth = synthetic(duration_s=20.0, units=units, noise={"independent": {"level_uv": 2.0}})
    frames, labels = isolated(truth)
    spikes = truth.sorting.to_spike_vector()
    rows = np.searchsorted(spikes["sample_index"], frames)
    large = ~truth.units["background"].to_numpy()[labels]
    found = cut(truth.recording.get_traces(return_in_uV=True), frames[large], truth)
    templates = truth.templates.templates_array[labels[large]]
    sizes = (found * templates).sum(axis=(1, 2)) / (templates**2).sum(axis=(1, 2))
    error = np.hypot(2.0, GAIN / np.sqrt(12)) / np.sqrt((templates**2).sum(axis=(1, 2)))
    scores = (sizes - truth.variation["amplitude_factor"].to_numpy()[rows[large]]) / error
    assert np.abs(scores).max() < 5
    assert scores.std() == pytest.approx(1.0, abs=0.15)


def test_units_are_where_the_tissue_has_moved_to(varied):
    """The centre of a spike on the probe, against the displacement of the table."""
    spikes = varied.sorting.to_spike_vector()
    traces = varied.spikes(background=False).get_traces()
    frames, labels = isolated(varied)
    rows = np.searchsorted(spikes["sample_index"], frames)
    inner = varied.units["depth_um"].between(35.0, 70.0) & ~varied.units["background"]
    chosen = inner.to_numpy()[labels]
    waveforms = cut(traces, frames[chosen], varied)
    weights = np.square(waveforms).sum(axis=1)
    depths = weights @ varied.recording.get_channel_locations()[:, 1] / weights.sum(axis=1)
    moved = varied.variation["displacement_um"].to_numpy()[rows[chosen]]
    resting = varied.units["depth_um"].to_numpy()[labels[chosen]]
    assert np.ptp(moved) > 15.0
    slope = np.polyfit(moved, depths - resting, 1)[0]
    assert slope == pytest.approx(1.0, abs=0.35)
    assert np.corrcoef(moved, depths - resting)[0, 1] > 0.8


def test_templates_between_two_displacements_are_off_by_less_than_a_hundredth(varied):
    """Interpolating over twice the step is off by four times as much."""
    bank = varied.displaced
    waveforms = bank.waveforms
    error = waveforms[:, 1:-1] - (waveforms[:, :-2] + waveforms[:, 2:]) / 2
    peaks = np.abs(waveforms).max(axis=(1, 2, 3))
    assert (np.abs(error).max(axis=(1, 2, 3)) / 4 / peaks).max() < 0.01


def test_templates_are_those_of_units_that_have_not_moved(varied):
    still = synthetic()
    np.testing.assert_allclose(
        varied.templates.templates_array, still.templates.templates_array, atol=0.051
    )


def test_more_features_leave_the_templates_and_the_noise_as_they_are(varied, truth):
    assert varied.units["unit"].tolist() == truth.units["unit"].tolist()
    np.testing.assert_allclose(varied.units["depth_um"], truth.units["depth_um"])
    for name in ("independent", "correlated"):
        np.testing.assert_array_equal(
            varied.noise[name].get_traces(0, 0, 3000), truth.noise[name].get_traces(0, 0, 3000)
        )


@pytest.mark.parametrize("duration", [0.1, 1.1, 4.1])
def test_recording_and_parts_have_the_asked_duration_and_hold_every_spike(duration):
    truth = synthetic(duration_s=duration)
    frames = truth.recording.get_num_frames()
    assert frames == pytest.approx(duration * FREQUENCY, abs=1)
    assert {part.get_num_frames() for part in truth.parts().values()} == {frames}
    spikes = truth.sorting.to_spike_vector()["sample_index"]
    assert len(spikes) == 0 or (spikes.min() >= 0 and spikes.max() < frames)


def test_another_seed_gives_another_recording_of_the_same_statistics(truth):
    other = synthetic(seed=2)
    one, two = truth.recording.get_traces(), other.recording.get_traces()
    assert (one != two).mean() > 0.9
    common = set(truth.sorting.to_spike_vector()["sample_index"]) & set(
        other.sorting.to_spike_vector()["sample_index"]
    )
    assert len(common) < 10
    assert not np.allclose(truth.units["depth_um"], other.units["depth_um"], atol=1.0)
    for name, part in truth.noise.items():
        levels = [each.get_traces().std() for each in (part, other.noise[name])]
        assert levels[0] == pytest.approx(levels[1], rel=0.02), name
    np.testing.assert_allclose(
        np.sort(truth.units["peak_uv"]), np.sort(other.units["peak_uv"]), rtol=1e-6
    )


def test_a_recording_to_train_on_leaves_the_other_as_it_is_and_has_other_noise(truth):
    both = synthetic(training_duration_s=4.0)
    one, other = both.recording.get_traces(), both.training_recording.get_traces()
    np.testing.assert_array_equal(one, truth.recording.get_traces())
    assert len(other) == 4.0 * FREQUENCY
    assert (other[: len(one)] != one).mean() > 0.9
    assert truth.training_recording is None


def test_a_recording_to_train_on_is_of_the_same_units_firing_at_other_times():
    unit = {"number": 1, "peak_uv": [100.0, 100.0], "firing_rate_hz": [3.0, 3.0]}
    truth = synthetic(units=unit, background=NONE, noise={}, training_duration_s=3.0)
    largest = np.abs(truth.templates.templates_array[0]).max(axis=0)
    traces = [
        recording.get_traces(return_in_uV=True)
        for recording in (truth.recording, truth.training_recording)
    ]
    for each in traces:
        np.testing.assert_allclose(np.abs(each).max(axis=0), largest, atol=GAIN)
    assert (traces[0] != traces[1]).any()


SAVE = """
import sys
sys.path.insert(0, sys.argv[1])
from example_ground_truth import EVERYTHING, synthetic
synthetic(duration_s=float(sys.argv[3]), **EVERYTHING).save(sys.argv[2])
"""


def test_the_same_seed_saves_the_same_bytes_in_another_process(tmp_path):
    folders = [tmp_path / hash_seed for hash_seed in ("1", "2")]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SAVE, str(TESTS), str(folder), "1.5"],
            env=os.environ | {"PYTHONHASHSEED": folder.name},
        )
        for folder in folders
    ]
    assert [process.wait(120) for process in processes] == [0, 0]
    one, two = map(contents, folders)
    assert len(one) > 10
    assert one == two


# `ru_maxrss` counts what a process was forked from: a small process starts the one to measure.
MEASURE = """
import resource, subprocess, sys
subprocess.run([sys.executable, "-c", *sys.argv[1:]], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def test_the_memory_of_saving_does_not_grow_with_the_duration(tmp_path):
    """The traces of 60 s, even as 16-bit integers, are more than what is allowed on top."""
    peaks = {}
    for duration in ("6", "60"):
        command = [sys.executable, "-c", MEASURE, SAVE, str(TESTS)]
        finished = subprocess.run(
            [*command, str(tmp_path / duration), duration],
            capture_output=True,
            text=True,
            check=True,
        )
        peaks[duration] = int(finished.stdout.split()[-1])
    assert peaks["60"] < 1.1 * peaks["6"], peaks
