"""A condition: an ordered preprocessing pipeline that may hold one denoising step."""

import json
from pathlib import Path

import spikeinterface as si
from spikeinterface.core import BaseRecording
from spikeinterface.preprocessing import apply_preprocessing_pipeline, scale_to_uV

# Registers our `deepinterpolate` as a step of SpikeInterface's pipelines.
import ephys_deepinterpolation.recording  # noqa: F401
from ephys_deepinterpolation.configuration import DENOISING_STEP
from ephys_deepinterpolation.files import forget_provenance, whole_folder
from ephys_deepinterpolation.model import Model


def apply_condition(
    recording: BaseRecording, pipeline: list[dict], model: Model | Path | str | None = None
) -> BaseRecording:
    """Apply a condition's pipeline, lazily.

    Every condition starts from the recording in µV as 32-bit floats, so that none of them rounds
    more than another.

    Parameters
    ----------
    recording : BaseRecording
        With gains to µV.
    pipeline : list of dict
        Steps as SpikeInterface writes them, `{"name": ..., "params": ...}`.
    model : Model or path, optional
        For the step `deepinterpolate`, in place of the recipe's name that the pipeline gives.
    """
    steps = [
        {"name": step["name"], "params": {"model": model}} if is_denoising(step) else dict(step)
        for step in pipeline
    ]
    return apply_preprocessing_pipeline(scale_to_uV(recording), steps)


def before_denoising(recording: BaseRecording, pipeline: list[dict]) -> BaseRecording:
    """Apply the steps before the denoising one: what its model learns on."""
    names = [step["name"] for step in pipeline]
    return apply_condition(recording, pipeline[: names.index(DENOISING_STEP)])


def is_denoising(step: dict) -> bool:
    """Whether a step of a pipeline runs a network."""
    return step["name"] == DENOISING_STEP


def save_condition(recording: BaseRecording, facts: dict, folder: Path | str) -> None:
    """Keep a condition's output in a folder that appears whole or not at all.

    Where a network ran the traces are written, streamed in chunks of a second; elsewhere the
    pipeline is kept as JSON, to be run again when read.

    Parameters
    ----------
    recording : BaseRecording
        From `apply_condition`.
    facts : dict
        Written as `condition.json`; `denoised` says whether a network ran.
    folder : path
    """
    folder = Path(folder)
    with whole_folder(folder) as unfinished:
        if facts["denoised"]:
            recording.save(
                folder=unfinished / "recording",
                n_jobs=1,
                chunk_duration="1s",
                progress_bar=False,
            )
            forget_provenance(unfinished)
        else:
            recording.dump_to_json(
                unfinished / "recording.json", relative_to=unfinished, include_properties=True
            )
        (unfinished / "condition.json").write_text(json.dumps(facts, indent=2) + "\n")


def load_condition(folder: Path | str) -> tuple[BaseRecording, dict]:
    """Read what `save_condition` kept: the recording and its facts."""
    folder = Path(folder)
    facts = json.loads((folder / "condition.json").read_text())
    if facts["denoised"]:
        return si.load(folder / "recording"), facts
    return si.load(folder / "recording.json", base_folder=folder.absolute()), facts
