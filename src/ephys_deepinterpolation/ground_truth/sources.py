"""Data from a package registry, a web server or an S3 bucket: fetched, checked and unpacked."""

import errno
import gzip
import hashlib
import lzma
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from ephys_deepinterpolation.addresses import without_secrets
from ephys_deepinterpolation.files import whole_folder
from ephys_deepinterpolation.ground_truth.transfers import (
    RemoteFile,
    SourceError,
    download,
    find_bucket_files,
    find_web_file,
)

_CONNECTIONS = 8
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_ENCRYPTED = 1
# What zipfile and tarfile raise on an archive that is none, is cut or damaged.
_DAMAGES = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    NotImplementedError,
    ValueError,
)


def fetch_source(
    folder: Path | str,
    sha256: str | None,
    package: str | None = None,
    url: str | None = None,
    endpoint: str | None = None,
    unsigned: bool = True,
    unpack: bool = False,
) -> None:
    """Fetch data, check their hash, and put them in a folder that appears whole or not at all.

    A transfer that breaks off goes on where it stopped, if the server can, and is tried again a
    few times. None of what is fetched is run.

    Parameters
    ----------
    folder : path
        Where the data go.
    sha256 : str, optional
        Hexadecimal: of the package's wheel, of the file, or of the list of a prefix's files that
        `sha256sum` prints, sorted by name: see `hash_of_files`. None fetches what there is, and
        prints its hash.
    package : str, optional
        `name==version` of a Python package; its wheel is unpacked. Either this or `url` is given.
    url : str, optional
        `https://...` and `http://...` name a file, `s3://bucket/key` an object, and
        `s3://bucket/prefix/` all objects below a prefix.
    endpoint : str, optional
        The address of an S3 server other than Amazon's.
    unsigned : bool
        Whether to ask an S3 server without credentials, as for a public bucket.
    unpack : bool
        Whether the file is a zip or tar archive whose content is wanted.

    Raises
    ------
    SourceError
        The data cannot be had, are others than the hash says, or do not fit on the disk.
    """
    assert package or url
    what = without_secrets(package or url or "")
    with _disk_explained(what, Path(folder)), whole_folder(folder) as unfinished:
        if url is None or unpack:
            with tempfile.TemporaryDirectory(dir=unfinished) as downloads:
                if url is None:
                    archive, found = _download_wheel(what, Path(downloads))
                else:
                    archive, found = _download_archive(url, endpoint, unsigned, Path(downloads))
                _check_hash(what, found, sha256)
                _unpack(what, archive, unfinished)
        else:
            files = _find(url, endpoint, unsigned)
            hashes = _download_all(url, files, unfinished)
            found = hash_of_files(hashes) if url.endswith("/") else hashes[files[0].name]
            _check_hash(what, found, sha256)


def hash_of_files(hashes: dict[str, str]) -> str:
    r"""Hash what `sha256sum` prints of a folder's files, sorted by name.

    In the folder, it is the hash that this prints::

        find . -type f -printf '%P\n' | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum

    Parameters
    ----------
    hashes : dict of str to str
        SHA-256 of each file, hexadecimal, by its path relative to the folder.

    Returns
    -------
    str
        SHA-256, hexadecimal.
    """
    lines = (f"{hashes[name]}  {name}\n" for name in sorted(hashes))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _find(url: str, endpoint: str | None, unsigned: bool) -> list[RemoteFile]:
    if url.startswith("s3://"):
        return find_bucket_files(url, endpoint, unsigned)
    return [find_web_file(url)]


def _download_all(url: str, files: list[RemoteFile], folder: Path) -> dict[str, str]:
    """Download files into a folder, several at a time; their hashes by name."""
    size = sum(file.size or 0 for file in files)
    told = f"{len(files)} file(s), {size / 1e6:.1f} MB as far as told"
    print(f"{without_secrets(url)}: {told}", flush=True)
    _check_room(url, size, folder)
    with ThreadPoolExecutor(_CONNECTIONS) as connections:
        hashes = connections.map(lambda file: download(file, folder / file.name), files)
        return {file.name: found for file, found in zip(files, hashes, strict=True)}


def _download_archive(
    url: str, endpoint: str | None, unsigned: bool, folder: Path
) -> tuple[Path, str]:
    files = _find(url, endpoint, unsigned)
    hashes = _download_all(url, files, folder)
    name = files[0].name
    return folder / name, hashes[name]


def _download_wheel(package: str, folder: Path) -> tuple[Path, str]:
    """Download the wheel of a Python package, and hash it."""
    # Without the check of pip's own version the last line on stderr is the error.
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(folder), package]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if finished.returncode or len(wheels) != 1:
        lines = finished.stderr.strip().splitlines() or ["pip gave no reason"]
        raise SourceError(f"cannot download {package}: {lines[-1]}")
    with wheels[0].open("rb") as wheel:
        return wheels[0], hashlib.file_digest(wheel, "sha256").hexdigest()


def _check_hash(what: str, found: str, sha256: str | None) -> None:
    if sha256 is None:
        print(f"{what} has sha256 {found}: write it into the configuration to be sure of it")
    elif found != sha256:
        raise SourceError(
            f"{what} has sha256 {found}, not {sha256} as the configuration says: nothing was kept"
        )


def _check_room(what: str, size: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise SourceError(
            f"{what} takes {size / 1e6:.1f} MB, and {folder.parent} has {free / 1e6:.1f} MB left: "
            "nothing was kept"
        )


def _unpack(what: str, archive: Path, folder: Path) -> None:
    """Unpack a zip or tar archive, each member inside the folder, whatever its name says.

    Neither writes more than the size that a member declares.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as members:
                listed = members.infolist()
                if any(member.flag_bits & _ENCRYPTED for member in listed):
                    raise zipfile.BadZipFile("it is encrypted")
                _check_room(what, sum(member.file_size for member in listed), folder)
                # A link becomes a small file, and `..` is left out of names.
                members.extractall(folder)
        else:
            with tarfile.open(archive) as members:
                members.extractall(folder, filter=_plain_members(what))
    except _DAMAGES as error:
        raise SourceError(f"{what} cannot be unpacked as zip or tar: {error}") from None


def _plain_members(what: str) -> Callable[[tarfile.TarInfo, str], tarfile.TarInfo | None]:
    """Make a filter that refuses what is neither a file nor a folder, and more than fits."""

    def check(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
        if not member.isfile() and not member.isdir():
            raise SourceError(
                f"{what} cannot be unpacked: {member.name!r} is a link or a device, and only files "
                "and folders are taken out of an archive"
            )
        _check_room(what, member.size, Path(folder))
        return tarfile.data_filter(member, folder)

    return check


@contextmanager
def _disk_explained(what: str, folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise SourceError(
                f"{what} cannot be written below {folder.parent}: {error.strerror or error}"
            ) from None
        raise SourceError(
            f"the disk of {folder.parent} was full before {what} was complete: nothing was kept"
        ) from error
