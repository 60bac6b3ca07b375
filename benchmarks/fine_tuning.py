r"""Compare fine-tuning with training from scratch: loss against steps and amount of data.

    python benchmarks/fine_tuning.py measure --configuration config/config.yaml \
        --run-001 FOLDER --run-002 FOLDER --csv docs/benchmarks/fine_tuning.csv
    python benchmarks/fine_tuning.py draw --csv docs/benchmarks/fine_tuning.csv

For every seed a model of the compact network is trained on 30 s of the synthetic recording of the
configuration. Then it meets another recording: `other units` (another seed), `other units and
noise` (another seed and `OTHER_NOISE`), or `real` (Neuropixels 2.0, run-001, 0.5 s). On so many
seconds of it the model is fine-tuned with so many steps, as `fine_tune` does, after its linear path
is fitted anew, and without that; and a network is trained from scratch with as many, each with the
learning rate that the package takes by default. All are judged on
frames that no network saw: 5 s more of the synthetic recordings, run-002 of the real one.

Steps, schedule, validation every 250 steps and choice of the best weights are those of
`training`. The normalization is always that of the
whole new recording, so that losses are in one unit. A batch holds as many rows of contacts on the
real probe as on the synthetic one.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ephys_deepinterpolation.denoisers import (
    LinearInterpolation,
    interpolate_linearly,
    noise_floor,
)
from ephys_deepinterpolation.frames import FrameRange, Frames, Piece, sample_traces, split_frames
from ephys_deepinterpolation.geometry import image_of_recording
from ephys_deepinterpolation.network import NetworkParameters
from ephys_deepinterpolation.normalization import estimate_normalization
from ephys_deepinterpolation.windows import Context

STEPS = (250, 1000)
PRETRAINING_STEPS = 4000
PRETRAINING_S, NEW_S, UNSEEN_S = 30.0, 10.0, 5.0
AMOUNTS_S = {"other units": (10.0,), "other units and noise": (0.1, 10.0), "real": (0.5,)}
OTHER_NOISE = {
    "correlated": {"level_uv": 10.0, "spatial_decay_um": 80.0, "time_constant_ms": 0.2},
    "independent": {"level_uv": 6.0},
}
RATES = {"fine-tuned": 5e-4, "linear path kept": 5e-4, "from scratch": 2e-3}
COLOURS = {"fine-tuned": "#0173b2", "linear path kept": "#949494", "from scratch": "#d55e00"}
HIGHPASS_HZ = 300.0
BATCH_ROWS = 64 * 24
LINEAR_ROWS, HELD_ROWS, UNSEEN_ROWS = 60_000, 30_000, 60_000
EVALUATION_STEPS = 250
WARMUP_STEPS = 100

Batch = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Material:
    """Training frames in memory, validation frames, and the ridge regression of the former."""

    frames: Frames
    ranges: list[FrameRange]
    pieces: list[Piece]
    batch_frames: int
    held: Batch
    kernel: np.ndarray

    def batches(self, count: int, seed: int) -> Iterator[Batch]:
        """Draw batches at random, as training does."""
        random = np.random.default_rng(seed)
        weights = np.array([len(piece) for piece in self.pieces], dtype=float)
        for _ in range(count):
            piece = self.pieces[random.choice(len(self.pieces), p=weights / weights.sum())]
            yield self.frames.batch(piece, random.choice(piece.targets, size=self.batch_frames))


def read_synthetic(
    configuration: Path, seconds: float, seed: int, noise: dict | None = None
) -> tuple[Any, Any]:
    """Generate a synthetic recording: a part to train on, and one that no network sees."""
    import yaml
    from spikeinterface.preprocessing import highpass_filter

    from ephys_deepinterpolation.ground_truth.synthetic import generate_synthetic

    parameters = yaml.safe_load(configuration.read_text())["ground_truth"]["np2-synthetic"]
    parameters |= {"duration_s": seconds + UNSEEN_S}
    parameters |= {} if noise is None else {"noise": noise}
    made = generate_synthetic(**parameters, seed=seed).recording
    filtered = highpass_filter(made, freq_min=HIGHPASS_HZ, dtype="float32")
    whole = filtered.save(format="memory", n_jobs=1, chunk_duration="1s", progress_bar=False)
    cut = round(seconds * made.get_sampling_frequency())
    return whole.frame_slice(0, cut), whole.frame_slice(cut, made.get_num_frames())


def read_real(run: Path) -> Any:
    """Read a real recording."""
    from spikeinterface.extractors import read_spikeglx
    from spikeinterface.preprocessing import highpass_filter

    recording = read_spikeglx(run, stream_id="imec0.ap")
    filtered = highpass_filter(recording, freq_min=HIGHPASS_HZ, dtype="float32")
    return filtered.save(format="memory", n_jobs=1, chunk_duration="1s", progress_bar=False)


def frames_of(recording: Any, normalization: Any) -> Frames:
    """Make what draws frames of a recording."""
    context = Context.from_ms(1.0, None, recording.get_sampling_frequency())
    return Frames([recording], image_of_recording(recording), normalization, context)


def normalize(recording: Any) -> Any:
    """Estimate the normalization of a recording from all its frames."""
    whole = [FrameRange(0, 0, 0, recording.get_num_frames())]
    random = np.random.default_rng(0)
    return estimate_normalization(sample_traces([recording], whole, 300_000, random))


def make_material(recording: Any, normalization: Any, seconds: float, seed: int) -> Material:
    """Read the first seconds of a recording, split as in training, and fit the ridge regression."""
    count = round(seconds * recording.get_sampling_frequency())
    few = recording.frame_slice(0, min(count, recording.get_num_frames()))
    frames = frames_of(few, normalization)
    training, validation = split_frames([few], frames.context)
    random = np.random.default_rng(seed)
    shanks, rows, columns = frames.image.shape
    linear = LinearInterpolation(
        NetworkParameters().rows, 2 * frames.context.frames * columns, columns
    )
    contexts, packed = frames.draw(training, frames.frames_for(LINEAR_ROWS), random)
    linear.add(contexts, packed[..., 0], packed[..., 1])
    return Material(
        frames,
        training,
        [frames.read(piece) for piece in training],
        max(1, BATCH_ROWS // (shanks * rows)),
        frames.draw(validation, frames.frames_for(HELD_ROWS), random),
        linear.kernel(),
    )


def draw_unseen(recording: Any, normalization: Any) -> Batch:
    """Draw frames of a recording that no network sees."""
    frames = frames_of(recording, normalization)
    margin = frames.context.margin
    length = (recording.get_num_frames() - 2 * margin) // 20
    pieces = [
        FrameRange(0, 0, margin + number * length, margin + (number + 1) * length)
        for number in range(20)
    ]
    return frames.draw(pieces, frames.frames_for(UNSEEN_ROWS), np.random.default_rng(0))


class Trainer:
    """One compact network in memory, trained again and again from given weights."""

    def __init__(self, columns: int, context_frames: int):
        import keras

        from ephys_deepinterpolation.network import build_network, masked_loss

        self._build = lambda seed: build_network(NetworkParameters(), columns, context_frames, seed)
        self._network = self._build(0)
        self._network.compile(
            optimizer=keras.optimizers.AdamW(1.0, weight_decay=1e-4, clipnorm=1.0),
            loss=masked_loss("mean_squared_error"),
            jit_compile=False,
        )
        self._network.optimizer.build(self._network.trainable_variables)

    def scratch(self, kernel: np.ndarray, seed: int) -> list[np.ndarray]:
        """Weights that training from scratch starts from."""
        from ephys_deepinterpolation.network import start_linear_path

        network = self._build(seed)
        start_linear_path(network, kernel)
        return network.get_weights()

    def refitted(
        self, weights: list[np.ndarray], material: Material, seed: int
    ) -> list[np.ndarray]:
        """Weights that fine-tuning starts from."""
        from ephys_deepinterpolation.training import refit_linear_path

        self._network.set_weights(weights)
        random = np.random.default_rng(seed)
        refit_linear_path(
            self._network,
            material.frames,
            material.ranges,
            NetworkParameters(),
            material.held,
            random,
        )
        return self._network.get_weights()

    def loss(self, weights: list[np.ndarray], batch: Batch) -> float:
        """Mean squared error over the pixels that hold a contact."""
        self._network.set_weights(weights)
        contexts, packed = batch
        total = 0.0
        for start in range(0, len(contexts), 512):
            part = packed[start : start + 512]
            found = np.asarray(self._network.predict_on_batch(contexts[start : start + 512]))
            total += float((np.square(found - part[..., 0]) * part[..., 1]).sum(dtype=float))
        return total / float(packed[..., 1].sum())

    def train(
        self, weights: list[np.ndarray], material: Material, rate: float, steps: int, seed: int
    ) -> list[np.ndarray]:
        """Train with so many steps, and return the weights that validate best."""
        best, best_loss = weights, self.loss(weights, material.held)
        optimizer = self._network.optimizer
        for variable in optimizer.variables:
            variable.assign(np.zeros(variable.shape))
        for step, batch in enumerate(material.batches(steps, seed)):
            optimizer.learning_rate.assign(rate * schedule(step, steps))
            self._network.train_on_batch(*batch)
            if (step + 1) % EVALUATION_STEPS == 0 or step + 1 == steps:
                weights = self._network.get_weights()
                loss = self.loss(weights, material.held)
                if loss < best_loss:
                    best, best_loss = weights, loss
        return best


def schedule(step: int, steps: int) -> float:
    """Share of the highest learning rate: a linear warm-up and a cosine decay."""
    warmup = min(WARMUP_STEPS, steps // 10)
    if step < warmup:
        return 0.01 + 0.99 * step / warmup
    return 0.5 * (1 + float(np.cos(np.pi * (step - warmup) / (steps - warmup))))


def measure(arguments: argparse.Namespace) -> None:
    """Train everything, seed by seed; the table is written after every run."""
    rows: list[dict] = []
    for seed in arguments.seeds:
        first, _ = read_synthetic(arguments.configuration, PRETRAINING_S, 100 + seed)
        material = make_material(first, normalize(first), PRETRAINING_S, seed)
        columns = material.frames.image.shape[2]
        trainer = Trainer(columns, 2 * material.frames.context.frames)
        start = trainer.scratch(material.kernel, seed)
        model = trainer.train(start, material, RATES["from scratch"], PRETRAINING_STEPS, seed)
        del first, material
        for shift, amounts in AMOUNTS_S.items():
            if shift == "real":
                recording, other = read_real(arguments.run_001), read_real(arguments.run_002)
            else:
                noise = None if shift == "other units" else OTHER_NOISE
                recording, other = read_synthetic(arguments.configuration, NEW_S, 200 + seed, noise)
            for row in compare(trainer, model, recording, other, amounts, seed):
                rows.append({"shift": shift, "seed": seed} | row)
                print(rows[-1], flush=True)
                pd.DataFrame(rows).to_csv(arguments.csv, index=False)


def compare(
    trainer: Trainer,
    model: list[np.ndarray],
    recording: Any,
    other: Any,
    amounts: tuple[float, ...],
    seed: int,
) -> Iterator[dict]:
    """Judge the starts after all numbers of steps on all amounts of data."""
    normalization = normalize(recording)
    unseen = draw_unseen(other, normalization)
    targets, mask = unseen[1][..., 0], unseen[1][..., 1]
    floor = None
    for seconds in sorted(amounts, reverse=True):
        material = make_material(recording, normalization, seconds, seed)
        if floor is None:
            residual = (targets - interpolate_linearly(material.kernel, unseen[0])) * mask
            floor = noise_floor(residual, mask, len(material.kernel))
        facts = {
            "seconds": seconds,
            "noise_floor": floor,
            "constant_loss": float(np.square(targets).sum() / mask.sum()),
        }
        starts = {
            "fine-tuned": trainer.refitted(model, material, seed),
            "linear path kept": model,
            "from scratch": trainer.scratch(material.kernel, seed),
        }
        for name, weights in starts.items():
            loss = trainer.loss(weights, unseen)
            yield facts | {"start": name, "steps": 0, "unseen_loss": loss}
            for steps in STEPS:
                tuned = trainer.train(weights, material, RATES[name], steps, seed)
                loss = trainer.loss(tuned, unseen)
                yield facts | {"start": name, "steps": steps, "unseen_loss": loss}


def draw(csv: Path) -> None:
    """Draw the table beside it."""
    from ephys_deepinterpolation.figures import style

    style.save(plot_fine_tuning(pd.read_csv(csv)), csv.with_suffix(".svg"))


def plot_fine_tuning(table: pd.DataFrame) -> Any:
    """Draw excess loss against steps: a panel per shift and amount of data."""
    from matplotlib.lines import Line2D

    from ephys_deepinterpolation.figures import style

    @style.styled
    def plot() -> Any:
        panels = [(shift, s) for shift, amounts in AMOUNTS_S.items() for s in amounts]
        figure, axes = style.panels(len(panels), 2, panel_height=2.1, extra_height=0.6)
        for axis, (shift, seconds) in zip(axes, panels, strict=True):
            draw_panel(axis, table[(table["shift"] == shift) & (table["seconds"] == seconds)])
            axis.set_title(f"{shift}: {seconds:g} s")
            axis.set_xlabel("Steps")
            axis.set_ylabel("Loss − noise floor")
        labels = {
            "fine-tuned": "fine-tuned; 0 steps: linear path fitted anew",
            "linear path kept": "linear path kept; 0 steps: the model as it is",
            "from scratch": "from scratch; 0 steps: linear interpolation",
        }
        handles = [
            Line2D(
                [],
                [],
                color=COLOURS[name],
                linestyle="--" if name == "linear path kept" else "-",
                marker="o",
                markersize=3.5,
                label=label,
            )
            for name, label in labels.items()
        ]
        style.outside_legend(figure, handles, columns=1)
        return figure

    return plot()


def draw_panel(axis: Any, table: pd.DataFrame) -> None:
    """Draw a line per start and seed."""
    table = table.assign(excess=table["unseen_loss"] - table["noise_floor"])
    for name in ("linear path kept", "from scratch", "fine-tuned"):
        for _, runs in table[table["start"] == name].sort_values("steps").groupby("seed"):
            axis.plot(
                runs["steps"],
                runs["excess"],
                color=COLOURS[name],
                linestyle="--" if name == "linear path kept" else "-",
                marker="o",
                markersize=2.5,
                linewidth=0.9,
            )
    axis.set_xscale("symlog", linthresh=50, linscale=0.5)
    axis.set_xticks([0, 250, 1000], ["0", "250", "1000"])
    axis.minorticks_off()


def main() -> None:
    """Measure or draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    tasks = parser.add_subparsers(dest="task", required=True)
    task = tasks.add_parser("measure", help="train and judge")
    task.add_argument("--configuration", type=Path, required=True)
    task.add_argument("--run-001", type=Path, required=True)
    task.add_argument("--run-002", type=Path, required=True)
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
