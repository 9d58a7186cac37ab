"""Closed surfaces walked ring by ring around the z axis: exact creases and fillets without boolean operations.

A `RingWalk` starts at the lowest point of a profile and goes *up its outside* (and, for a hole, down its inside). Every
stop is a ring of points, ordered counter-clockwise as seen from +z and starting next to the +x axis. Two rings of
different length are zipped together by angle, so a hexagon, a knurl and a thread can follow one another.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["RingWalk", "angles", "hexagon", "ring", "ring_angles", "rings", "round_corners"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def angles(segments: int) -> Floats:
    """(segments,) equally spaced angles in [0, 2π), radians."""
    return np.arange(segments) * (2 * np.pi / segments)


def hexagon(across_flats: float, corner_radius: float) -> tuple[Floats, Floats]:
    """(66,) angles and radii of a hexagon with rounded corners; flats face 30° + k·60°, corner k lies at k·60°."""
    tangent = np.arctan2((across_flats / 2 - corner_radius) * np.tan(np.pi / 6), across_flats / 2)
    arc = np.pi / 6 - tangent
    flat = np.linspace(-1, 1, 6) * (tangent - 0.5 * arc)  # the first and last are support for the arc's normals
    from_flat = np.concatenate([flat, [tangent], tangent + arc * np.array([0.5, 1.0, 1.5, 2.0])])
    sector = from_flat + np.pi / 6
    to_corner = np.pi / 6 - np.abs(np.where(from_flat > np.pi / 6, from_flat - np.pi / 3, from_flat))
    centre = (across_flats / 2 - corner_radius) / np.cos(np.pi / 6)
    on_arc = centre * np.cos(to_corner) + np.sqrt(np.maximum(corner_radius**2 - (centre * np.sin(to_corner)) ** 2, 0))
    on_flat = across_flats / 2 / np.cos(np.pi / 6 - to_corner)
    radius = np.where(to_corner < arc, on_arc, on_flat)
    turned = (sector[:, None] + np.arange(6) * np.pi / 3).T.ravel()
    turned[np.abs(turned - 2 * np.pi) < 1e-9] = 0.0  # the last corner is the first point, whatever the last bit says
    turned %= 2 * np.pi
    order = np.argsort(turned, kind="stable")
    return turned[order], np.tile(radius, 6)[order]


def ring(radius: float | Floats, z: float | Floats, at: Floats) -> Floats:
    """(N, 3) points at cylindrical (radius, angle, z); radius and z are numbers or (N,), `at` is (N,) radians."""
    r, h = np.broadcast_to(radius, at.shape), np.broadcast_to(z, at.shape)
    return np.stack([r * np.cos(at), r * np.sin(at), h], axis=-1)


def rings(profile: npt.ArrayLike, at: Floats) -> list[Floats]:
    """The stops of a profile: (M, 2) of (r, z) alike at all angles, or (N, M, 2), one profile per angle."""
    p = np.asarray(profile, dtype=np.float64)
    columns = np.broadcast_to(p, (len(at), *p.shape[-2:]))
    return [ring(columns[:, k, 0], columns[:, k, 1], at) for k in range(columns.shape[1])]


def ring_angles(points: Floats) -> Floats:
    """(N,) increasing angles of a ring's points about z, radians."""
    return np.unwrap(np.arctan2(points[:, 1], points[:, 0]))


def round_corners(path: Floats, radii: npt.ArrayLike, steps: int = 3, support: float = 0.35) -> Floats:
    """Round the inner corners of open polylines with arcs.

    Args:
        path: (..., M, 2) corner points; many polylines of one topology are rounded together.
        radii: (M,) arc radius at each corner; 0 keeps the corner, the two ends are always kept.
        steps: chords per arc.
        support: distance, in radii, of one more point on the straight beside each end of an arc. It keeps the
            smoothed normals of the arc from bleeding into the flat next to it.

    Returns:
        (..., M', 2); the arcs must fit between their neighbours, which the caller's dimensions ensure.
    """
    radius = np.asarray(radii, dtype=np.float64)
    out = [path[..., :1, :]]
    share = (np.arange(steps + 1) / steps)[:, None]
    for i in range(1, path.shape[-2] - 1):
        corner = path[..., i : i + 1, :]
        if radius[i] == 0:
            out.append(corner)
            continue
        back, ahead = path[..., i - 1 : i, :] - corner, path[..., i + 1 : i + 2, :] - corner
        back = back / np.linalg.norm(back, axis=-1, keepdims=True)
        ahead = ahead / np.linalg.norm(ahead, axis=-1, keepdims=True)
        turn = np.pi - np.arccos(np.clip((back * ahead).sum(axis=-1, keepdims=True), -1, 1))
        reach = radius[i] * np.tan(turn / 2)
        bisector = (back + ahead) / np.linalg.norm(back + ahead, axis=-1, keepdims=True)
        centre = corner + bisector * (radius[i] / np.cos(turn / 2))
        v0, v1 = corner + back * reach - centre, corner + ahead * reach - centre
        arc = centre + (np.sin((1 - share) * turn) * v0 + np.sin(share * turn) * v1) / np.sin(turn)
        beside = reach + support * radius[i]
        out += [corner + back * beside, arc, corner + ahead * beside]
    out.append(path[..., -1:, :])
    return np.concatenate(out, axis=-2)


