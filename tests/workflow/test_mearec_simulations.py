"""What the workflow has MEArec simulate, by the interpreter of its environment.

That environment is built by `snakemake --cores 1 results/environments/mearec`; another one's
interpreter may be named by the variable MEAREC_PYTHON. Without one there is nothing to test.
"""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.signal import welch

from ephys_deepinterpolation.ground_truth.checks import measure_true_units
from ephys_deepinterpolation.ground_truth.mearec import neuropixels, read_mearec
from example_mearec import CHANNELS, write_templates

PROJECT = Path(__file__).parents[2]
SCRIPTS = PROJECT / "workflow/scripts/mearec"
PYTHON = Path(os.environ.get("MEAREC_PYTHON", PROJECT / "results/environments/mearec/bin/python"))
pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="no MEArec environment")

PROBE = neuropixels("NP2003", CHANNELS)
FREQUENCY = 30_000.0
DURATION_S = 20.0
LEVEL_UV = 7.0
FAR = {"number": 6, "highest_peak_uv": 15.0, "floor": 0.5, "excitatory_share": 0.8}
WHITE = {
    "mode": "uncorrelated",
    "level_uv": LEVEL_UV,
    "half_distance_um": 30.0,
    "colour": None,
    "far_neurons": FAR,
}
SLOW_DRIFT = {
    "mode": "slow",
    "least_factor": 1,
    "amplitude_um": None,
    "velocity_um_per_min": 480.0,
    "period_s": 10.0,
    "jump_um": [5.0, 20.0],
}
PARAMETERS = {
    "sampling_frequency_hz": FREQUENCY,
    "duration_s": DURATION_S,
    "units": {
        "excitatory": {"number": 2, "firing_rate_hz": 5.0, "firing_rate_deviation_hz": 0.0},
        "inhibitory": {"number": 2, "firing_rate_hz": 20.0, "firing_rate_deviation_hz": 0.0},
        "peak_uv": [30.0, 250.0],
        "minimum_distance_um": 10.0,
    },
    "refractory_period_ms": 4.0,
    "amplitude_deviation": 0.1,
    "bursts": None,
    "drift": None,
    "noise": WHITE,
}


