"""Named random streams, and the balanced sequence behind image-level parameters.

Every draw has a name. The generator for a name depends on (dataset seed, image index, name) and nothing else, so a new
parameter never moves an old one, and any single part of a scene can be drawn again alone.
"""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["balanced", "stream"]

_DIGITS = 32  # indices below 2**32 are told apart; the remaining bits of a double are plain noise


def _words(text: str) -> list[int]:
    digest = hashlib.sha256(text.encode()).digest()
    return [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4)]


def stream(seed: int, index: int, name: str) -> np.random.Generator:
    """The generator for one named draw of one image; `seed` and `index` must not be negative."""
    return np.random.default_rng(np.random.SeedSequence([seed, index, *_words(name)]))


def balanced(seed: int, index: int, name: str) -> float:
    """Point `index` of a randomised (0, 1)-sequence in base 2 that belongs to (seed, name); lies in [0, 1).

    Every aligned block of 2^k consecutive indices puts exactly one point into each interval [m/2^k, (m+1)/2^k), which
    bounds the discrepancy of every prefix by O(log n / n). Digit j of the point is bit j−1 of the index, flipped by a
    fair coin that is tossed once for (block of 2^j indices, the digits before j). Owen's scrambling (Owen 1995,
    "Randomly permuted (t,m,s)-nets and (t,s)-sequences") tosses it once for (digits before j) only; tossing for every
    block anew keeps the balance and makes the sequences of two names independent, which sequences that share a base
    otherwise are not.
    """
    if not 0 <= index < 1 << _DIGITS:
        raise ValueError(f"image index must lie in 0 … {(1 << _DIGITS) - 1}, got {index}")
    prefix = 0
    for j in range(1, _DIGITS + 1):
        digit = (index >> (j - 1)) & 1
        coin = _coin(seed, name, j, index >> j, prefix)
        prefix = (prefix << 1) | (digit ^ (coin & 1))
    tail = _coin(seed, name, 0, index, prefix) >> 11 & ((1 << 20) - 1)
    return ((prefix << 20) | tail) / float(1 << (_DIGITS + 20))


def _coin(seed: int, name: str, level: int, block: int, prefix: int) -> int:
    """64 random bits that belong to these five values."""
    key = f"{seed}|{level}|{block}|{prefix}|{name}".encode()
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little")
