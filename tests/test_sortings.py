"""Sorters run on a recording: what they find, how they fail, and that both are told."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import spikeinterface as si
from spikeinterface.comparison import compare_sorter_to_ground_truth
from spikeinterface.sorters import sorter_dict
from spikeinterface.sorters.basesorter import BaseSorter

from ephys_deepinterpolation.sortings import SortingRun, read_run, sort
from example_ground_truth import contents, synthetic
from fixtures import recording_of

INTERNAL = {
    "mountainsort5": {},
    "spykingcircus2": {"apply_motion_correction": False, "job_kwargs": {"n_jobs": 1}},
}
SORTERS = pytest.mark.parametrize("sorter", list(INTERNAL))
MEGABYTE = 2**20
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class ToySorter(BaseSorter):
    """What a sorter of one's own looks like to SpikeInterface; each test says what it does."""

    sorter_name = "toy"
    _default_params = {"threshold": 5.0}  # noqa: RUF012

    @classmethod
    def is_installed(cls):
        return True

    @classmethod
    def get_sorter_version(cls):
        return "3.1"

    @classmethod
    def _setup_recording(cls, recording, sorter_output_folder, params, verbose):
        pass

    @classmethod
    def _run_from_folder(cls, sorter_output_folder, params, verbose):
        cls.behave()
        sorting = si.NumpySorting.from_unit_dict(cls.trains, 30_000.0)
        sorting.save(folder=sorter_output_folder / "found", format="numpy_folder")

    @classmethod
    def _get_result_from_folder(cls, sorter_output_folder):
        return si.load(Path(sorter_output_folder) / "found")


@pytest.fixture
def toy(monkeypatch):
    """Registers the toy sorter; what it does and finds can be set on it."""

    class Toy(ToySorter):
        trains = {"a": np.array([10, 500]), "b": np.array([70])}  # noqa: RUF012
        behave = staticmethod(lambda: None)

    monkeypatch.setitem(sorter_dict, "toy", Toy)
    return Toy


@pytest.fixture(scope="module")
def silence(tmp_path_factory):
    """Two seconds of zeros; sorters want recordings on disk."""
    folder = tmp_path_factory.mktemp("silence") / "recording"
    recording_of(np.zeros((60_000, 16), np.float32), frequency=30_000.0).save(
        folder=folder, progress_bar=False
    )
    return si.load(folder)


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


RUN = """
import json, sys
import spikeinterface as si
from ephys_deepinterpolation.sortings import sort
recording = si.load(sys.argv[1])
for sorter, parameters in json.loads(sys.argv[2]).items():
    sort(recording, sorter, parameters, 7, f"{sys.argv[3]}/{sorter}")
"""


@pytest.fixture(scope="module")
def twice(truth, tmp_path_factory):
    """The folders that two processes, side by side, wrote of the same sorters and seed."""
    folder = tmp_path_factory.mktemp("sortings")
    recording = folder / "recording"
    truth.recording.save(folder=recording, progress_bar=False)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RUN, str(recording), json.dumps(INTERNAL), str(folder / name)],
            env=os.environ | {"PYTHONHASHSEED": name} | dict.fromkeys(THREADS, "1"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for name in ("1", "2")
    ]
    assert [process.wait(300) for process in processes] == [0, 0]
    return folder / "1", folder / "2"


def written(folder):
    return si.load(folder / "sorting")


@pytest.mark.slow
@SORTERS
def test_a_sorter_finds_large_units_in_little_noise(truth, twice, sorter):
    run = read_run(twice[0] / sorter)
    assert (run.status, run.error) == ("ok", "")
    large = truth.sorting.select_units(truth.sorting.unit_ids[:4])
    comparison = compare_sorter_to_ground_truth(large, written(twice[0] / sorter))
    assert comparison.get_performance()["accuracy"].astype(float).median() > 0.9


@pytest.mark.slow
@SORTERS
def test_a_sorter_said_to_be_deterministic_finds_the_same_spikes_in_another_process(twice, sorter):
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


