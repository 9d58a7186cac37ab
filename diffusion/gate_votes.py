"""Where whole outlines and stretches of them have gone: votes of many normals on motions that they have in common.

The evidence along one normal is noise. Its mean over the normals of an outline, each read at the displacement that a
common motion gives it, is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from .gate_evidence import LAGS, ZERO
from .gate_outlines import STEP_PX, Outlines, segmented

__all__ = ["MOVES", "SCALES", "Groups", "Vote", "group_mean", "groups", "iou", "least_evidence", "motions"]

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]

#: Neighbouring points see the same pixels: so many of them count as one.
_POINTS_PER_WITNESS = 6.0
#: Stretches of an outline have so many points and overlap by half.
_STRETCH = 64


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
class Groups:
    """Sets of points that may have moved together: whole instances first, in order, then stretches of long outlines.

    Group g is two runs of points, from `runs[g, k, 0]` to `runs[g, k, 1]`; the second one is empty but where a stretch
    goes on at the start of its contour. `owner` (g,) is the place of the instance; `across` (p,) is how far along its
    normal each point lies from its instance's centre.
    """

    runs: Places
    owner: Places
    across: Floats

    def stretches(self, instance: int) -> Places:
        """The groups that are stretches of an instance."""
        mine = np.flatnonzero(self.owner == instance)
        return np.asarray(mine[mine != instance])

    def members(self) -> tuple[Places, Places]:
        """Each group and each of its points, (n,) and (n,)."""
        runs = self.runs.reshape(-1, 2)
        points = [np.arange(a, b) for a, b in runs]
        group = np.repeat(np.arange(len(runs)) // 2, np.diff(runs).ravel())
        return group, np.concatenate([np.zeros(0, np.intp), *points])

    def whole(self) -> Groups:
        """The instances alone."""
        count = int(self.owner.max(initial=-1)) + 1
        return Groups(self.runs[:count], self.owner[:count], self.across)


def groups(shape: Outlines) -> Groups:
    """Each instance as a whole, and each contour that is longer than one and a half stretches in stretches."""
    owner = list(range(len(shape.ids)))
    bounds = np.searchsorted(shape.owner, [*owner, len(owner)])
    runs = [((a, b), (b, b)) for a, b in pairwise(bounds)]
    across = [
        ((shape.xy[a:b] - shape.xy[a:b].mean(axis=0)) * shape.normal[a:b]).sum(axis=1) for (a, b), _ in runs if a < b
    ]
    for a, b in pairwise(shape.starts):
        if b - a > 1.5 * _STRETCH:
            count = int(np.ceil((b - a) / (_STRETCH / 2)))
            for first in np.linspace(a, b, count, endpoint=False).astype(np.intp):
                end = min(first + _STRETCH, b)
                rest = first + _STRETCH - end
                runs.append(((first, end), (a, a + rest) if rest else (end, end)))
                owner.append(int(shape.owner[a]))
    return Groups(
        np.array(runs, np.intp).reshape(-1, 2, 2),
        np.array(owner, np.intp),
        np.concatenate([np.zeros(0, np.float32), *across]).astype(np.float32),
    )


def _sums(values: Floats, runs: Places) -> Floats:
    """Sums of (p, m) values over groups with runs (g, 2, 2); (g, m)."""
    padded = np.concatenate([values, np.zeros_like(values, shape=(1, values.shape[1]))])
    # Every other sum is that of what lies between two runs, and an empty run counts its first point.
    sums = np.add.reduceat(padded, runs.ravel(), axis=0)[::2].reshape(*runs.shape[:2], values.shape[1])
    sums[runs[..., 0] == runs[..., 1]] = 0
    return np.asarray(sums.sum(axis=1))


def group_mean(values: Floats, weight: Floats, among: Groups) -> Floats:
    """Weighted means of (p, c) values of points over each group, 0 where nothing weighs; (g, c)."""
    w = weight[:, None]
    return np.asarray(_sums(w * values, among.runs) / np.maximum(_sums(w, among.runs), 1e-6))


def iou(colour: Floats, weight: Floats, among: Groups) -> Floats:
    """IoU of mask and re-segmented band for each group, from colour profiles (c, t, p); see `segmented`; (g,)."""
    both, either = group_mean(segmented(colour), weight, among).T
    return np.asarray(both / np.maximum(either, 1e-6))


@dataclass(frozen=True)
class Vote:
    """The best of some motions for each group: its place in the list, and its mean evidence over its error; all (g,).

    `moved_px`: how far it moves the group's points along their normals, root mean square; `weight`: of all its points.
    """

    best: Places
    sigmas: Floats
    moved_px: Floats
    weight: Floats


def _lags(rates: Floats, moves: Floats) -> Floats:
    """How far motions (m, c) take points along their normals, from what one unit of each component does, (p, c)."""
    return np.asarray(sum(rates[:, k : k + 1] * moves[:, k] for k in range(moves.shape[1])))


def _read(proof: Floats, lags: Floats) -> Floats:
    """Evidence (p, l, …) at displacements (p, m) of each point; (p, m, …)."""
    place = np.clip(np.rint(lags / STEP_PX) + ZERO, 0, len(LAGS) - 1).astype(np.intp)
    place += len(LAGS) * np.arange(len(lags))[:, None]
    return np.asarray(np.take(proof.reshape(-1, *proof.shape[2:]), place, axis=0))


def _sigmas(mean: Floats, square: Floats, total: Floats, squares: Floats) -> Floats:
    """Mean evidence over its error, from means of evidence and of its square, and sums of weights and their squares."""
    witnesses = np.maximum(total**2 / squares / _POINTS_PER_WITNESS, 1)
    return np.asarray(mean / np.sqrt(np.maximum(square - mean**2, 0) / witnesses + 1e-3))


def _vote(proof: Floats, weight: Floats, among: Groups, rates: Floats, moves: Floats) -> Vote:
    """Each group's motion of most evidence (p, l); see `_lags` for the last two."""
    sums = np.zeros((len(among.owner), len(moves)), np.float32)
    for k, (a, b) in enumerate(among.whole().runs[:, 0]):
        own = np.flatnonzero(among.owner == k)
        sums[own] = _sums(_read(weight[a:b, None] * proof[a:b], _lags(rates[a:b], moves)), among.runs[own] - a)
    group, point = among.members()
    w = weight[point]
    total, squares = (np.maximum(np.bincount(group, v, len(sums)), 1e-6) for v in (w, w**2))
    best = sums.argmax(axis=1)
    mean = sums[np.arange(len(sums)), best] / total
    lags = (rates[point] * moves[best[group]]).sum(axis=1)
    seen = _read(proof[point], lags[:, None])[:, 0]
    square, far = (np.bincount(group, w * v**2, len(sums)) / total for v in (seen, lags))
    # In single precision: a group that moves as one moves by just that much.
    return Vote(best, _sigmas(mean, square, total, squares), np.sqrt(far).astype(np.float32), total)


