"""Injected spikes: the template of its unit, scaled, shifted and displaced as the table says."""

import pickle

import numpy as np
import pandas as pd
import pytest
import spikeinterface as si

from ephys_deepinterpolation.ground_truth import DisplacedTemplates, inject_spikes
from ephys_deepinterpolation.ground_truth.spikes import SHIFTS_PER_FRAME
from example_ground_truth import FREQUENCY

NBEFORE, FRAMES, CHANNELS = 12, 40, 16
WIDTH = 3.0


def waveform(shift=0.0, displacement=0.0):
    """Smooth in time and over channels: (frames, channels) in µV."""
    times = np.arange(FRAMES) - NBEFORE - shift
    places = np.arange(CHANNELS) - 8 - displacement / 20.0
    return -50.0 * np.exp(-((times / WIDTH) ** 2))[:, None] * np.exp(-((places / WIDTH) ** 2))


@pytest.fixture
def templates():
    """Two units: one smooth, one not, on few channels."""
    rough = np.zeros((FRAMES, CHANNELS), np.float32)
    rough[:, 3:6] = np.random.default_rng(5).normal(size=(FRAMES, 3))
    return np.stack([waveform(), rough]).astype(np.float32)


def sorting_of(times, labels):
    return si.NumpySorting.from_samples_and_labels([np.array(times)], [np.array(labels)], FREQUENCY)


def around(recording, frame):
    return recording.get_traces(0, frame - NBEFORE, frame - NBEFORE + FRAMES)


def test_injected_spikes_are_templates_added_up_spike_by_spike(canvas):
    random = np.random.default_rng(5)
    templates = random.normal(size=(3, FRAMES, CHANNELS)).astype(np.float32)
    frames = canvas.get_num_frames()
    # Some overlap, one is cut by each end of the recording.
    times = np.sort(np.concatenate([[3, frames - 10], random.integers(50, 3000, size=60)]))
    labels = random.integers(3, size=len(times))
    factors = random.uniform(0.5, 1.5, size=len(times))
    expected = np.zeros((frames + 80, CHANNELS), np.float32)
    sorting = sorting_of(times, labels)
    for spike, factor in zip(sorting.to_spike_vector(), factors, strict=True):
        start = 40 + spike["sample_index"] - NBEFORE
        expected[start : start + FRAMES] += factor * templates[spike["unit_index"]]

    variation = pd.DataFrame({"amplitude_factor": factors})
    injected = inject_spikes(sorting, templates, NBEFORE, canvas, variation)

    np.testing.assert_allclose(injected.get_traces(), expected[40:-40], atol=1e-4)
    assert injected.channel_ids.tolist() == canvas.channel_ids.tolist()
    np.testing.assert_array_equal(injected.get_channel_locations(), canvas.get_channel_locations())


def test_injected_spikes_are_in_microvolts_whatever_the_gain_of_the_recording(canvas):
    template = np.full((1, 10, CHANNELS), 7.0, np.float32)
    injected = inject_spikes(sorting_of([100], [0]), template, 5, canvas)
    assert injected.get_traces(0, 98, 99, return_in_uV=True).tolist() == [[7.0] * CHANNELS]


def test_spikes_that_do_not_vary_are_those_without_a_table(canvas, templates):
    sorting = sorting_of([100, 130, 500], [0, 1, 0])
    same = pd.DataFrame({"amplitude_factor": 1.0, "shift_frames": 0.0}, index=range(3))
    one = inject_spikes(sorting, templates, NBEFORE, canvas)
    other = inject_spikes(sorting, templates, NBEFORE, canvas, same)
    np.testing.assert_array_equal(one.get_traces(), other.get_traces())


@pytest.mark.parametrize("sixteenths", [-8, -3, 1, 7])
def test_a_shifted_spike_is_the_waveform_between_the_frames(canvas, templates, sixteenths):
    shift = sixteenths / SHIFTS_PER_FRAME
    variation = pd.DataFrame({"shift_frames": [shift]})
    injected = inject_spikes(sorting_of([100], [0]), templates[:1], NBEFORE, canvas, variation)
    np.testing.assert_allclose(around(injected, 100), waveform(shift), atol=0.05)
    assert np.abs(around(injected, 100) - waveform()).max() > 0.5


