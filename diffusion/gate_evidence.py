"""What an image shows along the normals of outlines, and how far it says that an edge has gone along each of them.

Two witnesses speak for each normal. The *edge* witness slides the render's gradient profile along that of the refined
image; the *step* witness splits the refined colours into an inside and an outside of constant colour. Both are blind to
gain and to hue. Each says how much better a displacement explains what is seen than none does, less what it would say
of the render itself, so that a second edge beside the outline counts for nothing. Along one normal this is noise; what
many normals say together is not (`gate_votes`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from .gate_outlines import REACH_PX, STEP_PX, Outlines, arc_mean, profiles

__all__ = ["LAGS", "ZERO", "Known", "Traces", "evidence", "known", "traces"]

Floats = npt.NDArray[np.float32]

#: A displacement is looked for up to so far, and an edge is what lies within so much of an outline.
_LAG_PX, _EDGE_PX = 9.0, 2.0
#: What lies within so much of the outline is split into inside and outside.
_SPLIT_PX = 7.0
#: Profiles are means over so many points to both sides along the outline: texture goes, the outline stays.
_ALONG = 4
#: Noise below which neither a gradient (Lab units a pixel) nor a variance (Lab units²) means anything.
_GRADIENT_FLOOR, _VARIANCE_FLOOR = 0.5, 0.5
#: Weight of the step witness against the edge witness.
_STEP_SHARE = 0.25

#: Displacements along a normal, outwards, in pixels; (l,). The place of none among them.
LAGS: Floats = np.arange(-_LAG_PX, _LAG_PX + STEP_PX / 2, STEP_PX, dtype=np.float32)
ZERO = len(LAGS) // 2


def _within(pixels: float) -> slice:
    """The samples of a profile that lie so near to the outline."""
    centre, half = round(REACH_PX / STEP_PX), round(pixels / STEP_PX)
    return slice(centre - half, centre + half + 1)


@dataclass(frozen=True)
class Traces:
    """What an image shows along the normals: Lab colours (3, t, p) and gradient magnitudes (t, p) per pixel."""

    colour: Floats
    gradient: Floats

    def strength(self) -> Floats:
        """The strongest gradient within 1.5 px of the outline; (p,)."""
        return np.asarray(self.gradient[_within(1.5)].max(axis=0))


def traces(lab_image: Floats, shape: Outlines) -> Traces:
    """Profiles of an (h, w, 3) Lab image, averaged a little along the outlines."""
    colour = arc_mean(profiles(lab_image, shape), shape, _ALONG)
    slope = np.gradient(colour, STEP_PX, axis=1)
    return Traces(colour, np.sqrt((slope**2).sum(axis=0)))


def _edge_fit(edge: Floats, refined: Floats) -> Floats:
    """How like the render's edge (w, p) the refined gradient (t, p) is at each lag, 0 to 1; (l, p)."""
    near = refined[_within(_EDGE_PX + _LAG_PX)]
    squares, width, count = near**2, len(edge), len(LAGS)
    product = sum(edge[k] * near[k : k + count] for k in range(width))
    norm = np.sqrt(sum(squares[k : k + count] for k in range(width)))
    floor = _GRADIENT_FLOOR * np.sqrt(width) + 0.3 * norm.max(axis=0)
    length = np.linalg.norm(edge, axis=0)
    return np.asarray(product / (length * np.sqrt(norm**2 + floor**2) + 1e-6), np.float32)


def _step_fit(colour: Floats) -> Floats:
    """Share of the colours' variance that a step at each lag explains; (l, p)."""
    near = colour[:, _within(_SPLIT_PX)].swapaxes(0, 1)
    near = near - near.mean(axis=0)
    total = (near**2).sum(axis=(0, 1))
    sums = np.stack([*accumulate(near)])
    # A step has two samples or more to either side; the sample at the step itself belongs to both sides by half.
    left = sums[1:-3] + 0.5 * near[2:-2]
    n, n_left = len(near), np.arange(2, len(near) - 2, dtype=np.float32)[:, None] + 0.5
    between = (left**2).sum(axis=1) * (1 / n_left + 1 / (n - n_left))
    beyond = (len(LAGS) - len(n_left)) // 2
    return np.asarray(np.pad(between / (total + _VARIANCE_FLOOR * n), [(beyond, beyond), (0, 0)], mode="edge"))


def _over_none(fit: Floats) -> Floats:
    return np.asarray(fit - fit[ZERO])


@dataclass(frozen=True)
class Known:
    """What a render shows along the normals: gradients near the outline (w, p), and the strongest of them (p,).

    `own` (l, p) is what both witnesses say of the render against itself, where that is above zero.
    """

    edge: Floats
    strength: Floats
    own: Floats


def known(render: Traces) -> Known:
    """What there is to know of a render's traces."""
    edge = render.gradient[_within(_EDGE_PX)].copy()
    fits = _edge_fit(edge, render.gradient), _step_fit(render.colour)
    own = [np.maximum(_over_none(fit), 0) for fit in fits]
    return Known(edge, render.strength(), own[0] + _STEP_SHARE * own[1])


def evidence(render: Known, refined: Traces) -> tuple[Floats, Floats]:
    """Evidence for each displacement against none, (p, l), and the edge witness at none, 0 to 1, (p,)."""
    edge, step = _edge_fit(render.edge, refined.gradient), _step_fit(refined.colour)
    return np.ascontiguousarray((_over_none(edge + _STEP_SHARE * step) - render.own).T), edge[ZERO]
