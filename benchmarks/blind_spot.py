r"""Try a blind spot: let the network see the target frame on the neighbouring contacts.

    python benchmarks/blind_spot.py measure --configuration config/config.yaml \
        --csv docs/benchmarks/blind_spot.csv
    python benchmarks/blind_spot.py draw --csv docs/benchmarks/blind_spot.csv

Interpolation in time leaves out the target frame and the omitted frames beside it, on every
contact. SUPPORT (Eom et al. 2023, Nature Methods, 10.1038/s41592-023-02005-8) leaves out the
target pixel alone. Here the rows above and below may be seen in those frames too, the own row
never. Where noise is independent between contacts, they tell of the signal alone; where it is
shared, they tell of the noise as well.

Both networks are one architecture, in one of them the neighbours are zero. They are trained on
20 s of the synthetic recording of the configuration, with its noise (`shared`) or with
independent noise alone, and judged on 5 s more against the noise-free signal. A 300 Hz high-pass
comes first. Nothing here is part of the package.
"""

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ephys_deepinterpolation.denoisers import LinearInterpolation, unfold_rows
from ephys_deepinterpolation.geometry import ProbeImage, image_of_recording
from ephys_deepinterpolation.normalization import Normalization, estimate_normalization
from ephys_deepinterpolation.windows import Context, Windows

INDEPENDENT = {"independent": {"level_uv": 10.0}}
NETWORKS = {"interpolation": "#0173b2", "blind spot": "#d55e00"}
RAW_COLOUR = "#4d4d4d"
TRAINING_S, VALIDATION_S, UNSEEN_S = 20.0, 2.0, 5.0
HIGHPASS_HZ = 300.0
ROWS, NEIGHBOUR_ROWS, WIDTH = 5, 2, 64
STEPS, BATCH_FRAMES, RATE, WARMUP_STEPS, EVALUATION_STEPS = 1000, 64, 2e-3, 100, 250
LINEAR_FRAMES, HELD_FRAMES, BLOCK_FRAMES = 4000, 2000, 1000
TEMPLATE_CHANNELS, TEMPLATE_BEFORE, TEMPLATE_AFTER = 6, 10, 21
LEAST_SPIKES, NOISE_WINDOWS = 15, 2000
LEAST_PEAK_UV, SMALL_PEAK_UV = 10.0, 30.0
MEASURES = {
    "validation_loss": "Validation loss",
    "error_uv": "Error to noise-free signal (µV)",
    "passed_correlated": "Shared noise passed",
    "peak_kept_small": "Peak kept, units of 10–30 µV",
    "dprime_small": "d′, units of 10–30 µV",
    "dprime_whitened_small": "d′ after whitening, 10–30 µV",
}


@dataclass(frozen=True)
class Truth:
    """What lies in the unseen stretch: parts (frames, channels) in µV; by unit, spikes and peak."""

    traces: np.ndarray
    parts: dict[str, np.ndarray]
    spikes: dict[str, np.ndarray]
    peaks_uv: dict[str, float]

    @cached_property
    def signal(self) -> np.ndarray:
        """Every spike, without noise."""
        return np.asarray(self.parts["units"] + self.parts["background"])


@dataclass(frozen=True)
class Stretch:
    """Normalized images of a stretch, and what a network sees of them."""

    windows: Windows

    def batch(self, targets: np.ndarray, blind_spot: bool) -> tuple[np.ndarray, ...]:
        """Contexts, neighbours (zeros without a blind spot) and target frames."""
        contexts = self.windows.at(targets)[:, 0]
        frames = self.windows.targets(targets)[:, 0]
        around = np.arange(-self.windows.context.omission, self.windows.context.omission + 1)
        centre = self.windows.image[targets[:, None] + around, 0].transpose(0, 2, 1, 3)
        centre = centre.reshape(*centre.shape[:2], -1)
        padded = np.pad(centre, ((0, 0), (NEIGHBOUR_ROWS, NEIGHBOUR_ROWS), (0, 0)))
        shifts = [shift for shift in range(2 * NEIGHBOUR_ROWS + 1) if shift != NEIGHBOUR_ROWS]
        rows = centre.shape[1]
        neighbours = np.concatenate([padded[:, at : at + rows] for at in shifts], axis=-1)
        return contexts, neighbours if blind_spot else np.zeros_like(neighbours), frames


@dataclass(frozen=True)
class Material:
    """A recording made ready."""

    image: ProbeImage
    normalization: Normalization
    training: Stretch
    validation: Stretch
    unseen: Stretch
    truth: Truth


