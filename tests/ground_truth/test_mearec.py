"""Reading what MEArec simulated. The files are in its layout, but written without it."""

import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ephys_deepinterpolation.ground_truth import load_ground_truth, read_mearec
from ephys_deepinterpolation.ground_truth.mearec import neuropixels
from example_mearec import (
    CELLS,
    CHANNELS,
    DURATION_S,
    NOISE_UV,
    write_recording,
    write_templates,
)

GAIN = 0.5
PROBE = neuropixels("NP2003", CHANNELS)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_recording(tmp_path_factory.mktemp("mearec") / "recording.h5")


@pytest.fixture(scope="module")
def truth(path):
    return read_mearec(path, GAIN, PROBE)


@pytest.fixture(scope="module")
def stored(path):
    with h5py.File(path) as file:
        return {name: file[name][()] for name in ("recordings", "noise_free")}


def waveforms_at_spikes(truth, traces, unit):
    """Snippets (spikes, frames, channels) around the spikes of a unit."""
    spikes = truth.sorting.get_unit_spike_train(unit)
    first = spikes - truth.templates.nbefore
    return traces[first[:, None] + np.arange(truth.templates.num_samples)]


class TestRecording:
    def test_holds_the_traces_of_the_file_to_half_a_step_of_its_integers(self, truth, stored):
        traces = truth.recording.get_traces(return_in_uV=True)
        assert truth.recording.get_dtype() == np.int16
        assert_allclose(traces, stored["recordings"], atol=GAIN / 2 + 1e-4)

    def test_keeps_the_traces_as_they_are_without_a_gain(self, path, stored):
        recording = read_mearec(path).recording
        assert_array_equal(recording.get_traces(return_in_uV=True), stored["recordings"])

    def test_reads_any_part_as_it_reads_the_whole(self, truth):
        whole = truth.recording.get_traces()
        ids = truth.recording.channel_ids[[5, 2, 11]]
        part = truth.recording.get_traces(start_frame=1234, end_frame=5678, channel_ids=ids)
        assert_array_equal(part, whole[1234:5678, [5, 2, 11]])

    def test_integers_of_a_file_keep_their_gain(self, path, tmp_path, stored):
        copy = tmp_path / "integers.h5"
        copy.write_bytes(path.read_bytes())
        with h5py.File(copy, "a") as file:
            del file["recordings"]
            file["recordings"] = np.rint(stored["recordings"] / 0.25).astype(np.int16)
            file["recordings"].attrs["gain_to_uV"] = 0.25
        for gain in (None, 0.25):
            traces = read_mearec(copy, gain).recording.get_traces(return_in_uV=True)
            assert_allclose(traces, stored["recordings"], atol=0.125 + 1e-4)

    @pytest.mark.parametrize("filtered", [False, True])
    def test_says_whether_it_is_filtered(self, tmp_path, filtered):
        truth = read_mearec(write_recording(tmp_path / "r.h5", filter=filtered))
        assert truth.recording.is_filtered() is filtered
        assert truth.facts["filtered"] is filtered

    def test_has_the_probe_asked_for_else_that_of_the_file(self, truth, path):
        assert_allclose(truth.recording.get_channel_locations(), PROBE.contact_positions)
        own = read_mearec(path).recording.get_channel_locations()
        assert_allclose(own, PROBE.contact_positions - PROBE.contact_positions.mean(axis=0))


class TestSpikes:
    def test_are_where_the_templates_are(self, truth, stored):
        for unit, template in zip(
            truth.sorting.unit_ids, truth.templates.templates_array, strict=True
        ):
            snippets = waveforms_at_spikes(truth, stored["noise_free"], unit)
            peak = np.unravel_index(np.abs(template).argmax(), template.shape)
            values = snippets[:, *peak]
            error = values.std(ddof=1) / len(values) ** 0.5
            assert abs(values.mean() - template[peak]) < 4 * error
            assert abs(peak[0] - truth.templates.nbefore) <= 1

    def test_a_frame_off_they_would_not_be_there(self, truth, stored):
        unit = truth.sorting.unit_ids[-1]
        template = truth.templates.templates_array[-1]
        late = np.roll(template, 1, axis=0)
        average = waveforms_at_spikes(truth, stored["noise_free"], unit).mean(axis=0)
        assert np.abs(average - template).max() < 0.5 * np.abs(average - late).max()

    @pytest.mark.parametrize(("units", "shifts", "steps"), [(1, 1, 1), (1, 3, 5), (2, 1, 5)])
    def test_templates_are_those_of_displacement_0_whatever_axes_mearec_dropped(
        self, tmp_path, units, shifts, steps
    ):
        path = write_recording(tmp_path / "r.h5", units=units, shifts=shifts, steps=steps)
        truth = read_mearec(path, GAIN, PROBE)
        still = read_mearec(write_recording(tmp_path / "s.h5", units=units, shifts=shifts))
        assert truth.templates.templates_array.shape[::2] == (units, CHANNELS)
        assert_allclose(truth.templates.templates_array, still.templates.templates_array, atol=1e-4)

    def test_units_are_described_in_the_coordinates_of_the_probe(self, truth):
        centre = PROBE.contact_positions.mean(axis=0)
        assert_allclose(truth.units["depth_um"], centre[1] + [-50.0, 0.0, 50.0])
        assert_allclose(truth.units["x_um"], centre[0])
        assert_allclose(truth.units["distance_um"], 20.0)
        assert list(truth.units["cell_type"]) == list(CELLS)[:3]
        peaks = np.abs(truth.templates.templates_array).max(axis=(1, 2))
        assert_allclose(truth.units["peak_uv"], peaks)
        assert_allclose(truth.units["spikes"] / DURATION_S, truth.units["firing_rate_hz"])
        assert list(truth.units["unit"]) == list(truth.sorting.unit_ids)


