"""Made-up studies of which the effects are known."""

import numpy as np
import pandas as pd

from ephys_deepinterpolation.statistics import Endpoint, estimate_effects

ACCURACY = Endpoint("accuracy", "accuracy")


def recording(differences, dataset="tissue", replicate=0, sorter="sorter-a", seed=0, **columns):
    """A table `units`: accuracies in the reference, `raw`, and as much higher in `denoised`."""
    count = len(differences)
    raw = np.random.default_rng(seed).uniform(0.1, 0.7, size=count)
    table = pd.DataFrame(
        {
            "dataset": dataset,
            "kind": "synthetic",
            "replicate": replicate,
            "sorter": sorter,
            "repeat": 0,
            "unit": [f"units-{index:03d}" for index in range(count)],
            "background": False,
            "peak_uv": 50.0,
            "status": "ok",
            "model_saw_recording": False,
        }
    )
    table = table.assign(**columns)
    sides = {"raw": raw, "denoised": raw + differences}
    return pd.concat(
        [table.assign(condition=name, accuracy=values) for name, values in sides.items()],
        ignore_index=True,
    )


def recordings(differences, **columns):
    """Several replicates, each with its own differences."""
    return pd.concat(
        [
            recording(values, replicate=replicate, seed=replicate, **columns)
            for replicate, values in enumerate(differences)
        ],
        ignore_index=True,
    )


def effects_of(units, endpoint=ACCURACY, reference="raw", seed=1, **options):
    return estimate_effects({"units": units}, [endpoint], reference, seed, **options)


def overall(units, **options):
    """The effect over all datasets and sorters, of the only condition."""
    effects = effects_of(units, **options).query("dataset == 'all' and sorter == 'all'")
    (row,) = effects.to_dict("records")
    return row