def test_a_displaced_spike_is_interpolated_between_the_nearest_displacements(canvas):
    grid = np.array([-10.0, 0.0, 10.0])
    moved = np.stack([waveform(displacement=each) for each in grid])
    bank = DisplacedTemplates.gather(grid, [moved])
    displacements = [-10.0, 0.0, 4.0, 10.0]
    times = [100, 200, 300, 400]
    variation = pd.DataFrame({"displacement_um": displacements})
    injected = inject_spikes(sorting_of(times, [0] * 4), bank, NBEFORE, canvas, variation)
    for time, displacement in zip(times, displacements, strict=True):
        expected = waveform(displacement=displacement)
        np.testing.assert_allclose(around(injected, time), expected, atol=0.5)
    np.testing.assert_allclose(around(injected, 100), moved[0], atol=1e-4)
    mixed = 0.6 * moved[1] + 0.4 * moved[2]
    np.testing.assert_allclose(around(injected, 300), mixed, atol=1e-4)


def test_only_the_channels_that_a_unit_reaches_are_kept(templates):
    silent = np.zeros_like(templates[0])
    edge = silent.copy()
    edge[3, -1] = 1.0
    units = [templates[1], edge, silent]
    bank = DisplacedTemplates.gather(np.zeros(1), [each[None] for each in units])
    assert bank.waveforms.shape == (3, 1, FRAMES, 3)
    for unit, template in enumerate(units):
        found = np.zeros_like(template)
        first = bank.first_channel[unit]
        found[:, first : first + 3] = bank.at(unit, 0.0)
        np.testing.assert_array_equal(found, template)


@pytest.fixture
def varied(canvas, templates):
    """Spikes that vary in every way."""
    random = np.random.default_rng(1)
    times = np.sort(random.choice(20_000, size=200, replace=False))
    grid = np.array([-20.0, 0.0, 20.0])
    scaled = np.array([0.8, 1.0, 0.7], np.float32)[:, None, None]
    bank = DisplacedTemplates.gather(grid, [scaled * each for each in templates])
    variation = pd.DataFrame(
        {
            "amplitude_factor": random.uniform(0.5, 1.5, size=200),
            "shift_frames": random.integers(-8, 8, size=200) / SHIFTS_PER_FRAME,
            "displacement_um": random.uniform(-20.0, 20.0, size=200),
        }
    )
    sorting = sorting_of(times, random.integers(2, size=200))
    return inject_spikes(sorting, bank, NBEFORE, canvas, variation)


def test_spikes_are_the_same_whatever_chunk_they_are_read_in(varied):
    whole = varied.get_traces(0, 0, 20_000)
    for start, end in [(0, 1), (5, 300), (4321, 4400), (0, 20_000), (11_111, 19_999)]:
        np.testing.assert_array_equal(varied.get_traces(0, start, end), whole[start:end])
        some = varied.get_traces(0, start, end, channel_ids=varied.channel_ids[[9, 4]])
        np.testing.assert_array_equal(some, whole[start:end, [9, 4]])


def test_spikes_can_be_handed_to_another_process(varied):
    again = si.load(pickle.loads(pickle.dumps(varied.to_dict())))
    np.testing.assert_array_equal(again.get_traces(0, 0, 3000), varied.get_traces(0, 0, 3000))


def test_displaced_templates_come_back_from_disk(templates, tmp_path):
    bank = DisplacedTemplates.gather(np.array([0.0, 5.0]), [templates, 2 * templates])
    bank.save(tmp_path / "displaced")
    again = DisplacedTemplates.load(tmp_path / "displaced")
    for name in ("displacements_um", "first_channel", "waveforms"):
        np.testing.assert_array_equal(getattr(again, name), getattr(bank, name))


def test_each_segment_has_its_own_spikes(templates):
    like = si.generate_recording(
        num_channels=CHANNELS, sampling_frequency=FREQUENCY, durations=[0.1, 0.2], seed=0
    )
    sorting = si.NumpySorting.from_samples_and_labels(
        [np.array([500]), np.array([900])], [np.array([0]), np.array([1])], FREQUENCY
    )
    factors = pd.DataFrame({"amplitude_factor": [2.0, 3.0]})
    injected = inject_spikes(sorting, templates, NBEFORE, like, factors)
    for segment, (frame, factor) in enumerate([(500, 2.0), (900, 3.0)]):
        found = injected.get_traces(segment, frame - NBEFORE, frame - NBEFORE + FRAMES)
        np.testing.assert_allclose(found, factor * templates[segment], atol=1e-5)
        assert not injected.get_traces(segment, 0, 400).any()


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"amplitude_factor": [1.0, 1.0]}, "2 rows, but the sorting has 1 spikes"),
        ({"amplitude": [1.0]}, "unknown column amplitude"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(canvas, templates, table, words):
    with pytest.raises(ValueError, match=words):
        inject_spikes(sorting_of([9], [0]), templates[:1], NBEFORE, canvas, pd.DataFrame(table))
