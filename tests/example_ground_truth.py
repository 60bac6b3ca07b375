"""A small synthetic recording, of which a test changes what it is about."""

import hashlib
from pathlib import Path

from ephys_deepinterpolation.ground_truth import GroundTruth, generate_synthetic

FREQUENCY = 30_000.0
GAIN = 0.763
CORRELATED = {"level_uv": 6.0, "spatial_decay_um": 40.0, "time_constant_ms": 0.1}
INDEPENDENT = {"level_uv": 8.0}
PARAMETERS = {
    "probe": "NP2003",
    "channels": 16,
    "sampling_frequency_hz": FREQUENCY,
    "duration_s": 3.0,
    "gain_uv_per_bit": GAIN,
    "units": {"number": 5, "peak_uv": [30.0, 150.0], "firing_rate_hz": [3.0, 15.0]},
    "background": {"number": 4, "peak_uv": [3.0, 10.0], "firing_rate_hz": [3.0, 15.0]},
    "noise": {"correlated": CORRELATED, "independent": INDEPENDENT},
    "seed": 1,
}
NONE = {"number": 0, "peak_uv": [3.0, 10.0], "firing_rate_hz": [3.0, 15.0]}
# Changes that make use of all there is.
EVERYTHING = {
    "units": PARAMETERS["units"]
    | {
        "bursts": {
            "share": 0.3,
            "spikes": [2, 4],
            "interval_ms": [3.0, 6.0],
            "amplitude_decay": 0.8,
        },
        "amplitude_variation": 0.1,
        "collisions": {"rate_hz": 3.0, "lag_ms": 0.3},
    },
    "noise": PARAMETERS["noise"]
    | {
        "coloured": {"level_uv": 20.0, "exponent": 1.0, "band_hz": [2.0, 300.0]},
        "band_limited": {"level_uv": 2.0, "band_hz": [300.0, 9000.0]},
        "common_mode": {"level_uv": 3.0, "exponent": 1.0, "band_hz": [10.0, 3000.0]},
        "line": {"level_uv": 4.0, "frequency_hz": 50.0, "harmonics": 3},
    },
    "sub_frame_jitter": True,
    "drift": [{"shape": "zigzag", "amplitude_um": 30.0, "period_s": 5.0, "non_rigid": 0.3}],
}


def synthetic(**changes) -> GroundTruth:
    """The example; a change replaces a parameter."""
    return generate_synthetic(**(PARAMETERS | changes))


def contents(folder) -> dict[str, str]:
    """The hash of each file below a folder, by its path from there."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }
