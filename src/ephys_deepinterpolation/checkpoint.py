"""What training goes on from: history, best weights, and the checkpoint that keeps both."""

import hashlib
import json
import warnings
from pathlib import Path

import keras
import numpy as np
import safetensors
import safetensors.numpy

from ephys_deepinterpolation.epochs import STEPS_PER_EPOCH
from ephys_deepinterpolation.files import whole_file
from ephys_deepinterpolation.model import arrays_under, hash_arrays
from ephys_deepinterpolation.network import get_weights, set_weights


class TrainingState(keras.callbacks.Callback):
    """Keeps the history, the best weights and, in a checkpoint, all that training goes on from.

    The weights are those of the network; the model in training, which has the optimiser, may hold
    more.
    """

    def __init__(
        self,
        network: keras.Model,
        first_loss: float,
        patience: int | None,
        checkpoint: Path | None,
        fingerprint: str,
    ):
        super().__init__()
        self.history = [{"step": 0, "training_loss": np.nan, "validation_loss": first_loss}]
        self._network = network
        self.best_loss, self.best = first_loss, get_weights(network)
        self._waited = 0
        self._patience = patience
        self._checkpoint, self._fingerprint = checkpoint, fingerprint

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.history) - 1

    @property
    def exhausted(self) -> bool:
        """Whether the validation loss has not fallen for as long as patience lasts."""
        return self._patience is not None and self._waited >= self._patience

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Note the losses, keep the weights if they are the best so far, and save all."""
        logs = logs or {}
        self.history.append(
            {
                "step": (epoch + 1) * STEPS_PER_EPOCH,
                "training_loss": logs["loss"],
                "validation_loss": logs["val_mean_squared_error"],
            }
        )
        self._waited += 1
        if logs["val_mean_squared_error"] < self.best_loss:
            self._waited = 0
            self.best_loss = logs["val_mean_squared_error"]
            self.best = get_weights(self._network)
        self._save()
        if self.exhausted:
            self.model.stop_training = True

    def restore(self, model: keras.Model) -> None:
        """Take up the state of the checkpoint, if there is one of this training, in a model."""
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
        set_weights(self._network, arrays_under("current/", tensors))
        model.optimizer.build(model.trainable_variables)
        for index, variable in enumerate(model.optimizer.variables):
            variable.assign(tensors[f"optimiser/{index}"])

    def _save(self) -> None:
        if self._checkpoint is None:
            return
        tensors = {f"best/{name}": values for name, values in self.best.items()}
        current = get_weights(self._network)
        tensors |= {f"current/{name}": values for name, values in current.items()}
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


def _hash_state(facts: dict, tensors: dict[str, np.ndarray]) -> str:
    text = json.dumps(facts, sort_keys=True) + hash_arrays(tensors)
    return hashlib.sha256(text.encode()).hexdigest()