class RingWalk:
    """Builder of one closed surface; lengths in any one unit."""

    def __init__(self) -> None:
        self._points: list[Floats] = []
        self._faces: list[Ints] = []
        self._count = 0
        self._first: Ints | None = None
        self._last: Ints | None = None

    def to(self, *stops: Floats) -> RingWalk:
        """Go on to each (N, 3) ring; a ring of one point is a pole."""
        for points in stops:
            self._reach(self._add(points))
        return self

    def tube(self, grid: Floats, shift: int, down: bool = False) -> RingWalk:
        """Go on through a (N, K, 3) helical grid: angle × row, rows upwards.

        Row `k` of the last angle joins row `k + shift` of the first one. The rows left over at both ends of the
        seam are fanned. `down` walks the grid from top to bottom, for the inside of a hole.
        """
        n, k = grid.shape[:2]
        index = self._add(grid.reshape(-1, 3)).reshape(n, k)
        enter, leave = (index[:, -1], index[:, 0]) if down else (index[:, 0], index[:, -1])
        quads = _quads(index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:])
        a, b = index[-1], index[0]
        seam = _quads(a[: -shift - 1], b[shift:-1], b[shift + 1 :], a[1:-shift])
        low = np.stack([np.full(shift, a[0]), b[:shift], b[1 : shift + 1]], axis=1)
        high = np.stack([a[-shift - 1 : -1], np.full(shift, b[-1]), a[-shift:]], axis=1)
        faces = np.concatenate([quads, seam, low, high])
        self._reach(enter)
        self._faces.append(faces[:, ::-1] if down else faces)
        self._last = leave
        return self

    def close(self) -> RingWalk:
        """Join the last ring to the first: for profiles that are loops."""
        assert self._first is not None
        self._reach(self._first)
        return self

    def arrays(self) -> tuple[Floats, npt.NDArray[np.int32]]:
        """(V, 3) vertices and (F, 3) faces, outward normals."""
        return np.concatenate(self._points), np.concatenate(self._faces).astype(np.int32)

    def _add(self, points: Floats) -> Ints:
        index = np.arange(self._count, self._count + len(points))
        self._points.append(points)
        self._count += len(points)
        return index

    def _reach(self, index: Ints) -> None:
        if self._last is None:
            self._first = index
        else:
            self._faces.append(self._join(self._last, index))
        self._last = index

    def _join(self, a: Ints, b: Ints) -> Ints:
        if len(a) == len(b):
            return _quads(a, np.roll(a, -1), np.roll(b, -1), b)
        if len(a) == 1:
            return np.stack([np.full(len(b), a[0]), np.roll(b, -1), b], axis=1)
        if len(b) == 1:
            return np.stack([a, np.roll(a, -1), np.full(len(a), b[0])], axis=1)
        points = np.concatenate(self._points)
        return _zip(a, ring_angles(points[a]), b, ring_angles(points[b]))


def _quads(a: Ints, b: Ints, c: Ints, d: Ints) -> Ints:
    """(2Q, 3) triangles of the quads a-b-c-d, given as index arrays of one shape."""
    return np.stack([a, b, c, a, c, d], axis=-1).reshape(-1, 3)


def _zip(a: Ints, a_angle: Floats, b: Ints, b_angle: Floats) -> Ints:
    """(len(a) + len(b), 3) triangles between two rings; each edge meets the other ring's vertex nearest in angle.

    Angles are compared to 1e-9 radians: regular rings have equal ones, and their last bits depend on the processor.
    """
    a_mid = a_angle + np.diff(a_angle, append=a_angle[0] + 2 * np.pi) / 2
    b_mid = b_angle + np.diff(b_angle, append=b_angle[0] + 2 * np.pi) / 2
    on_b = np.argsort(np.round(np.concatenate([a_mid, b_mid]), 9), kind="stable") >= len(a)
    i: Ints = np.cumsum(~on_b) - ~on_b
    j: Ints = np.cumsum(on_b) - on_b
    here_a, here_b = a[i % len(a)], b[j % len(b)]
    third = np.where(on_b, b[(j + 1) % len(b)], a[(i + 1) % len(a)])
    return np.stack([here_a, third, here_b], axis=1)
