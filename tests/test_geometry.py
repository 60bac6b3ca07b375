import numpy as np
import pytest
from probeinterface import Probe, ProbeGroup
from probeinterface.generator import (
    generate_linear_probe,
    generate_multi_columns_probe,
    generate_tetrode,
)
from probeinterface.neuropixels_tools import build_neuropixels_probe
from spikeinterface.core import NumpyRecording

from ephys_deepinterpolation.geometry import (
    GeometryError,
    image_of_positions,
    image_of_recording,
)
from fixtures import neuropixels, recording_of


def neuropixels_shanks(contacts_per_shank, shanks):
    """Contacts from the tip of some shanks of a four-shank Neuropixels 2.0 probe."""
    probe = build_neuropixels_probe("NP2013")
    chosen = [
        np.flatnonzero(probe.shank_ids == str(shank))[:contacts_per_shank]
        for shank in range(shanks)
    ]
    return probe.get_slice(np.concatenate(chosen))


PROBES = {
    "NP1.0, staggered": (neuropixels(384, "NP1000"), (1, 192, 2)),
    "NP2.0, one shank": (neuropixels(384, "NP2003"), (1, 192, 2)),
    "NP2.0, four shanks": (neuropixels_shanks(96, 4), (4, 48, 2)),
    "NP2.0, two shanks": (neuropixels_shanks(192, 2), (2, 96, 2)),
    "NP-Ultra": (neuropixels(384, "NP1100"), (1, 48, 8)),
    "linear": (generate_linear_probe(32), (1, 32, 1)),
    "tetrode": (generate_tetrode(), (1, 3, 2)),
    "planar array": (generate_multi_columns_probe(8, 6, xpitch=30, ypitch=25), (1, 6, 8)),
}


def image_of_probe(probe):
    return image_of_positions(probe.contact_positions, probe.shank_ids)


def random_traces(channels, frames=7):
    return np.random.default_rng(0).normal(size=(frames, channels)).astype(np.float32)


def numbered_image(image, names):
    """The names of channels, from 1, where they lie; 0 in holes."""
    return image.to_image(np.asarray(names)[None] + 1)[0]


@pytest.mark.parametrize(("probe", "shape"), PROBES.values(), ids=PROBES)
def test_a_probe_has_the_shape_one_would_draw(probe, shape):
    assert image_of_probe(probe).shape == shape


@pytest.mark.parametrize(("probe", "shape"), PROBES.values(), ids=PROBES)
def test_traces_come_back_from_the_image_exactly(probe, shape):
    image = image_of_probe(probe)
    traces = random_traces(probe.get_contact_count())
    back = image.from_image(image.to_image(traces))
    assert back.dtype == traces.dtype
    np.testing.assert_array_equal(back, traces)


@pytest.mark.parametrize(("probe", "shape"), PROBES.values(), ids=PROBES)
def test_the_mask_marks_every_contact_and_holes_are_zero(probe, shape):
    image = image_of_probe(probe)
    laid_out = image.to_image(1 + np.abs(random_traces(probe.get_contact_count())))
    assert image.mask.sum() == probe.get_contact_count()
    np.testing.assert_array_equal(laid_out != 0, np.broadcast_to(image.mask, laid_out.shape))


@pytest.mark.parametrize(("probe", "shape"), PROBES.values(), ids=PROBES)
def test_rows_ascend_with_depth_and_columns_across_each_row(probe, shape):
    image = image_of_probe(probe)
    for shank in range(shape[0]):
        members = np.flatnonzero(image.shank == shank)
        x, y = np.round(probe.contact_positions[members].T, 3)
        by_height = np.argsort(y, kind="stable")
        assert (np.diff(image.row[members][by_height]) >= 0).all()
        for row in np.unique(image.row[members]):
            here = image.row[members] == row
            assert len(set(y[here])) == 1
            assert (np.diff(image.column[members][here][np.argsort(x[here])]) > 0).all()


def test_contacts_of_a_shank_stay_on_that_shank():
    probe = neuropixels_shanks(96, 4)
    image = image_of_probe(probe)
    np.testing.assert_array_equal(image.shank, probe.shank_ids.astype(int))


@pytest.mark.parametrize("removed", [1, 100, 191, 200, 382])
@pytest.mark.parametrize("part", ["NP1000", "NP2003"])
def test_a_removed_channel_leaves_a_hole_and_shifts_none(part, removed):
    probe = neuropixels(384, part)
    kept = np.delete(np.arange(384), removed)
    whole = numbered_image(image_of_probe(probe), np.arange(384))
    fewer = numbered_image(image_of_probe(probe.get_slice(kept)), kept)
    np.testing.assert_array_equal(fewer, np.where(whole == removed + 1, 0, whole))


