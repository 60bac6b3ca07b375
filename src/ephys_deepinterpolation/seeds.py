"""Random seeds, each derived from the study's seed and the names of what it is for."""

import hashlib


def derive_seed(seed: int, *names: str | int) -> int:
    """Derive a seed below 2**31 that depends on every name and on their order."""
    text = "\x1f".join(str(name) for name in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little") >> 1
