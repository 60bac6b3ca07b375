"""Templates for units that are put into a recording: where they come from, and how they are moved.

Every source but the generator yields a stock of `spikeinterface.Templates` in µV, on the contacts
of the donor. Of these, as many as asked for are chosen, moved to other places and scaled.
"""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import spikeinterface as si
from probeinterface import Probe
from scipy.interpolate import griddata
from scipy.signal import resample
from spikeinterface.core.generate import generate_templates
from spikeinterface.core.waveform_tools import estimate_templates

from ephys_deepinterpolation.ground_truth.recorded import described_path, read_described
from ephys_deepinterpolation.strangers import read_with

# Places (units, 2) in µm -> templates (units, frames, contacts).
Placing = Callable[[np.ndarray], np.ndarray]

MS_BEFORE, MS_AFTER = 1.5, 3.0
SPATIAL_DECAY_UM = (20.0, 50.0)
_DISTANCE_UM = (5.0, 40.0)
_SPIKES_PER_DONOR = 500
_REACH_UM = 150.0


def frames_before(sampling_frequency: float) -> int:
    """Frames of a placed template before its peak."""
    # As SpikeInterface rounds where it puts the peak.
    return round(MS_BEFORE * sampling_frequency / 1000.0)


def frames_after(sampling_frequency: float) -> int:
    """Frames of a placed template from its peak on."""
    return round(MS_AFTER * sampling_frequency / 1000.0)


def widths_ms(templates: np.ndarray, sampling_frequency: float) -> np.ndarray:
    """Time from the trough of each template to the peak after it, on the contact of the trough.

    Parameters
    ----------
    templates : array (units, frames, contacts)
    sampling_frequency : float
        Hz.

    Returns
    -------
    array (units,)
        ms.
    """
    widths = []
    for template in templates:
        frame, contact = np.unravel_index(template.argmin(), template.shape)
        widths.append(template[frame:, contact].argmax() * 1000.0 / sampling_frequency)
    return np.array(widths)


def generator_placing(
    contacts: np.ndarray,
    sampling_frequency: float,
    number: int,
    width_ms: tuple[float, float] | None,
    seed: int,
) -> Placing:
    """Templates of SpikeInterface's generator, at any places.

    Parameters
    ----------
    contacts : array (contacts, 2)
        µm.
    sampling_frequency : float
        Hz.
    number : int
        How many units.
    width_ms : tuple of float, optional
        Shortest and longest time from trough to peak; as the generator draws it by default.
    seed : int
        Of shapes and of distances from the probe.
    """
    shape: dict = {"spatial_decay": SPATIAL_DECAY_UM}
    if width_ms is not None:
        shape["repolarization_ms"] = tuple(width_ms)
    distances = np.random.default_rng(seed).uniform(*_DISTANCE_UM, size=number)

    def place(places: np.ndarray) -> np.ndarray:
        templates = generate_templates(
            contacts,
            np.column_stack([places, distances]),
            sampling_frequency,
            MS_BEFORE,
            MS_AFTER,
            seed=seed,
            unit_params=shape,
        )
        return np.asarray(templates)

    return place


