"""The parts of the noise of a synthetic recording: each a lazy recording in µV."""

from collections.abc import Callable

import numpy as np
from spikeinterface.core import BaseRecording, BaseRecordingSegment
from spikeinterface.generation import NoiseGeneratorRecording
from spikeinterface.preprocessing import filter as filter_recording
from spikeinterface.preprocessing import scale

from ephys_deepinterpolation.seeds import derive_seed


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
        Of `independent_noise` and `correlated_noise`, by the names `independent`, `correlated`.
    seed : int
        Each part's seed derives from it.
    """
    makers: dict[str, Callable[..., BaseRecording]] = {
        "independent": independent_noise,
        "correlated": correlated_noise,
    }
    return {
        name: makers[name](like, **values, seed=derive_seed(seed, "noise", name))
        for name, values in parameters.items()
    }


def silence(like: BaseRecording) -> BaseRecording:
    """Zeros with the probe, channels, sampling rate and duration of a recording, in µV."""
    return independent_noise(like, level_uv=0.0, seed=0)


def independent_noise(like: BaseRecording, level_uv: float, seed: int) -> BaseRecording:
    """White Gaussian noise, independent between channels and frames; `level_uv` its deviation."""
    return _dressed_as(
        like,
        NoiseGeneratorRecording(
            num_channels=like.get_num_channels(),
            sampling_frequency=like.get_sampling_frequency(),
            durations=[_duration_of(like)],
            noise_levels=level_uv,
            strategy="on_the_fly",
            seed=seed,
        ),
    )


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
    frequency = like.get_sampling_frequency()
    positions = like.get_channel_locations()
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    white = NoiseGeneratorRecording(
        num_channels=len(positions),
        sampling_frequency=frequency,
        durations=[_duration_of(like)],
        cov_matrix=np.exp(-distances / spatial_decay_um),
        strategy="on_the_fly",
        seed=seed,
    )
    # An autoregression of first order; after ten time constants its start is forgotten.
    persistence = float(np.exp(-1000.0 / (time_constant_ms * frequency)))
    coloured = filter_recording(
        white,
        coeff=[[(1 - persistence**2) ** 0.5], [1.0, -persistence]],
        filter_mode="ba",
        direction="forward",
        margin_ms=10 * time_constant_ms,
    )
    return _dressed_as(like, scale(coloured, gain=level_uv, dtype="float32"))


def _duration_of(like: BaseRecording) -> float:
    """Seconds that come to exactly as many frames, half a frame off so that none is lost."""
    return (like.get_num_frames() + 0.5) / like.get_sampling_frequency()


def _dressed_as(like: BaseRecording, recording: BaseRecording) -> BaseRecording:
    recording = recording.rename_channels(like.channel_ids)
    recording.set_probegroup(like.get_probegroup())
    recording.set_channel_gains(1.0)
    recording.set_channel_offsets(0.0)
    return recording
