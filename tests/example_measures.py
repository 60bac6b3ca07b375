"""Made-up tables of the artifact checks and of the comparisons between sortings."""

from __future__ import annotations

import numpy as np
import pandas as pd

KEPT = {"raw": 1.0, "di": 0.9, "gaussian": 0.6}
LEFT = {"raw": 1.0, "di": 0.45, "gaussian": 0.8}


def measured_tables(units, datasets, conditions, sorters):
    """Return the tables that `example_tables` does not make itself, of the same study."""
    generator = np.random.default_rng(11)
    recordings = [
        {"dataset": dataset, "kind": kind, "replicate": replicate}
        for dataset, kind, replicates in datasets
        for replicate in range(replicates)
    ]
    of_conditions = [row | {"condition": name} for row in recordings for name in conditions]
    known = [row for row in of_conditions if row["kind"] != "recorded"]
    sorted_ = [row | {"sorter": name, "repeat": 0} for row in of_conditions for name in sorters]
    true = units.drop_duplicates(["dataset", "replicate", "condition", "unit"])
    noise_alone, found = _noise_alone(generator, known, sorters)
    return {
        "recordings": _recordings(generator, recordings),
        "rasters": _rasters(generator, units, conditions, sorters),
        "noise_transfer": _noise_transfer(known),
        "residual": _residual(generator, of_conditions),
        "residual_spectra": _residual_spectra(of_conditions),
        "residual_covariance": _residual_covariance(of_conditions),
        "attenuation": _attenuation(generator, true),
        "detectability": _detectability(generator, true),
        "noise_alone": noise_alone,
        "noise_alone_sortings": found,
        "transient_spread": _transient_spread(of_conditions),
        "rounding": pd.DataFrame(
            [
                row
                | {"gain_uv_per_bit": 0.763, "rounding_uv": 0.22, "clipped_samples": 0}
                | {"noise_uv": 7.5 * LEFT.get(row["condition"], 0.7), "clipped_share": 0.0}
                for row in of_conditions
            ]
        ),
        "transfer": _transfer(datasets, conditions),
        "matches": _matches(generator, sorted_),
        "quality": _quality(generator, sorted_),
        "agreement": _agreement(generator, of_conditions, sorters),
        "collisions": _collisions([row for row in sorted_ if row["kind"] != "recorded"]),
        "correlograms": _correlograms([row for row in sorted_ if row["kind"] != "recorded"]),
    }


def _recordings(generator, recordings):
    datasets = list(dict.fromkeys(row["dataset"] for row in recordings))
    return pd.DataFrame(
        [
            row
            | {
                "channels": 24,
                "duration_s": 40.0,
                "sampling_frequency_hz": 30000.0,
                "pitch_um": 15.0,
                "noise_uv": 7.5,
                "neighbour_correlation": 0.2
                + 0.15 * datasets.index(row["dataset"])
                + float(generator.normal(0, 0.01)),
                "lag1_autocorrelation": 0.6,
            }
            for row in recordings
        ]
    )


def _transfer(datasets, conditions):
    """A model on each dataset, as it is and fine-tuned, beside others trained from scratch."""
    amounts = {"as it is": [0], "fine-tuned": [10, 60], "from scratch": [10, 60], "linear": [60]}
    rows = [
        {"dataset": dataset, "kind": kind, "condition": "di", "model": "compact", "way": way}
        | {"data_s": 0.997 * data_s, "steps": 500, "training_seconds": 2.0 * data_s**0.5}
        | {"endpoint": measure, "measure": measure, "value": worth + 0.01 * place - 0.001 * data_s}
        | {"low": np.nan, "high": np.nan, "recordings": replicates}
        for dataset, kind, replicates in datasets
        for place, (way, seconds) in enumerate(amounts.items())
        for data_s in seconds
        for measure, worth in {"loss": 0.6, "gap_closed": 0.7, "d_prime": -0.4}.items()
        if "di" in conditions
    ]
    return pd.DataFrame(rows, columns=None if rows else ["dataset", "way"])


def _rasters(generator, units, conditions, sorters):
    rows = []
    first = units[(units["replicate"] == 0) & ~units["background"]]
    for dataset, of_dataset in first.groupby("dataset", sort=False):
        names = {"dataset": dataset, "kind": of_dataset["kind"].iloc[0], "replicate": 0}
        distinct = of_dataset.drop_duplicates("unit")
        times = {row.unit: np.sort(generator.uniform(0, 1000, 8)) for row in distinct.itertuples()}
        depths = dict(zip(distinct["unit"], distinct["depth_um"], strict=True))
        for unit, when in times.items():
            given = {"condition": None, "sorter": None, "unit": unit, "true_unit": unit}
            rows += [names | given | {"depth_um": depths[unit], "time_ms": t} for t in when]
        for condition in conditions:
            for sorter in sorters:
                given = {"condition": condition, "sorter": sorter}
                for index, (unit, when) in enumerate(times.items()):
                    kept = when[generator.random(len(when)) < 0.75]
                    matched = given | {"unit": str(index), "true_unit": unit}
                    rows += [
                        names | matched | {"depth_um": depths[unit], "time_ms": t} for t in kept
                    ]
                for t in generator.uniform(0, 1000, 5):
                    stray = {"unit": "99", "true_unit": None, "depth_um": np.nan, "time_ms": t}
                    rows.append(names | given | stray)
    return pd.DataFrame(rows)


