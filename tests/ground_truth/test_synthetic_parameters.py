"""What a configuration may say of a synthetic recording, and what the code makes of it."""

import copy
import inspect
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from ephys_deepinterpolation.configuration import ConfigurationError, read_study
from ephys_deepinterpolation.ground_truth import generate_synthetic, noise
from ephys_deepinterpolation.ground_truth.motion import Motion
from ephys_deepinterpolation.ground_truth.synthetic import Population
from ephys_deepinterpolation.ground_truth.trains import Bursts, Collisions
from example_ground_truth import EVERYTHING, PARAMETERS

REPOSITORY = Path(__file__).parents[2]
SCHEMAS = REPOSITORY / "workflow" / "schemas"


@pytest.fixture(scope="module")
def schema():
    return yaml.safe_load((SCHEMAS / "kinds" / "synthetic.schema.yaml").read_text())


def read(**changes):
    """Read a study of one synthetic recording; its parameters as the workflow gets them."""
    config = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text())
    parameters = copy.deepcopy(PARAMETERS | changes)
    del parameters["seed"]
    config["study"]["datasets"] = {"one": {"kind": "synthetic", "parameters": parameters}}
    return read_study(config, SCHEMAS).datasets["one"].parameters


def arguments(function):
    return set(inspect.signature(function).parameters) - {"like", "seed"}


def test_a_recording_takes_every_key_that_a_configuration_may_have(schema):
    assert set(schema["properties"]) == arguments(generate_synthetic)
    parts = schema["properties"]["noise"]["properties"]
    for name, part in parts.items():
        maker = getattr(noise, f"{name}_noise")
        assert set(part["properties"]) == arguments(maker), name
    population = schema["$defs"]["population"]["properties"]
    motion = schema["properties"]["drift"]["items"]["properties"]
    for keys, kind in [
        (population, Population),
        (population["bursts"]["properties"], Bursts),
        (population["collisions"]["properties"], Collisions),
        (motion, Motion),
    ]:
        assert set(keys) == {field.name for field in fields(kind)}


def names_in(schema):
    for key, value in schema.items():
        if key == "properties":
            yield from value
        if isinstance(value, dict):
            yield from names_in(value)


def test_every_key_is_explained(schema):
    text = (REPOSITORY / "config" / "README.md").read_text()
    section = text.split("### Kind `synthetic`")[1].split("\n### ")[0]
    for name in names_in(schema):
        assert f"`{name}" in section, name


def test_a_study_reads_all_that_a_recording_may_have():
    parameters = read(**EVERYTHING)
    for key, value in EVERYTHING.items():
        assert parameters[key] == value


@pytest.mark.parametrize(("probe", "channels"), [("tetrode", 4), ("linear", 500), ("planar", 64)])
def test_probes_without_a_part_number_are_known(probe, channels):
    assert read(probe=probe, channels=channels)["probe"] == probe


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"probe": "tetrode", "channels": 5}, "channels: found 5; allowed: at most 4 on tetrode"),
        ({"probe": "tetrod"}, 'did you mean "tetrode"'),
        ({"drift": [{"shape": "zigzag"}]}, r"drift\[0\].amplitude_um: found nothing"),
        ({"units": PARAMETERS["units"] | {"number": 0}}, "units.number: found 0"),
        ({"units": PARAMETERS["units"] | {"width_ms": [0.5, 3.0]}}, r"width_ms\[1\]: found 3"),
        ({"noise": {"pink": {"level_uv": 1.0}}}, "unknown key"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(changes, words):
    with pytest.raises(ConfigurationError, match=words):
        read(**changes)
