"""Hybrids: what is put into a recording is known, and the rest of it is left as it was."""

import h5py
import numpy as np
import pytest
import spikeinterface as si
from spikeinterface.core.motion import Motion
from spikeinterface.preprocessing import phase_shift

from ephys_deepinterpolation.ground_truth import load_ground_truth
from ephys_deepinterpolation.ground_truth.donors import (
    generator_placing,
    read_mearec_templates,
    stock_placing,
    templates_of_database,
    templates_of_sorting,
    widths_ms,
)
from ephys_deepinterpolation.ground_truth.hybrid import generate_hybrid
from ephys_deepinterpolation.ground_truth.injection import as_sampled, draw_places
from example_ground_truth import FREQUENCY, GAIN, synthetic
from example_tissue import tissue
from fixtures import neuropixels, recording_of

CHANNELS = 32
UNITS = {"number": 6, "peak_uv": [20.0, 200.0], "firing_rate_hz": [5.0, 15.0]}


def host_of(seconds, offset=0):
    integers = np.round(tissue(seed=2, seconds=seconds) / GAIN).astype(np.int16)
    integers = np.concatenate([integers, integers[::-1]], axis=1) + np.int16(offset)
    recording = recording_of(integers, neuropixels(CHANNELS), FREQUENCY)
    recording.set_channel_gains(GAIN)
    return recording


@pytest.fixture(scope="module")
def host():
    return host_of(4.0)


@pytest.fixture(scope="module")
def truth(host):
    return generate_hybrid(host, UNITS, seed=1)


def test_a_hybrid_has_the_type_the_gains_and_the_contacts_of_its_host(host, truth):
    recording = truth.recording
    assert recording.get_dtype() == host.get_dtype()
    assert recording.get_num_frames() == host.get_num_frames()
    np.testing.assert_array_equal(recording.get_channel_gains(), host.get_channel_gains())
    np.testing.assert_array_equal(recording.get_channel_locations(), host.get_channel_locations())
    assert truth.facts["exhaustive"] is False


def test_away_from_the_injected_spikes_the_host_is_untouched(host, truth):
    spikes = truth.spikes().get_traces()
    silent = spikes == 0
    assert 0.1 < silent.mean() < 1
    np.testing.assert_array_equal(truth.recording.get_traces()[silent], host.get_traces()[silent])


def test_the_difference_from_the_host_is_the_injected_spikes_within_half_a_bit(host, truth):
    difference = truth.recording.get_traces().astype(float) - host.get_traces()
    error = difference * GAIN - truth.spikes().get_traces()
    assert np.abs(error).max() <= GAIN / 2 + 1e-3
    assert np.abs(difference).max() * GAIN > 100


def test_peaks_rates_and_intervals_are_as_asked(truth):
    peaks = np.abs(truth.templates.templates_array).max(axis=(1, 2))
    np.testing.assert_allclose(peaks, truth.units["peak_uv"], rtol=1e-4)
    np.testing.assert_allclose(
        np.sort(peaks), np.geomspace(*UNITS["peak_uv"], UNITS["number"]), rtol=1e-4
    )
    expected = 4.0 * np.array(UNITS["firing_rate_hz"])
    assert truth.units["spikes"].min() > expected[0] - 4 * np.sqrt(expected[0])
    assert truth.units["spikes"].max() < expected[1] + 4 * np.sqrt(expected[1])
    for unit in truth.sorting.unit_ids:
        intervals = np.diff(truth.sorting.get_unit_spike_train(unit))
        assert intervals.min() >= 0.002 * FREQUENCY


def test_depths_and_widths_are_as_asked(host):
    asked = UNITS | {"depth_um": [50.0, 120.0], "width_ms": [0.2, 0.25]}
    units = generate_hybrid(host, asked, seed=1).units
    assert units["depth_um"].between(50, 120).all()
    # The generator smooths what it draws.
    assert units["width_ms"].between(0.15, 0.35).all()
    wide = generate_hybrid(host, UNITS | {"width_ms": [0.7, 0.75]}, seed=1).units
    assert wide["width_ms"].min() > units["width_ms"].max()


