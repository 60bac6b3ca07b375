"""A cell with an electrode of its own: its spikes are where the cell fires, or it is refused."""

import numpy as np
import pytest

from ephys_deepinterpolation.ground_truth import load_ground_truth
from ephys_deepinterpolation.ground_truth.alignment import AlignmentError
from ephys_deepinterpolation.ground_truth.checks import measure_true_units
from ephys_deepinterpolation.ground_truth.juxtacellular import DoubtfulCellError
from ephys_deepinterpolation.ground_truth.paired import read_paired, read_spike_times
from example_paired import DURATION_S, FREQUENCY, LEAD_MS, PATCH_DRIFT, write_hc1, write_spe1
from fixtures import noise_recording

WAYS = {
    "lengths": {"alignment": "length_ratio", "recording_pulses": None, "cell_pulses": None},
    "pulses": {"alignment": "sync_pulses"},
}


@pytest.fixture(scope="module")
def spe1(tmp_path_factory):
    return write_spe1(tmp_path_factory.mktemp("spe-1") / "c1")


@pytest.fixture(scope="module", params=list(WAYS))
def paired(spe1, request):
    return read_paired(**spe1.parameters | WAYS[request.param], fetched={})


@pytest.fixture(scope="module")
def hc1(tmp_path_factory):
    return write_hc1(tmp_path_factory.mktemp("hc-1") / "d5331")


@pytest.fixture(scope="module")
def hc1_paired(hc1):
    return read_paired(**hc1.parameters, fetched={})


def assert_same_spikes(found, true, frames):
    nearest = np.abs(found[:, None] - true[None, :])
    assert (nearest.min(axis=1) <= frames).mean() > 0.99
    assert (nearest.min(axis=0) <= frames).mean() > 0.99


def assert_same_template(truth, template):
    """Within noise: the units table says how large that is at the peak."""
    found = truth.templates.templates_array[0]
    error = truth.units["peak_standard_error_uv"][0]
    centred = template - np.median(template, axis=0)
    assert np.sqrt(np.mean((found - centred) ** 2)) < 1.5 * error
    assert np.abs(found - centred).max() < 6 * error


def test_the_spikes_of_the_cell_are_where_it_fires_on_the_other_clock(paired, spe1):
    """A clock that runs fast by 0.03 % is 270 frames off at the end."""
    assert PATCH_DRIFT * DURATION_S * FREQUENCY > 200
    assert_same_spikes(paired.sorting.get_unit_spike_train("cell"), spe1.frames, frames=1)


def test_the_template_is_the_average_of_the_recording(paired, spe1):
    assert_same_template(paired, spe1.template)
    unit = paired.units.loc[0]
    assert unit["peak_uv"] == pytest.approx(100.0, abs=5 * unit["peak_standard_error_uv"])
    # Noise of 8 µV and 0.7 µV of rounding.
    expected = np.hypot(8.0, 2.34 / np.sqrt(12)) / np.sqrt(unit["spikes"])
    assert unit["peak_standard_error_uv"] == pytest.approx(expected, rel=0.25)


def test_spikes_are_moved_to_their_trough_beside_the_cell(paired):
    assert paired.units["shift_ms"][0] == pytest.approx(LEAD_MS, abs=1.5 * 1000 / FREQUENCY)


def test_units_say_what_is_known_of_the_cell(paired, spe1):
    unit = paired.units.loc[0]
    assert unit["spikes"] == pytest.approx(len(spe1.frames), rel=0.01)
    assert unit["firing_rate_hz"] == pytest.approx(unit["spikes"] / DURATION_S)
    assert unit["halves_cosine"] > 0.95
    assert abs(unit["halves_lag_ms"]) <= 1000 / FREQUENCY
    assert unit["polarity"] == -1
    assert unit["d_prime"] > 5
    peak = np.unravel_index(np.abs(spe1.template).argmax(), spe1.template.shape)[1]
    place = paired.recording.get_channel_locations()[peak]
    np.testing.assert_array_equal(place, unit[["x_um", "depth_um"]].astype(float))


def test_one_cell_is_not_the_whole_truth(paired):
    assert paired.facts["exhaustive"] is False
    assert paired.facts["evidence"].startswith("one cell: report it by itself")
    assert paired.noise == {}


def test_what_was_read_can_be_saved_and_checked(spe1, tmp_path):
    truth = read_paired(**spe1.parameters | WAYS["lengths"], fetched={})
    truth.save(tmp_path / "truth")
    loaded = load_ground_truth(tmp_path / "truth")
    np.testing.assert_array_equal(loaded.recording.get_traces(), truth.recording.get_traces())
    assert loaded.facts == truth.facts
    checked = measure_true_units(loaded, seed=1).loc[0]
    assert checked["average_cosine"] > 0.999
    error = checked["standard_error_uv"]
    assert checked["average_peak_uv"] == pytest.approx(checked["expected_peak_uv"], abs=error)
    assert error == pytest.approx(checked["peak_standard_error_uv"], rel=0.05)


