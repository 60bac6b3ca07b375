"""Faults of machines and processes: what is said, that nothing is lost, how a study goes on.

Every resumed run ends with what an undisturbed one has. Short tests run with scripts that stand
in for those of the workflow, long ones with the real ones.
"""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from ephys_deepinterpolation.model import load_model
from fixtures import assert_same_weights
from projects import (
    command,
    end,
    job_running,
    leftovers,
    project_in,
    said,
    snakemake,
    start,
    wait_for,
)

PLACES = {
    "generate_synthetic": "ground_truth/tiny-synthetic/0",
    "train": "models/tiny-synthetic/0/compact/di/model.safetensors",
    "apply_condition": "conditions/tiny-synthetic/0/di",
    "sort": "sortings/tiny-synthetic/0/raw/mountainsort5/0",
}
AGAIN = "give the same command again"
STUB = Path(__file__).with_name("stub.py")


def stubbed(folder: Path, **scripts: str) -> Path:
    """A project whose scripts make empty outputs, or do as they are told here."""
    project_in(folder)
    for script in (folder / "workflow/scripts").glob("*.py"):
        stub = STUB.read_text()
        script.write_text(scripts.get(script.stem, "") + "\n" + stub)
    return folder


def terminal(folder: Path) -> str:
    return (folder / "terminal.txt").read_text()


@pytest.fixture
def waiting(tmp_path):
    """A Snakemake whose first job goes on for as long as the test does, and its folder."""
    folder = stubbed(tmp_path / "waiting", generate_synthetic="import time; time.sleep(900)")
    running = start(folder, "ground_truth", "--cores", "1")
    try:
        wait_for(lambda: job_running(running, "generate_synthetic"))
        yield running, folder
    finally:
        end(running)


def test_failed_jobs_are_told_at_the_end_each_with_its_reason_and_its_log(tmp_path):
    job = (
        "from ephys_deepinterpolation.jobs import start_job\n"
        "start_job(snakemake.log[0])\n"
        "import os, signal\n"
        "if snakemake.wildcards.condition == 'raw':\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "raise ValueError('the\\nprobe is upside down')\n"
    )
    folder = stubbed(tmp_path / "failing", apply_condition=job, train="")
    run = snakemake(folder, "conditions", "--cores", "1")
    assert run.returncode != 0
    logs = "results/logs/conditions/tiny-synthetic/0"
    for sentence in (
        "Failed: Apply the condition raw to tiny-synthetic: it was killed, maybe by the system "
        f"for want of memory. Its log: {logs}/raw.log",
        "Failed: Apply the condition di to tiny-synthetic: ValueError: the probe is upside down. "
        f"Its log: {logs}/di.log",
        AGAIN,
    ):
        assert sentence in said(run)
    assert "Traceback" not in said(run)
    assert "Traceback" in (folder / logs / "di.log").read_text()


def test_two_snakemakes_at_once_are_refused_with_what_to_do(waiting):
    _, folder = waiting
    second = snakemake(folder, "ground_truth", "--cores", "1")
    assert second.returncode != 0
    assert "another Snakemake" in said(second) or "other Snakemake process" in said(second)
    assert "--unlock" in said(second)


@pytest.mark.parametrize("everywhere", [True, False], ids=["Ctrl-C", "SIGTERM of a job"])
def test_an_interrupted_run_can_go_on_at_once(waiting, everywhere):
    running, folder = waiting
    job = job_running(running, "generate_synthetic")
    if everywhere:
        os.killpg(running.pid, signal.SIGINT)
    else:
        job.terminate()
    assert running.wait(timeout=120) != 0
    wait_for(lambda: not job.is_running())
    assert AGAIN in terminal(folder)
    shutil.copy(STUB, folder / "workflow/scripts/generate_synthetic.py")
    run = snakemake(folder, "ground_truth", "--cores", "1")
    assert run.returncode == 0, said(run)


# Real ones.


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """Sortings that were made without disturbance."""
    folder = project_in(tmp_path_factory.mktemp("finished"), models__compact__max_steps=750)
    run = snakemake(folder, "sortings", "--cores", "2")
    assert run.returncode == 0, said(run)
    return folder


