import numpy as np
import pytest

from ephys_deepinterpolation.frames import (
    PIECE_FRAMES,
    FrameRange,
    Frames,
    sample_traces,
    split_frames,
    traces_in_uv,
)
from ephys_deepinterpolation.geometry import image_of_recording
from ephys_deepinterpolation.normalization import estimate_normalization
from ephys_deepinterpolation.windows import Context
from fixtures import (
    CHANNELS,
    SILENT_CHANNEL,
    integer_recording,
    neuropixels,
    noise_recording,
    recording_of,
)

CONTEXT = Context(4, 1)


def frames_of(recordings, context=CONTEXT):
    traces = traces_in_uv(recordings[0], 0, 0, 2000)
    alike = len(recordings)
    images = [image_of_recording(recordings[0])] * alike
    return Frames(recordings, images, [estimate_normalization(traces)] * alike, context)


def frames_touched(pieces, context, segment_frames):
    """Whether each frame of one segment is a target, or in the context of one."""
    touched = np.zeros(segment_frames, dtype=bool)
    for piece in pieces:
        assert piece.start >= context.margin
        assert piece.end <= segment_frames - context.margin
        touched[piece.start - context.margin : piece.end + context.margin] = True
    return touched


@pytest.mark.parametrize("context", [Context(1, 0), Context(4, 1), Context(30, 10)])
def test_no_frame_seen_in_training_is_seen_in_validation(context):
    recordings = [noise_recording([5000, 3001], seed=0), noise_recording(4000, seed=1)]
    training, validation = split_frames(recordings, context)
    for index, recording in enumerate(recordings):
        for segment in range(recording.get_num_segments()):
            seen = [
                frames_touched(
                    [piece for piece in pieces if (piece.recording, piece.segment) == key],
                    context,
                    recording.get_num_samples(segment),
                )
                for pieces in (training, validation)
                for key in [(index, segment)]
            ]
            assert seen[0].any()
            assert seen[1].any()
            assert not (seen[0] & seen[1]).any()


def test_a_tenth_is_held_out_from_all_over_a_long_recording():
    context = Context(10, 1)
    training, validation = split_frames([recording_of(np.zeros((100_000, 2)))], context)
    held_out = frames_touched(validation, context, 100_000)
    used = frames_touched(training, context, 100_000)
    assert held_out.mean() == pytest.approx(0.1, abs=0.005)
    assert used.mean() == pytest.approx(0.9, abs=0.01)
    fifths = held_out.reshape(5, -1).any(axis=1)
    assert fifths.all()


@pytest.mark.parametrize("segments", [[100], [100, 5000], [5000, 5]])
def test_a_recording_too_short_is_refused_with_what_would_suffice(segments):
    context = Context(10, 1)
    with pytest.raises(ValueError, match="at least 440 frames in each segment"):
        split_frames([noise_recording(segments, seed=0)], context)
    split_frames([noise_recording([440] * len(segments), seed=0)], context)


def test_a_run_is_shortened_within_itself_and_anywhere_in_itself():
    random = np.random.default_rng(0)
    piece = FrameRange(1, 2, 100, 200)
    drawn = [piece.shortened(30, random) for _ in range(500)]
    assert all((each.recording, each.segment) == (1, 2) for each in drawn)
    assert all(each.end - each.start == 30 for each in drawn)
    assert {each.start for each in drawn} == set(range(100, 171))
    assert piece.shortened(100, random) == piece


def test_traces_come_in_microvolts_whatever_their_units():
    integers = integer_recording([3000], seed=0)
    expected = integers.get_traces(0, 500, 700, return_in_uV=True)
    np.testing.assert_allclose(traces_in_uv(integers, 0, 500, 700), expected, rtol=1e-5, atol=1e-4)


def test_a_sample_takes_evenly_from_every_piece_and_from_nowhere_else():
    traces = np.arange(40_000, dtype=np.float32)[:, None] * np.ones((1, 2), np.float32)
    recordings = [recording_of(traces), recording_of(-traces)]
    pieces = [FrameRange(0, 0, 5000, 15_000), FrameRange(1, 0, 20_000, 39_000)]
    sample = sample_traces(recordings, pieces, 4000, np.random.default_rng(0))[:, 0]
    first, second = sample[sample > 0], -sample[sample < 0]
    assert len(first) == len(second) == 2000
    assert ((first >= 5000) & (first < 15_000)).all()
    assert ((second >= 20_000) & (second < 39_000)).all()


