"""Small files in MEArec's layout, written without MEArec."""

from pathlib import Path

import h5py
import numpy as np

from fixtures import neuropixels

FREQUENCY = 30_000.0
CHANNELS = 16
NOISE_UV = 8.0
DURATION_S = 4.0
CUT_OUT_MS, PAD_MS = (2.0, 5.0), (3.0, 3.0)
PER_CELL = 8
CELLS = {
    "L5_TTPC1_cADpyr232_1": "excitatory",
    "L5_UTPC_cADpyr232_1": "excitatory",
    "L5_LBC_bAC217_1": "inhibitory",
    "L5_MC_bAC217_1": "inhibitory",
}


def centred_positions() -> np.ndarray:
    """Contacts (channels, 3) as MEArec has them: in the plane x = 0, around the origin."""
    positions = neuropixels(CHANNELS).contact_positions
    return np.column_stack([np.zeros(CHANNELS), positions - positions.mean(axis=0)])


def waveforms(places: np.ndarray, peaks_uv: np.ndarray, frequency: float, before_ms: float):
    """Spikes (units, channels, frames) of cells at places (units, 3), largest where nearest."""
    frames = np.arange(round((before_ms + CUT_OUT_MS[1]) * frequency / 1000.0))
    time_ms = frames * 1000.0 / frequency - before_ms
    shape = -np.exp(-((time_ms / 0.15) ** 2)) + 0.3 * np.exp(-(((time_ms - 0.6) / 0.3) ** 2))
    near = 1 / np.linalg.norm(places[:, None] - centred_positions()[None], axis=-1)
    return (peaks_uv / near.max(axis=1))[:, None, None] * near[..., None] * shape / -shape.min()


def write_templates(path: Path, drift_um: float = 0.0) -> Path:
    """A file of templates with peaks of 3 to 300 µV; the smallest are the far neurons."""
    random = np.random.default_rng(1)
    number = PER_CELL * len(CELLS)
    depth = centred_positions()[:, 2]
    places = np.column_stack(
        [
            random.uniform(15.0, 60.0, number),
            random.uniform(-20.0, 20.0, number),
            random.uniform(depth.min(), depth.max(), number),
        ]
    )
    peaks = random.permutation(np.geomspace(3.0, 300.0, number))
    if drift_um:
        steps = np.linspace(-drift_um / 2, drift_um / 2, round(drift_um) + 1)
        places = places[:, None] + np.array([0.0, 0.0, 1.0]) * steps[:, None]
        templates = np.stack(
            [
                waveforms(own, np.full(len(own), peak), 32_000.0, CUT_OUT_MS[0])
                for own, peak in zip(places, peaks, strict=True)
            ]
        )
    else:
        templates = waveforms(places, peaks, 32_000.0, CUT_OUT_MS[0])
    with h5py.File(path, "w") as file:
        file["templates"] = templates.astype(np.float32)
        file["locations"] = places
        file["rotations"] = np.zeros((number, 3))
        file["celltypes"] = np.repeat([name.encode() for name in CELLS], PER_CELL)
        _write_electrodes(file)
        file["info/params/cut_out"] = CUT_OUT_MS
        file["info/params/dt"] = 2**-5
        file["info/params/drifting"] = bool(drift_um)
    return path


def write_recording(path: Path, units: int = 3, shifts: int = 4, steps: int = 1, **changes) -> Path:
    """A recording with its truth: `changes` are of its `info/recordings`.

    Spikes are scaled by 1 ± 0.05 and take one of the template's sub-frame shifts; in a drifting
    recording, `steps` > 1, all are those of the middle step.
    """
    random = np.random.default_rng(2)
    places = np.column_stack(
        [np.full(units, 20.0), np.zeros(units), np.linspace(-50.0, 50.0, units)]
    )
    peaks = np.linspace(40.0, 120.0, units)
    before_ms = PAD_MS[0] + CUT_OUT_MS[0]
    middle = waveforms(places, peaks, FREQUENCY, before_ms)
    middle = np.pad(middle, ((0, 0), (0, 0), (0, round(PAD_MS[1] * FREQUENCY / 1000))))
    moved = np.stack([middle * (1 + 0.1 * (step - steps // 2)) for step in range(steps)], axis=1)
    late = np.linspace(-0.4, 0.4, shifts) if shifts > 1 else [0.0]
    templates = np.stack([_delayed(moved, shift) for shift in late], axis=2)
    frames = int(DURATION_S * FREQUENCY)
    noise_free = np.zeros((frames, CHANNELS), np.float32)
    trains = []
    length, nbefore = templates.shape[-1], int(before_ms * FREQUENCY / 1000)
    for unit in range(units):
        starts = np.cumsum(random.integers(400, 2000, size=100))
        starts = starts[starts < frames - length]
        for start in starts:
            own = templates[unit, steps // 2, random.integers(shifts)]
            noise_free[start : start + length] += random.normal(1.0, 0.05) * own.T
        # Between two frames: MEArec rounds down.
        trains.append((starts + nbefore + 0.9) / FREQUENCY)
    noise = random.normal(scale=NOISE_UV, size=noise_free.shape).astype(np.float32)
    settings = {
        "fs": FREQUENCY,
        "filter": False,
        "noise_mode": b"uncorrelated",
        "noise_level": NOISE_UV,
        "duration": DURATION_S,
    } | changes
    up = np.array([0.0, 0.0, 1.0])
    drifting = np.stack([places + up * (step - steps // 2) for step in range(steps)], axis=1)
    with h5py.File(path, "w") as file:
        file.attrs["mearec_version"] = "1.11.0"
        file["recordings"] = noise_free + noise
        file["noise_free"] = noise_free
        file["channel_positions"] = centred_positions()
        file["templates"] = np.squeeze(templates)
        file["template_locations"] = drifting if steps > 1 else places
        file["template_celltypes"] = [
            list(CELLS)[unit % len(CELLS)].encode() for unit in range(units)
        ]
        _write_electrodes(file)
        file["info/templates/cut_out"], file["info/templates/pad_len"] = CUT_OUT_MS, PAD_MS
        for name, value in settings.items():
            file[f"info/recordings/{name}"] = value
        for name in ("spiketrains", "templates", "convolution", "noise"):
            file[f"info/seeds/{name}"] = 7
        for unit, times in enumerate(trains):
            file[f"spiketrains/{unit}/times"] = times
            file[f"spiketrains/{unit}/t_stop"] = DURATION_S
    return path


def _write_electrodes(file: h5py.File) -> None:
    electrodes = {
        "electrode_name": b"contacts",
        "pos": neuropixels(CHANNELS).contact_positions,
        "plane": b"yz",
        "shape": b"square",
        "size": 6.0,
        "type": b"mea",
        "sortlist": b"null",
    }
    for name, value in electrodes.items():
        file[f"info/electrodes/{name}"] = value


def _delayed(templates: np.ndarray, frames: float) -> np.ndarray:
    """Templates shifted by part of a frame."""
    length = templates.shape[-1]
    phases = np.exp(-2j * np.pi * np.fft.rfftfreq(length) * frames)
    return np.fft.irfft(np.fft.rfft(templates) * phases, length)