def read_material(configuration: Path, noise: dict | None, seed: int) -> Material:
    """Generate a recording, and cut it into training, validation and unseen frames."""
    import yaml
    from spikeinterface.preprocessing import highpass_filter

    from ephys_deepinterpolation.frames import traces_in_uv
    from ephys_deepinterpolation.ground_truth.synthetic import generate_synthetic

    parameters = yaml.safe_load(configuration.read_text())["ground_truth"]["np2-synthetic"]
    parameters |= {"duration_s": TRAINING_S + VALIDATION_S + UNSEEN_S}
    parameters |= {} if noise is None else {"noise": noise}
    made = generate_synthetic(**parameters, seed=seed)
    frequency = made.recording.get_sampling_frequency()
    cuts = [0, *np.cumsum([round(s * frequency) for s in (TRAINING_S, VALIDATION_S, UNSEEN_S)])]
    start, end = int(cuts[2]), int(cuts[3])

    def filtered(recording: Any, start: int, end: int) -> np.ndarray:
        high = highpass_filter(recording, freq_min=HIGHPASS_HZ, dtype="float32")
        return traces_in_uv(high, 0, start, end)

    traces = [filtered(made.recording, int(a), int(b)) for a, b in itertools.pairwise(cuts)]
    normalization = estimate_normalization(traces[0])
    image = image_of_recording(made.recording)
    context = Context.from_ms(1.0, None, frequency)
    stretches = [
        Stretch(Windows(image.to_image(normalization.apply(each)), context)) for each in traces
    ]
    assert made.sorting is not None and made.units is not None
    asked = made.units[~made.units["background"] & (made.units["peak_uv"] >= LEAST_PEAK_UV)]
    spikes = {
        unit: made.sorting.get_unit_spike_train(unit, start_frame=start, end_frame=end) - start
        for unit in asked["unit"]
    }
    parts = {name: filtered(part, start, end) for name, part in made.parts().items()}
    peaks = dict(zip(asked["unit"], asked["peak_uv"], strict=True))
    return Material(image, normalization, *stretches, Truth(traces[2], parts, spikes, peaks))


def build(features: int, neighbours: int, columns: int, seed: int) -> Any:
    """Build the compact network, with neighbours that join it after its last look at other rows.

    Had a layer after them a reach of several rows, the own row would come back by the neighbours.
    """
    import keras

    from ephys_deepinterpolation.network import masked_loss

    layers = keras.layers
    context, beside = keras.Input((None, features)), keras.Input((None, neighbours))
    linear = layers.Conv1D(columns, ROWS, padding="same", use_bias=False, name="linear")(context)
    linear_beside = layers.Dense(columns, use_bias=False, name="linear_beside")(beside)
    hidden = context
    for number in range(3):
        hidden = layers.Conv1D(
            WIDTH,
            ROWS if number == 0 else 3,
            padding="same",
            activation="relu",
            kernel_initializer=keras.initializers.HeNormal(seed=seed + number),
        )(hidden)
    hidden = layers.Concatenate()([hidden, beside])
    for number in range(3, 5):
        start = keras.initializers.HeNormal(seed=seed + number)
        hidden = layers.Dense(WIDTH, activation="relu", kernel_initializer=start)(hidden)
    correction = layers.Dense(columns, kernel_initializer="zeros")(hidden)
    network = keras.Model([context, beside], layers.Add()([linear, linear_beside, correction]))
    schedule = keras.optimizers.schedules.CosineDecay(
        RATE / 100, STEPS - WARMUP_STEPS, warmup_target=RATE, warmup_steps=WARMUP_STEPS
    )
    network.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=1e-4, clipnorm=1.0),
        loss=masked_loss("mean_squared_error"),
        jit_compile=False,
    )
    return network


def drawn(stretch: Stretch, count: int, random: np.random.Generator) -> np.ndarray:
    """Draw targets that have a whole context."""
    margin = stretch.windows.context.margin
    return random.integers(margin, len(stretch.windows.image) - margin, size=count)


