"""Files on web servers and in S3 buckets: found, and downloaded in spite of interruptions.

Snakemake's storage plugins (http 0.3.1, s3 0.3.6) do not serve here. An interrupted transfer ends
the workflow, whatever the rule's `retries`, and begins anew; a plan asks the network for what is
not there yet; there is no checksum; a second copy stays beside the first; and an object whose key
holds `..` is written outside of its folder.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import boto3
import botocore.exceptions
import requests
import urllib3.exceptions
from botocore import UNSIGNED
from botocore.config import Config

from ephys_deepinterpolation.addresses import without_secrets

_BLOCK = 2**20
_REPORTED = 10**9
_TIMEOUTS_S = (10.0, 60.0)
# Before each new attempt; counted anew whenever an attempt got further than all before it.
_PAUSES_S = (1.0, 5.0, 20.0, 60.0)
_TOO_BUSY = 429
_MISSING = (404, 410)
_REFUSED = (401, 403)
_CHANGED = 412
_PARTIAL = 206

Result = TypeVar("Result")


class SourceError(RuntimeError):
    """Data that cannot be fetched, or are not what the configuration asks for.

    Its message holds no secret of an address. What it is raised from may: raise it from None.
    """

    def __init__(self, message: str):
        super().__init__(without_secrets(message))


class InterruptionError(SourceError):
    """A transfer that broke off or did not begin, and may succeed when tried again."""


@dataclass(frozen=True)
class RemoteFile:
    """A file that can be read from any byte on.

    Attributes
    ----------
    url : str
        What messages call it.
    name : str
        Its path, relative and with slashes, within what is fetched.
    size : int or None
        In bytes; None where the server does not say.
    read_from : callable
        Takes a number of bytes to pass over; returns how many the server did pass over, that
        many or none, and the blocks that follow. Raises `InterruptionError`.
    """

    url: str
    name: str
    size: int | None
    read_from: Callable[[int], tuple[int, Iterator[bytes]]]


def find_web_file(url: str) -> RemoteFile:
    """Find a file on a web server.

    Parameters
    ----------
    url : str
        `https://...` or `http://...`; the last part of its path names the file.

    Raises
    ------
    SourceError
        It is not there, or its server cannot be reached.
    """
    with patiently(lambda: _request(url, {})) as response:
        length = response.headers.get("Content-Length")
        tag = response.headers.get("ETag", "")
    # Only a strong tag promises the same bytes.
    same = {"If-Range": tag} if tag.startswith('"') else {}

    def read_from(offset):
        headers = {"Range": f"bytes={offset}-", **same} if offset else {}
        response = _request(url, headers)
        resumed = response.status_code == _PARTIAL
        return offset if resumed else 0, _web_blocks(url, response)

    name = unquote(PurePosixPath(urlsplit(url).path).name)
    size = int(length) if length else None
    return RemoteFile(without_secrets(url), _within(name, url), size, read_from)


def _request(url: str, headers: dict[str, str]) -> requests.Response:
    """Begin to read a file; its body, still to come, is left as the server sends it."""
    headers = {"Accept-Encoding": "identity", **headers}
    try:
        response = requests.get(url, headers=headers, stream=True, timeout=_TIMEOUTS_S)
    except (requests.ConnectionError, requests.Timeout) as error:
        raise InterruptionError(f"{url} cannot be reached: {error}") from None
    except (requests.RequestException, urllib3.exceptions.LocationParseError) as error:
        raise SourceError(f"{url} cannot be fetched: {error}") from None
    passed = [step.url for step in (*response.history, response)]
    if url.startswith("https:") and any(not step.startswith("https:") for step in passed):
        response.close()
        raise SourceError(f"{url} leads to an address without encryption: nothing was fetched")
    if not response.ok:
        response.close()
        raise _refusal(url, response.status_code, response.reason)
    return response


def _web_blocks(url: str, response: requests.Response) -> Iterator[bytes]:
    with response:
        try:
            yield from response.raw.stream(_BLOCK, decode_content=False)
        except urllib3.exceptions.HTTPError as error:
            raise InterruptionError(f"{url} broke off: {error}") from None


def _refusal(url: str, status: int, reason: str) -> SourceError:
    """Say what a server's answer means."""
    if status in _MISSING:
        return SourceError(f"there is nothing at {url} (the server answers {status})")
    if status in _REFUSED:
        return SourceError(f"{url} is not there or not open to all (the server answers {status})")
    if status == _CHANGED:
        return SourceError(f"{url} changed while it was fetched")
    if status == _TOO_BUSY or status >= 500:
        return InterruptionError(
            f"{url} is not to be had now: the server answers {status} {reason}"
        )
    return SourceError(f"{url} cannot be fetched: the server answers {status} {reason}")


