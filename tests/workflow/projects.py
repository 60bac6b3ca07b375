"""Copies of the project in folders of their own, run from a shell as a user runs them."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pandas as pd
import psutil
import yaml

PROJECT = Path(__file__).parents[2]
PARTS = ("Snakefile", "workflow", "config", "envs", "profiles", "CITATION.cff")
STUDY = Path(__file__).with_name("study.yaml")
# What a clock or a machine decides, and no seed.
MEASURED = ["seconds", "training_seconds", "peak_memory_mb"]
TABLES = [
    "units",
    "sortings",
    "noise",
    "noise_parts",
    "traces",
    "models",
    "training",
    "effects",
    "noise_alone",
    "noise_alone_sortings",
    "transient_spread",
    "rounding",
    "recordings",
    "noise_transfer",
    "residual",
    "residual_spectra",
    "residual_covariance",
    "attenuation",
    "detectability",
]


def project_in(folder: Path, **changes: object) -> Path:
    """Copy the project to a folder, with the small study beside its configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        place = PROJECT / part
        if place.is_dir():
            shutil.copytree(place, folder / part, dirs_exist_ok=True)
        else:
            shutil.copy(place, folder / part)
    (folder / "study.yaml").write_text(yaml.safe_dump(small_study_with(changes), sort_keys=False))
    return folder


def small_study_with(changes: Mapping[str, object]) -> dict:
    """The configuration of the small study, but for some keys: `study__seed` is `study: {seed}`."""
    study = yaml.safe_load(STUDY.read_text())
    for keys, value in changes.items():
        inner = study
        *path, last = keys.split("__")
        for key in path:
            inner = inner.setdefault(key, {})
        inner[last] = value
    return study


def command(*arguments: str, configfiles: tuple[str, ...] = ("study.yaml",)) -> list[str]:
    chosen = ["--configfile", *configfiles] if configfiles else []
    return [sys.executable, "-m", "snakemake", *arguments, *chosen]


def snakemake(
    folder: Path, *arguments: str, **options: tuple[str, ...]
) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(*arguments, **options), cwd=folder, capture_output=True, text=True, check=False
    )


def said(run: subprocess.CompletedProcess) -> str:
    return run.stdout + run.stderr


def conda_in(root: Path) -> Path:
    """Put what stands in for conda under a folder; the folder of its commands."""
    stand_in = Path(__file__).with_name("conda") / "stand_in.py"
    commands = {
        "conda": f'#!/bin/sh\nexec {sys.executable} -I {stand_in} "{root}" "$@"\n',
        "activate": 'export CONDA_PREFIX="$1" PATH="$1/bin:$PATH"\n',
    }
    (root / "bin").mkdir()
    for name, text in commands.items():
        (root / "bin" / name).write_text(text)
        (root / "bin" / name).chmod(0o755)
    return root / "bin"


def tables_of(folder: Path) -> dict[str, pd.DataFrame]:
    tables = {
        name: pd.read_parquet(folder / "results/tables" / f"{name}.parquet") for name in TABLES
    }
    return {name: table.drop(columns=MEASURED, errors="ignore") for name, table in tables.items()}


def assert_same_tables(one: Path, other: Path) -> None:
    others = tables_of(other)
    for name, table in tables_of(one).items():
        pd.testing.assert_frame_equal(table, others[name], check_exact=True, obj=name)


def truth_files(folder: Path) -> dict[str, bytes]:
    root = folder / "results/ground_truth"
    names = ["traces_cached_seg0.raw", "spikes.npy", "truth.json"]
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.name in names
    }


def leftovers(folder: Path) -> list[Path]:
    """Unfinished files and folders, which carry a name of their own while they are written."""
    return list((folder / "results").rglob(".*~*"))


def wait_for(condition, seconds: float = 120.0):
    """Poll until a condition holds; its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.2)
    raise AssertionError("waited in vain")


def runs(process: psutil.Process, script: str) -> bool:
    """Whether a process is the Python that runs a script of the workflow."""
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return len(words) == 2 and words[1].endswith(f".{script}.py")


def job_running(process: subprocess.Popen, script: str) -> psutil.Process | None:
    """The process that runs a script of the workflow below a Snakemake."""
    below = psutil.Process(process.pid).children(recursive=True)
    return next((child for child in below if runs(child, script)), None)


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    """Start Snakemake as from a terminal of its own; what it says goes to `terminal.txt`."""
    with (folder / "terminal.txt").open("w") as terminal:
        return subprocess.Popen(
            command(*arguments),
            cwd=folder,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            # Ctrl-C is ignored below a shell's background job.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


def end(process: subprocess.Popen) -> None:
    """Kill a Snakemake and all that runs below it, if anything does."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def job_in(folder: Path, script: str) -> psutil.Process | None:
    """The process that runs a script of the workflow in a folder, whoever started it."""
    found = (process for process in psutil.process_iter() if runs(process, script))
    return next((job for job in found if Path(job.cwd()) == folder.resolve()), None)
