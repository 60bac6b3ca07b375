"""A conda channel in a folder, made of this machine's Python.

    python channel.py CHANNEL WHEEL_OF_PIP

Its packages are real ones, and rattler writes their index. What compiles is taken from the machine:
the packages of a compiler and of make are empty.
"""

import asyncio
import hashlib
import io
import json
import sys
import tarfile
import zipfile
from pathlib import Path

from rattler.index import index_fs

PLATFORM = "linux-64"
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
LIBRARY = f"lib/python{VERSION}"
# Of the standard library: what is not needed, and what is not part of it.
LEFT_OUT = {"__pycache__", "idlelib", "site-packages", "dist-packages", "test", "tests"}

Files = dict[str, Path | bytes]


def main(channel: Path, pip: Path) -> None:
    """Make the channel."""
    full = ".".join(map(str, sys.version_info[:3]))
    write_package(channel, "python", full, files_of_python())
    write_package(
        channel, "pip", pip.name.split("-")[1], files_of_wheel(pip), [f"python {VERSION}.*"]
    )
    for name in ("cxx-compiler", "make"):
        write_package(channel, name, "1.0", {})
    asyncio.run(index_fs(channel))


def files_of_python() -> Files:
    """This interpreter, its library and headers, by their places in an environment."""
    base = Path(sys.base_prefix)
    found = [file for file in (base / LIBRARY).rglob("*") if file.is_file() and file.suffix != ".a"]
    found += base.glob("lib/libpython*.so*")
    found += (base / f"include/python{VERSION}").rglob("*.h")
    places = {str(file.relative_to(base)): file for file in found}
    kept = {place: file for place, file in places.items() if not LEFT_OUT & set(Path(place).parts)}
    interpreter = base / f"bin/python{VERSION}"
    return kept | {f"bin/{name}": interpreter for name in ("python", "python3", interpreter.name)}


def files_of_wheel(wheel: Path) -> Files:
    """The files of a wheel without code that is compiled, by their places in an environment."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        return {f"{LIBRARY}/site-packages/{name}": archive.read(name) for name in names}


def write_package(
    channel: Path, name: str, version: str, files: Files, depends: list[str] | None = None
) -> None:
    """Write a package of conda's first format."""
    contents = {
        place: file if isinstance(file, bytes) else file.read_bytes()
        for place, file in files.items()
    }
    paths = [
        {
            "_path": place,
            "path_type": "hardlink",
            "sha256": hashlib.sha256(content).hexdigest(),
            "size_in_bytes": len(content),
        }
        for place, content in contents.items()
    ]
    index = {
        "name": name,
        "version": version,
        "build": "0",
        "build_number": 0,
        "depends": depends or [],
        "subdir": PLATFORM,
    }
    told = {
        "index.json": index,
        "paths.json": {"paths": paths, "paths_version": 1},
        "about.json": {},
    }
    contents |= {f"info/{file}": json.dumps(content).encode() for file, content in told.items()}
    folder = channel / PLATFORM
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / f"{name}-{version}-0.tar.bz2", "w:bz2", compresslevel=1) as archive:
        for place, content in contents.items():
            entry = tarfile.TarInfo(place)
            entry.size = len(content)
            entry.mode = 0o755 if place.startswith("bin/") or ".so" in place else 0o644
            archive.addfile(entry, io.BytesIO(content))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
