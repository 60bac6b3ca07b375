"""The parts of the noise of a synthetic recording: each a lazy recording in µV."""

from collections.abc import Callable

import numpy as np
from spikeinterface.core import BaseRecording, BaseRecordingSegment
from spikeinterface.generation import NoiseGeneratorRecording

from ephys_deepinterpolation.ground_truth.alike import RecordingLike, SegmentLike
from ephys_deepinterpolation.ground_truth.stationary import (
    StationaryNoise,
    autoregressive_power,
    band_power,
    block_frequencies,
)
from ephys_deepinterpolation.seeds import derive_seed

_LONGEST_MEMORY_S = 1.0
_PERIODS_REMEMBERED = 8


class SumRecording(BaseRecording):
    """The sum of recordings of one shape, frame by frame.

    Parameters
    ----------
    recordings : list of BaseRecording
        With the same channels, sampling rate and durations; metadata is the first one's.
    """

    def __init__(self, recordings: list[BaseRecording]):
        first = recordings[0]
        super().__init__(first.sampling_frequency, first.channel_ids, first.dtype)
        first.copy_metadata(self)
        for segments in zip(*(recording.segments for recording in recordings), strict=True):
            self.add_recording_segment(_SumRecordingSegment(segments))
        for kind in self._serializability:
            self._serializability[kind] = all(
                recording.check_serializability(kind) for recording in recordings
            )
        self._kwargs = {"recordings": list(recordings)}


class _SumRecordingSegment(BaseRecordingSegment):
    def __init__(self, segments: tuple[BaseRecordingSegment, ...]):
        super().__init__(**segments[0].get_times_kwargs())
        self._segments = segments

    def get_num_samples(self) -> int:
        return self._segments[0].get_num_samples()

    def get_traces(self, start_frame, end_frame, channel_indices):
        first, *others = self._segments
        total = first.get_traces(start_frame, end_frame, channel_indices).copy()
        for segment in others:
            total += segment.get_traces(start_frame, end_frame, channel_indices)
        return total


def noise_parts(like: BaseRecording, parameters: dict[str, dict], seed: int) -> dict:
    """Make each named part of a noise.

    Parameters
    ----------
    like : BaseRecording
        Whose probe, channels, sampling rate and duration the noise takes.
    parameters : dict
        Arguments of the functions below, by the names `independent`, `correlated`, `coloured`,
        `band_limited`, `common_mode` and `line`.
    seed : int
        Each part's seed derives from it.
    """
    makers: dict[str, Callable[..., BaseRecording]] = {
        "independent": independent_noise,
        "correlated": correlated_noise,
        "coloured": coloured_noise,
        "band_limited": band_limited_noise,
        "common_mode": common_mode_noise,
        "line": line_noise,
    }
    return {
        name: makers[name](like, **values, seed=derive_seed(seed, "noise", name))
        for name, values in parameters.items()
    }


def independent_noise(like: BaseRecording, level_uv: float, seed: int) -> BaseRecording:
    """White Gaussian noise, independent between channels and frames; `level_uv` its deviation."""
    recording = NoiseGeneratorRecording(
        num_channels=like.get_num_channels(),
        sampling_frequency=like.get_sampling_frequency(),
        # Half a frame more, so that none is lost to rounding.
        durations=[(like.get_num_frames() + 0.5) / like.get_sampling_frequency()],
        noise_levels=level_uv,
        strategy="on_the_fly",
        seed=seed,
    ).rename_channels(like.channel_ids)
    recording.set_probegroup(like.get_probegroup())
    recording.set_channel_gains(1.0)
    recording.set_channel_offsets(0.0)
    return recording


def correlated_noise(
    like: BaseRecording,
    level_uv: float,
    spatial_decay_um: float,
    time_constant_ms: float,
    seed: int,
) -> BaseRecording:
    """Gaussian noise whose correlation falls off exponentially in space and in time.

    Parameters
    ----------
    like : BaseRecording
        Whose probe, channels, sampling rate and duration the noise takes.
    level_uv : float
        Standard deviation, µV.
    spatial_decay_um, time_constant_ms : float
        Where the correlation of two channels, of two frames, has fallen to 1/e.
    seed : int
    """
    sampling_frequency = like.get_sampling_frequency()
    memory_s = 30 * time_constant_ms / 1000.0
    power = autoregressive_power(
        block_frequencies(sampling_frequency, memory_s), sampling_frequency, time_constant_ms
    )
    mixing = level_uv * _shared_nearby(like, spatial_decay_um)
    return StationaryNoise(like, power, memory_s, mixing, seed)


