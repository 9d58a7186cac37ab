"""Where an outline of a render has gone in a refined image: evidence along each normal, and votes of many normals.

Two witnesses speak for each normal. The *edge* witness slides the render's gradient profile along that of the refined
image; the *step* witness splits the refined colours into an inside and an outside of constant colour. Both are blind to
gain and to hue. Each says how much better a displacement explains what is seen than none does, less what it would say
of the render itself, so that a second edge beside the outline counts for nothing. Along one normal this is noise; the
mean over the normals of an outline, each read at the displacement that a common motion gives it, is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from .gate_outlines import STEP_PX, Outlines, arc_mean, offsets, profiles, segmented

__all__ = [
    "LAGS",
    "MOVES",
    "SCALES",
    "Groups",
    "Traces",
    "Vote",
    "evidence",
    "group_mean",
    "groups",
    "iou",
    "least_evidence",
    "motions",
    "reference_evidence",
    "traces",
]

Floats = npt.NDArray[np.float32]

#: A displacement is looked for up to so far, and an edge is what lies within so much of an outline.
_LAG_PX, _EDGE_PX = 9.0, 2.0
#: What lies within so much of the outline is split into inside and outside.
_SPLIT_PX = 7.0
#: Profiles are means over so many points to both sides along the outline: texture goes, the outline stays.
_ALONG = 4
#: Noise below which neither a gradient (Lab units a pixel) nor a variance (Lab units²) means anything.
_GRADIENT_FLOOR, _VARIANCE_FLOOR = 0.5, 0.5
#: Neighbouring points see the same pixels: so many of them count as one.
_POINTS_PER_WITNESS = 6.0
#: Weight of the step witness against the edge witness.
_STEP_SHARE = 0.25

#: Displacements along a normal, outwards, in pixels; (l,).
LAGS: Floats = np.arange(-_LAG_PX, _LAG_PX + STEP_PX / 2, STEP_PX, dtype=np.float32)
_ZERO = len(LAGS) // 2


def _moves() -> Floats:
    """Displacements that are tried: every half pixel within 3, every pixel within 9; (m, 2)."""
    x, y = np.meshgrid(np.arange(-9, 9.5, 0.5), np.arange(-9, 9.5, 0.5))
    far = np.hypot(x, y)
    chosen = (far <= 3) | ((x % 1 == 0) & (y % 1 == 0) & (far <= 9))
    return np.asarray(np.stack([x[chosen], y[chosen]], axis=1), np.float32)


#: Displacements of an outline, see `_moves`; (m, 2). Factors about its centre; (s,).
MOVES = _moves()
SCALES: Floats = np.arange(0.7, 1.31, 0.02, dtype=np.float32)


@dataclass(frozen=True)
class Traces:
    """What an image shows along the normals: Lab colours (p, t, 3) and gradient magnitudes (p, t) per pixel."""

    colour: Floats
    gradient: Floats

    def strength(self) -> Floats:
        """The strongest gradient within 1.5 px of the outline; (p,)."""
        return np.asarray(self.gradient[:, np.abs(offsets()) <= 1.5].max(axis=1, initial=0))


def traces(lab_image: Floats, shape: Outlines) -> Traces:
    """Profiles of an (h, w, 3) Lab image, averaged a little along the outlines."""
    colour = arc_mean(profiles(lab_image, shape), shape, _ALONG)
    slope = np.gradient(colour, STEP_PX, axis=1)
    return Traces(colour, np.sqrt((slope**2).sum(axis=2)))


def _edge_fit(render: Floats, refined: Floats) -> Floats:
    """How like the render's edge the refined gradient is at each lag, 0 to 1; (p, l)."""
    centre, half, reach = render.shape[1] // 2, int(_EDGE_PX / STEP_PX), int(_LAG_PX / STEP_PX)
    edge = render[:, centre - half : centre + half + 1]
    windows = sliding_window_view(refined[:, centre - half - reach : centre + half + reach + 1], 2 * half + 1, axis=1)
    product = np.einsum("pw,plw->pl", edge, windows)
    norm = np.sqrt(np.einsum("plw,plw->pl", windows, windows))
    floor = _GRADIENT_FLOOR * np.sqrt(2 * half + 1) + 0.3 * norm.max(axis=1, keepdims=True, initial=0)
    return np.asarray(product / (np.linalg.norm(edge, axis=1)[:, None] * np.hypot(norm, floor) + 1e-6), np.float32)


