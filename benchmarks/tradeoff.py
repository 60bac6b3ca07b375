r"""Weigh loss against cost: networks of many sizes, trained alike on the same recordings.

    KERAS_BACKEND=jax python benchmarks/tradeoff.py prepare --configuration config/config.yaml \
        --run-001 FOLDER --run-002 FOLDER --folder prepared
    KERAS_BACKEND=jax python benchmarks/tradeoff.py train --folder prepared --csv part.csv
    python benchmarks/tradeoff.py draw --csv part.csv ... --into docs/benchmarks/tradeoff

`prepare` makes the recordings: `synthetic` (generated, 96 channels, 120 s and 10 s more that no
network sees), `real` (two Neuropixels 2.0 recordings of 0.5 s: train on one, test on the other)
and `real-swapped` (the other way round), all high-passed at 300 Hz. `train` draws batches, steps
and validates as `train_deepinterpolation` does, but gathers contexts on the device and runs 250
steps in one compiled function; with `--package` it calls `train_deepinterpolation` itself. Every
network sees the same validation and unseen frames. The highest learning rate is chosen for each
network by a short training with a seed of its own; the grid and the choice are rows of the table.
The seconds in the table hold compilation and whatever else ran on the device. On a CPU, JAX's
gradients of convolutions are slow; there convolutions are matrix products.
"""

import argparse
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ephys_deepinterpolation.network import (
    NetworkParameters,
    Parameters,
    UNetParameters,
    flops_per_frame,
)
from ephys_deepinterpolation.windows import Context

NETWORKS: dict[str, Parameters] = {
    "unet-64": UNetParameters(),
    "unet-16": UNetParameters(width=16),
    "unet-8": UNetParameters(width=8),
    "compact-5x16x3": NetworkParameters(5, 16, 3),
    "compact-5x32x3": NetworkParameters(5, 32, 3),
    "compact-5x64x3": NetworkParameters(5, 64, 3),
    "compact-5x128x3": NetworkParameters(5, 128, 3),
    "compact-5x64x2": NetworkParameters(5, 64, 2),
    "compact-5x64x4": NetworkParameters(5, 64, 4),
    "compact-3x64x3": NetworkParameters(3, 64, 3),
    "compact-7x64x3": NetworkParameters(7, 64, 3),
    "compact-7x16x3": NetworkParameters(7, 16, 3),
    "compact-9x16x3": NetworkParameters(9, 16, 3),
    "compact-9x32x3": NetworkParameters(9, 32, 3),
    "compact-5x16x5": NetworkParameters(5, 16, 5),
    "compact-5x32x5": NetworkParameters(5, 32, 5),
    "compact-5x64x5": NetworkParameters(5, 64, 5),
}
RATES = {"unet": (3e-4, 1e-3, 2e-3, 5e-3), "compact": (5e-4, 1e-3, 2e-3, 5e-3)}
"""Highest learning rates tried."""

FAMILIES = {
    "unet": ("U-Net: width", "#0173b2", "s"),
    "compact": ("compact: rows × width × depth", "#d55e00", "o"),
}
"""Label, colour and marker."""

REFERENCE = "#4d4d4d"
TOLERATED_EXCESS = 0.02

HIGHPASS_HZ = 300.0
CONTEXT_MS = 1.0
TRAINING_S, UNSEEN_S, CHANNELS = 120.0, 10.0, 96
RECORDING_SEED, GRID_SEED = 11, 1000
LINEAR_ROWS, LINEAR_REACH = 240_000, 5
MOST_FRAMES = 8192
BLOCK_FRAMES = 256
STEPS_PER_CALL = 250


@dataclass(frozen=True)
class Budget:
    """Frames a step, and steps of the two budgets and of the search for a learning rate."""

    batch_frames: int
    equal_steps: int
    long_steps: int
    grid_steps: int


