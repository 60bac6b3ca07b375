"""Hybrids: units whose spikes are known, put into a real recording whose other spikes are not."""

from importlib.metadata import version
from pathlib import Path

import numpy as np
import spikeinterface as si
from spikeinterface.core.motion import Motion as EstimatedMotion
from spikeinterface.preprocessing import (
    bandpass_filter,
    common_reference,
    compute_motion,
    highpass_filter,
    phase_shift,
)

from ephys_deepinterpolation.ground_truth.base import GroundTruth, remainder
from ephys_deepinterpolation.ground_truth.donors import generator_placing, stock_placing
from ephys_deepinterpolation.ground_truth.injection import (
    Motion,
    add_to,
    count_clipped,
    draw_places,
    make_units,
)
from ephys_deepinterpolation.seeds import derive_seed

_NOISE = "host"
_SNR_HIGHPASS_HZ = 300.0
_SHORTEST_FOR_MOTION_S = 60.0


def generate_hybrid(
    host: si.BaseRecording,
    units: dict,
    seed: int,
    stock: si.Templates | None = None,
    motion: str | Path = "none",
    train_on: str = "hybrid",
    other_recording: si.BaseRecording | None = None,
    saturation_uv: float | None = None,
    provenance: dict | None = None,
) -> GroundTruth:
    """Put units into a recording, before anything is filtered or denoised.

    Parameters
    ----------
    host : BaseRecording
        With probe and gains to µV, as it was recorded.
    units : dict
        `number`; `peak_uv` and `firing_rate_hz`, as for `make_units`; maybe `depth_um`, as for
        `draw_places`, and `width_ms`, as for `generator_placing`.
    seed : int
        All random draws derive from it.
    stock : Templates, optional
        The donor's, see `donors`; made by SpikeInterface's generator by default.
    motion : str or path
        `none`: the units stay where they are. `estimate`: they move as the tissue of the host does
        by SpikeInterface's estimate (DREDge). Else a folder in which SpikeInterface saved a
        `Motion` of the host.
    train_on : str
        What models are trained on: the `hybrid` itself, the `host` as it was before injection, or
        the `other` recording.
    other_recording : BaseRecording, optional
        Needed for `train_on="other"`.
    saturation_uv : float, optional
        As for `add_to`.
    provenance : dict, optional
        Where host, donor and training recording come from, kept in the facts.

    Returns
    -------
    GroundTruth
        In the units and of the type of the host; not exhaustive. The table of units says for each
        the noise of the host where the unit is largest, `noise_uv` (median absolute deviation over
        0.6745, above 300 Hz), and the peak over it, `snr`.

    Raises
    ------
    ValueError
        The recordings do not go together, the host is too short to estimate its motion, or units
        cannot be had as asked for.
    FileNotFoundError
        There is no such folder of motion.
    """
    training = _training_recording(train_on, host, other_recording)
    contacts, frequency = host.get_channel_locations(), host.get_sampling_frequency()
    number = units["number"]
    places = draw_places(contacts, number, units.get("depth_um"), derive_seed(seed, "places"))
    shapes = (contacts, frequency, number, units.get("width_ms"), derive_seed(seed, "templates"))
    placing = generator_placing(*shapes) if stock is None else stock_placing(stock, *shapes)
    injected = make_units(
        host,
        placing,
        places,
        units["peak_uv"],
        units["firing_rate_hz"],
        derive_seed(seed),
        motion=_motion(motion, host, derive_seed(seed, "motion")),
    )
    spikes = injected.spikes(host)
    recording = add_to(host, spikes, saturation_uv)
    largest = np.abs(injected.templates.templates_array).max(axis=1).argmax(axis=1)
    noise = _noise_uv(host, derive_seed(seed, "levels"))[largest]
    return GroundTruth(
        recording=recording,
        training_recording=training,
        sorting=injected.sorting,
        templates=injected.templates,
        units=injected.units.assign(noise_uv=noise, snr=injected.units["peak_uv"] / noise),
        variation=injected.variation,
        displaced=injected.displaced,
        noise={_NOISE: remainder(recording, spikes)},
        facts={
            "kind": "hybrid",
            "exhaustive": False,
            "seed": seed,
            "remainder": _NOISE,
            "train_on": train_on,
            "motion": str(motion),
            "clipped_samples": count_clipped(host, spikes, saturation_uv),
            **(provenance or {}),
            "versions": {"spikeinterface": version("spikeinterface")},
        },
    )


def _training_recording(
    train_on: str, host: si.BaseRecording, other: si.BaseRecording | None
) -> si.BaseRecording | None:
    if train_on == "hybrid":
        return None
    if train_on == "host":
        return host
    if train_on != "other":
        raise ValueError(f"train_on is {train_on!r}, not one of hybrid, host, other")
    if other is None:
        raise ValueError("train_on is 'other', but no other recording is given to train on")
    if not np.array_equal(other.channel_ids, host.channel_ids) or not np.allclose(
        other.get_channel_locations(), host.get_channel_locations()
    ):
        raise ValueError("the recording to train on has other channels or contacts than the host")
    return other


def _motion(motion: str | Path, host: si.BaseRecording, seed: int) -> Motion | None:
    if motion == "none":
        return None
    if motion == "estimate":
        estimated = _estimate_motion(host, seed)
    elif Path(motion).is_dir():
        estimated = EstimatedMotion.load(motion)
    else:
        raise FileNotFoundError(f"no folder of motion at {motion}")
    if estimated.num_segments != host.get_num_segments():
        raise ValueError(
            f"the motion has {estimated.num_segments} segments, the host {host.get_num_segments()}"
        )

    def displacement(times: np.ndarray, places: np.ndarray, segment: int) -> np.ndarray:
        # Times of a motion are those of the recording that it was estimated on.
        started = host.get_start_time(segment) + times
        moved = estimated.get_displacement_at_time_and_depth(
            started, places[:, estimated.dim], segment_index=segment
        )
        return np.asarray(moved)

    return displacement


def _estimate_motion(host: si.BaseRecording, seed: int) -> EstimatedMotion:
    if host.get_total_duration() < _SHORTEST_FOR_MOTION_S:
        raise ValueError(
            f"the host lasts {host.get_total_duration():g} s, too little to estimate its motion, "
            f"which takes {_SHORTEST_FOR_MOTION_S:g} s: say motion none, or give a folder"
        )
    if host.get_property("inter_sample_shift") is not None:
        host = phase_shift(host)
    filtered = common_reference(bandpass_filter(host, freq_min=300.0, freq_max=6000.0))
    # Kept as a property of the recording, where the estimate finds them: its own have no seed.
    si.get_noise_levels(
        filtered,
        return_in_uV=False,
        random_slices_kwargs={"seed": seed},
        progress_bar=False,
    )
    return compute_motion(filtered, preset="dredge_fast", n_jobs=1, progress_bar=False)


def _noise_uv(host: si.BaseRecording, seed: int) -> np.ndarray:
    """Noise of each channel of the host above 300 Hz, µV, from at most 20 excerpts of 0.5 s."""
    frames = min(host.get_num_samples(0), round(0.5 * host.get_sampling_frequency()))
    levels = si.get_noise_levels(
        highpass_filter(host, freq_min=_SNR_HIGHPASS_HZ, dtype="float32"),
        return_in_uV=True,
        random_slices_kwargs={"chunk_size": frames, "num_chunks_per_segment": 20, "seed": seed},
        progress_bar=False,
    )
    return np.asarray(levels)
