"""Train a network to predict frames of recordings from the frames around them."""

import hashlib
import json
import math
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import safetensors.numpy
from spikeinterface.core import BaseRecording
from tqdm.auto import tqdm

from ephys_deepinterpolation.denoisers import (
    LinearInterpolation,
    interpolate_linearly,
    noise_floor,
)
from ephys_deepinterpolation.files import whole_file
from ephys_deepinterpolation.frames import (
    PIECE_FRAMES,
    FrameRange,
    Frames,
    sample_traces,
    split_frames,
)
from ephys_deepinterpolation.geometry import ProbeImage, image_of_recording
from ephys_deepinterpolation.model import (
    Model,
    ModelError,
    arrays_under,
    hash_arrays,
    recording_identity,
)
from ephys_deepinterpolation.network import (
    NetworkParameters,
    Parameters,
    build_network,
    flops_per_frame,
    get_weights,
    masked_loss,
    network_parameters,
    set_weights,
    start_linear_path,
)
from ephys_deepinterpolation.normalization import estimate_normalization
from ephys_deepinterpolation.predictability import (
    COPIES_NOISE,
    measure_predictability,
    smallest_useful_omission,
)
from ephys_deepinterpolation.recording import check_fit, normalization_for
from ephys_deepinterpolation.windows import Context

_NORMALIZATION_FRAMES = 300_000
_PIECES_PER_EPOCH = 8
_STEPS_PER_EPOCH = 250
_LINEAR_ROWS = 60_000
_VALIDATION_ROWS = 60_000
_ROUNDING = 1e-5
_AUTO_OMISSIONS = (1, 2, 3, 4, 6, 8)


@dataclass(frozen=True)
class Optimisation:
    """How weights are found.

    Attributes
    ----------
    max_steps, batch_size : int
        Steps of the optimiser, rounded up to whole evaluations; target frames a step.
    learning_rate : float
        Highest rate, reached after a warm-up and followed by a cosine decay.
    loss : str
        `mean_squared_error` or `mean_absolute_error`.
    patience : int or None
        Evaluations without a lower validation loss after which to stop.
    precision : str
        `float32`, or `mixed_bfloat16` where the processor or card is faster in it.
    seed : int
    """

    max_steps: int
    batch_size: int
    learning_rate: float
    loss: str
    patience: int | None
    precision: str
    seed: int


def train_deepinterpolation(
    recordings: BaseRecording | Sequence[BaseRecording],
    *,
    network: Parameters | None = None,
    context_ms: float = 1.0,
    omission_ms: float | str | None = None,
    max_steps: int = 3000,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    loss: str = "mean_squared_error",
    patience: int | None = None,
    precision: str = "float32",
    seed: int = 0,
    checkpoint: Path | str | None = None,
    progress: bool = True,
) -> Model:
    """Train a model from scratch.

    The linear path of the compact network starts from the ridge regression of a frame on its
    context, the rest from zero. AdamW with a warm-up and a cosine decay; the weights with the
    lowest validation loss are kept. A tenth of the frames, in blocks spread over each segment and
    a context away from the rest, is held out for validation. Frames near saturations and
    transients are left out of both.

    Parameters
    ----------
    recordings : BaseRecording or sequence of them
        On one probe, with one set of channels.
    network : NetworkParameters or UNetParameters, optional
        The compact network of the default size when not given.
    context_ms : float, default: 1.0
        Context on each side of the target, ms.
    omission_ms : float, "auto" or None
        Left out on each side between target and context, ms. None is one frame. "auto" is the
        smallest omission at which the noise is no longer foretold, see `predictability`.
    max_steps : int, default: 3000
        Steps of the optimiser, rounded up to a multiple of 250.
    batch_size : int, default: 64
        Target frames a step.
    learning_rate : float, default: 2e-3
        Highest rate of the schedule.
    loss : str, default: "mean_squared_error"
        Or "mean_absolute_error". Reported losses are always mean squared errors.
    patience : int, optional
        Stop after so many evaluations (every 250 steps) without a lower validation loss.
    precision : str, default: "float32"
        Or "mixed_bfloat16".
    seed : int, default: 0
        Of the initial weights and of the frames drawn.
    checkpoint : path, optional
        File in which the state is kept after every evaluation. Where it exists and belongs to
        this training, training goes on from there and ends with the same weights.
    progress : bool, default: True
        Show a bar with loss, frames per second and time left.

    Returns
    -------
    Model
        With its `history` and `summary`.

    Raises
    ------
    ValueError
        The recordings are too short, differ in probe, channels or sampling rate, or hold values
        that are not finite.
    """
    recordings = [recordings] if isinstance(recordings, BaseRecording) else list(recordings)
    network = NetworkParameters() if network is None else network
    image = _common_image(recordings)
    context, foretold = _choose_context(recordings[0], context_ms, omission_ms, seed)
    training, _ = split_frames(recordings, context)
    random = np.random.default_rng(seed)
    normalization = estimate_normalization(
        sample_traces(recordings, training, _NORMALIZATION_FRAMES, random)
    )
    untrained = Model(
        network=asdict(network),
        weights={},
        context=context,
        sampling_frequency=recordings[0].get_sampling_frequency(),
        columns=image.shape[2],
        row_pitch_um=image.row_pitch_um,
        normalization=normalization,
        channel_ids=tuple(str(channel) for channel in recordings[0].channel_ids),
        positions=recordings[0].get_channel_locations(),
    )
    optimisation = Optimisation(
        max_steps, batch_size, learning_rate, loss, patience, precision, seed
    )
    return _train(untrained, recordings, image, optimisation, foretold, checkpoint, progress)


