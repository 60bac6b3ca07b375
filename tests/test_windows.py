import numpy as np
import pytest

from ephys_deepinterpolation.windows import Context, Windows

FRAMES, SHANKS, ROWS, COLUMNS = 41, 2, 3, 2
CONTEXTS = [Context(1, 0), Context(1, 1), Context(5, 0), Context(4, 2), Context(3, 7)]


@pytest.fixture
def image():
    shape = (FRAMES, SHANKS, ROWS, COLUMNS)
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def context_by_hand(image, target, context):
    """The context of one target, frame by frame."""
    frames = []
    for distance in range(-context.margin, context.margin + 1):
        if abs(distance) <= context.omission:
            continue
        for frame in (target + distance, target - distance):
            if 0 <= frame < len(image):
                frames.append(image[frame])
                break
        else:
            frames.append(np.zeros_like(image[0]))
    features = np.stack(frames, axis=2)
    return features.reshape(*image.shape[1:3], -1)


@pytest.mark.parametrize("context", CONTEXTS)
def test_contexts_of_all_frames_equal_those_gathered_by_hand(image, context):
    gathered = Windows(image, context).at(np.arange(FRAMES))
    expected = np.stack([context_by_hand(image, target, context) for target in range(FRAMES)])
    np.testing.assert_array_equal(gathered, expected)


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("frames", [1, 2, 5, 9])
def test_a_segment_shorter_than_a_context_is_gathered_all_the_same(image, context, frames):
    short = image[:frames]
    gathered = Windows(short, context).at(np.arange(frames))
    expected = np.stack([context_by_hand(short, target, context) for target in range(frames)])
    np.testing.assert_array_equal(gathered, expected)


def test_targets_come_in_the_order_they_were_asked_for(image):
    context = Context(4, 1)
    targets = np.array([40, 3, 20, 3, 0, 21])
    windows = Windows(image, context)
    one_by_one = np.concatenate([windows.at(np.array([target])) for target in targets])
    np.testing.assert_array_equal(windows.at(targets), one_by_one)
    np.testing.assert_array_equal(windows.targets(targets), image[targets])


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("frames", [3, FRAMES])
def test_neither_a_target_nor_an_omitted_frame_is_in_its_context(image, context, frames):
    for target in range(frames):
        spoilt = image[:frames].copy()
        spoilt[max(0, target - context.omission) : target + context.omission + 1] = np.nan
        assert np.isfinite(Windows(spoilt, context).at(np.array([target]))).all()


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_other_frame_within_reach_is_in_the_context(image, context):
    target = FRAMES // 2
    for distance in range(context.omission + 1, context.margin + 1):
        for frame in (target - distance, target + distance):
            spoilt = image.copy()
            spoilt[frame] = np.nan
            assert np.isnan(Windows(spoilt, context).at(np.array([target]))).any()


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize(("start", "end"), [(0, 41), (0, 1), (0, 9), (11, 12), (13, 30), (35, 41)])
def test_a_stretch_with_its_margin_gives_what_the_whole_segment_gives(image, context, start, end):
    left, right = max(0, start - context.margin), min(FRAMES, end + context.margin)
    stretch = Windows(image[left:right], context, first_frame=left, segment_frames=FRAMES)
    targets = np.arange(start, end)
    np.testing.assert_array_equal(stretch.at(targets), Windows(image, context).at(targets))
    np.testing.assert_array_equal(stretch.targets(targets), image[targets])


def test_the_first_frame_sees_the_future_mirrored(image):
    context = Context(3, 0)
    seen = Windows(image, context).at(np.array([0]))[0]
    seen = seen.reshape(SHANKS, ROWS, 6, COLUMNS)
    np.testing.assert_array_equal(seen[:, :, :3], seen[:, :, :2:-1])
    np.testing.assert_array_equal(seen[:, :, 3], image[1])


@pytest.mark.parametrize("context", CONTEXTS)
def test_offsets_are_symmetric_ascending_and_reach_as_far_as_the_margin(context):
    offsets = context.offsets
    assert len(offsets) == 2 * context.frames
    assert (np.diff(offsets) > 0).all()
    np.testing.assert_array_equal(offsets, -offsets[::-1])
    assert offsets.max() == context.margin
    assert np.abs(offsets).min() == context.omission + 1


@pytest.mark.parametrize("frequency", [10_000.0, 25_000.0, 30_000.0])
def test_milliseconds_become_frames_at_the_rate_of_the_recording(frequency):
    assert Context.from_ms(1.0, 0.2, frequency) == Context(
        frames=round(frequency / 1000), omission=round(frequency / 5000)
    )
    assert Context.from_ms(1.0, None, frequency).omission == 1
    assert Context.from_ms(1.0, 0.0, frequency).omission == 0
    assert Context.from_ms(0.0, None, frequency).frames == 1