@pytest.mark.parametrize("pitch", [20.0, 12.5, 22.5, 50 / 3, 30.3, 6.0])
@pytest.mark.parametrize("removed", [1, 2, 3, 5, 7])
def test_removed_rows_leave_a_gap_of_as_many_rows_at_any_pitch(pitch, removed):
    y = np.arange(32) * pitch
    kept = np.delete(np.arange(32), np.arange(10, 10 + removed))
    image = image_of_positions(np.stack([np.zeros(len(kept)), y[kept]], axis=1))
    np.testing.assert_array_equal(image.row, kept)


def test_a_wide_gap_between_banks_is_cut_short_and_hides_no_hole():
    y = np.concatenate([np.arange(8), np.arange(12, 20), np.arange(500.3, 510)]) * 20.0
    image = image_of_positions(np.stack([np.zeros(len(y)), y], axis=1))
    steps = np.diff(image.row)
    assert steps[7] == 5
    assert 1 < steps[15] < 20
    assert (np.delete(steps, [7, 15]) == 1).all()


def test_the_order_of_channels_does_not_change_the_image():
    probe = neuropixels(384, "NP1000")
    order = np.random.default_rng(1).permutation(384)
    shuffled = image_of_positions(probe.contact_positions[order])
    np.testing.assert_array_equal(
        numbered_image(shuffled, order), numbered_image(image_of_probe(probe), np.arange(384))
    )


def test_the_image_of_a_recording_follows_its_channels_not_its_contacts():
    probe = neuropixels(32, "NP1000")
    wiring = np.random.default_rng(2).permutation(32)
    probe.set_device_channel_indices(wiring)
    recording = NumpyRecording(random_traces(32), 30_000.0)
    recording.set_probe(probe)
    position_of_channel = probe.contact_positions[np.argsort(wiring)]
    expected = image_of_positions(position_of_channel)
    np.testing.assert_array_equal(
        numbered_image(image_of_recording(recording), np.arange(32)),
        numbered_image(expected, np.arange(32)),
    )


def test_a_recording_of_reordered_channels_gives_the_same_image():
    recording = recording_of(random_traces(32))
    order = np.random.default_rng(3).permutation(32)
    reordered = recording.select_channels(recording.channel_ids[order])
    np.testing.assert_array_equal(
        image_of_recording(reordered).to_image(reordered.get_traces()),
        image_of_recording(recording).to_image(recording.get_traces()),
    )


def test_the_place_of_the_probe_does_not_matter():
    positions = neuropixels(64, "NP1000").contact_positions
    image = image_of_positions(positions)
    moved = image_of_positions(positions + np.array([1234.0, -777.0]))
    np.testing.assert_array_equal(image.row, moved.row)
    np.testing.assert_array_equal(image.column, moved.column)


def test_positions_off_by_rounding_share_their_row():
    positions = neuropixels(64).contact_positions
    jitter = np.random.default_rng(4).uniform(-1e-3, 1e-3, size=positions.shape)
    assert image_of_positions(positions + jitter).shape == image_of_positions(positions).shape


def test_a_recording_without_probe_is_refused():
    with pytest.raises(GeometryError, match=r"no probe.*set_probe"):
        image_of_recording(NumpyRecording(random_traces(4), 30_000.0))


def test_several_probes_are_refused():
    probes = ProbeGroup()
    for index in range(2):
        probe = generate_tetrode()
        probe.move([200.0 * index, 0.0])
        probe.set_device_channel_indices(np.arange(4) + 4 * index)
        probes.add_probe(probe)
    recording = NumpyRecording(random_traces(8), 30_000.0)
    recording.set_probegroup(probes)
    with pytest.raises(GeometryError, match=r"2 probes.*split_by"):
        image_of_recording(recording)
    for part in recording.split_by("group").values():
        assert image_of_recording(part).mask.sum() == 4


def test_two_contacts_at_one_place_are_refused_and_the_place_is_named():
    positions = np.array([[0.0, 0.0], [32.0, 0.0], [0.0, 15.0], [32.0, 15.0], [32.0, 15.0]])
    with pytest.raises(GeometryError, match="x = 32 µm, y = 15 µm"):
        image_of_positions(positions)


def test_contacts_at_one_place_of_different_shanks_are_no_overlap():
    positions = np.array([[0.0, 0.0], [0.0, 15.0], [0.0, 0.0], [0.0, 15.0]])
    assert image_of_positions(positions, np.array(["a", "a", "b", "b"])).mask.all()


def test_a_probe_in_three_dimensions_is_seen_along_its_plane():
    probe = neuropixels(16)
    upright = Probe(ndim=3)
    positions = np.column_stack([probe.contact_positions, np.zeros(16)])
    upright.set_contacts(positions, plane_axes=np.tile(np.eye(3)[None, :2], (16, 1, 1)))
    upright.set_device_channel_indices(np.arange(16))
    recording = NumpyRecording(random_traces(16), 30_000.0)
    recording.set_probe(upright)
    assert image_of_recording(recording).shape == (1, 8, 2)
