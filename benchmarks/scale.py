"""Measure what Snakemake needs to plan a large study; no job is run.

    python benchmarks/scale.py --datasets 1000 [TARGET]

The study has as many synthetic datasets as asked for, ten conditions, four of which denoise with a
network or a linear model, and six sorters. What is printed: the jobs of the plan, the seconds of
CPU until it stands and until the dry run ends, and the largest resident set.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import yaml

PROJECT = Path(__file__).parents[1]
SORTERS = ("spykingcircus2", "mountainsort5", "tridesclous2", "lupin", "simple", "kilosort4")
BANDPASS = {"name": "bandpass_filter", "params": {"freq_min": 300.0, "freq_max": 6000.0}}


def pipelines() -> dict[str, list[dict]]:
    """Ten conditions: a reference, rulers, filters, and models in front of or behind a filter."""
    first = {
        "identity": {"name": "identity"},
        "oracle": {"name": "oracle", "params": {"noise_share": 0.1}},
        "gaussian": {
            "name": "gaussian_filter",
            "params": {"freq_min": None, "freq_max": 3000.0},
        },
        "centred": {"name": "center"},
        "median": {"name": "common_reference"},
        **{
            name: {"name": "deepinterpolate", "params": {"model": name}}
            for name in ("linear", "compact", "deep")
        },
    }
    denoise = first["compact"]
    return {
        "raw": [BANDPASS],
        "compact-after-bandpass": [BANDPASS, denoise],
        **{name: [step, BANDPASS] for name, step in first.items()},
    }


def recipe(depth: int) -> dict:
    """Describe a network to be trained."""
    return {
        "network": {"rows": 5, "width": 32, "depth": depth},
        "context_ms": 1.0,
        "max_steps": 2000,
        "batch_size": 64,
        "learning_rate": 0.002,
    }


def write_study(folder: Path, datasets: int) -> None:
    """Write a folder in which Snakemake finds the configuration of a study."""
    conditions = pipelines()
    study = {
        "study": {
            "seed": 1,
            "datasets": "datasets.tsv",
            "replicates": 1,
            "conditions": list(conditions),
            "reference": "raw",
            "sorters": list(SORTERS),
        },
        "ground_truth": {
            "simulated": {
                "probe": "NP1010",
                "channels": 96,
                "sampling_frequency_hz": 30_000.0,
                "duration_s": 600.0,
                "gain_uv_per_bit": 2.34,
                "units": {"number": 60, "peak_uv": [20.0, 200.0], "firing_rate_hz": [1.0, 15.0]},
                "background": {
                    "number": 60,
                    "peak_uv": [3.0, 10.0],
                    "firing_rate_hz": [1.0, 15.0],
                },
                "noise": {"independent": {"level_uv": 8.0}},
            }
        },
        "conditions": conditions,
        "models": {
            "linear": {"network": {"family": "linear", "rows": 5}, "context_ms": 1.0},
            "compact": recipe(depth=5),
            "deep": recipe(depth=8),
        },
        "sorters": {name: {} for name in SORTERS},
    }
    rows = (f"tissue-{index:04d}\tsynthetic\tsimulated" for index in range(datasets))
    (folder / "datasets.tsv").write_text("\n".join(["dataset\tkind\tparameters", *rows]))
    (folder / "config").mkdir()
    (folder / "config/config.yaml").write_text(yaml.safe_dump(study, sort_keys=False))


def plan(folder: Path, *arguments: str) -> dict[str, float]:
    """Make a dry run; say how many jobs it plans and what that took.

    Returns
    -------
    dict
        jobs, plan_cpu_s (until the plan stands), dry_run_cpu_s (to the end), peak_gb.
    """
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(PROJECT / "Snakefile")]
    command += ["--directory", str(folder), "--dry-run", "--nocolor", *arguments]
    command += ["--quiet", "rules", "reason"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
    )
    measured: dict[str, float] = {}
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("Job stats:"):
            used = psutil.Process(process.pid).cpu_times()
            measured.setdefault("plan_cpu_s", used.user + used.system)
        elif total := re.fullmatch(r"total\s+(\d+)\s*", line):
            measured.setdefault("jobs", int(total[1]))
    _, status, used = os.wait4(process.pid, 0)
    if status or "jobs" not in measured:
        sys.exit("".join(said))
    measured["dry_run_cpu_s"] = used.ru_utime + used.ru_stime
    measured["peak_gb"] = used.ru_maxrss * 1024 / 1e9
    return {name: round(value, 2) for name, value in measured.items()}


def main() -> None:
    """Read the arguments, plan the study in a folder that is removed afterwards, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--datasets", type=int, default=1000)
    parser.add_argument("arguments", nargs="*", help="targets, after -- also options of Snakemake")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_study(Path(folder), options.datasets)
        print(json.dumps(plan(Path(folder), *options.arguments)))


if __name__ == "__main__":
    main()
