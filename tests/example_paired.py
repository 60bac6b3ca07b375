"""A recording beside a cell with an electrode of its own, in the layouts of public data sets."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ephys_deepinterpolation.ground_truth import GroundTruth, generate_synthetic

CHANNELS = 16
FREQUENCY = 30_000.0
GAIN = 2.34
PATCH_FREQUENCY = 50_023.9
# The clock of the patch amplifier runs faster than it says.
PATCH_DRIFT = 3e-4
DURATION_S = 30.0
# The current of a spike comes before its trough outside.
LEAD_MS = 0.2

READ_NPX = {
    "sampling_frequency": FREQUENCY,
    "num_channels": CHANNELS,
    "dtype": "int16",
    "gain_to_uV": GAIN,
    "offset_to_uV": 0.0,
}
READ_PATCH = {"sampling_frequency": PATCH_FREQUENCY, "num_channels": 1, "dtype": "float64"}


@dataclass(frozen=True)
class Example:
    """What the files were made of: the cell is the first unit of the truth."""

    truth: GroundTruth
    parameters: dict

    @property
    def frames(self) -> np.ndarray:
        return self.truth.sorting.get_unit_spike_train(self.truth.sorting.unit_ids[0])

    @property
    def template(self) -> np.ndarray:
        return self.truth.templates.templates_array[0]


def synthetic_tissue(
    duration_s=DURATION_S, frequency=FREQUENCY, probe="NP1000", channels=CHANNELS, rate_hz=8.0
):
    return generate_synthetic(
        probe=probe,
        channels=channels,
        sampling_frequency_hz=frequency,
        duration_s=duration_s,
        gain_uv_per_bit=GAIN,
        units={"number": 3, "peak_uv": [100.0, 100.0], "firing_rate_hz": [rate_hz, rate_hz]},
        background={"number": 0, "peak_uv": [3.0, 10.0], "firing_rate_hz": [1.0, 1.0]},
        noise={"independent": {"level_uv": 8.0}},
        seed=5,
    )


def patch_trace(times_s, frames, frequency, size=20.0):
    """A current with sharp spikes that go down, in a noise with a standard deviation of about 1."""
    random = np.random.default_rng(1)
    slow = gaussian_filter1d(random.normal(size=frames), frequency / 30)
    trace = random.normal(size=frames) * np.sqrt(frequency / 5400) + 20 * slow / slow.std()
    reach = round(2e-3 * frequency)
    for time in times_s:
        middle = round(time * frequency)
        around = np.arange(max(0, middle - reach), min(frames, middle + reach))
        milliseconds = 1000 * (around / frequency - time)
        trace[around] -= size * np.exp(-((milliseconds / 0.2) ** 2))
    return trace


def pulse_channel(times_s, frames, frequency, high):
    level = np.zeros(frames)
    for time in times_s:
        first = int(np.ceil(time * frequency))
        level[first : first + round(0.01 * frequency)] = high
    return level


def write_spe1(
    folder: Path, size=20.0, duration_s=DURATION_S, rate_hz=8.0, channels=CHANNELS
) -> Example:
    """Write a cell as in SPE-1 (CRCNS, 10.6080/K0J67F4T): raw files, two clocks, sync pulses.

    The files are named like the folder. Channels beyond 16 are silent.
    """
    truth = synthetic_tissue(duration_s, rate_hz=rate_hz)
    folder.mkdir(parents=True)
    cell = f"{folder}/{folder.name}"
    traces = np.zeros((round(duration_s * FREQUENCY), channels), "int16")
    traces[:, :CHANNELS] = truth.recording.get_traces()
    traces.tofile(f"{cell}_npx_raw.bin")
    rate = PATCH_FREQUENCY * (1 + PATCH_DRIFT)
    frames = round(duration_s * rate)
    times = truth.sorting.get_unit_spike_train(truth.sorting.unit_ids[0]) / FREQUENCY
    patch = patch_trace(times - LEAD_MS / 1000, frames, rate, size)
    patch.astype("float64").tofile(f"{cell}_patch_ch1.bin")
    pulses = 0.3 + np.cumsum(np.random.default_rng(2).uniform(0.5, 1.5, size=25))
    npx_sync = pulse_channel(pulses, len(traces), FREQUENCY, 64).astype("int16")
    npx_sync.tofile(f"{cell}_npx_sync.bin")
    pulse_channel(pulses, frames, rate, 4.8).tofile(f"{cell}_patch_sync.bin")
    npx_pulses = {"sampling_frequency": FREQUENCY, "num_channels": 1, "dtype": "int16"}
    binary = {"reader": "read_binary"}
    parameters = {
        "recording": binary | {"path": f"{cell}_npx_raw.bin", "arguments": READ_NPX},
        "probe": "NP1000",
        "trace": binary | {"path": f"{cell}_patch_ch1.bin", "arguments": READ_PATCH},
        "recording_pulses": binary | {"path": f"{cell}_npx_sync.bin", "arguments": npx_pulses},
        "cell_pulses": binary | {"path": f"{cell}_patch_sync.bin", "arguments": READ_PATCH},
    }
    return Example(truth, parameters)


def write_hc1(folder: Path) -> Example:
    """Write a cell as in CRCNS hc-1: one file of eight channels, 1 to 4 a tetrode, 5 the cell."""
    frequency = 10_000.0
    truth = synthetic_tissue(DURATION_S, frequency, "tetrode", 4)
    traces = np.full((round(DURATION_S * frequency), 8), 2048, "int16")
    traces[:, 1:5] += truth.recording.get_traces()
    times = truth.sorting.get_unit_spike_train(truth.sorting.unit_ids[0]) / frequency
    inside = -patch_trace(times, len(traces), frequency)
    traces[:, 5] += np.round(20 * inside).astype("int16")
    folder.mkdir(parents=True)
    traces.tofile(folder / "d533101.dat")
    channels = "".join(f"<channel>{channel}</channel>" for channel in range(8))
    # Such that a step is 2.34 µV.
    (folder / "d533101.xml").write_text(
        "<parameters><acquisitionSystem><nBits>16</nBits><nChannels>8</nChannels>"
        f"<samplingRate>{frequency:g}</samplingRate>"
        f"<voltageRange>{GAIN * 65.536:.6f}</voltageRange>"
        "<amplification>1000</amplification><offset>0</offset></acquisitionSystem>"
        f"<anatomicalDescription><channelGroups><group>{channels}</group></channelGroups>"
        "</anatomicalDescription></parameters>"
    )
    described = {
        "reader": "read_neuroscope_recording",
        "path": str(folder / "d533101.dat"),
        "arguments": {},
    }
    parameters = {
        "recording": described,
        "channels": [1, 2, 3, 4],
        "probe": "tetrode",
        "trace": described | {"channel": 5},
    }
    return Example(truth, parameters)
