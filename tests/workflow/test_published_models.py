"""A study publishes its model, and others fetch, tune and apply it: on a hub on this machine."""

import json
import os
from pathlib import Path

import pytest
import yaml

from ephys_deepinterpolation import load_model
from ephys_deepinterpolation.hub import publish_model
from hub_server import OWNER, TOKEN
from projects import leftovers, said, small_study_with, snakemake
from servers import sha256_of

REPOSITORY = f"{OWNER}/np2"
TRAINED = "results/models/tiny-synthetic/0/compact/di/model.safetensors"
OPTIMISER = {"max_steps": 250, "batch_size": 64, "learning_rate": 0.0005}


def ask(folder: Path, target: str, *options: str, **changes: object):
    """Have a target made in a folder where a study was finished, with another configuration."""
    (folder / "study.yaml").write_text(yaml.safe_dump(small_study_with(changes), sort_keys=False))
    return snakemake(folder, "--cores", "1", target, *options)


def publish(folder: Path, tag: str, repository: str = REPOSITORY):
    where = {"repository": repository, "tag": tag}
    return ask(folder, "publish", publish={"compact": where})


def denoising_with(model: str) -> list[dict]:
    return [{"name": "deepinterpolate", "params": {"model": model}}]


def files_with(text: str, folder: Path) -> list[Path]:
    places = (Path(at, name) for at, _, names in os.walk(folder) for name in names)
    return [path for path in places if path.is_file() and text.encode() in path.read_bytes()]


@pytest.fixture
def lab(hub, monkeypatch):
    """The hub, to those with the token."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return hub


def test_the_model_of_a_study_is_published_with_its_card(lab, finished):
    published = publish(finished, "v1")
    assert published.returncode == 0, said(published)
    record = json.loads((finished / "results/published/compact.json").read_text())
    content = lab.repositories[REPOSITORY].files("v1")
    assert record["sha256"] == sha256_of(content["model.safetensors"])
    assert content["model.safetensors"] == (finished / TRAINED).read_bytes()
    card = finished / "results/cards/compact"
    shown = {path.relative_to(card).as_posix() for path in card.rglob("*.png")}
    assert shown and shown | {"README.md", "hashes.json"} <= set(content)
    assert lab.tokens == {TOKEN}
    assert files_with(TOKEN, finished) == []
    assert TOKEN not in said(published)


def test_a_model_on_a_hub_is_fetched_tuned_and_applied(lab, finished, tmp_path, monkeypatch):
    card = tmp_path / "card"
    card.mkdir()
    (card / "README.md").write_text("# A card\n")
    publish_model(finished / TRAINED, card, REPOSITORY, "v1")
    # Whoever fetches needs no token.
    monkeypatch.delenv("HF_TOKEN")
    fetched = ask(
        finished,
        "conditions",
        models__given={"pretrained": f"hf://{REPOSITORY}@v1"},
        models__tuned={"fine_tune": "given", **OPTIMISER},
        conditions={"given": denoising_with("given"), "tuned": denoising_with("tuned")},
        study__conditions=["raw", "given", "tuned"],
    )
    assert fetched.returncode == 0, said(fetched)
    copy = finished / f"results/models/fetched/{REPOSITORY}@v1.safetensors"
    assert copy.read_bytes() == (finished / TRAINED).read_bytes()
    tuned = load_model(finished / "results/models/tiny-synthetic/0/tuned/tuned/model.safetensors")
    trained = load_model(finished / TRAINED)
    assert tuned.provenance["trained_from"] == trained.provenance["weights"]
    applied = finished / "results/conditions/tiny-synthetic/0/given/condition.json"
    facts = json.loads(applied.read_text())
    assert facts["denoised"] and facts["model_saw_recording"]


def test_a_tag_that_is_there_stops_the_study_in_a_sentence(lab, finished):
    assert publish(finished, "v2").returncode == 0
    lab.repositories[REPOSITORY].files("v2")["hashes.json"] += b" "
    before = dict(lab.repositories[REPOSITORY].tags)
    (finished / "results/published/compact.json").unlink()
    refused = publish(finished, "v2")
    assert refused.returncode != 0
    assert f"hf://{REPOSITORY}@v2 exists already, with other files" in said(refused)
    assert "Traceback" not in said(refused)
    assert lab.repositories[REPOSITORY].tags == before
    assert not (finished / "results/published/compact.json").exists()


def test_whoever_may_not_publish_is_told_so_without_their_token(hub, finished, monkeypatch):
    without = publish(finished, "v3")
    assert "there is no token: set HF_TOKEN" in said(without)
    monkeypatch.setenv("HF_TOKEN", "hf_of-somebody-else")
    refused = publish(finished, "v3")
    assert "HF_TOKEN is not valid, or may not do this" in said(refused)
    for ended in (without, refused):
        assert ended.returncode != 0
        assert "Traceback" not in said(ended)
        assert "hf_of-somebody-else" not in said(ended)
    assert hub.tokens == {"hf_of-somebody-else"}
    assert files_with("hf_of-somebody-else", finished) == []
    assert hub.repositories == {}


def test_what_cannot_be_fetched_leaves_nothing(hub, finished):
    target = f"results/models/fetched/{REPOSITORY}@v9.safetensors"
    given = {"pretrained": f"hf://{REPOSITORY}@v9"}
    ended = ask(finished, target, models__given=given)
    assert ended.returncode != 0
    assert f"{hub.url} has no such repository, or it is private" in said(ended)
    assert "Traceback" not in said(ended)
    assert not (finished / target).exists()
    assert not leftovers(finished)


def test_a_model_that_nothing_denoises_with_is_not_published(finished):
    spare = {"network": {"width": 8, "depth": 2}, "context_ms": 1.0, **OPTIMISER}
    ended = ask(
        finished,
        "publish",
        "--dry-run",
        models__spare=spare,
        publish={"spare": {"repository": REPOSITORY, "tag": "v1"}},
    )
    assert ended.returncode != 0
    assert "publish: found spare, which no condition of the study denoises with" in said(ended)
