"""Models on a hub that speaks Hugging Face's protocol: fetched by name and tag, and published.

The environment says which hub (`HF_ENDPOINT`), where copies are kept (`HF_HOME`) and who asks
(`HF_TOKEN`, or a login with the hub's own client). The token is read by that client alone.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi, constants, get_token, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from ephys_deepinterpolation.addresses import HubAddress, hub_address
from ephys_deepinterpolation.model import ModelError, load_model

MODEL, CARD, HASHES = "model.safetensors", "README.md", "hashes.json"
_ANSWER_WITHIN_S = 10.0
_NO_TOKEN = "there is no token: set HF_TOKEN to one that may write, or log in with `hf auth login`"


class HubError(ModelError):
    """A model cannot be had from a hub, or not be published there."""


def fetch_model(address: str) -> Path:
    """Fetch a model and its card, check their hashes, and return the model's file in the cache.

    What was fetched once is taken from the cache, without asking the hub again.

    Parameters
    ----------
    address : str
        `hf://owner/name@tag`.

    Raises
    ------
    AddressError
        It has another form.
    HubError
        There is no such model, it may not be read, the hub cannot be reached, or a file is
        another than its hash says; such a file is removed from the cache.
    """
    wanted = hub_address(address)
    files = _cached(wanted) or _fetched(wanted)
    _check_hashes(wanted, files)
    return files[MODEL]


def publish_model(
    model: Path | str,
    card: Path | str,
    repository: str,
    tag: str,
    *,
    private: bool = False,
    message: str | None = None,
) -> dict[str, str]:
    """Put a model and its card into a repository of a hub, in one commit, and tag it.

    The repository is made where there is none. A tag that exists is never moved: with the same
    files it is published already, with others it is refused before anything is sent.

    Parameters
    ----------
    model : path
        The model's file.
    card : path
        A folder with the card, `README.md`, and what it shows.
    repository : str
        `owner/name`.
    tag : str
    private : bool
        Of a repository that is made.
    message : str, optional
        Of the commit.

    Returns
    -------
    dict
        `address`, `repository`, `tag`, `commit`, the model's `sha256`, and `url`.

    Raises
    ------
    AddressError
        Repository or tag cannot be.
    HubError
        There is no token, or it may not write; the tag exists; the hub cannot be reached.
    ModelError
        The file is no model.
    """
    address = hub_address(f"hf://{repository}@{tag}")
    load_model(Path(model))
    files = _files_to_publish(Path(model), Path(card))
    hashes = {name: _sha256(path) for name, path in files.items()}
    listed = (json.dumps(hashes, indent=1, sort_keys=True) + "\n").encode()
    if get_token() is None:
        raise HubError(f"{address} is not published: {_NO_TOKEN}")
    with _explained(address):
        commit = _commit_with(address, listed)
        if commit is None:
            commit = _upload(address, files, listed, private, message or f"Publish {tag}")
        else:
            print(f"{address} is published already, with the same files")
    return {
        "address": str(address),
        "repository": repository,
        "tag": tag,
        "commit": commit,
        "sha256": hashes[MODEL],
        "url": f"{constants.ENDPOINT}/{repository}/tree/{tag}",
    }


def _cached(address: HubAddress) -> dict[str, Path] | None:
    try:
        return _download(address, local_files_only=True)
    except LocalEntryNotFoundError:
        return None


def _fetched(address: HubAddress) -> dict[str, Path]:
    with _explained(address):
        tags = _tags(address)
        if address.tag not in tags:
            known = ", ".join(sorted(tags)) or "none"
            raise HubError(f"{address} does not exist; tags of {address.repository}: {known}")
        return _download(address, local_files_only=False)


def _download(address: HubAddress, *, local_files_only: bool) -> dict[str, Path]:
    def download(name: str) -> Path:
        return Path(
            hf_hub_download(
                address.repository,
                name,
                revision=address.tag,
                local_files_only=local_files_only,
            )
        )

    return {name: download(name) for name in (HASHES, MODEL, CARD)}


def _check_hashes(address: HubAddress, files: dict[str, Path]) -> None:
    """Check files against the list they came with; all of them leave the cache if one differs."""
    try:
        hashes = json.loads(files[HASHES].read_text(encoding="utf-8"))
        differing = [name for name in (MODEL, CARD) if hashes[name] != _sha256(files[name])]
    except (ValueError, LookupError, TypeError):
        differing = [HASHES]
    if differing:
        for path in files.values():
            # The cache holds links to files.
            path.resolve().unlink(missing_ok=True)
            path.unlink(missing_ok=True)
        raise HubError(
            f"{address}: {differing[0]} is not what {HASHES} says: it was removed from the cache; "
            "fetch it again, and if it differs again, do not use it and tell its owner"
        )


def _tags(address: HubAddress) -> dict[str, str]:
    """Return the tags of a repository, each with its commit."""
    hub = HfApi()
    # Unlike the list of tags, this one does not wait for ever.
    hub.model_info(address.repository, timeout=_ANSWER_WITHIN_S)
    return {ref.name: ref.target_commit for ref in hub.list_repo_refs(address.repository).tags}


def _commit_with(address: HubAddress, listed: bytes) -> str | None:
    """Return the commit that the tag is on already, None where there is no such tag.

    Raises
    ------
    HubError
        Its files are others.
    """
    try:
        commit = _tags(address).get(address.tag)
        if commit is None:
            return None
        path = hf_hub_download(address.repository, HASHES, revision=commit)
        if Path(path).read_bytes() == listed:
            return commit
    except GatedRepoError:
        raise
    except RepositoryNotFoundError:
        return None
    except EntryNotFoundError:
        pass
    raise HubError(f"{address} exists already, with other files: choose another tag")


def _upload(
    address: HubAddress, files: dict[str, Path], listed: bytes, private: bool, message: str
) -> str:
    hub = HfApi()
    hub.create_repo(address.repository, private=private, exist_ok=True)
    additions = [CommitOperationAdd(name, str(path)) for name, path in files.items()]
    additions.append(CommitOperationAdd(HASHES, listed))
    commit = hub.create_commit(address.repository, additions, commit_message=message)
    hub.create_tag(address.repository, tag=address.tag, revision=commit.oid)
    return commit.oid


def _files_to_publish(model: Path, card: Path) -> dict[str, Path]:
    """Return files by their names in the repository."""
    files = {
        path.relative_to(card).as_posix(): path
        for path in sorted(card.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }
    if CARD not in files:
        raise HubError(f"{card} holds no {CARD}: a model is published with its card")
    return files | {MODEL: model}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _explained(address: HubAddress) -> Iterator[None]:
    """Say in a sentence why the hub did not do what it was asked for."""
    hub = constants.ENDPOINT
    try:
        yield
        return
    except HubError:
        raise
    except GatedRepoError:
        why = f"ask its owner for access on {hub}/{address.repository}, then set HF_TOKEN"
    except RepositoryNotFoundError:
        why = f"{hub} has no such repository, or it is private and HF_TOKEN may not read it"
    except (LocalEntryNotFoundError, OfflineModeIsEnabled):
        why = f"{hub} cannot be reached, and the cache {constants.HF_HUB_CACHE} has no copy of it"
    except EntryNotFoundError:
        why = f"it is no model of this project, which has {HASHES}, {MODEL} and {CARD}"
    except HfHubHTTPError as error:
        status = error.response.status_code
        why = f"{hub} answered {status} {error.response.reason_phrase}"
        if status in (401, 403):
            why += ": HF_TOKEN is not valid, or may not do this"
    except HTTPError as error:
        why = f"{hub} cannot be reached ({type(error).__name__})"
    except (RuntimeError, ValueError) as error:
        why = " ".join(str(error).split())
    # What it comes from may hold more than is to be told.
    raise HubError(f"{address}: {why}") from None
