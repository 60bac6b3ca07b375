r"""Hold the statistics against studies of known truth: coverage, false alarms and power.

    python benchmarks/calibration.py --trials 2000 --csv docs/benchmarks/calibration.csv

A made-up recording has 3 to 40 true units; in a `skewed` world seven in ten hardly change and the
others change much. Recordings differ: by a normal deviation of 0.05 (`normal`), an exponential
one (`skewed`), or not at all (`equal`). `package` is what the package does. Each row of the
table is a share of the trials: `coverage` of 95 % intervals, `false_alarms` at 5 % after the labels
of condition and reference were drawn anew for each recording, `any_false_alarm` of 24 tests after
Holm's correction, and `power` at the effect that `detectable_effect` gives.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from ephys_deepinterpolation.statistics import detectable_effect, estimate_mean, holm

EFFECT = 0.05
RECORDINGS = (2, 3, 5, 10, 16)
UNITS = (5, 10, 20, 40)
RESAMPLES = 1000
LEVELS = (0.025, 0.975)
TESTS = 24

Bounds = tuple[float, float]


def changes(random: np.random.Generator, count: int, world: str) -> np.ndarray:
    """Draw how much each unit of a recording changes, 0.05 in the mean."""
    if world == "normal":
        return random.normal(EFFECT, 0.1, count)
    if world == "rare":
        return np.where(random.random(count) < 0.85, 0.0, random.uniform(0.0, 2 / 3, count))
    large = random.normal(EFFECT / 0.3, 0.2, count)
    return np.where(random.random(count) < 0.7, random.normal(0.0, 0.02, count), large)


def study(random: np.random.Generator, count: int, world: str) -> list[np.ndarray]:
    """Draw the recordings of a study, each with the changes of its units."""
    shifts = {
        "normal": random.normal(0.0, 0.05, count),
        "skewed": 0.05 * (random.exponential(1.0, count) - 1),
        "equal": np.zeros(count),
    }[world]
    of_units = "normal" if world == "normal" else "skewed"
    return [shift + changes(random, random.integers(3, 41), of_units) for shift in shifts]


def resampled(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draw as many values with replacement as there are, again and again."""
    return values[random.integers(len(values), size=(RESAMPLES, len(values)))]


def percentile(values: np.ndarray, random: np.random.Generator) -> Bounds:
    """Take the percentiles of the resampled means."""
    low, high = np.quantile(resampled(values, random).mean(axis=1), LEVELS)
    return low, high


def bootstrap_t(values: np.ndarray, random: np.random.Generator) -> Bounds:
    """Resample the mean over its own standard error."""
    drawn = resampled(values, random)
    away = drawn.mean(axis=1) - values.mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = away / drawn.std(axis=1, ddof=1)
    scores = np.where(np.isfinite(scores), scores, np.sign(away) * 1e9)
    low, high = np.quantile(scores, LEVELS, method="inverted_cdf")
    deviation = values.std(ddof=1)
    return values.mean() - high * deviation, values.mean() - low * deviation


