"""Ways to come by a model, conditions that know the truth, and what is wrong with either."""

from pathlib import Path

import pytest
import yaml

from ephys_deepinterpolation.configuration import ConfigurationError, models, read_study

PROJECT = Path(__file__).parents[1]
SCHEMAS = PROJECT / "workflow/schemas"
OPTIMISER = {"max_steps": 250, "batch_size": 64, "learning_rate": 0.001}
ORACLE = {"name": "oracle"}
DENOISE = {"name": "deepinterpolate", "params": {"model": "compact"}}
WHITEN, UNWHITEN = {"name": "whiten"}, {"name": "unwhiten"}
SYNTHETIC, REAL = "np2-synthetic", "np2-real"


@pytest.fixture
def config(tmp_path, monkeypatch):
    """The demo's configuration, with its two datasets, and a model file beside it."""
    settings = yaml.safe_load((PROJECT / "config/config.yaml").read_text())
    settings["study"] |= {
        "conditions": ["raw", "di"],
        "datasets": {SYNTHETIC: {"kind": "synthetic"}, REAL: {"kind": "recorded"}},
    }
    settings["endpoints"] = {"found": {"measure": "well_detected"}}
    monkeypatch.chdir(tmp_path)
    Path("given.safetensors").touch()
    Path("legacy.h5").touch()
    return settings


def problems_with(config, model=None, pipeline=None, **models):
    """What is said of another model, or of another condition that the study runs."""
    if model is not None:
        config["models"]["another"] = model
    config["models"] |= models
    if pipeline is not None:
        config["conditions"]["another"] = pipeline
        config["study"]["conditions"].append("another")
    try:
        read_study(config, SCHEMAS)
    except ConfigurationError as error:
        return error.problems
    return ()


RECIPES = {
    "pretrained": {"pretrained": "given.safetensors"},
    "on a hub": {"pretrained": "hf://lab/np2@v1"},
    "tuned": {"fine_tune": "compact", **OPTIMISER},
    "tuned on other data": {"fine_tune": "compact", "train_on": REAL, **OPTIMISER},
    "tuned on all data": {"fine_tune": "compact", "train_on": [SYNTHETIC, REAL], **OPTIMISER},
    "linear": {"network": {"family": "linear"}, "context_ms": 1.0},
    "linear, fewer rows": {"network": {"family": "linear", "rows": 3}, "context_ms": 1.0},
    "own channel": {"network": {"family": "linear", "own_channel": True}, "context_ms": 1.0},
    "unet": {"network": {"family": "unet", "width": 8, "depth": 2}, "context_ms": 1.0} | OPTIMISER,
    "other data": {
        "network": {"width": 8, "depth": 2},
        "context_ms": 1.0,
        "omission_ms": "auto",
        "train_on": SYNTHETIC,
        "training_s": 10.0,
    }
    | OPTIMISER,
}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_every_way_to_come_by_a_model_is_allowed(config, recipe):
    assert problems_with(config, recipe) == ()


WRONG_RECIPES = [
    ({}, ["another.network", "found nothing"]),
    (RECIPES["linear"] | OPTIMISER, ["another.max_steps", "unknown key", "context_ms"]),
    (RECIPES["tuned"] | {"context_ms": 1.0}, ["another.context_ms", "unknown key", "fine_tune"]),
    ({"fine_tune": "compact"}, ["another.max_steps", "found nothing"]),
    (RECIPES["pretrained"] | OPTIMISER, ["another.max_steps", "unknown key", "pretrained"]),
    ({"pretrained": "no.safetensors"}, ["another.pretrained", "does not exist"]),
    ({"pretrained": "https://lab/np2"}, ["another.pretrained", "another kind of address", "hf://"]),
    ({"pretrained": "hf://lab/np2"}, ["another.pretrained", "names no tag", "hf://lab/np2@v1"]),
    ({"pretrained": "hf://lab/{np2}@v1"}, ["another.pretrained", "is no address of a model"]),
    ({"pretrained": "hf://lab/np2@v1;id"}, ["another.pretrained", "has no tag in letters"]),
    (RECIPES["tuned"] | {"fine_tune": "compcat"}, ["fine_tune", "compcat", 'mean "compact"']),
    (RECIPES["tuned"] | {"fine_tune": "another"}, ["fine_tune", "another from another: a circle"]),
    (RECIPES["tuned"] | {"train_on": "np2"}, ["another.train_on", '"np2"', "a dataset"]),
    (RECIPES["tuned"] | {"train_on": [REAL, "np2"]}, ["another.train_on", '"np2"', "a dataset"]),
    (RECIPES["tuned"] | {"train_on": []}, ["another.train_on", "found []"]),
    (RECIPES["tuned"] | {"fine_tune": ["compact"]}, ["another.fine_tune", "found", "text"]),
    (RECIPES["linear"] | {"network": {"family": []}}, ["another.network.family", "found []"]),
    (RECIPES["tuned"] | {"training_s": 0}, ["another.training_s", "found 0", "greater than 0"]),
    (
        {"network": {"family": "linear", "own_channel": True, "rows": 3}, "context_ms": 1.0},
        ["another.network.rows", "no rows beside own_channel"],
    ),
    (
        {"network": {"family": "linear", "width": 3}, "context_ms": 1.0},
        ["another.network.width", "unknown key", "own_channel, rows"],
    ),
]


