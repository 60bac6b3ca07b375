"""A trained model: network, context, normalization and provenance, in one file.

The file is in the safetensors format: arrays behind a header of plain JSON. Opening one reads
numbers and text and runs no code.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
from spikeinterface.core import BaseRecording

from ephys_deepinterpolation.files import whole_file
from ephys_deepinterpolation.normalization import Normalization
from ephys_deepinterpolation.windows import Context

FORMAT = "ephys-deepinterpolation/1"
_WEIGHTS = "network/"
_NORMALIZATION = "normalization/"


class ModelError(ValueError):
    """A model file cannot be read, or a model does not fit a recording."""


@dataclass(frozen=True, eq=False)
class Model:
    """What is needed to apply a trained network to a recording.

    Attributes
    ----------
    network : dict
        Hyper-parameters of the network, see `NetworkParameters`.
    weights : dict of str to numpy.ndarray
    context : Context
        In frames at `sampling_frequency`.
    sampling_frequency : float
        Hz.
    columns : int
        Columns of the image the network was built for.
    normalization : Normalization
        Of the recording it was trained on, in the order of `channel_ids`.
    channel_ids : tuple of str
    provenance : dict
        Recordings and frame ranges seen, seed, versions, losses.
    path : pathlib.Path or None
        File the model was read from or saved to.
    """

    network: dict
    weights: dict[str, np.ndarray]
    context: Context
    sampling_frequency: float
    columns: int
    normalization: Normalization
    channel_ids: tuple[str, ...]
    provenance: dict = field(default_factory=dict)
    path: Path | None = None

    def save(self, path: Path | str) -> "Model":
        """Write the model to one file, whole or not at all, and return it with its path."""
        path = Path(path)
        tensors = {_WEIGHTS + name: values for name, values in self.weights.items()}
        tensors |= {
            _NORMALIZATION + name: np.ascontiguousarray(values)
            for name, values in vars(self.normalization).items()
        }
        description = {
            "network": self.network,
            "context": asdict(self.context),
            "sampling_frequency": self.sampling_frequency,
            "columns": self.columns,
            "channel_ids": list(self.channel_ids),
            "provenance": self.provenance,
        }
        metadata = {
            "format": FORMAT,
            "model": json.dumps(description, sort_keys=True),
            "hash": _hash(description, tensors),
        }
        with whole_file(path) as unfinished:
            unfinished.write_bytes(safetensors.numpy.save(tensors, metadata=metadata))
        return Model(**{**vars(self), "path": path})

    def saw(self, recording: BaseRecording) -> bool:
        """Whether the model was trained on frames of this recording."""
        identity = recording_identity(recording)
        return any(seen["identity"] == identity for seen in self.provenance.get("recordings", []))


def load_model(path: Path | str) -> Model:
    """Read a model from its file.

    Raises
    ------
    ModelError
        The file is not a model, is damaged, or was written by a newer version.
    FileNotFoundError
        There is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no model file at {path}")
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise ModelError(f"{path} is damaged or is no model file: {error}") from error
    if metadata.get("format") != FORMAT:
        found = metadata.get("format", "none")
        raise ModelError(f"{path} has format {found!r}; this version reads {FORMAT!r}")
    try:
        description = json.loads(metadata["model"])
        intact = _hash(description, tensors) == metadata["hash"]
    except (KeyError, json.JSONDecodeError) as error:
        raise ModelError(f"{path} is damaged: its description cannot be read") from error
    if not intact:
        raise ModelError(f"{path} is damaged: its contents do not match its hash")
    return Model(
        network=description["network"],
        weights=_strip(tensors, _WEIGHTS),
        context=Context(**description["context"]),
        sampling_frequency=description["sampling_frequency"],
        columns=description["columns"],
        normalization=Normalization(**_strip(tensors, _NORMALIZATION)),
        channel_ids=tuple(description["channel_ids"]),
        provenance=description["provenance"],
        path=path,
    )


def recording_identity(recording: BaseRecording) -> str:
    """Hash a recording by its size, its channels and three short excerpts of its traces."""
    digest = hashlib.sha256(str(recording.channel_ids.tolist()).encode())
    for segment in range(recording.get_num_segments()):
        frames = recording.get_num_samples(segment)
        digest.update(str(frames).encode())
        for start in sorted({0, frames // 2, max(0, frames - 100)}):
            excerpt = recording.get_traces(segment, start, min(frames, start + 100))
            digest.update(np.ascontiguousarray(excerpt, dtype=np.float32).tobytes())
    return digest.hexdigest()


def _strip(tensors: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {
        name.removeprefix(prefix): values
        for name, values in tensors.items()
        if name.startswith(prefix)
    }


def _hash(description: dict, tensors: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name, values in sorted(tensors.items()):
        digest.update(f"{name} {values.dtype} {values.shape}".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
