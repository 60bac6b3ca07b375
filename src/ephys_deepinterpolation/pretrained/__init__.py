"""Models that come with this package, each a file of this folder, by the name of the file."""

from importlib.resources import files
from pathlib import Path

_SUFFIX = ".safetensors"


def packaged_models() -> dict[str, Path]:
    """Return the files of the models that come with this package, by their names."""
    folder = Path(str(files(__name__)))
    return {path.stem: path for path in sorted(folder.glob(f"*{_SUFFIX}"))}
