"""Probes by name, and which of their contacts are recorded."""

import numpy as np
import pytest
from probeinterface.neuropixels_tools import build_neuropixels_probe

from ephys_deepinterpolation.ground_truth.probes import build_probe, shanks_of

NEUROPIXELS = {"1.0": "NP1000", "2.0": "NP2003", "2.0, four shanks": "NP2013", "Ultra": "NP1100"}


@pytest.mark.parametrize("part", NEUROPIXELS.values(), ids=NEUROPIXELS)
@pytest.mark.parametrize("channels", [1, 7, 384])
def test_every_contact_used_is_nearer_to_the_tip_than_the_others_of_its_shank(part, channels):
    whole = build_neuropixels_probe(part)
    probe = build_probe(part, channels)
    assert probe.get_contact_count() == channels
    assert probe.device_channel_indices.tolist() == list(range(channels))
    ids = whole.contact_ids.tolist()
    chosen = np.array([ids.index(contact) for contact in probe.contact_ids])
    np.testing.assert_array_equal(whole.contact_positions[chosen], probe.contact_positions)
    shanks = shanks_of(whole)
    for shank in set(shanks[chosen]):
        mine = chosen[shanks[chosen] == shank]
        rest = np.setdiff1d(np.flatnonzero(shanks == shank), mine)
        depths = whole.contact_positions[:, 1]
        assert len(rest) == 0 or depths[mine].max() <= depths[rest].min()


@pytest.mark.parametrize(
    ("channels", "expected"), [(384, [96] * 4), (6, [2, 2, 1, 1]), (3, [1, 1, 1])]
)
def test_the_shanks_of_a_probe_share_the_channels_shank_by_shank(channels, expected):
    shanks = shanks_of(build_probe("NP2013", channels))
    assert np.bincount(shanks).tolist() == expected
    assert (np.diff(shanks) >= 0).all()


def test_a_probe_of_one_shank_has_its_contacts_in_its_own_order():
    expected = build_neuropixels_probe("NP1000").contact_positions[:24]
    np.testing.assert_array_equal(build_probe("NP1000", 24).contact_positions, expected)


def test_the_contacts_of_a_tetrode_are_as_far_from_their_centre():
    positions = build_probe("tetrode", 4).contact_positions
    radii = np.linalg.norm(positions - positions.mean(axis=0), axis=1)
    assert radii == pytest.approx([10.0] * 4)


def test_a_linear_probe_is_one_column():
    positions = build_probe("linear", 12).contact_positions
    assert np.ptp(positions[:, 0]) == 0
    np.testing.assert_allclose(np.diff(np.sort(positions[:, 1])), 20.0)


@pytest.mark.parametrize("channels", [1, 7, 16, 30])
def test_a_planar_probe_is_a_square_as_far_as_possible(channels):
    positions = build_probe("planar", channels).contact_positions
    assert len(np.unique(positions, axis=0)) == channels
    sides = [len(np.unique(positions[:, axis])) for axis in (0, 1)]
    assert abs(sides[0] - sides[1]) <= 1
    nearest = np.linalg.norm(positions[:, None] - positions, axis=-1) + 1e9 * np.eye(channels)
    assert channels == 1 or (nearest.min(axis=1) == pytest.approx(30.0))


@pytest.mark.parametrize(("name", "channels"), [("tetrode", 5), ("NP1100", 385)])
def test_more_channels_than_contacts_are_refused(name, channels):
    with pytest.raises(ValueError, match=f"{channels} channels asked for, but probe {name} has"):
        build_probe(name, channels)
