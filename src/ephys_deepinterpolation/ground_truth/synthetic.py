"""Recordings made of named parts, each with a level in µV: every spike and all noise known."""

from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version

import numpy as np
import pandas as pd
import spikeinterface as si
from probeinterface import Probe
from scipy.stats import norm
from spikeinterface.core.generate import (
    default_unit_params_range,
    generate_templates,
    generate_unit_locations,
)
from spikeinterface.preprocessing import astype, scale

from ephys_deepinterpolation.ground_truth.base import GroundTruth
from ephys_deepinterpolation.ground_truth.donors import (
    MS_AFTER,
    MS_BEFORE,
    SPATIAL_DECAY_UM,
    frames_before,
    widths_ms,
)
from ephys_deepinterpolation.ground_truth.motion import Motion, displacements
from ephys_deepinterpolation.ground_truth.noise import SumRecording, noise_parts
from ephys_deepinterpolation.ground_truth.probes import build_probe, shanks_of
from ephys_deepinterpolation.ground_truth.spikes import (
    SHIFTS_PER_FRAME,
    DisplacedTemplates,
    inject_spikes,
)
from ephys_deepinterpolation.ground_truth.trains import (
    Bursts,
    Collisions,
    amplitude_factors,
    collide,
    generate_trains,
)
from ephys_deepinterpolation.seeds import derive_seed

_SILENT_UV = 0.05
_DISPLACEMENT_STEP_UM = 2.0


@dataclass(frozen=True)
class Population:
    """Units of one kind.

    Attributes
    ----------
    number : int
    peak_uv : tuple of float
        Lowest and highest peak of a template; the peaks are spread evenly over their distribution.
    firing_rate_hz : tuple of float
        Lowest and highest rate; rates are drawn from their distribution.
    peak_distribution, firing_rate_distribution : str
        `log-uniform`, or `log-normal`: its middle 95 %, between the lowest and the highest.
    depth_um : tuple of float or None
        Lowest and highest position along the probe; that of the contacts by default.
    width_ms : tuple of float
        Shortest and longest time from the trough of a template to its peak, drawn evenly.
    refractory_period_ms : float
    amplitude_variation : float
        Standard deviation of the size of a unit's spikes over its mean.
    bursts : Bursts or None
    collisions : Collisions or None
    """

    number: int
    peak_uv: tuple[float, float]
    firing_rate_hz: tuple[float, float]
    peak_distribution: str = "log-uniform"
    firing_rate_distribution: str = "log-uniform"
    depth_um: tuple[float, float] | None = None
    width_ms: tuple[float, float] = default_unit_params_range["repolarization_ms"]
    refractory_period_ms: float = 2.0
    amplitude_variation: float = 0.0
    bursts: Bursts | None = None
    collisions: Collisions | None = None

    @classmethod
    def from_parameters(cls, parameters: dict) -> "Population":
        """Make a population of the keys of a configuration."""
        nested = {"bursts": Bursts, "collisions": Collisions}
        return cls(
            **{
                key: nested[key](**value) if key in nested and value is not None else value
                for key, value in parameters.items()
            }
        )

    @property
    def varies(self) -> bool:
        """Whether its spikes differ in size."""
        return self.amplitude_variation > 0 or self.bursts is not None


@dataclass(frozen=True)
class _Units:
    """The units of a population: a table, the parameters of their templates, their spikes."""

    table: pd.DataFrame
    locations: np.ndarray
    shapes: dict[str, np.ndarray]
    trains: list[np.ndarray]
    factors: list[np.ndarray]


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
    sub_frame_jitter: bool = False,
    drift: list[dict] | None = None,
    training_duration_s: float | None = None,
) -> GroundTruth:
    """Generate a recording with SpikeInterface's generators.

    Parameters
    ----------
    probe, channels : str, int
        See `probes.build_probe`.
    sampling_frequency_hz, duration_s : float
    gain_uv_per_bit : float
        Of the 16-bit integers the recording is stored in, µV.
    units, background : dict
        Attributes of a `Population`, those of `bursts` and `collisions` as dicts.
    noise : dict
        Arguments of the parts of the noise by name, see `noise.noise_parts`.
    seed : int
        All random draws derive from it.
    sub_frame_jitter : bool
        Whether spikes fall between frames; by default each peaks at a frame.
    drift : list of dict, optional
        Attributes of each `Motion` of the tissue.
    training_duration_s : float, optional
        Of another recording of the same units, at other times and with other noise, to train
        models on; none by default.

    Returns
    -------
    GroundTruth
        Exhaustive.

    Raises
    ------
    ValueError
        The probe has fewer contacts, or a unit cannot fire as often as asked for.
    """
    record = partial(
        _record,
        probe=probe,
        channels=channels,
        sampling_frequency_hz=sampling_frequency_hz,
        gain_uv_per_bit=gain_uv_per_bit,
        units=units,
        background=background,
        noise=noise,
        sub_frame_jitter=sub_frame_jitter,
        drift=drift or [],
        seed=seed,
    )
    truth = record(duration_s=duration_s, session=seed)
    if training_duration_s is None:
        return truth
    training = record(duration_s=training_duration_s, session=derive_seed(seed, "training"))
    facts = truth.facts | {"training_duration_s": training_duration_s}
    return replace(truth, training_recording=training.recording, facts=facts)


