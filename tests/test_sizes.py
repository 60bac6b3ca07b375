"""What jobs ask for grows with the recording and with each attempt, and is known beforehand."""

import pytest

from ephys_deepinterpolation.configuration import Dataset
from ephys_deepinterpolation.sizes import (
    NEEDS,
    SNAKEMAKE_MB,
    Size,
    figures_memory_mb,
    memory_mb,
    minutes,
    size_made,
    size_of,
    sorter_memory_mb,
    sorter_minutes,
    training_minutes,
)

SMALL = Size(channels=32, frames=300_000)
MORE_CHANNELS = Size(channels=64, frames=300_000)
LONGER = Size(channels=32, frames=300_000_000)
RECIPE = {"max_steps": 1000, "batch_size": 64}

REQUESTS = {
    **{f"memory of {kind}": (memory_mb, kind) for kind in NEEDS},
    **{f"minutes of {kind}": (minutes, kind) for kind in NEEDS if kind != "train"},
    "memory of a sorter": (sorter_memory_mb, 10**9),
    "minutes of a sorter": (sorter_minutes, 10**9),
    "minutes of training": (training_minutes, RECIPE),
}


@pytest.fixture(params=list(REQUESTS))
def request_of(request):
    """What is asked for, of a size and an attempt."""
    function, first = REQUESTS[request.param]
    return lambda size, attempt=1: function(first, size, attempt)


def test_a_request_grows_with_channels_and_attempt_and_never_shrinks_with_duration(request_of):
    assert request_of(SMALL) <= request_of(MORE_CHANNELS)
    assert request_of(SMALL) <= request_of(LONGER)
    assert request_of(SMALL, 1) < request_of(SMALL, 2) <= request_of(SMALL, 3)
    assert all(isinstance(request_of(SMALL, attempt), int) for attempt in (1, 2))


@pytest.mark.parametrize("kind", NEEDS)
def test_memory_grows_with_channels_and_holds_the_snakemake_around_a_job(kind):
    assert SNAKEMAKE_MB < memory_mb(kind, SMALL) < memory_mb(kind, MORE_CHANNELS)


@pytest.mark.parametrize("kind", [kind for kind in NEEDS if kind != "train"])
def test_time_grows_with_duration(kind):
    assert minutes(kind, SMALL) < minutes(kind, LONGER)


def test_training_takes_as_long_as_its_steps_and_not_as_its_recording():
    assert training_minutes(RECIPE, SMALL) == training_minutes(RECIPE, LONGER)
    assert training_minutes(RECIPE, SMALL) < training_minutes(RECIPE, MORE_CHANNELS)
    longer = RECIPE | {"max_steps": 100_000}
    assert training_minutes(RECIPE, SMALL) < training_minutes(longer, SMALL)


def test_a_sorter_is_given_all_that_it_may_take_at_the_second_attempt_and_never_more():
    allowed_mb, allowed_s = 4000, 3600
    watch_mb = sorter_memory_mb(allowed_mb, LONGER) - allowed_mb
    watch_minutes = sorter_minutes(allowed_s, LONGER) - 60
    assert 0 < watch_mb < 2000
    assert 0 < watch_minutes < 30
    tiny = Size(channels=4, frames=30_000)
    assert sorter_memory_mb(allowed_mb, tiny, 1) < allowed_mb + watch_mb
    for attempt in (2, 3):
        assert sorter_memory_mb(allowed_mb, tiny, attempt) == allowed_mb + watch_mb
        assert sorter_minutes(allowed_s, tiny, attempt) == 60 + watch_minutes


def test_figures_of_more_sortings_take_more():
    assert figures_memory_mb(10) < figures_memory_mb(10_000)
    assert figures_memory_mb(10, attempt=1) < figures_memory_mb(10, attempt=2)


SIMULATION = {
    "templates": {"channels": 24},
    "duration_s": 5.0,
    "sampling_frequency_hz": 20_000.0,
}


@pytest.mark.parametrize(
    ("kind", "parameters", "expected"),
    [
        (
            "synthetic",
            {"channels": 48, "duration_s": 2.0, "sampling_frequency_hz": 25_000.0},
            Size(48, 50_000),
        ),
        ("mearec", {"simulation": SIMULATION}, Size(24, 100_000)),
        (
            "surrogate",
            {"original": {"path": "nowhere"}, "channels": 16, "duration_s": 2.0},
            Size(16, 60_000),
        ),
        (
            "surrogate",
            {"original": {"path": "nowhere"}, "channels": None, "duration_s": 2.0},
            Size(384, 60_000),
        ),
    ],
)
def test_the_size_of_what_will_be_made_follows_from_its_parameters(
    tmp_path, kind, parameters, expected
):
    assert size_of(Dataset("name", kind, parameters), tmp_path) == expected


@pytest.mark.parametrize(
    ("kind", "nested"), [("recorded", None), ("hybrid", "host"), ("paired", "recording")]
)
class TestOfFiles:
    """Recordings that are only read: what they hold is not known before."""

    def size(self, kind, nested, sources, recording):
        parameters = {nested: recording} if nested else recording
        return size_of(Dataset("name", kind, parameters), sources)

    def test_it_follows_from_their_bytes(self, tmp_path, kind, nested):
        one, folder = tmp_path / "one.bin", tmp_path / "folder"
        one.write_bytes(bytes(2 * 384 * 100))
        (folder / "inner").mkdir(parents=True)
        for name in ("a.bin", "inner/b.bin"):
            (folder / name).write_bytes(bytes(2 * 384 * 50))
        for path in (one, folder):
            size = self.size(kind, nested, tmp_path, {"path": str(path)})
            assert (size.channels, size.frames) == (384, 100)
            assert size.megabytes == pytest.approx(2 * 384 * 100 / 1e6)

    def test_an_excerpt_is_no_longer_than_it_says(self, tmp_path, kind, nested):
        path = tmp_path / "recording.bin"
        path.write_bytes(bytes(2 * 384 * 60_000))
        excerpt = {"path": str(path), "duration_s": 1.0}
        assert self.size(kind, nested, tmp_path, excerpt).frames == 30_000

    def test_a_source_counts_as_ten_minutes_until_it_is_there(self, tmp_path, kind, nested):
        recording = {"source": "package", "path": "inner/recording.bin"}
        unknown = self.size(kind, nested, tmp_path, recording)
        assert unknown == Size(384, 600 * 30_000, known=False)
        path = tmp_path / "package/inner/recording.bin"
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes(2 * 384))
        assert self.size(kind, nested, tmp_path, recording).frames == 1


def test_a_recording_to_train_on_counts_where_it_is_made(tmp_path):
    parameters = {"channels": 48, "duration_s": 2.0, "sampling_frequency_hz": 25_000.0}
    once = Dataset("name", "synthetic", parameters)
    twice = Dataset("name", "synthetic", parameters | {"training_duration_s": 3.0})
    assert size_of(once, tmp_path) == size_of(twice, tmp_path) == Size(48, 50_000)
    assert size_made(once, tmp_path) == Size(48, 50_000)
    assert size_made(twice, tmp_path) == Size(48, 125_000)


def test_the_longer_of_two_recordings_counts(tmp_path):
    sizes = {"path": 10, "training_path": 20}
    for name, frames in sizes.items():
        (tmp_path / name).write_bytes(bytes(2 * 384 * frames))
    parameters = {name: str(tmp_path / name) for name in sizes}
    assert size_of(Dataset("name", "recorded", parameters), tmp_path).frames == 20