def test_a_batch_holds_the_normalized_frames_around_and_at_each_target():
    recording = integer_recording([3000], seed=0)
    frames = frames_of([recording])
    piece = frames.read(FrameRange(0, 0, 1000, 1200))
    targets = np.array([1000, 1117, 1199])
    contexts, packed = frames.batch(piece, targets)
    normalized = frames.normalizations[0].apply(traces_in_uv(recording, 0, 0, 3000))
    rows = CHANNELS // 2
    seen = contexts.reshape(len(targets), rows, len(CONTEXT.offsets), 2)
    for index, target in enumerate(targets):
        around = normalized[target + CONTEXT.offsets].reshape(-1, rows, 2).transpose(1, 0, 2)
        np.testing.assert_allclose(seen[index], around, rtol=1e-5)
        np.testing.assert_allclose(
            packed[index, ..., 0], normalized[target].reshape(rows, 2), rtol=1e-5
        )
    mask = packed[..., 1].reshape(len(targets), CHANNELS)
    assert (mask == (np.arange(CHANNELS) != SILENT_CHANNEL)).all()


def test_holes_of_the_probe_do_not_count():
    recording = noise_recording(3000, seed=0)
    recording = recording.select_channels(np.delete(recording.channel_ids, 7))
    frames = frames_of([recording])
    np.testing.assert_array_equal(frames.masks[0].ravel() == 0, np.arange(CHANNELS) == 7)


def test_every_shank_is_an_image_of_its_own():
    recording = noise_recording(3000, seed=0)
    probe = neuropixels()
    probe.set_shank_ids(np.repeat(["0", "1"], CHANNELS // 2))
    recording.set_probe(probe)
    frames = frames_of([recording])
    assert frames.images_per_frame == 2
    contexts, packed = frames.draw([FrameRange(0, 0, 100, 500)], 10, np.random.default_rng(0))
    assert contexts.shape == (20, 4, 2 * 4 * 2)
    assert packed.shape == (20, 4, 2, 2)
    assert frames.frames_for(800) == 100


def with_transients(frames, transients):
    traces = noise_recording(frames, seed=0).get_traces().copy()
    traces[transients] += 1000
    return recording_of(traces)


@pytest.mark.parametrize("omission", [0, 1, 5])
def test_no_target_has_a_transient_within_its_reach_and_all_others_remain(omission):
    context = Context(4, omission)
    # Also just outside the piece, where only a context reaches.
    transients = [999 - context.margin, 1000 - context.margin, 1200, 1201, 1499 + context.margin]
    frames = frames_of([with_transients(3000, transients)], context)
    targets = frames.read(FrameRange(0, 0, 1000, 1500)).targets
    distance = np.abs(np.arange(1000, 1500)[:, None] - transients).min(axis=1)
    np.testing.assert_array_equal(targets, 1000 + np.flatnonzero(distance > context.margin))


def test_frames_are_drawn_once_and_evenly_from_what_is_clean():
    recording = with_transients(20_000, np.arange(8000, 9000))
    frames = frames_of([recording])
    random = np.random.default_rng(0)
    clean, spoilt = FrameRange(0, 0, 3000, 3100), FrameRange(0, 0, 8200, 8700)
    assert frames.draw_from(spoilt, 10, random) is None
    contexts, packed = frames.draw([clean, spoilt], 10_000, random)
    assert len(contexts) == len(packed) == 100
    expected, _ = frames.batch(frames.read(clean), np.arange(3000, 3100))
    np.testing.assert_array_equal(contexts, expected)
    with pytest.raises(ValueError, match="every frame is near a saturation or a transient"):
        frames.draw([spoilt, spoilt], 10, random)


def test_a_piece_too_long_for_memory_is_read_in_part():
    frames = frames_of([recording_of(np.random.default_rng(0).normal(size=(40_000, 2)))])
    contexts, _ = frames.draw([FrameRange(0, 0, 100, 39_000)], 30_000, np.random.default_rng(0))
    assert len(contexts) == PIECE_FRAMES
