"""Measure frames per second of training and inference, and the share of the card's peak.

    KERAS_BACKEND=torch python benchmarks/gpu_throughput.py
    KERAS_BACKEND=jax python benchmarks/gpu_throughput.py

Inference runs from 16-bit integers in host memory to denoised float32 traces in host memory.
Contexts are gathered on the device. Each is measured twice: through Keras as it is
(`predict_on_batch`, `fit`), and in a loop of the backend's own around the same Keras model that
never waits for the device but for results. The peak is that of a bfloat16 matrix product of
8192 x 8192 x 8192, measured in the same run.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from backends import describe_device

from ephys_deepinterpolation.contexts import GatherContexts, ResidentContexts
from ephys_deepinterpolation.denoising import DenoisingNetwork
from ephys_deepinterpolation.geometry import ProbeImage
from ephys_deepinterpolation.network import (
    NetworkParameters,
    Parameters,
    UNetParameters,
    build_network,
    flops_per_frame,
    masked_loss,
)
from ephys_deepinterpolation.normalization import Normalization
from ephys_deepinterpolation.windows import Context, Windows, context_index

CONTEXT = Context(frames=30, omission=1)
CONTEXT_FRAMES = 2 * CONTEXT.frames
NETWORKS: dict[str, Parameters] = {"unet": UNetParameters(), "compact": NetworkParameters()}
REPEATS = 3
PEAK_SIZE = 8192
GAIN_UV = 0.763
SCALE_UV = 10.0


@dataclass(frozen=True)
class Setup:
    """Sizes of a measurement."""

    rows: int
    columns: int
    call_frames: int
    batch_frames: int
    resident_frames: int
    seconds: float
    precision: str

    @property
    def image(self) -> ProbeImage:
        """Channels row by row on one shank."""
        row, column = np.divmod(np.arange(self.rows * self.columns), self.columns)
        return ProbeImage(np.zeros_like(row), row, column, (1, self.rows, self.columns), 15.0)

    @property
    def normalization(self) -> Normalization:
        """Noise of 10 µV to unit scale."""
        channels = self.rows * self.columns
        return Normalization(
            location=np.zeros(channels, np.float32),
            scale=np.full(channels, SCALE_UV, np.float32),
            silent=np.zeros(channels, bool),
        )

    def network(self, parameters: Parameters) -> keras.Model:
        """Build the network for contexts."""
        return build_network(parameters, self.columns, CONTEXT_FRAMES, 0, self.precision)

    def denoiser(self, network: keras.Model, precision: str) -> keras.Model:
        """Build the network from counts and index to counts."""
        channels = self.rows * self.columns
        gains, offsets = np.full(channels, GAIN_UV, np.float32), np.zeros(channels, np.float32)
        return DenoisingNetwork(
            network, self.image, self.normalization, gains, offsets, CONTEXT.margin, precision
        )

    def chunks(self) -> Iterator[np.ndarray]:
        """Hand out chunks of counts in host memory, again and again, never the same twice running.

        Each has a margin for the contexts on both sides.
        """
        generator = np.random.default_rng(1)
        shape = (8, self.call_frames + 2 * CONTEXT.margin, self.rows * self.columns)
        stored = np.round(SCALE_UV / GAIN_UV * generator.standard_normal(shape)).astype(np.int16)
        while True:
            yield from stored

    def index(self) -> np.ndarray:
        """Index of the contexts of the inner frames of a chunk."""
        length = self.call_frames + 2 * CONTEXT.margin
        targets = np.arange(CONTEXT.margin, CONTEXT.margin + self.call_frames)
        return context_index(CONTEXT, targets, 0, length, length)


class TorchLoop:
    """The torch backend's own way to run a Keras model: one graph a call, copies beside kernels.

    `torch.compile` of a Keras model breaks the graph at every layer, and compiles anew at every
    call where `keras.ops.pad` counts up a name. So a call without state is traced to a graph of
    tensor operations first, gradients included, and the graph is compiled.
    """

    def __init__(self, compiling: bool):
        import torch

        torch.backends.cudnn.benchmark = True
        self._torch = torch
        self._compiling = compiling
        self._device = "cuda" if torch.cuda.is_available() else "cpu"

    def synchronize(self) -> None:
        """Wait for the device."""
        if self._device == "cuda":
            self._torch.cuda.synchronize()

    def matmul(self, values: np.ndarray) -> Callable[[], Any]:
        """Make a bfloat16 product of a matrix with itself."""
        matrix = self._torch.from_numpy(values).to(self._device, self._torch.bfloat16)
        return lambda: matrix @ matrix

    def forget(self) -> None:
        """Forget what was compiled."""
        self._torch._dynamo.reset()

    def denoise(self, denoiser: keras.Model, index: np.ndarray) -> Callable[[np.ndarray], Any]:
        """Compile a denoiser; a call starts it and returns what waits for its traces."""
        torch = self._torch
        state, on_device = values_of(denoiser), torch.from_numpy(index).to(self._device)
        compiled: Callable | None = None

        def start(counts: np.ndarray) -> Callable[[], np.ndarray]:
            nonlocal compiled
            stored = self._copied(counts)
            if compiled is None:
                compiled = self._compiled(
                    lambda state, counts, index: denoiser.stateless_call(*state, [counts, index])[
                        0
                    ],
                    state,
                    stored,
                    on_device,
                )
            with torch.no_grad():
                return self._fetching(compiled(state, stored, on_device))

        return start

    def train(
        self, network: keras.Model, stretch: np.ndarray, batch_frames: int
    ) -> Callable[[int], float]:
        """Compile a training step on targets drawn at random; the call takes a number of steps."""
        torch = self._torch
        held = torch.from_numpy(stretch).to(self._device)
        offsets = torch.from_numpy(CONTEXT.offsets).to(self._device)
        gather, (trainable, fixed) = GatherContexts(), values_of(network)
        weights = [value.detach().clone() for value in trainable]
        optimiser = torch.optim.AdamW(weights, lr=1e-4, fused=True)
        # The fused optimiser wants gradients laid out in memory as the weights are.
        buffers = [torch.zeros_like(weight) for weight in weights]
        for weight, buffer in zip(weights, buffers, strict=True):
            weight.grad = buffer

        def loss_of(weights, held, targets):
            contexts = gather([held, targets[:, None] + offsets])
            expected = held[targets].reshape(-1, *held.shape[2:])
            predicted, _ = network.stateless_call(weights, fixed, contexts, training=True)
            return torch.mean(torch.square(expected - predicted))

        def draw():
            limits = (CONTEXT.margin, len(held) - CONTEXT.margin)
            return torch.randint(*limits, (batch_frames,), device=self._device)

        compiled = self._compiled(torch.func.grad_and_value(loss_of), weights, held, draw())

        def run(steps: int) -> float:
            for _ in range(steps):
                with torch.no_grad():
                    gradients, loss = compiled(weights, held, draw())
                    torch._foreach_copy_(buffers, list(gradients))
                optimiser.step()
            return loss.item()

        return run

    def _compiled(self, function: Callable, *example: Any) -> Callable:
        from torch.fx.experimental.proxy_tensor import make_fx

        if not self._compiling:
            return function
        with self._torch.no_grad():
            return self._torch.compile(make_fx(function)(*example), dynamic=False)

    def _copied(self, counts: np.ndarray) -> Any:
        stored = self._torch.from_numpy(counts)
        if self._device == "cpu":
            return stored
        return stored.pin_memory().to(self._device, non_blocking=True)

    def _fetching(self, traces: Any) -> Callable[[], np.ndarray]:
        if self._device == "cpu":
            return traces.numpy
        torch = self._torch
        host = torch.empty(traces.shape, dtype=traces.dtype, pin_memory=True)
        host.copy_(traces, non_blocking=True)
        done = torch.cuda.Event()
        done.record()

        def fetch() -> np.ndarray:
            done.synchronize()
            return host.numpy()

        return fetch


class JaxLoop:
    """The JAX backend's own way to run a Keras model: one compiled function a step."""

    def __init__(self):
        import jax

        self._jax = jax
        self._last: Any = None

    def synchronize(self) -> None:
        """Wait for the last product."""
        self._jax.block_until_ready(self._last)

    def matmul(self, values: np.ndarray) -> Callable[[], Any]:
        """Make a bfloat16 product of a matrix with itself."""
        matrix = self._jax.numpy.asarray(values, dtype="bfloat16")
        product = self._jax.jit(lambda left: left @ left)

        def start():
            self._last = product(matrix)
            return self._last

        return start

    def forget(self) -> None:
        """Forget what was compiled."""
        self._jax.clear_caches()

    def denoise(self, denoiser: keras.Model, index: np.ndarray) -> Callable[[np.ndarray], Any]:
        """Compile a denoiser; a call starts it and returns what waits for its traces."""
        jax = self._jax
        state = values_of(denoiser)
        on_device = jax.device_put(index)

        @jax.jit
        def compiled(state, counts, index):
            return denoiser.stateless_call(*state, [counts, index])[0]

        def start(counts: np.ndarray) -> Callable[[], np.ndarray]:
            traces = compiled(state, jax.device_put(counts), on_device)
            traces.copy_to_host_async()
            return lambda: np.asarray(traces)

        return start

    def train(
        self, network: keras.Model, stretch: np.ndarray, batch_frames: int
    ) -> Callable[[int], float]:
        """Compile a training step on targets drawn at random; the call takes a number of steps."""
        jax = self._jax
        held, offsets = jax.device_put(stretch), CONTEXT.offsets
        gather, (trainable, fixed) = GatherContexts(), values_of(network)
        optimiser = keras.optimizers.AdamW(1e-4)
        optimiser.build(network.trainable_variables)
        state = (trainable, [variable.value for variable in optimiser.variables])

        def loss_of(trainable, held, targets):
            contexts = gather([held, targets[:, None] + offsets])
            expected = held[targets].reshape(-1, *held.shape[2:])
            predicted, _ = network.stateless_call(trainable, fixed, contexts, training=True)
            return jax.numpy.mean(jax.numpy.square(expected - predicted))

        def step(state, number, held):
            trainable, optimiser_state = state
            targets = jax.random.randint(
                jax.random.key(number), (batch_frames,), CONTEXT.margin, len(held) - CONTEXT.margin
            )
            loss, gradients = jax.value_and_grad(loss_of)(trainable, held, targets)
            return optimiser.stateless_apply(optimiser_state, gradients, trainable), loss

        compiled = jax.jit(step, donate_argnums=0)
        # A donated array is gone: the network keeps its own.
        state = jax.tree.map(jax.numpy.copy, state)

        def run(steps: int) -> float:
            nonlocal state
            for number in range(steps):
                state, loss = compiled(state, number, held)
            return loss.item()

        return run


