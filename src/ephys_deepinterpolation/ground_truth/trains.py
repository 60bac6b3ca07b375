"""Spike trains: when units fire, in bursts or not, together or not, and how large each spike is."""

from dataclasses import dataclass

import numpy as np
from spikeinterface.core.generate import generate_sorting

_NEIGHBOURS = 5
_TRIES = 20


@dataclass(frozen=True)
class Bursts:
    """Groups of spikes in quick succession, each smaller than the one before.

    Attributes
    ----------
    share : float
        Of the events that are bursts; the others are single spikes.
    spikes : tuple of int
        Fewest and most spikes of a burst.
    interval_ms : tuple of float
        Shortest and longest time between two spikes of a burst.
    amplitude_decay : float
        Size of a spike over that of the one before, if it comes within the longest time.
    """

    share: float
    spikes: tuple[int, int]
    interval_ms: tuple[float, float]
    amplitude_decay: float

    @property
    def extra_spikes(self) -> float:
        """Expected number of spikes of an event after its first."""
        return self.share * (sum(self.spikes) / 2 - 1)

    @property
    def duration_s(self) -> float:
        """Expected duration of an event."""
        return self.extra_spikes * sum(self.interval_ms) / 2 / 1000.0


@dataclass(frozen=True)
class Collisions:
    """Spikes that come together with one of a neighbouring unit more often than by chance.

    Attributes
    ----------
    rate_hz : float
        How many spikes a second are moved next to one of another unit.
    lag_ms : float
        At most so far from it.
    """

    rate_hz: float
    lag_ms: float


def generate_trains(
    rates_hz: np.ndarray,
    sampling_frequency_hz: float,
    duration_s: float,
    refractory_period_ms: float,
    bursts: Bursts | None,
    seed: int,
) -> list[np.ndarray]:
    """Draw a Poisson train with a refractory period, or one of bursts, for each unit.

    Parameters
    ----------
    rates_hz : array (units,)
        Mean rate, all spikes of bursts counted.
    sampling_frequency_hz, duration_s, refractory_period_ms : float
    bursts : Bursts or None
    seed : int

    Returns
    -------
    list of arrays
        Frames of the spikes of each unit, ascending.

    Raises
    ------
    ValueError
        A unit cannot fire so often, or its bursts fall into the refractory period.
    """
    events_hz = rates_hz
    if bursts is not None:
        if bursts.interval_ms[0] < refractory_period_ms:
            raise ValueError(
                f"the spikes of a burst are {bursts.interval_ms[0]:g} ms apart, less than the "
                f"refractory period of {refractory_period_ms:g} ms: raise interval_ms of bursts"
            )
        pause_s = (1 + bursts.extra_spikes) / rates_hz - bursts.duration_s
        if pause_s.min() * 1000.0 <= refractory_period_ms:
            raise ValueError(
                f"a unit that bursts so cannot fire {rates_hz.max():g} times a second: lower its "
                "firing rate or shorten the bursts"
            )
        events_hz = 1 / pause_s
    sorting = generate_sorting(
        num_units=len(rates_hz),
        sampling_frequency=sampling_frequency_hz,
        durations=[duration_s],
        firing_rates=events_hz,
        refractory_period_ms=refractory_period_ms,
        seed=seed,
    )
    trains = [sorting.get_unit_spike_train(unit).astype(np.int64) for unit in sorting.unit_ids]
    if bursts is None:
        return trains
    random = np.random.default_rng((seed, 1))
    frames = int(duration_s * sampling_frequency_hz)
    return [_with_bursts(train, bursts, sampling_frequency_hz, frames, random) for train in trains]