@pytest.mark.parametrize(("recipe", "parts"), WRONG_RECIPES, ids=[str(r) for r, _ in WRONG_RECIPES])
def test_a_recipe_that_is_none_is_named_with_its_mistake(config, recipe, parts):
    first, *_ = problems_with(config, recipe)
    assert all(part in first for part in parts), first


def test_a_model_of_this_package_is_named(config, monkeypatch):
    known = {"np2": Path("np2.safetensors"), "np1": Path("np1.safetensors")}
    monkeypatch.setattr(models, "packaged_models", lambda: known)
    assert problems_with(config, {"pretrained": "np2"}) == ()
    (said,) = problems_with(config, {"pretrained": "np3"})
    assert "np2, np1" in said and "did you mean" in said


PUBLICATION = {"repository": "lab/np2", "tag": "v1"}


def test_a_trained_model_can_be_published(config):
    config["publish"] = {"compact": PUBLICATION}
    assert read_study(config, SCHEMAS).publications == {"compact": PUBLICATION | {"private": False}}


@pytest.mark.parametrize(
    ("name", "publication", "parts"),
    [
        ("given", PUBLICATION, ["publish.given", "not trained here"]),
        ("compcat", PUBLICATION, ["publish.compcat", 'mean "compact"']),
        ("compact", PUBLICATION | {"tag": "main"}, ["publish.compact", "names a branch"]),
        ("compact", PUBLICATION | {"tag": 1}, ["publish.compact.tag", "found 1", "text"]),
        ("compact", PUBLICATION | {"repository": "np2"}, ["publish.compact", "owner/name"]),
        ("compact", PUBLICATION | {"token": "hf_x"}, ["publish.compact.token", "unknown key"]),
        ("compact", {"tag": "v1"}, ["publish.compact.repository", "found nothing"]),
    ],
)
def test_what_cannot_be_published_is_said_before_it_is_trained(config, name, publication, parts):
    config["publish"] = {name: publication}
    (said,) = problems_with(config, given=RECIPES["pretrained"])
    assert all(part in said for part in parts), said


def test_recipes_that_start_from_each_other_are_a_circle(config):
    ring = {
        "a": {"fine_tune": "b", **OPTIMISER},
        "b": {"fine_tune": "c", **OPTIMISER},
        "c": {"fine_tune": "a", **OPTIMISER},
    }
    said = problems_with(config, **ring)
    assert len(said) == 3
    assert "a from b from c from a: a circle" in said[0]


def test_a_model_of_the_other_package_cannot_be_tuned(config):
    said = problems_with(
        config, RECIPES["tuned"] | {"fine_tune": "legacy"}, legacy={"pretrained": "legacy.h5"}
    )
    assert len(said) == 1
    assert "legacy" in said[0] and "knows its probe" in said[0]


def test_a_recipe_names_what_it_starts_from(config):
    config["models"] |= {
        "tuned": {"fine_tune": "compact", **OPTIMISER},
        "twice": {"fine_tune": "tuned", **OPTIMISER},
    }
    study = read_study(config, SCHEMAS)
    assert study.bases_of("twice") == ["tuned", "compact"]
    assert study.bases_of("compact") == []


