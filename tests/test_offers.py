"""Denoisers and sorters that other packages offer."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from spikeinterface.preprocessing.pipeline import pp_names_to_functions
from spikeinterface.sorters import sorter_dict

from ephys_deepinterpolation.conditions import apply_condition, load_condition, save_condition
from ephys_deepinterpolation.configuration import ConfigurationError, read_study
from ephys_deepinterpolation.offers import DENOISERS, SORTERS, offering_packages, offers
from fixtures import noise_recording

PROJECT = Path(__file__).parents[1]
HALVING = """
from spikeinterface.preprocessing import scale

def halve(recording, times: int = 1):
    return scale(recording, gain=0.5**times)
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a package where Python finds it, as pip does."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(PROJECT)

    def installed(package, name, code=HALVING, offered="halve", group=DENOISERS):
        module = package.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(code)
        metadata = tmp_path / f"{module}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
        )
        (metadata / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}:{offered}\n")
        offers.cache_clear()

    before = [(known, dict(known)) for known in (pp_names_to_functions, sorter_dict)]
    yield installed
    for known, entries in before:
        known.clear()
        known.update(entries)
    offers.cache_clear()


def study_with(**step):
    config = yaml.safe_load((PROJECT / "config/config.yaml").read_text())
    config["conditions"]["di"] = [step]
    return read_study(config, PROJECT / "workflow/schemas")


def problem_of(**step):
    with pytest.raises(ConfigurationError) as caught:
        study_with(**step)
    (problem,) = (each for each in caught.value.problems if "conditions.di[0]" in each)
    return problem


def test_a_condition_names_the_step_of_an_installed_package(install, tmp_path):
    install("halving-one", "halve")
    pipeline = study_with(name="halve", params={"times": 2}).pipelines["di"]
    recording = noise_recording(500, seed=1)
    output = apply_condition(recording, pipeline)
    np.testing.assert_allclose(output.get_traces(), recording.get_traces() / 4, rtol=1e-6)
    assert offering_packages(pipeline) == ["halving-one 1.0"]
    # Kept as traces: whoever reads them needs no such package.
    save_condition(output, {"pipeline": pipeline, "denoised": False}, tmp_path / "condition")
    assert (tmp_path / "condition/recording").is_dir()
    np.testing.assert_array_equal(
        load_condition(tmp_path / "condition")[0].get_traces(), output.get_traces()
    )


def test_what_no_configuration_names_is_not_imported(install):
    install("broken-one", "broken", code="raise SystemError('imported')")
    assert study_with(name="identity").pipelines["di"] == [{"name": "identity", "params": {}}]


def test_an_argument_that_the_step_does_not_take_is_named(install):
    install("halving-two", "halve")
    assert 'did you mean "times"' in problem_of(name="halve", params={"tines": 2})


def test_a_step_that_nobody_offers_is_told_beside_those_that_are(install):
    install("halving-three", "halve")
    assert 'did you mean "halve"' in problem_of(name="halv")


@pytest.mark.parametrize(
    ("packages", "step", "expected"),
    [
        (["broken-two"], "break", ["broken-two 1.0", "ZeroDivisionError", "cannot be imported"]),
        (["first", "second"], "halve", ["first 1.0 and second 1.0 both offer"]),
        (["greedy"], "bandpass_filter", ["there without greedy 1.0"]),
        (["greedy"], "boxcar", ["there without greedy 1.0"]),
    ],
)
def test_a_step_that_cannot_be_used_is_one_sentence(install, packages, step, expected):
    for package in packages:
        install(package, step, code="1 / 0" if package.startswith("broken") else HALVING)
    problem = problem_of(name=step)
    assert problem.startswith(f'the configuration: conditions.di[0].name: found "{step}"')
    assert all(text in problem for text in expected)


SORTER = """
from spikeinterface.sorters.basesorter import BaseSorter

class Sorter(BaseSorter):
    sorter_name = "nothing"
    _default_params = {"threshold": 5.0}
"""


def sorter_problems(**entry):
    config = yaml.safe_load((PROJECT / "config/config.yaml").read_text())
    config["sorters"]["mine"] = entry
    try:
        read_study(config, PROJECT / "workflow/schemas")
    except ConfigurationError as error:
        return error.problems
    return ()


def test_a_study_names_the_sorter_of_an_installed_package(install):
    install("sorting-one", "nothing", SORTER, "Sorter", SORTERS)
    assert sorter_problems(sorter="nothing", parameters={"threshold": 4.0}) == ()
    (problem,) = sorter_problems(sorter="nothing", parameters={"treshold": 4.0})
    assert 'did you mean "threshold"' in problem


@pytest.mark.parametrize(
    ("name", "code", "expected"),
    [
        ("nothing", "1 / 0", 'found "nothing", which sorting-two 1.0 offers as'),
        ("simple", SORTER, 'found "simple", which is there without sorting-two 1.0'),
        ("nought", SORTER, 'did you mean "nought"'),
    ],
)
def test_a_sorter_that_cannot_be_used_is_one_sentence(install, name, code, expected):
    install("sorting-two", name, code, "Sorter", SORTERS)
    wanted = "nougt" if "mean" in expected else name
    (problem,) = (text for text in sorter_problems(sorter=wanted) if "mine" in text)
    assert expected in problem
