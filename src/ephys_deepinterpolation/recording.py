"""`deepinterpolate`: a lazy SpikeInterface preprocessor over a trained model."""

from pathlib import Path
from typing import Any

import numpy as np
from spikeinterface.core import BaseRecording
from spikeinterface.preprocessing.basepreprocessor import (
    BasePreprocessor,
    BasePreprocessorSegment,
)
from spikeinterface.preprocessing.pipeline import pp_names_to_functions

from ephys_deepinterpolation.geometry import ProbeImage, image_of_recording
from ephys_deepinterpolation.model import Model, ModelError, load_model
from ephys_deepinterpolation.windows import Windows

# Frames are always inferred in the same blocks, whatever was asked for: the order of a sum inside
# a matrix product depends on its size, and with it the last bits of a result.
_BLOCK_FRAMES = 256


class DeepInterpolatedRecording(BasePreprocessor):
    """A recording whose every frame is predicted from the frames around it.

    Traces keep the units, gains and offsets of the parent recording. A frame's value does not
    depend on how it was asked for. Near the ends of a segment, a missing frame of the context is
    replaced by its mirror image about the target. Channels that were silent in training pass
    through unchanged.

    Parameters
    ----------
    recording : BaseRecording
        With a probe; its channels those the model was trained on.
    model : Model or path of a model file
    """

    def __init__(self, recording: BaseRecording, model: Model | Path | str):
        if not isinstance(model, Model):
            model = load_model(model)
        image = image_of_recording(recording)
        _refuse_misfit(recording, image, model)
        super().__init__(recording, dtype="float32")
        # A forked child would inherit a network whose threads are gone, and hang.
        self._preferred_mp_context = "spawn"
        predictor = _Predictor(model)
        gains, offsets = units_of(recording)
        for segment in recording.segments:
            self.add_recording_segment(
                DeepInterpolatedRecordingSegment(segment, model, image, predictor, gains, offsets)
            )
        stored = str(Path(model.path).absolute()) if model.path is not None else model
        self._serializability["json"] &= model.path is not None
        self._kwargs = {"recording": recording, "model": stored}


class DeepInterpolatedRecordingSegment(BasePreprocessorSegment):
    """One segment of a `DeepInterpolatedRecording`."""

    def __init__(self, parent, model, image, predictor, gains, offsets):
        super().__init__(parent)
        self._model, self._image, self._predictor = model, image, predictor
        self._gains, self._offsets = gains, offsets

    def get_traces(self, start_frame, end_frame, channel_indices):
        """Denoised traces (frames, channels), float32, in the units of the parent."""
        frames = self.get_num_samples()
        start = 0 if start_frame is None else start_frame
        end = frames if end_frame is None else end_frame
        channels = slice(None) if channel_indices is None else channel_indices
        if end <= start:
            return np.empty((0, len(self._gains)), dtype=np.float32)[:, channels]
        first = start // _BLOCK_FRAMES * _BLOCK_FRAMES
        last = min(frames, -(-end // _BLOCK_FRAMES) * _BLOCK_FRAMES)
        return self._denoise(first, last)[start - first : end - first, channels]

    def _denoise(self, first: int, last: int) -> np.ndarray:
        margin, frames = self._model.context.margin, self.get_num_samples()
        # A mirrored context of a frame near an end reaches up to a margin away, no further.
        left, right = max(0, first - margin), min(frames, last + margin)
        parent = self.parent_recording_segment.get_traces(left, right, slice(None))
        traces = parent.astype(np.float32) * self._gains + self._offsets
        normalization = self._model.normalization
        image = self._image.to_image(normalization.apply(traces))
        windows = Windows(image, self._model.context, first_frame=left, segment_frames=frames)
        blocks = [
            self._predictor(windows.at(np.arange(block, min(last, block + _BLOCK_FRAMES))))
            for block in range(first, last, _BLOCK_FRAMES)
        ]
        denoised = normalization.invert(self._image.from_image(np.concatenate(blocks)))
        silent = normalization.silent
        denoised[:, silent] = traces[first - left : last - left, silent]
        return (denoised - self._offsets) / self._gains


class _Predictor:
    """Applies a model's network; builds it when first called, in the process that calls it."""

    def __init__(self, model: Model):
        self._model = model
        self._network: Any = None

    def __call__(self, contexts: np.ndarray) -> np.ndarray:
        """Predict images (frames, shanks, rows, columns) from their contexts."""
        if self._network is None:
            self._network = _network_of(self._model)
        frames, shanks, rows, features = contexts.shape
        padded = np.zeros((_BLOCK_FRAMES, shanks, rows, features), dtype=np.float32)
        padded[:frames] = contexts
        images = self._network.predict_on_batch(padded.reshape(-1, rows, features))
        return np.asarray(images).reshape(_BLOCK_FRAMES, shanks, rows, -1)[:frames]

    def __getstate__(self) -> dict:
        return {"_model": self._model, "_network": None}


def _network_of(model: Model):
    # Keras takes seconds to import, and most uses of a recording never run the network.
    from ephys_deepinterpolation.network import NetworkParameters, build_network, set_weights

    network = build_network(
        NetworkParameters(**model.network), model.columns, 2 * model.context.frames, seed=0
    )
    set_weights(network, model.weights)
    network.compile(jit_compile=True)
    return network


def units_of(recording: BaseRecording) -> tuple[np.ndarray, np.ndarray]:
    """Gains and offsets of each channel to µV; traces without them are taken to be in µV."""
    channels = recording.get_num_channels()
    if not recording.has_scaleable_traces():
        return np.ones(channels, np.float32), np.zeros(channels, np.float32)
    gains = np.asarray(recording.get_channel_gains(), dtype=np.float32)
    return gains, np.asarray(recording.get_channel_offsets(), dtype=np.float32)


def _refuse_misfit(recording: BaseRecording, image: ProbeImage, model: Model) -> None:
    frequency = recording.get_sampling_frequency()
    if not np.isclose(frequency, model.sampling_frequency, rtol=1e-3):
        raise ModelError(
            f"the model was trained at {model.sampling_frequency:g} Hz and the recording has "
            f"{frequency:g} Hz: resample the recording or train another model"
        )
    channel_ids = tuple(str(channel) for channel in recording.channel_ids)
    if channel_ids != model.channel_ids:
        raise ModelError(
            f"the model's normalization is of {len(model.channel_ids)} channels "
            f"({model.channel_ids[0]} ...) and the recording has {len(channel_ids)} "
            f"({channel_ids[0]} ...): the channels must be the same, in the same order"
        )
    if image.shape[2] != model.columns:
        raise ModelError(
            f"the model was trained on a probe of {model.columns} columns and this one has "
            f"{image.shape[2]}: train another model"
        )


def deepinterpolate(recording: BaseRecording, model: Model | Path | str):
    """Denoise a recording with a model, lazily; see `DeepInterpolatedRecording`."""
    return DeepInterpolatedRecording(recording, model)


# SpikeInterface's own step of this name does not run with Keras 3; ours takes its place in
# pipelines as soon as the package is imported.
pp_names_to_functions["deepinterpolate"] = deepinterpolate
