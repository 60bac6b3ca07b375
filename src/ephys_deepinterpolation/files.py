"""Files and folders that appear whole or not at all, and are known again if they are damaged."""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

_NO_ROOM = {
    errno.ENOSPC: "Disk full",
    errno.EDQUOT: "Disk quota used up",
    errno.EFBIG: "File larger than this disk or `ulimit -f` allows",
}
_SIZES = ".sizes.json"


class DiskFullError(OSError):
    """What was to be written does not fit on the disk."""

    def __str__(self) -> str:
        return str(self.strerror)


class DamagedResultError(ValueError):
    """A result of the workflow is not as it was written."""

    def __init__(self, file: Path, how: object, result: Path):
        super().__init__(
            f"{file} is damaged ({how}): delete {result} and give the same command again"
        )


@contextmanager
def whole_folder(folder: Path | str) -> Iterator[Path]:
    """Give a new folder beside the target, and move it there when the block ends well.

    What was at the target is replaced; if the block raises, it stays as it was, and so it does in a
    power cut: everything is on the disk before it is moved. One process at a time may write a
    target.

    Raises
    ------
    DiskFullError
        In place of whatever the block raised for want of room.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder)
    unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=_unfinished(folder)))
    unfinished.chmod(0o755)
    try:
        with _full_disk_told(folder, unfinished):
            yield unfinished
            _put_on_disk(unfinished)
        if folder.exists():
            shutil.rmtree(folder)
        unfinished.replace(folder)
        _sync(folder.parent)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def whole_file(path: Path | str) -> Iterator[Path]:
    """Give the path of a new file beside the target, moved there when the block ends well.

    As `whole_folder`, also in a power cut and on a full disk.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=_unfinished(path)) as folder:
        unfinished = Path(folder) / path.name
        with _full_disk_told(path, Path(folder)):
            yield unfinished
            _sync(unfinished)
        unfinished.replace(path)
        _sync(path.parent)


def _unfinished(target: Path) -> str:
    """Begin the names of unfinished files so; no name of the workflow holds a tilde."""
    return f".{target.name}~"


def _remove_leftovers(target: Path) -> None:
    """Remove what a killed process left beside the target."""
    for leftover in target.parent.glob(f"{_unfinished(target)}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def check_writable(folder: Path) -> None:
    """Check that results can be written: to a folder and those in it, or to where it will be.

    Raises
    ------
    PermissionError
        Says which cannot.
    """
    if folder.exists():
        places = [folder, *(path for path in folder.iterdir() if path.is_dir())]
    else:
        places = [next(path for path in folder.absolute().parents if path.exists())]
    for place in places:
        if not os.access(place, os.W_OK | os.X_OK):
            raise PermissionError(
                f"{place} cannot be written to: make it writable, or work in another folder, with "
                "--directory"
            )


def _put_on_disk(folder: Path) -> None:
    """Have everything in a folder written to the disk itself."""
    for path in folder.rglob("*"):
        if not path.is_symlink():
            _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _full_disk_told(target: Path, unfinished: Path) -> Iterator[None]:
    """Say of a disk that is full how much was written to it, and how much room there is."""
    try:
        yield
    except Exception as error:
        number = no_room(error)
        if number is None:
            raise
        written = sum(path.lstat().st_blocks * 512 for path in unfinished.rglob("*"))
        free = shutil.disk_usage(target.parent).free
        raise DiskFullError(
            number,
            f"{_NO_ROOM[number]}: {written / 1e6:.1f} MB of {target} were written, "
            f"{free / 1e6:.1f} MB are free",
        ) from error


def no_room(error: BaseException | None) -> int | None:
    """Return the number of the system's error if one says that there is no room, else None.

    Libraries raise others in its place, or keep its text alone.
    """
    while error is not None:
        number = getattr(error, "errno", None)
        if number in _NO_ROOM:
            return number
        for number in _NO_ROOM:
            if os.strerror(number) in str(error):
                return number
        error = error.__cause__ or error.__context__
    return None


def note_sizes(folder: Path) -> None:
    """Write down the size of each file in a folder, for `check_sizes`."""
    sizes = {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    (folder / _SIZES).write_text(json.dumps(sizes, indent=0) + "\n")


def check_sizes(folder: Path) -> None:
    """Check that the files in a folder have the sizes that `note_sizes` wrote down, if it did.

    Raises
    ------
    DamagedResultError
        One is missing, or was cut off.
    """
    noted = folder / _SIZES
    if not noted.exists():
        return
    try:
        sizes = json.loads(noted.read_text())
    except ValueError as error:
        raise DamagedResultError(noted, error, folder) from error
    for name, size in sizes.items():
        path = folder / name
        found = path.stat().st_size if path.is_file() else None
        if found != size:
            how = "it is missing" if found is None else f"{found} of {size} bytes"
            raise DamagedResultError(path, how, folder)


def read_table(path: Path | str) -> pd.DataFrame:
    """Read a table that `write_table` wrote, parquet or csv by its suffix.

    Raises
    ------
    DamagedResultError
    """
    path = Path(path)
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        if not path.read_bytes().endswith(b"\n"):
            raise ValueError("its last line has no end")
        return pd.read_csv(path)
    except (ValueError, OSError) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise DamagedResultError(path, error, path) from error


def write_table(table: pd.DataFrame, *paths: Path | str) -> None:
    """Write a table to each path, as parquet or csv by its suffix."""
    for path in paths:
        with whole_file(path) as unfinished:
            if Path(path).suffix == ".parquet":
                table.to_parquet(unfinished, index=False)
            else:
                table.to_csv(unfinished, index=False, lineterminator="\n")


def read_measure(folder: Path | str, name: str) -> pd.DataFrame:
    """Read one of the tables that `write_measures` wrote.

    Raises
    ------
    DamagedResultError
        Names the folder, which is made as a whole.
    """
    path = Path(folder) / f"{name}.parquet"
    try:
        return read_table(path)
    except DamagedResultError as error:
        raise DamagedResultError(path, error.__cause__, Path(folder)) from error
    except FileNotFoundError as error:
        raise DamagedResultError(path, "it is missing", Path(folder)) from error


def write_measures(
    measures: Mapping[str, pd.DataFrame],
    folder: Path | str,
    *,
    dataset: str,
    kind: str,
    replicate: int,
    condition: str,
    model_saw_recording: bool,
) -> None:
    """Write what was measured of a condition, each row with what it was measured of.

    Parameters
    ----------
    measures : dict of str to pandas.DataFrame
        By the name of the table.
    folder : path
        Where they go; appears with all of them.
    dataset, kind, replicate, condition, model_saw_recording
        Columns at the end of each table.
    """
    keys = {
        "dataset": dataset,
        "kind": kind,
        "replicate": replicate,
        "condition": condition,
        "model_saw_recording": model_saw_recording,
    }
    with whole_folder(folder) as unfinished:
        for name, table in measures.items():
            write_table(table.assign(**keys), unfinished / f"{name}.parquet")


def gather_tables(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Put tables one below the other; those without rows are passed over."""
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
