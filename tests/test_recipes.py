"""Models as recipes describe them, and what each has seen."""

import pytest

from ephys_deepinterpolation.model import load_model
from ephys_deepinterpolation.recipes import follow_recipe
from fixtures import CONTEXT_MS, FREQUENCY, assert_same_weights, noise_recording, train

FRAMES = 12_000
SCRATCH = {
    "network": {"family": "compact", "rows": 3, "width": 8, "depth": 2},
    "context_ms": CONTEXT_MS,
    "max_steps": 250,
    "batch_size": 64,
    "learning_rate": 0.002,
}
TUNED = {"fine_tune": "base", "max_steps": 250, "batch_size": 32, "learning_rate": 0.0005}
OURS, OTHER = (noise_recording(FRAMES, seed) for seed in (1, 2))


@pytest.fixture(scope="module")
def base():
    """From scratch on another recording."""
    return follow_recipe(SCRATCH | {"train_on": "other"}, OTHER, None, seed=3)


def test_a_recipe_from_scratch_is_a_training(base):
    assert_same_weights(base, train(OTHER, batch_size=64, learning_rate=0.002, seed=3))


def test_a_model_trained_on_other_data_saw_those_alone(base):
    assert base.saw(OTHER)
    assert not base.saw(OURS)


def test_a_tuned_model_saw_what_its_base_saw_and_its_own(base):
    tuned = follow_recipe(TUNED, OURS, base, seed=3)
    assert tuned.saw(OURS)
    assert tuned.saw(OTHER)
    assert not tuned.saw(noise_recording(FRAMES, seed=5))
    assert tuned.provenance["trained_from"] == base.provenance["weights"]
    assert tuned.summary["steps"] == 250


def test_a_model_file_remembers_what_it_saw(base, tmp_path):
    loaded = load_model(base.save(tmp_path / "model.safetensors").path)
    assert loaded.saw(OTHER)
    assert not loaded.saw(OURS)


def test_a_linear_recipe_needs_no_optimiser(base):
    recipe = {"network": {"family": "linear", "own_channel": True}, "context_ms": CONTEXT_MS}
    model = follow_recipe(recipe, OURS, None, seed=3)
    assert model.summary["steps"] == 0
    assert model.saw(OURS)


@pytest.mark.parametrize("recipe", [SCRATCH, TUNED], ids=["scratch", "tuned"])
def test_a_recipe_may_use_the_first_seconds_only(base, recipe):
    start = base if recipe is TUNED else None
    model = follow_recipe(recipe | {"training_s": 0.5}, OURS, start, seed=3)
    ranges = model.provenance["recordings"][-1]["ranges"]
    assert max(piece["end"] for piece in ranges) <= 0.5 * FREQUENCY
    assert model.saw(OURS)