def _record(
    probe: str,
    channels: int,
    sampling_frequency_hz: float,
    gain_uv_per_bit: float,
    units: dict,
    background: dict,
    noise: dict[str, dict],
    sub_frame_jitter: bool,
    drift: list[dict],
    seed: int,
    duration_s: float,
    session: int,
) -> GroundTruth:
    """Record a tissue once, see `generate_synthetic`.

    The units are those of `seed`; when they fire, how the tissue moves and the noise are drawn from
    the seed `session`.
    """
    contacts = build_probe(probe, channels)
    populations = {"units": units, "background": background}
    made = [
        _generate_units(
            name,
            Population.from_parameters(population),
            contacts,
            sampling_frequency_hz,
            duration_s,
            seed,
            session,
        )
        for name, population in populations.items()
        if population["number"] > 0
    ]
    table = pd.concat([each.table for each in made], ignore_index=True)
    sorting = si.NumpySorting.from_unit_dict(
        [dict(zip(table["unit"], (train for each in made for train in each.trains), strict=True))],
        sampling_frequency_hz,
    )
    motions = [Motion(**motion) for motion in drift]
    variation = _vary_spikes(
        sorting, made, contacts, duration_s, sub_frame_jitter, motions, session
    )
    moved = _make_templates(made, contacts, sampling_frequency_hz, variation)
    nbefore = frames_before(sampling_frequency_hz)
    canvas = si.generate_recording(
        num_channels=channels,
        sampling_frequency=sampling_frequency_hz,
        durations=[duration_s],
        set_probe=False,
        seed=0,
    )
    canvas.set_probe(contacts)
    parts = noise_parts(canvas, noise, session)
    spikes = inject_spikes(sorting, moved, nbefore, canvas, variation)
    total = scale(
        SumRecording([spikes, *parts.values()]), gain=1 / gain_uv_per_bit, dtype="float32"
    )
    recording = astype(total, "int16", round=True)
    recording.set_channel_gains(gain_uv_per_bit)
    recording.set_channel_offsets(0.0)
    templates = moved.dense(channels)
    return GroundTruth(
        recording=recording,
        sorting=sorting,
        templates=si.Templates(
            templates,
            sampling_frequency=sampling_frequency_hz,
            nbefore=nbefore,
            channel_ids=recording.channel_ids,
            unit_ids=sorting.unit_ids,
            probe=contacts,
        ),
        units=table.assign(width_ms=widths_ms(templates, sampling_frequency_hz)),
        variation=variation,
        displaced=moved if motions else None,
        noise=parts,
        facts={
            "kind": "synthetic",
            "exhaustive": True,
            "seed": seed,
            "noise": noise,
            "parameters": {
                "probe": probe,
                "channels": channels,
                "sampling_frequency_hz": sampling_frequency_hz,
                "duration_s": duration_s,
                "gain_uv_per_bit": gain_uv_per_bit,
                "units": units,
                "background": background,
                "sub_frame_jitter": sub_frame_jitter,
                "drift": drift,
            },
            "versions": {name: version(name) for name in ("spikeinterface", "probeinterface")},
        },
    )


def _generate_units(
    name: str,
    population: Population,
    probe: Probe,
    sampling_frequency: float,
    duration_s: float,
    seed: int,
    session: int,
) -> _Units:
    number = population.number
    random = np.random.default_rng(derive_seed(seed, name))
    rates = _at_shares(
        random.random(number), population.firing_rate_hz, population.firing_rate_distribution
    )
    evenly = np.linspace(0, 1, number) if number > 1 else np.zeros(1)
    peaks = random.permutation(_at_shares(evenly, population.peak_uv, population.peak_distribution))
    trains = generate_trains(
        rates,
        sampling_frequency,
        duration_s,
        population.refractory_period_ms,
        population.bursts,
        derive_seed(session, name, "spikes"),
    )
    locations = _place_units(population, probe, derive_seed(seed, name, "locations"))
    if population.collisions is not None:
        trains = collide(
            trains,
            locations,
            population.collisions,
            sampling_frequency,
            int(duration_s * sampling_frequency),
            population.refractory_period_ms,
            derive_seed(session, name, "collisions"),
        )
    random = np.random.default_rng(derive_seed(session, name, "amplitudes"))
    factors = [
        amplitude_factors(
            train, sampling_frequency, population.amplitude_variation, population.bursts, random
        )
        if population.varies
        else np.ones(len(train))
        for train in trains
    ]
    random = np.random.default_rng(derive_seed(seed, name, "templates"))
    ranges = default_unit_params_range | {
        "spatial_decay": SPATIAL_DECAY_UM,
        "repolarization_ms": population.width_ms,
    }
    spikes = np.array([len(train) for train in trains])
    table = pd.DataFrame(
        {
            "unit": [f"{name}-{index:03d}" for index in range(number)],
            "background": name == "background",
            "peak_uv": peaks,
            "firing_rate_hz": spikes / duration_s,
            "spikes": spikes,
            "x_um": locations[:, 0],
            "depth_um": locations[:, 1],
        }
    )
    shapes = {key: random.uniform(low, high, size=number) for key, (low, high) in ranges.items()}
    return _Units(table, locations, shapes, trains, factors)


