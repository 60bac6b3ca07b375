"""The workflow on a real Slurm, started here on loopback: it ends as it does without one."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
import yaml

from projects import (
    assert_same_tables,
    command,
    job_in,
    leftovers,
    project_in,
    said,
    snakemake,
    truth_files,
    wait_for,
)

SCRIPTS = Path(__file__).with_name("slurm")
ABSENT = [tool for tool in ("slurmctld", "slurmd", "munged") if shutil.which(tool) is None]
PROFILE = ("--profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "2")
TRUTH = "results/ground_truth/tiny-synthetic/0"
MODEL = "results/models/tiny-synthetic/0/compact/di/model.safetensors"

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(bool(ABSENT), reason=f"not installed: {', '.join(ABSENT)}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="Slurm's daemons are started by root"),
]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """A Slurm of one node, this machine; the folder of its logs."""
    folder = tmp_path_factory.mktemp("slurm")
    subprocess.run([SCRIPTS / "start.sh", folder], check=True)
    yield folder
    subprocess.run([SCRIPTS / "stop.sh"], check=True)


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """Recording and model of the small study, made without a cluster."""
    folder = project_in(tmp_path_factory.mktemp("local"))
    run = snakemake(folder, MODEL, "--cores", "2")
    assert run.returncode == 0, said(run)
    return folder


@pytest.fixture
def folder(tmp_path):
    return project_in(tmp_path / "study")


def ask(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def jobs(slurm: Path, folder: Path) -> list[dict[str, str]]:
    """What Slurm noted of the jobs of a study that ended, in the order of their ends."""
    lines = (slurm / "jobs.txt").read_text().splitlines()
    found = [dict(re.findall(r"(\w+)=(\S*)", line)) for line in lines]
    return [
        {
            "id": job["JobId"],
            "state": job["JobState"],
            "partition": job["Partition"],
            "mb": int(re.search(r"mem=(\d+)", job["Tres"])[1]),
        }
        for job in found
        if job["WorkDir"] == str(folder)
    ]


def waiting_or_running(folder: Path) -> list[str]:
    """The jobs of a study that did not end yet."""
    found = ask("squeue", "--noheader", "--format", "%A %Z").splitlines()
    lines = [line.split(maxsplit=1) for line in found]
    return [job for job, place in lines if place == str(folder)]


def start(folder: Path, target: str, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        command(target, *PROFILE, *arguments),
        cwd=folder,
        stdout=(folder / "said").open("w"),
        stderr=subprocess.STDOUT,
        # As in a terminal, also where these tests run in the background.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def running(folder: Path, script: str) -> psutil.Process:
    return wait_for(lambda: job_in(folder, script), seconds=600)


def ended_well(process: subprocess.Popen, folder: Path) -> None:
    assert process.wait(timeout=1800) == 0, (folder / "said").read_text()


def models(folder: Path) -> dict[str, bytes]:
    root = folder / "results/models"
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("model.safetensors")
    }


def test_a_study_on_slurm_has_the_tables_models_and_recordings_of_a_local_one(slurm, local, folder):
    for run in (snakemake(local, "--cores", "2"), snakemake(folder, *PROFILE)):
        assert run.returncode == 0, said(run)
    assert_same_tables(folder, local)
    assert truth_files(folder) == truth_files(local)
    assert models(folder) == models(local)
    assert (folder / "results/report.html").exists()
    ran = jobs(slurm, folder)
    assert {job["state"] for job in ran} == {"COMPLETED"}
    assert len(ran) < 20, "short jobs go in groups"


def test_a_job_that_takes_more_memory_than_it_asked_for_asks_for_more(slurm, local, folder):
    less = "generate_synthetic:mem_mb=450*attempt**3"
    run = snakemake(folder, TRUTH, *PROFILE, "--set-resources", less)
    assert run.returncode == 0, said(run)
    ran = jobs(slurm, folder)
    assert [job["mb"] for job in ran] == [450, 3600]
    assert ran[0]["state"] in ("OUT_OF_MEMORY", "FAILED", "CANCELLED")
    assert ran[1]["state"] == "COMPLETED"
    assert truth_files(folder) == truth_files(local)


def test_a_job_gets_the_gpu_that_it_asks_for_in_the_partition_that_has_one(slurm, folder):
    partitions = {"main": {}, "gpu": {"max_gpu": 1}}
    (folder / "partitions.yaml").write_text(yaml.safe_dump({"partitions": partitions}))
    chosen = ("--slurm-partition-config", "partitions.yaml")
    for gpus, partition in ((0, "main"), (1, "gpu")):
        asked = f"generate_synthetic:gpu={gpus}"
        run = snakemake(folder, TRUTH, "--force", *PROFILE, *chosen, "--set-resources", asked)
        assert run.returncode == 0, said(run)
        job = jobs(slurm, folder)[-1]
        assert job["partition"] == partition
        shown = ask("scontrol", "show", "job", job["id"])
        assert ("TresPerJob=gres:gpu:1" in shown) == bool(gpus)


def test_a_job_that_takes_too_long_gets_more_time(slurm, local, folder):
    less = "generate_synthetic:runtime=30**(attempt-1)"
    process = start(folder, TRUTH, "--set-resources", less)
    job = running(folder, "generate_synthetic")
    os.kill(job.pid, signal.SIGSTOP)  # It hangs until the minute is over.
    ended_well(process, folder)
    assert [job["state"] for job in jobs(slurm, folder)] == ["TIMEOUT", "COMPLETED"]
    assert truth_files(folder) == truth_files(local)


def test_a_job_of_a_lost_node_runs_again(slurm, local, folder):
    process = start(folder, TRUTH)
    job = running(folder, "generate_synthetic")
    os.kill(job.pid, signal.SIGSTOP)  # For it not to end before its node.
    lose_node(slurm)
    wait_for(lambda: node_state().startswith("down"))
    subprocess.run(["slurmd", "-N", os.uname().nodename.split(".")[0]], check=True)
    ended_well(process, folder)
    assert jobs(slurm, folder)[-1]["state"] == "COMPLETED"
    assert "attempt" not in (folder / "said").read_text(), "Slurm itself ran it again"
    assert truth_files(folder) == truth_files(local)
    assert not leftovers(folder)


def lose_node(slurm: Path) -> None:
    """End the node's daemon and everything it runs, as a cut of its power does."""
    daemon = psutil.Process(int((slurm / "slurmd.pid").read_text()))
    steps = [process for process in psutil.process_iter() if process.name() == "slurmstepd"]
    for process in [daemon, *steps, *(child for step in steps for child in step.children(True))]:
        process.kill()