def fine_tune(
    model: Model,
    recordings: BaseRecording | Sequence[BaseRecording],
    *,
    max_steps: int = 500,
    batch_size: int = 64,
    learning_rate: float = 5e-4,
    loss: str = "mean_squared_error",
    patience: int | None = None,
    precision: str = "float32",
    seed: int = 0,
    checkpoint: Path | str | None = None,
    progress: bool = True,
) -> Model:
    """Train a model further on other recordings.

    Network, context and omission are the model's. Its normalization is kept for the channels it
    was trained on and estimated anew for others. A learning rate of 0 changes nothing.

    Parameters
    ----------
    model : Model
    recordings : BaseRecording or sequence of them
        That fit the model, see `deepinterpolate`.
    max_steps, batch_size, learning_rate, loss, patience, precision, seed, checkpoint, progress
        As in `train_deepinterpolation`.

    Returns
    -------
    Model
        Its provenance names the model it came from, and the recordings of both.

    Raises
    ------
    ModelError
        The recordings do not fit the model.
    ValueError
        As in `train_deepinterpolation`.
    """
    if model.layout != "probe":
        raise ModelError(
            "the model is of the deepinterpolation package and knows nothing of a probe: apply "
            "it as it is, or train another model"
        )
    recordings = [recordings] if isinstance(recordings, BaseRecording) else list(recordings)
    image = _common_image(recordings)
    check_fit(recordings[0], image, model)
    tuned = model.replace(
        normalization=normalization_for(recordings[0], model),
        channel_ids=tuple(str(channel) for channel in recordings[0].channel_ids),
        positions=recordings[0].get_channel_locations(),
        sampling_frequency=recordings[0].get_sampling_frequency(),
        row_pitch_um=image.row_pitch_um or model.row_pitch_um,
        path=None,
    )
    foretold = measure_predictability(recordings[0], omissions=(model.context.omission,), seed=seed)
    optimisation = Optimisation(
        max_steps, batch_size, learning_rate, loss, patience, precision, seed
    )
    return _train(tuned, recordings, image, optimisation, foretold, checkpoint, progress)


def _train(
    model: Model,
    recordings: Sequence[BaseRecording],
    image: ProbeImage,
    optimisation: Optimisation,
    foretold: pd.DataFrame,
    checkpoint: Path | str | None,
    progress: bool,
) -> Model:
    """Train a model, with weights or without, and describe what came of it."""
    started = time.perf_counter()
    training, validation = split_frames(recordings, model.context)
    random = np.random.default_rng(optimisation.seed)
    frames = Frames(recordings, image, model.normalization, model.context)
    held_out = frames.draw(validation, frames.frames_for(_VALIDATION_ROWS), random)
    parameters = network_parameters(model.network)
    context_frames = 2 * model.context.frames
    kernel = _fit_linear(frames, training, parameters, random)
    network = build_network(
        parameters, model.columns, context_frames, optimisation.seed, optimisation.precision
    )
    if model.weights:
        set_weights(network, model.weights)
    else:
        start_linear_path(network, kernel)
    identities = [recording_identity(recording) for recording in recordings]
    fingerprint = _fingerprint(model, optimisation, identities)
    history = _optimise(
        network, frames, training, held_out, optimisation, checkpoint, fingerprint, progress
    )
    weights = get_weights(network)
    summary = {
        "training_frames": sum(piece.end - piece.start for piece in training),
        "validation_frames": sum(piece.end - piece.start for piece in validation),
        "steps": int(history["step"].iloc[-1]),
        "seconds": time.perf_counter() - started,
        "parameters": int(sum(values.size for values in weights.values())),
        "flops_per_frame": flops_per_frame(
            parameters, model.columns, context_frames, image.shape[0] * image.shape[1]
        ),
        "validation_loss": float(history["validation_loss"].min()),
        **_baselines(kernel, held_out),
        "noise_foretold": float(foretold["r2"].iloc[-1]),
    }
    _say_what_it_means(summary)
    seen = [
        {
            "identity": identity,
            "ranges": [asdict(piece) for piece in training if piece.recording == index],
        }
        for index, identity in enumerate(identities)
    ]
    provenance = {
        "recordings": [*model.provenance.get("recordings", []), *seen],
        "trained_from": model.provenance.get("weights"),
        "weights": hash_arrays(weights),
        "optimisation": asdict(optimisation),
        "versions": {
            name: version(name) for name in ("ephys-deepinterpolation", "keras", "spikeinterface")
        },
        "backend": keras.backend.backend(),
        "summary": summary,
    }
    return model.replace(weights=weights, provenance=provenance, history=history)


