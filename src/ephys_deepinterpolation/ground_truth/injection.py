"""Units put into a host: a real recording, or noise made after one."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import spikeinterface as si
from spikeinterface.core.generate import generate_sorting
from spikeinterface.preprocessing import astype, clip, scale
from spikeinterface.preprocessing.phase_shift import apply_frequency_shift

from ephys_deepinterpolation.ground_truth.donors import Placing, frames_before, widths_ms
from ephys_deepinterpolation.ground_truth.noise import SumRecording
from ephys_deepinterpolation.ground_truth.spikes import DisplacedTemplates, inject_spikes
from ephys_deepinterpolation.seeds import derive_seed

_REFRACTORY_PERIOD_MS = 2.0
_STEP_UM = 5.0

# Times in s and places (units, 2) in µm of one segment -> displacements in µm.
Motion = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


@dataclass(frozen=True)
class InjectedUnits:
    """Units to put into a host, see `GroundTruth` for the attributes."""

    sorting: si.BaseSorting
    templates: si.Templates
    units: pd.DataFrame
    variation: pd.DataFrame | None = None
    displaced: DisplacedTemplates | None = None

    def spikes(self, host: si.BaseRecording) -> si.BaseRecording:
        """Alone, in µV, on silence as long as the host."""
        return inject_spikes(
            self.sorting,
            self.displaced or self.templates.templates_array,
            self.templates.nbefore,
            host,
            self.variation,
        )


def draw_places(
    contacts: np.ndarray, number: int, depth_um: tuple[float, float] | None, seed: int
) -> np.ndarray:
    """Draw places beside contacts, on whatever shank these are.

    Parameters
    ----------
    contacts : array (contacts, 2)
        µm.
    number : int
    depth_um : tuple of float, optional
        Lowest and highest place along the probe; all of it by default.
    seed : int

    Returns
    -------
    array (number, 2)
        µm; depths are uniform over the contacts, and sideways up to 10 µm off one.

    Raises
    ------
    ValueError
        No contact lies in the range of depths.
    """
    random = np.random.default_rng(seed)
    lowest, highest = (-np.inf, np.inf) if depth_um is None else depth_um
    within = contacts[(contacts[:, 1] >= lowest) & (contacts[:, 1] <= highest)]
    if not len(within):
        raise ValueError(
            f"the host has no contact at a depth_um within {list(depth_um or ())}: its contacts "
            f"lie from {contacts[:, 1].min():g} to {contacts[:, 1].max():g} µm"
        )
    pitch = np.diff(np.unique(contacts[:, 1])).max(initial=0)
    places = random.choice(within, size=number)
    places = places + random.uniform(-0.5, 0.5, size=(number, 2)) * [20.0, pitch]
    return np.clip(places, [-np.inf, lowest], [np.inf, highest])


def make_units(
    host: si.BaseRecording,
    placing: Placing,
    places: np.ndarray,
    peak_uv: tuple[float, float],
    firing_rate_hz: tuple[float, float],
    seed: int,
    motion: Motion | None = None,
) -> InjectedUnits:
    """Make units that fire on a host.

    Parameters
    ----------
    host : BaseRecording
    placing : callable
        Gives the templates at places, before they are scaled.
    places : array (units, 2)
        µm.
    peak_uv : tuple of float
        Lowest and highest peak, spread evenly on a log scale; of a unit where it is at rest.
    firing_rate_hz : tuple of float
        Lowest and highest rate, drawn on a log scale.
    seed : int
    motion : callable, optional
        How far the tissue at some places has moved at some times.
    """
    number, frequency = len(places), host.get_sampling_frequency()
    random = np.random.default_rng(derive_seed(seed, "units"))
    slowest, fastest = np.log(firing_rate_hz)
    rates = np.exp(random.uniform(slowest, fastest, size=number))
    peaks = random.permutation(np.geomspace(*peak_uv, num=number))
    sorting = generate_sorting(
        num_units=number,
        sampling_frequency=frequency,
        durations=[
            host.get_num_samples(segment) / frequency for segment in range(host.get_num_segments())
        ],
        firing_rates=rates,
        refractory_period_ms=_REFRACTORY_PERIOD_MS,
        seed=derive_seed(seed, "spikes"),
    )
    sorting = sorting.rename_units([f"injected-{index:03d}" for index in range(number)])
    sorting = si.NumpySorting.from_sorting(sorting)

    rest = as_sampled(placing(places), host)
    largest = np.abs(rest).max(axis=(1, 2))
    if not largest.all():
        raise ValueError(
            f"the template of unit {int(largest.argmin())} reaches no contact of the host: "
            "choose depths further inside the probe"
        )
    factors = (peaks / largest)[:, None, None].astype(np.float32)
    templates = rest * factors
    variation = displaced = None
    if motion is not None:
        variation = _displacements(sorting, places, motion)
        steps = _steps(variation["displacement_um"].to_numpy())
        moved = np.stack(
            [as_sampled(placing(places + np.array([0.0, step])), host) * factors for step in steps],
            axis=1,
        )
        displaced = DisplacedTemplates.gather(steps, moved)
    spikes = sorting.count_num_spikes_per_unit(outputs="array")
    return InjectedUnits(
        sorting=sorting,
        templates=si.Templates(
            templates,
            sampling_frequency=frequency,
            nbefore=frames_before(frequency),
            channel_ids=host.channel_ids,
            unit_ids=sorting.unit_ids,
            probe=host.get_probe(),
        ),
        units=pd.DataFrame(
            {
                "unit": sorting.unit_ids,
                "background": False,
                "peak_uv": peaks,
                "firing_rate_hz": spikes / host.get_total_duration(),
                "spikes": spikes,
                "x_um": places[:, 0],
                "depth_um": places[:, 1],
                "width_ms": widths_ms(templates, frequency),
            }
        ),
        variation=variation,
        displaced=displaced,
    )


def _displacements(sorting: si.BaseSorting, places: np.ndarray, motion: Motion) -> pd.DataFrame:
    """How far the unit of each spike has moved when it fires, µm."""
    spikes = sorting.to_spike_vector()
    moved = np.zeros(len(spikes))
    for segment in range(sorting.get_num_segments()):
        rows = spikes["segment_index"] == segment
        times = spikes["sample_index"][rows] / sorting.get_sampling_frequency()
        moved[rows] = motion(times, places[spikes["unit_index"][rows]], segment)
    return pd.DataFrame({"displacement_um": moved})


def _steps(displacements_um: np.ndarray) -> np.ndarray:
    """Displacements at which templates are made, 0 and both ends among them, 5 µm apart at most."""
    lowest, highest = displacements_um.min(initial=0), displacements_um.max(initial=0)
    below = np.linspace(lowest, 0, int(np.ceil(-lowest / _STEP_UM)) + 1)
    above = np.linspace(0, highest, int(np.ceil(highest / _STEP_UM)) + 1)
    return np.unique(np.concatenate([below, above]))


def as_sampled(templates: np.ndarray, host: si.BaseRecording) -> np.ndarray:
    """Advance templates (units, frames, channels) by as much as the host samples a channel late.

    An amplifier that samples its channels one after the other says so in `inter_sample_shift`, in
    frames. SpikeInterface's `phase_shift` undoes it, for the injected spikes as for the others.
    """
    shifts = host.get_property("inter_sample_shift")
    if shifts is None:
        return templates
    # Spikes leave and enter a template near zero, not at it: padding keeps the ends apart.
    margin = templates.shape[1]
    padded = np.pad(templates, ((0, 0), (margin, margin), (0, 0)))
    shifted = [apply_frequency_shift(template, -shifts)[margin:-margin] for template in padded]
    return np.stack(shifted).astype(np.float32)


def add_to(
    host: si.BaseRecording, spikes: si.BaseRecording, saturation_uv: float | None = None
) -> si.BaseRecording:
    """Add spikes in µV to a host, in the units and the numbers of the host.

    Parameters
    ----------
    host : BaseRecording
        With gains to µV.
    spikes : BaseRecording
        In µV.
    saturation_uv : float, optional
        Where the amplifier of the host saturates on either side; by default where its integers
        end.

    Returns
    -------
    BaseRecording
        Lazy, of the type and the gains of the host. What lies out of range is cut off.
    """
    total = _sum_in_units_of(host, spikes)
    lowest, highest = _limits(host, saturation_uv)
    total = clip(total, a_min=lowest, a_max=highest)
    return astype(total, host.get_dtype(), round=np.issubdtype(host.get_dtype(), np.integer))


def count_clipped(
    host: si.BaseRecording, spikes: si.BaseRecording, saturation_uv: float | None = None
) -> int:
    """Count the samples that `add_to` has to cut off because of the spikes; reads all traces."""
    total = _sum_in_units_of(host, spikes)
    lowest, highest = _limits(host, saturation_uv)
    clipped = 0
    length = round(host.get_sampling_frequency())
    for segment in range(host.get_num_segments()):
        for start in range(0, host.get_num_samples(segment), length):
            end = min(start + length, host.get_num_samples(segment))
            traces = total.get_traces(segment, start, end)
            outside = (traces < lowest) | (traces > highest)
            if outside.any():
                clipped += int((outside & (spikes.get_traces(segment, start, end) != 0)).sum())
    return clipped


def _sum_in_units_of(host: si.BaseRecording, spikes: si.BaseRecording) -> si.BaseRecording:
    gains = host.get_channel_gains()
    return SumRecording([astype(host, "float32"), scale(spikes, gain=1 / gains, dtype="float32")])


def _limits(host: si.BaseRecording, saturation_uv: float | None) -> tuple[float, float]:
    """Smallest and largest number, in the units of the host."""
    dtype = host.get_dtype()
    known = np.iinfo(dtype) if np.issubdtype(dtype, np.integer) else np.finfo(np.float32)
    lowest, highest = float(known.min), float(known.max)
    if saturation_uv is None:
        return lowest, highest
    gains, offsets = np.unique(host.get_channel_gains()), np.unique(host.get_channel_offsets())
    if len(gains) > 1 or len(offsets) > 1:
        raise ValueError(
            "the channels of the host differ in gain or offset: saturation_uv needs one for all"
        )
    ends = (np.array([-saturation_uv, saturation_uv]) - offsets[0]) / gains[0]
    if np.issubdtype(dtype, np.integer):
        ends = np.array([np.ceil(ends[0]), np.floor(ends[1])])
    return max(lowest, float(ends[0])), min(highest, float(ends[1]))
