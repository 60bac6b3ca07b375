"""Find the weights of a network: the loss, the schedule, the loop over epochs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from ephys_deepinterpolation.checkpoint import TrainingState
from ephys_deepinterpolation.contexts import GatheringNetwork, on_accelerator
from ephys_deepinterpolation.epochs import (
    STEPS_PER_EPOCH,
    Epochs,
    IndexedEpochs,
    stretch_frames,
)
from ephys_deepinterpolation.frames import FrameRange, Frames
from ephys_deepinterpolation.network import masked_loss, set_weights


@dataclass(frozen=True)
class Optimisation:
    """How weights are found.

    Attributes
    ----------
    max_steps, batch_size : int
        Steps of the optimiser, rounded up to whole evaluations, none for 0; target frames a step.
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


def optimise(
    network: keras.Model,
    frames: Frames,
    training: Sequence[FrameRange],
    held_out: tuple[np.ndarray, np.ndarray],
    optimisation: Optimisation,
    checkpoint: Path | str | None,
    fingerprint: str,
    progress: bool,
) -> pd.DataFrame:
    """Find the weights with the lowest validation loss and leave them in the network.

    An accelerator holds the pieces of an epoch and gathers the contexts itself.

    Parameters
    ----------
    network : keras.Model
    frames : Frames
    training : sequence of FrameRange
        To draw batches from.
    held_out : tuple of numpy.ndarray
        Contexts, and targets with mask, for validation.
    optimisation : Optimisation
    checkpoint : path or None
    fingerprint : str
        Of this training: a checkpoint with another one is not taken up.
    progress : bool

    Returns
    -------
    pandas.DataFrame
        Columns step, training_loss, validation_loss: before the first step and once an epoch.
    """
    epochs = math.ceil(optimisation.max_steps / STEPS_PER_EPOCH)
    model = network
    if on_accelerator():
        length = stretch_frames(training, frames.context)
        model = GatheringNetwork(network, length, frames.shape)
    compile_network(model, optimisation, max(1, epochs) * STEPS_PER_EPOCH)
    batch_images = optimisation.batch_size * frames.images_per_frame
    first = model.evaluate(*held_out, batch_size=batch_images, verbose=0, return_dict=True)
    state = TrainingState(
        network,
        first["mean_squared_error"],
        optimisation.patience,
        None if checkpoint is None else Path(checkpoint),
        fingerprint,
    )
    state.restore(model)
    if state.epoch < epochs and not state.exhausted:
        drawn = frames, training, optimisation.batch_size, optimisation.seed, state.epoch
        callbacks = [state]
        if progress:
            callbacks.append(_Bar(state.epoch, epochs, optimisation.batch_size))
        if isinstance(model, GatheringNetwork):
            batches = IndexedEpochs(*drawn)
            callbacks.append(_Hold(model, batches))
        else:
            batches = Epochs(*drawn)
        model.fit(
            batches,
            initial_epoch=state.epoch,
            epochs=epochs,
            validation_data=held_out,
            validation_batch_size=batch_images,
            # The batches are drawn at random already, from a seed; Keras would shuffle without one.
            shuffle=False,
            callbacks=callbacks,
            verbose=0,
        )
    set_weights(network, state.best)
    return pd.DataFrame(state.history)


def compile_network(network: keras.Model, optimisation: Optimisation, steps: int) -> None:
    """Give a network its optimiser, its loss and its metric for so many steps."""
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


class _MaskedMeanSquaredError(keras.metrics.Mean):
    """Mean over pixels. Keras would average the batches, of which the last is shorter."""

    def __init__(self):
        super().__init__(name="mean_squared_error")
        self._loss = masked_loss("mean_squared_error")

    def update_state(self, target_and_mask, prediction, sample_weight=None):
        """Add a batch."""
        pixels = keras.ops.sum(target_and_mask[..., 1])
        super().update_state(self._loss(target_and_mask, prediction), sample_weight=pixels)


class _Hold(keras.callbacks.Callback):
    """Puts the pieces of each epoch on the device.

    Only a callback may: within an epoch, JAX keeps the values of the variables elsewhere.
    """

    def __init__(self, network: GatheringNetwork, epochs: IndexedEpochs):
        super().__init__()
        self._network, self._epochs = network, epochs

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._network.resident.hold(self._epochs.stretch())


class _Bar(keras.callbacks.Callback):
    """A progress bar with loss, frames per second and time left."""

    def __init__(self, epochs_done: int, epochs: int, batch_size: int):
        super().__init__()
        steps = STEPS_PER_EPOCH * epochs
        done = STEPS_PER_EPOCH * epochs_done
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
