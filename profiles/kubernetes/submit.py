"""Hand the script of a job to Kubernetes, and print the name of what Kubernetes made of it."""

import argparse
import json
import subprocess
from pathlib import Path


def manifest(asked: argparse.Namespace) -> dict:
    """Describe a job of one pod, which is tried once: it is Snakemake that tries again."""
    limits = {"memory": f"{asked.memory_mb}M"}
    if asked.gpus:
        limits["nvidia.com/gpu"] = asked.gpus
    container = {
        "name": "job",
        "image": asked.image,
        "command": ["sh", str(Path(asked.script).resolve())],
        "workingDir": str(Path.cwd()),
        "resources": {"requests": {"cpu": asked.cpus} | limits, "limits": limits},
        "volumeMounts": [{"name": "shared", "mountPath": asked.mount}],
    }
    pod = {
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": "shared", "persistentVolumeClaim": {"claimName": asked.claim}}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"generateName": "ephys-deepinterpolation-"},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": 60 * asked.minutes,
            "ttlSecondsAfterFinished": 24 * 3600,
            "template": {"spec": pod},
        },
    }


def main() -> None:
    """Read the command line, which Snakemake ends with the script."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("image", "claim", "mount"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("cpus", "memory-mb", "minutes", "gpus"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("script")
    job = json.dumps(manifest(parser.parse_args()))
    subprocess.run(["kubectl", "create", "-o", "name", "-f", "-"], input=job, text=True, check=True)


if __name__ == "__main__":
    main()
