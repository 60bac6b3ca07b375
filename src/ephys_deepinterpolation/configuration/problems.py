"""What is wrong with a configuration: each problem one sentence, with its place."""

import difflib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


class ConfigurationError(ValueError):
    """A configuration or a table of datasets that cannot be run.

    Attributes
    ----------
    problems : tuple of str
        One sentence each: file, row or key, what was found, what is allowed.
    """

    def __init__(self, problems: Iterable[str]):
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True)
class Place:
    """Where a value stands: the file (and line) it is in, and its dotted key (or column)."""

    lead: str
    key: str = ""

    def at(self, *steps: str | int) -> "Place":
        """Go to a key, or a position of a list, within."""
        key = self.key
        for step in steps:
            if isinstance(step, int) and key:
                key = f"{key}[{step}]"
            else:
                key = f"{key}.{step}" if key else str(step)
        return Place(self.lead, key)

    def __str__(self) -> str:
        return f"{self.lead}{self.key or 'the whole file'}"


def problem(place: Place, found: str, allowed: str) -> str:
    """Say what stands at a place, and what may."""
    return f"{place}: found {found}; allowed: {allowed}."


def brace_problems(place: Place, path: str) -> Iterator[str]:
    """Report a path that cannot be the input of a job."""
    if set("{}") & set(path):
        yield problem(place, shown(path), "a path without braces, which are Snakemake's wildcards")


def unknown_key(place: Place, key: Any, known: Iterable[str]) -> str:
    """Say that a mapping holds a key it may not."""
    allowed = ", ".join(sorted(known)) or "no key"
    return problem(place.at(str(key)), "an unknown key", allowed + did_you_mean(key, known))


def unknown_name(place: Place, name: Any, known: Iterable[str], what: str) -> str:
    """Say that a name is none of those known."""
    allowed = f"{what} ({', '.join(sorted(known))})"
    return problem(place, shown(name), allowed + did_you_mean(name, known))


def did_you_mean(name: Any, known: Iterable[str]) -> str:
    """Propose the known name that is most alike, if one is."""
    close = difflib.get_close_matches(str(name), map(str, known), n=1)
    return f" (did you mean {shown(close[0])}?)" if close else ""


def shown(value: Any) -> str:
    """Show a value as JSON, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str, skipkeys=True)
    return text if len(text) <= 80 else f"{text[:80]}…"


def mapping(value: Any) -> dict[str, Any]:
    """Take what is no mapping, which a schema reports, for an empty one."""
    return value if isinstance(value, dict) else {}


def texts(value: Any) -> list[tuple[int, str]]:
    """List the items that are text with their positions."""
    items = value if isinstance(value, list) else []
    return [(index, item) for index, item in enumerate(items) if isinstance(item, str)]


def undefined(place: Place, name: str, settings: dict[str, Any], section: str) -> Iterator[str]:
    """Report a name without an entry in a section, unless the section itself is malformed."""
    known = settings.get(section)
    if isinstance(known, dict) and name not in known:
        found = f"{shown(name)}, which has no entry under {section}"
        names = ", ".join(sorted(map(str, known))) or "there is no entry yet"
        yield problem(place, found, names + did_you_mean(name, known))
