"""The parameters of surrogates and hybrids: what is missing or of no use is said in a sentence."""

import copy
from pathlib import Path

import pytest
import yaml

from ephys_deepinterpolation.configuration import ConfigurationError, read_study

PROJECT = Path(__file__).parents[1]
SCHEMAS = PROJECT / "workflow/schemas"
UNITS = {"number": 3, "peak_uv": [20.0, 200.0], "firing_rate_hz": [1.0, 10.0]}


@pytest.fixture
def recording(tmp_path):
    (tmp_path / "recording").mkdir()
    return {"reader": "load", "path": str(tmp_path / "recording")}


def read(kind, parameters):
    """Read the demo's configuration with one dataset of a kind."""
    config = yaml.safe_load((PROJECT / "config/config.yaml").read_text())
    config["study"]["datasets"] = {"mine": {"kind": kind, "parameters": copy.deepcopy(parameters)}}
    return read_study(config, SCHEMAS).datasets["mine"].parameters


def surrogate(recording, **changes):
    return read("surrogate", {"original": recording, "duration_s": 5.0, "units": UNITS} | changes)


def hybrid(recording, **changes):
    return read("hybrid", {"host": recording, "units": UNITS} | changes)


def test_what_is_left_out_has_a_default(recording):
    assert surrogate(recording)["channels"] is None
    found = hybrid(recording)
    assert found["templates"] == {"from": "generator"}
    assert (found["motion"], found["train_on"], found["saturation_uv"]) == ("none", "hybrid", None)
    assert found["units"]["width_ms"] is None


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"train_on": "other"}, "training"),
        ({"train_on": "guest"}, "train_on"),
        ({"templates": {"from": "mearec"}}, "templates.path"),
        ({"templates": {"from": "sorting"}}, "templates.sorting"),
        ({"templates": {"from": "database"}}, "templates.datasets"),
        ({"units": UNITS | {"peak_uv": [200.0, 20.0]}}, "units.peak_uv"),
        ({"units": UNITS | {"depth": [0.0, 20.0]}}, "units.depth"),
        ({"host": {"reader": "load", "path": "nowhere"}}, "host.path"),
        ({"host": {"reader": "read_nothing", "path": "."}}, "host.reader"),
    ],
)
def test_what_is_wrong_with_a_hybrid_is_named_by_its_key(recording, changes, key):
    with pytest.raises(ConfigurationError, match=rf"mine\.parameters\.{key}: found"):
        hybrid(recording, **changes)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"duration_s": 0}, "duration_s"),
        ({"channels": 0}, "channels"),
        ({"units": UNITS | {"width_ms": [0.5, 0.2]}}, "units.width_ms"),
        ({"original": {"reader": "load"}}, "original.path"),
    ],
)
def test_what_is_wrong_with_a_surrogate_is_named_by_its_key(recording, changes, key):
    with pytest.raises(ConfigurationError, match=rf"mine\.parameters\.{key}: found"):
        surrogate(recording, **changes)