def test_snr_is_the_peak_over_the_noise_of_the_host(host, truth):
    units = truth.units
    np.testing.assert_allclose(units["snr"], units["peak_uv"] / units["noise_uv"])
    level = np.diff(host.get_traces(return_in_uV=True), axis=0).std() / np.sqrt(2)
    assert (units["noise_uv"] / level).between(0.7, 2.5).all()


def test_a_saved_hybrid_comes_back_with_its_parts(truth, host, tmp_path):
    truth.save(tmp_path / "truth")
    loaded = load_ground_truth(tmp_path / "truth")
    assert set(loaded.parts()) == {"units", "host"}
    total = sum(part.get_traces() for part in loaded.parts().values())
    np.testing.assert_allclose(total, loaded.recording.get_traces(return_in_uV=True), atol=1e-3)
    error = loaded.noise["host"].get_traces() - host.get_traces(return_in_uV=True)
    assert np.abs(error).max() <= GAIN / 2 + 1e-3


def test_models_are_trained_on_what_is_asked(host, truth):
    assert truth.training_recording is None
    before = generate_hybrid(host, UNITS, seed=1, train_on="host").training_recording
    np.testing.assert_array_equal(before.get_traces(), host.get_traces())
    other = host_of(1.0)
    training = generate_hybrid(
        host, UNITS, seed=1, train_on="other", other_recording=other
    ).training_recording
    assert training.get_num_frames() == other.get_num_frames()


def test_a_recording_to_train_on_must_be_there_and_of_the_same_contacts(host):
    with pytest.raises(ValueError, match="no other recording is given"):
        generate_hybrid(host, UNITS, seed=1, train_on="other")
    fewer = host.select_channels(host.channel_ids[:8])
    with pytest.raises(ValueError, match="other channels or contacts than the host"):
        generate_hybrid(host, UNITS, seed=1, train_on="other", other_recording=fewer)
    with pytest.raises(ValueError, match="not one of hybrid, host, other"):
        generate_hybrid(host, UNITS, seed=1, train_on="guest")


def test_what_is_out_of_range_is_cut_off_and_counted():
    """Spikes go down; a host at the lower end of its integers has no room for them."""
    host = host_of(1.0, offset=-32_400)
    truth = generate_hybrid(host, UNITS, seed=1)
    traces = truth.recording.get_traces().astype(float)
    spikes = truth.spikes().get_traces()
    expected = host.get_traces() + spikes / GAIN
    np.testing.assert_allclose(traces, np.clip(expected, -32768, 32767), atol=0.51)
    assert truth.facts["clipped_samples"] == (expected < -32768).sum() > 0


def test_an_amplifier_may_saturate_before_its_integers_end(host):
    truth = generate_hybrid(host, UNITS, seed=1, saturation_uv=150.0)
    assert np.abs(truth.recording.get_traces(return_in_uV=True)).max() <= 150.0
    assert truth.facts["clipped_samples"] > 0
    assert generate_hybrid(host, UNITS, seed=1).facts["clipped_samples"] == 0


def test_spikes_are_sampled_as_late_as_the_channels_of_the_host(host):
    """So that `phase_shift`, which aligns channels, aligns the injected spikes."""
    placing = generator_placing(host.get_channel_locations(), FREQUENCY, 3, None, seed=1)
    aligned = placing(draw_places(host.get_channel_locations(), 3, None, seed=1))
    shifted_host = host.clone()
    shifted_host.set_property("inter_sample_shift", np.tile([0.0, 0.25, 0.5, 0.75], 8))
    sampled = as_sampled(aligned, shifted_host)
    assert np.abs(sampled - aligned).max() > 0.02 * np.abs(aligned).max()
    for one, other in zip(sampled, aligned, strict=True):
        padded = np.pad(one, ((600, 600), (0, 0)))
        recording = recording_of(padded, neuropixels(CHANNELS), FREQUENCY)
        recording.set_property("inter_sample_shift", np.tile([0.0, 0.25, 0.5, 0.75], 8))
        again = phase_shift(recording).get_traces()[600:-600]
        assert np.abs(again - other).max() < 0.02 * np.abs(other).max()


