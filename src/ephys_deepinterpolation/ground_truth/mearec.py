"""Recordings simulated with MEArec (Buccino & Einevoll 2021, 10.1007/s12021-020-09467-7).

MEArec itself, with NEURON and LFPy, runs in an environment of its own; here its files are read.
"""

from importlib.metadata import version
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import probeinterface
import spikeinterface as si
from probeinterface import Probe
from probeinterface.neuropixels_tools import build_neuropixels_probe
from spikeinterface.preprocessing import astype, scale

from ephys_deepinterpolation.ground_truth.base import GroundTruth, remainder

# Spikes alone, which the project's own simulations hold beside what MEArec writes.
_NOISE_FREE = "noise_free"
_HIDDEN_SPIKES = "far-neurons"


def read_mearec(
    path: Path | str,
    gain_uv_per_bit: float | None = None,
    probe: Probe | None = None,
    facts: dict | None = None,
) -> GroundTruth:
    """Read a recording that MEArec simulated; its traces stay in the file.

    Parameters
    ----------
    path : path
        A MEArec file of a recording (`.h5`), as `MEArec.save_recording_generator` writes it.
    gain_uv_per_bit : float, optional
        The recording as 16-bit integers of this many µV; as in the file by default.
    probe : Probe, optional
        The probe that the recording was simulated for, its contacts in the file's order. By
        default the file's own, which MEArec has centred.
    facts : dict, optional
        More to be kept in `GroundTruth.facts`, such as seeds.

    Returns
    -------
    GroundTruth
        Exhaustive, unless the noise is made of far neurons. The templates are means over the
        sub-frame shifts of MEArec, in a drifting recording those of displacement 0. Where the
        file holds the spikes alone, the noise is known too.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is not a MEArec recording, not one of this layout, or of another probe.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no MEArec recording at {path}")
    try:
        with h5py.File(path) as file:
            return _read(path, file, gain_uv_per_bit, probe, facts or {})
    except OSError as error:
        raise ValueError(f"{path} is not an HDF5 file, hence not of MEArec") from error


def neuropixels(probe: str, channels: int) -> Probe:
    """Build a Neuropixels probe with its contacts from the tip, as its templates are simulated."""
    contacts = build_neuropixels_probe(probe).get_slice(np.arange(channels))
    contacts.set_device_channel_indices(np.arange(channels))
    return contacts


class Hdf5Recording(si.BaseRecording):
    """Traces in a dataset (frames, channels) of an HDF5 file, read as they are asked for.

    Parameters
    ----------
    path : str
    dataset : str
    sampling_frequency : float
        Hz.
    """

    def __init__(self, path: str, dataset: str, sampling_frequency: float):
        with h5py.File(path) as file:
            dtype, shape = file[dataset].dtype, file[dataset].shape
        super().__init__(sampling_frequency, [str(channel) for channel in range(shape[1])], dtype)
        self.add_recording_segment(_Hdf5Segment(path, dataset, sampling_frequency, shape[0]))
        self._kwargs = {
            "path": path,
            "dataset": dataset,
            "sampling_frequency": sampling_frequency,
        }


class _Hdf5Segment(si.BaseRecordingSegment):
    def __init__(self, path: str, dataset: str, sampling_frequency: float, frames: int):
        super().__init__(sampling_frequency=sampling_frequency)
        self._path, self._dataset, self._frames = path, dataset, frames

    def get_num_samples(self) -> int:
        return self._frames

    def get_traces(self, start_frame, end_frame, channel_indices):
        # Opened each time: an open file cannot be handed to another process.
        with h5py.File(self._path) as file:
            traces = file[self._dataset][start_frame:end_frame]
        return traces if channel_indices is None else traces[:, channel_indices]


def _read(
    path: Path, file: h5py.File, gain_uv_per_bit: float | None, probe: Probe | None, facts: dict
) -> GroundTruth:
    _check(path, file, probe)
    info = file["info/recordings"]
    frequency = float(info["fs"][()])
    centre = np.zeros(2) if probe is None else probe.contact_positions.mean(axis=0)
    contacts = _probe_of(path) if probe is None else probe

    def recording_of(dataset):
        recording = Hdf5Recording(str(path.absolute()), dataset, frequency)
        recording.set_probe(contacts)
        recording.set_channel_gains(float(file[dataset].attrs.get("gain_to_uV", 1.0)))
        recording.set_channel_offsets(0.0)
        return recording

    recording = recording_of("recordings")
    if gain_uv_per_bit is not None:
        recording = _as_integers(recording, gain_uv_per_bit)
    filtered = bool(info["filter"][()])
    recording.annotate(is_filtered=filtered)
    noise_free = recording_of(_NOISE_FREE) if _NOISE_FREE in file else None
    sorting = _sorting_of(file, frequency, recording.get_num_frames())
    templates = _templates_of(file, len(sorting.unit_ids))
    mode = _text(info["noise_mode"])
    return GroundTruth(
        recording=recording,
        sorting=sorting,
        templates=si.Templates(
            templates,
            sampling_frequency=frequency,
            nbefore=_frames_before(file, templates.shape[1]),
            channel_ids=recording.channel_ids,
            unit_ids=sorting.unit_ids,
            probe=recording.get_probe(),
        ),
        units=_units_of(file, sorting, templates, recording.get_duration(), centre),
        noise_free=noise_free,
        noise={} if noise_free is None else {mode: remainder(recording, noise_free)},
        facts={
            "kind": "mearec",
            "exhaustive": mode != _HIDDEN_SPIKES,
            "filtered": filtered,
            **({} if noise_free is None else {"remainder": mode}),
            "noise_level_uv": float(info["noise_level"][()]),
            "mearec_seeds": {name: int(seed[()]) for name, seed in file["info/seeds"].items()},
            "versions": {
                "mearec": str(file.attrs.get("mearec_version", "unknown")),
                "spikeinterface": version("spikeinterface"),
            },
            **facts,
        },
    )


def _check(path: Path, file: h5py.File, probe: Probe | None) -> None:
    needed = ("recordings", "channel_positions", "spiketrains", "templates", "template_locations")
    missing = [name for name in (*needed, "info/recordings", "info/electrodes") if name not in file]
    if missing:
        raise ValueError(f"{path} is not a recording of MEArec with true spikes: no {missing[0]}")
    positions = file["channel_positions"][()]
    if file["recordings"].shape[1] != len(positions):
        raise ValueError(
            f"{path} holds {file['recordings'].shape[1]} columns for {len(positions)} channels: "
            "a layout of old; write it again with MEArec.convert_recording_to_new_version"
        )
    if probe is not None:
        expected = probe.contact_positions - probe.contact_positions.mean(axis=0)
        if expected.shape[0] != len(positions) or not np.allclose(positions[:, 1:], expected):
            raise ValueError(f"{path} was not simulated for the contacts of the probe asked for")


def _probe_of(path: Path) -> Probe:
    probe = probeinterface.read_mearec(path)
    if probe.device_channel_indices is None:
        probe.set_device_channel_indices(np.arange(probe.get_contact_count()))
    # As bytes or arrays it could not be saved with a recording.
    probe.annotations = {name: str(value) for name, value in probe.annotations.items()}
    return probe


def _as_integers(recording: si.BaseRecording, gain_uv_per_bit: float) -> si.BaseRecording:
    gain = recording.get_channel_gains() / gain_uv_per_bit
    integers = astype(scale(recording, gain=gain, dtype="float32"), "int16", round=True)
    integers.set_channel_gains(gain_uv_per_bit)
    integers.set_channel_offsets(0.0)
    return integers


def _sorting_of(file: h5py.File, frequency: float, frames: int) -> si.BaseSorting:
    trains = {}
    for index in range(len(file["spiketrains"])):
        times = file[f"spiketrains/{index}/times"][()]
        # As MEArec itself turns times into frames.
        spikes = (times * frequency).astype(np.int64)
        trains[f"units-{index:03d}"] = spikes[spikes < frames]
    return si.NumpySorting.from_unit_dict(trains, frequency)


def _templates_of(file: h5py.File, units: int) -> np.ndarray:
    """Templates (units, frames, channels) in µV."""
    stored = file["templates"]
    channels, frames = stored.shape[-2:]
    steps = file["template_locations"].shape[1] if file["template_locations"].ndim == 3 else 1
    gain = float(file["recordings"].attrs.get("gain_to_uV", 1.0))
    templates = np.empty((units, frames, channels), np.float32)
    for unit in range(units):
        # MEArec drops every axis of length 1, be it of units, steps or shifts.
        own = stored[unit] if units > 1 else stored[()]
        shifted = own.reshape(steps, -1, channels, frames)[steps // 2]
        templates[unit] = shifted.mean(axis=0).T * gain
    return templates


def _frames_before(file: h5py.File, frames: int) -> int:
    """Frames of a template before its spike, as MEArec places them."""
    before, after = file["info/templates/cut_out"][()]
    pad_before, pad_after = file["info/templates/pad_len"][()]
    whole = before + after + pad_before + pad_after
    return int((pad_before + before) / whole * frames)


def _units_of(
    file: h5py.File,
    sorting: si.BaseSorting,
    templates: np.ndarray,
    duration_s: float,
    centre: np.ndarray,
) -> pd.DataFrame:
    places = file["template_locations"][()]
    if places.ndim == 3:
        places = places[:, places.shape[1] // 2]
    spikes = sorting.count_num_spikes_per_unit(outputs="array")
    return pd.DataFrame(
        {
            "unit": sorting.unit_ids,
            "background": False,
            "peak_uv": np.abs(templates).max(axis=(1, 2)),
            "firing_rate_hz": spikes / duration_s,
            "spikes": spikes,
            "x_um": places[:, 1] + centre[0],
            "depth_um": places[:, 2] + centre[1],
            "distance_um": places[:, 0],
            "cell_type": [name.decode() for name in file["template_celltypes"][()]],
        }
    )


def _text(dataset: h5py.Dataset) -> str:
    value = dataset[()]
    return value.decode() if isinstance(value, bytes) else str(value)
