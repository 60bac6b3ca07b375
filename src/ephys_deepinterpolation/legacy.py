"""Models of the deepinterpolation package (`.h5`), read without running anything in them.

Only numbers and the text of the architecture are read, with h5py; nothing in the file is
deserialised or executed, and links to other files are not followed. The text is compared, layer by
layer, with the published U-Net; any other network is refused.

Such a file knows nothing of a probe: see `layouts`.
"""

import json
from pathlib import Path

import h5py
import numpy as np

from ephys_deepinterpolation.model import Model, ModelError
from ephys_deepinterpolation.network import UNetParameters, unet_shapes
from ephys_deepinterpolation.normalization import Normalization
from ephys_deepinterpolation.windows import Context

_INTERLEAVED_IMAGE = (384, 2)

# What json and h5py raise on a file that is not what it seems.
_DAMAGES = (
    OSError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    RuntimeError,
    ArithmeticError,
)
_ARCHITECTURES = {"Functional", "Model"}
_MAXIMUM_DEPTH = 16
_MAXIMUM_PIXELS = 2**20
_COMPARED: dict[str, dict] = {
    "InputLayer": {"dtype": "float32"},
    "Conv2D": {
        "dtype": "float32",
        "filters": None,
        "kernel_size": None,
        "strides": [1, 1],
        "padding": "same",
        "data_format": "channels_last",
        "dilation_rate": [1, 1],
        "activation": None,
        "use_bias": True,
    },
    "MaxPooling2D": {
        "pool_size": None,
        "strides": None,
        "padding": "valid",
        "data_format": "channels_last",
    },
    "UpSampling2D": {"size": None, "data_format": "channels_last", "interpolation": "nearest"},
    "Concatenate": {"axis": -1},
}


