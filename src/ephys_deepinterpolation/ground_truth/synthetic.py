"""Recordings made of named parts, each with a level in µV: every spike and all noise known."""

from importlib.metadata import version

import numpy as np
import pandas as pd
import spikeinterface as si
from probeinterface import Probe
from probeinterface.neuropixels_tools import build_neuropixels_probe
from spikeinterface.core.generate import (
    generate_sorting,
    generate_templates,
    generate_unit_locations,
)
from spikeinterface.preprocessing import astype, scale

from ephys_deepinterpolation.ground_truth.base import GroundTruth
from ephys_deepinterpolation.ground_truth.noise import SumRecording, noise_parts
from ephys_deepinterpolation.ground_truth.spikes import inject_spikes
from ephys_deepinterpolation.seeds import derive_seed

_MS_BEFORE, _MS_AFTER = 1.5, 3.0
_REFRACTORY_PERIOD_MS = 2.0
_SPATIAL_DECAY_UM = (20.0, 50.0)


def generate_synthetic(
    probe: str,
    channels: int,
    sampling_frequency_hz: float,
    duration_s: float,
    gain_uv_per_bit: float,
    units: dict,
    background: dict,
    noise: dict[str, dict],
    seed: int,
) -> GroundTruth:
    """Generate a recording with SpikeInterface's generators.

    Parameters
    ----------
    probe : str
        Part number of a Neuropixels probe.
    channels : int
        Contacts used, from the tip.
    sampling_frequency_hz, duration_s : float
    gain_uv_per_bit : float
        Of the 16-bit integers the recording is stored in, µV.
    units, background : dict
        `number`; `peak_uv`: lowest and highest peak, spread evenly on a log scale;
        `firing_rate_hz`: lowest and highest rate, drawn on a log scale.
    noise : dict
        Parameters of the parts `independent` and `correlated`, see `noise`; either may be
        absent.
    seed : int
        All random draws derive from it.

    Returns
    -------
    GroundTruth
        Exhaustive.
    """
    contacts = build_neuropixels_probe(probe).get_slice(np.arange(channels))
    contacts.set_device_channel_indices(np.arange(channels))
    populations = {"units": units, "background": background}
    made = [
        _generate_population(name, population, contacts, sampling_frequency_hz, duration_s, seed)
        for name, population in populations.items()
        if population["number"] > 0
    ]
    table = pd.concat([each[2] for each in made], ignore_index=True)
    together = si.aggregate_units(
        [each[0] for each in made], renamed_unit_ids=table["unit"].to_numpy()
    )
    sorting = si.NumpySorting.from_sorting(together)
    templates = np.concatenate([each[1] for each in made])
    canvas = si.generate_recording(
        num_channels=channels,
        sampling_frequency=sampling_frequency_hz,
        durations=[duration_s],
        set_probe=False,
        seed=0,
    )
    canvas.set_probe(contacts)
    parts = noise_parts(canvas, noise, seed)
    spikes = inject_spikes(sorting, templates, _frames_before(sampling_frequency_hz), canvas)
    total = scale(
        SumRecording([spikes, *parts.values()]), gain=1 / gain_uv_per_bit, dtype="float32"
    )
    recording = astype(total, "int16", round=True)
    recording.set_channel_gains(gain_uv_per_bit)
    recording.set_channel_offsets(0.0)
    return GroundTruth(
        recording=recording,
        sorting=sorting,
        templates=si.Templates(
            templates,
            sampling_frequency=sampling_frequency_hz,
            nbefore=_frames_before(sampling_frequency_hz),
            channel_ids=recording.channel_ids,
            unit_ids=sorting.unit_ids,
            probe=contacts,
        ),
        units=table,
        noise=parts,
        facts={
            "kind": "synthetic",
            "exhaustive": True,
            "seed": seed,
            "noise": noise,
            "versions": {name: version(name) for name in ("spikeinterface", "probeinterface")},
        },
    )


def _generate_population(
    name: str,
    population: dict,
    probe: Probe,
    sampling_frequency: float,
    duration_s: float,
    seed: int,
) -> tuple[si.BaseSorting, np.ndarray, pd.DataFrame]:
    number = population["number"]
    random = np.random.default_rng(derive_seed(seed, name))
    slowest, fastest = population["firing_rate_hz"]
    rates = np.exp(random.uniform(np.log(slowest), np.log(fastest), size=number))
    lowest, highest = population["peak_uv"]
    peaks = random.permutation(np.geomspace(lowest, highest, num=number))
    sorting = generate_sorting(
        num_units=number,
        sampling_frequency=sampling_frequency,
        durations=[duration_s],
        firing_rates=rates,
        refractory_period_ms=_REFRACTORY_PERIOD_MS,
        seed=derive_seed(seed, name, "spikes"),
    )
    sorting = sorting.rename_units([f"{name}-{index:03d}" for index in range(number)])
    locations = generate_unit_locations(
        number,
        probe.contact_positions,
        margin_um=0.0,
        minimum_distance=None,
        seed=derive_seed(seed, name, "locations"),
    )
    templates = generate_templates(
        probe.contact_positions,
        locations,
        sampling_frequency,
        _MS_BEFORE,
        _MS_AFTER,
        seed=derive_seed(seed, name, "templates"),
        unit_params={"spatial_decay": _SPATIAL_DECAY_UM},
    )
    templates *= (peaks / np.abs(templates).max(axis=(1, 2)))[:, None, None]
    spikes = sorting.count_num_spikes_per_unit(outputs="array")
    table = pd.DataFrame(
        {
            "unit": sorting.unit_ids,
            "background": name == "background",
            "peak_uv": peaks,
            "firing_rate_hz": spikes / duration_s,
            "spikes": spikes,
            "x_um": locations[:, 0],
            "depth_um": locations[:, 1],
        }
    )
    return sorting, templates.astype(np.float32), table


def _frames_before(sampling_frequency: float) -> int:
    # As SpikeInterface rounds where it puts the peak.
    return round(_MS_BEFORE * sampling_frequency / 1000.0)
