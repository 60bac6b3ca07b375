"""Files and folders that appear whole or not at all."""

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd


@contextmanager
def whole_folder(folder: Path | str) -> Iterator[Path]:
    """Give a new folder beside the target, and move it there when the block ends well.

    What was at the target is replaced; if the block raises, it stays as it was. One process at a
    time may write a target.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder)
    unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=_unfinished(folder)))
    unfinished.chmod(0o755)
    try:
        yield unfinished
        if folder.exists():
            shutil.rmtree(folder)
        unfinished.replace(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def whole_file(path: Path | str) -> Iterator[Path]:
    """Give the path of a new file beside the target, moved there when the block ends well."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=_unfinished(path)) as folder:
        unfinished = Path(folder) / path.name
        yield unfinished
        unfinished.replace(path)


def _unfinished(target: Path) -> str:
    """Begin the names of unfinished files so; no name of the workflow holds a tilde."""
    return f".{target.name}~"


def _remove_leftovers(target: Path) -> None:
    """Remove what a killed process left beside the target."""
    for leftover in target.parent.glob(f"{_unfinished(target)}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def write_table(table: pd.DataFrame, *paths: Path | str) -> None:
    """Write a table to each path, as parquet or csv by its suffix."""
    for path in paths:
        with whole_file(path) as unfinished:
            if Path(path).suffix == ".parquet":
                table.to_parquet(unfinished, index=False)
            else:
                table.to_csv(unfinished, index=False, lineterminator="\n")


def gather_tables(paths: Iterable[Path | str]) -> pd.DataFrame:
    """Put tables, parquet or csv, one below the other; those without rows are passed over."""
    tables = [
        pd.read_parquet(path) if Path(path).suffix == ".parquet" else pd.read_csv(path)
        for path in paths
    ]
    filled = [table for table in tables if not table.empty]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()


def forget_provenance(folder: Path) -> None:
    """Drop what SpikeInterface notes of how a saved recording was made.

    `truth.json` and `condition.json` say it. The note may be a pickle, and repeats every template
    of a generated recording as text.
    """
    for pattern in ("provenance.json", "provenance.pkl", "provenance.pickle"):
        for path in folder.rglob(pattern):
            path.unlink() if path.is_file() else shutil.rmtree(path)
