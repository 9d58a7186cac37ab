"""Lines on a patch: where a texel lies in a stroke that has a width of its own at every point."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["curve", "jagged", "strokes"]

Floats = npt.NDArray[np.float64]


def strokes(x: Floats, y: Floats, lines: list[tuple[Floats, Floats]]) -> Floats:
    """(h, w) how deep texels lie in the nearest of the lines: 1 on its middle, 0 on its edge, −1 outside all.

    `x`, `y` are a patch's `grid`; a line is (n, 2) points and (n,) half widths, in the grid's unit.
    """
    out = np.full(x.shape, -1.0)
    columns, rows = x[0], y[:, 0]
    for points, halves in lines:
        for k in range(len(points) - 1):
            _segment(out, columns, rows, points[k : k + 2], halves[k : k + 2])
    return out


def _segment(out: Floats, columns: Floats, rows: Floats, ends: Floats, halves: Floats) -> None:
    """Enter one segment, in the window of texels that it can reach."""
    reach = float(halves.max())
    if reach <= 0:
        return
    low, high = ends.min(axis=0) - 2 * reach, ends.max(axis=0) + 2 * reach
    i0, i1 = np.searchsorted(columns, [low[0], high[0]])
    j0, j1 = np.searchsorted(rows, [low[1], high[1]])
    if i0 == i1 or j0 == j1:
        return
    px, py = columns[None, i0:i1] - ends[0, 0], rows[j0:j1, None] - ends[0, 1]
    along = ends[1] - ends[0]
    t = np.clip((px * along[0] + py * along[1]) / max(float(along @ along), 1e-12), 0, 1)
    half = np.maximum(halves[0] + t * (halves[1] - halves[0]), 1e-9)
    inside = 1 - np.hypot(px - t * along[0], py - t * along[1]) / half
    window = out[j0:j1, i0:i1]
    np.maximum(window, np.maximum(inside, -1), out=window)


def curve(rng: np.random.Generator, length: float, bend: float, points: int = 48) -> Floats:
    """(n, 2) a gently curved line of that length, centred: an arc and a slower S, up to `bend` lengths aside."""
    t = np.linspace(-0.5, 0.5, points)
    arc, wave = rng.uniform(-1, 1, 2)
    y = bend * (arc * (1 - 4 * t * t) + 0.5 * wave * np.sin(2 * np.pi * t))
    return np.column_stack([t, y - y.mean()]) * length


def jagged(rng: np.random.Generator, start: Floats, end: Floats, rough: float = 0.16, levels: int = 6) -> Floats:
    """(2^levels + 1, 2) a broken line between two points, by midpoint displacement: cracks run from grain to grain."""
    line = np.array([start, end])
    for _ in range(levels):
        step = np.diff(line, axis=0)
        aside = np.column_stack([-step[:, 1], step[:, 0]])
        middle = line[:-1] + step / 2 + aside * (rough * rng.uniform(-1, 1, len(step)))[:, None]
        out = np.empty((2 * len(line) - 1, 2))
        out[::2], out[1::2] = line, middle
        line = out
    return line
