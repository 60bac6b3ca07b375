"""How much of each known part of a recording a condition passes."""

import numpy as np
import pandas as pd
import spikeinterface as si

from ephys_deepinterpolation.conditions import apply_condition
from ephys_deepinterpolation.ground_truth import GroundTruth

_SAMPLE_CHUNKS = 10


def parts_passed(
    truth: GroundTruth, condition: si.BaseRecording, reference: list[dict], seed: int
) -> pd.DataFrame:
    """How much of each known part of a recording is left in a condition's output.

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
    length = min(condition.get_num_frames(0), int(condition.get_sampling_frequency()))
    starts = np.random.default_rng(seed).integers(
        condition.get_num_frames(0) - length + 1, size=_SAMPLE_CHUNKS
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
