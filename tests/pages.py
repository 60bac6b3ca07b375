"""What the pages of the documentation tell readers to write and to type."""

import re
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

PROJECT = Path(__file__).parents[1]
PAGES = [
    PROJECT / "README.md",
    PROJECT / "config/README.md",
    *sorted(PROJECT.glob("docs/*.md")),
    *sorted(PROJECT.glob("docs/study/*.md")),
]
_BLOCK = re.compile(
    r"^(?P<indent> *)(?:<!-- (?P<note>[^\n]+) -->\n *)?```(?P<language>\w+)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
_COMMAND = re.compile(r"^ *(?:\$ )?((?:snakemake|make|python) (?:.*\\\n)*.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; `note` is the comment right above it."""

    page: Path
    language: str
    note: str
    text: str


def name_of(page: Path) -> str:
    return page.relative_to(PROJECT).as_posix()


def blocks(language: str) -> list[Block]:
    """Every block of a language, on every page."""
    return [
        Block(page, match["language"], match["note"] or "", dedent(match["text"]))
        for page in PAGES
        for match in _BLOCK.finditer(page.read_text())
        if match["language"] == language
    ]


def to_run(language: str) -> list[Block]:
    """Those blocks that are neither files of their own nor exempt."""
    return [block for block in blocks(language) if not block.note.startswith(("file:", "not run:"))]


def files_of(page: Path) -> dict[str, str]:
    """What a page marks as files, by their names."""
    return {
        match["note"].removeprefix("file: "): dedent(match["text"])
        for match in _BLOCK.finditer(page.read_text())
        if (match["note"] or "").startswith("file:")
    }


def commands(program: str) -> list[tuple[Path, str]]:
    """Every line that begins with a program and stands in a block, without its comment."""
    return [
        (page, re.sub(r"\s+#.*", "", line.replace("\\\n", " ")).strip())
        for page in PAGES
        for line in _COMMAND.findall(_blocks_alone(page.read_text()))
        if line.startswith(f"{program} ")
    ]


def _blocks_alone(text: str) -> str:
    """Leave out prose, in which a line may begin with the name of a program."""
    parts = re.split(r"^ *```.*$", text, flags=re.MULTILINE)
    indented = re.compile(r"^ {4,}\S.*(?:\n|$)", re.MULTILINE)
    prose = ["".join(indented.findall(part)) for part in parts[::2]]
    return "\n".join([*prose, *parts[1::2]])
