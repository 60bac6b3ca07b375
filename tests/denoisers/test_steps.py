"""What holds for every rival that is a step of a pipeline."""

import pickle

import numpy as np
import pytest
import spikeinterface as si
from spikeinterface.preprocessing import apply_preprocessing_pipeline, scale_to_uV

import ephys_deepinterpolation.denoisers  # noqa: F401
from fixtures import CHANNELS, integer_recording

WHITEN = {"name": "whiten", "params": {"seed": 0}}
PIPELINES = {
    "identity": [{"name": "identity"}],
    "boxcar": [{"name": "boxcar", "params": {"width_ms": 0.5}}],
    "low_rank": [{"name": "low_rank", "params": {"rank": 3, "chunk_ms": 70.0}}],
    "unwhiten": [WHITEN, {"name": "boxcar", "params": {"width_ms": 0.5}}, {"name": "unwhiten"}],
}
FRAMES = [2500, 690]
# Over the edges of chunks and the ends of a segment, down to one frame and none.
PIECES = [(0, 2500), (0, 1), (2499, 2500), (690, 1410), (699, 700), (5, 5), (1300, 2500)]
SUBSETS = [[3], [15, 2, 7], list(range(CHANNELS))[::-1]]


@pytest.fixture(scope="module")
def microvolts(tmp_path_factory):
    """Two segments in µV, from integers on disk with gains that differ and a silent channel."""
    folder = tmp_path_factory.mktemp("steps") / "recording"
    integer_recording(FRAMES, seed=1).save(folder=folder, progress_bar=False)
    return scale_to_uV(si.load(folder))


@pytest.fixture(params=PIPELINES)
def denoised(request, microvolts):
    return apply_preprocessing_pipeline(microvolts, PIPELINES[request.param])


def test_a_frame_does_not_depend_on_how_it_is_asked_for(denoised):
    whole = denoised.get_traces(segment_index=0)
    tolerance = {"rtol": 1e-6, "atol": 1e-5} if "Unwhitened" in str(denoised) else {"rtol": 0}
    for start, end in PIECES:
        piece = denoised.get_traces(segment_index=0, start_frame=start, end_frame=end)
        np.testing.assert_allclose(piece, whole[start:end], **tolerance)


def test_a_channel_does_not_depend_on_which_others_are_asked_for(denoised):
    whole = denoised.get_traces(segment_index=1)
    for subset in SUBSETS:
        ids = denoised.channel_ids[subset]
        piece = denoised.get_traces(1, 100, 400, channel_ids=ids)
        np.testing.assert_allclose(piece, whole[100:400, subset], rtol=1e-6, atol=1e-5)


def test_traces_are_32_bit_floats_of_the_shape_of_the_recording(denoised):
    assert denoised.get_dtype() == np.float32
    for segment, frames in enumerate(FRAMES):
        traces = denoised.get_traces(segment_index=segment)
        assert traces.shape == (frames, CHANNELS)
        assert traces.dtype == np.float32
        assert np.isfinite(traces).all()


def test_probe_gains_and_times_stay(denoised, microvolts):
    assert denoised.get_probe() == microvolts.get_probe()
    np.testing.assert_array_equal(denoised.get_channel_gains(), microvolts.get_channel_gains())
    np.testing.assert_array_equal(denoised.get_times(1), microvolts.get_times(1))


def test_a_copy_by_pickle_or_from_json_gives_the_same_traces(denoised, tmp_path):
    # SpikeInterface's whitening comes back from JSON with a matrix of 64-bit floats.
    denoised.dump_to_json(tmp_path / "recording.json")
    for copy in (pickle.loads(pickle.dumps(denoised)), si.load(tmp_path / "recording.json")):
        for segment in range(len(FRAMES)):
            np.testing.assert_allclose(
                copy.get_traces(segment_index=segment),
                denoised.get_traces(segment_index=segment),
                rtol=1e-6,
                atol=1e-4,
            )
