"""The section `artifacts`, and of which datasets noise alone is known."""

import copy
from pathlib import Path

import pytest
import yaml

from ephys_deepinterpolation.configuration import ConfigurationError, read_study

REPOSITORY = Path(__file__).parents[1]
SCHEMAS = REPOSITORY / "workflow" / "schemas"
KINDS = yaml.safe_load((REPOSITORY / "config" / "kinds.yaml").read_text())


@pytest.fixture
def config(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    return yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text())


def test_without_the_section_all_has_a_default(config):
    del config["artifacts"]
    assert read_study(config, SCHEMAS).artifacts == {
        "noise_alone_s": 10.0,
        "thresholds": [4.0, 5.0, 6.0],
        "sort_noise_alone": True,
        "saturation_uv": 1200.0,
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("noise_alone_s", 0),
        ("thresholds", []),
        ("thresholds", [5.0, 4.0]),
        ("thresholds", [0.0]),
        ("sort_noise_alone", 1),
        ("saturation_uv", -5.0),
        ("saturation", 5.0),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_key(config, key, value):
    config["artifacts"] = {key: value}
    with pytest.raises(ConfigurationError, match=f"artifacts.*{key}"):
        read_study(config, SCHEMAS)


def test_noise_alone_is_known_where_nothing_real_and_no_hidden_neuron_is_in_it(config):
    described = copy.deepcopy(config)
    described["study"]["datasets"] = KINDS["study"]["datasets"]
    described["ground_truth"] = KINDS["ground_truth"]
    described["sources"] |= KINDS.get("sources", {})
    study = read_study(described, SCHEMAS)
    known = {
        dataset.kind: study.knows_noise_alone(name) for name, dataset in study.datasets.items()
    }
    assert known == {
        "synthetic": True,
        "mearec": True,
        "surrogate": True,
        "hybrid": False,
        "recorded": False,
    }
