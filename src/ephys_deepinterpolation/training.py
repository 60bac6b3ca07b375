"""Train a network to predict frames of recordings from the frames around them."""

import dataclasses
import hashlib
import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from spikeinterface.core import BaseRecording

from ephys_deepinterpolation.contexts import on_accelerator
from ephys_deepinterpolation.denoisers import interpolate_linearly
from ephys_deepinterpolation.fitting import baselines, fit_linear
from ephys_deepinterpolation.frames import (
    FrameRange,
    Frames,
    sample_traces,
    split_frames,
)
from ephys_deepinterpolation.geometry import ProbeImage, image_of_recording
from ephys_deepinterpolation.model import (
    Model,
    ModelError,
    hash_arrays,
    recording_identity,
    unprocessed,
)
from ephys_deepinterpolation.network import (
    LinearParameters,
    NetworkParameters,
    Parameters,
    UNetParameters,
    build_network,
    flops_per_frame,
    get_weights,
    has_linear_path,
    network_parameters,
    set_weights,
    start_linear_path,
)
from ephys_deepinterpolation.normalization import Normalization, estimate_normalization
from ephys_deepinterpolation.optimisation import Optimisation, optimise
from ephys_deepinterpolation.predictability import (
    COPIES_NOISE,
    measure_predictability,
    smallest_useful_omission,
)
from ephys_deepinterpolation.recording import check_fit, normalization_for, warn_of_silent
from ephys_deepinterpolation.versions import versions_of
from ephys_deepinterpolation.windows import Context

_NORMALIZATION_FRAMES = 300_000
_VALIDATION_ROWS = 60_000
_ROUNDING = 1e-5
_LEFT_OUT = "out of training"
_LOOKS = ("sampling rate (Hz)", "rows", "columns", "distance between rows (µm)")
_AUTO_OMISSIONS = (1, 2, 3, 4, 6, 8)


