"""Train a network to predict frames of recordings from the frames around them."""

import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version

import keras
import numpy as np
import pandas as pd
from spikeinterface.core import BaseRecording

from ephys_deepinterpolation.denoisers import LinearInterpolation, interpolate_linearly
from ephys_deepinterpolation.geometry import ProbeImage, image_of_recording
from ephys_deepinterpolation.model import Model, recording_identity
from ephys_deepinterpolation.network import (
    NetworkParameters,
    build_network,
    flops_per_frame,
    get_weights,
    masked_mean_squared_error,
    set_weights,
)
from ephys_deepinterpolation.normalization import Normalization, estimate_normalization
from ephys_deepinterpolation.recording import units_of
from ephys_deepinterpolation.windows import Context, Windows

_BLOCKS = 5
_VALIDATION_FRACTION = 0.1
_PIECE_FRAMES = 15_000
_PIECES_PER_EPOCH = 8
_STEPS_PER_EPOCH = 250
_LINEAR_ROWS = 60_000
_VALIDATION_ROWS = 60_000


@dataclass(frozen=True)
class FrameRange:
    """A run of frames of one segment of one recording; `end` is not part of it."""

    recording: int
    segment: int
    start: int
    end: int


@dataclass(frozen=True)
class TrainingResult:
    """A trained model and how it came to be.

    Attributes
    ----------
    model : Model
    history : pandas.DataFrame
        Columns step, training_loss, validation_loss: mean squared errors of normalized traces.
    summary : dict
        Losses beside those of linear interpolation and of a constant, size, cost.
    """

    model: Model
    history: pd.DataFrame
    summary: dict


def train_deepinterpolation(
    recordings: BaseRecording | Sequence[BaseRecording],
    *,
    network: NetworkParameters | None = None,
    context_ms: float = 1.0,
    omission_ms: float | None = None,
    max_steps: int = 3000,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    seed: int = 0,
) -> TrainingResult:
    """Train a model from scratch.

    The linear path of the network starts from the ridge regression of a frame on its context, the
    rest from zero. AdamW with a warm-up and a cosine decay; the weights with the lowest validation
    loss are kept. A tenth of the frames, in blocks spread over each segment and a context away
    from the rest, is held out for validation.

    Parameters
    ----------
    recordings : BaseRecording or sequence of them
        On one probe, with one set of channels.
    network : NetworkParameters, optional
    context_ms : float, default: 1.0
        Context on each side of the target, ms.
    omission_ms : float, optional
        Left out on each side between target and context, ms; one frame by default.
    max_steps : int
        Steps of the optimiser.
    batch_size : int
        Target frames a step.
    learning_rate : float
        Highest rate of the schedule.
    seed : int
        Of the initial weights and of the frames drawn.

    Raises
    ------
    ValueError
        The recordings are too short, differ in probe, channels or sampling rate, or hold values
        that are not finite.
    """
    started = time.perf_counter()
    recordings = [recordings] if isinstance(recordings, BaseRecording) else list(recordings)
    network = NetworkParameters() if network is None else network
    frequency = recordings[0].get_sampling_frequency()
    context = Context.from_ms(context_ms, omission_ms, frequency)
    image = _common_image(recordings)
    training, validation = split_frames(recordings, context)
    random = np.random.default_rng(seed)
    normalization = estimate_normalization(_sample_traces(recordings, training, random))
    data = _Frames(recordings, image, normalization, context)

    held_out = data.draw(validation, _frames_for(_VALIDATION_ROWS, image), random)
    linear = _fit_linear(data, training, network, image, random)
    keras_network = build_network(network, image.shape[2], 2 * context.frames, seed)
    keras_network.get_layer("linear").set_weights([linear])
    history = _optimise(
        keras_network, data, training, held_out, max_steps, batch_size, learning_rate, seed
    )
    summary = {
        "training_frames": sum(piece.end - piece.start for piece in training),
        "validation_frames": sum(piece.end - piece.start for piece in validation),
        "steps": int(history["step"].iloc[-1]),
        "seconds": time.perf_counter() - started,
        "parameters": keras_network.count_params(),
        "flops_per_frame": flops_per_frame(
            network, image.shape[2], 2 * context.frames, image.shape[0] * image.shape[1]
        ),
        "validation_loss": float(history["validation_loss"].min()),
        **_baselines(linear, held_out),
    }
    provenance = {
        "recordings": [
            {
                "identity": recording_identity(recording),
                "ranges": [asdict(piece) for piece in training if piece.recording == index],
            }
            for index, recording in enumerate(recordings)
        ],
        "seed": seed,
        "versions": {
            name: version(name) for name in ("ephys-deepinterpolation", "keras", "spikeinterface")
        },
        "backend": keras.backend.backend(),
        "summary": {key: value for key, value in summary.items() if key != "seconds"},
    }
    model = Model(
        network=asdict(network),
        weights=get_weights(keras_network),
        context=context,
        sampling_frequency=frequency,
        columns=image.shape[2],
        normalization=normalization,
        channel_ids=tuple(str(channel) for channel in recordings[0].channel_ids),
        provenance=provenance,
    )
    return TrainingResult(model, history, summary)


