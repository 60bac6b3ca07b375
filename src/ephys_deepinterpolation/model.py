"""A trained model: network, context, normalization and provenance, in one file.

The file is in the safetensors format: arrays behind a header of plain JSON. Opening one reads
numbers and text and runs no code.
"""

import dataclasses
import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import safetensors
import safetensors.numpy
from spikeinterface.core import BaseRecording
from spikeinterface.preprocessing.basepreprocessor import BasePreprocessor

from ephys_deepinterpolation.addresses import is_hub_address
from ephys_deepinterpolation.files import whole_file
from ephys_deepinterpolation.normalization import Normalization
from ephys_deepinterpolation.pretrained import packaged_models
from ephys_deepinterpolation.windows import Context

FORMAT = "ephys-deepinterpolation/1"
_ENTRY = "ephys-deepinterpolation"
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
    row_pitch_um : float
        Distance between the rows of the probe it was trained on, µm.
    normalization : Normalization
        Of the recording it was trained on, of several the last, in the order of `channel_ids`.
    channel_ids : tuple of str
    positions : numpy.ndarray, shape (channels, 2)
        Of the contacts of these channels, µm.
    provenance : dict
        Recordings and frame ranges seen, seed, versions, losses.
    history : pandas.DataFrame
        Columns step, training_loss, validation_loss (mean squared error of normalized traces).
    layout : str
        How channels become an image: `probe`, by the positions of the contacts, or `file-order` or
        `interleaved`, see `layouts`.
    path : pathlib.Path or None
        File the model was read from or saved to.
    """

    network: dict
    weights: dict[str, np.ndarray]
    context: Context
    sampling_frequency: float
    columns: int
    row_pitch_um: float
    normalization: Normalization
    channel_ids: tuple[str, ...]
    positions: np.ndarray
    provenance: dict = field(default_factory=dict)
    history: pd.DataFrame = field(default_factory=pd.DataFrame)
    layout: str = "probe"
    path: Path | None = None

    @property
    def summary(self) -> dict:
        """Losses beside those of linear interpolation, of a constant and the noise floor; cost."""
        return self.provenance.get("summary", {})

    def replace(self, **changes: Any) -> "Model":
        """Copy the model with some attributes changed."""
        return dataclasses.replace(self, **changes)

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
            "row_pitch_um": self.row_pitch_um,
            "positions": np.asarray(self.positions, dtype=float).tolist(),
            "history": _rows(self.history),
            "channel_ids": list(self.channel_ids),
            "provenance": self.provenance,
            "layout": self.layout,
        }
        contents = {"format": FORMAT, "model": description, "hash": _hash(description, tensors)}
        # One entry: safetensors writes several in an order that differs from call to call.
        metadata = {_ENTRY: json.dumps(contents, sort_keys=True)}
        with whole_file(path) as unfinished:
            unfinished.write_bytes(safetensors.numpy.save(tensors, metadata=metadata))
        return self.replace(path=path)

    def saw(self, recording: BaseRecording) -> bool:
        """Whether the model, or one it was tuned from, was trained on frames of this recording.

        Preprocessing makes no other recording of it: filtered otherwise, it is the same data.
        """
        identity, source = map(recording_identity, (recording, unprocessed(recording)))
        return any(
            seen.get("identity") == identity or seen.get("source") == source
            for seen in self.provenance.get("recordings", [])
        )

    def was_fitted_to(self, recording: BaseRecording) -> bool:
        """Whether the normalization is of this recording, preprocessed as it is."""
        seen = self.provenance.get("recordings", [])
        return bool(seen) and seen[-1].get("identity") == recording_identity(recording)

    @property
    def of_several_recordings(self) -> bool:
        """Whether several were trained on, each normalized by itself: the last one's is kept."""
        seen = self.provenance.get("recordings", [])
        pieces = seen[-1].get("ranges", []) if seen else []
        return bool(pieces) and pieces[0]["recording"] > 0