def motions(proof: Floats, weight: Floats, among: Groups, normal: Floats) -> tuple[Vote, Vote, Vote, Floats]:
    """Votes on MOVES, on growing by LAGS and on SCALES, and the best move (k, 2) to a fraction of a pixel.

    Stretches vote on the first two alone.
    """
    whole = among.whole()
    shift = _vote(proof, weight, among, normal, MOVES)
    dilation = _vote(proof, weight, among, np.ones_like(normal[:, :1]), LAGS[:, None])
    scale = _vote(proof, weight, whole, among.across[:, None], SCALES[:, None] - 1)
    return shift, dilation, scale, _peak(proof, weight, whole, normal, MOVES[shift.best[: len(whole.owner)]])


def least_evidence(trials: Floats, weight: Floats, among: Groups, normal: Floats, least_px: float) -> Floats:
    """Each instance's least evidence for a displacement so far, over evidences (p, l, n) of n trials; (k,)."""
    far = np.hypot(*MOVES.T) >= least_px
    out = []
    for a, b in among.whole().runs[:, 0]:
        points = a + np.flatnonzero(weight[a:b])
        w = weight[points]
        total, squares = max(w.sum(), 1e-6), max((w**2).sum(), 1e-6)
        seen = _read(trials[points], _lags(normal[points], MOVES))
        mean: Floats = np.einsum("p,pmn->mn", w, seen) / total
        best = mean.argmax(axis=0)
        pick = (best, np.arange(len(best)))
        sigmas = _sigmas(mean[pick], w @ seen[:, *pick] ** 2 / total, total, squares)
        out.append(np.where(far[best], sigmas, 0).min())
    return np.array(out, np.float32)


#: Around the best displacement, a paraboloid is laid through these: values = _FIT⁺ · (1, x, y, x², xy, y²).
_AROUND: Floats = np.array([(x, y) for y in (-1, -0.5, 0, 0.5, 1) for x in (-1, -0.5, 0, 0.5, 1)], np.float32)
_FIT: Floats = np.linalg.pinv(
    np.stack([np.ones(25), *_AROUND.T, _AROUND[:, 0] ** 2, _AROUND.prod(axis=1), _AROUND[:, 1] ** 2], axis=1)
).astype(np.float32)


def _peak(proof: Floats, weight: Floats, whole: Groups, normal: Floats, start: Floats) -> Floats:
    """Each instance's displacement to a fraction of a pixel, near one (k, 2) from a vote; `normal` (p, 2)."""
    near = np.repeat(start, np.diff(whole.runs[:, 0]).ravel(), axis=0)
    lags = (normal * near).sum(axis=1, keepdims=True) + _lags(normal, _AROUND)
    left = np.clip(lags / STEP_PX + ZERO, 0, len(LAGS) - 1.001)
    low = left.astype(np.intp)
    share = left - low
    mixed = (1 - share) * np.take_along_axis(proof, low, axis=1) + share * np.take_along_axis(proof, low + 1, axis=1)
    _, bx, by, bxx, bxy, byy = (group_mean(mixed, weight, whole) @ _FIT.T).T
    curved = 4 * bxx * byy - bxy**2
    found = (
        np.stack([bxy * by - 2 * byy * bx, bxy * bx - 2 * bxx * by], axis=1)
        / np.where(curved > 1e-9, curved, 1)[:, None]
    )
    sound = (curved > 1e-9) & (bxx < 0)
    return np.asarray(start + np.clip(np.where(sound[:, None], found, 0), -1, 1), np.float32)
