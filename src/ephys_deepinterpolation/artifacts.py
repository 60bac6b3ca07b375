"""What a condition did to the traces, apart from any sorter."""

import numpy as np
import pandas as pd
import spikeinterface as si

from ephys_deepinterpolation.conditions import apply_condition
from ephys_deepinterpolation.ground_truth import GroundTruth

_SAMPLE_CHUNKS = 10
_EXCERPT_CHANNELS = 96


def contacts(recording: si.BaseRecording) -> pd.DataFrame:
    """Where each channel lies: channel, depth_um, x_um, shank."""
    positions = recording.get_channel_locations()
    shanks = recording.get_probe().shank_ids
    return pd.DataFrame(
        {
            "channel": recording.channel_ids.astype(str),
            "depth_um": positions[:, 1],
            "x_um": positions[:, 0],
            "shank": "0" if shanks is None else np.asarray(shanks, dtype=str),
        }
    )


def noise_levels(condition: si.BaseRecording, seed: int) -> pd.DataFrame:
    """Noise of each channel: median absolute deviation over 0.6745, in µV, from random excerpts."""
    frames = min(condition.get_num_frames() // 2, int(condition.get_sampling_frequency()))
    levels = si.get_noise_levels(
        condition,
        return_in_uV=True,
        method="mad",
        force_recompute=True,
        random_slices_kwargs={
            "num_chunks_per_segment": _SAMPLE_CHUNKS,
            "chunk_size": frames,
            "seed": seed,
        },
    )
    return contacts(condition).assign(noise_uv=levels)


def parts_passed(
    truth: GroundTruth, condition: si.BaseRecording, reference: list[dict], seed: int
) -> pd.DataFrame:
    """How much of each part of a synthetic recording is left in a condition's output.

    The output is regressed on all parts at once, each as the reference pipeline shows it, over
    all channels of random excerpts of a second. A coefficient of 1 means kept, 0 removed.

    Parameters
    ----------
    truth : GroundTruth
        With its parts.
    condition : BaseRecording
        The condition's output, µV.
    reference : list of dict
        Pipeline of the reference condition; linear.
    seed : int

    Returns
    -------
    pandas.DataFrame
        Columns part, level_uv, passed; no rows when the parts are not known.
    """
    parts = {name: apply_condition(part, reference) for name, part in truth.parts().items()}
    if not parts:
        return pd.DataFrame({"part": [], "level_uv": [], "passed": []})
    length = min(condition.get_num_frames(), int(condition.get_sampling_frequency()))
    starts = np.random.default_rng(seed).integers(
        condition.get_num_frames() - length + 1, size=_SAMPLE_CHUNKS
    )
    gram = np.zeros((len(parts), len(parts)))
    moment = np.zeros(len(parts))
    samples = 0
    for start in starts:
        columns = [part.get_traces(0, start, start + length).ravel() for part in parts.values()]
        regressors = np.stack(columns, axis=1).astype(float)
        output = condition.get_traces(0, start, start + length).ravel().astype(float)
        gram += regressors.T @ regressors
        moment += regressors.T @ output
        samples += len(output)
    # Of a part that is nowhere in the excerpts, nobody can say how much was passed.
    present = np.diag(gram) > 0
    passed = np.full(len(parts), np.nan)
    passed[present] = np.linalg.solve(gram[np.ix_(present, present)], moment[present])
    return pd.DataFrame(
        {
            "part": list(parts),
            "level_uv": np.sqrt(np.diag(gram) / samples),
            "passed": passed,
        }
    )


def excerpt(condition: si.BaseRecording, duration_ms: float = 20.0) -> pd.DataFrame:
    """Cut a short excerpt from the middle of a recording, one row per frame and channel.

    At most 96 neighbouring channels of the first shank, so that the table stays small.

    Returns
    -------
    pandas.DataFrame
        channel, depth_um, x_um, shank, time_ms (from the excerpt's start), trace_uv.
    """
    frequency = condition.get_sampling_frequency()
    frames = min(condition.get_num_frames(), round(duration_ms * frequency / 1000.0))
    start = (condition.get_num_frames() - frames) // 2
    table = contacts(condition)
    along = table[table["shank"] == table["shank"].iloc[0]].sort_values(["depth_um", "x_um"])
    first = max(0, (len(along) - _EXCERPT_CHANNELS) // 2)
    chosen = along.iloc[first : first + _EXCERPT_CHANNELS]
    traces = condition.get_traces(0, start, start + frames, return_in_uV=True)[:, chosen.index]
    repeated = chosen.loc[chosen.index.repeat(frames)].reset_index(drop=True)
    return repeated.assign(
        time_ms=np.tile(np.arange(frames) * 1000.0 / frequency, len(chosen)),
        trace_uv=traces.T.ravel().astype(np.float32),
    )