def values_of(model: keras.Model) -> tuple[list, list]:
    """Values of the weights of a model: those that are trained, and the others."""
    return (
        [variable.value for variable in model.trainable_variables],
        [variable.value for variable in model.non_trainable_variables],
    )


def matmul_peak(loop: Any) -> float:
    """Measure the rate of a large bfloat16 matrix product, FLOP/s."""
    values = np.random.default_rng(0).standard_normal((PEAK_SIZE, PEAK_SIZE), dtype=np.float32)
    product, count, rates = loop.matmul(values), 20, []
    for _ in range(REPEATS + 1):
        loop.synchronize()
        started = time.perf_counter()
        for _ in range(count):
            product()
        loop.synchronize()
        rates.append(2 * PEAK_SIZE**3 * count / (time.perf_counter() - started))
    return max(rates)


def best_rate(run: Callable[[int], Any], frames_per_call: int, seconds: float) -> list[float]:
    """Warm up, choose a number of calls that takes `seconds`, repeat: frames/s, sorted."""
    run(2)
    started = time.perf_counter()
    run(4)
    calls = max(4, round(4 * seconds / (time.perf_counter() - started)))
    rates = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        run(calls)
        rates.append(calls * frames_per_call / (time.perf_counter() - started))
    return sorted(rates)


