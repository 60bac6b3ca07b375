"""How large a dataset's recording is, and what jobs on it need, before any of it exists."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ephys_deepinterpolation.configuration import Dataset

# What a recording is taken for that cannot be looked at yet: ten minutes of Neuropixels.
UNKNOWN_CHANNELS = 384
UNKNOWN_S = 600.0
FREQUENCY_HZ = 30_000.0
BYTES_PER_SAMPLE = 2

# Each cluster job is a Snakemake that waits for another one, which starts the job itself.
SNAKEMAKE_MB = 700


@dataclass(frozen=True)
class Size:
    """The size of a recording.

    Attributes
    ----------
    channels : int
    frames : int
    known : bool
        Whether it is more than a guess.
    """

    channels: int
    frames: int
    known: bool = True

    @property
    def million_samples(self) -> float:
        """Samples of all channels, in millions."""
        return self.channels * self.frames / 1e6

    @property
    def megabytes(self) -> float:
        """Of the recording as 16-bit integers on disk."""
        return self.million_samples * BYTES_PER_SAMPLE


@dataclass(frozen=True)
class Need:
    """What jobs of a kind need, at the first attempt.

    Attributes
    ----------
    mb, mb_per_channel, mb_per_million_samples : float
        Memory, in megabytes: whatever the recording is, for each channel, for each million samples.
    minutes, minutes_per_million_samples : float
        Time until the job is ended.
    """

    mb: float
    mb_per_channel: float
    mb_per_million_samples: float
    minutes: float
    minutes_per_million_samples: float


# Half as much again, and more, as was measured of 16 to 384 channels: docs/performance.md,
# docs/ground_truth.md, docs/sorters.md.
NEEDS = {
    "generate": Need(800, 7.0, 0.1, 30, 0.02),
    "read": Need(800, 4.0, 0.1, 30, 0.01),
    "preprocess": Need(900, 4.0, 0.1, 30, 0.01),
    "denoise": Need(1500, 6.0, 0.1, 30, 0.06),
    "train": Need(1800, 8.0, 0.1, 30, 0.0),
    "measure": Need(1000, 6.0, 0.1, 30, 0.02),
    "compare": Need(1000, 4.0, 0.1, 30, 0.02),
    "sort": Need(1600, 12.0, 8.0, 60, 0.1),
}

# The job that watches over a sorter, beside the sorter itself.
_WATCH_MB = 800
_WATCH_MINUTES = 10

# Channels of frames that training passes through the published network in a second of a CPU.
_TRAINED_PER_S = 50_000
# What `train_deepinterpolation` does when not told otherwise.
_DEFAULT_STEPS = 3000
_DEFAULT_BATCH = 64


def memory_mb(kind: str, size: Size, attempt: int = 1) -> int:
    """Return how much memory a job needs, with the Snakemake around it, in MB.

    Parameters
    ----------
    kind : str
        One of `NEEDS`.
    size : Size
        Of the recording that the job works on.
    attempt : int
        1 at first; each further one gets as much again.
    """
    need = NEEDS[kind]
    own = (
        need.mb
        + need.mb_per_channel * size.channels
        + need.mb_per_million_samples * size.million_samples
    )
    return SNAKEMAKE_MB + math.ceil(attempt * own)


def minutes(kind: str, size: Size, attempt: int = 1) -> int:
    """Return after how many minutes a job may be ended, see `memory_mb`."""
    need = NEEDS[kind]
    own = need.minutes + need.minutes_per_million_samples * size.million_samples
    return math.ceil(attempt * own)


def training_minutes(recipe: dict[str, Any], size: Size, attempt: int = 1) -> int:
    """Return after how many minutes the training of a recipe of `models` may be ended."""
    steps = recipe.get("max_steps", _DEFAULT_STEPS)
    frames = steps * recipe.get("batch_size", _DEFAULT_BATCH)
    own = NEEDS["train"].minutes + frames * size.channels / _TRAINED_PER_S / 60
    return math.ceil(attempt * own)


def sorter_memory_mb(allowed_mb: float, size: Size, attempt: int = 1) -> int:
    """Return how much memory the job of a sorter needs, with what watches over it, in MB.

    At first that is what most sorters need, where it is less than the sorter is allowed; at further
    attempts it is all that it is allowed, beyond which its own watch ends it.
    """
    allowed = SNAKEMAKE_MB + _WATCH_MB + math.ceil(allowed_mb)
    return min(allowed, memory_mb("sort", size)) if attempt == 1 else allowed


def sorter_minutes(allowed_s: float, size: Size, attempt: int = 1) -> int:
    """Return after how many minutes the job of a sorter may be ended, as `sorter_memory_mb`."""
    allowed = _WATCH_MINUTES + math.ceil(allowed_s / 60)
    return min(allowed, minutes("sort", size)) if attempt == 1 else allowed


def figures_memory_mb(sortings: int, attempt: int = 1) -> int:
    """Return how much memory drawing takes, in MB: the tables grow with the number of sortings."""
    return SNAKEMAKE_MB + math.ceil(attempt * (1200 + 0.1 * sortings))


def size_of(dataset: Dataset, sources: Path) -> Size:
    """Predict the size of a dataset's recording from its parameters.

    Files that exist are looked at. What they hold is not known, so that they count as recordings of
    Neuropixels in 16 bits; what is not there yet counts as ten minutes of one.

    Parameters
    ----------
    dataset : Dataset
    sources : pathlib.Path
        The folder where sources are unpacked.
    """
    parameters = dataset.parameters
    if dataset.kind == "synthetic":
        return _simulated(parameters["channels"], parameters)
    if dataset.kind == "mearec" and "simulation" in parameters:
        simulation = parameters["simulation"]
        return _simulated(simulation["templates"]["channels"], simulation)
    if dataset.kind == "surrogate":
        channels = parameters["channels"] or _on_disk(parameters["original"], sources).channels
        return _simulated(channels, parameters)
    nested = {"hybrid": "host", "paired": "recording"}.get(dataset.kind)
    recording = parameters[nested] if nested else parameters
    own = _on_disk(recording, sources)
    if "training_path" in recording:
        other = _on_disk(recording | {"path": recording["training_path"]}, sources)
        return max(own, other, key=lambda size: size.frames)
    return own


def size_made(dataset: Dataset, sources: Path) -> Size:
    """Predict the size of all that is made of a dataset, see `size_of`.

    That is its recording and, of a tissue that is recorded twice, the one to train on.
    """
    size = size_of(dataset, sources)
    training_s = dataset.parameters.get("training_duration_s")
    if training_s is None:
        return size
    longer = training_s / dataset.parameters["duration_s"]
    return replace(size, frames=size.frames + math.ceil(longer * size.frames))


def _simulated(channels: int, parameters: dict[str, Any]) -> Size:
    frequency = parameters.get("sampling_frequency_hz", FREQUENCY_HZ)
    return Size(channels, math.ceil(parameters["duration_s"] * frequency))


def _on_disk(recording: dict[str, Any], sources: Path) -> Size:
    """Take a file of a recording for what it most often is."""
    place = Path(recording["path"])
    if "source" in recording:
        place = sources / recording["source"] / place
    excerpt = recording.get("duration_s") or UNKNOWN_S
    if not place.exists():
        return Size(UNKNOWN_CHANNELS, math.ceil(excerpt * FREQUENCY_HZ), known=False)
    files = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
    samples = sum(path.stat().st_size for path in files) / BYTES_PER_SAMPLE
    frames = max(1, math.ceil(samples / UNKNOWN_CHANNELS))
    if recording.get("duration_s"):
        frames = min(frames, math.ceil(excerpt * FREQUENCY_HZ))
    return Size(UNKNOWN_CHANNELS, frames)
