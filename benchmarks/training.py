"""Compare the speed of training in this package with the original stack.

    python benchmarks/training.py REFERENCE_PYTHON [--channels 384 96] [--rounds 5]

REFERENCE_PYTHON is a Python in which the original stack runs, see `reference_trainer.py`. Prints a
table in Markdown. All on one core, in turns: on a busy machine the ratios hold, the speeds do not.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

# First of the package: it keeps this process and those it starts to one core.
from inference import REFERENCES, make_traces, ratio, start_worker
from probeinterface import Probe
from spikeinterface.core import NumpyRecording

from ephys_deepinterpolation.epochs import STEPS_PER_EPOCH, Epochs
from ephys_deepinterpolation.frames import Frames, split_frames
from ephys_deepinterpolation.geometry import image_of_recording
from ephys_deepinterpolation.network import NetworkParameters, UNetParameters, build_network
from ephys_deepinterpolation.normalization import Normalization
from ephys_deepinterpolation.optimisation import Optimisation, compile_network
from ephys_deepinterpolation.training import fastest
from ephys_deepinterpolation.windows import Context

BATCH_FRAMES = 100
STEPS = 3
FRAMES = 80_000
NETWORKS = {
    "U-Net, float32": (UNetParameters(), "float32", True),
    "U-Net, mixed_bfloat16": (UNetParameters(), "mixed_bfloat16", True),
    "U-Net as Keras runs it": (UNetParameters(), "float32", False),
    "compact network": (NetworkParameters(), "float32", True),
}


class Training:
    """A network in training on traces, a few steps at a time."""

    def __init__(self, traces: np.ndarray, name: str):
        parameters, precision, rewritten = NETWORKS[name]
        channels = traces.shape[1]
        recording = NumpyRecording([traces], 30_000.0)
        recording.set_probe(two_columns(channels))
        context = Context(frames=30, omission=1)
        unchanged = Normalization(
            np.zeros(channels, np.float32), np.ones(channels, np.float32), np.zeros(channels, bool)
        )
        frames = Frames([recording], image_of_recording(recording), unchanged, context)
        pieces, _ = split_frames([recording], context)
        before = time.process_time()
        self._epochs = Epochs(frames, pieces, BATCH_FRAMES, seed=0, epoch=0)
        self._seconds_of_reading = time.process_time() - before
        network = build_network(parameters, 2, 2 * context.frames, 0, precision)
        self._network = fastest(network, parameters) if rewritten else network
        optimisation = Optimisation(
            STEPS_PER_EPOCH, BATCH_FRAMES, 1e-4, "mean_squared_error", None, precision, 0
        )
        compile_network(self._network, optimisation, STEPS_PER_EPOCH)

    def run(self) -> float:
        """Make a few steps; CPU seconds, with the share of reading that falls to them."""
        before = time.process_time()
        for index in range(STEPS):
            self._network.train_on_batch(*self._epochs[index])
        return time.process_time() - before + STEPS / STEPS_PER_EPOCH * self._seconds_of_reading

    def run_data(self) -> float:
        """Make the batches of a few steps, and read their share; CPU seconds."""
        before = time.process_time()
        for index in range(STEPS):
            self._epochs[index]
        return time.process_time() - before + STEPS / STEPS_PER_EPOCH * self._seconds_of_reading


def two_columns(channels: int) -> Probe:
    """Two columns of contacts, 32 µm apart, in rows 15 µm apart."""
    probe = Probe(ndim=2)
    rows, columns = np.divmod(np.arange(channels), 2)
    probe.set_contacts(np.stack([32.0 * columns, 15.0 * rows], axis=1))
    probe.set_device_channel_indices(np.arange(channels))
    return probe


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reference_python")
    parser.add_argument("--channels", type=int, nargs="+", default=[384, 96])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print("| channels | stack | frames per CPU s | x default | x oneDNN off | % of time for data |")
    print("| --- | --- | --- | --- | --- | --- |")
    for channels in arguments.channels:
        compare(arguments.reference_python, channels, arguments.rounds)


def compare(python: str, channels: int, rounds: int) -> None:
    """Time all stacks in turns and print a row for each."""
    traces = make_traces(channels, FRAMES)
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "traces.npy"), traces)
        workers = {
            name: start_worker("reference_trainer.py", python, folder, channels, setting)
            for name, setting in REFERENCES.items()
        }
        ours = {f"this package, {name}": Training(traces, name) for name in NETWORKS}
        seconds: dict[str, list[float]] = {name: [] for name in [*workers, *ours]}
        for _ in range(rounds + 1):
            for name, worker in workers.items():
                seconds[name].append(ask(worker))
            for name, training in ours.items():
                seconds[name].append(training.run())
        data = {name: training.run_data() for name, training in ours.items()}
        for worker in workers.values():
            worker.communicate()
    # The first round compiles.
    speeds = {name: STEPS * BATCH_FRAMES / np.array(each[1:]) for name, each in seconds.items()}
    default, slow = (speeds[name] for name in REFERENCES)
    for name, speed in speeds.items():
        share = f"{100 * data[name] / np.median(seconds[name][1:]):.1f}" if name in data else ""
        print(
            f"| {channels} | {name} | {np.median(speed):.0f} | {ratio(speed, default)} "
            f"| {ratio(speed, slow)} | {share} |",
            flush=True,
        )


def ask(worker) -> float:
    """Let the original stack make a few steps; CPU seconds."""
    worker.stdin.write(f"{STEPS}\n")
    worker.stdin.flush()
    return float(worker.stdout.readline())


if __name__ == "__main__":
    main()
