"""Compare the speed of the published U-Net in this package with the original stack.

    python benchmarks/inference.py REFERENCE_PYTHON [--channels 384 96] [--rounds 5]

REFERENCE_PYTHON is a Python in which the original stack runs, see `reference_worker.py`. Prints a
table in Markdown. All on one core, in turns: on a busy machine the ratios hold, the speeds do not.
"""

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from spikeinterface.core import NumpyRecording  # noqa: E402

from ephys_deepinterpolation import deepinterpolate, load_model  # noqa: E402
from ephys_deepinterpolation.network import flops_per_frame, network_parameters  # noqa: E402
from ephys_deepinterpolation.normalization import Normalization  # noqa: E402

FIRST_FRAME = 256
PRECISIONS = ("float32", "bfloat16")
# The one that TensorFlow takes by itself first: it is what users get.
REFERENCES = {"original, oneDNN on (default)": "1", "original, oneDNN off": "0"}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reference_python")
    parser.add_argument("--channels", type=int, nargs="+", default=[384, 96])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(
        "| channels | stack | frames per CPU s | x default | x oneDNN off "
        "| published GFLOP/s | % of peak | rms difference / std | largest |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for channels in arguments.channels:
        compare(arguments.reference_python, channels, arguments.rounds)


def compare(python: str, channels: int, rounds: int) -> None:
    """Time all stacks in turns and print a row for each."""
    frames = 512 * 384 // channels
    traces = make_traces(channels, FIRST_FRAME + frames + 100)
    stretch = FIRST_FRAME, FIRST_FRAME + frames
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "traces.npy"), traces)
        workers = {
            name: start_worker("reference_worker.py", python, folder, channels, setting)
            for name, setting in REFERENCES.items()
        }
        model = load_model(Path(folder, "model.h5"))
        unchanged = Normalization(
            np.zeros(channels, np.float32), np.ones(channels, np.float32), np.zeros(channels, bool)
        )
        recording = NumpyRecording([traces], 30_000.0)
        ours = {
            f"this package, {precision}": deepinterpolate(
                recording, model, normalization=unchanged, precision=precision
            )
            for precision in PRECISIONS
        }
        seconds: dict[str, list[float]] = {name: [] for name in [*workers, *ours]}
        results, peaks = {}, dict.fromkeys(PRECISIONS, 0.0)
        for _ in range(rounds + 1):
            for name, worker in workers.items():
                seconds[name].append(ask(worker, stretch))
                results[name] = np.load(Path(folder, "reference.npy"))
            for name, denoised in ours.items():
                before = time.process_time()
                results[name] = denoised.get_traces(0, *stretch)
                seconds[name].append(time.process_time() - before)
            for precision in PRECISIONS:
                peaks[precision] = max(peaks[precision], peak(precision))
        for worker in workers.values():
            worker.communicate()
    # The first round compiles.
    speeds = {name: frames / np.array(each[1:]) for name, each in seconds.items()}
    flops = flops_per_frame(network_parameters(model.network), 2, 60, channels // 2)
    default, slow = (speeds[name] for name in REFERENCES)
    truth = results[next(iter(REFERENCES))]
    for name, speed in speeds.items():
        done = np.median(speed) * flops / 1e9
        difference = (results[name] - truth) / truth.std()
        print(
            f"| {channels} | {name} | {np.median(speed):.0f} | {ratio(speed, default)} "
            f"| {ratio(speed, slow)} | {done:.0f} "
            f"| {100 * done / peaks['bfloat16' if 'bfloat16' in name else 'float32']:.0f} "
            f"| {np.sqrt(np.mean(difference**2)):.1e} | {np.abs(difference).max():.1e} |",
            flush=True,
        )
    print(
        f"\nPeak of a matrix product, {channels} channels: "
        + ", ".join(f"{speed:.0f} GFLOP/s in {name}" for name, speed in peaks.items())
        + "\n",
        flush=True,
    )


def make_traces(channels: int, frames: int) -> np.ndarray:
    """Noise of unit scale, smooth and not, in float32."""
    random = np.random.default_rng(0)
    smooth = np.cumsum(random.normal(size=(frames + 8, channels)), axis=0)
    smooth = (smooth[8:] - smooth[:-8]) / np.sqrt(8)
    return ((smooth + random.normal(size=smooth.shape)) / np.sqrt(2)).astype(np.float32)


def start_worker(
    script: str, python: str, folder: str, channels: int, onednn: str
) -> subprocess.Popen:
    """Start the original stack and wait until it is ready."""
    worker = subprocess.Popen(
        [python, str(Path(__file__).with_name(script)), folder, str(channels)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": onednn},
    )
    assert worker.stdout is not None
    if worker.stdout.readline().strip() != "ready":
        raise SystemExit(f"the original stack does not run in {python}")
    return worker


def ask(worker: subprocess.Popen, stretch: tuple[int, int]) -> float:
    """Let the original stack denoise a stretch; CPU seconds."""
    assert worker.stdin is not None and worker.stdout is not None
    worker.stdin.write(f"{stretch[0]} {stretch[1]}\n")
    worker.stdin.flush()
    return float(worker.stdout.readline())


def peak(precision: str) -> float:
    """Best speed of a large matrix product, GFLOP/s."""
    size = 2048
    matrix = tf.cast(tf.random.normal((size, size)), precision)
    seconds = []
    for _ in range(4):
        before = time.process_time()
        tf.matmul(matrix, matrix).numpy()
        seconds.append(time.process_time() - before)
    return 2 * size**3 / min(seconds) / 1e9


def ratio(speed: np.ndarray, reference: np.ndarray) -> str:
    """Median ratio over the rounds, and its range."""
    ratios = speed / reference
    return f"{np.median(ratios):.2f} ({ratios.min():.2f}-{ratios.max():.2f})"


if __name__ == "__main__":
    main()