def stock_placing(
    stock: si.Templates,
    contacts: np.ndarray,
    sampling_frequency: float,
    number: int,
    width_ms: tuple[float, float] | None,
    seed: int,
) -> Placing:
    """Templates drawn from a stock, moved to any places by interpolation between its contacts.

    None is drawn twice before each has been drawn once. Sideways of the donor's columns a moved
    template is what it is on the nearest one; it is silent above and below the donor's contacts,
    and beyond 150 µm from its place.

    Parameters
    ----------
    stock : Templates
        µV, dense, with the donor's probe.
    contacts, sampling_frequency, number, seed
        As for `generator_placing`; templates of another sampling rate are resampled.
    width_ms : tuple of float, optional
        Only templates whose `widths_ms` lies within are drawn.

    Raises
    ------
    ValueError
        The stock holds no such template, or its contacts lie in one line.
    """
    positions = stock.get_channel_locations()
    if np.linalg.matrix_rank(positions - positions[0]) < 2:
        raise ValueError(
            "the contacts of the donor lie in one line, and nothing is known beside it: "
            "take templates from a probe of two columns or more"
        )
    templates = stock.templates_array
    usable = np.abs(templates).max(axis=(1, 2)) > 0
    if width_ms is not None:
        widths = widths_ms(templates, stock.sampling_frequency)
        usable &= (widths >= width_ms[0]) & (widths <= width_ms[1])
    if not usable.any():
        raise ValueError(
            f"of the donor's {len(templates)} templates none has a width_ms within {width_ms}"
        )
    random = np.random.default_rng(seed)
    rounds = -(-number // int(usable.sum()))
    drawn = np.concatenate([random.permutation(np.flatnonzero(usable)) for _ in range(rounds)])
    chosen = [
        _at_frequency(templates[index], stock.sampling_frequency, sampling_frequency)
        for index in drawn[:number]
    ]
    # Just within: a point on the rim may count as outside.
    sides = positions[:, 0].min() + 1e-3, positions[:, 0].max() - 1e-3
    origins = [_centre(template, positions) for template in chosen]

    def place(places: np.ndarray) -> np.ndarray:
        moved = np.zeros((number, chosen[0].shape[0], len(contacts)), np.float32)
        for index, (template, origin) in enumerate(zip(chosen, origins, strict=True)):
            offsets = contacts - places[index]
            near = np.linalg.norm(offsets, axis=1) <= _REACH_UM
            if near.any():
                wanted = origin + offsets[near]
                wanted[:, 0] = np.clip(wanted[:, 0], *sides)
                moved[index][:, near] = griddata(
                    positions, template.T, wanted, method="cubic", fill_value=0
                ).T
        return moved

    return place


def _at_frequency(template: np.ndarray, before: float, after: float) -> np.ndarray:
    """Resample a template (frames, contacts) and cut it so that its peak is where it should be."""
    if before != after:
        template = resample(template, round(len(template) * after / before), axis=0)
    wanted = frames_before(after), frames_after(after)
    padded = np.pad(template, (wanted, (0, 0)))
    peak = int(np.abs(padded).max(axis=1).argmax())
    return np.asarray(padded[peak - wanted[0] : peak + wanted[1]])


def _centre(template: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Centre of mass of the squared peaks of the contacts."""
    weights = np.square(np.abs(template).max(axis=0))
    return np.asarray(weights @ positions / weights.sum())


def read_stock(description: dict, fetched: dict, seed: int) -> si.Templates | None:
    """Read templates as a configuration describes them.

    Parameters
    ----------
    description : dict
        `from`: `generator`; `mearec` with a `path`; `sorting` with a `recording` and a `sorting`;
        `database` with `datasets`.
    fetched : dict of str to path
        Folders of the sources that these name, by `templates`, `templates_recording` and
        `templates_sorting`.
    seed : int
        As for `templates_of_sorting`.

    Returns
    -------
    Templates or None
        None for the generator, which keeps no stock.
    """
    kind = description["from"]
    if kind == "mearec":
        return read_mearec_templates(described_path(description, fetched["templates"]))
    if kind == "database":
        return templates_of_database(description["datasets"])
    if kind == "sorting":
        sorting = description["sorting"]
        return templates_of_sorting(
            read_described(description["recording"], fetched["templates_recording"]),
            read_sorting(
                sorting["sorting_reader"],
                described_path(sorting, fetched["templates_sorting"]),
                sorting.get("arguments"),
            ),
            seed,
        )
    return None


def read_sorting(reader: str, path: Path | str, arguments: dict | None = None) -> si.BaseSorting:
    """Read a sorting with any of SpikeInterface's readers, or `load`.

    Raises
    ------
    FileNotFoundError
        There is nothing at the path.
    UnsafeFileError
        SpikeInterface has no such reader, or reading could run what somebody else wrote.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"no sorting at {path}")
    return read_with(reader, path, arguments)


def read_mearec_templates(path: Path | str) -> si.Templates:
    """Read templates that MEArec simulated (`.h5`); those of drifting cells at their first place.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is not a file of MEArec's templates.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no templates of MEArec at {path}")
    try:
        with h5py.File(path) as file:
            stored = file["templates"][()]
            positions = file["info/electrodes/pos"][()]
            milliseconds = float(file["info/params/dt"][()])
    except (OSError, KeyError) as error:
        raise ValueError(f"{path} is not a file of MEArec's templates") from error
    if stored.ndim == 4:
        stored = stored[:, 0]
    return _on_contacts(
        stored.transpose(0, 2, 1), np.asarray(positions)[:, -2:], 1000.0 / milliseconds
    )


def templates_of_sorting(
    recording: si.BaseRecording, sorting: si.BaseSorting, seed: int
) -> si.Templates:
    """Average at most 500 spikes of each unit of somebody's sorting.

    Parameters
    ----------
    recording : BaseRecording
        That was sorted, not filtered: the templates are put where nothing is filtered yet.
    sorting : BaseSorting
    seed : int
        Draws the spikes.

    Raises
    ------
    ValueError
        The sorting has no spikes, or is of another sampling rate.
    """
    frequency = recording.get_sampling_frequency()
    if sorting.get_sampling_frequency() != frequency:
        raise ValueError(
            f"the donor's sorting is sampled at {sorting.get_sampling_frequency()} Hz, its "
            f"recording at {frequency} Hz: give the recording that was sorted"
        )
    drawn = si.random_spikes_selection(
        sorting,
        [recording.get_num_samples(segment) for segment in range(recording.get_num_segments())],
        max_spikes_per_unit=_SPIKES_PER_DONOR,
        margin_size=max(frames_before(frequency), frames_after(frequency)),
        seed=seed,
    )
    if not len(drawn):
        raise ValueError("the donor's sorting has no spikes")
    spikes = sorting.to_spike_vector()[drawn]
    averages = estimate_templates(
        recording,
        spikes,
        sorting.unit_ids,
        frames_before(frequency),
        frames_after(frequency),
        n_jobs=1,
        progress_bar=False,
    )
    averages -= np.median(averages, axis=1, keepdims=True)
    kept = np.isin(np.arange(len(averages)), spikes["unit_index"])
    return _on_contacts(averages[kept], recording.get_channel_locations(), frequency)


def templates_of_database(datasets: list[str]) -> si.Templates:
    """Fetch templates from SpikeInterface's template database.

    Parameters
    ----------
    datasets : list of str
        Names in the database, of recordings with one and the same probe.

    Raises
    ------
    ConnectionError
        The database cannot be reached.
    ValueError
        It has no such dataset.
    """
    from spikeinterface.generation import (
        fetch_templates_database_info,
        query_templates_from_database,
    )

    try:
        known = fetch_templates_database_info()
    except Exception as error:
        raise ConnectionError(
            "SpikeInterface's template database (s3://spikeinterface-template-database) cannot be "
            f"reached from here: take templates from another source ({error})"
        ) from error
    missing = sorted(set(datasets) - set(known["dataset"]))
    if missing:
        raise ValueError(f"SpikeInterface's template database has no dataset {missing[0]}")
    return query_templates_from_database(known[known["dataset"].isin(datasets)])


def _on_contacts(
    templates: np.ndarray, positions: np.ndarray, sampling_frequency: float
) -> si.Templates:
    probe = Probe(ndim=2)
    probe.set_contacts(positions)
    probe.set_device_channel_indices(np.arange(len(positions)))
    return si.Templates(
        templates.astype(np.float32),
        sampling_frequency=sampling_frequency,
        nbefore=0,
        probe=probe,
    )
