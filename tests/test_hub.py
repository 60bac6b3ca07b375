"""Models are published, fetched, checked and kept, and what goes wrong is said in a sentence."""

import json
import os
import re
import traceback

import numpy as np
import pytest
import spikeinterface as si

from ephys_deepinterpolation import deepinterpolate, fine_tune, load_model
from ephys_deepinterpolation.addresses import AddressError, hub_address
from ephys_deepinterpolation.hub import HASHES, HubError, fetch_model, publish_model
from ephys_deepinterpolation.model import ModelError
from fixtures import assert_same_weights, noise_recording, untrained_model
from hub_server import OWNER, TOKEN, Repository
from servers import sha256_of

REPOSITORY = f"{OWNER}/np2"
ADDRESS = f"hf://{REPOSITORY}@v1"


@pytest.fixture
def files(tmp_path):
    """A model, and a card with a figure."""
    path = tmp_path / "trained/model.safetensors"
    untrained_model(noise_recording(100, seed=1)).save(path)
    card = tmp_path / "card"
    (card / "figures").mkdir(parents=True)
    (card / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n# A model\n")
    (card / "figures/loss.png").write_bytes(os.urandom(20_000))
    return path, card


@pytest.fixture
def logged_in(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return hub


@pytest.fixture
def published(logged_in, files, monkeypatch):
    """The hub with the model of `files` on it; whoever asks from here on has no token."""
    publish_model(*files, REPOSITORY, "v1")
    monkeypatch.delenv("HF_TOKEN")
    return logged_in


def wrote(hub):
    """What the hub was asked to change."""
    return [asked for asked in hub.requests if not asked.startswith(("GET", "HEAD"))]


def one_sentence(raised):
    said = str(raised.value)
    assert "\n" not in said and TOKEN not in said
    return said


def test_what_is_published_is_one_commit_with_a_tag_that_anybody_can_fetch(logged_in, files):
    model, card = files
    record = publish_model(model, card, REPOSITORY, "v1")
    repository = logged_in.repositories[REPOSITORY]
    assert repository.messages == ["Begin", "Publish v1"]
    assert repository.tags == {"v1": record["commit"]}
    content = repository.files("v1")
    assert set(content) == {"model.safetensors", "README.md", "figures/loss.png", "hashes.json"}
    assert content["model.safetensors"] == model.read_bytes()
    assert record == {
        "address": ADDRESS,
        "repository": REPOSITORY,
        "tag": "v1",
        "commit": repository.head,
        "sha256": sha256_of(model.read_bytes()),
        "url": f"{logged_in.url}/{REPOSITORY}/tree/v1",
    }
    assert fetch_model(ADDRESS).read_bytes() == model.read_bytes()


def test_the_large_files_go_through_the_storage_of_the_hub(logged_in, files):
    publish_model(*files, REPOSITORY, "v1")
    large = sha256_of(files[0].read_bytes())
    assert f"PUT /{large}" in logged_in.storage.requests
    fetch_model(ADDRESS)
    assert f"GET /{large}" in logged_in.storage.requests


def test_the_token_goes_to_the_hub_alone(logged_in, files):
    publish_model(*files, REPOSITORY, "v1")
    fetch_model(ADDRESS)
    assert logged_in.tokens == {TOKEN}
    assert logged_in.storage.requests
    assert logged_in.storage.tokens == set()


def test_a_published_model_is_fetched_tuned_and_applied(published, files, tmp_path):
    fetched = load_model(ADDRESS)
    assert_same_weights(fetched, load_model(files[0]))
    other = noise_recording(6000, seed=5)
    tuned = fine_tune(fetched, other, max_steps=250, progress=False)
    assert tuned.summary["validation_loss"] < tuned.summary["constant_loss"]
    denoised = deepinterpolate(other, tuned.save(tmp_path / "tuned.safetensors"))
    assert np.isfinite(denoised.get_traces(end_frame=500)).all()


def test_a_lazy_recording_that_names_an_address_is_loaded_with_it(published, tmp_path):
    recording = noise_recording(500, seed=2).save(folder=tmp_path / "raw")
    denoised = deepinterpolate(recording, ADDRESS)
    denoised.dump(tmp_path / "denoised.json")
    assert f'"{ADDRESS}"' in (tmp_path / "denoised.json").read_text()
    again = si.load(tmp_path / "denoised.json")
    np.testing.assert_array_equal(again.get_traces(), denoised.get_traces())


def test_a_model_is_asked_for_once_and_there_without_a_network_afterwards(published):
    first = fetch_model(ADDRESS)
    asked = len(published.requests)
    assert fetch_model(ADDRESS) == first
    assert len(published.requests) == asked
    published.shutdown()
    published.server_close()
    assert fetch_model(ADDRESS) == first
    with pytest.raises(HubError, match="cannot be reached") as raised:
        fetch_model(f"hf://{REPOSITORY}@v2")
    assert published.url in one_sentence(raised)


def test_a_client_told_to_stay_offline_says_so_of_what_it_has_not(published, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match=r"has no copy of it"):
        fetch_model(ADDRESS)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("hf://lab/np2", "names no tag: write hf://lab/np2@v1"),
        ("hf://lab/np2@", "names no tag"),
        ("hf://lab/np2@main", "names a branch, which changes"),
        ("hf://np2@v1", "is no address of a model: write hf://owner/name@tag"),
        ("hf://lab/np2/model.safetensors@v1", "is no address of a model"),
        ("hf://../np2@v1", "is no address of a model"),
        ("hf://lab/np2@../../v1", "has no tag in letters"),
        ("hf://lab/np2@v1 --force", "has no tag in letters"),
        ("hf://lab/np2@$(id)", "has no tag in letters"),
        ("hf://lab/{np2}@v1", "is no address of a model"),
        ("hf://lab/np2@v1\n", "has no tag in letters"),
    ],
)
def test_an_address_of_another_form_is_refused_before_anything_is_asked(hub, address, said):
    with pytest.raises(AddressError) as raised:
        load_model(address)
    assert said in str(raised.value)
    assert hub.requests == []