def _fingerprint(model: Model, optimisation: Optimisation, identities: list[str]) -> str:
    """Say by a hash which training this is, so that no checkpoint of another is taken up."""
    facts = [model.network, asdict(model.context), asdict(optimisation), identities]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    arrays = model.weights | vars(model.normalization) | {"positions": model.positions}
    digest.update(hash_arrays(arrays).encode())
    return digest.hexdigest()


def _hash_state(facts: dict, tensors: dict[str, np.ndarray]) -> str:
    text = json.dumps(facts, sort_keys=True) + hash_arrays(tensors)
    return hashlib.sha256(text.encode()).hexdigest()


class _Epochs(keras.utils.PyDataset):
    """Batches of frames drawn at random; every epoch reads other pieces of the recordings."""

    def __init__(
        self, frames: Frames, pieces: Sequence[FrameRange], batch_size: int, seed: int, epoch: int
    ):
        super().__init__()
        self._frames, self._pieces = frames, list(pieces)
        self._batch_size, self._seed = batch_size, seed
        self._epoch = epoch
        self._read()

    def __len__(self) -> int:
        return _STEPS_PER_EPOCH

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng((self._seed, self._epoch, index))
        piece = self._in_memory[random.choice(len(self._in_memory), p=self._weights)]
        return self._frames.batch(piece, random.choice(piece.targets, size=self._batch_size))

    def on_epoch_end(self) -> None:
        self._epoch += 1
        self._read()

    def _read(self) -> None:
        random = np.random.default_rng((self._seed, self._epoch))
        lengths = np.array([piece.end - piece.start for piece in self._pieces], dtype=float)
        count = min(_PIECES_PER_EPOCH, len(self._pieces))
        chosen = random.choice(
            len(self._pieces), size=count, replace=False, p=lengths / lengths.sum()
        )
        pieces = [
            self._frames.read(self._pieces[index].shortened(PIECE_FRAMES, random))
            for index in chosen
        ]
        self._in_memory = [piece for piece in pieces if len(piece)]
        if not self._in_memory:
            raise ValueError("every frame is near a saturation or a transient: nothing to learn")
        weights = np.array([len(piece) for piece in self._in_memory], dtype=float)
        self._weights = weights / weights.sum()


class _MaskedMeanSquaredError(keras.metrics.Mean):
    """Mean over pixels. Keras would average the batches, of which the last is shorter."""

    def __init__(self):
        super().__init__(name="mean_squared_error")
        self._loss = masked_loss("mean_squared_error")

    def update_state(self, target_and_mask, prediction, sample_weight=None):
        """Add a batch."""
        pixels = keras.ops.sum(target_and_mask[..., 1])
        super().update_state(self._loss(target_and_mask, prediction), sample_weight=pixels)


