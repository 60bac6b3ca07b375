"""Addresses as they may be told, in messages, logs and reports: without the secrets in them."""

import re

_ACCOUNT = re.compile(r"(?<=://)[^/?\s]+@")
_QUERY = re.compile(r"(https?://[^\s?\"'<>]+|url: /[^\s?]*)\?[^\s\"'<>)]+")


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
