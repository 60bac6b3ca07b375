"""Simulate a recording with MEArec (Buccino & Einevoll 2021, 10.1007/s12021-020-09467-7).

Run by the interpreter of the MEArec environment, which does not hold this project's package:

    python simulate_recording.py PARAMETERS SEED TEMPLATES OUTPUT

PARAMETERS is a JSON text of the keys `sampling_frequency_hz`, `duration_s`, `units`,
`amplitude_deviation`, `refractory_period_ms`, `bursts`, `drift` and `noise`. TEMPLATES is a MEArec
file of templates. OUTPUT is a MEArec file of an unfiltered recording in µV with one more dataset,
`noise_free`: the spikes alone; its templates are means over the sub-frame shifts. The same
parameters and seed give the same bytes.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import h5py
import MEArec
import MEAutility
import neo
import numpy as np
from MEArec.generators.recgensteps import (
    chunk_distance_correlated_noise_,
    chunk_uncorrelated_noise_,
)
from MEArec.tools import save_recording_to_file

_CHUNK_S = 2.0
# MEArec holds a whole recording: a long one is simulated in pieces, with no spike near a seam.
_PIECE_S = 60.0
_GUARD_S = 0.02
_SEAM_S = 0.02
_SEEDS = ("spiketrains", "templates", "convolution", "noise")


def main(parameters, seed, templates, output):
    """Simulate spikes and noise apart, and write both and their sum."""
    output = output.absolute()
    states = np.random.SeedSequence(seed).generate_state(len(_SEEDS))
    seeds = {name: int(state) for name, state in zip(_SEEDS, states, strict=True)}
    generator = MEArec.load_templates(templates.absolute())
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}~") as folder:
        os.chdir(folder)
        settings = recording_parameters(parameters, seeds)
        pieces = spike_pieces(generator, settings)
        noise = noise_chunks(generator, settings, parameters["noise"], seeds["noise"])
        unfinished = Path(folder) / output.name
        write(pieces, noise, settings, unfinished)
        unfinished.replace(output)
        os.chdir(output.parent)


def recording_parameters(parameters, seeds):
    """Say in MEArec's words what recording is wanted; MEArec's own defaults for the rest."""
    excitatory, inhibitory = (parameters["units"][kind] for kind in ("excitatory", "inhibitory"))
    lowest, highest = parameters["units"]["peak_uv"]
    return {
        "spiketrains": {
            "n_exc": excitatory["number"],
            "f_exc": excitatory["firing_rate_hz"],
            "st_exc": excitatory["firing_rate_deviation_hz"],
            "n_inh": inhibitory["number"],
            "f_inh": inhibitory["firing_rate_hz"],
            "st_inh": inhibitory["firing_rate_deviation_hz"],
            "min_rate": 0.5,
            "ref_per": parameters["refractory_period_ms"],
            "process": "poisson",
            "t_start": 0,
            "duration": parameters["duration_s"],
        },
        "cell_types": {
            "excitatory": ["PC", "SS", "SP"],
            "inhibitory": ["AC", "BP", "BC", "BTC", "ChC", "DBC", "MC", "NGC"],
        },
        "templates": {
            "min_dist": parameters["units"]["minimum_distance_um"],
            "min_amp": lowest,
            "max_amp": highest,
            "n_jitters": 10,
            "upsample": 8,
            "pad_len": [3, 3],
        },
        "recordings": {
            "fs": parameters["sampling_frequency_hz"],
            "dtype": "float32",
            "chunk_duration": _CHUNK_S,
            "filter": False,
            "modulation": "template",
            "sdrand": parameters["amplitude_deviation"],
            **burst_parameters(parameters["bursts"]),
            **drift_parameters(parameters["drift"]),
            **noise_parameters(parameters["noise"]),
        },
        "seeds": seeds,
    }


def burst_parameters(bursts):
    """Say how spikes that follow others shrink: an amplitude, not more spikes."""
    if bursts is None:
        return {"bursting": False}
    return {
        "bursting": True,
        "n_bursting": None,
        "exp_decay": bursts["exponent"],
        "n_burst_spikes": bursts["spikes"],
        "max_burst_duration": bursts["duration_ms"],
    }


def drift_parameters(drift):
    """Say how the units move along the probe."""
    if drift is None:
        return {"drifting": False}
    shortest, longest = drift["jump_um"]
    return {
        "drifting": True,
        "n_drifting": None,
        "preferred_dir": [0, 0, 1],
        "angle_tol": 15,
        "drift_fs": 100,
        "t_start_drift": 0,
        "t_end_drift": None,
        "drift_mode_speed": {"slow": "slow", "jumps": "fast"}[drift["mode"]],
        "drift_mode_probe": "rigid" if drift["least_factor"] == 1 else "non-rigid",
        "non_rigid_gradient_mode": "linear",
        "non_rigid_linear_direction": 1,
        "non_rigid_linear_min_factor": drift["least_factor"],
        "non_rigid_step_depth_boundary": None,
        "non_rigid_step_factors": None,
        "slow_drift_velocity": drift["velocity_um_per_min"],
        "slow_drift_amplitude": drift["amplitude_um"],
        "slow_drift_waveform": "triangluar",
        "fast_drift_period": drift["period_s"],
        "fast_drift_min_jump": shortest,
        "fast_drift_max_jump": longest,
    }


def noise_parameters(noise):
    """Say what the noise is."""
    colour, far = noise["colour"], noise["far_neurons"]
    return {
        "noise_level": noise["level_uv"],
        "noise_mode": noise["mode"],
        "noise_half_distance": noise["half_distance_um"],
        "noise_color": colour is not None,
        **(
            {}
            if colour is None
            else {
                "color_peak": colour["peak_hz"],
                "color_q": colour["quality"],
                "color_noise_floor": colour["floor"],
            }
        ),
        "far_neurons_n": far["number"],
        "far_neurons_max_amp": far["highest_peak_uv"],
        "far_neurons_noise_floor": far["floor"],
        "far_neurons_exc_inh_ratio": far["excitatory_share"],
    }


def simulate(templates, settings, noise_level_uv, spikes, folder):
    """Run MEArec's own generator; its traces lie in files of a folder."""
    settings = {name: dict(section) for name, section in settings.items()}
    settings["recordings"]["noise_level"] = noise_level_uv
    generator = MEArec.RecordingGenerator(spikes, templates, settings)
    try:
        generator.generate_recordings(
            tmp_mode="memmap", tmp_folder=folder.absolute(), verbose=False
        )
    except RuntimeError as error:
        sys.exit(
            f"MEArec finds too few templates that fit (its words: {error}): ask for more of them "
            "per cell, for fewer units or far neurons, for a shorter minimum distance, or for a "
            "wider range of peaks"
        )
    return generator