def student(values: np.ndarray, _random: np.random.Generator) -> Bounds:
    """Trust the t distribution; no bootstrap."""
    reach = stats.t.ppf(LEVELS[1], len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return values.mean() - reach, values.mean() + reach


def package(values: np.ndarray, random: np.random.Generator) -> Bounds:
    """Do as the package does."""
    estimate = estimate_mean(values, random)
    return estimate.low, estimate.high


METHODS: dict[str, Callable[[np.ndarray, np.random.Generator], Bounds]] = {
    "package": package,
    "percentile": percentile,
    "bootstrap_t": bootstrap_t,
    "student": student,
}


def two_stage(recordings: list[np.ndarray], random: np.random.Generator) -> Bounds:
    """Resample recordings, and within each its units: the percentile interval."""
    means = np.array([resampled(units, random).mean(axis=1) for units in recordings])
    drawn = random.integers(len(recordings), size=(len(recordings), RESAMPLES))
    low, high = np.quantile(np.take_along_axis(means, drawn, axis=0).mean(axis=0), LEVELS)
    return low, high


def coverage_of_recordings(world: str, count: int, trials: int) -> Iterator[dict[str, object]]:
    """Count intervals over recordings that hold the true effect."""
    random = np.random.default_rng([count, *world.encode()])
    held: dict[str, list[bool]] = {name: [] for name in (*METHODS, "two_stage")}
    for _ in range(trials):
        recordings = study(random, count, world)
        means = np.array([units.mean() for units in recordings])
        bounds = {name: method(means, random) for name, method in METHODS.items()}
        bounds["two_stage"] = two_stage(recordings, random)
        for name, (low, high) in bounds.items():
            held[name].append(low <= EFFECT <= high)
    for name, hits in held.items():
        yield {"of": "recordings", "method": name, "quantity": "coverage", "share": np.mean(hits)}


def coverage_of_units(world: str, count: int, trials: int) -> Iterator[dict[str, object]]:
    """Count intervals over the units of one recording that hold the true effect."""
    random = np.random.default_rng([count, *world.encode()])
    held: dict[str, list[bool]] = {name: [] for name in METHODS}
    for _ in range(trials):
        units = changes(random, count, world)
        for name, method in METHODS.items():
            low, high = method(units, random)
            held[name].append(low <= EFFECT <= high)
    for name, hits in held.items():
        yield {"of": "units", "method": name, "quantity": "coverage", "share": np.mean(hits)}


def shuffled(random: np.random.Generator, count: int, world: str, tests: int) -> list[np.ndarray]:
    """Draw recording means of correlated tests, and for each recording which side comes first."""
    means = np.array([units.mean() for units in study(random, count, world)])
    sides = random.choice([-1, 1], size=count)
    return [sides * (means + 0.05 * random.normal(size=count)) for _ in range(tests)]


def false_alarms(world: str, count: int, trials: int) -> Iterator[dict[str, object]]:
    """Count what is found after the labels were drawn anew."""
    random = np.random.default_rng([count, *world.encode()])
    quantities = (("false_alarms", 1, trials), ("any_false_alarm", TESTS, trials // 4))
    for quantity, tests, studies in quantities:
        hits = []
        for _ in range(studies):
            means = shuffled(random, count, world, tests)
            p = np.array([estimate_mean(values, random).p for values in means])
            hits.append((holm(p) < 0.05).any())
        row = {"quantity": quantity, "share": np.mean(hits), "trials": studies}
        yield {"of": "recordings", "method": "package", **row}


def power_at_detectable(world: str, count: int, trials: int) -> Iterator[dict[str, object]]:
    """Count how often the effect is found that is said to be found in four of five studies."""
    random = np.random.default_rng([count, *world.encode()])
    deviation = np.std([study(random, 1, world)[0].mean() for _ in range(20_000)])
    shift = detectable_effect(float(deviation), count) - EFFECT
    hits = []
    for _ in range(trials):
        means = np.array([units.mean() for units in study(random, count, world)])
        hits.append(estimate_mean(means + shift, random).p < 0.05)
    row = {"quantity": "power", "share": np.mean(hits)}
    yield {"of": "recordings", "method": "package", **row}


def measure(trials: int) -> pd.DataFrame:
    """Run all trials; one row per quantity, world, count and method."""
    parts = [
        *((coverage_of_recordings, world, RECORDINGS) for world in ("normal", "skewed", "equal")),
        *((coverage_of_units, world, UNITS) for world in ("normal", "skewed", "rare")),
        *((false_alarms, world, RECORDINGS[1:]) for world in ("normal", "skewed")),
        *((power_at_detectable, world, RECORDINGS[1:]) for world in ("normal", "skewed")),
    ]
    rows = [
        {"world": world, "count": count, "trials": trials, **row}
        for part, world, counts in parts
        for count in counts
        for row in part(world, count, trials)
    ]
    return pd.DataFrame(rows)


def main() -> None:
    """Measure, write the table and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--csv", type=Path, required=True)
    arguments = parser.parse_args()
    table = measure(arguments.trials)
    columns = ["of", "quantity", "world", "count", "method", "share", "trials"]
    table[columns].to_csv(arguments.csv, index=False, float_format="%.4f", lineterminator="\n")
    wide = table.pivot_table(
        index=["of", "quantity", "world", "count"], columns="method", values="share"
    )
    print(wide.round(3).to_string())


if __name__ == "__main__":
    main()
