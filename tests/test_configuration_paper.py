"""The full study is a valid configuration, and holds what the evidence asks for."""

from pathlib import Path

import pytest

from configurations import laid_over_the_default
from ephys_deepinterpolation.configuration import read_study

REPOSITORY = Path(__file__).parents[1]
FILES = ("paper.yaml", "presets/sorters.yaml")


@pytest.fixture(scope="module")
def study():
    config = laid_over_the_default(*FILES)
    return read_study(config, REPOSITORY / "workflow/schemas", ", ".join(FILES))


def test_it_has_five_replicates_and_repeats_each_sorting(study):
    assert study.replicates >= 5
    assert study.repeats >= 2


def test_it_has_three_probes_with_three_ranges_of_amplitude_each(study):
    ranges: dict[str, set] = {}
    for name, dataset in study.datasets.items():
        if dataset.kind == "synthetic" and "noise-shared" not in name:
            parameters = dataset.parameters
            ranges.setdefault(parameters["probe"], set()).add(tuple(parameters["units"]["peak_uv"]))
    assert len(ranges) == 3
    assert all(len(peaks) == 3 for peaks in ranges.values())


def test_noise_goes_from_independent_to_shared_at_the_same_variance(study):
    shares = []
    for name, dataset in study.datasets.items():
        if "noise-shared" in name:
            levels = {part: each["level_uv"] for part, each in dataset.parameters["noise"].items()}
            variance = sum(level**2 for level in levels.values())
            assert variance == pytest.approx(100.0, rel=0.01)
            shares.append(levels.get("correlated", 0.0) ** 2 / variance)
    assert shares == pytest.approx([0.0, 0.3, 0.6, 0.9], abs=0.01)


def test_it_has_every_kind_of_truth_that_can_be_made(study):
    kinds = {dataset.kind for dataset in study.datasets.values()}
    assert kinds >= {"synthetic", "mearec", "surrogate", "hybrid"}


def test_it_has_rulers_rivals_and_every_way_to_come_by_a_model(study):
    steps = {step["name"] for name in study.conditions for step in study.pipelines[name]}
    assert steps >= {"identity", "oracle", "gaussian_filter", "boxcar", "low_rank", "unwhiten"}
    assert "highpass_spatial_filter" in steps
    recipes = [study.models[model] for name in study.conditions if (model := study.model_of(name))]
    families = {recipe["network"].get("family") for recipe in recipes if "network" in recipe}
    assert families == {"compact", "unet", "linear"}
    assert any("fine_tune" in recipe for recipe in recipes)
    assert any("train_on" in recipe for recipe in recipes)


def test_no_model_is_judged_on_the_dataset_that_it_is_trained_on_for_others(study):
    for condition in study.conditions:
        model = study.model_of(condition)
        for recipe in [model, *study.bases_of(model)] if model else []:
            elsewhere = study.models[recipe].get("train_on")
            assert elsewhere is None or condition not in study.conditions_of(elsewhere)


def test_it_has_every_sorter_that_installs_and_both_modes(study):
    sorters = {study.sorter_settings[name]["sorter"] for name in study.sorters}
    assert sorters >= {
        "kilosort4",
        "spykingcircus2",
        "tridesclous2",
        "lupin",
        "mountainsort5",
        "herdingspikes",
        "simple",
        "tridesclous",
    }
    modes = {study.sorter_settings[name]["mode"] for name in study.sorters}
    assert modes == {"default", "no-preprocessing"}