def _noise_transfer(known):
    rows = []
    for row in known:
        for part, level in {"input": 0.5, "correlated": 0.8, "independent": 0.1}.items():
            for frequency in np.geomspace(100, 15000, 24):
                gain = 1.0 if row["condition"] == "raw" else level / (1 + frequency / 6000)
                value = {"gain": gain, "coherence": min(1.0, gain + 0.1)}
                rows.append(row | {"part": part, "frequency_hz": frequency} | value)
    return pd.DataFrame(rows)


def _residual(generator, of_conditions):
    return pd.DataFrame(
        [
            row
            | {
                "channel": f"AP{channel}",
                "depth_um": 15.0 * channel,
                "x_um": 0.0,
                "shank": "0",
                "removed_uv": 7.5 * (1 - LEFT.get(row["condition"], 0.7))
                + generator.normal(0, 0.1),
                "known_noise_correlation": np.nan if row["kind"] == "recorded" else 0.9,
                "kept_input": LEFT.get(row["condition"], 0.7) ** 2,
                "ks_statistic": abs(generator.normal(0.01, 0.003)),
                "ks_p": 0.2,
                "ljung_box": 130.0,
                "ljung_box_p": 0.0,
            }
            for row in of_conditions
            for channel in range(6)
        ]
    )


def _residual_spectra(of_conditions):
    rows = []
    for row in of_conditions:
        left = LEFT.get(row["condition"], 0.7)
        for frequency in np.linspace(0, 15000, 40):
            shape = 1e-2 / (1 + (frequency / 3000) ** 2)
            levels = {"reference": 1.0, "output": left**2, "removed": (1 - left) ** 2}
            rows += [
                row
                | {"trace": trace, "frequency_hz": frequency, "density_uv2_per_hz": level * shape}
                for trace, level in levels.items()
            ]
    return pd.DataFrame(rows)


def _residual_covariance(of_conditions):
    scale = {"reference": 40.0, "output": 80.0, "removed": 10.0}
    return pd.DataFrame(
        [
            row
            | {
                "trace": trace,
                "distance_um": distance,
                "correlation": float(np.exp(-distance / decay)),
                "covariance_uv2": 50 * float(np.exp(-distance / decay)),
            }
            for row in of_conditions
            for trace, decay in scale.items()
            for distance in range(0, 160, 20)
        ]
    )


def _true_columns(true):
    columns = ["dataset", "kind", "replicate", "condition", "unit", "background"]
    columns += ["peak_uv", "width_ms", "firing_rate_hz", "spikes", "depth_um"]
    return true[columns].reset_index(drop=True)


def _attenuation(generator, true):
    table = _true_columns(true)
    level = table["condition"].map(KEPT).fillna(0.8).to_numpy(float)
    size = table["peak_uv"].to_numpy(float)
    kept = 1 - (1 - level) * (1 + 20 / size) + generator.normal(0, 1 / size)
    return table.assign(
        expected_peak_uv=size,
        kept_peak=kept,
        kept_width=np.where(kept * size > 6.0, 1.1, np.nan),
        cosine=np.clip(1 - 3 / size, 0, 1),
        shift_us=generator.normal(0, 3, len(table)),
        leak_uv=np.where(size > 40, 3.0, generator.normal(0, 0.3, len(table))),
        leak_distance_um=80.0,
        leak_standard_error_uv=0.3,
        echo_uv=generator.normal(0, 0.2, len(table)),
        echo_lag_ms=generator.choice([-2.0, 3.0], len(table)),
        echo_standard_error_uv=0.2,
        standard_error_uv=0.3,
    )


def _detectability(generator, true):
    table = _true_columns(true)
    gain = table["condition"].map({"di": 0.3, "gaussian": -0.4}).fillna(0.0).to_numpy(float)
    d_prime = table["peak_uv"].to_numpy(float) / 7 + gain + generator.normal(0, 0.05, len(table))
    return table.assign(d_prime=d_prime, auc=0.5 + 0.5 * np.tanh(d_prime))


