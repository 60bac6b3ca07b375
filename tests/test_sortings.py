"""Sorters run on a recording: what they find, how they fail, and that both are told."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import spikeinterface as si
from spikeinterface.comparison import compare_sorter_to_ground_truth
from spikeinterface.sorters import sorter_dict

from ephys_deepinterpolation.files import DamagedResultError, DiskFullError
from ephys_deepinterpolation.sortings import (
    SorterSettings,
    SortingRun,
    read_run,
    read_sorting,
    running,
    sort,
)
from ephys_deepinterpolation.sortings.processes import Ended
from example_ground_truth import contents, synthetic
from fixtures import recording_of

INTERNAL = {
    "mountainsort5": {},
    "simple": {},
    "spykingcircus2": {"apply_motion_correction": False, "job_kwargs": {"n_jobs": 1}},
}
SORTERS = pytest.mark.parametrize("sorter", list(INTERNAL))
EXAMPLE = Path(__file__).with_name("example_sorter.py")


@pytest.fixture(scope="module")
def silence():
    """Two seconds of zeros, in memory."""
    return recording_of(np.zeros((60_000, 4), np.float32), frequency=30_000.0)


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Makes the toy sorter known to the processes of sorters."""
    folder = tmp_path / "modules"
    folder.mkdir()
    shutil.copy(EXAMPLE, folder / "sitecustomize.py")
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
    return "toy"


@pytest.fixture
def target(tmp_path):
    return tmp_path / "sortings" / "run"


def written(folder):
    return si.load(folder / "sorting")


def trains(folder):
    sorting = written(folder)
    return {str(unit): sorting.get_unit_spike_train(unit).tolist() for unit in sorting.unit_ids}


def assert_nothing_found(folder, recording):
    assert len(written(folder).unit_ids) == 0
    assert written(folder).get_sampling_frequency() == recording.get_sampling_frequency()
    assert {path.name for path in folder.iterdir()} == {".sizes.json", "run.json", "sorting"}
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_sorting_is_written_as_it_was_found_without_units_that_have_no_spike(
    toy, silence, target
):
    run = sort(silence, SorterSettings(toy, parameters={"threshold": 6.0}), 1, target)
    assert trains(target) == {"a": [10, 500], "b": [70]}
    assert (run.sorter, run.version, run.mode) == ("toy", "3.1", "default")
    assert (run.status, run.error) == ("ok", "")
    assert run.parameters == {"threshold": 6.0}
    assert (run.deterministic, run.device, run.seed, run.threads) == (False, "cpu", 1, 1)
    assert run.seconds > 0
    assert 30 < run.peak_memory_mb < 4000
    assert read_run(target) == run
    assert isinstance(read_run(target), SortingRun)
    assert {path.name for path in target.iterdir()} == {".sizes.json", "run.json", "sorting"}


def test_a_sorter_has_the_traces_the_threads_and_the_seed_that_it_is_given(toy, tmp_path):
    traces = np.zeros((60_000, 4), np.float32)
    traces[100] = 700.0
    recording = recording_of(traces, frequency=30_000.0)
    settings = SorterSettings(toy, parameters={"does": "tell"}, threads=3)
    sort(recording, settings, 1, tmp_path / "one")
    sort(recording, settings, 2, tmp_path / "other")
    one, other = trains(tmp_path / "one"), trains(tmp_path / "other")
    assert one["threads"] == [3]
    assert one["largest"] == [700]
    assert one["draws"] != other["draws"]


@pytest.mark.parametrize(
    ("does", "status", "error"),
    [
        ("raise", "failed", "threshold is negative"),
        ("crash", "failed", "killed by signal 11 (SIGSEGV)"),
        ("take too much", "out_of_memory", "MemoryError: Unable to allocate 9 PiB"),
        ("be killed", "out_of_memory", "killed by signal 9 (SIGKILL)"),
    ],
)
def test_a_run_that_goes_wrong_is_a_row_with_its_reason(toy, silence, target, does, status, error):
    run = sort(silence, SorterSettings(toy, parameters={"does": does}), 1, target)
    assert run.status == status
    assert run.error.startswith(error)
    assert read_run(target) == run
    assert_nothing_found(target, silence)


@pytest.mark.parametrize(
    ("limits", "status", "error"),
    [
        ({"timeout_s": 0.3}, "timeout", "still running after 0.3 s"),
        ({"memory_mb": 20}, "out_of_memory", "took more than 20 MB"),
    ],
)
def test_a_real_sorter_beyond_a_limit_is_ended_and_says_which(
    silence, target, limits, status, error
):
    run = sort(silence, SorterSettings("mountainsort5", **limits), 1, target)
    assert (run.status, run.error) == (status, error)
    assert (run.version, run.device, run.deterministic) == ("", "", True)
    assert_nothing_found(target, silence)


