"""Check that every Keras backend computes the same: outputs on fixed weights and a fixed input.

KERAS_BACKEND=tensorflow python benchmarks/backends.py --write outputs.npz
KERAS_BACKEND=torch python benchmarks/backends.py --compare outputs.npz
KERAS_BACKEND=jax python benchmarks/backends.py --compare outputs.npz
"""

import argparse
import os
import sys
from pathlib import Path

import keras
import numpy as np

from ephys_deepinterpolation.network import (
    NetworkParameters,
    Parameters,
    UNetParameters,
    build_network,
    set_weights,
)

NETWORKS: dict[str, Parameters] = {"unet": UNetParameters(), "compact": NetworkParameters()}
COLUMNS, CONTEXT_FRAMES = 2, 60
# Fifty rows do not divide by sixteen: the U-Net must pad them.
IMAGES, ROWS = 64, 50
PRECISIONS = ("float32", "tensorfloat32", "mixed_bfloat16")


def random_weights(network: keras.Model) -> dict[str, np.ndarray]:
    """Draw weights that keep the variance from layer to layer, the same on every backend."""
    generator = np.random.default_rng(2021)
    weights = {}
    for weight in sorted(network.weights, key=lambda weight: weight.path):
        fan_in = max(1, int(np.prod(weight.shape[:-1])))
        scale = np.sqrt(2 / fan_in) if len(weight.shape) > 1 else 0.1
        weights[weight.path] = (scale * generator.standard_normal(weight.shape)).astype("float32")
    return weights


def fixed_input() -> np.ndarray:
    """Contexts of standard normal noise."""
    shape = (IMAGES, ROWS, CONTEXT_FRAMES * COLUMNS)
    return np.random.default_rng(7).standard_normal(shape).astype("float32")


def allow_tensorfloat32(allowed: bool) -> None:
    """Let float32 matrix products run in TensorFloat-32 (10 bits of mantissa), or forbid it."""
    backend = keras.backend.backend()
    if backend == "torch":
        import torch

        torch.backends.cuda.matmul.allow_tf32 = allowed
        torch.backends.cudnn.allow_tf32 = allowed
    elif backend == "jax":
        import jax

        jax.config.update("jax_default_matmul_precision", "tensorfloat32" if allowed else "highest")
    else:
        import tensorflow

        tensorflow.config.experimental.enable_tensor_float_32_execution(allowed)


def compute(parameters: Parameters, contexts: np.ndarray, precision: str) -> np.ndarray:
    """Predict with fixed weights."""
    allow_tensorfloat32(precision == "tensorfloat32")
    policy = "mixed_bfloat16" if precision == "mixed_bfloat16" else "float32"
    network = build_network(parameters, COLUMNS, CONTEXT_FRAMES, seed=0, precision=policy)
    set_weights(network, random_weights(network))
    output = network.predict_on_batch(contexts)
    return np.asarray(keras.ops.convert_to_numpy(output), dtype="float32")


def describe_device() -> str:
    """Name the backend and what it runs on."""
    backend = keras.backend.backend()
    if backend == "torch":
        import torch

        device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
        return f"torch {torch.__version__} on {device}"
    if backend == "jax":
        import jax

        return f"jax {jax.__version__} on {jax.devices()[0].device_kind}"
    import tensorflow

    device = "GPU" if tensorflow.config.list_physical_devices("GPU") else "CPU"
    return f"tensorflow {tensorflow.__version__} on {device}"


def write(path: Path) -> None:
    """Save the input and the outputs in float32."""
    contexts = fixed_input()
    outputs = {
        name: compute(parameters, contexts, "float32") for name, parameters in NETWORKS.items()
    }
    np.savez_compressed(path, input=contexts.astype("float32"), **outputs)
    print(f"wrote {path} with keras {keras.__version__}, {describe_device()}")


def compare(path: Path, tolerance: float) -> bool:
    """Print differences to saved outputs; return whether float32 stays within the tolerance."""
    saved = np.load(path)
    print(f"keras {keras.__version__}, {describe_device()}")
    print("network  precision       max/std    rms/std")
    agrees = True
    for name, parameters in NETWORKS.items():
        expected = saved[name]
        for precision in PRECISIONS:
            found = compute(parameters, saved["input"], precision)
            difference = (found - expected) / expected.std()
            largest, rms = np.abs(difference).max(), np.sqrt(np.mean(np.square(difference)))
            print(f"{name:8s} {precision:14s} {largest:8.2e}   {rms:8.2e}")
            if precision == "float32":
                agrees &= bool(largest <= tolerance)
    return agrees


def main() -> int:
    """Write or compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--write", type=Path, metavar="FILE")
    task.add_argument("--compare", type=Path, metavar="FILE")
    parser.add_argument(
        "--tolerance",
        type=float,
        default=1e-3,
        help="largest difference in float32, in standard deviations of the output",
    )
    arguments = parser.parse_args()
    if arguments.write:
        write(arguments.write)
        return 0
    agrees = compare(arguments.compare, arguments.tolerance)
    print(f"float32 within {arguments.tolerance:g}: {'yes' if agrees else 'NO'}")
    return 0 if agrees else 1


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.exit(main())