def check_denoiser(setup: Setup, parameters: Parameters, loop: Any) -> float:
    """Compare a denoiser with contexts gathered by numpy: rms difference over deviation."""
    network = setup.network(parameters)
    for weight in network.weights:
        if "correction" in weight.path:
            weight.assign(0.1 * np.random.default_rng(0).standard_normal(weight.shape))
    counts = next(setup.chunks())
    found = loop.denoise(setup.denoiser(network, setup.precision), setup.index())(counts)()
    normalized = setup.normalization.apply(counts.astype(np.float32) * GAIN_UV)
    windows = Windows(setup.image.to_image(normalized), CONTEXT)
    some = np.arange(0, setup.call_frames, max(1, setup.call_frames // 200))
    contexts = windows.at(some + CONTEXT.margin)[:, 0]
    expected = keras.ops.convert_to_numpy(network.predict_on_batch(contexts))[:, None]
    traces = setup.normalization.invert(setup.image.from_image(np.asarray(expected))) / GAIN_UV
    return float(np.sqrt(np.mean(np.square(found[some] - traces))) / traces.std())


def infer_through_keras(setup: Setup, parameters: Parameters, jit: bool) -> list[float]:
    """Frames per second through `predict_on_batch`."""
    denoiser = setup.denoiser(setup.network(parameters), setup.precision)
    denoiser.compile(jit_compile=jit)
    chunks, index = setup.chunks(), setup.index()

    def run(calls: int) -> None:
        for _ in range(calls):
            np.asarray(denoiser.predict_on_batch([next(chunks), index]))

    return best_rate(run, setup.call_frames, setup.seconds)


def infer_in_loop(setup: Setup, parameters: Parameters, loop: Any) -> list[float]:
    """Frames per second with the next call started before the last one's traces are fetched."""
    denoiser = setup.denoiser(setup.network(parameters), setup.precision)
    start, chunks = loop.denoise(denoiser, setup.index()), setup.chunks()

    def run(calls: int) -> None:
        fetch = start(next(chunks))
        for _ in range(calls - 1):
            following = start(next(chunks))
            fetch()
            fetch = following
        fetch()

    return best_rate(run, setup.call_frames, setup.seconds)


class RandomTargets(keras.utils.PyDataset):
    """Steps of `fit`: index of random contexts, and their targets and mask from host memory."""

    def __init__(self, stretch: np.ndarray, batch_frames: int, steps: int):
        super().__init__()
        self._stretch, self._batch_frames, self._steps = stretch, batch_frames, steps

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        length = len(self._stretch)
        targets = np.random.default_rng(number).integers(
            CONTEXT.margin, length - CONTEXT.margin, self._batch_frames
        )
        frames = self._stretch[targets]
        packed = np.stack([frames, np.ones_like(frames)], axis=-1)
        index = context_index(CONTEXT, targets, 0, length, length)
        return index, packed.reshape(-1, *packed.shape[2:])


def resident_stretch(setup: Setup) -> np.ndarray:
    """Noise, normalized: (frames, shanks, rows, columns)."""
    shape = (setup.resident_frames, *setup.image.shape)
    return np.random.default_rng(2).standard_normal(shape, dtype=np.float32)


def train_through_keras(setup: Setup, parameters: Parameters, jit: bool) -> list[float]:
    """Frames per second through `fit`, with AdamW and the masked loss of the package."""
    stretch = resident_stretch(setup)
    held = ResidentContexts(len(stretch), setup.image.shape)
    held.hold(stretch)
    index = keras.Input((CONTEXT_FRAMES,), dtype="int32")
    model = keras.Model(index, setup.network(parameters)(held(index)))
    model.compile(
        optimizer=keras.optimizers.AdamW(1e-4, clipnorm=1.0),
        loss=masked_loss("mean_squared_error"),
        jit_compile=jit,
    )

    def run(steps: int) -> None:
        model.fit(RandomTargets(stretch, setup.batch_frames, steps), verbose=0, shuffle=False)

    return best_rate(run, setup.batch_frames, setup.seconds)


def train_in_loop(setup: Setup, parameters: Parameters, loop: Any) -> list[float]:
    """Frames per second of the backend's own training step."""
    step = loop.train(setup.network(parameters), resident_stretch(setup), setup.batch_frames)
    return best_rate(step, setup.batch_frames, setup.seconds)


def measurements(setup: Setup, parameters: Parameters, compiling: bool) -> dict[str, Callable]:
    """Name what is measured; each gives frames per second, sorted."""
    loop = backend_loop(compiling)
    # See TorchLoop for why Keras must not compile with torch.
    jit = compiling and keras.backend.backend() != "torch"
    return {
        "inference, loop": lambda: infer_in_loop(setup, parameters, loop),
        "training, loop": lambda: train_in_loop(setup, parameters, loop),
        "inference, Keras": lambda: infer_through_keras(setup, parameters, jit),
        "training, Keras": lambda: train_through_keras(setup, parameters, jit),
    }


def backend_loop(compiling: bool = True) -> Any:
    """Make the loop of the backend in use."""
    return TorchLoop(compiling) if keras.backend.backend() == "torch" else JaxLoop()


def measure_network(setup: Setup, name: str, compiling: bool, peak: float) -> None:
    """Measure one network and print a line for each measurement."""
    parameters = NETWORKS[name]
    work = flops_per_frame(parameters, setup.columns, CONTEXT_FRAMES, setup.rows)
    mode = "compiled" if compiling else "eager"
    for what, measure in measurements(setup, parameters, compiling).items():
        keras.utils.clear_session()
        backend_loop().forget()
        try:
            rates = measure()
        except Exception as error:
            print(f"{name:8s} {mode:9s} {what:17s} {type(error).__name__}: {error}"[:300])
            continue
        rate = work * (3 if "training" in what else 1) * rates[-1]
        print(
            f"{name:8s} {mode:9s} {what:17s} {rates[-1]:12,.0f} ({rates[0]:,.0f})"
            f" {rate / 1e12:10.1f} {rate / peak:10.1%}",
            flush=True,
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--columns", type=int, default=2)
    parser.add_argument("--call-frames", type=int, default=8192, help="frames a call of inference")
    parser.add_argument("--batch-frames", type=int, default=1024, help="frames a training step")
    parser.add_argument("--resident-frames", type=int, default=300_000)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each of three repeats")
    parser.add_argument("--precision", default="mixed_bfloat16")
    parser.add_argument("--eager", action="store_true", help="torch only: without torch.compile")
    values = vars(parser.parse_args())
    names, compiling = values.pop("networks"), not values.pop("eager")
    setup = Setup(**values)
    peak = matmul_peak(backend_loop())
    print(f"keras {keras.__version__}, {describe_device()}, {setup.precision}")
    print(f"{setup.rows} x {setup.columns} channels, {CONTEXT_FRAMES} context frames")
    print(f"peak: bfloat16 product {PEAK_SIZE}^3 at {peak / 1e12:.0f} TFLOP/s", flush=True)
    for name in names:
        difference = check_denoiser(setup, NETWORKS[name], backend_loop(compiling))
        print(f"{name}: rms difference to contexts gathered by the host {difference:.1e} std")
    print("network  mode      what                  frames/s (worst of 3)    TFLOP/s  of peak")
    for name in names:
        measure_network(setup, name, compiling, peak)


if __name__ == "__main__":
    main()