def other_interpreter(folder):
    """A command that is this interpreter under another name."""
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return str(python)


def test_nothing_is_found_in_silence_by_another_interpreter(silence, target, tmp_path):
    run = sort(
        silence, SorterSettings("mountainsort5"), 1, target, python=other_interpreter(tmp_path)
    )
    assert run.status in ("empty", "failed")
    assert (run.error == "") == (run.status == "empty")
    assert run.parameters == {"whitening_seed": 1}
    assert_nothing_found(target, silence)


def test_a_bad_value_of_a_real_sorters_parameter_fails_with_its_reason(silence, target):
    settings = SorterSettings("mountainsort5", parameters={"scheme": "9", "whitening_seed": 5})
    run = sort(silence, settings, 1, target)
    assert run.status == "failed"
    assert run.error.startswith("ValueError: Invalid scheme: 9")
    assert str(target.parent) not in run.error
    assert run.parameters["whitening_seed"] == 5


@pytest.mark.parametrize(
    ("sorter", "error"),
    [("yass", "the sorter yass is not installed"), ("yas", "SpikeInterface has no sorter yas")],
)
def test_a_sorter_that_is_not_there_is_a_failed_run_that_says_so(silence, target, sorter, error):
    if sorter == "yass" and sorter_dict["yass"].is_installed():
        pytest.skip("yass is installed")
    run = sort(silence, SorterSettings(sorter), 1, target)
    assert (run.status, run.version, run.error) == ("failed", "", error)


def test_a_full_disk_is_no_failure_of_the_sorters(toy, silence, target):
    with pytest.raises(DiskFullError, match=f"{target} were written"):
        sort(silence, SorterSettings(toy, parameters={"does": "fill the disk"}), 1, target)
    assert not target.exists()


def test_a_sorter_that_dies_while_the_disk_is_full_has_not_failed(
    toy, silence, target, monkeypatch
):
    full = SimpleNamespace(free=4096)
    monkeypatch.setattr(running.shutil, "disk_usage", lambda place: full)
    with pytest.raises(DiskFullError, match=r"0\.0 MB are free"):
        sort(silence, SorterSettings(toy, parameters={"does": "crash"}), 1, target)


def test_a_sorting_that_was_cut_off_is_not_read(toy, silence, target):
    sort(silence, SorterSettings(toy), 1, target)
    spikes = target / "sorting/spikes.npy"
    spikes.write_bytes(spikes.read_bytes()[:-1])
    for read in (read_run, read_sorting):
        with pytest.raises(DamagedResultError, match=rf"delete {target} and give"):
            read(target)


def test_an_interrupted_run_leaves_the_run_before_it(silence, target, monkeypatch):
    sort(silence, SorterSettings("mountainsort5", timeout_s=0.1), 1, target)
    before = contents(target.parent)

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "run_limited", interrupt)
    with pytest.raises(KeyboardInterrupt):
        sort(silence, SorterSettings("mountainsort5"), 1, target)
    assert contents(target.parent) == before


@pytest.mark.parametrize(
    "error", ["CUDA out of memory. Tried", "DefaultCPUAllocator: can't allocate memory"]
)
def test_the_words_of_torch_for_too_little_memory_are_understood(
    silence, target, monkeypatch, error
):
    def end(command, *_, **__):
        result = {"error": error, "version": "1", "device": "cuda", "seconds": 1.0}
        (Path(command[-1]) / "result.json").write_text(json.dumps(result))
        return Ended("ended", 0, 2.0, 100.0)

    monkeypatch.setattr(running, "run_limited", end)
    run = sort(silence, SorterSettings("spykingcircus2"), 1, target)
    assert (run.status, run.error, run.seconds) == ("out_of_memory", error, 1.0)
    assert not run.deterministic


def test_a_sorter_that_was_done_when_its_time_was_over_is_done(silence, target, monkeypatch):
    def end(command, *_, **__):
        result = {"error": "no spikes", "version": "1", "device": "cpu", "seconds": 1.0}
        (Path(command[-1]) / "result.json").write_text(json.dumps(result))
        return Ended("timeout", None, 2.0, 100.0)

    monkeypatch.setattr(running, "run_limited", end)
    run = sort(silence, SorterSettings("simple", timeout_s=2.0), 1, target)
    assert (run.status, run.error, run.seconds) == ("failed", "no spikes", 1.0)


