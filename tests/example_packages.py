"""A denoiser and a sorter of a reader's own, as the pages on them describe it."""

import subprocess
import sys
from pathlib import Path

from pages import PROJECT, files_of


def install_examples(target: Path, scratch: Path) -> None:
    """Install the package of docs/your_denoiser.md with pip; put the sorter of the other beside.

    Every Python that has the target on its path knows both: it runs `sitecustomize` when it starts,
    as it runs the `.pth` file of which the page on sorters speaks.
    """
    source = scratch / "denoiser"
    source.mkdir()
    for name, text in files_of(PROJECT / "docs/your_denoiser.md").items():
        (source / name).write_text(text)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--target", str(target)]
    subprocess.run([*pip, *options, str(source)], check=True, stdin=subprocess.DEVNULL)
    for name, text in files_of(PROJECT / "docs/your_sorter.md").items():
        (target / name).write_text(text)
    (target / "sitecustomize.py").write_text("import my_sorter\n")
