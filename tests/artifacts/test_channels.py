"""Where channels lie."""

from probeinterface.neuropixels_tools import build_neuropixels_probe

from ephys_deepinterpolation.artifacts import contacts
from fixtures import noise_recording


def test_contacts_are_where_the_probe_has_them(many_shanks):
    table = contacts(many_shanks)
    assert table["channel"].tolist() == many_shanks.channel_ids.astype(str).tolist()
    probe = build_neuropixels_probe("NP2014")
    shank_at = {
        tuple(position): shank
        for position, shank in zip(probe.contact_positions, probe.shank_ids, strict=True)
    }
    positions = many_shanks.get_channel_locations()
    assert table[["x_um", "depth_um"]].to_numpy().tolist() == positions.tolist()
    assert table["shank"].tolist() == [shank_at[tuple(position)] for position in positions]
    assert table["shank"].value_counts().to_dict() == {"1": 120, "3": 30}


def test_contacts_of_a_probe_without_shanks_share_one():
    assert len(set(contacts(noise_recording(10, seed=0))["shank"])) == 1