def coloured_noise(
    like: BaseRecording,
    level_uv: float,
    exponent: float,
    band_hz: tuple[float, float],
    seed: int,
    spatial_decay_um: float | None = None,
) -> BaseRecording:
    """Gaussian noise whose power falls as 1/f to an exponent between two edges.

    Parameters
    ----------
    like : BaseRecording
        Whose probe, channels, sampling rate and duration the noise takes.
    level_uv : float
        Standard deviation, µV.
    exponent : float
        Of the fall; 0 for equal power at all frequencies of the band.
    band_hz : tuple of float
        Where half the power is left, see `band_power`. Below 2 Hz the spectrum is coarse.
    seed : int
    spatial_decay_um : float, optional
        Where the correlation of two channels has fallen to 1/e; independent channels by default.
    """
    memory_s, power = _band(like, exponent, band_hz)
    return StationaryNoise(
        like, power, memory_s, level_uv * _shared_nearby(like, spatial_decay_um), seed
    )


def band_limited_noise(
    like: BaseRecording,
    level_uv: float,
    band_hz: tuple[float, float],
    seed: int,
    spatial_decay_um: float | None = None,
) -> BaseRecording:
    """Gaussian noise with equal power at all frequencies of a band; see `coloured_noise`."""
    return coloured_noise(like, level_uv, 0.0, band_hz, seed, spatial_decay_um)


def common_mode_noise(
    like: BaseRecording,
    level_uv: float,
    exponent: float,
    band_hz: tuple[float, float],
    seed: int,
) -> BaseRecording:
    """Gaussian noise that is the same on all channels; see `coloured_noise`."""
    memory_s, power = _band(like, exponent, band_hz)
    mixing = np.full((like.get_num_channels(), 1), level_uv)
    return StationaryNoise(like, power, memory_s, mixing, seed)


def line_noise(
    like: BaseRecording, level_uv: float, frequency_hz: float, seed: int, harmonics: int = 1
) -> BaseRecording:
    """Hum of the mains, the same on all channels.

    Parameters
    ----------
    like : BaseRecording
        Whose probe, channels, sampling rate and duration the noise takes.
    level_uv : float
        Standard deviation, µV.
    frequency_hz : float
        Of the mains: 50 or 60.
    seed : int
        Draws the phases.
    harmonics : int
        How many multiples of the frequency there are, the first included; their amplitudes fall as
        1, 1/2, 1/3 and so on.
    """
    orders = np.arange(1, harmonics + 1)
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, size=harmonics)
    amplitudes = level_uv * np.sqrt(2 / np.sum(1 / orders**2)) / orders
    return LineRecording(like, frequency_hz, amplitudes.tolist(), phases.tolist())


class LineRecording(RecordingLike):
    """A sum of sines, the same on all channels.

    Parameters
    ----------
    like : BaseRecording
        Whose probe, channels, sampling rate and durations it takes.
    frequency_hz : float
        Of the first sine; the others are its multiples.
    amplitudes_uv, phases : list of float
        Of each sine, µV and radians.
    """

    def __init__(
        self,
        like: BaseRecording,
        frequency_hz: float,
        amplitudes_uv: list[float],
        phases: list[float],
    ):
        super().__init__(like)
        sines = [
            (2 * np.pi * frequency_hz * order / self.sampling_frequency, amplitude, phase)
            for order, (amplitude, phase) in enumerate(
                zip(amplitudes_uv, phases, strict=True), start=1
            )
        ]
        for segment in like.segments:
            self.add_recording_segment(_LineSegment(segment, like.get_num_channels(), sines))
        self._kwargs = {
            "like": like,
            "frequency_hz": frequency_hz,
            "amplitudes_uv": amplitudes_uv,
            "phases": phases,
        }


class _LineSegment(SegmentLike):
    def __init__(self, like: BaseRecordingSegment, channels: int, sines: list[tuple]):
        super().__init__(like)
        self._channels = channels
        self._sines = sines

    def get_traces(self, start_frame, end_frame, channel_indices):
        frames = np.arange(start_frame, end_frame)
        trace = sum(
            amplitude * np.sin(step * frames + phase) for step, amplitude, phase in self._sines
        )
        traces = np.repeat(np.asarray(trace, np.float32)[:, None], self._channels, axis=1)
        return traces if channel_indices is None else traces[:, channel_indices]


def _band(
    like: BaseRecording, exponent: float, band_hz: tuple[float, float]
) -> tuple[float, np.ndarray]:
    """How long noise of a band remembers itself, s, and its power."""
    memory_s = min(_LONGEST_MEMORY_S, _PERIODS_REMEMBERED / band_hz[0])
    frequencies = block_frequencies(like.get_sampling_frequency(), memory_s)
    return memory_s, band_power(frequencies, exponent, band_hz)


def _shared_nearby(like: BaseRecording, spatial_decay_um: float | None) -> np.ndarray:
    """Weights that give channels a correlation falling off exponentially with their distance."""
    if spatial_decay_um is None:
        return np.eye(like.get_num_channels())
    positions = like.get_channel_locations()
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    return np.linalg.cholesky(np.exp(-distances / spatial_decay_um))