def spike_pieces(templates, settings):
    """Simulate the spikes alone, piece after piece; those that drift in one piece.

    Yields
    ------
    neo.SpikeTrain list, RecordingGenerator
        Spikes from the start of the piece on, and what MEArec made of them.
    """
    duration = settings["spiketrains"]["duration"]
    seeds = settings["seeds"]
    whole = MEArec.gen_spiketrains(settings["spiketrains"], seed=seeds["spiketrains"]).spiketrains
    length = duration if settings["recordings"]["drifting"] else _PIECE_S
    starts = np.arange(0, duration, length)
    states = np.random.SeedSequence(seeds["convolution"]).generate_state(len(starts))
    for start, state in zip(starts, states, strict=True):
        end = min(start + length, duration)
        trains = [spikes_between(train, start, end, duration) for train in whole]
        custom = MEArec.SpikeTrainGenerator(params={"custom": True}, spiketrains=trains)
        own = settings | {"seeds": seeds | {"convolution": int(state)}}
        with tempfile.TemporaryDirectory(dir=".") as folder:
            yield trains, simulate(templates, own, 0.0, custom, Path(folder))


def spikes_between(train, start, end, duration):
    """Cut spikes out of a train, those away from a seam, and count time from the cut."""
    times = train.times.rescale("s").magnitude
    first = start + _GUARD_S if start > 0 else 0
    last = end - _GUARD_S if end < duration else duration
    inside = times[(times >= first) & (times < last)] - start
    return neo.SpikeTrain(inside, units="s", t_stop=end - start, **train.annotations)


