"""Probes by name, and which of their contacts are recorded."""

import numpy as np
import probeinterface
from probeinterface import Probe
from probeinterface.neuropixels_tools import build_neuropixels_probe

_LINEAR_PITCH_UM = 20.0
_PLANAR_PITCH_UM = 30.0


def build_probe(name: str, channels: int) -> Probe:
    """Build a probe of as many contacts, wired in their order.

    Parameters
    ----------
    name : str
        Part number of a Neuropixels probe; `tetrode`, four contacts 10 µm around their centre;
        `linear`, one column of contacts 20 µm apart; or `planar`, rows of contacts 30 µm apart
        that make up a square, as far as their number allows.
    channels : int
        Contacts used: of a Neuropixels probe those nearest to the tip, of one with several shanks
        as many on each, the first shanks getting one more where the number does not divide.

    Returns
    -------
    probeinterface.Probe
        Shank by shank.

    Raises
    ------
    ValueError
        The probe has fewer contacts.
    """
    if name == "linear":
        probe = probeinterface.generate_linear_probe(channels, ypitch=_LINEAR_PITCH_UM)
    elif name == "planar":
        probe = _planar_probe(channels)
    else:
        whole = (
            probeinterface.generate_tetrode()
            if name == "tetrode"
            else build_neuropixels_probe(name)
        )
        if channels > whole.get_contact_count():
            raise ValueError(
                f"{channels} channels asked for, but probe {name} has "
                f"{whole.get_contact_count()} contacts"
            )
        probe = whole.get_slice(_nearest_to_the_tips(whole, channels))
    probe.set_device_channel_indices(np.arange(channels))
    return probe


def shanks_of(probe: Probe) -> np.ndarray:
    """Give the number of the shank of each contact, from 0 on."""
    if probe.shank_ids is None:
        return np.zeros(probe.get_contact_count(), int)
    return np.unique(probe.shank_ids, return_inverse=True)[1]


def _nearest_to_the_tips(probe: Probe, channels: int) -> np.ndarray:
    shanks = shanks_of(probe)
    count = shanks.max() + 1
    chosen = []
    for shank in range(count):
        contacts = np.flatnonzero(shanks == shank)
        upwards = contacts[np.argsort(probe.contact_positions[contacts, 1], kind="stable")]
        # Of a tetrode or another probe that is used whole, the order of the contacts stays.
        chosen.append(np.sort(upwards[: channels // count + (shank < channels % count)]))
    return np.concatenate(chosen)


def _planar_probe(channels: int) -> Probe:
    columns = int(np.ceil(np.sqrt(channels)))
    per_column = [channels // columns + (column < channels % columns) for column in range(columns)]
    return probeinterface.generate_multi_columns_probe(
        columns, per_column, xpitch=_PLANAR_PITCH_UM, ypitch=_PLANAR_PITCH_UM
    )
