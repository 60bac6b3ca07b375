"""How fast recordings of each kind are made, and in how much memory, whatever their duration.

    python benchmarks/ground_truth.py                      # every kind, 384 channels, 20 s
    python benchmarks/ground_truth.py synthetic --channels 32 --seconds 60 600

Each recording is made and saved by a fresh process of one thread.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from ephys_deepinterpolation.ground_truth import (
    GroundTruth,
    generate_hybrid,
    generate_surrogate,
    generate_synthetic,
)


def synthetic(channels: int, seconds: float) -> GroundTruth:
    """Two units per three channels, independent and correlated noise."""
    rates = {"firing_rate_hz": [1.0, 20.0]}
    return generate_synthetic(
        probe="NP2003",
        channels=channels,
        sampling_frequency_hz=30_000.0,
        duration_s=seconds,
        gain_uv_per_bit=0.763,
        units={"number": channels // 3, "peak_uv": [10.0, 200.0]} | rates,
        background={"number": channels // 3, "peak_uv": [3.0, 10.0]} | rates,
        noise={
            "independent": {"level_uv": 7.0},
            "correlated": {"level_uv": 6.0, "spatial_decay_um": 40.0, "time_constant_ms": 0.1},
        },
        seed=1,
    )


def synthetic_with_everything(channels: int, seconds: float) -> GroundTruth:
    """Half as many units, that burst, vary, collide and drift, and every part of the noise."""
    rates = {"firing_rate_hz": [1.0, 20.0], "firing_rate_distribution": "log-normal"}
    bursts = {"share": 0.2, "spikes": [2, 4], "interval_ms": [3.0, 6.0], "amplitude_decay": 0.8}
    varied = rates | {"amplitude_variation": 0.1, "bursts": bursts}
    collisions = {"rate_hz": 5.0, "lag_ms": 0.5}
    band = {"level_uv": 4.0, "exponent": 1.0, "band_hz": [2.0, 300.0]}
    return generate_synthetic(
        probe="NP2013",
        channels=channels,
        sampling_frequency_hz=30_000.0,
        duration_s=seconds,
        gain_uv_per_bit=0.763,
        units={"number": channels // 6, "peak_uv": [10.0, 200.0], "collisions": collisions}
        | varied,
        background={"number": channels // 6, "peak_uv": [3.0, 10.0]} | varied,
        noise={
            "independent": {"level_uv": 5.0},
            "correlated": {"level_uv": 5.0, "spatial_decay_um": 40.0, "time_constant_ms": 0.1},
            "coloured": band,
            "band_limited": {"level_uv": 3.0, "band_hz": [300.0, 9000.0]},
            "common_mode": band,
            "line": {"level_uv": 3.0, "frequency_hz": 50.0, "harmonics": 3},
        },
        seed=1,
        sub_frame_jitter=True,
        drift=[{"shape": "zigzag", "amplitude_um": 30.0, "non_rigid": 0.5}],
    )


def quiet_tissue(channels: int, seconds: float) -> GroundTruth:
    """Correlated noise and one unit, to stand in for a real recording."""
    rates = {"firing_rate_hz": [1.0, 1.0]}
    return generate_synthetic(
        probe="NP2003",
        channels=channels,
        sampling_frequency_hz=30_000.0,
        duration_s=seconds,
        gain_uv_per_bit=0.763,
        units={"number": 1, "peak_uv": [50.0, 50.0]} | rates,
        background={"number": 0, "peak_uv": [3.0, 3.0]} | rates,
        noise={
            "correlated": {"level_uv": 8.0, "spatial_decay_um": 40.0, "time_constant_ms": 0.1},
            "independent": {"level_uv": 4.0},
        },
        seed=2,
    )


def surrogate(channels: int, seconds: float) -> GroundTruth:
    """Draw on the noise of a second; a unit per three channels."""
    units = {"number": channels // 3, "peak_uv": [20.0, 200.0], "firing_rate_hz": [1.0, 20.0]}
    return generate_surrogate(quiet_tissue(channels, 1.0).recording, seconds, units, seed=1)


def hybrid(channels: int, seconds: float) -> GroundTruth:
    """Put a unit per three channels into a host, whose making is part of the time."""
    units = {"number": channels // 3, "peak_uv": [20.0, 200.0], "firing_rate_hz": [1.0, 20.0]}
    return generate_hybrid(quiet_tissue(channels, seconds).recording, units, seed=1)


KINDS: dict[str, Callable[[int, float], GroundTruth]] = {
    "synthetic": synthetic,
    "synthetic-with-everything": synthetic_with_everything,
    "surrogate": surrogate,
    "hybrid": hybrid,
}


_ONE_THREAD = dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"], "1")


def measure(kind: str, channels: int, seconds: float) -> dict[str, float]:
    """Make and save a recording in this process; how long and how much memory it took."""
    start, start_cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        KINDS[kind](channels, seconds).save(f"{folder}/truth")
    return {
        "wall_s": time.perf_counter() - start,
        "cpu_s": time.process_time() - start_cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0,
    }


def main() -> None:
    """Print a table, one row per kind and duration."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(KINDS)}; all by default")
    parser.add_argument("--channels", type=int, default=384)
    parser.add_argument("--seconds", type=float, nargs="+", default=[20.0])
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        print(json.dumps(measure(options.kinds[0], options.channels, options.seconds[0])))
        return
    print("| kind | channels | s | wall s | CPU s | x real time (CPU) | peak MB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for kind in options.kinds or KINDS:
        for seconds in options.seconds:
            command = [sys.executable, __file__, kind, "--here", "--seconds", str(seconds)]
            command += ["--channels", str(options.channels)]
            finished = subprocess.run(
                command, capture_output=True, text=True, check=True, env=os.environ | _ONE_THREAD
            )
            found = json.loads(finished.stdout.splitlines()[-1])
            print(
                f"| {kind} | {options.channels} | {seconds:g} | {found['wall_s']:.0f} "
                f"| {found['cpu_s']:.0f} | {seconds / found['cpu_s']:.2f} "
                f"| {found['peak_mb']:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