def load_model(model: Path | str) -> Model:
    """Read a model.

    Parameters
    ----------
    model : path or str
        The path of its file, maybe one of the deepinterpolation package, `.h5`: see `legacy`; the
        name of a model that comes with this package; or an address on a hub,
        `hf://owner/name@tag`, which is fetched once: see `hub`.

    Raises
    ------
    ModelError
        The file is not a model, is damaged, holds values that are not finite, or was written by
        a newer version; or the model cannot be had from the hub.
    FileNotFoundError
        There is no such file.
    """
    path = _file_of(model)
    if not path.is_file():
        raise FileNotFoundError(f"no model file at {path}")
    if path.suffix in (".h5", ".hdf5"):
        from ephys_deepinterpolation.legacy import load_legacy_model

        return load_legacy_model(path).replace(path=path)
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            contents = json.loads(metadata.get(_ENTRY, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, TypeError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{path} is damaged or is no model file ({error}): replace it; if this study trained "
            "it, delete it and give the same command again"
        ) from error
    if not isinstance(contents, dict) or contents.get("format") != FORMAT:
        found = contents.get("format", "none") if isinstance(contents, dict) else "none"
        raise ModelError(
            f"{path} has format {found!r}; this version reads {FORMAT!r}: install the version that "
            "the model was made with"
        )
    description = contents.get("model")
    if not isinstance(description, dict) or _hash(description, tensors) != contents.get("hash"):
        raise ModelError(
            f"{path} is damaged (its contents do not match its hash): replace it; if this study "
            "trained it, delete it and give the same command again"
        )
    broken = [name for name, values in tensors.items() if not np.isfinite(values).all()]
    if broken:
        raise ModelError(f"{path} is no usable model, {broken[0]} is not finite: train it anew")
    try:
        return _described_model(description, tensors).replace(path=path)
    except (LookupError, TypeError, ValueError) as error:
        raise ModelError(f"{path} is no complete model: {error!r}") from error


def is_path(model: Path | str) -> bool:
    """Whether a model is given by a path, not by name or address."""
    return not is_hub_address(model) and (isinstance(model, Path) or model not in packaged_models())


def _file_of(model: Path | str) -> Path:
    if is_hub_address(model):
        from ephys_deepinterpolation.hub import fetch_model

        return fetch_model(str(model))
    if not is_path(model):
        return packaged_models()[str(model)]
    path = Path(model)
    if isinstance(model, str) and not (path.suffix or len(path.parts) > 1 or path.exists()):
        known = ", ".join(packaged_models()) or "none"
        raise FileNotFoundError(
            f"no model file at {model}, and no model that comes with this package (those: {known})"
        )
    return path


def _described_model(description: dict, tensors: dict[str, np.ndarray]) -> Model:
    model = Model(
        network=description["network"],
        weights=arrays_under(_WEIGHTS, tensors),
        context=Context(**description["context"]),
        sampling_frequency=description["sampling_frequency"],
        columns=description["columns"],
        row_pitch_um=description["row_pitch_um"],
        positions=np.array(description["positions"]),
        history=pd.DataFrame(description["history"]),
        normalization=Normalization(**arrays_under(_NORMALIZATION, tensors)),
        channel_ids=tuple(description["channel_ids"]),
        provenance=description["provenance"],
        layout=description.get("layout", "probe"),
    )
    per_channel = [model.channel_ids, model.positions, *vars(model.normalization).values()]
    if len({len(values) for values in per_channel}) != 1:
        raise ValueError("channels, contacts and normalization differ in number")
    counts = (model.columns, model.context.frames, model.context.omission + 1)
    if not (model.sampling_frequency > 0 and model.row_pitch_um >= 0 and min(counts) >= 1):
        raise ValueError("a sampling rate, a pitch, a context or a number of columns cannot be")
    return model


def unprocessed(recording: BaseRecording) -> BaseRecording:
    """Go back to what SpikeInterface's preprocessing started from.

    An excerpt, or a choice of channels, is a recording of its own.
    """
    while isinstance(recording, BasePreprocessor) and recording.get_parent() is not None:
        recording = recording.get_parent()
    return recording


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


def _rows(table: pd.DataFrame) -> list[dict]:
    """Rows of a table for JSON, every float to its last bit; NaN becomes null."""
    return table.astype(object).where(table.notna(), None).to_dict(orient="records")


def arrays_under(prefix: str, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Pick the arrays whose names begin with a prefix, and take it off."""
    return {
        name.removeprefix(prefix): values
        for name, values in tensors.items()
        if name.startswith(prefix)
    }


def hash_arrays(arrays: dict[str, np.ndarray]) -> str:
    """Hash named arrays: names, types, shapes and values."""
    digest = hashlib.sha256()
    for name, values in sorted(arrays.items()):
        digest.update(f"{name} {values.dtype} {values.shape}".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def _hash(description: dict, tensors: dict[str, np.ndarray]) -> str:
    text = json.dumps(description, sort_keys=True) + hash_arrays(tensors)
    return hashlib.sha256(text.encode()).hexdigest()
