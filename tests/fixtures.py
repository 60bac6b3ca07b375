"""Small recordings and models for the tests, made in memory in milliseconds."""

from dataclasses import asdict

import numpy as np
from probeinterface.neuropixels_tools import build_neuropixels_probe
from scipy.ndimage import gaussian_filter1d
from spikeinterface.core import BaseRecording, NumpyRecording

from ephys_deepinterpolation.model import Model
from ephys_deepinterpolation.network import NetworkParameters, build_network, get_weights
from ephys_deepinterpolation.normalization import Normalization
from ephys_deepinterpolation.training import train_deepinterpolation
from ephys_deepinterpolation.windows import Context

FREQUENCY = 10_000.0
CHANNELS = 16
SILENT_CHANNEL = 5
SMALL_NETWORK = NetworkParameters(rows=3, width=8, depth=2)
CONTEXT_MS = 0.4


def neuropixels(channels=CHANNELS, part="NP2003"):
    """The first contacts of a Neuropixels probe, wired in order."""
    probe = build_neuropixels_probe(part).get_slice(np.arange(channels))
    probe.set_device_channel_indices(np.arange(channels))
    return probe


def recording_of(segments, probe=None, frequency=FREQUENCY) -> BaseRecording:
    """A recording in µV of traces (frames, channels), one array a segment."""
    segments = [segments] if isinstance(segments, np.ndarray) else segments
    recording = NumpyRecording(segments, frequency)
    recording.set_probe(neuropixels(segments[0].shape[1]) if probe is None else probe)
    recording.set_channel_gains(1.0)
    recording.set_channel_offsets(0.0)
    return recording


def correlated_noise(frames, seed, channels=CHANNELS):
    """Noise in µV that is smooth over time and depth, and some that is neither."""
    random = np.random.default_rng(seed)
    smooth = gaussian_filter1d(random.normal(size=(frames, channels)), 2.0, axis=0)
    smooth = gaussian_filter1d(smooth, 2.0, axis=1)
    independent = random.normal(size=(frames, channels))
    return (10 * smooth / smooth.std() + 5 * independent).astype(np.float32)


def noise_recording(frames, seed, channels=CHANNELS, **options) -> BaseRecording:
    """A recording of `correlated_noise`: one segment for each number of frames."""
    frames = [frames] if isinstance(frames, int) else frames
    return recording_of(
        [correlated_noise(count, (seed, index), channels) for index, count in enumerate(frames)],
        **options,
    )


def white_noise(seed, frames=20_000):
    """Noise in µV without any structure."""
    noise = np.random.default_rng(seed).normal(size=(frames, CHANNELS))
    return (10 * noise).astype(np.float32)


def train(recordings, **options) -> Model:
    """Train a small network for one evaluation, if not told otherwise."""
    settings = {"network": SMALL_NETWORK, "context_ms": CONTEXT_MS, "max_steps": 250, "seed": 3}
    return train_deepinterpolation(recordings, progress=False, **settings | options)


def assert_same_weights(one: Model, other: Model) -> None:
    """Bit for bit."""
    assert set(one.weights) == set(other.weights)
    for name, values in one.weights.items():
        np.testing.assert_array_equal(other.weights[name], values)


def integer_recording(frames, seed) -> BaseRecording:
    """16-bit integers with gains and offsets that differ by channel, one channel silent."""
    recording = noise_recording(frames, seed)
    gains = np.linspace(0.1, 0.3, CHANNELS)
    offsets = np.linspace(-20.0, 20.0, CHANNELS)
    segments = []
    for segment in range(recording.get_num_segments()):
        integers = np.round((recording.get_traces(segment) - offsets) / gains).astype("int16")
        integers[:, SILENT_CHANNEL] = 7
        segments.append(integers)
    integers = recording_of(segments)
    integers.set_channel_gains(gains)
    integers.set_channel_offsets(offsets)
    return integers


def untrained_model(recording, context=None, network=SMALL_NETWORK, seed=0) -> Model:
    """A model of random weights that fits a recording on a probe of two columns."""
    context = Context(frames=3, omission=1) if context is None else context
    built = build_network(network, 2, 2 * context.frames, seed)
    random = np.random.default_rng(seed)
    channels = recording.get_num_channels()
    return Model(
        network=asdict(network),
        weights={
            name: random.normal(scale=0.3, size=values.shape).astype(np.float32)
            for name, values in get_weights(built).items()
        },
        context=context,
        sampling_frequency=recording.get_sampling_frequency(),
        columns=2,
        row_pitch_um=15.0,
        positions=recording.get_channel_locations(),
        normalization=Normalization(
            location=random.normal(size=channels).astype(np.float32),
            scale=random.uniform(8, 12, size=channels).astype(np.float32),
            silent=np.zeros(channels, dtype=bool),
        ),
        channel_ids=tuple(str(channel) for channel in recording.channel_ids),
        provenance={"recordings": []},
    )
