"""The study of transfer is a valid configuration, and asks what it says it asks."""

from pathlib import Path

import pytest

from configurations import laid_over_the_default
from ephys_deepinterpolation.configuration import read_study

REPOSITORY = Path(__file__).parents[1]
FILES = ("transfer.yaml",)


@pytest.fixture(scope="module")
def study():
    config = laid_over_the_default(*FILES)
    return read_study(config, REPOSITORY / "workflow/schemas", ", ".join(FILES))


def recipes(study):
    return {name: study.models[study.model_of(name)] for name in study.conditions[1:]}


def test_a_model_meets_recordings_as_it_is_fine_tuned_and_beside_others_on_the_same_seconds(study):
    seconds: dict[str, set] = {"fine_tune": set(), "network": set()}
    for recipe in recipes(study).values():
        for way, found in seconds.items():
            if way in recipe and "train_on" not in recipe and "max_steps" in recipe:
                found.add(recipe.get("training_s", 300.0))
    assert seconds == {"fine_tune": {10.0, 60.0, 300.0}, "network": {10.0, 60.0, 300.0}}
    assert all(
        recipe.get("fine_tune", "pre-trained") == "pre-trained"
        for recipe in recipes(study).values()
    )


def test_no_model_is_trained_on_what_it_denoises(study):
    for name, dataset in study.datasets.items():
        if dataset.kind == "synthetic":
            assert dataset.parameters["training_duration_s"] >= 300.0, name
        else:
            assert dataset.parameters["train_on"] == "other"


def test_each_other_recording_differs_in_one_thing(study):
    differ = {
        name: {
            key
            for key, value in dataset.parameters.items()
            if value != study.datasets["other-units"].parameters[key]
        }
        for name, dataset in study.datasets.items()
        if dataset.kind == "synthetic"
    }
    assert differ == {
        "elsewhere": {"duration_s"},
        "other-units": set(),
        "other-noise": {"noise"},
        "other-probe": {"probe", "gain_uv_per_bit"},
        "other-rate": {"sampling_frequency_hz"},
    }


def test_slow_waves_are_taken_out_alike_in_every_condition(study):
    first, last = study.pipelines["raw"]
    for name in study.conditions[1:]:
        before, _, after = study.pipelines[name]
        assert (before, after) == (first, last), name
