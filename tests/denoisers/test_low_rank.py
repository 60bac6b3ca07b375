import numpy as np
import pytest

from ephys_deepinterpolation.denoisers import low_rank
from fixtures import CHANNELS, FREQUENCY, noise_recording, recording_of

CHUNK = 500
CHUNK_MS = CHUNK * 1000.0 / FREQUENCY


def best_approximation(traces, rank):
    left, values, right = np.linalg.svd(traces.astype(float), full_matrices=False)
    return (left[:, :rank] * values[:rank]) @ right[:rank]


@pytest.mark.parametrize("rank", [1, 4, 15])
def test_every_chunk_is_the_truncated_singular_value_decomposition(rank):
    recording = noise_recording(3 * CHUNK + 123, seed=1)
    traces, kept = recording.get_traces(), low_rank(recording, rank, CHUNK_MS).get_traces()
    # What remains at the end belongs to the last chunk.
    for start, end in [(0, CHUNK), (CHUNK, 2 * CHUNK), (2 * CHUNK, 3 * CHUNK + 123)]:
        expected = best_approximation(traces[start:end], rank)
        np.testing.assert_allclose(kept[start:end], expected, atol=1e-3)


def test_a_recording_of_that_rank_stays_as_it_is():
    random = np.random.default_rng(0)
    traces = random.normal(size=(2000, 3)) @ random.normal(size=(3, CHANNELS))
    recording = recording_of(traces.astype(np.float32))
    np.testing.assert_allclose(
        low_rank(recording, 3, CHUNK_MS).get_traces(), recording.get_traces(), atol=1e-4
    )


@pytest.mark.parametrize("rank", [CHANNELS, CHANNELS + 5])
def test_no_fewer_components_than_channels_change_nothing(rank):
    recording = noise_recording(1200, seed=1)
    np.testing.assert_array_equal(
        low_rank(recording, rank, CHUNK_MS).get_traces(), recording.get_traces()
    )


def test_shanks_are_decomposed_apart():
    recording = noise_recording(2 * CHUNK, seed=1)
    shanks = np.arange(CHANNELS) % 2
    recording.set_channel_groups(shanks)
    kept = low_rank(recording, 2, CHUNK_MS).get_traces()
    for shank in (0, 1):
        traces = recording.get_traces()[:CHUNK, shanks == shank]
        expected = best_approximation(traces, 2)
        np.testing.assert_allclose(kept[:CHUNK, shanks == shank], expected, atol=1e-3)


def test_a_recording_shorter_than_a_chunk_is_one_chunk():
    recording = noise_recording(300, seed=1)
    kept = low_rank(recording, 2, 1000.0).get_traces()
    np.testing.assert_allclose(kept, best_approximation(recording.get_traces(), 2), atol=1e-3)


@pytest.mark.parametrize(("rank", "chunk_ms"), [(0, 100.0), (2, 0.0)])
def test_nothing_to_keep_is_refused(rank, chunk_ms):
    with pytest.raises(ValueError, match="at least 1 component of 1 frame"):
        low_rank(noise_recording(300, seed=1), rank, chunk_ms)