def _at_shares(shares: np.ndarray, limits: tuple[float, float], distribution: str) -> np.ndarray:
    """Values below which lie the given shares of a distribution between two limits."""
    low, high = np.log(limits)
    if distribution == "log-normal":
        reach = norm.ppf(0.975)
        shares = (norm.ppf(0.025 + 0.95 * shares) / reach + 1) / 2
    return np.exp(low + (high - low) * shares)


def _place_units(population: Population, probe: Probe, seed: int) -> np.ndarray:
    """Draw where units are, x, y and distance in µm, each within the contacts of some shank."""
    shanks = shanks_of(probe)
    corners = [probe.contact_positions[shanks == shank] for shank in range(shanks.max() + 1)]
    boxes = np.array([[each.min(axis=0), each.max(axis=0)] for each in corners])
    if population.depth_um is not None:
        boxes[:, :, 1] = population.depth_um
    locations = generate_unit_locations(
        population.number, boxes[0], margin_um=0.0, minimum_distance=None, seed=seed
    )
    chosen = np.random.default_rng((seed, 1)).integers(len(boxes), size=population.number)
    locations[:, :2] += (boxes[chosen] - boxes[0])[:, 0]
    return locations


def _vary_spikes(
    sorting: si.BaseSorting,
    made: list[_Units],
    probe: Probe,
    duration_s: float,
    sub_frame_jitter: bool,
    motions: list[Motion],
    seed: int,
) -> pd.DataFrame | None:
    """Say how each spike differs from its template; nothing where no spike does."""
    spikes = sorting.to_spike_vector()
    factors = [each for units in made for each in units.factors]
    columns = {}
    if any((each != 1).any() for each in factors):
        # Of each unit the spikes are in the order of time, here as there.
        column = np.empty(len(spikes), np.float32)
        column[np.argsort(spikes["unit_index"], kind="stable")] = np.concatenate(factors)
        columns["amplitude_factor"] = column
    if sub_frame_jitter:
        random = np.random.default_rng(derive_seed(seed, "jitter"))
        steps = random.integers(
            -SHIFTS_PER_FRAME // 2, SHIFTS_PER_FRAME // 2, size=len(spikes), dtype=np.int8
        )
        columns["shift_frames"] = (steps / SHIFTS_PER_FRAME).astype(np.float32)
    if motions:
        lowest, highest = probe.contact_positions[:, 1].min(), probe.contact_positions[:, 1].max()
        depths = np.concatenate([units.locations[:, 1] for units in made])
        heights = (depths - lowest) / max(highest - lowest, 1.0)
        columns["displacement_um"] = displacements(
            motions,
            spikes["sample_index"] / sorting.get_sampling_frequency(),
            heights[spikes["unit_index"]],
            duration_s,
            derive_seed(seed, "drift"),
        ).astype(np.float32)
    return pd.DataFrame(columns) if columns else None


def _make_templates(
    made: list[_Units], probe: Probe, sampling_frequency: float, variation: pd.DataFrame | None
) -> DisplacedTemplates:
    """Make the templates of all units wherever they move to."""
    reached = np.zeros(1)
    if variation is not None and "displacement_um" in variation:
        reached = variation["displacement_um"].to_numpy() / _DISPLACEMENT_STEP_UM
    first, last = np.floor(reached.min(initial=0.0)), np.ceil(reached.max(initial=0.0))
    grid = np.arange(first, last + 1) * _DISPLACEMENT_STEP_UM
    return DisplacedTemplates.gather(
        grid,
        (
            _unit_templates(units, index, grid, probe, sampling_frequency)
            for units in made
            for index in range(len(units.table))
        ),
    )


def _unit_templates(
    units: _Units, index: int, grid: np.ndarray, probe: Probe, sampling_frequency: float
) -> np.ndarray:
    """Templates of one unit at each displacement: (displacements, frames, channels), µV."""
    locations = np.repeat(units.locations[[index]], len(grid), axis=0)
    locations[:, 1] += grid
    templates = generate_templates(
        probe.contact_positions,
        locations,
        sampling_frequency,
        MS_BEFORE,
        MS_AFTER,
        unit_params={
            key: np.repeat(values[index], len(grid)) for key, values in units.shapes.items()
        },
    )
    resting = np.abs(templates[grid == 0]).max()
    templates *= units.table["peak_uv"].iloc[index] / resting
    silent = np.abs(templates).max(axis=(0, 1)) < _SILENT_UV
    templates[:, :, silent] = 0.0
    return templates
