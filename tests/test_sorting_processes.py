"""A process within limits: how it ended is told, and nothing of it is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

import ephys_deepinterpolation.sortings.processes as processes
from ephys_deepinterpolation.sortings import child

WAIT = "import time; time.sleep(600)"
TAKE = "taken = bytearray(b'x') * ({} * 2**20); import time; time.sleep(0.7)"
START = "import subprocess, sys; subprocess.{}([sys.executable, '-c', {!r}])"
CHILDREN_FOLDER = Path(child.__file__).parent


def run(code, *arguments, **limits):
    return processes.run_limited([sys.executable, "-c", code, *arguments], os.environ, **limits)


def left(word):
    """Processes that were started with a word among their arguments."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if word in words and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def gone(word, seconds=5.0):
    end = time.monotonic() + seconds
    while left(word) and time.monotonic() < end:
        time.sleep(0.05)
    return not left(word)


@pytest.mark.parametrize("code", [0, 3])
def test_a_process_that_ends_by_itself_has_its_code(code):
    ended = run(f"import sys; sys.exit({code})")
    assert (ended.status, ended.code) == ("ended", code)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_a_process_that_is_killed_has_its_signal(number):
    ended = run(f"import os; os.kill(os.getpid(), {int(number)})")
    assert (ended.status, ended.code) == ("ended", -number)


def test_a_process_is_ended_when_its_time_is_over():
    ended = run(WAIT, "late-process", timeout_s=0.5)
    assert (ended.status, ended.code) == ("timeout", None)
    assert 0.5 <= ended.seconds < 10
    assert not left("late-process")


def test_a_process_is_ended_when_it_takes_too_much_memory():
    ended = run(TAKE.format(400) + "; time.sleep(600)", "large-process", memory_mb=200)
    assert (ended.status, ended.code) == ("out_of_memory", None)
    assert ended.peak_memory_mb > 200
    assert not left("large-process")


def test_a_process_within_its_limits_is_left_alone():
    assert run(TAKE.format(50), memory_mb=400, timeout_s=60).status == "ended"


def test_memory_of_children_counts():
    own = run(TAKE.format(1)).peak_memory_mb
    both = run(START.format("run", TAKE.format(300))).peak_memory_mb
    assert own + 280 < both < own + 400


def test_memory_that_processes_share_counts_once():
    """Four children of a fork hold the same 300 MB: 1.2 GB and more if each were counted."""
    code = (
        "import os, time\n"
        "taken = bytearray(b'x') * (300 * 2**20)\n"
        "children = [os.fork() for _ in range(2)]\n"
        "time.sleep(1.0)"
    )
    ended = run(code, memory_mb=600)
    assert ended.peak_memory_mb > 1000
    assert (ended.status, ended.code) == ("ended", 0)


def test_what_a_process_started_ends_with_it():
    started = START.format("run", WAIT).replace("])", ", 'grandchild'])")
    assert run(started, timeout_s=1.0).status == "timeout"
    assert gone("grandchild")


def test_what_a_process_left_running_is_ended_too():
    started = START.format("Popen", WAIT).replace("])", ", 'left-behind'])")
    assert run(started).status == "ended"
    assert gone("left-behind")


def test_an_interrupt_ends_the_process_and_is_passed_on():
    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(WAIT, "interrupted-process")
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not left("interrupted-process")


@pytest.mark.parametrize(("seconds", "status"), [(600, "timeout"), (0, "ended")])
def test_shared_memory_that_a_process_did_not_give_back_is_given_back(seconds, status):
    code = (
        "import sys, time\n"
        "from multiprocessing.shared_memory import SharedMemory\n"
        "SharedMemory(sys.argv[1], create=True, size=2**20)\n"
        f"time.sleep({seconds})"
    )
    place = Path("/dev/shm") / f"of-a-test-{os.getpid()}"
    if not place.parent.is_dir():
        pytest.skip("no folder of shared memory on this system")
    assert run(code, place.name, timeout_s=2.0).status == status
    assert not place.exists()


def test_a_sorters_process_ends_with_the_one_that_asked_for_it():
    inner = (
        f"import sys, os, time; sys.path.insert(0, {str(CHILDREN_FOLDER)!r}); import child; "
        "child.end_with(os.getppid()); time.sleep(600)"
    )
    outer = (
        "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', "
        f"{inner!r}, 'orphan'], start_new_session=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", outer])
    end = time.monotonic() + 20
    while not left("orphan") and time.monotonic() < end:
        time.sleep(0.05)
    assert left("orphan")
    time.sleep(1.0)
    assert left("orphan")
    parent.kill()
    parent.wait()
    assert gone("orphan", seconds=10)


DRAW = f"""
import sys; sys.path.insert(0, {str(CHILDREN_FOLDER)!r})
import child; child.seed_everything(int(sys.argv[1]))
import random, numpy as np
print(random.random(), np.random.rand(), np.random.default_rng().random(),
      np.random.default_rng().random(), np.random.default_rng(5).random())
"""


def drawn(seed):
    command = [sys.executable, "-c", DRAW, str(seed)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [float(word) for word in output.split()]


def test_draws_without_a_seed_follow_that_of_the_run():
    one, again, other = drawn(1), drawn(1), drawn(2)
    assert one == again
    assert len({*one, *other[:4]}) == 9
    assert one[4] == other[4] == np.random.default_rng(5).random()