@pytest.fixture
def without(finished, tmp_path):
    """Copies the finished study, without the result of a rule."""

    def copy(rule: str) -> Path:
        folder = tmp_path / "study"
        shutil.copytree(finished, folder, symlinks=True)
        place = folder / "results" / PLACES[rule]
        shutil.rmtree(place if place.is_dir() else place.parent)
        return folder

    return copy


def make(folder: Path, rule: str) -> subprocess.CompletedProcess:
    return snakemake(folder, f"results/{PLACES[rule]}", "--cores", "1")


def assert_same_result(folder: Path, finished: Path, rule: str) -> None:
    assert not leftovers(folder)
    one, other = (each / "results" / PLACES[rule] for each in (folder, finished))
    if rule == "train":
        assert_same_weights(load_model(one), load_model(other))
        return
    names = ["traces_cached_seg0.raw", "spikes.npy", "truth.json", "condition.json"]
    files = [path.relative_to(other) for path in other.rglob("*") if path.name in names]
    assert files
    for file in files:
        assert (one / file).read_bytes() == (other / file).read_bytes(), file


def assert_goes_on(folder: Path, finished: Path, rule: str) -> None:
    run = make(folder, rule)
    assert run.returncode == 0, said(run)
    assert_same_result(folder, finished, rule)


def begun(folder: Path, rule: str):
    """Whether the job of a rule is in the middle of its work."""
    if rule == "train":
        return (folder / "results" / PLACES[rule]).with_name("checkpoint").exists()
    return leftovers(folder)


@pytest.mark.long
@pytest.mark.parametrize(
    ("rule", "sent"),
    [
        *((rule, signal.SIGKILL) for rule in PLACES),
        ("train", signal.SIGTERM),
        ("sort", signal.SIGTERM),
    ],
)
def test_a_job_that_was_ended_is_done_again_as_if_nothing_had_been(without, finished, rule, sent):
    folder = without(rule)
    running = start(folder, f"results/{PLACES[rule]}", "--cores", "1")
    try:
        wait_for(lambda: begun(folder, rule))
        job = job_running(running, rule)
        below = job.children(recursive=True)
        job.send_signal(sent)
        assert running.wait(timeout=120) != 0
        _, alive = psutil.wait_procs(below, timeout=20)
        assert not alive
    finally:
        end(running)
    why = {signal.SIGKILL: "it was killed", signal.SIGTERM: "it was interrupted by SIGTERM"}[sent]
    lines = terminal(folder).splitlines()
    (told,) = [line for line in lines if line.startswith("Failed: ") and line.endswith(".log")]
    assert "tiny-synthetic" in told
    assert f": {why}" in told
    assert AGAIN in terminal(folder)
    assert_goes_on(folder, finished, rule)


@pytest.mark.long
@pytest.mark.parametrize("sent", ["SIGKILL", "SIGTERM", "Ctrl-C"])
def test_a_snakemake_that_was_ended_leaves_no_job_behind_and_goes_on(without, finished, sent):
    folder = without("sort")
    running = start(folder, f"results/{PLACES['sort']}", "--cores", "1")
    try:
        wait_for(lambda: begun(folder, "sort"))
        wait_for(lambda: len(job_running(running, "sort").children()) > 0)
        below = psutil.Process(running.pid).children(recursive=True)
        if sent == "Ctrl-C":
            os.killpg(running.pid, signal.SIGINT)
        else:
            running.send_signal(getattr(signal, sent))
        running.wait(timeout=300)
        _, alive = psutil.wait_procs(below, timeout=60)
        assert not alive
    finally:
        end(running)
    if sent == "SIGKILL":
        refused = make(folder, "sort")
        assert refused.returncode != 0
        assert "--unlock" in said(refused)
        assert snakemake(folder, "--unlock").returncode == 0
    assert_goes_on(folder, finished, "sort")


def limited(folder: Path, kind: str) -> Path:
    """A new control group with 150 MB of memory, in the first or the second version."""
    root = Path("/sys/fs/cgroup")
    version_1 = (root / "memory").is_dir()
    group = (root / "memory" if version_1 else root) / f"{kind}-{os.getpid()}"
    try:
        group.mkdir()
        limit = "memory.limit_in_bytes" if version_1 else "memory.max"
        (group / limit).write_text(str(150_000_000))
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    return group