def load_legacy_model(
    path: Path | str, omission: int = 1, sampling_frequency: float = 30_000.0
) -> Model:
    """Read a model of the deepinterpolation package.

    Parameters
    ----------
    path : path of an .h5 file
    omission : int
        Frames left out on each side of the target in training, which the file does not hold.
    sampling_frequency : float
        Hz, of the recordings it was trained on, which the file does not hold.

    Returns
    -------
    Model
        Without a path, since the file does not hold all of it: save it, or load the file with
        `load_model`, which takes the defaults. Its normalization is a placeholder: see
        `layouts.common_normalization`.

    Raises
    ------
    ModelError
        The file is no Keras model in HDF5, or its network is not the published U-Net.
    FileNotFoundError
        There is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no model file at {path}")
    try:
        with h5py.File(path, "r") as file:
            layers = _layers(_text(file.attrs["model_config"]))
            parameters, (rows, columns, frames) = _published(layers)
            names = [name for name, kind, *_ in layers if kind == "Conv2D"]
            weights: dict[str, np.ndarray] = {}
            for ours, theirs in zip(unet_shapes(parameters, frames).items(), names, strict=True):
                weights |= _kernel_and_bias(file, theirs, *ours)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    except _DAMAGES as error:
        raise ModelError(f"{path} is damaged or is no model of Keras in HDF5: {error!r}") from error
    interleaved = (rows, columns) == _INTERLEAVED_IMAGE
    channels = rows if interleaved else rows * columns
    return Model(
        network={"family": parameters.family, "width": parameters.width, "depth": parameters.depth},
        weights=weights,
        context=Context(frames // 2, omission),
        sampling_frequency=sampling_frequency,
        columns=columns,
        row_pitch_um=0.0,
        normalization=Normalization(
            location=np.zeros(channels, np.float32),
            scale=np.ones(channels, np.float32),
            silent=np.zeros(channels, bool),
        ),
        channel_ids=tuple(str(channel) for channel in range(channels)),
        positions=np.full((channels, 2), np.nan),
        layout="interleaved" if interleaved else "file-order",
    )


def _layers(text: str) -> list[tuple[str, str, dict, list[int]]]:
    """Name, kind, compared settings and numbers of the inputs of each layer."""
    model = json.loads(text)
    if model["class_name"] not in _ARCHITECTURES:
        raise ModelError(f"the network is a {model['class_name']!r}, not a U-Net")
    layers: list[tuple[str, str, dict, list[int]]] = []
    numbers: dict[str, int] = {}
    for number, layer in enumerate(model["config"]["layers"]):
        kind, config = layer["class_name"], layer["config"]
        if kind not in _COMPARED:
            raise ModelError(f"the network has a {kind!r} layer; the published U-Net none")
        settings = {key: config.get(key) for key in _COMPARED[kind] if key in config}
        if kind == "InputLayer":
            settings["shape"] = config.get("batch_input_shape", config.get("batch_shape"))[1:]
        nodes = layer["inbound_nodes"]
        inputs = [numbers[node[0]] for node in nodes[0]] if nodes else []
        numbers[layer["name"]] = number
        layers.append((layer["name"], kind, settings, inputs))
    return layers


def _published(
    layers: list[tuple[str, str, dict, list[int]]],
) -> tuple[UNetParameters, tuple[int, int, int]]:
    """Find the size of the U-Net and check that every layer is as published."""
    rows, columns, frames = (int(size) for size in layers[0][2]["shape"])
    depth = sum(kind == "MaxPooling2D" for _, kind, *_ in layers)
    widths = [settings["filters"] for _, kind, settings, _ in layers if kind == "Conv2D"]
    width = widths[0]
    if not (0 < depth <= _MAXIMUM_DEPTH and isinstance(width, int) and width > 0):
        raise ModelError("the network is not the published U-Net")
    if min(rows, columns, frames) < 1 or frames % 2 or rows * columns > _MAXIMUM_PIXELS:
        raise ModelError(f"the network takes images of {rows} x {columns} and {frames} frames")
    parameters = UNetParameters(width=width, depth=depth)
    expected = _expected(parameters, (rows, columns, frames))
    for (name, kind, settings, inputs), wanted in zip(layers, expected, strict=False):
        wanted_kind, wanted_settings, wanted_inputs = wanted
        same = kind == wanted_kind and inputs == wanted_inputs
        differing = [
            key
            for key, value in wanted_settings.items()
            if same and settings.get(key, _COMPARED[kind].get(key)) != value
        ]
        if not same or differing:
            raise ModelError(
                f"the network is not the published U-Net: layer {name!r} differs "
                f"({', '.join(differing) or kind})"
            )
    if len(layers) != len(expected):
        raise ModelError(f"the network is not the published U-Net: {len(layers)} layers")
    return parameters, (rows, columns, frames)


def _expected(
    parameters: UNetParameters, shape: tuple[int, int, int]
) -> list[tuple[str, dict, list[int]]]:
    """Kind, settings and inputs of each layer of the published U-Net."""
    kernels = unet_shapes(parameters, shape[2])
    layers: list[tuple[str, dict, list[int]]] = [
        ("InputLayer", {"dtype": "float32", "shape": list(shape)}, [])
    ]

    def add(kind: str, inputs: list[int], **settings) -> int:
        layers.append((kind, {**_COMPARED[kind], **settings}, inputs))
        return len(layers) - 1

    def convolve(name: str, previous: int) -> int:
        kernel = kernels[name]
        activation = "linear" if name == "target" else "relu"
        size = {"filters": kernel[3], "kernel_size": list(kernel[:2])}
        return add("Conv2D", [previous], activation=activation, **size)

    hidden, skips = 0, []
    for step in range(parameters.depth):
        hidden = convolve(f"encoder_{step}", hidden)
        skips.append(hidden)
        pool = [2, 2 if step == 0 else 1]
        hidden = add("MaxPooling2D", [hidden], pool_size=pool, strides=pool)
    hidden = convolve(f"encoder_{parameters.depth}", hidden)
    for step in reversed(range(parameters.depth)):
        hidden = add("UpSampling2D", [hidden], size=[2, 2 if step == 0 else 1])
        hidden = convolve(f"decoder_{step}", add("Concatenate", [hidden, skips[step]]))
    convolve("target", hidden)
    return layers


def _kernel_and_bias(
    file: h5py.File, layer: str, name: str, shape: tuple[int, ...]
) -> dict[str, np.ndarray]:
    group = _child(_child(file, "model_weights"), layer)
    kernel, bias = (_text(name) for name in group.attrs["weight_names"])
    return {
        f"{name}/kernel": _array(group, kernel, shape),
        f"{name}/bias": _array(group, bias, shape[3:]),
    }


def _array(group: h5py.Group, name: str, shape: tuple[int, ...]) -> np.ndarray:
    for part in name.split("/"):
        group = _child(group, part)
    plain = isinstance(group, h5py.Dataset) and not group.is_virtual and not group.external
    if not plain or group.shape != shape or group.dtype != np.float32:
        raise ModelError(f"{name} is not a plain float32 array of shape {shape}")
    values = group[()]
    if not np.isfinite(values).all():
        raise ModelError(f"{name} has values that are not finite")
    return values


def _child(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset:
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ModelError(f"{name} is missing or is a link to somewhere else")
    return group[name]


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
