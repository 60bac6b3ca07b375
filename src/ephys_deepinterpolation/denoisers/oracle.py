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
    """Put a recording together anew from shares of its parts.

    Spikes are kept whole, and by default a tenth of everything else: sorters measure the noise, and
    fail where there is none.

    Parameters
    ----------
    recording : BaseRecording
        As generated: nothing may have been done to it.
    parts : dict of str to BaseRecording
        Everything it is the sum of, in µV, see `GroundTruth.parts`.
    noise_share : float, default: 0.1
        Of every part but the spikes of `units` and `background`.
    shares : dict of str to float, optional
        Of single parts, by name.

    Returns
    -------
    BaseRecording
        Lazy, µV, float32. With all shares 1 the recording, but for its rounding to integers.

    Raises
    ------
    ValueError
        The parts are not known, or there is none of a name that has a share.
    """
    from ephys_deepinterpolation.ground_truth.noise import SumRecording

    shares = shares or {}
    if not parts:
        raise ValueError("the parts of this recording are not known: it has no oracle")
    if unknown := sorted(set(shares) - set(parts)):
        raise ValueError(f"there is no part {unknown[0]} among {', '.join(parts)}")
    defaults = {name: 1.0 if name in SPIKES else noise_share for name in parts}
    summed = SumRecording(
        [
            scale(part, gain=float(share), dtype="float32")
            for name, part in parts.items()
            if (share := shares.get(name, defaults[name])) != 0 or name == next(iter(parts))
        ]
    )
    scale_to_uV(recording).copy_metadata(summed)
    return summed