def split_frames(
    recordings: Sequence[BaseRecording], context: Context
) -> tuple[list[FrameRange], list[FrameRange]]:
    """Split the target frames of recordings into training and validation.

    Each segment is cut into equal blocks whose last tenth is for validation. Targets stay a
    context away from every cut, so that no validation frame, nor a frame of its context, is ever
    seen in training.

    Returns
    -------
    training, validation : list of FrameRange

    Raises
    ------
    ValueError
        A segment is too short to hold both.
    """
    training, validation = [], []
    margin = context.margin
    for index, recording in enumerate(recordings):
        for segment in range(recording.get_num_segments()):
            edges = np.linspace(0, recording.get_num_samples(segment), _BLOCKS + 1).astype(int)
            for start, end in itertools.pairwise(edges):
                cut = end - max(round((end - start) * _VALIDATION_FRACTION), 4 * margin)
                training.append(FrameRange(index, segment, start + margin, cut - margin))
                validation.append(FrameRange(index, segment, cut + margin, end - margin))
    if any(piece.end <= piece.start for piece in training + validation):
        frames = [
            recording.get_num_samples(segment)
            for recording in recordings
            for segment in range(recording.get_num_segments())
        ]
        raise ValueError(
            f"the segments hold {frames} frames; training needs at least "
            f"{_BLOCKS * 8 * margin} frames in each segment with this context"
        )
    # Plain integers, for provenance written as JSON.
    as_integers = [
        [FrameRange(*(int(value) for value in asdict(piece).values())) for piece in pieces]
        for pieces in (training, validation)
    ]
    return as_integers[0], as_integers[1]