def test_an_address_is_told_without_the_account_in_it():
    with pytest.raises(AddressError) as raised:
        hub_address(f"hf://{TOKEN}@lab/np2")
    assert TOKEN not in one_sentence(raised)


def test_what_is_not_there_is_named(published):
    with pytest.raises(HubError) as raised:
        fetch_model("hf://lab/np3@v1")
    assert "no such repository, or it is private" in one_sentence(raised)
    with pytest.raises(HubError) as raised:
        fetch_model(f"hf://{REPOSITORY}@v2")
    assert f"v2 does not exist; tags of {REPOSITORY}: v1" in one_sentence(raised)


def test_a_private_model_is_for_those_with_a_token(logged_in, files, monkeypatch):
    publish_model(*files, REPOSITORY, "v1", private=True)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError) as raised:
        fetch_model(ADDRESS)
    assert "it is private and HF_TOKEN may not read it" in one_sentence(raised)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert load_model(ADDRESS)


def test_a_gated_model_is_to_be_asked_for(published):
    published.repositories[REPOSITORY].gated = True
    with pytest.raises(HubError) as raised:
        fetch_model(ADDRESS)
    assert f"ask its owner for access on {published.url}/{REPOSITORY}" in one_sentence(raised)


@pytest.mark.parametrize("name", ["model.safetensors", "README.md"])
def test_a_file_changed_on_the_hub_is_refused_and_not_kept(published, name, tmp_path):
    repository = published.repositories[REPOSITORY]
    content = repository.files("v1")
    content[name] = content[name][:-1] + b"?"
    for _ in range(2):
        with pytest.raises(HubError) as raised:
            fetch_model(ADDRESS)
        assert f"{name} is not what hashes.json says" in one_sentence(raised)
        assert not [path for path in (tmp_path / "hub-home").rglob(name) if path.exists()]


@pytest.mark.parametrize("name", ["model.safetensors", "README.md", "hashes.json"])
def test_a_copy_that_was_damaged_is_refused_once_and_fetched_anew(published, files, name):
    fetched = fetch_model(ADDRESS)
    damaged = fetched.with_name(name).resolve()
    damaged.write_bytes(damaged.read_bytes()[:-5])
    with pytest.raises(HubError, match="removed from the cache"):
        fetch_model(ADDRESS)
    assert fetch_model(ADDRESS).read_bytes() == files[0].read_bytes()


