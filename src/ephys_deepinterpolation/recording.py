"""`deepinterpolate`: a lazy SpikeInterface preprocessor over a trained model."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from spikeinterface.core import BaseRecording, get_random_data_chunks
from spikeinterface.preprocessing.basepreprocessor import (
    BasePreprocessor,
    BasePreprocessorSegment,
)
from spikeinterface.preprocessing.pipeline import pp_names_to_functions

from ephys_deepinterpolation.geometry import ProbeImage, image_of_recording
from ephys_deepinterpolation.layouts import (
    common_normalization,
    deinterleave,
    image_in_file_order,
    interleave,
    interleaved_image,
)
from ephys_deepinterpolation.model import Model, ModelError, is_path, load_model
from ephys_deepinterpolation.normalization import (
    Normalization,
    estimate_normalization,
    silent_channels,
)
from ephys_deepinterpolation.segments import without_empty_segments
from ephys_deepinterpolation.transients import LARGEST_SCALES, find_transients, take_out_broken
from ephys_deepinterpolation.windows import Context, Windows

if TYPE_CHECKING:
    import keras

    from ephys_deepinterpolation.denoising import BlockDenoiser

# Frames are always inferred in the same blocks, whatever was asked for: the order of a sum inside
# a matrix product depends on its size, and with it the last bits of a result.
_BLOCK_FRAMES = 256

# A context counts in frames and rows: on another sampling rate or pitch the same frames and rows
# are other milliseconds and micrometres. Relative differences up to which that is ignored, and
# up to which it is only warned of.
IGNORED_DIFFERENCE, TOLERATED_DIFFERENCE = 0.01, 0.35

# Of the network, by what Keras calls them.
_PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}

_NORMALIZATION_CHUNKS = 20
_NORMALIZATION_FRAMES = 10_000
# A recording of the model's channels is normalized anew where it is this many times louder or
# quieter: another gain, reference or filter, not another day.
TOLERATED_LOUDNESS = 1.5
_FEW_CHANNELS = 0.5


class DeepInterpolatedRecording(BasePreprocessor):
    """A recording whose every frame is predicted from the frames around it.

    Traces keep the units, gains and offsets of the parent recording. A frame's value does not
    depend on how it was asked for. Near the ends of a segment, a missing frame of the context is
    replaced by its mirror image about the target. Channels that are dead, saturated or hardly ever
    finite (a warning names them), values that are not finite, and frames in a saturation or a
    transient pass through unchanged; what is denoised around them sees silence in their place.

    Parameters
    ----------
    recording : BaseRecording
        With one probe of as many columns as the model's; for a model of the deepinterpolation
        package, with as many channels as it takes.
    model : Model, or what `load_model` reads
    dtype : str or None, default: "float32"
        Of the traces; None is the parent's. Integers are rounded, and clipped to their range: see
        `count_saturated`.
    normalization : Normalization, dict or None
        Location and scale of each channel, µV. By default the model's, where the recording has
        the channels and contacts it was trained on and is about as loud, and otherwise estimated
        from the recording: see `normalization_for`.
    precision : str, default: "float32"
        Of the network: `float32`, or `bfloat16`, which is faster on processors that have it, and
        errs by about 0.4 % of a prediction's standard deviation (root mean square; the U-Net of
        the deepinterpolation package on a CPU), or 1 % where Keras runs that network.

    Raises
    ------
    ModelError
        Sampling rate, columns or row pitch differ too much from the model's: sampling rate and
        pitch by more than 35 %. From 1 % on there is a warning.
    ValueError
        The precision is unknown.
    """

    def __init__(
        self,
        recording: BaseRecording,
        model: Model | Path | str,
        dtype: str | None = "float32",
        normalization: Normalization | dict | None = None,
        precision: str = "float32",
    ):
        if precision not in _PRECISIONS:
            raise ValueError(
                f"no precision is called {precision!r}; known: {', '.join(_PRECISIONS)}"
            )
        named = None
        if not isinstance(model, Model):
            named = None if is_path(model) else model
            model = load_model(model)
        image = image_for(recording, model)
        check_fit(recording, image, model)
        if normalization is None:
            normalization = normalization_for(recording, model)
            warn_of_silent(normalization, recording, "as they are")
        elif isinstance(normalization, dict):
            normalization = Normalization.from_dict(normalization)
        super().__init__(recording, dtype=recording.get_dtype() if dtype is None else dtype)
        # A forked child would inherit a network whose threads are gone, and hang.
        self._preferred_mp_context = "spawn"
        denoiser = _Denoiser(model, image, normalization, precision, *units_of(recording))
        for segment in recording.segments:
            self.add_recording_segment(
                DeepInterpolatedRecordingSegment(segment, denoiser, np.dtype(self.dtype))
            )
        stored = named or (model if model.path is None else str(Path(model.path).absolute()))
        self._serializability["json"] &= model.path is not None
        self._kwargs = {
            "recording": recording,
            "model": stored,
            "dtype": np.dtype(self.dtype).str,
            "normalization": normalization.to_dict(),
            "precision": precision,
        }

    def count_saturated(self, chunk_frames: int = 30_000) -> int:
        """Count the samples that rounding to an integer type clips at the ends of its range.

        Reads the whole recording, in chunks; 0 for floats.
        """
        if self.get_dtype().kind == "f":
            return 0
        clipped = 0
        for segment in self.segments:
            for start in range(0, segment.get_num_samples(), chunk_frames):
                end = min(start + chunk_frames, segment.get_num_samples())
                clipped += _out_of_range(segment.get_floats(start, end), self.get_dtype())
        return clipped


class DeepInterpolatedRecordingSegment(BasePreprocessorSegment):
    """One segment of a `DeepInterpolatedRecording`."""

    def __init__(self, parent: Any, denoiser: "_Denoiser", dtype: np.dtype):
        super().__init__(parent)
        self._denoiser, self._dtype = denoiser, dtype

    def get_traces(self, start_frame, end_frame, channel_indices):
        """Denoised traces (frames, channels) in the units of the parent."""
        frames = self.get_num_samples()
        start = 0 if start_frame is None else start_frame
        end = frames if end_frame is None else end_frame
        channels = slice(None) if channel_indices is None else channel_indices
        return _as_type(self.get_floats(start, end)[:, channels], self._dtype)

    def get_floats(self, start: int, end: int) -> np.ndarray:
        """Denoised traces of all channels before rounding, float32."""
        if end <= start:
            channels = len(self._denoiser.gains)
            return np.empty((0, channels), dtype=np.float32)
        frames, block = self.get_num_samples(), self._denoiser.block_frames
        first = start // block * block
        last = min(frames, -(-end // block) * block)
        # A mirrored context of a frame near an end reaches up to a margin away, no further.
        margin = self._denoiser.model.context.margin
        left, right = max(0, first - margin), min(frames, last + margin)
        traces = self.parent_recording_segment.get_traces(left, right, slice(None))
        denoised = self._denoiser(traces, left, first, last, frames)
        return denoised[start - first : end - first]


class _Denoiser:
    """Denoises stretches of traces; builds its network in the process that first calls it."""

    def __init__(
        self,
        model: Model,
        image: ProbeImage,
        normalization: Normalization,
        precision: str,
        gains: np.ndarray,
        offsets: np.ndarray,
    ):
        self.model, self._image, self._normalization = model, image, normalization
        self._precision, self.gains, self._offsets = precision, gains, offsets
        self._running: BlockDenoiser | _HostDenoiser | None = None

    @property
    def block_frames(self) -> int:
        """Frames that are always inferred together."""
        return self._started().block_frames

    def __call__(
        self, traces: np.ndarray, left: int, first: int, last: int, frames: int
    ) -> np.ndarray:
        """Denoise frames first to last of a segment of `frames`, given traces from `left` on.

        `first` begins a block, `last` ends one or the segment; traces reach a margin further on
        both sides, as far as the segment does.
        """
        return self._started()(traces, left, first, last, frames)

    def _started(self) -> "BlockDenoiser | _HostDenoiser":
        if self._running is None:
            # Keras takes seconds to import, and most uses of a recording never run the network.
            from ephys_deepinterpolation import contexts

            start = self._on_device if contexts.on_accelerator() else self._on_host
            try:
                self._running = start()
            except (LookupError, TypeError, ValueError) as error:
                where = self.model.path or "in memory"
                raise ModelError(f"the model {where} is not what it says it is: {error}") from error
        return self._running

    def _on_device(self) -> "BlockDenoiser":
        from ephys_deepinterpolation.denoising import BlockDenoiser

        interleaved = self.model.layout == "interleaved"
        return BlockDenoiser(
            _keras_network(self.model, self._precision),
            interleaved_image(self._image) if interleaved else self._image,
            self._normalization,
            self.gains,
            self._offsets,
            self.model.context,
            _PRECISIONS[self._precision],
        )

    def _on_host(self) -> "_HostDenoiser":
        return _HostDenoiser(
            _network_of(self.model, self._image.shape[1], self._precision),
            self._image,
            self._normalization,
            self.gains,
            self._offsets,
            self.model.context,
        )

    def __getstate__(self) -> dict:
        return {**vars(self), "_running": None}


class _HostDenoiser:
    """Denoises stretches of traces with all but the network in numpy."""

    block_frames = _BLOCK_FRAMES

    def __init__(
        self,
        network: Callable[[np.ndarray], np.ndarray],
        image: ProbeImage,
        normalization: Normalization,
        gains: np.ndarray,
        offsets: np.ndarray,
        context: Context,
    ):
        self._network, self._image, self._normalization = network, image, normalization
        self._gains, self._offsets, self._context = gains, offsets, context

    def __call__(
        self, counts: np.ndarray, left: int, first: int, last: int, frames: int
    ) -> np.ndarray:
        """Denoise as `_Denoiser` does."""
        traces = counts.astype(np.float32) * self._gains + self._offsets
        normalized = self._normalization.apply(traces)
        transient = find_transients(normalized, self._normalization.silent)
        normalized[transient] = 0
        broken = take_out_broken(normalized)
        windows = Windows(
            self._image.to_image(normalized), self._context, left, segment_frames=frames
        )
        blocks = [
            self._predict(windows.at(np.arange(block, min(last, block + _BLOCK_FRAMES))))
            for block in range(first, last, _BLOCK_FRAMES)
        ]
        denoised = self._normalization.invert(self._image.from_image(np.concatenate(blocks)))
        wanted = slice(first - left, last - left)
        silent = self._normalization.silent
        denoised[:, silent] = traces[wanted, silent]
        denoised[transient[wanted]] = traces[wanted][transient[wanted]]
        if broken is not None:
            denoised[broken[wanted]] = traces[wanted][broken[wanted]]
        return (denoised - self._offsets) / self._gains

    def _predict(self, contexts: np.ndarray) -> np.ndarray:
        """Predict images (frames, shanks, rows, columns) from their contexts."""
        frames, shanks, rows, features = contexts.shape
        padded = np.zeros((_BLOCK_FRAMES, shanks, rows, features), dtype=np.float32)
        padded[:frames] = contexts
        images = self._network(padded.reshape(-1, rows, features))
        return images.reshape(_BLOCK_FRAMES, shanks, rows, -1)[:frames]


def _network_of(model: Model, rows: int, precision: str) -> Callable[[np.ndarray], np.ndarray]:
    """Make a network that maps contexts (images, rows, features) to (images, rows, columns)."""
    import keras

    interleaved = model.layout == "interleaved"
    if model.network.get("family") == "unet" and keras.backend.backend() == "tensorflow":
        from ephys_deepinterpolation.unet_inference import inference_function
        from ephys_deepinterpolation.unet_rewriting import can_rewrite

        if can_rewrite():
            return inference_function(model.weights, model.columns, rows, precision, interleaved)
    network = _keras_network(model, precision)
    network.compile(jit_compile=keras.backend.backend() != "torch")

    def predict(contexts: np.ndarray) -> np.ndarray:
        images = network.predict_on_batch(interleave(contexts) if interleaved else contexts)
        return deinterleave(np.asarray(images)) if interleaved else np.asarray(images)

    return predict


def _keras_network(model: Model, precision: str) -> "keras.Model":
    from ephys_deepinterpolation.network import build_network, network_parameters, set_weights

    parameters, frames = network_parameters(model.network), 2 * model.context.frames
    network = build_network(parameters, model.columns, frames, 0, _PRECISIONS[precision])
    set_weights(network, model.weights)
    return network


def units_of(recording: BaseRecording) -> tuple[np.ndarray, np.ndarray]:
    """Gains and offsets of each channel to µV; traces without them are taken to be in µV.

    Raises
    ------
    ValueError
        A gain or an offset is no number, or a gain is 0.
    """
    channels = recording.get_num_channels()
    if not recording.has_scaleable_traces():
        return np.ones(channels, np.float32), np.zeros(channels, np.float32)
    gains = np.asarray(recording.get_channel_gains(), dtype=np.float32)
    offsets = np.asarray(recording.get_channel_offsets(), dtype=np.float32)
    unusable = ~np.isfinite(gains) | ~np.isfinite(offsets) | (gains == 0)
    if unusable.any():
        raise ValueError(
            f"the gain of channel {recording.channel_ids[unusable][0]} to µV is "
            f"{gains[unusable][0]:g}, its offset {offsets[unusable][0]:g}: set them with "
            "recording.set_channel_gains() and recording.set_channel_offsets()"
        )
    return gains, offsets


def normalization_for(recording: BaseRecording, model: Model) -> Normalization:
    """Choose the normalization a model is applied with.

    The model's own for a recording it was trained on, and for another with the same channels and
    contacts that is as loud: their scales differ by less than a factor of 1.5 (median over
    channels), or cannot be told; channels that are dead, saturated or not finite here are silent
    in it. Otherwise, and for a model that was trained on several recordings, estimated from chunks
    of the recording, always the same ones; for a model of the deepinterpolation package as that
    does.

    Raises
    ------
    ValueError
        The recording holds no frames; or its channels are others than the model's, and all of
        them constant or hardly ever finite.
    """
    if model.layout != "probe":
        return common_normalization(recording, *units_of(recording))
    same_channels = tuple(str(channel) for channel in recording.channel_ids) == model.channel_ids
    if not same_channels or not np.allclose(
        recording.get_channel_locations(), model.positions, atol=1.0
    ):
        return _estimated_normalization(recording)
    if model.was_fitted_to(recording):
        return model.normalization
    if model.of_several_recordings:
        return _estimated_normalization(recording)
    traces = _excerpts_in_uv(recording)
    # Of what is not finite nothing is larger than another.
    still = ~(np.fmax.reduce(traces) > np.fmin.reduce(traces))
    try:
        estimated = estimate_normalization(traces)
    except ValueError:
        # One frame tells nothing, nor do spikes without noise, which are rare.
        dead = still.all() and recording.get_total_samples() > 1
        return _silenced(model.normalization, np.full_like(still, dead))
    live = ~(model.normalization.silent | estimated.silent)
    if not live.any():
        return _silenced(model.normalization, still)
    louder = np.median(estimated.scale[live] / model.normalization.scale[live])
    as_loud = 1 / TOLERATED_LOUDNESS < louder < TOLERATED_LOUDNESS
    if not as_loud:
        return estimated
    # Where most channels are hardly ever anything but still, spikes without noise are denoised.
    quiet = estimated.silent & (estimated.silent.mean() < _FEW_CHANNELS)
    return _silenced(model.normalization, still | quiet | _out_of_scale(model, estimated))


def _out_of_scale(model: Model, estimated: Normalization) -> np.ndarray:
    """Mark the channels that are most of the time, to the model, where no neural signal is."""
    farthest = LARGEST_SCALES * model.normalization.scale
    away = np.abs(estimated.location - model.normalization.location)
    return np.maximum(away, estimated.scale) > farthest


def _silenced(normalization: Normalization, channels: np.ndarray) -> Normalization:
    silent = normalization.silent | channels
    if np.array_equal(silent, normalization.silent):
        return normalization
    return replace(normalization, silent=silent)


def _estimated_normalization(recording: BaseRecording) -> Normalization:
    return estimate_normalization(_excerpts_in_uv(recording))


def _excerpts_in_uv(recording: BaseRecording) -> np.ndarray:
    """Read chunks of a recording, always the same ones: (frames, channels)."""
    filled = without_empty_segments(recording)
    shortest = min(filled.get_num_frames(index) for index in range(len(filled.segments)))
    chunks = get_random_data_chunks(
        filled,
        num_chunks_per_segment=_NORMALIZATION_CHUNKS,
        chunk_size=min(_NORMALIZATION_FRAMES, max(1, shortest // 2)),
        seed=0,
    )
    gains, offsets = units_of(recording)
    return chunks.astype(np.float32) * gains + offsets


def warn_of_silent(
    normalization: Normalization, recording: BaseRecording, consequence: str
) -> None:
    """Name the silent channels of a recording, if there are any, and what they are left as."""
    if names := silent_channels(normalization, recording.channel_ids):
        warnings.warn(
            f"channels left {consequence}, being dead, saturated or not finite: {names}",
            stacklevel=4,
        )


def image_for(recording: BaseRecording, model: Model) -> ProbeImage:
    """Lay out the channels of a recording as a model has them.

    Raises
    ------
    GeometryError
        See `image_of_recording`.
    ModelError
        See `image_in_file_order`.
    """
    by_probe = model.layout == "probe"
    return image_of_recording(recording) if by_probe else image_in_file_order(recording, model)


def check_fit(recording: BaseRecording, image: ProbeImage, model: Model) -> None:
    """Refuse a recording that a model cannot be applied to, and warn where it is doubtful.

    Raises
    ------
    ModelError
        See `DeepInterpolatedRecording`.
    """
    if image.shape[2] != model.columns:
        raise ModelError(
            f"the model was trained on a probe of {model.columns} columns and this one has "
            f"{image.shape[2]}: train another model"
        )
    frequency = recording.get_sampling_frequency()
    _compare("sampling rate", "Hz", model.sampling_frequency, frequency, "resample the recording")
    if image.shape[1] > 1 and model.row_pitch_um > 0:
        pitch = image.row_pitch_um
        _compare("distance between rows", "µm", model.row_pitch_um, pitch, "fine-tune the model")


def _compare(what: str, unit: str, trained: float, found: float, remedy: str) -> None:
    difference = abs(found / trained - 1)
    sentence = (
        f"the model was trained at a {what} of {trained:g} {unit} and the recording has "
        f"{found:g} {unit}: {remedy}"
    )
    if difference > TOLERATED_DIFFERENCE:
        raise ModelError(f"{sentence}, or train another model")
    if difference > IGNORED_DIFFERENCE:
        warnings.warn(f"{sentence}, or expect a worse result", stacklevel=4)


def _as_type(traces: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if dtype.kind == "f":
        return traces.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    return np.clip(np.round(traces), limits.min, limits.max).astype(dtype)


def _out_of_range(traces: np.ndarray, dtype: np.dtype) -> int:
    limits = np.iinfo(dtype)
    rounded = np.round(traces)
    return int(np.count_nonzero((rounded < limits.min) | (rounded > limits.max)))


def deepinterpolate(
    recording: BaseRecording,
    model: Model | Path | str,
    dtype: str | None = "float32",
    normalization: Normalization | dict | None = None,
    precision: str = "float32",
) -> DeepInterpolatedRecording:
    """Denoise a recording with a model, lazily; see `DeepInterpolatedRecording`."""
    return DeepInterpolatedRecording(recording, model, dtype, normalization, precision)


# SpikeInterface's own step of this name does not run with Keras 3; ours takes its place in
# pipelines as soon as this module is imported.
pp_names_to_functions["deepinterpolate"] = deepinterpolate