def find_bucket_files(url: str, endpoint: str | None, unsigned: bool) -> list[RemoteFile]:
    """Find an object of an S3 bucket, or all objects below a prefix.

    Parameters
    ----------
    url : str
        `s3://bucket/key` for one object, `s3://bucket/prefix/` for all those below a prefix.
    endpoint : str, optional
        The address of a server other than Amazon's.
    unsigned : bool
        Whether to ask without credentials, as for a public bucket.

    Raises
    ------
    SourceError
        There is nothing, or nothing that may be read.
    """
    signature = UNSIGNED if unsigned else None
    connect, read = _TIMEOUTS_S
    # Its own attempts would multiply those made here.
    config = Config(
        signature_version=signature,
        connect_timeout=connect,
        read_timeout=read,
        retries={"total_max_attempts": 1},
    )
    client = boto3.Session().client("s3", endpoint_url=endpoint, config=config)
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not key.endswith("/"):
        with_key = {"Bucket": bucket, "Key": key}
        found = patiently(lambda: _call(url, client.head_object, **with_key))
        name = PurePosixPath(key).name
        return [_bucket_file(client, bucket, key, name, found["ContentLength"], found["ETag"])]
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
    objects = patiently(lambda: _call(url, lambda: list(pages.search("Contents[]"))))
    files = [
        _bucket_file(client, bucket, found["Key"], name, found["Size"], found["ETag"])
        for found in objects
        # Some tools mark a folder by an empty object whose key ends in a slash.
        if found and not (name := found["Key"].removeprefix(key)).endswith("/") and name
    ]
    if not files:
        raise SourceError(f"there is nothing at {url} (the list of its objects is empty)")
    return files


def _bucket_file(client: Any, bucket: str, key: str, name: str, size: int, tag: str) -> RemoteFile:
    url = f"s3://{bucket}/{key}"

    def read_from(offset):
        request = {"Bucket": bucket, "Key": key, "IfMatch": tag}
        if offset:
            request["Range"] = f"bytes={offset}-"
        return offset, _bucket_blocks(url, _call(url, client.get_object, **request)["Body"])

    return RemoteFile(url, _within(name, url), size, read_from)


def _bucket_blocks(url: str, body: Any) -> Iterator[bytes]:
    with body, _bucket_errors(url):
        yield from body.iter_chunks(_BLOCK)


def _call(url: str, function: Callable[..., Result], **arguments: Any) -> Result:
    with _bucket_errors(url):
        return function(**arguments)


@contextmanager
def _bucket_errors(url: str) -> Iterator[None]:
    """Tell errors that may pass from those that will not."""
    try:
        yield
    except botocore.exceptions.ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        raise _refusal(url, status, error.response["Error"].get("Message", "")) from None
    except (
        botocore.exceptions.ConnectionError,
        botocore.exceptions.HTTPClientError,
        botocore.exceptions.IncompleteReadError,
        urllib3.exceptions.HTTPError,
    ) as error:
        raise InterruptionError(f"{url} broke off or cannot be reached: {error}") from None
    except botocore.exceptions.BotoCoreError as error:
        raise SourceError(f"{url} cannot be fetched: {error}") from None


def _within(name: str, url: str) -> str:
    """Refuse a name that would leave its folder, or that a terminal would not print as it is."""
    leaves = any(part in ("", ".", "..") for part in name.split("/"))
    if leaves or "\\" in name or not name.isprintable():
        raise SourceError(f"{url} cannot be a file below a folder: nothing was fetched")
    return name


def download(file: RemoteFile, path: Path) -> str:
    """Write a remote file to a path, and go on where a transfer broke off.

    Returns
    -------
    str
        SHA-256 of what was written, hexadecimal.

    Raises
    ------
    SourceError
        It cannot be had, even after several attempts.
    OSError
        It cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as local:
        digest = hashlib.sha256()

        def attempt():
            nonlocal digest
            if local.tell() == file.size:
                return
            passed_over, blocks = file.read_from(local.tell())
            if passed_over < local.tell():
                local.seek(0)
                local.truncate()
                digest = hashlib.sha256()
            for block in blocks:
                local.write(block)
                digest.update(block)
                if local.tell() % _REPORTED < len(block):
                    print(f"{file.url}: {local.tell() / 1e9:.0f} GB", flush=True)
            if file.size is not None and local.tell() != file.size:
                found = f"{local.tell()} of {file.size} bytes"
                raise InterruptionError(f"{file.url} ended after {found}")

        patiently(attempt, local.tell)
        return digest.hexdigest()


def patiently(attempt: Callable[[], Result], reached: Callable[[], int] = lambda: 0) -> Result:
    """Call until it is not interrupted; give up when several attempts got no further.

    Parameters
    ----------
    attempt : callable
        What to call.
    reached : callable
        How far the attempts have got.
    """
    furthest = failures = 0
    while True:
        try:
            return attempt()
        except InterruptionError as error:
            if reached() > furthest:
                furthest, failures = reached(), 0
            if failures == len(_PAUSES_S):
                raise
            print(f"{error}; trying again in {_PAUSES_S[failures]:g} s", flush=True)
            time.sleep(_PAUSES_S[failures])
            failures += 1