def test_units_move_as_the_tissue_does(host, tmp_path):
    """Each unit's largest spikes are on higher contacts when the tissue has moved up."""
    displacement = np.linspace(0, 60, 9)[:, None] * np.ones((1, 2))
    motion = Motion(displacement, np.linspace(0, 4, 9), np.array([0.0, 240.0]))
    motion.save(tmp_path / "motion")
    asked = UNITS | {"depth_um": [50.0, 110.0]}
    truth = generate_hybrid(host, asked, seed=1, motion=tmp_path / "motion")
    depths = truth.recording.get_channel_locations()[:, 1]
    spikes = truth.spikes().get_traces()
    for unit, rest in zip(truth.sorting.unit_ids, truth.units["depth_um"], strict=True):
        index = truth.sorting.ids_to_indices([unit])[0]
        train = truth.sorting.get_unit_spike_train(unit)
        vector = truth.sorting.to_spike_vector()
        alone = [
            frame
            for frame in train
            if np.sum(np.abs(vector["sample_index"].astype(int) - int(frame)) < 200) == 1
        ]
        for frame in alone:
            power = np.square(spikes[frame - 5 : frame + 6]).sum(axis=0)
            centre = power @ depths / power.sum()
            moved = 60 * frame / (4 * FREQUENCY)
            assert centre == pytest.approx(rest + moved, abs=25), (unit, index)
    still = generate_hybrid(host, asked, seed=1).templates.templates_array
    np.testing.assert_array_equal(truth.templates.templates_array, still)
    truth.save(tmp_path / "truth")
    loaded = load_ground_truth(tmp_path / "truth")
    np.testing.assert_array_equal(loaded.spikes().get_traces(), spikes)


def test_motion_that_cannot_be_had_is_refused_in_a_sentence(host, tmp_path):
    with pytest.raises(ValueError, match="lasts 4 s, too little to estimate its motion"):
        generate_hybrid(host, UNITS, seed=1, motion="estimate")
    with pytest.raises(FileNotFoundError, match=r"no folder of motion at .*nowhere"):
        generate_hybrid(host, UNITS, seed=1, motion=tmp_path / "nowhere")


def test_depths_off_the_probe_are_refused_in_a_sentence(host):
    with pytest.raises(ValueError, match="no contact at a depth_um within"):
        generate_hybrid(host, UNITS | {"depth_um": [5000.0, 6000.0]}, seed=1)


def test_only_the_seed_decides(host):
    one, again = (generate_hybrid(host, UNITS, seed=1) for _ in range(2))
    np.testing.assert_array_equal(one.recording.get_traces(), again.recording.get_traces())
    other = generate_hybrid(host, UNITS, seed=2)
    assert (
        len(
            np.intersect1d(
                *(each.sorting.to_spike_vector()["sample_index"] for each in (one, other))
            )
        )
        < 30
    )
    assert not np.allclose(one.units["depth_um"], other.units["depth_um"])


@pytest.fixture(scope="module")
def donor():
    """A recording with its sorting, of which it is known what the templates are."""
    return synthetic(
        duration_s=20.0,
        channels=CHANNELS,
        noise={"independent": {"level_uv": 3.0}},
        units={"number": 4, "peak_uv": [80.0, 200.0], "firing_rate_hz": [10.0, 15.0]},
    )


def test_templates_of_a_sorting_are_those_of_its_units(donor):
    stock = templates_of_sorting(donor.recording, donor.sorting, seed=0)
    large = np.flatnonzero(~donor.units["background"])
    for index in large:
        true = donor.templates.templates_array[index]
        found = stock.templates_array[index]
        assert np.corrcoef(true.ravel(), found.ravel())[0, 1] > 0.95


def test_templates_of_a_stock_keep_their_shape_where_they_are_moved(donor, host):
    """By a whole number of rows, on the same probe: the waveforms come back on other contacts."""
    stock = donor.templates.select_units(donor.templates.unit_ids[:1])
    contacts = host.get_channel_locations()
    placing = stock_placing(stock, contacts, FREQUENCY, 1, None, seed=0)
    weights = np.square(np.abs(stock.templates_array[0]).max(axis=0))
    centre = weights @ contacts / weights.sum()
    (same,) = placing(centre[None])
    (moved,) = placing(centre[None] + [0.0, 15.0])
    scale = np.abs(same).max()
    assert scale == pytest.approx(np.abs(stock.templates_array[0]).max(), rel=0.02)
    np.testing.assert_allclose(moved[:, 4:-4], same[:, 2:-6], atol=0.02 * scale)


