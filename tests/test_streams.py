"""Named streams and the balanced sequence."""

from __future__ import annotations

import numpy as np
import pytest

from scenewright.scenes.streams import balanced, stream


def points(n: int, name: str = "camera.distance", seed: int = 3) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([balanced(seed, i, name) for i in range(n)])


def discrepancy(x: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """Star discrepancy in one dimension, exact (Niederreiter 1992, theorem 2.6)."""
    n, s = len(x), np.sort(x)
    return float(max((np.arange(1, n + 1) / n - s).max(), (s - np.arange(n) / n).max()))


@pytest.mark.parametrize("k", range(1, 9))
def test_every_aligned_block_fills_every_interval_once(k: int) -> None:
    """Each block of 2^k images has one value in each of 2^k equal intervals."""
    size = 1 << k
    cells = (points(512) * size).astype(int).reshape(-1, size)
    assert all(sorted(block) == list(range(size)) for block in cells)


def test_every_prefix_is_balanced() -> None:
    """The discrepancy of every prefix stays below (log2 n + 2) / (2 n), far below that of independent draws."""
    x = points(600)
    for n in range(1, 601):
        assert discrepancy(x[:n]) <= (np.log2(n) / 2 + 1.0) / n + 1e-12


def test_two_names_are_independent() -> None:
    """Sequences of two names fill the cells of a grid as independent draws do, though both are base-2 sequences."""
    x, y = points(4096, "a"), points(4096, "b")
    counts = np.histogram2d(x, y, bins=8, range=[[0, 1], [0, 1]])[0]
    chi2 = float(((counts - 64) ** 2 / 64).sum())
    assert chi2 < 93.2  # 99 % quantile of chi² with 64 degrees; the even margins only make it smaller


def test_a_stream_depends_on_its_three_names_only() -> None:
    """The same seed, index and name give the same numbers; a change of any gives others."""
    first = stream(1, 2, "x").random(4)
    assert (stream(1, 2, "x").random(4) == first).all()
    for other in (stream(2, 2, "x"), stream(1, 3, "x"), stream(1, 2, "y"), stream(2, 1, "x")):
        assert not np.isclose(other.random(4), first).any()


def test_values_are_in_the_half_open_unit_interval() -> None:
    """A quantile of 1 would index past the end of a choice."""
    x = points(1000, "z")
    assert x.min() >= 0 and x.max() < 1


def test_an_index_beyond_the_sequence_is_an_error() -> None:
    """A wrapped index would silently repeat images."""
    with pytest.raises(ValueError, match="image index"):
        balanced(0, 1 << 32, "x")