def train(material: Material, blind_spot: bool, seed: int) -> tuple[Any, dict[str, float]]:
    """Train a network from the ridge regression on all that it sees; keep the best weights."""
    random = np.random.default_rng(seed)
    contexts, neighbours, frames = material.training.batch(
        drawn(material.training, LINEAR_FRAMES, random), blind_spot
    )
    inputs = np.concatenate([unfold_rows(contexts, ROWS), neighbours], axis=-1)
    linear = LinearInterpolation(1, inputs.shape[-1], frames.shape[-1])
    linear.add(inputs, frames, np.ones_like(frames))
    kernel = linear.kernel()[0]
    features, beside, columns = contexts.shape[-1], neighbours.shape[-1], frames.shape[-1]
    network = build(features, beside, columns, seed)
    split = ROWS * features
    network.get_layer("linear").set_weights([kernel[:split].reshape(ROWS, features, columns)])
    network.get_layer("linear_beside").set_weights([kernel[split:]])
    held = material.validation.batch(
        drawn(material.validation, HELD_FRAMES, np.random.default_rng(0)), blind_spot
    )
    check_blindness(network, held)

    def held_loss() -> float:
        found = np.concatenate(
            [
                network.predict_on_batch([part[at : at + BLOCK_FRAMES] for part in held[:2]])
                for at in range(0, HELD_FRAMES, BLOCK_FRAMES)
            ]
        )
        return float(np.square(found - held[2]).mean())

    best_loss, best = held_loss(), network.get_weights()
    losses = {"linear_loss": best_loss}
    for step in range(STEPS):
        targets = drawn(material.training, BATCH_FRAMES, random)
        contexts, neighbours, frames = material.training.batch(targets, blind_spot)
        packed = np.stack([frames, np.ones_like(frames)], axis=-1)
        network.train_on_batch([contexts, neighbours], packed)
        if (step + 1) % EVALUATION_STEPS == 0 and (loss := held_loss()) < best_loss:
            best_loss, best = loss, network.get_weights()
    network.set_weights(best)
    check_blindness(network, held)
    return network, losses | {"validation_loss": best_loss}


def check_blindness(network: Any, batch: tuple[np.ndarray, ...]) -> None:
    """Make sure that no row of the output depends on its own frames around the target."""
    contexts, neighbours, frames = (part[:8].copy() for part in batch)
    row, rows = frames.shape[1] // 2, frames.shape[1]
    before = network.predict_on_batch([contexts, neighbours])[:, row]
    share = neighbours.shape[-1] // (2 * NEIGHBOUR_ROWS)
    offsets = [shift for shift in range(-NEIGHBOUR_ROWS, NEIGHBOUR_ROWS + 1) if shift]
    for place, offset in enumerate(offsets):
        if 0 <= row - offset < rows:
            neighbours[:, row - offset, place * share : (place + 1) * share] += 10.0
    if not np.array_equal(before, network.predict_on_batch([contexts, neighbours])[:, row]):
        raise AssertionError("a row of the output depends on its own target frame")


def denoise(network: Any, material: Material, blind_spot: bool) -> np.ndarray:
    """Denoise the unseen stretch but for its ends, where the traces stay: µV."""
    stretch = material.unseen
    margin, length = stretch.windows.context.margin, len(stretch.windows.image)
    image = stretch.windows.image.copy()
    for start in range(margin, length - margin, BLOCK_FRAMES):
        targets = np.arange(start, min(start + BLOCK_FRAMES, length - margin))
        contexts, neighbours, _ = stretch.batch(targets, blind_spot)
        image[targets, 0] = network.predict_on_batch([contexts, neighbours])
    return material.normalization.invert(material.image.from_image(image))


def judge(output: np.ndarray, truth: Truth, seed: int) -> dict[str, float]:
    """Compare an output (frames, channels) in µV with what is known."""
    regressors = np.stack([part.ravel() for part in truth.parts.values()], axis=1).astype(float)
    gram = regressors.T @ regressors
    passed = np.linalg.solve(gram, regressors.T @ output.ravel().astype(float))
    covariance = np.cov(output.T)
    values, vectors = np.linalg.eigh(covariance)
    white = output @ (vectors / np.sqrt(values + 1e-6 * values.max())) @ vectors.T
    units = []
    for unit, every in truth.spikes.items():
        times = every[(every > 100) & (every < len(output) - 100)]
        if len(times) >= LEAST_SPIKES:
            units.append(
                {
                    "small": truth.peaks_uv[unit] < SMALL_PEAK_UV,
                    "peak_kept": peak_kept(output, truth.signal, times),
                    "dprime": dprime(output, truth.signal, times, seed),
                    "dprime_whitened": dprime(white, truth.signal, times, seed),
                }
            )
    table = pd.DataFrame(units)
    measures = ["peak_kept", "dprime", "dprime_whitened"]
    return {
        "error_uv": float(np.sqrt(np.square(output - truth.signal).mean())),
        **{f"passed_{name}": value for name, value in zip(truth.parts, passed, strict=True)},
        **table.loc[table["small"], measures].mean().add_suffix("_small").to_dict(),
        **table.loc[~table["small"], measures].mean().add_suffix("_large").to_dict(),
        "units_small": int(table["small"].sum()),
        "units_large": int((~table["small"]).sum()),
    }