class _State(keras.callbacks.Callback):
    """Keeps the history, the best weights and, in a checkpoint, all that training goes on from."""

    def __init__(
        self,
        first_loss: float,
        weights: dict[str, np.ndarray],
        optimisation: Optimisation,
        checkpoint: Path | None,
        fingerprint: str,
    ):
        super().__init__()
        self.history = [{"step": 0, "training_loss": np.nan, "validation_loss": first_loss}]
        self.best_loss, self.best = first_loss, weights
        self._waited = 0
        self._optimisation = optimisation
        self._checkpoint, self._fingerprint = checkpoint, fingerprint

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.history) - 1

    @property
    def exhausted(self) -> bool:
        """Whether the validation loss has not fallen for as long as patience lasts."""
        patience = self._optimisation.patience
        return patience is not None and self._waited >= patience

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = logs or {}
        self.history.append(
            {
                "step": (epoch + 1) * _STEPS_PER_EPOCH,
                "training_loss": logs["loss"],
                "validation_loss": logs["val_mean_squared_error"],
            }
        )
        self._waited += 1
        if logs["val_mean_squared_error"] < self.best_loss:
            self._waited = 0
            self.best_loss = logs["val_mean_squared_error"]
            self.best = get_weights(self.model)
        self._save()
        if self.exhausted:
            self.model.stop_training = True

    def restore(self, network: keras.Model) -> None:
        """Take up the state of the checkpoint, if there is one of this training."""
        if self._checkpoint is None or not self._checkpoint.exists():
            return
        try:
            with safetensors.safe_open(self._checkpoint, framework="numpy") as file:
                facts = json.loads((file.metadata() or {}).get("training", "{}"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            stored = facts.pop("hash", None) if isinstance(facts, dict) else None
            if stored is None or stored != _hash_state(facts, tensors):
                raise ValueError("its contents do not match its hash")
        except (safetensors.SafetensorError, OSError, ValueError) as error:
            warnings.warn(
                f"{self._checkpoint} cannot be read ({error}): starting anew", stacklevel=2
            )
            return
        if facts["fingerprint"] != self._fingerprint:
            warnings.warn(f"{self._checkpoint} is of another training: starting anew", stacklevel=2)
            return
        self.history, self._waited = facts["history"], facts["waited"]
        self.best_loss = facts["best_loss"]
        self.best = arrays_under("best/", tensors)
        set_weights(network, arrays_under("current/", tensors))
        network.optimizer.build(network.trainable_variables)
        for index, variable in enumerate(network.optimizer.variables):
            variable.assign(tensors[f"optimiser/{index}"])

    def _save(self) -> None:
        if self._checkpoint is None:
            return
        tensors = {f"best/{name}": values for name, values in self.best.items()}
        tensors |= {f"current/{name}": values for name, values in get_weights(self.model).items()}
        for index, variable in enumerate(self.model.optimizer.variables):
            # Not `ascontiguousarray`, which makes a vector of the number of steps.
            values = np.array(keras.ops.convert_to_numpy(variable), order="C")
            tensors[f"optimiser/{index}"] = values
        facts = {
            "fingerprint": self._fingerprint,
            "history": self.history,
            "waited": self._waited,
            "best_loss": self.best_loss,
        }
        facts["hash"] = _hash_state(facts, tensors)
        with whole_file(self._checkpoint) as unfinished:
            unfinished.write_bytes(
                safetensors.numpy.save(tensors, metadata={"training": json.dumps(facts)})
            )


class _Bar(keras.callbacks.Callback):
    """A progress bar with loss, frames per second and time left."""

    def __init__(self, epochs_done: int, epochs: int, batch_size: int):
        super().__init__()
        steps = _STEPS_PER_EPOCH * epochs
        done = _STEPS_PER_EPOCH * epochs_done
        self._batch_size = batch_size
        self._bar = tqdm(total=steps, initial=done, desc="training", unit="step", mininterval=1.0)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._bar.update()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = logs or {}
        rate = self._bar.format_dict["rate"] or 0.0
        self._bar.set_postfix(
            loss=f"{logs['loss']:.4g}",
            validation=f"{logs['val_mean_squared_error']:.4g}",
            frames_per_s=f"{rate * self._batch_size:.0f}",
        )

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self._bar.close()


def _optimise(
    network: keras.Model,
    frames: Frames,
    training: Sequence[FrameRange],
    held_out: tuple[np.ndarray, np.ndarray],
    optimisation: Optimisation,
    checkpoint: Path | str | None,
    fingerprint: str,
    progress: bool,
) -> pd.DataFrame:
    """Find the weights with the lowest validation loss and leave them in the network."""
    epochs = max(1, math.ceil(optimisation.max_steps / _STEPS_PER_EPOCH))
    steps = epochs * _STEPS_PER_EPOCH
    warmup = min(100, steps // 10)
    schedule = keras.optimizers.schedules.CosineDecay(
        optimisation.learning_rate / 100,
        steps - warmup,
        warmup_target=optimisation.learning_rate,
        warmup_steps=warmup,
    )
    network.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=1e-4, clipnorm=1.0),
        loss=masked_loss(optimisation.loss),
        metrics=[_MaskedMeanSquaredError()],
        # PyTorch has no XLA.
        jit_compile=keras.backend.backend() != "torch",
    )
    batch_images = optimisation.batch_size * frames.images_per_frame
    first = network.evaluate(*held_out, batch_size=batch_images, verbose=0, return_dict=True)
    state = _State(
        first["mean_squared_error"],
        get_weights(network),
        optimisation,
        None if checkpoint is None else Path(checkpoint),
        fingerprint,
    )
    state.restore(network)
    if state.epoch < epochs and not state.exhausted:
        bar = [_Bar(state.epoch, epochs, optimisation.batch_size)] if progress else []
        network.fit(
            _Epochs(frames, training, optimisation.batch_size, optimisation.seed, state.epoch),
            initial_epoch=state.epoch,
            epochs=epochs,
            validation_data=held_out,
            validation_batch_size=batch_images,
            # The batches are drawn at random already, from a seed; Keras would shuffle without one.
            shuffle=False,
            callbacks=[state, *bar],
            verbose=0,
        )
    set_weights(network, state.best)
    return pd.DataFrame(state.history)


def _choose_context(
    recording: BaseRecording, context_ms: float, omission_ms: float | str | None, seed: int
) -> tuple[Context, pd.DataFrame]:
    """Convert the context to frames; widen the omission as far as the band asks, if told to."""
    frequency = recording.get_sampling_frequency()
    if not isinstance(omission_ms, str):
        context = Context.from_ms(context_ms, omission_ms, frequency)
        measured = measure_predictability(recording, context_ms, (context.omission,), seed=seed)
        return context, measured
    if omission_ms != "auto":
        raise ValueError(f"omission_ms is {omission_ms!r}; allowed: a number, None or 'auto'")
    measured = measure_predictability(recording, context_ms, _AUTO_OMISSIONS, seed=seed)
    omission = smallest_useful_omission(measured)
    if omission is None:
        omission = _AUTO_OMISSIONS[-1]
    frames = Context.from_ms(context_ms, None, frequency).frames
    return Context(frames, omission), measured[measured["omission"] == omission]


def _say_what_it_means(summary: dict[str, Any]) -> None:
    if summary["noise_foretold"] > COPIES_NOISE:
        warnings.warn(
            f"linear interpolation foretells {summary['noise_foretold']:.1%} of the variance above "
            "300 Hz, noise included: the network will copy the noise. Train before any low-pass "
            "or band-pass filter, or widen the omission (omission_ms='auto').",
            stacklevel=4,
        )
    # Before its first step the network computes linear interpolation, but for rounding.
    if summary["validation_loss"] >= (1 - _ROUNDING) * summary["linear_loss"]:
        warnings.warn(
            f"the network did not beat linear interpolation: validation loss "
            f"{summary['validation_loss']:.4g} against {summary['linear_loss']:.4g}. Train longer "
            "or on more data, or use a linear filter instead.",
            stacklevel=4,
        )


def _fit_linear(
    frames: Frames,
    training: Sequence[FrameRange],
    network: Parameters,
    random: np.random.Generator,
) -> np.ndarray:
    """Fit linear interpolation to training frames: its kernel (rows, features, columns)."""
    columns = frames.image.shape[2]
    rows = network.rows if isinstance(network, NetworkParameters) else NetworkParameters().rows
    linear = LinearInterpolation(rows, 2 * frames.context.frames * columns, columns)
    share = frames.frames_for(_LINEAR_ROWS) // len(training) + 1
    for piece in training:
        batch = frames.draw_from(piece, share, random)
        if batch is not None:
            contexts, targets = batch
            linear.add(contexts, targets[..., 0], targets[..., 1])
    return linear.kernel()


def _baselines(kernel: np.ndarray, held_out: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    """Losses that a validation loss is read against, on the same frames."""
    contexts, packed = held_out
    targets, mask = packed[..., 0], packed[..., 1]
    residual = (targets - interpolate_linearly(kernel, contexts)) * mask
    linear_loss = float(np.square(residual).sum() / mask.sum())
    valid = targets[mask > 0]
    constant_loss = float(np.mean(np.square(valid - valid.mean())))
    return {
        "linear_loss": linear_loss,
        "constant_loss": constant_loss,
        "noise_floor": noise_floor(residual, mask, len(kernel)),
        "predictability": 1.0 - linear_loss / constant_loss,
    }


def _common_image(recordings: Sequence[BaseRecording]) -> ProbeImage:
    first = recordings[0]
    for index, recording in enumerate(recordings[1:], start=1):
        same = (
            recording.get_sampling_frequency() == first.get_sampling_frequency()
            and np.array_equal(recording.channel_ids, first.channel_ids)
            and np.array_equal(recording.get_channel_locations(), first.get_channel_locations())
        )
        if not same:
            raise ValueError(
                f"recording {index} differs from recording 0 in sampling rate, channels or probe"
            )
    return image_of_recording(first)