def test_a_hybrid_of_a_stock_is_as_asked(donor, host):
    truth = generate_hybrid(host, UNITS, seed=1, stock=donor.templates)
    peaks = np.abs(truth.templates.templates_array).max(axis=(1, 2))
    np.testing.assert_allclose(peaks, truth.units["peak_uv"], rtol=1e-4)
    frames = np.abs(truth.templates.templates_array).max(axis=2).argmax(axis=1)
    assert (np.abs(frames - truth.templates.nbefore) <= 3).all()


def test_a_stock_is_searched_for_the_width_asked_for(donor, host):
    widths = widths_ms(donor.templates.templates_array, FREQUENCY)
    middle = np.median(widths)
    contacts = host.get_channel_locations()
    placing = stock_placing(donor.templates, contacts, FREQUENCY, 9, (middle, 2.0), seed=0)
    placed = placing(draw_places(contacts, 9, None, seed=0))
    assert widths_ms(placed, FREQUENCY).min() >= middle - 0.1
    with pytest.raises(ValueError, match="none has a width_ms within"):
        stock_placing(donor.templates, contacts, FREQUENCY, 9, (4.0, 5.0), seed=0)


def test_templates_of_another_sampling_rate_last_as_long(donor, host):
    contacts = host.get_channel_locations()
    place = np.array([[16.0, 120.0]])
    stock = donor.templates.select_units(donor.templates.unit_ids[:1])
    before = stock_placing(stock, contacts, FREQUENCY, 1, None, seed=0)(place)
    after = stock_placing(stock, contacts, 2 * FREQUENCY, 1, None, seed=0)(place)
    assert after.shape[1] == 2 * before.shape[1]
    np.testing.assert_allclose(
        widths_ms(after, 2 * FREQUENCY), widths_ms(before, FREQUENCY), atol=0.04
    )


def test_a_donor_of_one_column_is_refused_in_a_sentence(donor, host):
    line = donor.recording.get_channel_locations()[::2]
    one_column = si.Templates(
        donor.templates.templates_array[:, :, ::2],
        sampling_frequency=FREQUENCY,
        nbefore=donor.templates.nbefore,
        probe=neuropixels(CHANNELS).get_slice(np.arange(0, CHANNELS, 2)),
    )
    assert len(np.unique(line[:, 0])) == 1
    with pytest.raises(ValueError, match="lie in one line"):
        stock_placing(one_column, host.get_channel_locations(), FREQUENCY, 1, None, seed=0)


def test_templates_of_mearec_are_read_from_their_file(donor, tmp_path):
    """In MEArec's layout: cells x contacts x frames, in the plane yz, a step of 1/32 ms."""
    arrays = donor.templates.templates_array
    contacts = donor.recording.get_channel_locations()
    path = tmp_path / "templates.h5"
    with h5py.File(path, "w") as file:
        file["templates"] = arrays.transpose(0, 2, 1)
        file["info/electrodes/pos"] = contacts
        file["info/params/dt"] = 1 / 32
    stock = read_mearec_templates(path)
    np.testing.assert_array_equal(stock.templates_array, arrays)
    np.testing.assert_array_equal(stock.get_channel_locations(), contacts)
    assert stock.sampling_frequency == 32_000.0
    with pytest.raises(FileNotFoundError, match="no templates of MEArec"):
        read_mearec_templates(tmp_path / "nothing.h5")
    (tmp_path / "text.h5").write_text("text")
    with pytest.raises(ValueError, match="not a file of MEArec's templates"):
        read_mearec_templates(tmp_path / "text.h5")


def test_a_database_out_of_reach_is_said_in_a_sentence(monkeypatch):
    def unreachable():
        raise OSError("no route")

    monkeypatch.setattr("spikeinterface.generation.fetch_templates_database_info", unreachable)
    with pytest.raises(ConnectionError, match="cannot be reached from here"):
        templates_of_database(["any"])
