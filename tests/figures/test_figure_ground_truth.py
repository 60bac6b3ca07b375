"""The picture of a dataset shows what its tables say."""

import numpy as np
import pandas as pd
import pytest

from ephys_deepinterpolation.figures import style
from ephys_deepinterpolation.figures.ground_truth import plot_ground_truth

KEYS = {"dataset": "example", "kind": "synthetic", "replicate": 0}


def tables(units=3):
    random = np.random.default_rng(0)
    times = np.arange(300) / 30.0
    excerpts = pd.DataFrame(
        {
            "channel": np.repeat(["a", "b"], len(times)),
            "x_um": 0.0,
            "depth_um": np.repeat([0.0, 20.0], len(times)),
            "time_ms": np.tile(times, 2),
            "trace_uv": random.normal(size=2 * len(times)),
            "unit": "",
        }
    )
    excerpts.loc[[10, 400], "unit"] = "0"
    frequencies = np.geomspace(10, 15_000, 50)
    spectra = pd.concat(
        [
            pd.DataFrame({"part": part, "frequency_hz": frequencies, "density_uv2_per_hz": level})
            for part, level in (("recording", 3.0), ("independent", 2.0), ("silent", 0.0))
        ]
    )
    true_units = pd.DataFrame(
        {
            "unit": [str(unit) for unit in range(units)],
            "peak_uv": 20.0 * np.arange(1, units + 1),
            "expected_peak_uv": 20.0 * np.arange(1, units + 1),
            "average_peak_uv": 21.0 * np.arange(1, units + 1),
            "standard_error_uv": 1.0,
            "x_um": 5.0,
            "depth_um": 10.0,
        }
    )
    contacts = pd.DataFrame({"channel": ["a", "b"], "x_um": 0.0, "depth_um": [0.0, 20.0]})
    named = {
        "contacts": contacts,
        "true_units": true_units,
        "excerpts": excerpts,
        "spectra": spectra,
    }
    return {name: table.assign(**KEYS) for name, table in named.items()}


def titles(figure):
    return " ".join(axis.get_title(loc="left") for axis in figure.axes)


def test_contacts_and_units_are_counted():
    assert "2 contacts\n3 true units" in titles(plot_ground_truth(**tables()))


def test_every_true_spike_has_a_triangle():
    figure = plot_ground_truth(**tables())
    triangles = [line for line in figure.axes[1].lines if line.get_marker() == "v"]
    assert sum(len(line.get_xdata()) for line in triangles) == 2


def test_peaks_stand_at_their_values():
    figure = plot_ground_truth(**tables())
    drawn = figure.axes[3].containers[0].lines[0]
    np.testing.assert_allclose(np.asarray(drawn.get_xdata(), float), [20.0, 40.0, 60.0])
    np.testing.assert_allclose(np.asarray(drawn.get_ydata(), float), [21.0, 42.0, 63.0])


def test_only_the_first_replicate_is_drawn():
    doubled = {
        name: pd.concat([table, table.assign(replicate=1)]) for name, table in tables().items()
    }
    assert "3 true units" in titles(plot_ground_truth(**doubled))


@pytest.mark.parametrize("units", [0, 1])
def test_few_units_or_none_are_drawn(tmp_path, units):
    style.save(plot_ground_truth(**tables(units)), tmp_path / "figure.png", dpi=40)


def test_the_same_tables_give_the_same_bytes(tmp_path):
    first = style.save(plot_ground_truth(**tables()), tmp_path / "first.svg", dpi=60)
    second = style.save(plot_ground_truth(**tables()), tmp_path / "second.svg", dpi=60)
    assert first.read_bytes() == second.read_bytes()
