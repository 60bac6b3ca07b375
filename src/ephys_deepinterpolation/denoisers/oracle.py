"""The ceiling: what a denoiser would give that knew every part of a recording."""

from spikeinterface.core import BaseRecording
from spikeinterface.preprocessing import scale, scale_to_uV

SPIKES = ("units", "background")


def oracle(
    recording: BaseRecording,
    parts: dict[str, BaseRecording],
    noise_share: float = 0.1,
    shares: dict[str, float] | None = None,
) -> BaseRecording:
    """Take all but a share of the noise out of a recording.

    Spikes stay whole, and by default a tenth of all other parts: sorters measure the noise, and
    fail where there is none. What is not among the parts, such as rounding, stays.

    Parameters
    ----------
    recording : BaseRecording
        To which nothing has been done but scaling: it has to be the sum of its parts.
    parts : dict of str to BaseRecording
        In µV, see `GroundTruth.parts`.
    noise_share : float, default: 0.1
        What is left of every part but the spikes of `units` and `background`.
    shares : dict of str to float, optional
        What is left of single parts, by name.

    Returns
    -------
    BaseRecording
        Lazy, µV, float32. With all shares 1 it is the recording.

    Raises
    ------
    ValueError
        The parts of the noise are not known, or there is none of a name that has a share.
    """
    # Its package imports all kinds of ground truth, which only an oracle needs.
    from ephys_deepinterpolation.ground_truth.noise import SumRecording

    shares = shares or {}
    if not set(parts) - set(SPIKES):
        raise ValueError("the parts of this recording's noise are not known: it has no oracle")
    if unknown := sorted(set(shares) - set(parts)):
        raise ValueError(f"there is no part {unknown[0]} among {', '.join(parts)}")
    left = {name: 1.0 if name in SPIKES else noise_share for name in parts} | shares
    removed = [
        scale(part, gain=left[name] - 1.0, dtype="float32")
        for name, part in parts.items()
        if left[name] != 1
    ]
    return SumRecording([scale_to_uV(recording), *removed])
