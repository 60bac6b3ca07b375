"""A condition: an ordered preprocessing pipeline that may hold one denoising step."""

import inspect
import json
from pathlib import Path

import spikeinterface as si
from spikeinterface.core import BaseRecording
from spikeinterface.preprocessing import apply_preprocessing_pipeline, scale_to_uV
from spikeinterface.preprocessing.pipeline import pp_names_to_functions

# Registers our `deepinterpolate` and its rivals as steps of SpikeInterface's pipelines.
import ephys_deepinterpolation.denoisers
import ephys_deepinterpolation.recording  # noqa: F401
from ephys_deepinterpolation.configuration import (
    DENOISING_STEP,
    ORACLE_STEP,
    keeps_traces,
    steps_before_denoising,
)
from ephys_deepinterpolation.files import check_sizes, forget_provenance, note_sizes, whole_folder
from ephys_deepinterpolation.model import Model
from ephys_deepinterpolation.offers import DENOISERS, take_offer

_SEED = {"seed": 0}


def apply_condition(
    recording: BaseRecording,
    pipeline: list[dict],
    model: Model | Path | str | None = None,
    parts: dict[str, BaseRecording] | None = None,
) -> BaseRecording:
    """Apply a condition's pipeline, lazily.

    Every condition starts from the recording in µV as 32-bit floats, so that none of them rounds
    more than another. Steps that estimate something from random chunks always take the same ones,
    unless the pipeline gives them a seed.

    Parameters
    ----------
    recording : BaseRecording
        With gains to µV.
    pipeline : list of dict
        Steps as SpikeInterface writes them, `{"name": ..., "params": ...}`.
    model : Model or path, optional
        For the step `deepinterpolate`, in place of the recipe's name that the pipeline gives.
    parts : dict of str to BaseRecording, optional
        For the step `oracle`: what the recording is the sum of, see `GroundTruth.parts`.
    """
    for step in pipeline:
        take_offer(DENOISERS, step["name"], pp_names_to_functions)
    given: dict[str, dict] = {DENOISING_STEP: {"model": model}, ORACLE_STEP: {"parts": parts or {}}}
    steps = [
        {
            "name": step["name"],
            "params": _seeded(step) | given.get(step["name"], {}),
        }
        for step in pipeline
    ]
    return apply_preprocessing_pipeline(scale_to_uV(recording), steps)


def _seeded(step: dict) -> dict:
    """Give the arguments of a step that reads random chunks, seed included."""
    arguments = step.get("params") or {}
    known = inspect.signature(pp_names_to_functions[step["name"]]).parameters
    if {"seed", "random_chunk_kwargs"} & set(known):
        return _SEED | arguments
    if "random_slice_kwargs" in known:
        return arguments | {
            "random_slice_kwargs": _SEED | (arguments.get("random_slice_kwargs") or {})
        }
    return arguments


def before_denoising(recording: BaseRecording, pipeline: list[dict]) -> BaseRecording:
    """Apply the steps before the denoising one: what its model learns on."""
    return apply_condition(recording, steps_before_denoising(pipeline))


def save_condition(recording: BaseRecording, facts: dict, folder: Path | str) -> None:
    """Keep a condition's output in a folder that appears whole or not at all.

    Where a network, another package's denoiser or another slow step ran, or JSON cannot hold the
    pipeline, the traces are written, streamed in chunks of a second; elsewhere the pipeline is kept
    as JSON, to be run again when read.

    Parameters
    ----------
    recording : BaseRecording
        From `apply_condition`.
    facts : dict
        Written as `condition.json`; `denoised` says whether a network ran, `pipeline` the steps.
    folder : path
    """
    folder = Path(folder)
    with whole_folder(folder) as unfinished:
        if _has_to_be_written(recording, facts):
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
        note_sizes(unfinished)


def _has_to_be_written(recording: BaseRecording, facts: dict) -> bool:
    slow = facts["denoised"] or keeps_traces(facts.get("pipeline", []))
    return slow or not recording.check_serializability("json")


def load_condition(folder: Path | str) -> tuple[BaseRecording, dict]:
    """Read what `save_condition` kept: the recording and its facts."""
    folder = Path(folder)
    check_sizes(folder)
    facts = json.loads((folder / "condition.json").read_text())
    if (folder / "recording").exists():
        return si.load(folder / "recording"), facts
    return si.load(folder / "recording.json", base_folder=folder.absolute()), facts