def _with_bursts(
    events: np.ndarray,
    bursts: Bursts,
    sampling_frequency_hz: float,
    frames: int,
    random: np.random.Generator,
) -> np.ndarray:
    """Add spikes after some events; what comes later is put off for as long as they take."""
    fewest, most = bursts.spikes
    sizes = random.integers(fewest, most + 1, size=len(events))
    sizes[random.random(len(events)) >= bursts.share] = 1
    intervals = random.uniform(*bursts.interval_ms, size=(len(events), most))
    offsets = np.rint(np.cumsum(intervals, axis=1) * sampling_frequency_hz / 1000.0).astype(int)
    offsets = np.hstack([np.zeros((len(events), 1), int), offsets[:, :-1]])
    lengths = offsets[np.arange(len(events)), sizes - 1]
    starts = events + np.concatenate([[0], np.cumsum(lengths)])[:-1]
    train = (starts[:, None] + offsets)[np.arange(most) < sizes[:, None]]
    return train[train < frames]


def collide(
    trains: list[np.ndarray],
    positions_um: np.ndarray,
    collisions: Collisions,
    sampling_frequency_hz: float,
    frames: int,
    refractory_period_ms: float,
    seed: int,
) -> list[np.ndarray]:
    """Move spikes onto those of neighbouring units; rates and refractory periods stay.

    Parameters
    ----------
    trains : list of arrays
        Frames of the spikes of each unit.
    positions_um : array (units, dimensions)
        A unit's neighbours are the five units nearest to it.
    collisions : Collisions
    sampling_frequency_hz : float
    frames : int
        Of the recording.
    refractory_period_ms : float
    seed : int
    """
    random = np.random.default_rng(seed)
    trains = [train.copy() for train in trains]
    fixed = [np.zeros(len(train), bool) for train in trains]
    distances = np.linalg.norm(positions_um[:, None] - positions_um[None], axis=-1)
    neighbours = distances.argsort(axis=1, kind="stable")[:, 1 : _NEIGHBOURS + 1]
    share = np.array([len(train) for train in trains], float)
    if len(trains) < 2 or not share.any():
        return trains
    share /= share.sum()
    longest = round(collisions.lag_ms * sampling_frequency_hz / 1000.0)
    apart = round(refractory_period_ms * sampling_frequency_hz / 1000.0)
    for _ in range(round(collisions.rate_hz * frames / sampling_frequency_hz)):
        for _ in range(_TRIES):
            one = random.choice(len(trains), p=share)
            other = random.choice(neighbours[one])
            spike = random.integers(len(trains[one]))
            frame = trains[one][spike] + random.integers(-longest, longest + 1)
            if 0 <= frame < frames and _move(trains, fixed, other, frame, apart, random):
                fixed[one][spike] = True
                break
    return trains


def _move(
    trains: list[np.ndarray],
    fixed: list[np.ndarray],
    unit: int,
    frame: int,
    apart: int,
    random: np.random.Generator,
) -> bool:
    """Move some spike of a unit to a frame, unless another of its spikes is too near."""
    free = np.flatnonzero(~fixed[unit])
    if len(free) == 0:
        return False
    spike = random.choice(free)
    train = np.delete(trains[unit], spike)
    place = np.searchsorted(train, frame)
    if np.abs(train[max(0, place - 1) : place + 1] - frame).min(initial=apart) < apart:
        return False
    trains[unit] = np.insert(train, place, frame)
    fixed[unit] = np.insert(np.delete(fixed[unit], spike), place, True)
    return True


def amplitude_factors(
    train: np.ndarray,
    sampling_frequency_hz: float,
    variation: float,
    bursts: Bursts | None,
    random: np.random.Generator,
) -> np.ndarray:
    """Size of each spike over that of the unit's template.

    Parameters
    ----------
    train : array (spikes,)
        Frames, ascending.
    sampling_frequency_hz : float
    variation : float
        Standard deviation over the mean; the factors are log-normal with mean 1.
    bursts : Bursts or None
        Spikes that follow each other as in a burst are smaller one by one.
    random : numpy.random.Generator
    """
    spread = np.log1p(variation**2)
    factors = np.exp(random.normal(-spread / 2, np.sqrt(spread), size=len(train)))
    if bursts is None:
        return factors
    longest = bursts.interval_ms[1] * sampling_frequency_hz / 1000.0
    follows = np.diff(train, prepend=-np.inf) <= np.ceil(longest)
    index = np.arange(len(train))
    place = index - np.maximum.accumulate(np.where(follows, 0, index))
    return factors * bursts.amplitude_decay**place