def around(traces: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Cut windows (times, frames, channels) around times."""
    return traces[times[:, None] + np.arange(-TEMPLATE_BEFORE, TEMPLATE_AFTER)]


def peak_kept(output: np.ndarray, signal: np.ndarray, times: np.ndarray) -> float:
    """Mean waveform of the output at the peak of the mean waveform of the signal, relative."""
    true = around(signal, times).mean(axis=0)
    peak = np.unravel_index(np.argmax(np.abs(true)), true.shape)
    return float(around(output, times).mean(axis=0)[peak] / true[peak])


def dprime(output: np.ndarray, signal: np.ndarray, times: np.ndarray, seed: int) -> float:
    """Tell spikes from other moments by a unit's template: learned on half, tested on the rest.

    Difference of the mean projections on the template over their pooled standard deviation; the
    template is the mean waveform on the contacts where the unit is largest.
    """
    true = around(signal, times).mean(axis=0)
    channels = np.argsort(-np.abs(true).max(axis=0))[:TEMPLATE_CHANNELS]
    local = output[:, channels]
    template = around(local, times[::2]).mean(axis=0)
    random = np.random.default_rng(seed)
    others = random.integers(100, len(output) - 100, size=NOISE_WINDOWS)
    others = others[np.abs(others[:, None] - times).min(axis=1) > TEMPLATE_AFTER]
    hits, rest = (
        np.tensordot(around(local, each), template, axes=2) for each in (times[1::2], others)
    )
    return float((hits.mean() - rest.mean()) / np.sqrt((hits.var() + rest.var()) / 2))


def measure(arguments: argparse.Namespace) -> None:
    """Train and judge everything; the table is written after every network."""
    rows = []
    for result in results(arguments.configuration, arguments.seeds):
        rows.append(result)
        print(result, flush=True)
        pd.DataFrame(rows).to_csv(arguments.csv, index=False)


def results(configuration: Path, seeds: list[int]) -> Iterator[dict]:
    """Give a row for the recording itself and for each network, per noise and seed."""
    for seed in seeds:
        for name, noise in (("independent", INDEPENDENT), ("shared", None)):
            material = read_material(configuration, noise, 300 + seed)
            keys = {"noise": name, "seed": seed}
            yield keys | {"network": "none"} | judge(material.truth.traces, material.truth, seed)
            for network_name in NETWORKS:
                blind_spot = network_name == "blind spot"
                network, losses = train(material, blind_spot, seed)
                output = denoise(network, material, blind_spot)
                judged = judge(output, material.truth, seed)
                yield keys | {"network": network_name} | losses | judged


def draw(csv: Path) -> None:
    """Draw the table beside it."""
    from ephys_deepinterpolation.figures import style

    style.save(plot_blind_spot(pd.read_csv(csv)), csv.with_suffix(".svg"))


def plot_blind_spot(table: pd.DataFrame) -> Any:
    """Draw a panel per measure: noise kinds side by side, a point per seed."""
    from matplotlib.lines import Line2D

    from ephys_deepinterpolation.figures import style

    colours = {"none": RAW_COLOUR} | NETWORKS

    @style.styled
    def plot() -> Any:
        figure, axes = style.panels(len(MEASURES), 3, panel_height=2.1, extra_height=0.3)
        for axis, (measure, label) in zip(axes, MEASURES.items(), strict=True):
            for place, noise in enumerate(("independent", "shared")):
                for number, (network, colour) in enumerate(colours.items()):
                    rows = table[(table["noise"] == noise) & (table["network"] == network)]
                    values = rows[measure].dropna().to_numpy(float)
                    if not len(values):
                        continue
                    x = place + 0.22 * (number - 1)
                    axis.plot(np.full(len(values), x), values, "o", color=colour, markersize=3.5)
                    axis.hlines(values.mean(), x - 0.09, x + 0.09, color=colour, linewidth=1.5)
            axis.set_xticks([0, 1], ["independent", "shared"])
            axis.set_xlim(-0.5, 1.5)
            axis.set_title(label)
        handles = [
            Line2D([], [], color=colour, marker="o", markersize=3.5, label=label)
            for label, colour in zip(
                ("not denoised", "interpolation in time", "with neighbours: blind spot"),
                colours.values(),
                strict=True,
            )
        ]
        style.outside_legend(figure, handles)
        return figure

    return plot()


def main() -> None:
    """Measure or draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    tasks = parser.add_subparsers(dest="task", required=True)
    task = tasks.add_parser("measure", help="train and judge")
    task.add_argument("--configuration", type=Path, required=True)
    task.add_argument("--csv", type=Path, required=True)
    task.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    task = tasks.add_parser("draw", help="draw the table")
    task.add_argument("--csv", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.task == "measure":
        measure(arguments)
    else:
        draw(arguments.csv)


if __name__ == "__main__":
    main()
