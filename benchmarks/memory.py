"""Measure the peak memory of training and of inference, each in a fresh process.

    python benchmarks/memory.py

The recording is stored as 16-bit integers; inference writes what it gives to disk in chunks of one
second. Each line is one process; its peak is the largest resident set, imports included.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import spikeinterface as si
from probeinterface.neuropixels_tools import build_neuropixels_probe

from ephys_deepinterpolation import deepinterpolate, train_deepinterpolation
from ephys_deepinterpolation.model import Model
from ephys_deepinterpolation.network import (
    NetworkParameters,
    UNetParameters,
    build_network,
    get_weights,
)
from ephys_deepinterpolation.normalization import estimate_normalization
from ephys_deepinterpolation.windows import Context

FREQUENCY = 30_000.0
# Task, network, channels, seconds of the recording, target frames of a training step.
RUNS = [
    ("inference", "compact", 96, 2, 0),
    ("inference", "compact", 96, 20, 0),
    ("inference", "compact", 384, 2, 0),
    ("inference", "unet", 96, 2, 0),
    ("inference", "unet", 96, 20, 0),
    ("training", "compact", 96, 60, 64),
    ("training", "compact", 96, 600, 64),
    ("training", "compact", 96, 60, 256),
    ("training", "compact", 384, 60, 64),
    ("training", "unet", 96, 6, 8),
    ("training", "unet", 96, 60, 8),
    ("training", "unet", 96, 6, 32),
]


def write_recording(path: Path, channels: int, seconds: int) -> None:
    """Write noise of 10 µV, one second after the other."""
    random = np.random.default_rng(0)
    second = np.round(13 * random.standard_normal((int(FREQUENCY), channels))).astype(np.int16)
    with path.open("wb") as file:
        for index in range(seconds):
            np.roll(second, index, axis=0).tofile(file)


def read_recording(path: Path, channels: int) -> si.BaseRecording:
    """Read it lazily, on the first contacts of a Neuropixels 2.0 probe."""
    recording = si.read_binary(
        path, FREQUENCY, "int16", channels, gain_to_uV=0.763, offset_to_uV=0.0
    )
    probe = build_neuropixels_probe("NP2003").get_slice(np.arange(channels))
    probe.set_device_channel_indices(np.arange(channels))
    recording.set_probe(probe, in_place=True)
    return recording


def train(recording: si.BaseRecording, network: str, batch: int):
    """Train for one evaluation."""
    return train_deepinterpolation(
        recording,
        network=UNetParameters() if network == "unet" else None,
        max_steps=1,
        batch_size=batch,
        progress=False,
    )


def untrained(recording: si.BaseRecording, network: str):
    """Make a model of the weights a network starts from."""
    parameters = UNetParameters() if network == "unet" else NetworkParameters()
    return Model(
        network=asdict(parameters),
        weights=get_weights(build_network(parameters, 2, 60, seed=0)),
        context=Context(frames=30, omission=1),
        sampling_frequency=FREQUENCY,
        columns=2,
        row_pitch_um=15.0,
        normalization=estimate_normalization(0.763 * recording.get_traces(0, 0, 30_000)),
        channel_ids=tuple(str(channel) for channel in recording.channel_ids),
        positions=recording.get_channel_locations(),
    )


def run_one(task: str, network: str, channels: int, batch: int, path: Path) -> None:
    """Do one task in this process and print its peak in GB."""
    recording = read_recording(path, channels)
    if task == "training":
        train(recording, network, batch)
    else:
        denoised = deepinterpolate(recording, untrained(recording, network), dtype="int16")
        folder = path.parent / "denoised"
        denoised.save(folder=folder, overwrite=True, n_jobs=1, chunk_duration="1s")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9)


def main() -> None:
    """Measure every run, or the one given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one", nargs=5, metavar=("TASK", "NETWORK", "CHANNELS", "BATCH", "FILE"))
    parser.add_argument("--only", nargs="+", type=int, help="numbers of the runs, from 0")
    arguments = parser.parse_args()
    if arguments.one:
        task, network, channels, batch, path = arguments.one
        run_one(task, network, int(channels), int(batch), Path(path))
        return
    chosen = range(len(RUNS)) if arguments.only is None else arguments.only
    print("| task | network | channels | recording s | batch | peak GB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for task, network, channels, seconds, batch in (RUNS[index] for index in chosen):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "recording.raw"
            write_recording(path, channels, seconds)
            command = [sys.executable, __file__, "--one", task, network]
            done = subprocess.run(
                [*command, str(channels), str(batch), str(path)],
                capture_output=True,
                text=True,
                check=True,
            )
        peak = float(done.stdout.split()[-1])
        print(
            f"| {task} | {network} | {channels} | {seconds} | {batch or ''} | {peak:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
