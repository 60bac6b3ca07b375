"""Measure what `assess` takes on an hour of 384 channels, beside reading and training.

    python benchmarks/assess.py

The recording is made as it is read, from a second of noise that is repeated. Its model is the
compact network of the default size, or the published U-Net, with the weights that training starts
from; what is measured does not depend on them. CPU seconds of this process, median of the rounds.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import spikeinterface as si
from probeinterface.neuropixels_tools import build_neuropixels_probe
from spikeinterface.core.generate import NoiseGeneratorRecording

from ephys_deepinterpolation import Model, assess, train_deepinterpolation
from ephys_deepinterpolation.network import (
    NetworkParameters,
    UNetParameters,
    build_network,
    get_weights,
)
from ephys_deepinterpolation.normalization import Normalization
from ephys_deepinterpolation.windows import Context

FREQUENCY = 30_000.0
CHANNELS = 384
NETWORKS = {"compact": NetworkParameters(), "published U-Net": UNetParameters()}


def long_recording(seconds: float) -> si.BaseRecording:
    """Make a recording on one shank of a Neuropixels 2.0 probe, lazily."""
    recording = NoiseGeneratorRecording(
        CHANNELS, FREQUENCY, [seconds], noise_levels=10.0, seed=0, noise_block_size=int(FREQUENCY)
    )
    probe = build_neuropixels_probe("NP2003").get_slice(np.arange(CHANNELS))
    probe.set_device_channel_indices(np.arange(CHANNELS))
    recording.set_probe(probe, in_place=True)
    recording.set_channel_gains(1.0)
    recording.set_channel_offsets(0.0)
    return recording


def untrained(recording: si.BaseRecording, parameters: NetworkParameters | UNetParameters) -> Model:
    """Make a model of the weights a network starts from."""
    return Model(
        network=asdict(parameters),
        weights=get_weights(build_network(parameters, 2, 60, seed=0)),
        context=Context(frames=30, omission=1),
        sampling_frequency=FREQUENCY,
        columns=2,
        row_pitch_um=15.0,
        normalization=Normalization(
            np.zeros(CHANNELS, "f4"), np.full(CHANNELS, 10, "f4"), np.zeros(CHANNELS, bool)
        ),
        channel_ids=tuple(str(channel) for channel in recording.channel_ids),
        positions=recording.get_channel_locations(),
    )


def cpu_seconds(task: Callable[[], object], rounds: int) -> float:
    """Time a task."""
    spent = []
    for _ in range(rounds):
        start = time.process_time()
        task()
        spent.append(time.process_time() - start)
    return float(np.median(spent))


def read(recording: si.BaseRecording, seconds: int) -> None:
    """Read a recording second by second."""
    for second in range(seconds):
        start = round(second * FREQUENCY)
        recording.get_traces(start_frame=start, end_frame=start + round(FREQUENCY))


def main() -> None:
    """Measure assessing, reading a minute, and training for 1,000 steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hours", type=float, default=1.0)
    arguments = parser.parse_args()
    recording = long_recording(3600 * arguments.hours)
    tasks: dict[str, Callable[[], object]] = {"reading one minute": lambda: read(recording, 60)}
    for name, parameters in NETWORKS.items():
        model = untrained(recording, parameters)
        tasks[f"assess, {name}"] = lambda model=model: assess(recording, model)
    tasks["training the compact network, 1,000 steps"] = lambda: train_deepinterpolation(
        recording, max_steps=1000, progress=False
    )
    print("| task | CPU s | times reading one minute |")
    print("| --- | --- | --- |")
    unit = 0.0
    for name, task in tasks.items():
        spent = cpu_seconds(task, arguments.rounds)
        unit = unit or spent
        print(f"| {name} | {spent:.1f} | {spent / unit:.2f} |", flush=True)


if __name__ == "__main__":
    main()
