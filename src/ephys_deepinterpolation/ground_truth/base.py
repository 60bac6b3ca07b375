"""What is known of a recording, and how it lies on disk."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import spikeinterface as si
from spikeinterface.preprocessing import scale, scale_to_uV

from ephys_deepinterpolation.files import check_sizes, forget_provenance, note_sizes, whole_folder
from ephys_deepinterpolation.ground_truth.noise import SumRecording, noise_parts
from ephys_deepinterpolation.ground_truth.spikes import DisplacedTemplates, inject_spikes


@dataclass(frozen=True)
class GroundTruth:
    """A recording and, where they exist, its true spikes and the parts it is the sum of.

    Attributes
    ----------
    recording : spikeinterface.BaseRecording
        With probe and gains to µV.
    training_recording : spikeinterface.BaseRecording or None
        What models are to be trained on; the recording itself when None.
    sorting : spikeinterface.BaseSorting or None
        All true units.
    templates : spikeinterface.Templates or None
        Of the units in `sorting`, µV, without noise and without any filter.
    units : pandas.DataFrame or None
        One row per unit in `sorting`: unit, background, peak_uv, firing_rate_hz, spikes,
        depth_um, x_um; more where more is known.
    variation : pandas.DataFrame or None
        How each spike differs from the template of its unit, see `inject_spikes`; not at all
        when None.
    displaced : DisplacedTemplates or None
        Templates of the units in `sorting` where these move. `templates` are those at displacement
        0.
    noise_free : spikeinterface.BaseRecording or None
        The spikes alone in µV, float32, of a recording whose generator says no more of each spike
        than `sorting`.
    noise : dict of str to spikeinterface.BaseRecording
        Named parts of the noise, lazy, in µV. Together with the spikes they sum to the recording,
        but for rounding to its integers. Not kept, but made again when read, from parameters and
        seed; or, where `facts` name a `remainder`, as what the recording is without its spikes.
    facts : dict
        `exhaustive` (every spike of the recording is in `sorting`), seeds, versions, parameters.
    """

    recording: si.BaseRecording
    training_recording: si.BaseRecording | None = None
    sorting: si.BaseSorting | None = None
    templates: si.Templates | None = None
    units: pd.DataFrame | None = None
    variation: pd.DataFrame | None = None
    displaced: DisplacedTemplates | None = None
    noise_free: si.BaseRecording | None = None
    noise: dict[str, si.BaseRecording] = field(default_factory=dict)
    facts: dict = field(default_factory=dict)

    def spikes(self, background: bool | None = None) -> si.BaseRecording:
        """Spikes without noise as a lazy recording in µV.

        Parameters
        ----------
        background : bool, optional
            Only the units of the background, or only the others; all by default.

        Raises
        ------
        ValueError
            The truth does not say where every spike is.
        """
        if self.sorting is None or self.templates is None or self.units is None:
            raise ValueError("this recording has no known spikes")
        if self.noise_free is not None and background is not True:
            return self.noise_free
        spikes = self.sorting.to_spike_vector()
        chosen = np.ones(len(spikes), bool)
        if background is not None:
            of_unit = (self.units["background"] == background).to_numpy()
            chosen = of_unit[spikes["unit_index"]]
        return inject_spikes(
            si.NumpySorting(
                spikes[chosen], self.sorting.get_sampling_frequency(), self.sorting.unit_ids
            ),
            self.displaced or self.templates.templates_array,
            self.templates.nbefore,
            self.recording,
            None if self.variation is None else self.variation[chosen],
        )

    def parts(self) -> dict[str, si.BaseRecording]:
        """Everything the recording is the sum of, by name: `units`, `background` and the noise."""
        if self.units is None:
            return {}
        spikes = {"units": self.spikes(background=False)}
        if self.units["background"].any():
            spikes["background"] = self.spikes(background=True)
        return spikes | self.noise

    def save(self, folder: Path | str) -> None:
        """Write everything to a folder that appears whole or not at all.

        Traces are streamed in chunks of a second, so that memory does not grow with duration.
        """
        stream = {"n_jobs": 1, "chunk_duration": "1s", "progress_bar": False}
        with whole_folder(folder) as unfinished:
            self.recording.save(folder=unfinished / "recording", **stream)
            if self.training_recording is not None:
                self.training_recording.save(folder=unfinished / "training_recording", **stream)
            if self.sorting is not None:
                self.sorting.save(folder=unfinished / "sorting", format="numpy_folder")
            if self.templates is not None:
                self.templates.to_zarr(unfinished / "templates.zarr")
            if self.units is not None:
                self.units.to_parquet(unfinished / "units.parquet")
            if self.variation is not None:
                self.variation.to_parquet(unfinished / "variation.parquet", index=False)
            if self.displaced is not None:
                self.displaced.save(unfinished / "displaced")
            if self.noise_free is not None:
                self.noise_free.save(folder=unfinished / "noise_free", **stream)
            facts = json.dumps(self.facts, indent=2, sort_keys=True)
            (unfinished / "truth.json").write_text(facts + "\n")
            forget_provenance(unfinished)
            note_sizes(unfinished)


def load_ground_truth(folder: Path | str) -> GroundTruth:
    """Read what `GroundTruth.save` wrote; traces stay on disk."""
    folder = Path(folder)
    check_sizes(folder)
    facts = json.loads((folder / "truth.json").read_text())
    recording = si.load(folder / "recording")

    def read(name, reader):
        return reader(folder / name) if (folder / name).exists() else None

    truth = GroundTruth(
        recording=recording,
        training_recording=read("training_recording", si.load),
        sorting=read("sorting", si.load),
        templates=read("templates.zarr", si.Templates.from_zarr),
        units=read("units.parquet", pd.read_parquet),
        variation=read("variation.parquet", pd.read_parquet),
        displaced=read("displaced", DisplacedTemplates.load),
        noise_free=read("noise_free", si.load),
        facts=facts,
    )
    noise = {}
    if "remainder" in facts:
        noise = {facts["remainder"]: remainder(recording, truth.spikes())}
    elif "noise" in facts:
        noise = noise_parts(recording, facts["noise"], facts["seed"])
    return replace(truth, noise=noise)


def remainder(recording: si.BaseRecording, noise_free: si.BaseRecording) -> si.BaseRecording:
    """Say what is left of a recording without its spikes: lazy, µV, float32."""
    return SumRecording([scale_to_uV(recording), scale(noise_free, gain=-1.0, dtype="float32")])
