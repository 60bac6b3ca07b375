"""Models that come with this package: a folder each, laid out as a repository on a hub is."""

from importlib.resources import files
from pathlib import Path

_FILE = "model.safetensors"


def packaged_models() -> dict[str, Path]:
    """Return the files of the models that come with this package, by their names.

    A model's card, `README.md`, and the figures it shows lie beside its file.
    """
    folder = Path(str(files(__name__)))
    return {path.parent.name: path for path in sorted(folder.glob(f"*/{_FILE}"))}