@pytest.mark.long
def test_a_job_that_the_system_ends_for_want_of_memory_says_so(without, finished):
    group = limited(without, "memory")
    folder = without("apply_condition")
    running = start(folder, f"results/{PLACES['apply_condition']}", "--cores", "1")
    try:
        job = wait_for(lambda: job_running(running, "apply_condition"))
        (group / "cgroup.procs").write_text(str(job.pid))
        assert running.wait(timeout=300) != 0
    finally:
        end(running)
        group.rmdir()
    assert "it was killed, maybe by the system for want of memory" in terminal(folder)
    assert_goes_on(folder, finished, "apply_condition")


@pytest.fixture
def mounted():
    """Mounts file systems for a test."""
    places = []

    def mount(place: Path, *arguments: str) -> None:
        place.mkdir(parents=True, exist_ok=True)
        command = ["mount", *arguments, str(place)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
        if "remount" not in " ".join(arguments):
            places.append(place)

    yield mount
    for place in reversed(places):
        subprocess.run(["umount", "--lazy", str(place)], check=False)


@pytest.mark.long
@pytest.mark.parametrize(
    ("rule", "small"), [("generate_synthetic", "4m"), ("apply_condition", "6m"), ("sort", "400k")]
)
def test_a_full_disk_is_told_with_numbers_and_is_no_failure_of_a_sorter(
    without, finished, mounted, rule, small
):
    folder = without(rule)
    place = folder / "results" / PLACES[rule]
    disk = place.parents[len(Path(PLACES[rule]).parts) - 2]
    shutil.rmtree(disk)
    mounted(disk, "-t", "tmpfs", "-o", f"size={small}", "tmpfs")
    run = make(folder, rule)
    assert run.returncode != 0
    assert "Disk full: " in said(run)
    assert "MB are free" in said(run)
    assert not place.exists()
    mounted(disk, "-o", "remount,size=200m")
    assert_goes_on(folder, finished, rule)


@pytest.mark.long
@pytest.mark.parametrize("place", ["results", "."], ids=["results", "everything"])
def test_a_read_only_folder_is_one_sentence_before_any_job(tmp_path, mounted, place):
    folder = stubbed(tmp_path / "read-only")
    target = folder / place
    target.mkdir(exist_ok=True)
    mounted(target, "--bind", str(target))
    mounted(target, "-o", "remount,ro,bind")
    run = snakemake(folder, "ground_truth", "--cores", "1")
    assert run.returncode != 0
    named = "results" if place == "results" else folder
    assert f"{named} cannot be written to: make it writable" in said(run)
    assert "Traceback" not in said(run)
    assert "Generate tiny-synthetic" not in said(run)


@pytest.mark.long
def test_a_damaged_result_is_named_with_what_to_do_and_made_again(without, finished):
    folder = without("apply_condition")
    traces = "results/ground_truth/tiny-synthetic/0/recording/traces_cached_seg0.raw"
    with (folder / traces).open("r+b") as file:
        file.truncate(1_000_000)
    run = make(folder, "apply_condition")
    assert run.returncode != 0
    told = f"{traces} is damaged (1000000 of 7680000 bytes): "
    told += f"delete results/ground_truth/tiny-synthetic/0 and {AGAIN}"
    assert told in said(run)
    shutil.rmtree(folder / "results/ground_truth/tiny-synthetic/0")
    assert_goes_on(folder, finished, "apply_condition")
    assert_same_result(folder, finished, "generate_synthetic")


@pytest.mark.long
@pytest.mark.skipif(shutil.which("faketime") is None, reason="faketime is not installed")
@pytest.mark.parametrize("days", ["+1d", "-1d"])
def test_a_clock_that_was_wrong_by_a_day_and_is_put_right_stops_no_study(tmp_path, days):
    folder = stubbed(tmp_path / "clock")
    run = subprocess.run(
        ["faketime", "-m", "--exclude-monotonic", "-f", days, *command("models", "--cores", "1")],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert run.returncode == 0, said(run)
    last = snakemake(folder, "sortings", "--cores", "1")
    if days == "+1d":
        # What is made now would be older than what it is made from.
        assert last.returncode != 0
        assert "clock skew" in said(last)
        for path in (folder / "results").rglob("*"):
            os.utime(path)
        last = snakemake(folder, "sortings", "--cores", "1")
        assert "Generate tiny-synthetic" not in said(last)
    assert last.returncode == 0, said(last)
    assert "Nothing to be done" in said(snakemake(folder, "sortings", "--cores", "1"))