def test_conditions_with_the_same_steps_before_share_their_models(config):
    later = {"name": "common_reference"}
    config["models"]["tuned"] = {"fine_tune": "compact", **OPTIMISER}
    tuned = {"name": "deepinterpolate", "params": {"model": "tuned"}}
    config["conditions"] |= {
        "first-tuned": [tuned],
        "di-referenced": [DENOISE, later],
        "referenced-di": [later, DENOISE],
        "late-tuned": [later, tuned],
    }
    config["study"]["conditions"] = [
        "raw",
        "first-tuned",
        "di",
        "di-referenced",
        "referenced-di",
        "late-tuned",
    ]
    study = read_study(config, SCHEMAS)
    assert study.home_of("compact", "di-referenced") == "di"
    assert study.home_of("compact", "first-tuned") == "di"
    assert study.home_of("compact", "late-tuned") == "referenced-di"
    assert study.home_of("tuned", "first-tuned") == "first-tuned"
    assert study.home_of("tuned", "late-tuned") == "late-tuned"


PIPELINES = {
    "identity": [{"name": "identity"}],
    "boxcar": [{"name": "boxcar", "params": {"width_ms": 0.1}}],
    "low rank": [{"name": "low_rank", "params": {"rank": 5}}],
    "oracle": [ORACLE],
    "shares": [ORACLE | {"params": {"noise_share": 1, "shares": {"independent": 0.1}}}],
    "whitened": [WHITEN, DENOISE, UNWHITEN],
    "whitened twice": [WHITEN, WHITEN, DENOISE, UNWHITEN, UNWHITEN],
}


@pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES)
def test_every_rival_is_a_step(config, pipeline):
    assert problems_with(config, pipeline=pipeline) == ()


WRONG_PIPELINES = [
    ([UNWHITEN], ["another[0]", "nothing to undo"]),
    ([WHITEN, UNWHITEN, DENOISE, UNWHITEN], ["another[3]", "nothing to undo"]),
    ([{"name": "center"}, ORACLE], ["another", "oracle beside center", "first step only"]),
    ([ORACLE, DENOISE], ["another", "oracle beside deepinterpolate"]),
    ([ORACLE | {"params": {"parts": {}}}], ["params.parts", "unknown key", "noise_share"]),
    ([ORACLE | {"params": {"noise_share": -1}}], ["params.noise_share", "-1", "at least 0"]),
    ([ORACLE | {"params": {"shares": {"lime": 0.1}}}], ["shares.lime", 'did you mean "line"']),
    ([{"name": "boxcar"}], ["params.width_ms", "found nothing"]),
]


@pytest.mark.parametrize(
    ("pipeline", "parts"), WRONG_PIPELINES, ids=[str(p) for p, _ in WRONG_PIPELINES]
)
def test_a_rival_in_a_wrong_place_is_named(config, pipeline, parts):
    first, *_ = problems_with(config, pipeline=pipeline)
    assert all(part in first for part in parts), first


def test_an_oracle_exists_where_the_parts_are_known(config):
    config["conditions"]["another"] = [ORACLE]
    config["study"]["conditions"].append("another")
    study = read_study(config, SCHEMAS)
    assert study.conditions_of(SYNTHETIC) == ("raw", "di", "another")
    assert study.conditions_of(REAL) == ("raw", "di")


def test_a_condition_that_exists_for_no_dataset_is_left_out(config):
    """So that one's own recording may take the place of the demo's datasets."""
    config["conditions"]["another"] = [ORACLE | {"params": {"shares": {"line": 0.1}}}]
    config["study"]["conditions"].append("another")
    assert read_study(config, SCHEMAS).conditions == ("raw", "di")


def test_a_dataset_without_any_condition_to_compare_is_named(config):
    config["study"]["conditions"] = ["raw"]
    said = problems_with(config, pipeline=[ORACLE])
    assert len(said) == 1
    assert REAL in said[0] and "beside the reference" in said[0]


def test_an_oracle_is_no_reference(config):
    config["conditions"]["raw"] = [ORACLE]
    said = problems_with(config)
    assert any("study.reference" in sentence and "oracle" in sentence for sentence in said)