def _step_fit(colour: Floats) -> Floats:
    """Share of the colours' variance that a step at each lag explains; (p, l)."""
    centre, reach = colour.shape[1] // 2, int(_SPLIT_PX / STEP_PX)
    near = colour[:, centre - reach : centre + reach + 1].astype(np.float64)
    near -= near.mean(axis=1, keepdims=True)
    total = (near**2).sum(axis=(1, 2))[:, None]
    lags = np.clip(np.rint(LAGS / STEP_PX).astype(np.intp), 2 - reach, reach - 2) + reach
    sums = np.cumsum(near, axis=1)
    # The sample at the step itself belongs to both sides by half.
    left = sums[:, lags - 1] + 0.5 * near[:, lags]
    n_left = lags + 0.5
    between = (left**2).sum(axis=2) * (1 / n_left + 1 / (near.shape[1] - n_left))
    return np.asarray(between / (total + _VARIANCE_FLOOR * near.shape[1]), np.float32)


def _over_zero(fit: Floats) -> Floats:
    return fit - fit[:, _ZERO : _ZERO + 1]


def reference_evidence(render: Traces) -> tuple[Floats, Floats]:
    """What both witnesses say of the render against itself, where that is above zero; each (p, l)."""
    edge, step = _edge_fit(render.gradient, render.gradient), _step_fit(render.colour)
    return np.maximum(_over_zero(edge), 0), np.maximum(_over_zero(step), 0)


def evidence(render: Traces, own: tuple[Floats, Floats], refined: Traces) -> tuple[Floats, Floats]:
    """Evidence for each displacement against none, (p, l), and the edge witness at none, 0 to 1, (p,)."""
    edge = _edge_fit(render.gradient, refined.gradient)
    both = _over_zero(edge) - own[0] + _STEP_SHARE * (_over_zero(_step_fit(refined.colour)) - own[1])
    return both, edge[:, _ZERO]


@dataclass(frozen=True)
class Groups:
    """Sets of points that may have moved together: whole instances first, in order, then stretches of long outlines.

    `points` indexes outline points; group g holds those from `starts[g]` to `starts[g + 1]`. `owner` (g,) is the place
    of the instance; `across` (n,) is, for each of `points`, how far along its normal it lies from its group's centre.
    """

    points: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]
    owner: npt.NDArray[np.intp]
    across: Floats

    def stretches(self, instance: int) -> npt.NDArray[np.intp]:
        """The groups that are stretches of an instance."""
        mine = np.flatnonzero(self.owner == instance)
        return np.asarray(mine[mine != instance])


#: Stretches of an outline have so many points and overlap by half.
_STRETCH = 64


def groups(shape: Outlines) -> Groups:
    """Each instance as a whole, and each contour that is longer than one and a half stretches in stretches."""
    sets: list[npt.NDArray[np.intp]] = []
    owner: list[int] = []
    for k in range(len(shape.ids)):
        sets.append(np.flatnonzero(shape.owner == k))
        owner.append(k)
    for a, b in zip(shape.starts[:-1], shape.starts[1:], strict=True):
        if b - a > 1.5 * _STRETCH:
            count = int(np.ceil((b - a) / (_STRETCH / 2)))
            for first in np.linspace(a, b, count, endpoint=False).astype(np.intp):
                sets.append(a + (np.arange(first, first + _STRETCH) - a) % (b - a))
                owner.append(int(shape.owner[a]))
    across = [((shape.xy[s] - shape.xy[s].mean(axis=0)) * shape.normal[s]).sum(axis=1) if len(s) else s for s in sets]
    return Groups(
        np.concatenate(sets) if sets else np.zeros(0, np.intp),
        np.cumsum([0, *map(len, sets)]).astype(np.intp),
        np.array(owner, np.intp),
        np.concatenate(across).astype(np.float32) if across else np.zeros(0, np.float32),
    )


@dataclass(frozen=True)
class Vote:
    """The best of some motions for each group: its place in the list, mean evidence, and that over its error; all (g,).

    `moved_px`: how far it moves the group's points along their normals, root mean square; `weight`: of all its points.
    """

    best: npt.NDArray[np.intp]
    mean: Floats
    sigmas: Floats
    moved_px: Floats
    weight: Floats


def _vote(proof: Floats, weight: Floats, among: Groups, lags: Floats) -> Vote:
    """Each group's motion of most evidence; `lags` (n, m) is what the m motions do to each of the groups' points."""
    w = weight[among.points][:, None]
    place = np.clip(np.rint(lags / STEP_PX).astype(np.intp) + _ZERO, 0, len(LAGS) - 1)
    seen = np.take_along_axis(proof[among.points], place, axis=1)
    total = _sums(w, among) + 1e-6
    mean = _sums(w * seen, among) / total
    spread = np.maximum(_sums(w * seen**2, among) / total - mean**2, 0)
    witnesses = np.maximum(total**2 / (_sums(w**2, among) + 1e-6) / _POINTS_PER_WITNESS, 1)
    sigmas = mean / np.sqrt(spread / witnesses + 1e-3)
    moved = np.sqrt(_sums(w * lags**2, among) / total)
    best = mean.argmax(axis=1)
    pick = (np.arange(len(best)), best)
    return Vote(best, mean[pick], sigmas[pick], moved[pick], total[:, 0])