class TestParts:
    def test_sum_to_the_recording_also_when_read_again(self, truth, tmp_path):
        truth.save(tmp_path / "truth")
        for each in (truth, load_ground_truth(tmp_path / "truth")):
            parts = each.parts()
            assert list(parts) == ["units", "uncorrelated"]
            total = sum(part.get_traces() for part in parts.values())
            assert_allclose(total, each.recording.get_traces(return_in_uV=True), atol=1e-3)

    def test_the_noise_is_what_was_added(self, truth, stored):
        noise = truth.noise["uncorrelated"].get_traces()
        assert_allclose(noise, stored["recordings"] - stored["noise_free"], atol=GAIN / 2 + 1e-3)
        assert noise.std() == pytest.approx((NOISE_UV**2 + GAIN**2 / 12) ** 0.5, rel=0.01)

    def test_are_not_invented_for_a_file_of_mearec_alone(self, path, tmp_path):
        copy = tmp_path / "plain.h5"
        copy.write_bytes(path.read_bytes())
        with h5py.File(copy, "a") as file:
            del file["noise_free"]
        truth = read_mearec(copy, GAIN)
        assert truth.noise == {}
        truth.save(tmp_path / "truth")
        assert list(load_ground_truth(tmp_path / "truth").parts()) == ["units"]

    @pytest.mark.parametrize(
        ("mode", "exhaustive"),
        [("uncorrelated", True), ("distance-correlated", True), ("far-neurons", False)],
    )
    def test_only_far_neurons_hide_spikes(self, tmp_path, mode, exhaustive):
        truth = read_mearec(write_recording(tmp_path / "r.h5", noise_mode=mode.encode()))
        assert truth.facts["exhaustive"] is exhaustive
        assert list(truth.noise) == [mode]

    def test_seeds_and_versions_are_kept_with_what_the_caller_adds(self, path):
        facts = read_mearec(path, facts={"seed": 3}).facts
        assert facts["seed"] == 3
        assert facts["mearec_seeds"]["noise"] == 7
        assert facts["versions"]["mearec"] == "1.11.0"


class TestRefusal:
    def test_of_a_missing_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"no MEArec recording at .*nothing\.h5"):
            read_mearec(tmp_path / "nothing.h5")

    def test_of_a_file_of_another_format(self, tmp_path):
        (tmp_path / "text.h5").write_text("not at all")
        with pytest.raises(ValueError, match=r"text\.h5 is not an HDF5 file"):
            read_mearec(tmp_path / "text.h5")

    def test_of_templates_in_place_of_a_recording(self, tmp_path):
        path = write_templates(tmp_path / "templates.h5")
        with pytest.raises(ValueError, match=r"templates\.h5 is not a recording .*no recordings"):
            read_mearec(path)

    def test_of_the_layout_of_old_files(self, path, tmp_path, stored):
        copy = tmp_path / "old.h5"
        copy.write_bytes(path.read_bytes())
        with h5py.File(copy, "a") as file:
            del file["recordings"]
            file["recordings"] = stored["recordings"].T
        with pytest.raises(ValueError, match="convert_recording_to_new_version"):
            read_mearec(copy)

    @pytest.mark.parametrize("other", [neuropixels("NP2003", 14), neuropixels("NP1010", 16)])
    def test_of_another_probe(self, path, other):
        with pytest.raises(ValueError, match="not simulated for the contacts"):
            read_mearec(path, GAIN, other)