def train_deepinterpolation(
    recordings: BaseRecording | Sequence[BaseRecording],
    *,
    network: Parameters | None = None,
    context_ms: float = 1.0,
    omission_ms: float | str | None = None,
    training_s: float | None = None,
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
    transients are left out of both, and so are channels that are dead or hardly ever finite: a
    warning names them. Several recordings are normalized each by itself, as they are when the model
    is applied, so that loud ones do not outweigh quiet ones; longer ones count for more.

    Parameters
    ----------
    recordings : BaseRecording or sequence of them
        At one sampling rate, on shanks of the same rows and columns; of one probe or of several.
    network : NetworkParameters, UNetParameters or LinearParameters, optional
        The compact network of the default size when not given. Linear interpolation is fitted by
        its normal equations in no step of the optimiser.
    context_ms : float, default: 1.0
        Context on each side of the target, ms.
    omission_ms : float, "auto" or None
        Left out on each side between target and context, ms. None is one frame. "auto" is the
        smallest omission at which the noise is no longer predicted, see `predictability`.
    training_s : float, optional
        Use only the first so many seconds of all recordings together, for validation too.
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
        The recordings are too short, differ in sampling rate, rows, columns or pitch, or all
        channels of one are dead or hardly ever finite.
    """
    recordings = [recordings] if isinstance(recordings, BaseRecording) else list(recordings)
    network = NetworkParameters() if network is None else network
    images = _images(recordings)
    _refuse_short(recordings, context_ms, omission_ms, training_s)
    context, predicted = _choose_context(recordings, context_ms, omission_ms, seed)
    training, _ = split_frames(recordings, context, training_s)
    recordings, images = _used(recordings, training), _used(images, training)
    normalizations = _normalizations(recordings, training, seed)
    untrained = Model(
        network=asdict(network),
        weights={},
        context=context,
        sampling_frequency=recordings[-1].get_sampling_frequency(),
        columns=images[-1].shape[2],
        row_pitch_um=images[-1].row_pitch_um,
        normalization=normalizations[-1],
        channel_ids=tuple(str(channel) for channel in recordings[-1].channel_ids),
        positions=recordings[-1].get_channel_locations(),
    )
    optimisation = Optimisation(
        max_steps, batch_size, learning_rate, loss, patience, precision, seed
    )
    frames = Frames(recordings, images, normalizations, context)
    return _train(untrained, frames, optimisation, predicted, checkpoint, progress, training_s)


def fine_tune(
    model: Model,
    recordings: BaseRecording | Sequence[BaseRecording],
    *,
    training_s: float | None = None,
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

    Network, context and omission are the model's; its normalization too, for the channels it was
    trained on where they are as loud, see `normalization_for`. The linear path of the compact
    network is first fitted anew, where that lowers the validation loss; of a linear model that is
    all there is to tune. A learning rate of 0 changes nothing.

    Parameters
    ----------
    model : Model
    recordings : BaseRecording or sequence of them
        That fit the model, see `deepinterpolate`.
    training_s, max_steps, batch_size, learning_rate, loss, patience, precision, seed
        As in `train_deepinterpolation`.
    checkpoint, progress
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
    images = _images(recordings)
    check_fit(recordings[0], images[0], model)
    training, _ = split_frames(recordings, model.context, training_s)
    recordings, images = _used(recordings, training), _used(images, training)
    normalizations = [normalization_for(recording, model) for recording in recordings]
    for normalization, recording in zip(normalizations, recordings, strict=True):
        warn_of_silent(normalization, recording, _LEFT_OUT)
    tuned = model.replace(
        normalization=normalizations[-1],
        channel_ids=tuple(str(channel) for channel in recordings[-1].channel_ids),
        positions=recordings[-1].get_channel_locations(),
        sampling_frequency=recordings[-1].get_sampling_frequency(),
        row_pitch_um=images[-1].row_pitch_um or model.row_pitch_um,
        path=None,
    )
    predicted = _predicted(recordings, omissions=(model.context.omission,), seed=seed)
    optimisation = Optimisation(
        max_steps, batch_size, learning_rate, loss, patience, precision, seed
    )
    frames = Frames(recordings, images, normalizations, model.context)
    return _train(tuned, frames, optimisation, predicted, checkpoint, progress, training_s)


def _train(
    model: Model,
    frames: Frames,
    optimisation: Optimisation,
    predicted: pd.DataFrame,
    checkpoint: Path | str | None,
    progress: bool,
    training_s: float | None,
) -> Model:
    """Train a model, with weights or without, and describe what came of it."""
    recordings = frames.recordings
    training, validation = split_frames(recordings, model.context, training_s)
    random = np.random.default_rng(optimisation.seed)
    held_out = frames.draw(validation, frames.frames_for(_VALIDATION_ROWS), random)
    parameters = network_parameters(model.network)
    if isinstance(parameters, LinearParameters):
        optimisation = dataclasses.replace(optimisation, max_steps=0)
    context_frames = 2 * model.context.frames
    kernel = fit_linear(frames, training, parameters, random)
    network = build_network(
        parameters, model.columns, context_frames, optimisation.seed, optimisation.precision
    )
    if not model.weights:
        start_linear_path(network, kernel)
    else:
        set_weights(network, model.weights)
        if has_linear_path(network) and optimisation.learning_rate > 0:
            refit_linear_path(network, frames, training, parameters, held_out, random)
    identities = [recording_identity(recording) for recording in recordings]
    fingerprint = _fingerprint(model, optimisation, identities, training)
    history = optimise(
        fastest(network, parameters),
        frames,
        training,
        held_out,
        optimisation,
        checkpoint,
        fingerprint,
        progress,
    )
    if not np.isfinite(history["validation_loss"].iloc[0]):
        raise ValueError(
            "nothing can be learnt from values as large as those of the recording: check the type "
            "and the gains it is read with"
        )
    weights = get_weights(network)
    summary: dict[str, Any] = {
        "training_frames": sum(piece.end - piece.start for piece in training),
        "validation_frames": sum(piece.end - piece.start for piece in validation),
        "steps": int(history["step"].iloc[-1]),
        "parameters": int(sum(values.size for values in weights.values())),
        "flops_per_frame": flops_per_frame(
            parameters, model.columns, context_frames, frames.shape[0] * frames.shape[1]
        ),
        "validation_loss": float(history["validation_loss"].min()),
        **_baselines_on(held_out, kernel),
        "noise_foretold": float(predicted["r2"].iloc[-1]),
    }
    if isinstance(parameters, LinearParameters):
        # Itself: nothing to be read against.
        summary["linear_loss"] = None
    _say_what_it_means(summary)
    seen = [
        {
            "identity": identity,
            "source": recording_identity(unprocessed(recordings[index])),
            "ranges": [asdict(piece) for piece in training if piece.recording == index],
        }
        for index, identity in enumerate(identities)
    ]
    provenance = {
        "recordings": [*model.provenance.get("recordings", []), *seen],
        "trained_from": model.provenance.get("weights"),
        "weights": hash_arrays(weights),
        "optimisation": asdict(optimisation),
        "versions": versions_of(["ephys-deepinterpolation", "keras", "spikeinterface"]),
        "backend": keras.backend.backend(),
        "summary": summary,
    }
    return model.replace(weights=weights, provenance=provenance, history=history)


def fastest(network: keras.Model, parameters: Parameters) -> keras.Model:
    """Wrap a network, where that is faster, in another order of the same arithmetic.

    Parameters
    ----------
    network : keras.Model
        From `build_network`.
    parameters : NetworkParameters or UNetParameters
        That it was built from.

    Returns
    -------
    keras.Model
        With the weights of the network itself.
    """
    if isinstance(parameters, UNetParameters) and keras.backend.backend() == "tensorflow":
        from ephys_deepinterpolation.unet_rewriting import can_rewrite
        from ephys_deepinterpolation.unet_training import RewrittenUNet

        if can_rewrite():
            return RewrittenUNet(network)
    return network


def _fingerprint(
    model: Model,
    optimisation: Optimisation,
    identities: list[str],
    training: Sequence[FrameRange],
) -> str:
    """Say by a hash which training this is, so that no checkpoint of another is taken up."""
    pieces = [asdict(piece) for piece in training]
    facts = [model.network, asdict(model.context), asdict(optimisation), identities, pieces]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    arrays = model.weights | vars(model.normalization) | {"positions": model.positions}
    digest.update(hash_arrays(arrays).encode())
    return digest.hexdigest()


def _refuse_short(
    recordings: Sequence[BaseRecording],
    context_ms: float,
    omission_ms: float | str | None,
    training_s: float | None,
) -> None:
    """Refuse recordings that are too short for any context, before anything is measured of them."""
    omission = None if isinstance(omission_ms, str) else omission_ms
    frequency = recordings[0].get_sampling_frequency()
    split_frames(recordings, Context.from_ms(context_ms, omission, frequency), training_s)


def _choose_context(
    recordings: Sequence[BaseRecording],
    context_ms: float,
    omission_ms: float | str | None,
    seed: int,
) -> tuple[Context, pd.DataFrame]:
    """Convert the context to frames; widen the omission as far as the band asks, if told to."""
    frequency = recordings[0].get_sampling_frequency()
    if not isinstance(omission_ms, str):
        context = Context.from_ms(context_ms, omission_ms, frequency)
        return context, _predicted(
            recordings, context_ms=context_ms, omissions=(context.omission,), seed=seed
        )
    if omission_ms != "auto":
        raise ValueError(f"omission_ms is {omission_ms!r}; allowed: a number, None or 'auto'")
    measured = _predicted(recordings, context_ms=context_ms, omissions=_AUTO_OMISSIONS, seed=seed)
    omission = smallest_useful_omission(measured)
    if omission is None:
        omission = _AUTO_OMISSIONS[-1]
    frames = Context.from_ms(context_ms, None, frequency).frames
    return Context(frames, omission), measured[measured["omission"] == omission]


def _predicted(recordings: Sequence[BaseRecording], **how: Any) -> pd.DataFrame:
    """Measure how far the noise is predicted, where it is the most."""
    measured = [measure_predictability(recording, **how) for recording in recordings]
    return max(measured, key=lambda table: table["r2"].iloc[-1])


def _say_what_it_means(summary: dict[str, Any]) -> None:
    if summary["noise_foretold"] > COPIES_NOISE:
        warnings.warn(
            f"linear interpolation predicts {summary['noise_foretold']:.1%} of the variance above "
            "300 Hz, noise included: the network will copy the noise. Train before any low-pass "
            "or band-pass filter, or widen the omission (omission_ms='auto').",
            stacklevel=4,
        )
    # Before its first step the network computes linear interpolation, but for rounding.
    linear_loss = summary["linear_loss"]
    if linear_loss is not None and summary["validation_loss"] >= (1 - _ROUNDING) * linear_loss:
        warnings.warn(
            f"the network did not beat linear interpolation: validation loss "
            f"{summary['validation_loss']:.4g} against {linear_loss:.4g}. Train longer "
            "or on more data, or use a linear filter instead.",
            stacklevel=4,
        )


def refit_linear_path(
    network: keras.Model,
    frames: Frames,
    training: Sequence[FrameRange],
    parameters: Parameters,
    held_out: tuple[np.ndarray, np.ndarray],
    random: np.random.Generator,
) -> None:
    """Fit the linear path anew to what the other layers leave over, where that lowers the loss.

    What the other layers have learnt carries over to another recording; its spectrum, which the
    linear path holds, does not.

    Parameters
    ----------
    network : keras.Model
        With a linear path and trained weights.
    frames : Frames
    training : sequence of FrameRange
        To fit the path to.
    parameters : NetworkParameters
        Of the network.
    held_out : contexts and targets with mask, as of `Frames.draw`
        To tell whether the loss falls.
    random : numpy.random.Generator
    """
    given = network.get_layer("linear").get_weights()[0]

    def of_other_layers(contexts: np.ndarray) -> np.ndarray:
        predicted = np.asarray(network.predict(contexts, verbose=0))
        return predicted - interpolate_linearly(given, contexts)

    contexts, packed = held_out
    left_over, mask = packed[..., 0] - of_other_layers(contexts), packed[..., 1]
    refitted = fit_linear(frames, training, parameters, random, of_other_layers)
    losses = [
        np.square((left_over - interpolate_linearly(kernel, contexts)) * mask).sum()
        for kernel in (given, refitted)
    ]
    if losses[1] < losses[0]:
        start_linear_path(network, refitted)


def _baselines_on(held_out: tuple[np.ndarray, np.ndarray], kernel: np.ndarray) -> dict[str, float]:
    contexts, packed = held_out
    residual = (packed[..., 0] - interpolate_linearly(kernel, contexts)) * packed[..., 1]
    return baselines(residual, packed, len(kernel))


def _images(recordings: Sequence[BaseRecording]) -> list[ProbeImage]:
    """Lay each recording out.

    On an accelerator pieces of all of them lie in one array: where a recording has fewer shanks
    than another, it gets empty ones there, which are masked.
    """
    images = [image_of_recording(recording) for recording in recordings]
    first = _looks(recordings[0], images[0])
    for index, (recording, image) in enumerate(zip(recordings, images, strict=True)):
        for what, expected, found in zip(_LOOKS, first, _looks(recording, image), strict=True):
            if found != expected:
                raise ValueError(
                    f"recording {index} differs from recording 0 in its {what}: {found} against "
                    f"{expected}; train a model for each, or choose channels that are alike"
                )
    if not on_accelerator():
        return images
    shanks = max(image.shape[0] for image in images)
    return [dataclasses.replace(image, shape=(shanks, *image.shape[1:])) for image in images]


def _looks(recording: BaseRecording, image: ProbeImage) -> tuple[float, int, int, float]:
    _, rows, columns = image.shape
    return recording.get_sampling_frequency(), rows, columns, round(image.row_pitch_um, 1)


def _used(each: Sequence[Any], training: Sequence[FrameRange]) -> list[Any]:
    """Leave out the recordings, at the end, that `training_s` does not reach."""
    return list(each[: training[-1].recording + 1])


def _normalizations(
    recordings: Sequence[BaseRecording], training: Sequence[FrameRange], seed: int
) -> list[Normalization]:
    random = np.random.default_rng(seed)
    normalizations = []
    for index, recording in enumerate(recordings):
        pieces = [piece for piece in training if piece.recording == index]
        sample = sample_traces(recordings, pieces, _NORMALIZATION_FRAMES, random)
        normalizations.append(estimate_normalization(sample))
        warn_of_silent(normalizations[-1], recording, _LEFT_OUT)
    return normalizations