def motions(proof: Floats, weight: Floats, among: Groups, normal: Floats) -> tuple[Vote, Vote, Vote, Floats]:
    """Votes on MOVES, on growing by LAGS and on SCALES, and the best move (g, 2) to a fraction of a pixel."""
    out = normal[among.points]
    shift = _vote(proof, weight, among, out @ MOVES.T)
    dilation = _vote(proof, weight, among, np.broadcast_to(LAGS, (len(out), len(LAGS))))
    scale = _vote(proof, weight, among, among.across[:, None] * (SCALES - 1))
    return shift, dilation, scale, _peak(proof, weight, among, out, MOVES[shift.best])


def least_evidence(trials: list[Floats], weight: Floats, among: Groups, normal: Floats, least_px: float) -> Floats:
    """Each group's least evidence for a displacement so far, over evidences of several trials; (g,)."""
    lags: Floats = normal[among.points] @ MOVES.T
    found = [_vote(trial, weight, among, lags) for trial in trials]
    far = [np.hypot(*MOVES[one.best].T) >= least_px for one in found]
    return np.asarray(np.min([np.where(f, one.sigmas, 0) for f, one in zip(far, found, strict=True)], axis=0))


#: Around the best displacement, a paraboloid is laid through these: values = _FIT⁺ · (1, x, y, x², xy, y²).
_AROUND: Floats = np.array([(x, y) for y in (-1, -0.5, 0, 0.5, 1) for x in (-1, -0.5, 0, 0.5, 1)], np.float32)
_FIT: Floats = np.linalg.pinv(
    np.stack([np.ones(25), *_AROUND.T, _AROUND[:, 0] ** 2, _AROUND.prod(axis=1), _AROUND[:, 1] ** 2], axis=1)
).astype(np.float32)


def _peak(proof: Floats, weight: Floats, among: Groups, normal: Floats, start: Floats) -> Floats:
    """Each group's displacement to a fraction of a pixel, near one (g, 2) from a vote; `normal` (n, 2) is per point."""
    group = np.repeat(np.arange(len(start)), np.diff(among.starts))
    lags = (normal * start[group]).sum(axis=1, keepdims=True) + normal @ _AROUND.T
    left = np.clip(lags / STEP_PX + _ZERO, 0, len(LAGS) - 1.001)
    low = left.astype(np.intp)
    seen = proof[among.points]
    mixed = np.take_along_axis(seen, low, axis=1) * (low + 1 - left) + np.take_along_axis(seen, low + 1, axis=1) * (
        left - low
    )
    w = weight[among.points][:, None]
    _, bx, by, bxx, bxy, byy = (_sums(w * mixed, among) / (_sums(w, among) + 1e-6) @ _FIT.T).T
    curved = 4 * bxx * byy - bxy**2
    found = (
        np.stack([bxy * by - 2 * byy * bx, bxy * bx - 2 * bxx * by], axis=1)
        / np.where(curved > 1e-9, curved, 1)[:, None]
    )
    sound = (curved > 1e-9) & (bxx < 0)
    return np.asarray(start + np.clip(np.where(sound[:, None], found, 0), -1, 1), np.float32)


def _sums(values: Floats, among: Groups) -> Floats:
    """Sums of (n, m) values over each group; (g, m)."""
    count = len(among.starts) - 1
    if not len(values):
        return np.zeros((count, values.shape[1]), np.float32)
    padded = np.concatenate([values, np.zeros_like(values[:1])])
    sums = np.add.reduceat(padded, among.starts[:-1], axis=0, dtype=np.float32)
    sums[np.diff(among.starts) == 0] = 0
    return np.asarray(sums)


def group_mean(values: Floats, weight: Floats, among: Groups) -> Floats:
    """Weighted means of (p, c) values of points over each group, 0 where nothing weighs; (g, c)."""
    w = weight[among.points][:, None]
    return _sums(w * values[among.points], among) / (_sums(w, among) + 1e-6)


def iou(colour: Floats, weight: Floats, among: Groups) -> Floats:
    """IoU of mask and re-segmented band for each group, from colour profiles (p, t, 3); see `segmented`; (g,)."""
    both, either = group_mean(segmented(colour), weight, among).T
    return np.asarray(both / np.maximum(either, 1e-6))