def test_a_sorting_is_written_as_it_was_found(toy, silence, tmp_path):
    run = sort(silence, "toy", {"threshold": 6.0}, 1, tmp_path / "run")
    sorting = written(tmp_path / "run")
    assert {unit: sorting.get_unit_spike_train(unit).tolist() for unit in sorting.unit_ids} == {
        "a": [10, 500],
        "b": [70],
    }
    assert (run.sorter, run.version, run.status, run.error) == ("toy", "3.1", "ok", "")
    assert run.parameters == {"threshold": 6.0}


def test_a_sorter_not_known_to_be_deterministic_is_not_said_to_be(toy, silence, tmp_path):
    assert not sort(silence, "toy", {}, 1, tmp_path / "run").deterministic


def test_reading_a_run_is_the_inverse_of_writing_it(toy, silence, tmp_path):
    run = sort(silence, "toy", {"threshold": 6.5}, 1, tmp_path / "run")
    assert read_run(tmp_path / "run") == run
    assert isinstance(read_run(tmp_path / "run"), SortingRun)


def test_units_without_spikes_are_no_units(toy, silence, tmp_path):
    toy.trains = {"a": np.array([10]), "b": np.array([], int)}
    assert sort(silence, "toy", {}, 1, tmp_path / "run").status == "ok"
    assert written(tmp_path / "run").unit_ids.tolist() == ["a"]
    toy.trains = {"b": np.array([], int)}
    run = sort(silence, "toy", {}, 1, tmp_path / "run")
    assert (run.status, run.error) == ("empty", "")
    assert len(written(tmp_path / "run").unit_ids) == 0


def raising(exception):
    def behave():
        raise exception

    return behave