# A frame of the real recordings has four times the channels. They hold 13 k training frames.
BUDGETS = {
    "synthetic": Budget(128, equal_steps=8000, long_steps=40_000, grid_steps=4000),
    "real": Budget(32, equal_steps=4000, long_steps=16_000, grid_steps=2000),
    "real-swapped": Budget(32, equal_steps=1500, long_steps=6000, grid_steps=750),
}


@dataclass(frozen=True)
class Held:
    """Frames that no network trains on, and what linear interpolation makes of them."""

    targets: np.ndarray
    linear_loss: float
    noise_floor: float


@dataclass(frozen=True)
class Material:
    """A recording made ready: normalized images, frames to train on and frames to judge by."""

    name: str
    context: Context
    stretch: np.ndarray
    unseen_stretch: np.ndarray
    mask: np.ndarray
    training: np.ndarray
    validation: Held
    unseen: Held
    kernels: dict[int, np.ndarray]


def prepare(configuration: Path, run_001: Path, run_002: Path, folder: Path, jobs: int) -> None:
    """Make both recordings and save them."""
    folder.mkdir(parents=True, exist_ok=True)
    save_recordings(folder, "synthetic", *synthetic_recordings(configuration), jobs)
    first, second = real_recordings(run_001, run_002)
    save_recordings(folder, "real", first, second, jobs)
    save_recordings(folder, "real-swapped", second, first, jobs)


def synthetic_recordings(configuration: Path) -> tuple[Any, Any]:
    """Generate the synthetic recording of the configuration, longer and on more channels."""
    import yaml
    from spikeinterface.preprocessing import highpass_filter

    from ephys_deepinterpolation.ground_truth.synthetic import generate_synthetic

    parameters = yaml.safe_load(configuration.read_text())["ground_truth"]["np2-synthetic"]
    parameters |= {"channels": CHANNELS, "duration_s": TRAINING_S + UNSEEN_S}
    made = generate_synthetic(**parameters, seed=RECORDING_SEED).recording
    filtered = highpass_filter(made, freq_min=HIGHPASS_HZ, dtype="float32")
    cut = round(TRAINING_S * made.get_sampling_frequency())
    return filtered.frame_slice(0, cut), filtered.frame_slice(cut, made.get_num_frames())


def real_recordings(run_001: Path, run_002: Path) -> tuple[Any, Any]:
    """Read the real recordings."""
    from spikeinterface.extractors import read_spikeglx
    from spikeinterface.preprocessing import highpass_filter

    first, second = (
        highpass_filter(
            read_spikeglx(run, stream_id="imec0.ap"), freq_min=HIGHPASS_HZ, dtype="float32"
        )
        for run in (run_001, run_002)
    )
    return first, second


def save_recordings(folder: Path, name: str, training: Any, unseen: Any, jobs: int) -> None:
    """Save a pair of recordings as binary files."""
    for part, recording in (("training", training), ("unseen", unseen)):
        recording.save(
            folder=folder / f"{name}-{part}", n_jobs=jobs, chunk_duration="1s", progress_bar=False
        )