def test_a_wrong_clock_gives_itself_away(spe1):
    truth = read_paired(**spe1.parameters, fetched={})
    unit = truth.units.loc[0]
    assert unit["peak_uv"] < 50
    assert unit["halves_cosine"] < 0.8


def test_an_excerpt_holds_the_spikes_within_it(spe1):
    recording = spe1.parameters["recording"] | {"start_s": 10.0, "duration_s": 15.0}
    excerpt = read_paired(
        **spe1.parameters | {"recording": recording, "alignment": "length_ratio"}, fetched={}
    )
    start, end = round(10 * FREQUENCY), round(25 * FREQUENCY)
    within = spe1.frames[(spe1.frames >= start) & (spe1.frames < end)]
    assert excerpt.recording.get_num_samples() == end - start
    assert_same_spikes(excerpt.sorting.get_unit_spike_train("cell"), within - start, frames=1)
    outside = excerpt.facts["spikes_outside"] + len(within)
    assert outside == pytest.approx(len(spe1.frames), rel=0.01)
    assert_same_template(excerpt, spe1.template)


def test_a_cell_within_the_noise_is_refused_by_the_name_of_its_file(tmp_path):
    weak = write_spe1(tmp_path / "c1", size=4.0)
    with pytest.raises(DoubtfulCellError, match=r"c1_patch_ch1\.bin: "):
        read_paired(**weak.parameters | WAYS["lengths"], fetched={})


def test_a_cell_in_a_channel_of_the_recording_itself(hc1_paired, hc1):
    assert hc1_paired.recording.get_num_channels() == 4
    assert_same_spikes(hc1_paired.sorting.get_unit_spike_train("cell"), hc1.frames, frames=1)
    assert_same_template(hc1_paired, hc1.template)
    assert hc1_paired.units["polarity"][0] == 1


@pytest.mark.parametrize(("suffix", "unit"), [(".npy", "frames"), (".txt", "seconds")])
def test_spikes_are_read_from_a_file(spe1, tmp_path, suffix, unit):
    path = tmp_path / f"spikes{suffix}"
    values = spe1.frames if unit == "frames" else spe1.frames / FREQUENCY
    np.save(path, values) if suffix == ".npy" else np.savetxt(path, values)
    truth = read_paired(
        recording=spe1.parameters["recording"],
        probe="NP1000",
        spikes={"path": str(path), "unit": unit},
        fetched={},
    )
    np.testing.assert_array_equal(truth.sorting.get_unit_spike_train("cell"), spe1.frames)
    assert truth.units["shift_ms"][0] == 0
    assert "d_prime" not in truth.units
    assert_same_template(truth, spe1.template)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([3.0, 1.0, 2.0], "spike 1 of .*counted from 0, is 1: spikes ascend"),
        ([-1.0, 2.0], "spike 0 of .* is -1"),
        ([], "one number per spike"),
        ([[1.0, 2.0]], "shape \\(1, 2\\)"),
        ([1.0, np.nan], "one number per spike"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path, values, message):
    np.save(tmp_path / "spikes.npy", np.array(values))
    with pytest.raises(ValueError, match=message):
        read_spike_times(tmp_path / "spikes.npy", "seconds", FREQUENCY)


def test_text_that_is_no_number_is_refused(tmp_path):
    (tmp_path / "spikes.csv").write_text("time\n1.0\n")
    with pytest.raises(ValueError, match=r"spikes\.csv does not hold one number per spike"):
        read_spike_times(tmp_path / "spikes.csv", "seconds", FREQUENCY)


def refused(spe1, error, match, **changes):
    with pytest.raises(error, match=match):
        read_paired(**spe1.parameters | changes, fetched={})


def test_what_cannot_be_used_is_refused_in_a_sentence(spe1, tmp_path):
    binary = spe1.parameters["recording"]
    without_gain = {
        key: value for key, value in binary["arguments"].items() if not key.endswith("to_uV")
    }
    refused(spe1, ValueError, "no probe: name one", probe=None)
    refused(spe1, ValueError, "no gain to µV", recording=binary | {"arguments": without_gain})
    refused(spe1, ValueError, "has 16 channels, from 0 to 15, and no channel 16", channels=[0, 16])
    refused(spe1, FileNotFoundError, "no recording at", trace={"reader": "load", "path": "no/x"})
    refused(spe1, AlignmentError, "needs the trace", trace=None, alignment="length_ratio")
    refused(spe1, AlignmentError, "needs rec", recording_pulses=None, alignment="sync_pulses")
    noise_recording([500, 500], seed=3).save(folder=tmp_path / "two", progress_bar=False)
    two = {"reader": "load", "path": str(tmp_path / "two")}
    refused(spe1, ValueError, "two has 2 segments instead of one", recording=two)
    np.save(tmp_path / "late.npy", [100.0, 101.0])
    late = {"path": str(tmp_path / "late.npy"), "unit": "seconds"}
    refused(spe1, ValueError, "of the 2 spikes of the cell 0 lie within", trace=None, spikes=late)