@pytest.mark.parametrize(
    ("exception", "error"),
    [
        (ValueError("threshold is negative"), "ValueError: threshold is negative"),
        (RuntimeError("first line\nlast line\n"), "last line"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_a_sorter_that_raises_is_a_failed_run_with_the_last_line_of_its_error(
    toy, silence, tmp_path, exception, error
):
    toy.behave = staticmethod(raising(exception))
    run = sort(silence, "toy", {}, 1, tmp_path / "run")
    assert (run.status, run.error) == ("failed", error)
    assert read_run(tmp_path / "run") == run
    assert len(written(tmp_path / "run").unit_ids) == 0
    assert written(tmp_path / "run").get_sampling_frequency() == silence.get_sampling_frequency()


def test_a_parameter_that_a_sorter_does_not_know_is_a_failed_run(toy, silence, tmp_path):
    run = sort(silence, "toy", {"treshold": 6.0}, 1, tmp_path / "run")
    assert (run.status, run.error) == ("failed", "Valid parameters are: dict_keys(['threshold'])")


def test_a_bad_value_of_a_real_sorters_parameter_fails_with_its_reason(silence, tmp_path):
    run = sort(silence, "mountainsort5", {"scheme": "9"}, 1, tmp_path / "run")
    assert run.status == "failed"
    assert run.error.startswith("ValueError: Invalid scheme: 9")


@SORTERS
def test_a_recording_of_ten_frames_fails_with_the_sorters_own_reason(silence, tmp_path, sorter):
    few = silence.frame_slice(0, 10)
    run = sort(few, sorter, INTERNAL[sorter], 1, tmp_path / "run")
    assert run.status == "failed"
    assert run.error.startswith("ValueError: The length of the input vector")
    assert len(written(tmp_path / "run").unit_ids) == 0


def test_the_error_names_no_file_that_is_gone(silence, tmp_path):
    run = sort(silence.frame_slice(0, 10), "mountainsort5", {}, 1, tmp_path / "run")
    assert str(tmp_path) not in run.error


def test_a_sorter_that_is_not_installed_is_a_failed_run_that_says_so(
    toy, silence, tmp_path, monkeypatch
):
    def missing():
        raise ModuleNotFoundError("No module named 'toy'")

    monkeypatch.setattr(toy, "is_installed", staticmethod(lambda: False))
    monkeypatch.setattr(toy, "get_sorter_version", staticmethod(missing))
    run = sort(silence, "toy", {}, 1, tmp_path / "run")
    assert (run.status, run.version) == ("failed", "")
    assert run.error == "the sorter toy is not installed"
    assert len(written(tmp_path / "run").unit_ids) == 0


@SORTERS
def test_nothing_is_found_in_silence(silence, tmp_path, sorter):
    """Some sorters return no unit, others stop with an error: neither invents one."""
    run = sort(silence, sorter, INTERNAL[sorter], 1, tmp_path / "run")
    assert run.status in ("empty", "failed")
    assert (run.error == "") == (run.status == "empty")
    assert len(written(tmp_path / "run").unit_ids) == 0
    assert read_run(tmp_path / "run") == run


def test_an_interrupted_run_leaves_no_folder(toy, silence, tmp_path):
    toy.behave = staticmethod(raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        sort(silence, "toy", {}, 1, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_run_leaves_the_run_before_it(toy, silence, tmp_path):
    sort(silence, "toy", {}, 1, tmp_path / "run")
    before = contents(tmp_path)
    toy.behave = staticmethod(raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        sort(silence, "toy", {}, 1, tmp_path / "run")
    assert contents(tmp_path) == before


def test_a_later_run_replaces_the_earlier_one(toy, silence, tmp_path):
    sort(silence, "toy", {}, 1, tmp_path / "run")
    toy.trains = {"c": np.array([5])}
    sort(silence, "toy", {}, 1, tmp_path / "run")
    assert written(tmp_path / "run").unit_ids.tolist() == ["c"]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("error", [None, ValueError("no")], ids=["ok", "failed"])
def test_only_the_sorting_and_its_run_are_left_of_a_sorters_files(toy, silence, tmp_path, error):
    if error is not None:
        toy.behave = staticmethod(raising(error))
    sort(silence, "toy", {}, 1, tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"run.json", "sorting"}


@SORTERS
def test_a_real_sorter_that_failed_leaves_no_file_of_its_own(silence, tmp_path, sorter):
    sort(silence.frame_slice(0, 10), sorter, INTERNAL[sorter], 1, tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"run.json", "sorting"}


def test_a_seed_in_the_parameters_comes_before_that_of_the_study(silence, tmp_path):
    few = silence.frame_slice(0, 10)
    given = sort(few, "mountainsort5", {"whitening_seed": 5}, 1, tmp_path / "given").parameters
    derived = sort(few, "mountainsort5", {}, 1, tmp_path / "derived").parameters
    assert (given["whitening_seed"], derived["whitening_seed"]) == (5, 1)


def test_the_seconds_are_those_the_sorter_took(toy, silence, tmp_path):
    toy.behave = staticmethod(lambda: time.sleep(0.5))
    assert 0.5 <= sort(silence, "toy", {}, 1, tmp_path / "run").seconds < 5.0


def test_peak_memory_is_at_least_that_of_this_process(toy, silence, tmp_path):
    resident = psutil.Process().memory_info().rss / MEGABYTE
    run = sort(silence, "toy", {}, 1, tmp_path / "run")
    assert resident * 0.98 <= run.peak_memory_mb < resident + 200


def test_memory_that_a_sorter_takes_and_gives_back_is_counted(toy, silence, tmp_path):
    def behave():
        taken = np.ones(300 * MEGABYTE, np.uint8)
        time.sleep(0.4)
        del taken

    before = psutil.Process().memory_info().rss / MEGABYTE
    toy.behave = staticmethod(behave)
    run = sort(silence, "toy", {}, 1, tmp_path / "run")
    assert run.peak_memory_mb > before + 250


def test_memory_of_the_processes_that_a_sorter_starts_is_counted(toy, silence, tmp_path):
    code = "import time; taken = bytearray(b'x') * (300 * 2**20); time.sleep(0.6)"

    before = psutil.Process().memory_info().rss / MEGABYTE
    toy.behave = staticmethod(lambda: subprocess.run([sys.executable, "-c", code], check=True))
    run = sort(silence, "toy", {}, 1, tmp_path / "run")
    assert run.peak_memory_mb > before + 250