ENGINE = '''
import json, os, subprocess, sys
from pathlib import Path
import spikeinterface.sorters.runsorter as runsorter

class Engine:
    """Notes what a container engine would be asked, and runs the sorter's script right here."""

    def __init__(self, mode, image, volumes, *_):
        self.asked = [mode, image, sorted(volumes)]

    def start(self):
        Path(os.environ["ASKED"]).write_text(json.dumps(self.asked))

    def stop(self):
        pass

    def run_command(self, command):
        if command[-1].endswith("in_container_sorter_script.py"):
            done = subprocess.run([sys.executable, command[-1]], capture_output=True, text=True)
            return done.stdout + done.stderr
        return ""

runsorter.ContainerClient = Engine
for name in ("has_docker", "has_docker_python", "has_singularity", "has_spython", "has_nvidia"):
    setattr(runsorter, name, lambda: True)
'''


@pytest.mark.parametrize("engine", ["docker", "singularity"])
def test_a_container_is_asked_to_run_the_sorter_and_its_sorting_comes_back(
    toy, silence, target, tmp_path, monkeypatch, engine
):
    with (tmp_path / "modules/sitecustomize.py").open("a") as file:
        file.write(ENGINE)
    monkeypatch.setenv("ASKED", str(tmp_path / "asked.json"))
    settings = SorterSettings(toy, container="somebody/toy:1.2", engine=engine)
    run = sort(silence, settings, 1, target)
    assert (run.status, run.error, run.version) == ("ok", "", "somebody/toy:1.2")
    assert trains(target) == {"a": [10, 500], "b": [70]}
    mode, image, mounted = json.loads((tmp_path / "asked.json").read_text())
    assert (mode, image) == (engine, "somebody/toy:1.2")
    assert all(str(target.parent) in place for place in mounted)


def test_a_container_that_was_left_running_is_removed(silence, target, tmp_path, monkeypatch):
    """A container is no child of the process that asks for it; `docker` is a note-taker here."""
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n[ "$1" = ps ] && echo f00d\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    settings = SorterSettings("kilosort2_5", container="somebody/kilosort:1", timeout_s=0.1)
    assert sort(silence, settings, 1, target).status == "timeout"
    listed, removed = (tmp_path / "asked").read_text().splitlines()
    assert f"volume={target.parent}" in listed
    assert removed == "rm --force f00d"


def an_engine():
    """The container engine of this machine that answers."""
    for engine in ("docker", "singularity"):
        asked = [engine, "info"] if engine == "docker" else [engine, "--version"]
        if shutil.which(engine) and subprocess.run(asked, capture_output=True).returncode == 0:
            return engine
    return None


@pytest.mark.slow
def test_a_real_container_runs_a_sorter(truth, target):
    if (engine := an_engine()) is None:
        pytest.skip("no container engine on this machine")
    image = "spikeinterface/mountainsort5-base"
    settings = SorterSettings("mountainsort5", container=image, engine=engine, timeout_s=1200)
    assert sort(truth.recording, settings, 1, target).status == "ok"


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    """Ten seconds of four large units in little noise."""
    truth = synthetic(
        duration_s=10.0,
        units={"number": 4, "peak_uv": [150.0, 300.0], "firing_rate_hz": [10.0, 15.0]},
        noise={"independent": {"level_uv": 8.0}},
    )
    truth.save(tmp_path_factory.mktemp("truth") / "truth")
    return truth


@pytest.fixture(scope="module")
def twice(truth, tmp_path_factory):
    """The folders of two runs of each sorter with the same seed."""
    folder = tmp_path_factory.mktemp("sortings")
    for sorter, parameters in INTERNAL.items():
        for name in ("1", "2"):
            settings = SorterSettings(sorter, parameters=parameters)
            sort(truth.recording, settings, 7, folder / name / sorter)
    return folder / "1", folder / "2"


@pytest.mark.slow
@SORTERS
def test_a_sorter_finds_large_units_in_little_noise(truth, twice, sorter):
    run = read_run(twice[0] / sorter)
    assert (run.status, run.error) == ("ok", "")
    large = truth.sorting.select_units(truth.sorting.unit_ids[:4])
    comparison = compare_sorter_to_ground_truth(large, written(twice[0] / sorter))
    assert comparison.get_performance()["accuracy"].astype(float).median() > 0.8


@pytest.mark.slow
@SORTERS
def test_a_sorter_said_to_be_deterministic_finds_the_same_spikes_again(twice, sorter):
    assert read_run(twice[0] / sorter).deterministic
    one, two = (written(folder / sorter) for folder in twice)
    assert one.unit_ids.tolist() == two.unit_ids.tolist()
    np.testing.assert_array_equal(one.to_spike_vector(), two.to_spike_vector())


@pytest.mark.slow
@SORTERS
def test_a_run_tells_its_version_parameters_seed_time_and_memory(twice, sorter):
    run = read_run(twice[0] / sorter)
    assert run.sorter == sorter
    assert run.version == str(sorter_dict[sorter].get_sorter_version())
    assert INTERNAL[sorter].items() <= run.parameters.items()
    assert 7 in run.parameters.values()
    assert 0.1 < run.seconds < 300
    assert 50 < run.peak_memory_mb < 8000