def noise_chunks(templates, settings, noise, seed):
    """Yield the noise in µV, (frames, channels), chunk after chunk.

    MEArec seeds each chunk with one of a thousand numbers, so that in a long recording the same
    noise comes again and again. Its functions are therefore called chunk by chunk here, each with
    a seed of its own, and blended at the seams: a coloured noise would jump there.
    """
    frequency = settings["recordings"]["fs"]
    frames = int(settings["spiketrains"]["duration"] * frequency)
    starts = range(0, frames, int(_CHUNK_S * frequency))
    if noise["level_uv"] == 0:
        channels = len(MEAutility.return_mea(info=templates.info["electrodes"]).positions)
        for start in starts:
            yield np.zeros((min(starts.step, frames - start), channels), "float32")
        return
    if noise["mode"] == "far-neurons":
        whole = far_neurons(templates, settings, noise)
        for start in starts:
            yield whole[start : start + starts.step]
        return
    seam = int(_SEAM_S * frequency)
    angle = (np.arange(seam) + 0.5)[:, None] / seam * np.pi / 2
    chunk_seeds = np.random.SeedSequence(seed).generate_state(len(starts))
    last = None
    for start, chunk_seed in zip(starts, chunk_seeds, strict=True):
        chunk = one_chunk(templates, settings, noise, starts.step + seam, int(chunk_seed))
        if last is not None:
            chunk[:seam] = np.sin(angle) * chunk[:seam] + np.cos(angle) * last
        last = chunk[-seam:].copy()
        yield chunk[: min(starts.step, frames - start)]


def one_chunk(templates, settings, noise, frames, seed):
    """Draw Gaussian noise of one of MEArec's modes."""
    positions = MEAutility.return_mea(info=templates.info["electrodes"]).positions
    recordings = settings["recordings"]
    colour = (recordings.get(key) for key in ("color_peak", "color_q", "color_noise_floor"))
    which = (0, 0, frames, recordings["fs"], None)
    common = (recordings["noise_color"], *colour, "float32", [seed])
    if noise["mode"] == "uncorrelated":
        drawn = chunk_uncorrelated_noise_(*which, len(positions), noise["level_uv"], *common)
    else:
        covariance = distance_covariance(positions, noise["half_distance_um"])
        drawn = chunk_distance_correlated_noise_(
            *which, noise["level_uv"], covariance, len(positions), *common
        )
    return drawn["additive_noise"]


def distance_covariance(positions, half_distance_um):
    """Half at the half distance and falling off inversely: what MEArec asks its noise for."""
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    np.fill_diagonal(distances, half_distance_um / 2)
    return half_distance_um / 2 / distances


def far_neurons(templates, settings, noise):
    """Simulate many small neurons and nothing else."""
    settings = settings | {"recordings": settings["recordings"] | {"drifting": False}}
    nobody = MEArec.SpikeTrainGenerator(params={"custom": True}, spiketrains=[])
    return simulate(templates, settings, noise["level_uv"], nobody, Path.cwd()).recordings


def write(pieces, noise, settings, path):
    """Write MEArec's file, its traces chunk by chunk."""
    duration = settings["spiketrains"]["duration"]
    frames = int(duration * settings["recordings"]["fs"])
    first, whole, start = None, [], 0
    with h5py.File(path, "w") as file:
        file.attrs["mearec_version"] = MEArec.__version__
        for trains, piece in pieces:
            noise_free = piece.recordings
            if first is None:
                first = piece
                whole = [[] for _ in trains]
                first.templates = mean_templates(piece)
                shape = (frames, noise_free.shape[1])
                alone = file.create_dataset("noise_free", shape, "float32")
                together = file.create_dataset("recordings", shape, "float32")
                together.attrs["gain_to_uV"] = 1.0
            for times, train in zip(whole, trains, strict=True):
                offset = start / settings["recordings"]["fs"]
                times.append(train.times.rescale("s").magnitude + offset)
            done = 0
            while done < len(noise_free):
                chunk = next(noise)
                here = slice(start, start + len(chunk))
                alone[here] = noise_free[done : done + len(chunk)]
                together[here] = alone[here] + chunk
                start, done = here.stop, done + len(chunk)
            # Of the first piece all but its traces is kept; time stamps say nothing.
            piece.recordings, piece.timestamps = [], []
        first.spiketrains = [
            neo.SpikeTrain(np.concatenate(times), units="s", t_stop=duration, **train.annotations)
            for times, train in zip(whole, first.spiketrains, strict=True)
        ]
        first.info["recordings"].update(settings["recordings"])
        save_recording_to_file(first, file, include_spike_traces=False)


def mean_templates(spikes):
    """Average over sub-frame shifts: templates (units, drift steps, channels, frames)."""
    stored = spikes.templates
    units, channels, frames = len(spikes.spiketrains), *stored.shape[-2:]
    places = spikes.template_locations
    steps = places.shape[1] if places.ndim == 3 else 1
    # MEArec drops axes of length 1; memory is that of one unit, the rest stays on disk.
    apart = stored.reshape(units, steps, -1, channels, frames)
    return np.stack([own.mean(axis=1, dtype=np.float32) for own in apart])


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
