"""The documentation builds, and what it tells readers to type works.

Of README.md, config/README.md and the pages of docs/:

- a block ```python is run, all blocks of a page in one namespace;
- a block ```yaml is a study's configuration, read over config/config.yaml; paths that begin with
  /data exist;
- a line that begins with `snakemake` is a command that Snakemake takes, with targets and
  configuration files that exist;
- a line `<!-- not run: WHY -->` right above a block exempts it.
"""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
DOCS = REPOSITORY / "docs"


def test_the_documentation_builds_without_a_warning(tmp_path):
    options = ["-q", "-W", "--keep-going", "-b", "html", "-d", tmp_path / "doctrees"]
    run = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, DOCS, tmp_path / "html"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    pages = {page.stem for page in DOCS.glob("*.md")}
    assert pages <= {page.stem for page in (tmp_path / "html").glob("*.html")}