def read_material(folder: Path, name: str, reaches: set[int]) -> Material:
    """Normalize a recording, split its frames, and fit linear interpolation."""
    import spikeinterface as si

    from ephys_deepinterpolation.frames import Frames, sample_traces, split_frames, traces_in_uv
    from ephys_deepinterpolation.geometry import image_of_recording
    from ephys_deepinterpolation.normalization import estimate_normalization
    from ephys_deepinterpolation.transients import find_transients, near

    recording = si.load(folder / f"{name}-training")
    other = si.load(folder / f"{name}-unseen")
    context = Context.from_ms(CONTEXT_MS, None, recording.get_sampling_frequency())
    training, validation = split_frames([recording], context)
    normalization = estimate_normalization(
        sample_traces([recording], training, 300_000, np.random.default_rng(0))
    )
    image = image_of_recording(recording)
    frames = Frames([recording], image, normalization, context)
    normalized = normalization.apply(traces_in_uv(recording, 0, 0, recording.get_num_frames()))
    clean = ~near(find_transients(normalized, normalization.silent), context.margin)
    stretch = image.to_image(normalized)
    unseen = normalization.apply(traces_in_uv(other, 0, 0, other.get_num_frames()))
    unseen_stretch = image.to_image(unseen)
    chosen = [
        np.concatenate([np.arange(piece.start, piece.end) for piece in pieces])
        for pieces in (training, validation)
    ]
    training_targets, held_targets = (targets[clean[targets]] for targets in chosen)
    few = spread(training_targets, LINEAR_ROWS // (stretch.shape[1] * stretch.shape[2]))
    kernels = {
        rows: linear_kernel(stretch, few, context, frames.mask, rows)
        for rows in sorted({*reaches, LINEAR_REACH})
    }
    every = np.arange(context.margin, len(unseen_stretch) - context.margin)
    # All of the other real recording; of the ten synthetic seconds, evenly spaced frames.
    most = MOST_FRAMES if name == "synthetic" else len(every)
    kernel = kernels[LINEAR_REACH]
    return Material(
        name,
        context,
        stretch,
        unseen_stretch,
        frames.mask,
        training_targets,
        held(stretch, spread(held_targets, MOST_FRAMES), context, frames.mask, kernel),
        held(unseen_stretch, spread(every, most), context, frames.mask, kernel),
        kernels,
    )


def spread(targets: np.ndarray, most: int) -> np.ndarray:
    """Take at most so many targets, evenly."""
    if len(targets) <= most:
        return targets
    return targets[np.linspace(0, len(targets) - 1, most).astype(int)]


def blocks(
    stretch: np.ndarray, targets: np.ndarray, context: Context
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Gather contexts and targets block by block, on the host."""
    for start in range(0, len(targets), BLOCK_FRAMES):
        some = targets[start : start + BLOCK_FRAMES]
        contexts = stretch[some[:, None] + context.offsets].transpose(0, 2, 3, 1, 4)
        rows = stretch.shape[2]
        yield contexts.reshape(-1, rows, contexts.shape[3] * contexts.shape[4]), stretch[some]


def linear_kernel(
    stretch: np.ndarray, targets: np.ndarray, context: Context, mask: np.ndarray, rows: int
) -> np.ndarray:
    """Fit linear interpolation from so many rows."""
    from ephys_deepinterpolation.denoisers import LinearInterpolation

    columns = stretch.shape[-1]
    linear = LinearInterpolation(rows, 2 * context.frames * columns, columns)
    for contexts, frames in blocks(stretch, targets, context):
        images = frames.reshape(-1, *frames.shape[2:])
        linear.add(contexts, images, np.broadcast_to(mask, frames.shape).reshape(images.shape))
    return linear.kernel()


def held(
    stretch: np.ndarray, targets: np.ndarray, context: Context, mask: np.ndarray, kernel: np.ndarray
) -> Held:
    """Judge linear interpolation on frames, and estimate their noise floor."""
    from ephys_deepinterpolation.denoisers import interpolate_linearly, noise_floor

    residuals = []
    for contexts, frames in blocks(stretch, targets, context):
        images = frames.reshape(-1, *frames.shape[2:])
        residuals.append(images - interpolate_linearly(kernel, contexts))
    residual = np.concatenate(residuals)
    masks = np.tile(mask, (len(targets), 1, 1))
    residual = residual * masks
    return Held(
        targets,
        float(np.square(residual, dtype=float).sum() / masks.sum()),
        noise_floor(residual, masks, LINEAR_REACH),
    )


class Trainer:
    """Trains one network on one recording with everything on the device, through JAX.

    AdamW, warm-up, cosine decay, clipping and the choice of the best weights are those of
    `train_deepinterpolation`; validation is every 250 steps, on the frames of `Material`.
    """

    def __init__(self, parameters: Parameters, material: Material, budget: Budget):
        import jax
        import keras

        from ephys_deepinterpolation.network import build_network

        if jax.default_backend() == "cpu":
            keras.src.backend.jax.nn.conv = convolve_by_products
        self._jax, self._keras = jax, keras
        self._parameters, self._material = parameters, material
        self._context = material.context
        columns = material.stretch.shape[-1]
        self._build = lambda seed: build_network(
            parameters, columns, 2 * self._context.frames, seed
        )
        self._network = self._build(0)
        self._optimiser = keras.optimizers.AdamW(1.0, weight_decay=1e-4, clipnorm=1.0)
        self._optimiser.build(self._network.trainable_variables)
        self._rate_place = [
            variable is self._optimiser._learning_rate for variable in self._optimiser.variables
        ].index(True)
        self._batch_frames = budget.batch_frames
        self._stretch = jax.device_put(material.stretch)
        self._unseen_stretch = jax.device_put(material.unseen_stretch)
        self._mask = jax.numpy.asarray(material.mask)
        self._targets = jax.device_put(material.training.astype(np.int32))
        self._steps = jax.jit(self._many_steps, donate_argnums=0)
        self._evaluate = jax.jit(self._squared_errors)

    def train(self, rate: float, steps: int, seed: int) -> dict[str, Any]:
        """Train once; losses at the weights that validate best, and the history."""
        jax = self._jax
        state = self._start(seed)
        key = jax.random.key(seed)
        started = time.perf_counter()
        best, best_weights, history = self.loss(state[0], self._material.validation), state[0], []
        first = best
        best_weights = jax.tree.map(jax.numpy.copy, best_weights)
        for done in range(0, steps, STEPS_PER_CALL):
            key, now = jax.random.split(key)
            state = self._steps(state, now, done, rate, steps, self._stretch, self._targets)
            loss = self.loss(state[0], self._material.validation)
            history.append(loss)
            if loss < best:
                best, best_weights = loss, jax.tree.map(jax.numpy.copy, state[0])
        return {
            "seconds": time.perf_counter() - started,
            "first_loss": first,
            "validation_loss": best,
            "best_step": 0 if best == first else STEPS_PER_CALL * (1 + int(np.argmin(history))),
            "loss_at_half": min([first, *history[: len(history) // 2]]),
            "unseen_loss": self.loss(best_weights, self._material.unseen, unseen=True),
        }

    def loss(self, weights: list, frames: Held, unseen: bool = False) -> float:
        """Mean squared error over the pixels that hold a contact."""
        stretch = self._unseen_stretch if unseen else self._stretch
        count = -len(frames.targets) % BLOCK_FRAMES
        targets = np.concatenate([frames.targets, np.repeat(frames.targets[-1:], count)])
        valid = np.arange(len(targets)) < len(frames.targets)
        total = self._evaluate(
            weights,
            stretch,
            targets.reshape(-1, BLOCK_FRAMES).astype(np.int32),
            valid.reshape(-1, BLOCK_FRAMES).astype(np.float32),
        )
        return float(total) / (len(frames.targets) * float(self._material.mask.sum()))

    def _start(self, seed: int) -> tuple[list, list]:
        from ephys_deepinterpolation.network import start_linear_path

        network = self._build(seed)
        rows = getattr(self._parameters, "rows", LINEAR_REACH)
        start_linear_path(network, self._material.kernels[rows])
        weights = [variable.value for variable in network.trainable_variables]
        fresh = [
            self._jax.numpy.zeros_like(variable.value) for variable in self._optimiser.variables
        ]
        return self._jax.tree.map(self._jax.numpy.copy, (weights, fresh))

    def _predict(self, weights: list, stretch: Any, targets: Any) -> Any:
        from ephys_deepinterpolation.contexts import GatherContexts

        contexts = GatherContexts()([stretch, targets[:, None] + self._context.offsets])
        images, _ = self._network.stateless_call(weights, [], contexts)
        return images.reshape(len(targets), *stretch.shape[1:])

    def _many_steps(self, state, key, done, rate, steps, stretch, targets):
        jax = self._jax

        def loss_of(weights, chosen):
            error = jax.numpy.square(self._predict(weights, stretch, chosen) - stretch[chosen])
            return jax.numpy.sum(error * self._mask) / (len(chosen) * jax.numpy.sum(self._mask))

        def step(state, inputs):
            weights, optimiser = state
            number, key = inputs
            chosen = jax.random.choice(key, targets, (self._batch_frames,))
            gradients = jax.grad(loss_of)(weights, chosen)
            optimiser[self._rate_place] = self._scheduled(number, rate, steps)
            return self._optimiser.stateless_apply(optimiser, gradients, weights), None

        numbers = done + jax.numpy.arange(STEPS_PER_CALL)
        keys = jax.random.split(key, STEPS_PER_CALL)
        return jax.lax.scan(step, state, (numbers, keys))[0]

    def _scheduled(self, number, rate, steps):
        """Warm up from a hundredth of the rate, then decay along a cosine."""
        maths = self._jax.numpy
        warmup = maths.minimum(100, steps // 10)
        rising = rate / 100 + (rate - rate / 100) * number / warmup
        share = maths.clip((number - warmup) / (steps - warmup), 0, 1)
        falling = rate * 0.5 * (1 + maths.cos(maths.pi * share))
        return maths.where(number < warmup, rising, falling).astype("float32")

    def _squared_errors(self, weights, stretch, targets, valid):
        maths = self._jax.numpy

        def block(inputs):
            chosen, counts = inputs
            error = maths.square(self._predict(weights, stretch, chosen) - stretch[chosen])
            return maths.sum(error * self._mask * counts[:, None, None, None])

        return maths.sum(self._jax.lax.map(block, (targets, valid)))


def convolve_by_products(inputs: Any, kernel: Any, *_: Any, **__: Any) -> Any:
    """Convolve with stride 1 and `same` padding by matrix products, as Keras' `conv` does."""
    import jax.numpy as maths

    inputs, kernel = maths.asarray(inputs), maths.asarray(kernel)
    *taps, features, filters = kernel.shape
    sides = [((tap - 1) // 2, tap // 2) for tap in taps]
    padded = maths.pad(inputs, [(0, 0), *sides, (0, 0)])
    shifts = list(itertools.product(*map(range, taps)))

    def shifted(values: Any, shift: tuple[int, ...]) -> Any:
        cut = [
            slice(first, first + size)
            for first, size in zip(shift, inputs.shape[1:-1], strict=True)
        ]
        return values[(slice(None), *cut)]

    if features <= filters:
        gathered = maths.concatenate([shifted(padded, shift) for shift in shifts], axis=-1)
        return gathered @ kernel.reshape(-1, filters)
    # Fewer values are shifted after the product than before it.
    every = maths.moveaxis(kernel.reshape(-1, features, filters), 0, 1).reshape(features, -1)
    products = maths.split(padded @ every, len(shifts), axis=-1)
    return sum(shifted(*each) for each in zip(products, shifts, strict=True))


class Runs:
    """Trains networks on one recording and keeps a table of what came of it."""

    def __init__(self, material: Material, recording: Any, csv: Path, deadline: float):
        self._material, self._recording = material, recording
        self._csv, self._deadline = csv, deadline
        self._budget = BUDGETS[material.name]
        self._rows: list[dict] = []

    def compare(self, name: str, rate: float | None, equal_seeds: int, long_seeds: int) -> None:
        """Choose a learning rate unless given, then train with the equal and the long budget."""
        import jax

        jax.clear_caches()
        budget, trainer = self._budget, Trainer(NETWORKS[name], self._material, self._budget)
        if rate is None:
            rates = RATES[NETWORKS[name].family]
            steps = budget.grid_steps
            found = [self._run(trainer, name, "grid", each, steps, GRID_SEED) for each in rates]
            rate = rates[int(np.argmin(found))]
        for seed in range(equal_seeds):
            self._run(trainer, name, "equal", rate, budget.equal_steps, seed)
        for seed in range(long_seeds):
            self._run(trainer, name, "long", rate, budget.long_steps, seed)

    def through_package(self, name: str, rate: float, seed: int) -> None:
        """Train by `train_deepinterpolation` itself with the equal budget."""
        from ephys_deepinterpolation import train_deepinterpolation

        steps = self._budget.equal_steps
        started = time.perf_counter()
        model = train_deepinterpolation(
            self._recording,
            network=NETWORKS[name],
            context_ms=CONTEXT_MS,
            max_steps=steps,
            batch_size=self._budget.batch_frames,
            learning_rate=rate,
            seed=seed,
            progress=False,
        )
        losses = {
            "seconds": time.perf_counter() - started,
            "validation_loss": model_loss(model, self._material, unseen=False),
            "unseen_loss": model_loss(model, self._material, unseen=True),
        }
        self._add(name, "package", "equal", rate, steps, seed, losses)

    def _run(
        self, trainer: Trainer, name: str, budget: str, rate: float, steps: int, seed: int
    ) -> float:
        if time.monotonic() > self._deadline:
            print(f"no time left for {name}, {budget}, seed {seed}", flush=True)
            return np.inf
        losses = trainer.train(rate, steps, seed)
        self._add(name, "device", budget, rate, steps, seed, losses)
        return losses["validation_loss"]

    def _add(
        self, name: str, loop: str, budget: str, rate: float, steps: int, seed: int, losses: dict
    ) -> None:
        material, parameters = self._material, NETWORKS[name]
        _, shanks, rows, columns = material.stretch.shape
        row = {
            "network": name,
            "recording": material.name,
            "seed": seed,
            "budget": budget,
            "loop": loop,
            "learning_rate": rate,
            "steps": steps,
            "batch_frames": self._budget.batch_frames,
            "parameters": count_parameters(parameters, columns, 2 * material.context.frames),
            "flops_per_frame": flops_per_frame(
                parameters, columns, 2 * material.context.frames, shanks * rows
            ),
            **losses,
            "linear_loss": material.validation.linear_loss,
            "noise_floor": material.validation.noise_floor,
            "unseen_linear_loss": material.unseen.linear_loss,
            "unseen_noise_floor": material.unseen.noise_floor,
        }
        self._rows.append(row)
        pd.DataFrame(self._rows).to_csv(self._csv, index=False)
        print(
            f"{material.name} {name} {budget} {loop} rate {rate:g} seed {seed}: "
            f"{losses['validation_loss']:.5f}, unseen {losses['unseen_loss']:.5f}, "
            f"{losses['seconds']:.1f} s",
            flush=True,
        )


def count_parameters(parameters: Parameters, columns: int, context_frames: int) -> int:
    """Count the weights of a network."""
    from ephys_deepinterpolation.network import build_network

    return int(build_network(parameters, columns, context_frames, 0).count_params())


def model_loss(model: Any, material: Material, unseen: bool) -> float:
    """Mean squared error of a model of the package on the frames of `Material`."""
    import keras

    from ephys_deepinterpolation.network import build_network, network_parameters, set_weights

    context, columns = material.context, model.columns
    network = build_network(network_parameters(model.network), columns, 2 * context.frames, 0)
    set_weights(network, model.weights)
    stretch = material.unseen_stretch if unseen else material.stretch
    targets = (material.unseen if unseen else material.validation).targets
    total = 0.0
    for contexts, frames in blocks(stretch, targets, context):
        found = keras.ops.convert_to_numpy(network.predict_on_batch(contexts))
        error = np.square(np.asarray(found).reshape(frames.shape) - frames) * material.mask
        total += float(error.sum(dtype=float))
    return total / (len(targets) * float(material.mask.sum()))


def train(arguments: argparse.Namespace) -> None:
    """Train what was asked for."""
    import spikeinterface as si

    started = time.monotonic()
    reaches = {getattr(NETWORKS[name], "rows", LINEAR_REACH) for name in arguments.networks}
    material = read_material(arguments.folder, arguments.recording, reaches)
    recording = si.load(arguments.folder / f"{arguments.recording}-training")
    print(
        f"{material.name}: {len(material.training)} training, "
        f"{len(material.validation.targets)} validation, {len(material.unseen.targets)} unseen "
        f"frames; linear {material.validation.linear_loss:.5f}, floor "
        f"{material.validation.noise_floor:.5f}; read in {time.monotonic() - started:.0f} s",
        flush=True,
    )
    runs = Runs(material, recording, arguments.csv, started + arguments.seconds)
    for name in arguments.networks:
        if arguments.package:
            for seed in range(arguments.equal_seeds):
                runs.through_package(name, arguments.rate or 2e-3, seed)
        else:
            runs.compare(name, arguments.rate, arguments.equal_seeds, arguments.long_seeds)


def draw(tables: Sequence[Path], into: Path) -> None:
    """Merge tables into one and draw loss against cost."""
    from ephys_deepinterpolation.figures import style

    table = pd.concat([pd.read_csv(path) for path in tables], ignore_index=True)
    order = {name: number for number, name in enumerate(NETWORKS)}
    table = table.sort_values(
        ["recording", "network", "budget", "loop", "learning_rate", "seed"],
        key=lambda column: column.map(order) if column.name == "network" else column,
    )
    into.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(into.with_suffix(".csv"), index=False)
    figure = plot_tradeoff(table)
    for suffix in (".svg", ".png"):
        style.save(figure, into.with_suffix(suffix))


def plot_tradeoff(table: pd.DataFrame) -> Any:
    """Draw the loss of every network against its cost: whole, and close up beside it."""
    from ephys_deepinterpolation.figures import style

    @style.styled
    def plot() -> Any:
        trained = table[(table["loop"] == "device") & (table["budget"] != "grid")]
        trained = trained.assign(excess=trained["validation_loss"] - trained["noise_floor"])
        recordings = [name for name in BUDGETS if name in set(trained["recording"])]
        count = len(recordings)
        figure, axes = style.panels(2 * count, 2, panel_height=2.5, extra_height=0.7)
        for whole, close, recording in zip(axes[::2], axes[1::2], recordings, strict=True):
            runs = trained[trained["recording"] == recording]
            draw_recording(whole, runs)
            draw_recording(close, runs)
            whole.set_ylim(bottom=0)
            close_up(close, runs)
            whole.set_title(recording.replace("-", ", "), fontweight="bold")
            close.set_title("closely; mean, lowest and highest seed")
            whole.set_ylabel("Validation loss over the floor")
        for axis in axes[-2:]:
            axis.set_xlabel("MFLOP per frame")
        style.outside_legend(figure, legend_handles(), columns=3)
        return figure

    return plot()


def draw_recording(axis: Any, table: pd.DataFrame) -> None:
    """Draw the networks of one recording, with linear interpolation."""
    from ephys_deepinterpolation.figures.style import log_ticks

    for (name, budget), runs in table.groupby(["network", "budget"]):
        _, colour, marker = FAMILIES[NETWORKS[str(name)].family]
        losses, cost = runs["excess"], runs["flops_per_frame"].iloc[0] / 1e6
        mean = losses.mean()
        axis.errorbar(
            cost,
            mean,
            yerr=[[mean - losses.min()], [losses.max() - mean]],
            color=colour,
            marker=marker,
            markersize=4.5,
            markerfacecolor=colour if budget == "long" else "white",
            elinewidth=0.9,
            capsize=2,
        )
    linear = (table["linear_loss"] - table["noise_floor"]).mean()
    axis.axhline(linear, color=REFERENCE, linestyle="--", linewidth=1, zorder=1)
    axis.set_xscale("log")
    log_ticks(axis.xaxis)


def close_up(axis: Any, table: pd.DataFrame) -> None:
    """Show the losses closely, name the networks, and shade what is near the best U-Net."""
    from matplotlib.patheffects import Normal, Stroke

    means = table.groupby(["network", "budget"])["excess"].mean()
    best = means.loc["unet-64"].min()
    limit = (1 + TOLERATED_EXCESS) * best
    axis.axhspan(best, limit, color=REFERENCE, alpha=0.15, linewidth=0)
    lowest, highest = table["excess"].min(), table["excess"].max()
    room = 0.08 * (highest - lowest)
    axis.set_ylim(lowest - 2 * room, highest + room)
    axis.margins(x=0.12)
    for name in means.index.unique("network"):
        cost = table.loc[table["network"] == name, "flops_per_frame"].iloc[0] / 1e6
        # Beside their points, the names of neighbours would run into each other.
        beside = NETWORKS[str(name)].family == "unet"
        axis.annotate(
            str(name).split("-")[1].replace("x", "×"),
            (cost, means.loc[name].min()),
            xytext=(6, -2) if beside else (1, -4),
            textcoords="offset points",
            fontsize=6.5,
            rotation=0 if beside else -40,
            rotation_mode="anchor",
            verticalalignment="center" if beside else "top",
            color=FAMILIES[NETWORKS[str(name)].family][1],
            path_effects=[Stroke(linewidth=2, foreground="white"), Normal()],
            zorder=1.5,
        )


def legend_handles() -> list[Any]:
    """Make the handles of the legend."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    points = [
        Line2D([], [], color=colour, marker=marker, linestyle="none", markersize=4.5, label=label)
        for label, colour, marker in FAMILIES.values()
    ]
    budgets = [
        Line2D(
            [],
            [],
            color=REFERENCE,
            marker="o",
            linestyle="none",
            markersize=4.5,
            markerfacecolor=face,
            label=label,
        )
        for face, label in (("white", "equal frames"), (REFERENCE, "three to five times as many"))
    ]
    line = Line2D([], [], color=REFERENCE, linestyle="--", label="linear interpolation")
    band = Patch(
        color=REFERENCE,
        alpha=0.15,
        label=f"full U-Net to + {TOLERATED_EXCESS:.0%} of its excess",
    )
    return [*points, *budgets, line, band]


def main() -> None:
    """Prepare, train or draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    tasks = parser.add_subparsers(dest="task", required=True)
    task = tasks.add_parser("prepare", help="make the recordings")
    task.add_argument("--configuration", type=Path, required=True)
    task.add_argument("--run-001", type=Path, required=True)
    task.add_argument("--run-002", type=Path, required=True)
    task.add_argument("--folder", type=Path, required=True)
    task.add_argument("--jobs", type=int, default=1)
    task = tasks.add_parser("train", help="train networks on one recording")
    task.add_argument("--folder", type=Path, required=True)
    task.add_argument("--csv", type=Path, required=True)
    task.add_argument("--recording", choices=list(BUDGETS), default="synthetic")
    task.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    task.add_argument("--equal-seeds", type=int, default=3)
    task.add_argument("--long-seeds", type=int, default=3)
    task.add_argument("--seconds", type=float, default=np.inf, help="start no run after this")
    task.add_argument("--package", action="store_true", help="by train_deepinterpolation")
    task.add_argument("--rate", type=float, help="learning rate; without it, the grid's best")
    task = tasks.add_parser("draw", help="merge tables and draw them")
    task.add_argument("--csv", type=Path, nargs="+", required=True)
    task.add_argument("--into", type=Path, required=True, help="path without suffix")
    arguments = parser.parse_args()
    if arguments.task == "prepare":
        prepare(
            arguments.configuration,
            arguments.run_001,
            arguments.run_002,
            arguments.folder,
            arguments.jobs,
        )
    elif arguments.task == "train":
        train(arguments)
    else:
        draw(arguments.csv, arguments.into)


if __name__ == "__main__":
    main()
