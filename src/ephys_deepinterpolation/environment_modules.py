"""Software that a computing centre offers as modules, which `module load` puts on the path."""

import subprocess
from collections.abc import Sequence

# Where the modules put no Python first on the path, Snakemake takes its own without a word.
_SCRIPT = """
module purge || exit
ambient=${PATH%%:*}
module load "$@" || exit
[ "${PATH%%:*}" != "$ambient" ] && [ -x "${PATH%%:*}/python" ] && exit
echo "error: no python of theirs comes first on the path" >&2
exit 1
"""


def loading_problem(names: Sequence[str]) -> str | None:
    """Say why jobs cannot run with the Python of these modules, None where they can.

    Parameters
    ----------
    names : sequence of str
        In the order in which they are loaded.
    """
    command = ["bash", "-c", _SCRIPT, "bash", *names]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode == 0:
        return None
    told = [line.strip() for line in run.stderr.splitlines() if line.strip()]
    errors = [line for line in told if "error" in line.lower()]
    return (errors or told[-1:] or [f"exit code {run.returncode}"])[0]
