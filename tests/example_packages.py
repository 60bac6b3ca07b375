"""A denoiser and a sorter of a reader's own, as the pages on them describe them."""

import subprocess
import sys
from pathlib import Path

from pages import PROJECT, files_of


def install_examples(target: Path, scratch: Path) -> None:
    """Install the packages that docs/your_denoiser.md and docs/your_sorter.md show, with pip."""
    sources = []
    for page in ("your_denoiser", "your_sorter"):
        sources.append(scratch / page)
        sources[-1].mkdir()
        for name, text in files_of(PROJECT / f"docs/{page}.md").items():
            (sources[-1] / name).write_text(text)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--target", str(target)]
    subprocess.run([*pip, *options, *sources], check=True, stdin=subprocess.DEVNULL)