class _Frames:
    """Draws contexts and targets of recordings, as the network sees them."""

    def __init__(
        self,
        recordings: Sequence[BaseRecording],
        image: ProbeImage,
        normalization: Normalization,
        context: Context,
    ):
        self.recordings, self.image = recordings, image
        self.normalization, self.context = normalization, context
        shanks = image.shape[0]
        silent = np.zeros(image.shape, dtype=bool)
        silent[image.shank, image.row, image.column] = normalization.silent
        self.mask = (image.mask & ~silent).astype(np.float32)
        self.images_per_frame = shanks

    def windows(self, piece: FrameRange) -> Windows:
        """Read the frames of a piece and the context around them."""
        recording, margin = self.recordings[piece.recording], self.context.margin
        first = piece.start - margin
        traces = _traces_in_uv(recording, piece.segment, first, piece.end + margin)
        image = self.image.to_image(self.normalization.apply(traces))
        return Windows(image, self.context, first, recording.get_num_samples(piece.segment))

    def batch(self, windows: Windows, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Contexts (images, rows, features) and targets with mask (images, rows, columns, 2)."""
        contexts = windows.at(targets)
        frames = windows.targets(targets)
        mask = np.broadcast_to(self.mask, frames.shape)
        packed = np.stack([frames, mask], axis=-1)
        return (
            contexts.reshape(-1, *contexts.shape[2:]),
            packed.reshape(-1, *packed.shape[2:]),
        )

    def draw(
        self, pieces: Sequence[FrameRange], count: int, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw about `count` frames, evenly from every piece."""
        share = -(-count // len(pieces))
        batches = []
        for piece in pieces:
            short = _shorten(piece, _PIECE_FRAMES, random)
            length = short.end - short.start
            targets = random.choice(length, size=min(share, length), replace=False) + short.start
            batches.append(self.batch(self.windows(short), np.sort(targets)))
        return (
            np.concatenate([contexts for contexts, _ in batches]),
            np.concatenate([targets for _, targets in batches]),
        )


class _Epochs(keras.utils.PyDataset):
    """Batches of frames drawn at random; every epoch reads other pieces of the recordings."""

    def __init__(self, frames: _Frames, pieces: Sequence[FrameRange], batch_size: int, seed: int):
        super().__init__()
        self._frames, self._pieces = frames, list(pieces)
        self._batch_size, self._seed = batch_size, seed
        self._epoch = -1
        self.on_epoch_end()

    def __len__(self) -> int:
        return _STEPS_PER_EPOCH

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng((self._seed, self._epoch, index))
        piece = random.choice(len(self._windows), p=self._weights)
        short, windows = self._windows[piece]
        targets = random.integers(short.start, short.end, size=self._batch_size)
        return self._frames.batch(windows, targets)

    def on_epoch_end(self) -> None:
        self._epoch += 1
        random = np.random.default_rng((self._seed, self._epoch))
        lengths = np.array([piece.end - piece.start for piece in self._pieces], dtype=float)
        count = min(_PIECES_PER_EPOCH, len(self._pieces))
        chosen = random.choice(
            len(self._pieces), size=count, replace=False, p=lengths / lengths.sum()
        )
        shortened = [_shorten(self._pieces[index], _PIECE_FRAMES, random) for index in chosen]
        self._windows = [(piece, self._frames.windows(piece)) for piece in shortened]
        weights = np.array([piece.end - piece.start for piece in shortened], dtype=float)
        self._weights = weights / weights.sum()


def _optimise(
    network: keras.Model,
    data: _Frames,
    training: Sequence[FrameRange],
    held_out: tuple[np.ndarray, np.ndarray],
    max_steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
) -> pd.DataFrame:
    epochs = max(1, math.ceil(max_steps / _STEPS_PER_EPOCH))
    steps = epochs * _STEPS_PER_EPOCH
    warmup = min(100, steps // 10)
    schedule = keras.optimizers.schedules.CosineDecay(
        learning_rate / 100, steps - warmup, warmup_target=learning_rate, warmup_steps=warmup
    )
    network.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=1e-4, clipnorm=1.0),
        loss=masked_mean_squared_error,
        jit_compile=True,
    )
    batch_images = batch_size * data.images_per_frame
    best = {
        "loss": network.evaluate(*held_out, batch_size=batch_images, verbose=0),
        "weights": get_weights(network),
    }
    rows = [{"step": 0, "training_loss": np.nan, "validation_loss": best["loss"]}]

    class KeepBest(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            rows.append(
                {
                    "step": (epoch + 1) * _STEPS_PER_EPOCH,
                    "training_loss": logs["loss"],
                    "validation_loss": logs["val_loss"],
                }
            )
            if logs["val_loss"] < best["loss"]:
                best.update(loss=logs["val_loss"], weights=get_weights(self.model))

    network.fit(
        _Epochs(data, training, batch_size, seed),
        epochs=epochs,
        validation_data=held_out,
        validation_batch_size=batch_images,
        # The batches are drawn at random already, from a seed; Keras would shuffle without one.
        shuffle=False,
        callbacks=[KeepBest()],
        verbose=2,
    )
    set_weights(network, best["weights"])
    return pd.DataFrame(rows)


def _fit_linear(
    data: _Frames,
    training: Sequence[FrameRange],
    network: NetworkParameters,
    image: ProbeImage,
    random: np.random.Generator,
) -> np.ndarray:
    columns = image.shape[2]
    linear = LinearInterpolation(network.rows, 2 * data.context.frames * columns, columns)
    frames = _frames_for(_LINEAR_ROWS, image) // len(training) + 1
    for piece in training:
        contexts, targets = data.draw([piece], frames, random)
        linear.add(contexts, targets[..., 0], targets[..., 1])
    return linear.kernel()


def _baselines(linear: np.ndarray, held_out: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    contexts, packed = held_out
    targets, mask = packed[..., 0], packed[..., 1]
    residual = np.square(targets - interpolate_linearly(linear, contexts)) * mask
    linear_loss = float(residual.sum() / mask.sum())
    valid = targets[mask > 0]
    constant_loss = float(np.mean(np.square(valid - valid.mean())))
    return {
        "linear_loss": linear_loss,
        "constant_loss": constant_loss,
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


def _traces_in_uv(recording: BaseRecording, segment: int, start: int, end: int) -> np.ndarray:
    gains, offsets = units_of(recording)
    return recording.get_traces(segment, start, end).astype(np.float32) * gains + offsets


def _sample_traces(
    recordings: Sequence[BaseRecording], pieces: Sequence[FrameRange], random: np.random.Generator
) -> np.ndarray:
    """About ten seconds of training frames, from every piece, in µV."""
    share = max(1000, 300_000 // len(pieces))
    shortened = [_shorten(piece, share, random) for piece in pieces]
    return np.concatenate(
        [
            _traces_in_uv(recordings[piece.recording], piece.segment, piece.start, piece.end)
            for piece in shortened
        ]
    )


def _shorten(piece: FrameRange, frames: int, random: np.random.Generator) -> FrameRange:
    """Draw a run of at most `frames` frames of a piece."""
    length = piece.end - piece.start
    if length <= frames:
        return piece
    start = piece.start + int(random.integers(length - frames + 1))
    return FrameRange(piece.recording, piece.segment, start, start + frames)


def _frames_for(rows: int, image: ProbeImage) -> int:
    """How many frames hold about this many rows of the image."""
    return max(1, rows // (image.shape[0] * image.shape[1]))
