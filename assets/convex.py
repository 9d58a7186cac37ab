"""A mesh as convex pieces for collisions: cut in two where it is most hollow, again and again.

Each piece is the convex hull of the part of the surface that it holds, so the pieces together enclose the mesh: what
keeps clear of the pieces keeps clear of the mesh, and nothing ends up deeper in a part than contacts let it. Libraries
that approximate from both sides (CoACD, V-HACD) cannot promise that. Cutting costs some ten milliseconds per mesh: how
hollow a piece is gets measured against its extent in a few directions, and not against its true hull.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, QhullError

from .cache import Cache
from .mesh import Mesh, snap

__all__ = ["FINE_M", "MAX_PIECES", "coarse_pieces", "convex_pieces"]

Points = npt.NDArray[np.float64]

#: Corners nearer than this to one plane are a face and no body; it is given a thickness. Metres.
FLAT_M, FACE_M = 1e-9, 1e-4
#: More pieces make contacts slower, and a part of a pile shows no more of its shape than this.
MAX_PIECES = 8
#: A piece may be hollow by this share of the mesh's largest extent, or by `HOLLOW_M` (metres) if that is more.
HOLLOW = 0.1
HOLLOW_M = 0.0008
#: Points of a piece that are looked at for its hollowness.
LOOKED_AT = 600
CACHE_BYTES = 16 << 20
#: A corner that lies less than this outside of a coarse hull is left out, metres.
FLUSH_M = 1e-5
#: While corners lie farther outside than this, metres, a coarse hull gets so many more in each turn.
FINE_M, MORE = 1.5e-4, 8

#: Half of the 26 directions to the neighbours of a cell in a cube of cells: the other half are their opposites.
_HALF = [d for d in product((-1, 0, 1), repeat=3) if d > (0, 0, 0)]
DIRECTIONS = np.array([np.array(d) / np.linalg.norm(d) for d in _HALF])

_cache: Cache[bytes, tuple[Points, ...]] = Cache(CACHE_BYTES, lambda pieces: sum(p.nbytes for p in pieces))
_coarse: Cache[tuple[bytes, int], tuple[tuple[Points, float], ...]] = Cache(
    CACHE_BYTES, lambda pieces: sum(p.nbytes for p, _ in pieces)
)


def convex_pieces(mesh: Mesh) -> tuple[Points, ...]:
    """(n, 3) hull corners of each piece, metres, object frame; a second call with the same mesh is cheap."""
    return _cache.get(mesh.exact, lambda: _decompose(mesh))


def coarse_pieces(mesh: Mesh, limit: int) -> tuple[tuple[Points, float], ...]:
    """Of each convex piece about `limit` of its (n, 3) corners, and how far (metres) others are outside their hull.

    A piece gets up to twice as many while others lie more than `FINE_M` outside. Measured with 64: MuJoCo's own limit
    (`maxhullvert`) leaves corners of a spring 2.4 mm outside; this one 0.2 mm.
    """
    return _coarse.get((mesh.exact, limit), lambda: tuple(_coarsen(p, limit) for p in convex_pieces(mesh)))


@dataclass(frozen=True)
class _Sample:
    """Triangles (n, 3, 3) that stand for a surface, each for an equal share of its area, and their normals (n, 3)."""

    triangles: Points
    normals: Points

    def where(self, chosen: npt.NDArray[np.bool_]) -> _Sample:
        """Those of the triangles."""
        return _Sample(self.triangles[chosen], self.normals[chosen])


@dataclass(frozen=True)
class _Piece:
    """Triangles (n, 3, 3), how hollow they are (metres), and where they are most hollow."""

    triangles: Points
    sample: _Sample
    hollow: float
    deepest: Points


def _decompose(mesh: Mesh) -> tuple[Points, ...]:
    allowed = max(HOLLOW * float(mesh.extents.max()), HOLLOW_M)
    pieces = [_piece(mesh.vertices[mesh.faces])]
    while len(pieces) < MAX_PIECES:
        worst = max(range(len(pieces)), key=lambda k: (round(pieces[k].hollow, 9), -k))
        if pieces[worst].hollow <= allowed:
            break
        cut = _best_cut(pieces[worst])
        if cut is None:
            break
        pieces[worst : worst + 1] = [_piece(_clip(pieces[worst].triangles, *cut, side)) for side in (1, -1)]
    return tuple(_corners(_thickened(piece.triangles)) for piece in pieces)


def _thickened(triangles: Points) -> Points:
    """The corners (n, 3) of triangles; with copies `FACE_M` inside the body where all lie in one plane.

    A cut along a flat face can leave that face alone, which no other piece encloses and MuJoCo takes for no body.
    """
    points = triangles.reshape(-1, 3)
    if np.linalg.svd(points - points.mean(axis=0), compute_uv=False)[2] > FLAT_M:
        return points
    outwards = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]).sum(axis=0)
    return np.concatenate([points, points - FACE_M * outwards / np.linalg.norm(outwards)])


def _piece(triangles: Points) -> _Piece:
    sample = _sample(triangles)
    hollow, deepest = _hollow(sample)
    return _Piece(triangles, sample, hollow, deepest)


def _sample(triangles: Points) -> _Sample:
    """Every triangle at which the running area passes a multiple of a share of the whole."""
    areas = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    size = np.linalg.norm(areas, axis=1)
    share = np.floor(np.round(np.cumsum(size) / size.sum() * LOOKED_AT, 6))
    chosen = (np.diff(share, prepend=-1.0) > 0) & (size > 0)
    return _Sample(triangles[chosen], areas[chosen] / size[chosen, None])


def _hollow(sample: _Sample) -> tuple[float, Points]:
    """How far one can go out from the surface along its normal within the extent of the piece, and from where."""
    along = sample.triangles.reshape(-1, 3) @ DIRECTIONS.T
    centres = sample.triangles.mean(axis=1)
    at, speed = centres @ DIRECTIONS.T, sample.normals @ DIRECTIONS.T
    ahead = np.where(speed > 0, along.max(axis=0) - at, at - along.min(axis=0))
    run = (ahead / np.maximum(np.abs(speed), 1e-3)).min(axis=1)
    # One of many equal maxima must be the same on every processor.
    deepest = int(np.argmax(np.round(run, 9)))
    return float(run[deepest]), centres[deepest]


def _best_cut(piece: _Piece) -> tuple[int, float] | None:
    """Axis and coordinate of the cut that leaves the least hollow pieces: across each axis, in the middle or at the
    deepest point. None when nothing can be cut.
    """
    points = piece.triangles.reshape(-1, 3)
    low, high = points.min(axis=0), points.max(axis=0)
    centres = piece.sample.triangles.mean(axis=1)
    best: tuple[float, int, float] | None = None
    for axis in range(3):
        length = high[axis] - low[axis]
        for at in dict.fromkeys((round(float((low + high)[axis] / 2), 9), round(float(piece.deepest[axis]), 9))):
            below = centres[:, axis] < at
            if not 0.08 * length < at - low[axis] < 0.92 * length or below.all() or not below.any():
                continue
            a, b = (_hollow(piece.sample.where(side))[0] for side in (below, ~below))
            cost = round(max(a, b) + 0.25 * min(a, b), 9)
            if best is None or cost < best[0]:
                best = (cost, axis, at)
    return None if best is None else best[1:]


def _clip(triangles: Points, axis: int, at: float, side: int) -> Points:
    """The triangles on one side of a plane across an axis; those that cross it are cut there.

    What is left of a triangle with two corners beyond is a triangle, of one with a single corner beyond two of them.
    """
    d = side * (triangles[:, :, axis] - at)
    beyond = d > 0
    count = beyond.sum(axis=1)
    out = [triangles[count == 0]]
    for corners in (1, 2):
        chosen = count == corners
        if not chosen.any():
            continue
        t, away, dist = triangles[chosen], beyond[chosen], d[chosen]
        # Roll each triangle so that its odd corner out comes first.
        odd = np.argmax(away if corners == 1 else ~away, axis=1)
        order = (odd[:, None] + np.arange(3)) % 3
        rows = np.arange(len(t))[:, None]
        t, dist = t[rows, order], dist[rows, order]
        first, second = (
            t[:, 0] + (t[:, k] - t[:, 0]) * (dist[:, 0] / (dist[:, 0] - dist[:, k]))[:, None] for k in (1, 2)
        )
        if corners == 2:
            out.append(np.stack([t[:, 0], first, second], axis=1))
        else:
            out += [np.stack([first, t[:, 1], t[:, 2]], axis=1), np.stack([first, t[:, 2], second], axis=1)]
    return np.concatenate(out)


def _corners(points: Points) -> Points:
    """The corners of a convex hull, snapped; all points where they lie in a plane."""
    try:
        return np.asarray(snap(points[np.sort(ConvexHull(points).vertices)]))
    except QhullError:
        return np.unique(snap(points), axis=0)


def _coarsen(corners: Points, limit: int) -> tuple[Points, float]:
    """The outermost corners in a few directions, and then, in turns, those that lie farthest outside of their hull."""
    if len(corners) <= limit:
        return corners, 0.0
    along = np.round(corners @ np.vstack([DIRECTIONS, -DIRECTIONS]).T, 9)
    chosen = list(dict.fromkeys(np.argmax(along, axis=0).tolist()))
    while True:
        planes = ConvexHull(corners[chosen]).equations
        outside = np.round(corners @ planes[:, :3].T + planes[:, 3], 9)
        room = limit - len(chosen)
        if room <= 0 and outside.max() > FINE_M:
            room = min(MORE, 2 * limit - len(chosen))
        if room <= 0 or outside.max() < FLUSH_M:
            return corners[np.sort(chosen)], max(float(outside.max()), 0.0)
        farthest = outside.argmax(axis=0)
        depth = outside[farthest, np.arange(len(farthest))]
        order = np.argsort(-depth, kind="stable")
        new = [k for k in dict.fromkeys(farthest[order][depth[order] >= FLUSH_M].tolist()) if k not in chosen]
        chosen += new[: (room + 1) // 2]
