"""Build a pip environment from its lock file, with the interpreter that Snakemake has."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

import subprocess
import venv

folder = snakemake.output[0]
venv.create(folder, clear=True, symlinks=True, with_pip=True)
# Without what PYTHONPATH names, which is another environment's.
pip = [f"{folder}/bin/python", "-I", "-m", "pip"]
subprocess.run([*pip, "install", "--quiet", "--requirement", snakemake.input[0]], check=True)
