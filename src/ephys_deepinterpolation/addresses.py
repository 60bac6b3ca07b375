"""Addresses: of models on a hub, and how any may be told, without the secrets in it."""

import re
from dataclasses import dataclass

HUB = "hf://"
_FORM = f"{HUB}owner/name@tag"
# As the hub allows them.
_NAME = r"\w(?:[\w.-]{0,94}\w)?"
_REPOSITORY = re.compile(rf"(?!.*(?:--|\.\.|\.git\Z)){_NAME}/{_NAME}", re.ASCII)
_TAG = re.compile(r"(?!.*(?:\.\.|\.lock\Z|\.\Z))\w[\w.-]*", re.ASCII)
_BRANCH = "main"

_ACCOUNT = re.compile(r"(?<=://)[^/?\s]+@")
_QUERY = re.compile(r"(https?://[^\s?\"'<>]+|url: /[^\s?]*)\?[^\s\"'<>)]+")


class AddressError(ValueError):
    """An address that names no model."""


@dataclass(frozen=True)
class HubAddress:
    """A model on a hub, at one of its tags.

    Attributes
    ----------
    repository : str
        `owner/name`.
    tag : str
    """

    repository: str
    tag: str

    def __str__(self) -> str:
        return f"{HUB}{self.repository}@{self.tag}"


def is_hub_address(text: object) -> bool:
    """Whether a text means a model on a hub, rightly written or not."""
    return isinstance(text, str) and text.startswith(HUB)


def hub_address(text: str) -> HubAddress:
    """Read an address as `hf://owner/name@tag`.

    Raises
    ------
    AddressError
        It has another form, or names no tag.
    """
    repository, _, tag = text.removeprefix(HUB).partition("@")
    told = without_secrets(text)
    if not is_hub_address(text) or not _REPOSITORY.fullmatch(repository):
        raise AddressError(f"{told!r} is no address of a model: write {_FORM}")
    if not tag:
        raise AddressError(f"{told} names no tag: write {told.rstrip('@')}@v1, with the tag wanted")
    if not _TAG.fullmatch(tag):
        raise AddressError(f"{told!r} has no tag in letters, digits, '.', '_' and '-': {_FORM}")
    if tag == _BRANCH:
        raise AddressError(f"{told} names a branch, which changes: name a tag, as {_FORM}")
    return HubAddress(repository, tag)


def without_secrets(text: str) -> str:
    """Leave out accounts, passwords and queries, such as tokens and signatures, of addresses.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
    """
    return _QUERY.sub(r"\1?…", _ACCOUNT.sub("", text))