def _noise_alone(generator, known, sorters):
    rows, found = [], []
    for row in [row for row in known if row["kind"] != "hybrid"]:
        for threshold, rate in {4.0: 0.8, 5.0: 0.01, 6.0: 0.0}.items():
            more = 3.0 if row["condition"].startswith("di") else 1.0
            value = {"threshold": threshold, "crossings_per_channel_s": more * rate}
            rows.append(row | value | {"noise_uv": 7.0, "channels": 24, "seconds": 10.0})
        for place, sorter in enumerate(sorters):
            status = "failed" if place == 1 else "ok"
            value = {"sorter": sorter, "repeat": 0, "status": status, "error": None}
            count = {"sorted_units": int(generator.integers(0, 5)), "spikes": 90, "seconds": 10.0}
            found.append(row | value | (count if status == "ok" else {}))
    return pd.DataFrame(rows), pd.DataFrame(found)


def _transient_spread(of_conditions):
    rows = []
    for row in of_conditions:
        reach = 1.0 if row["condition"] == "raw" else 3.0
        for transient in ("saturation", "stimulation"):
            given = row | {"transient": transient}
            for axis, offsets in {
                "time_ms": np.linspace(-10, 10, 41),
                "distance_um": np.linspace(0, 300, 16),
            }.items():
                scale = reach if axis == "time_ms" else 50 * reach
                for offset in offsets:
                    change = 400 * float(np.exp(-abs(offset) / scale))
                    rows.append(
                        given
                        | {"axis": axis, "offset": offset, "difference_uv": change}
                        | {"reach": 4 * scale}
                    )
    return pd.DataFrame(rows)


def _matches(generator, sorted_):
    rows = []
    for row in [row for row in sorted_ if row["condition"] != "raw"]:
        for index in range(12):
            snr = float(np.exp(generator.uniform(1, 3)))
            matched = index < 10
            rows.append(
                row
                | {
                    "unit": str(index) if index != 11 else None,
                    "other_unit": str(index) if index != 10 else None,
                    "agreement": 0.9 if matched else np.nan,
                    "matched": matched,
                    "spikes": 300,
                    "other_spikes": 310,
                    "snr": snr if index != 11 else np.nan,
                    "other_snr": snr * 1.5 if index != 10 else np.nan,
                    "peak_uv": 7 * snr,
                    "other_peak_uv": 6.5 * snr,
                }
            )
    return pd.DataFrame(rows)


def _quality(generator, sorted_):
    rows = []
    for row in sorted_:
        for trains in ("own", "reference"):
            for index in range(10):
                isi, cutoff = generator.uniform(0, 1), generator.uniform(0, 0.2)
                rows.append(
                    row
                    | {
                        "trains": trains,
                        "unit": str(index),
                        "spikes": 300,
                        "firing_rate_hz": 7.5,
                        "snr": float(np.exp(generator.uniform(1, 3))),
                        "peak_uv": 60.0,
                        "noise_uv": 7.0,
                        "amplitude_cutoff": cutoff,
                        "isi_violations_ratio": isi,
                        "presence_ratio": 0.99,
                        "passes": bool(isi < 0.5 and cutoff < 0.1),
                    }
                )
    return pd.DataFrame(rows)


def _agreement(generator, of_conditions, sorters):
    columns = ["dataset", "kind", "replicate", "condition", "sorter", "other_sorter"]
    columns += ["units", "other_units", "matched", "share"]
    rows = [
        row
        | {"sorter": one, "other_sorter": other, "units": 20, "other_units": 22}
        | {"matched": int(generator.integers(8, 15)), "share": float(generator.uniform(0.4, 0.7))}
        for row in of_conditions
        for place, one in enumerate(sorters)
        for other in sorters[place + 1 :]
    ]
    return pd.DataFrame(rows, columns=columns)


def _collisions(sorted_):
    return pd.DataFrame(
        [
            row
            | {
                "lag_ms": lag,
                "similarity_low": low,
                "similarity_high": low + 0.5,
                "spikes": 40,
                "recall": 1 - (0.3 + low) * float(np.exp(-abs(lag) / 0.5)),
                "reference_recall": 1 - (0.2 + low) * float(np.exp(-abs(lag) / 0.5)),
                "pairs": 5,
            }
            for row in sorted_
            for low in (0.0, 0.5)
            for lag in np.linspace(-2, 2, 21)
        ]
    )


def _correlograms(sorted_):
    return pd.DataFrame(
        [
            row
            | {"lag_ms": lag, "kind_of": kind, "pairs": 9}
            | {"error": level * np.exp(-abs(lag) / 5), "bias": -level * np.exp(-abs(lag) / 5)}
            | {"reference_error": 0.05, "reference_bias": -0.02}
            for row in sorted_
            for kind, level in {"auto": 0.1, "cross": 0.3}.items()
            for lag in np.linspace(-20, 20, 41)
        ]
    )