def run(script, *arguments):
    return subprocess.run(
        [PYTHON, "-W", "ignore", SCRIPTS / script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def templates(tmp_path_factory):
    return write_templates(tmp_path_factory.mktemp("templates") / "templates.h5")


@pytest.fixture(scope="module")
def simulate(templates, tmp_path_factory):
    """Simulate a recording and return its path; each is made once."""
    made = {}

    def simulated(seed=1, templates=templates, **changes):
        key = json.dumps([seed, str(templates), changes], sort_keys=True)
        if key not in made:
            made[key] = tmp_path_factory.mktemp("recording") / "recording.h5"
            parameters = json.dumps(PARAMETERS | changes)
            done = run("simulate_recording.py", parameters, seed, templates, made[key])
            assert done.returncode == 0, done.stderr
        return made[key]

    return simulated


def truth_of(path):
    return read_mearec(path, probe=PROBE)


def noise_of(path):
    with h5py.File(path) as file:
        return file["recordings"][()] - file["noise_free"][()]


def lag_one(noise):
    return np.mean([np.corrcoef(channel[:-1], channel[1:])[0, 1] for channel in noise.T])


def test_spikes_are_as_many_and_as_large_as_asked(simulate):
    truth = truth_of(simulate())
    assert truth.units["peak_uv"].between(0.9 * 30.0, 1.1 * 250.0).all()
    expected = np.array([5.0, 5.0, 20.0, 20.0])
    # The refractory period takes away a share of rate x period.
    expected *= 1 - expected * PARAMETERS["refractory_period_ms"] / 1000
    spread = np.sqrt(expected * DURATION_S)
    assert (np.abs(truth.units["spikes"] - expected * DURATION_S) < 4 * spread).all()
    for unit in truth.sorting.unit_ids:
        spikes = truth.sorting.get_unit_spike_train(unit)
        assert np.diff(spikes).min() >= 0.004 * FREQUENCY - 1


def test_spikes_are_where_the_templates_are_and_vary_as_asked(simulate):
    truth = truth_of(simulate())
    traces = truth.noise_free.get_traces()
    for unit, template in zip(truth.sorting.unit_ids, truth.templates.templates_array, strict=True):
        spikes = truth.sorting.get_unit_spike_train(unit)
        spikes = spikes[(spikes > 300) & (spikes < len(traces) - 300)]
        peak = np.unravel_index(np.abs(template).argmax(), template.shape)
        values = traces[spikes + peak[0] - truth.templates.nbefore, peak[1]] / template[peak]
        assert abs(np.median(values) - 1) < 5 * 0.15 / len(values) ** 0.5
        assert 0.05 < np.median(np.abs(values - np.median(values))) / 0.6745 < 0.15


def test_uncorrelated_noise_is_white_independent_and_of_the_level_asked(simulate):
    noise = noise_of(simulate())
    assert noise.std() == pytest.approx(LEVEL_UV, rel=0.01)
    correlations = np.corrcoef(noise.T)[~np.eye(CHANNELS, dtype=bool)]
    assert np.abs(correlations).max() < 5 / len(noise) ** 0.5
    assert abs(lag_one(noise)) < 5 / noise.size**0.5


def test_no_two_chunks_have_the_same_noise(simulate):
    noise = noise_of(simulate())[:, 0]
    chunks = noise[: len(noise) // 30_000 * 30_000].reshape(-1, 30_000)
    correlations = np.corrcoef(chunks)[~np.eye(len(chunks), dtype=bool)]
    assert np.abs(correlations).max() < 6 / 30_000**0.5


def test_distance_correlated_noise_is_half_shared_at_the_half_distance(simulate):
    noise = noise_of(simulate(noise=WHITE | {"mode": "distance-correlated"}))
    positions = PROBE.contact_positions
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    correlations = np.corrcoef(noise.T)
    assert correlations[np.isclose(distances, 30.0)].mean() == pytest.approx(0.5, abs=0.05)
    assert correlations[distances > 80].mean() < 0.25
    assert noise.std() == pytest.approx(LEVEL_UV, rel=0.01)


def test_coloured_noise_has_its_peak_and_no_jump_between_chunks(simulate):
    colour = {"peak_hz": 300.0, "quality": 2.0, "floor": 0.0}
    noise = noise_of(simulate(noise=WHITE | {"colour": colour}))
    frequencies, density = welch(noise[:, 0], FREQUENCY, nperseg=8192)
    assert frequencies[density.argmax()] == pytest.approx(300.0, abs=30.0)
    assert noise.std() == pytest.approx(LEVEL_UV, rel=0.02)
    steps = np.abs(np.diff(noise, axis=0))
    seams = np.arange(60_000, len(noise), 60_000) - 1
    assert steps[seams].mean() == pytest.approx(steps.mean(), rel=0.3)
    around = np.concatenate([noise[seam : seam + 600] for seam in seams])
    assert around.std() == pytest.approx(LEVEL_UV, rel=0.15)


def test_far_neurons_are_noise_of_the_level_asked_with_a_memory(simulate):
    path = simulate(noise=WHITE | {"mode": "far-neurons"})
    noise = noise_of(path)
    assert noise.std(axis=0) == pytest.approx(LEVEL_UV, rel=0.01)
    assert lag_one(noise) > 0.3
    assert truth_of(path).facts["exhaustive"] is False


def test_bursts_shrink_the_spikes_that_follow_others(simulate):
    bursts = {"exponent": 0.3, "spikes": 5, "duration_ms": 100.0}
    truth = truth_of(simulate(bursts=bursts, amplitude_deviation=0.01))
    template = truth.templates.templates_array[-1]
    peak = np.unravel_index(np.abs(template).argmax(), template.shape)
    spikes = truth.sorting.get_unit_spike_train(truth.sorting.unit_ids[-1])
    values = truth.noise_free.get_traces()[spikes, peak[1]] / template[peak]
    pauses = np.diff(spikes) * 1000 / FREQUENCY
    assert np.median(values[1:][pauses < 20]) < 0.8
    assert np.median(values[1:][pauses > 100]) == pytest.approx(1.0, abs=0.1)


def test_a_slow_drift_moves_the_spikes_along_the_probe(simulate, tmp_path):
    moving = write_templates(tmp_path / "moving.h5", drift_um=40.0)
    path = simulate(templates=moving, drift=SLOW_DRIFT, amplitude_deviation=0.01)
    truth = truth_of(path)
    with h5py.File(path) as file:
        moved = file["drift_list/0/drift_vector_um"][()]
    assert np.ptp(moved) == pytest.approx(40.0, rel=0.05)
    assert np.abs(np.diff(moved)).sum() == pytest.approx(480.0 / 60 * DURATION_S, rel=0.02)
    traces, depth = truth.noise_free.get_traces(), PROBE.contact_positions[:, 1]
    spikes = truth.sorting.get_unit_spike_train(truth.sorting.unit_ids[-1])
    weights = np.abs(traces[spikes]) ** 2
    centres = weights @ depth / weights.sum(axis=1)
    where = moved[np.minimum((spikes / FREQUENCY * 100).astype(int), len(moved) - 1)]
    assert np.corrcoef(centres, where)[0, 1] > 0.8


@pytest.mark.parametrize("mode", ["distance-correlated", "far-neurons"])
def test_the_same_seed_gives_the_same_bytes(simulate, templates, tmp_path, mode):
    noise = WHITE | {"mode": mode}
    one, other = simulate(noise=noise), tmp_path / "again.h5"
    run("simulate_recording.py", json.dumps(PARAMETERS | {"noise": noise}), 1, templates, other)
    assert one.read_bytes() == other.read_bytes()
    third = simulate(seed=2, noise=noise)
    assert not np.array_equal(noise_of(one), noise_of(third))
    assert noise_of(third).std() == pytest.approx(LEVEL_UV, rel=0.01)
    assert not np.array_equal(
        truth_of(one).sorting.to_spike_vector(), truth_of(third).sorting.to_spike_vector()
    )


def test_too_few_templates_are_one_sentence_and_no_file(templates, tmp_path):
    units = PARAMETERS["units"] | {"minimum_distance_um": 500.0}
    output = tmp_path / "recording.h5"
    done = run(
        "simulate_recording.py", json.dumps(PARAMETERS | {"units": units}), 1, templates, output
    )
    assert done.returncode != 0
    assert "MEArec finds too few templates that fit" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_templates_are_simulated_as_asked_and_again_to_the_byte(tmp_path):
    parameters = {
        "probe": "NP2003",
        "channels": CHANNELS,
        "per_cell": 1,
        "minimum_peak_uv": 20.0,
        "distance_um": [10.0, 40.0],
        "drift_um": 4.0,
        "seed": 3,
    }
    for name, threads in (("one.h5", 1), ("two.h5", 2)):
        done = run("simulate_templates.py", json.dumps(parameters), tmp_path / name, threads)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"one.h5", "two.h5"}
    with h5py.File(tmp_path / "one.h5") as file:
        templates, places = file["templates"][()], file["locations"][()]
        cells = set(file["celltypes"][()])
    assert templates.shape[:3] == (13, 5, CHANNELS)
    assert len(cells) == 13
    assert (np.abs(templates[:, 0].min(axis=(1, 2))) >= 20.0).all()
    assert ((places[..., 0] >= 10.0) & (places[..., 0] <= 40.0)).all()
    assert np.diff(places[..., 2], axis=1) == pytest.approx(np.full((13, 4), 1.0))


def test_a_long_recording_made_in_pieces_is_one_recording(simulate):
    truth = truth_of(simulate(duration_s=70.0, noise=WHITE | {"level_uv": 2.0}))
    assert truth.recording.get_num_frames() == 70 * FREQUENCY
    late = truth.sorting.frame_slice(int(60 * FREQUENCY), int(70 * FREQUENCY))
    recording = truth.recording.frame_slice(int(60 * FREQUENCY), int(70 * FREQUENCY))
    assert (late.count_num_spikes_per_unit(outputs="array") > 10).all()
    after = replace(truth, recording=recording, sorting=late, noise_free=None)
    units = measure_true_units(after, seed=0)
    assert (units["average_cosine"] > 0.99).all()
    first = truth.sorting.frame_slice(0, int(10 * FREQUENCY))
    for unit in truth.sorting.unit_ids:
        assert not np.array_equal(late.get_unit_spike_train(unit), first.get_unit_spike_train(unit))