def node_state() -> str:
    return ask("sinfo", "--noheader", "--partition", "main", "--format", "%T").strip()


def test_ctrl_c_cancels_the_jobs(slurm, folder):
    process = start(folder, TRUTH)
    job = running(folder, "generate_synthetic")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=300) != 0
    wait_for(lambda: not job.is_running())
    wait_for(lambda: [job["state"] for job in jobs(slurm, folder)] == ["CANCELLED"])
    assert not (folder / TRUTH).exists()


def test_after_kill_9_of_snakemake_the_job_is_cancelled_by_hand_and_the_study_goes_on(
    slurm, local, folder
):
    process = start(folder, MODEL)
    job = running(folder, "train")
    process.kill()
    process.wait()
    assert job.is_running(), "a cluster's job does not end with Snakemake"

    locked = snakemake(folder, MODEL, *PROFILE)
    assert locked.returncode != 0
    assert "--unlock" in said(locked)

    subprocess.run(["scancel", *waiting_or_running(folder)], check=True)
    wait_for(lambda: not job.is_running())
    assert snakemake(folder, "--unlock").returncode == 0
    run = snakemake(folder, MODEL, *PROFILE)
    assert run.returncode == 0, said(run)
    assert models(folder) == models(local)
    assert not leftovers(folder)
