"""How much disk the jobs of a run will fill, told before the first of them starts."""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from ephys_deepinterpolation.configuration import Study, keeps_traces
from ephys_deepinterpolation.progress import STAGES, stage_of
from ephys_deepinterpolation.sizes import FREQUENCY_HZ, Size

_FLOAT_BYTES = 4
# Of one spike; and how many spikes a sorter finds for each channel and second.
_SPIKE_BYTES, _SPIKES_PER_CHANNEL_S = 24, 3.0
# Of what a job writes beside traces, in megabytes, as found in small studies.
_MEGABYTES = {
    "ground_truth_checks": 0.4,
    "artifacts": 0.3,
    "trials": 0.1,
    "comparisons": 0.2,
    "sortings": 0.05,
    "figures": 0.5,
    "report.html": 10.0,
}
_TABLE_AND_RECORDING_MB = 0.2
_MODEL_MB, _PUBLISHED_MODEL_MB = 1.0, 25.0
_ENVIRONMENT_MB = {"mearec": 500, "herdingspikes": 800, "tridesclous": 1100, "kilosort4": 1900}
_OTHER_ENVIRONMENT_MB = 2000
_WORTH_TELLING_MB = 1.0


@dataclass(frozen=True)
class Output:
    """What a job is going to write.

    Attributes
    ----------
    path : pathlib.PurePath
        A file or folder of it, from the folder of the results on.
    wildcards : mapping of str to str
        Of the job, by name.
    size : Size or None
        Of the recording of its dataset; None for what belongs to no dataset.
    """

    path: PurePath
    wildcards: Mapping[str, str]
    size: Size | None

    @property
    def folder(self) -> str:
        """The folder, or file, right below the results."""
        return self.path.parts[0]

    @property
    def passes(self) -> bool:
        """Whether it is removed as soon as everything has been made of it."""
        return self.folder == "mearec"

    @property
    def is_noise_alone(self) -> bool:
        """Whether it is a recording without spikes."""
        return self.path.parts[:2] == ("noise_alone", "recordings")


def megabytes(output: Output, study: Study) -> float:
    """Predict how much disk a job fills. What a source holds cannot be predicted."""
    small = _MEGABYTES.get(output.folder, 0.0)
    if output.folder == "environments":
        return _ENVIRONMENT_MB.get(output.wildcards["environment"], _OTHER_ENVIRONMENT_MB)
    if output.folder == "tables":
        return _TABLE_AND_RECORDING_MB * len(study.datasets) * study.replicates
    if output.folder == "models" and "model" in output.wildcards:
        family = study.models[output.wildcards["model"]].get("network", {}).get("family")
        return _PUBLISHED_MODEL_MB if family == "unet" else _MODEL_MB
    return small + (_of_recording(output, output.size, study) if output.size else 0.0)


def _of_recording(output: Output, size: Size, study: Study) -> float:
    """Predict the traces, or spikes, that a job writes."""
    as_floats = size.million_samples * _FLOAT_BYTES
    seconds = size.frames / FREQUENCY_HZ
    if output.folder == "ground_truth":
        dataset = study.datasets[output.wildcards["dataset"]]
        given = dataset.parameters
        recordings = 2.0 if {"training", "training_path"} & set(given) else 1.0
        if "training_duration_s" in given:
            recordings += given["training_duration_s"] / given["duration_s"]
        spikes_alone = as_floats if dataset.kind == "mearec" else 0.0
        return recordings * size.megabytes + spikes_alone
    if output.folder == "mearec":
        return 2 * as_floats
    if output.folder == "conditions":
        return as_floats if keeps_traces(study.pipelines[output.wildcards["condition"]]) else 0.0
    if output.is_noise_alone:
        return as_floats * min(1.0, study.artifacts["noise_alone_s"] / seconds)
    if output.folder in ("sortings", "noise_alone"):
        return _SPIKES_PER_CHANNEL_S * size.channels * seconds * _SPIKE_BYTES / 1e6
    return 0.0


def describe_disk(outputs: Iterable[Output], study: Study, place: Path | str) -> str:
    """Say what the jobs of a run fill, by stage, and whether there is room for it.

    Parameters
    ----------
    outputs : iterable of Output
        Of the jobs that are to run.
    study : Study
    place : path
        Where results go; need not exist.

    Returns
    -------
    str
        Lines of a table; empty where next to nothing will be written.
    """
    needed = dict.fromkeys(STAGES, 0.0)
    passing = 0.0
    unknown = set()
    for output in outputs:
        if output.size is not None and not output.size.known:
            unknown.add(output.wildcards["dataset"])
            continue
        filled = megabytes(output, study)
        needed[stage_of(output.folder)] += filled
        passing += filled if output.passes else 0.0
    total = sum(needed.values())
    if total < _WORTH_TELLING_MB and not unknown:
        return ""
    free = _free_mb(Path(place))
    rows = [(stage, filled) for stage, filled in needed.items() if filled >= 1.0]
    rows += [("in all", total), ("free", free)]
    lines = [f"  {name:<12} {amount(filled):>8}" for name, filled in rows]
    text = "\n".join(["Disk that this run fills, as far as can be predicted:", *lines])
    if passing >= 1.0:
        text += f"\nOf that, {amount(passing)} are removed again during the run."
    if unknown:
        text += (
            f"\nNot counted, as their recordings are not there yet: {', '.join(sorted(unknown))}."
        )
    if total > free:
        text += (
            f"\nThis does not fit: {amount(total - free)} more are needed where {place} lies. "
            "Make room, or run fewer datasets or conditions at a time."
        )
    return text


def _free_mb(place: Path) -> float:
    existing = next(folder for folder in (place, *place.absolute().parents) if folder.exists())
    return shutil.disk_usage(existing).free / 1e6


def amount(filled_mb: float) -> str:
    """Say how much megabytes are."""
    for unit, size in (("TB", 1e6), ("GB", 1e3)):
        if filled_mb >= size:
            return f"{filled_mb / size:.3g} {unit}"
    return f"{filled_mb:.0f} MB"
