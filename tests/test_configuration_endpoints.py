"""Endpoints: those of every study, those of one's own, and what is wrong with them."""

from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from ephys_deepinterpolation.configuration import ConfigurationError, read_study
from ephys_deepinterpolation.statistics import MEASURES, read_endpoints, tables_of

PROJECT = Path(__file__).parents[1]
SCHEMAS = PROJECT / "workflow/schemas"
README = PROJECT / "config/README.md"


@pytest.fixture
def config(monkeypatch):
    """The demo's configuration."""
    monkeypatch.chdir(PROJECT)
    return yaml.safe_load((PROJECT / "config/config.yaml").read_text())


def test_a_study_that_declares_none_has_those_of_the_documentation(config):
    declared = read_study(config, SCHEMAS).endpoints
    section = README.read_text().split("## `endpoints`")[1]
    documented = yaml.safe_load(section.split("```yaml\n")[1].split("```")[0])["endpoints"]
    assert declared == {
        name: {"primary": True, **endpoint} for name, endpoint in documented.items()
    }


def test_the_bands_of_accuracy_hold_every_unit_once(config):
    endpoints = read_endpoints(read_study(config, SCHEMAS).endpoints)
    bands = [endpoint.peak_uv for endpoint in endpoints if endpoint.measure == "accuracy"]
    assert bands[0][0] == 0 and bands[-1][1] is None
    assert all(one[1] == other[0] for one, other in pairwise(bands))


def test_endpoints_of_ones_own_take_the_place_of_the_default(config):
    config["endpoints"] = {"mine": {"measure": "recall", "primary": False}}
    (endpoint,) = read_endpoints(read_study(config, SCHEMAS).endpoints)
    assert (endpoint.name, endpoint.measure, endpoint.primary) == ("mine", "recall", False)
    assert tables_of([endpoint]) == ["units"]


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_can_be_declared(config, measure):
    threshold = {"threshold": 5.0} if measure == "phantom_rate" else {}
    config["endpoints"] = {"mine": {"measure": measure, **threshold}}
    assert read_study(config, SCHEMAS).endpoints["mine"]["measure"] == measure


@pytest.mark.parametrize(
    ("endpoint", "key"),
    [
        ({"measure": "accurracy"}, "measure"),
        ({}, "measure"),
        ({"measure": "accuracy", "peak_uv": [80, 30]}, "peak_uv"),
        ({"measure": "accuracy", "peak_uv": [30, 30]}, "peak_uv"),
        ({"measure": "accuracy", "peak_uv": [None, 30]}, "peak_uv"),
        ({"measure": "accuracy", "peak_uv": [30]}, "peak_uv"),
        ({"measure": "false_positive", "peak_uv": [0, 30]}, "peak_uv"),
        ({"measure": "accuracy", "threshold": 5.0}, "threshold"),
        ({"measure": "phantom_rate"}, "threshold"),
        ({"measure": "phantom_rate", "threshold": 7.5}, "threshold"),
        ({"measure": "accuracy", "margin": 0}, "margin"),
        ({"measure": "accuracy", "primary": "perhaps"}, "primary"),
        ({"measure": "accuracy", "sorter": "lupin"}, "sorter"),
    ],
)
def test_what_is_wrong_with_an_endpoint_is_named_by_its_key(config, endpoint, key):
    config["endpoints"] = {"mine": endpoint}
    with pytest.raises(ConfigurationError, match=rf"endpoints\.mine\.{key}.*: found"):
        read_study(config, SCHEMAS)


def test_no_dataset_is_called_all(config):
    config["study"]["datasets"] = {"all": {"kind": "synthetic", "parameters": "np2-synthetic"}}
    with pytest.raises(ConfigurationError, match=r'study\.datasets: found "all"'):
        read_study(config, SCHEMAS)
