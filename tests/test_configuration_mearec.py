"""What the parameters of a MEArec dataset may be, and what is said of those that are wrong."""

import contextlib
import copy
from pathlib import Path

import pytest
import yaml

from ephys_deepinterpolation.configuration import ConfigurationError, read_study

REPOSITORY = Path(__file__).parents[1]
KEY = "ground_truth.simulated.simulation"
LEFT_OUT = object()


@pytest.fixture
def parameters():
    shipped = yaml.safe_load((REPOSITORY / "config/kinds.yaml").read_text())
    return shipped["ground_truth"]["kind-mearec"]


def read(parameters):
    config = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())
    config["study"]["datasets"] = {"simulated": {"kind": "mearec"}}
    config["ground_truth"]["simulated"] = parameters
    return read_study(config, REPOSITORY / "workflow/schemas", "mine.yaml")


def problems_of(parameters):
    with pytest.raises(ConfigurationError) as caught:
        read(parameters)
    return caught.value.problems


def changed(parameters, key, value):
    inner = copy.deepcopy(parameters)
    result = inner
    *parents, last = key.split(".")
    for parent in parents:
        inner = inner[parent]
    if value is LEFT_OUT:
        del inner[last]
    else:
        inner[last] = value
    return result


def test_the_shipped_one_is_valid_and_what_is_left_out_gets_its_default(parameters):
    dataset = read(parameters).datasets["simulated"]
    simulation = dataset.parameters["simulation"]
    assert simulation["templates"]["drift_um"] == 0
    assert simulation["drift"] is None
    assert simulation["noise"]["far_neurons"] == {
        "number": 300,
        "highest_peak_uv": 10.0,
        "floor": 0.5,
        "excitatory_share": 0.8,
    }


def test_a_recording_of_the_users_own_takes_the_place_of_a_simulation(tmp_path):
    path = tmp_path / "recording.h5"
    path.touch()
    assert read({"path": str(path)}).datasets["simulated"].parameters["gain_uv_per_bit"] is None


@pytest.mark.parametrize(
    ("key", "value", "fragments"),
    [
        ("simulation", LEFT_OUT, [KEY, "found nothing", "or `path` instead"]),
        ("path", str(REPOSITORY / "LICENSE"), [KEY, "not together with `path`"]),
        ("simulation.noise.mode", "pink", [f"{KEY}.noise.mode", '"pink"', "far-neurons"]),
        ("simulation.templates.probe", "NP9", [f"{KEY}.templates.probe", "part number"]),
        ("simulation.templates.channels", 9999, [f"{KEY}.templates.channels", "at most 1280"]),
        (
            "simulation.units.excitatory.number",
            5,
            [f"{KEY}.units.excitatory.number", "found 5", "at most 4", "per_cell is 1"],
        ),
        (
            "simulation.units.inhibitory.number",
            10,
            [f"{KEY}.units.inhibitory.number", "found 10", "at most 9"],
        ),
        (
            "simulation.noise.mode",
            "far-neurons",
            [f"{KEY}.templates.minimum_peak_uv", "found 30", "0 for noise of far-neurons"],
        ),
        (
            "simulation.drift",
            {"mode": "slow"},
            [f"{KEY}.templates.drift_um", "found 0", "more than 0 where units drift"],
        ),
        ("simulation.drift", {"mode": "up"}, [f"{KEY}.drift.mode", '"up"', "jumps"]),
    ],
)
def test_a_wrong_value_is_one_sentence_of_key_and_what_is_allowed(
    parameters, key, value, fragments
):
    problems = [
        problem
        for problem in problems_of(changed(parameters, key, value))
        if all(fragment in problem for fragment in fragments)
    ]
    assert len(problems) == 1
    assert problems[0].startswith("mine.yaml: ")


def test_a_drift_may_not_leave_the_templates(parameters):
    moving = changed(parameters, "simulation.templates.drift_um", 20.0)
    drift = {"mode": "slow", "amplitude_um": 21.0}
    (problem,) = problems_of(changed(moving, "simulation.drift", drift))
    assert f"{KEY}.drift.amplitude_um: found 21.0; allowed: at most drift_um, 20.0" in problem
    assert read(changed(moving, "simulation.drift", drift | {"amplitude_um": 20.0}))


def keys_in(value, key=()):
    for name, child in value.items():
        yield ".".join((*key, name))
        if isinstance(child, dict):
            yield from keys_in(child, (*key, name))


@pytest.mark.parametrize("junk", [None, {"a": {1: []}}, -1.5])
def test_nothing_put_anywhere_leads_to_another_error(parameters, junk):
    for key in keys_in(parameters):
        with contextlib.suppress(ConfigurationError):
            read(changed(parameters, key, copy.deepcopy(junk)))


def described(schema):
    for key, value in schema.get("properties", {}).items():
        yield key, value
        yield from described(value)


def test_every_key_is_described_in_the_schema_and_explained_in_the_readme():
    path = REPOSITORY / "workflow/schemas/kinds/mearec.schema.yaml"
    schema = yaml.safe_load(path.read_text())
    readme = (REPOSITORY / "config/README.md").read_text()
    section = readme.split("### Kind `mearec`")[1].split("\n##")[0]
    keys = [*described(schema), *described(schema["$defs"]["population"])]
    assert len(keys) > 40
    for key, value in keys:
        assert "description" in value or "$ref" in value, key
        assert f"`{key}`" in section or f"`{key}:" in section, key
