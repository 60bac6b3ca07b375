"""What `make` offers."""

import os
import re
import subprocess
from pathlib import Path

PROJECT = Path(__file__).parents[1]


def told_by_make(*targets: str) -> list[str]:
    """What make says, whether or not another make runs this test."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--no-print-directory", *targets]
    told = subprocess.run(command, cwd=PROJECT, env=own, capture_output=True, text=True, check=True)
    return told.stdout.splitlines()


def test_help_lists_every_target_with_what_it_does_in_line():
    lines = [re.fullmatch(r"(make (\S+) +)(\S.*)", line) for line in told_by_make("help")]
    assert all(lines)
    declared = re.search(r"^\.PHONY: (.*)$", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    assert declared is not None
    assert [line[2] for line in lines if line] == declared[1].split()
    assert len({len(line[1]) for line in lines if line}) == 1


def test_without_a_target_make_helps():
    assert told_by_make() == told_by_make("help")
