"""What a finished study can do without: large, and made again should it be asked for."""

import shutil
from collections.abc import Iterable
from pathlib import Path


def remove_large(results: Path | str, conditions: Iterable[Path | str]) -> dict[str, float]:
    """Remove denoised recordings, recordings without spikes, what was fetched, MEArec's files.

    Parameters
    ----------
    results : path
        The folder of the results.
    conditions : iterable of path
        Of `save_condition`; those that are recipes stay.

    Returns
    -------
    dict of str to float
        Megabytes that were freed, by what they were.
    """
    results = Path(results)
    denoised = [path for path in map(Path, conditions) if (path / "recording").exists()]
    large = {
        "denoised recordings": denoised,
        "recordings of noise alone": [results / "noise_alone/recordings"],
        "simulations": [results / "mearec"],
        "sources": [results / "sources"],
    }
    return {name: sum(map(_remove, paths)) for name, paths in large.items()}


def _remove(folder: Path) -> float:
    """Remove a folder, which is never there in part; its megabytes."""
    if not folder.exists():
        return 0.0
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    going = folder.with_name(f".{folder.name}~")
    folder.rename(going)
    shutil.rmtree(going)
    return size / 1e6