def test_a_repository_of_something_else_is_no_model_of_this_project(hub):
    hub.repositories[REPOSITORY] = other = Repository()
    other.tags["v1"] = other.commit({"README.md": b"# Something else"}, "Add")
    with pytest.raises(HubError) as raised:
        load_model(ADDRESS)
    assert "is no model of this project" in one_sentence(raised)


def test_a_file_with_the_right_hash_that_is_no_model_is_refused(hub):
    content = {"model.safetensors": b"no model", "README.md": b"# A card"}
    hashes = {name: sha256_of(data) for name, data in content.items()}
    hub.repositories[REPOSITORY] = other = Repository()
    other.tags["v1"] = other.commit({**content, HASHES: json.dumps(hashes).encode()}, "Add")
    with pytest.raises(ModelError, match="is no model file"):
        load_model(ADDRESS)


def test_publishing_again_says_that_it_is_done(logged_in, files, capsys):
    first = publish_model(*files, REPOSITORY, "v1")
    written = wrote(logged_in)
    assert publish_model(*files, REPOSITORY, "v1") == first
    assert f"{ADDRESS} is published already" in capsys.readouterr().out
    assert wrote(logged_in) == written


def test_a_tag_is_never_moved(logged_in, files):
    publish_model(*files, REPOSITORY, "v1")
    written = wrote(logged_in)
    files[1].joinpath("README.md").write_text("---\nlicense: mit\n---\n# Another\n")
    with pytest.raises(HubError) as raised:
        publish_model(*files, REPOSITORY, "v1")
    assert f"{ADDRESS} exists already, with other files: choose another" in one_sentence(raised)
    assert wrote(logged_in) == written
    second = publish_model(*files, REPOSITORY, "v2")
    tags = logged_in.repositories[REPOSITORY].tags
    assert tags["v2"] == second["commit"] != tags["v1"]


def test_a_tag_of_something_else_is_not_moved_either(logged_in, files):
    logged_in.repositories[REPOSITORY] = other = Repository()
    other.tags["v1"] = other.commit({"README.md": b"# Something else"}, "Add")
    with pytest.raises(HubError, match="exists already"):
        publish_model(*files, REPOSITORY, "v1")
    assert wrote(logged_in) == []


def test_what_broke_off_before_the_tag_is_tagged_the_next_time(logged_in, files):
    first = publish_model(*files, REPOSITORY, "v1")
    repository = logged_in.repositories[REPOSITORY]
    repository.tags.clear()
    assert publish_model(*files, REPOSITORY, "v1") == first
    assert repository.messages == ["Begin", "Publish v1"]


def test_without_a_token_nothing_is_asked(hub, files):
    with pytest.raises(HubError, match="there is no token: set HF_TOKEN"):
        publish_model(*files, REPOSITORY, "v1")
    assert hub.requests == []


@pytest.mark.parametrize("repository", [REPOSITORY, "others/np2"])
def test_a_token_that_may_not_write_is_refused_and_never_told(
    hub,
    files,
    repository,
    monkeypatch,
    caplog,
    capfd,
):
    token = TOKEN if repository != REPOSITORY else "hf_of-somebody-else"
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(HubError) as raised:
        publish_model(*files, repository, "v1")
    assert re.search(r"HF_TOKEN is not valid, or may not do this", one_sentence(raised))
    assert token in hub.tokens
    told = "".join(traceback.format_exception(raised.value))
    said = f"{told}{caplog.text}{capfd.readouterr()}"
    assert token not in said


def test_only_a_model_with_a_card_is_published(logged_in, files, tmp_path):
    model, card = files
    with pytest.raises(ModelError, match="is no model file"):
        publish_model(card / "README.md", card, REPOSITORY, "v1")
    with pytest.raises(HubError, match=r"holds no README\.md"):
        publish_model(model, card / "figures", REPOSITORY, "v1")
    with pytest.raises(AddressError, match="names a branch"):
        publish_model(model, card, REPOSITORY, "main")
    assert logged_in.requests == []
