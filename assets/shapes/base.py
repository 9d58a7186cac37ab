"""What every procedural shape is built with: outlines, solids of revolution, plates, tubes, booleans, the final mesh.

A *solid* is a closed pair (vertices (V, 3) float64 in metres, faces (F, 3) int32, counter-clockwise seen from outside).
Rounded edges come with *support* points: one more row of vertices on the flat side of each fillet. Smooth shading
averages the normals around a vertex, so without the row a flat face next to a fillet would shade as if it were curved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import manifold3d
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from ...errors import AssetError
from ..mesh import Mesh, snap

__all__ = [
    "ROUNDING_M",
    "Faces",
    "Params",
    "Points",
    "Solid",
    "arc",
    "centred",
    "circle",
    "denser",
    "fillet",
    "from_manifold",
    "loft",
    "merge_parts",
    "moved",
    "number",
    "revolve",
    "to_manifold",
    "wrap_uv",
]

Points = npt.NDArray[np.float64]
Faces = npt.NDArray[np.int32]
Solid = tuple[Points, Faces]

#: Booleans leave edges shorter than this (metres) collapsed: no camera sees them, and they would be slivers.
BOOLEAN_TOLERANCE_M = 1e-6

#: Operands are snapped to 2⁻⁴⁶ m = 1.4e-14 m: far above the last bits of their coordinates, and below the precision of
#: the booleans (1e-12 of the size), which merge what lies closer. A coarser grid bends planes and leaves slivers.
BOOLEAN_GRID_PER_M = 2.0**46


#: What a rule between lengths (metres) forgives: a sum that is equal on paper may be larger in its last bit.
ROUNDING_M = 1e-12


class Params(BaseModel):
    """Parameters of one shape: immutable, closed to unknown keys, refuses NaN and infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def number(given: Mapping[str, object], name: str, drawn: float) -> float:
    """The given value where it is a number, else the drawn one (the model then refuses what is no number)."""
    value = given.get(name)
    return float(value) if isinstance(value, int | float) else float(drawn)


def centred(
    vertices: Points,
    faces: Faces,
    *,
    face_part: npt.NDArray[np.uint8] | None = None,
    part_names: tuple[str, ...] = ("body",),
    uv: npt.NDArray[np.float32] | None = None,
    keypoints: Mapping[str, npt.ArrayLike] | None = None,
    smooth_angle_deg: float = 30.0,
) -> Mesh:
    """The finished mesh, its bounding box centred on the origin; keypoints (metres, the same frame) move with it.

    Vertices and keypoints are snapped (see `snap`), so the mesh does not depend on the processor.
    """
    middle = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    points = {name: snap(np.asarray(p, dtype=np.float64) - middle) for name, p in (keypoints or {}).items()}
    return Mesh(
        vertices=snap(vertices - middle),
        faces=faces.astype(np.int32),
        face_part=np.zeros(len(faces), np.uint8) if face_part is None else face_part,
        part_names=part_names,
        uv=uv,
        keypoints={name: (float(p[0]), float(p[1]), float(p[2])) for name, p in points.items()},
        smooth_angle=float(np.deg2rad(smooth_angle_deg)),
    )


def merge_parts(pieces: Sequence[tuple[Points, Faces, int]]) -> tuple[Points, Faces, npt.NDArray[np.uint8]]:
    """Several solids as one (vertices, faces, face_part); nothing is welded or united."""
    starts = np.cumsum([0, *(len(v) for v, _, _ in pieces)])
    faces = [f + start for (_, f, _), start in zip(pieces, starts, strict=False)]
    parts = [np.full(len(f), part, np.uint8) for _, f, part in pieces]
    return np.concatenate([v for v, _, _ in pieces]), np.concatenate(faces).astype(np.int32), np.concatenate(parts)


def moved(solid: Solid, offset: npt.ArrayLike = (0.0, 0.0, 0.0), rotation: npt.ArrayLike | None = None) -> Solid:
    """The solid rotated by a (3, 3) proper rotation, then shifted by `offset` (metres)."""
    v, f = solid
    turned = v if rotation is None else v @ np.asarray(rotation, dtype=np.float64).T
    return turned + np.asarray(offset, dtype=np.float64), f


def arc(centre: tuple[float, float], radius: float, start_deg: float, end_deg: float, segments: int) -> Points:
    """(segments + 1, 2) points on a circular arc, both ends included."""
    t = np.deg2rad(np.linspace(start_deg, end_deg, segments + 1))
    return np.asarray(centre, dtype=np.float64) + radius * np.column_stack([np.cos(t), np.sin(t)])


def circle(radius: float, segments: int, centre: tuple[float, float] = (0.0, 0.0)) -> Points:
    """(segments, 2) points, counter-clockwise, the first at angle 0."""
    return arc(centre, radius, 0.0, 360.0, segments)[:-1]


def fillet(corners: npt.ArrayLike, segments: int = 4, support: float = 0.5) -> Points:
    """A closed outline with rounded corners.

    Args:
        corners: (N, 3) rows of x, y and the corner's fillet radius (0 keeps it sharp), metres.
        segments: straight pieces per quarter turn; a fillet has at least two.
        support: distance from the fillet's end to its support point, in fillet radii; 0 adds none.

    Returns:
        (M, 2) points in the order of the corners.

    Raises:
        AssetError: two fillets need more than the straight piece between them, or two corners are one point.
    """
    c = np.asarray(corners, dtype=np.float64)
    p, radius = c[:, :2], c[:, 2]
    ahead = np.roll(p, -1, axis=0) - p
    length = np.linalg.norm(ahead, axis=1)
    if length.min() < 1e-9:
        raise AssetError(f"side {int(length.argmin())} has no length")
    ahead = ahead / length[:, None]
    turn = np.arctan2(_cross(np.roll(ahead, 1, axis=0), ahead), np.einsum("ij,ij->i", np.roll(ahead, 1, axis=0), ahead))
    setback = radius * np.abs(np.tan(turn / 2))
    room = length - setback - np.roll(setback, -1)
    if (room < -1e-9).any():
        i = int(room.argmin())
        raise AssetError(f"the fillets at both ends of side {i} need {-room[i]:.6f} m more than its {length[i]:.6f} m")
    out: list[Points] = []
    for i in range(len(p)):
        if radius[i] == 0 or abs(turn[i]) < 1e-9:
            out.append(p[i : i + 1])
            continue
        back, front = -ahead[i - 1], ahead[i]
        reach = support * radius[i]
        if reach and room[i - 1] > 2.5 * reach:
            out.append((p[i] + back * (setback[i] + reach))[None])
        pieces = max(2, int(np.ceil(abs(turn[i]) / (np.pi / 2) * segments - 1e-9)))
        out.append(_corner_arc(p[i], back, turn[i], radius[i], setback[i], pieces))
        if reach and room[i] > 2.5 * reach:
            out.append((p[i] + front * (setback[i] + reach))[None])
    return _without_repeats(np.concatenate(out))


def _corner_arc(at: Points, back: Points, turn: float, radius: float, setback: float, segments: int) -> Points:
    """The arc that leaves the incoming side tangentially and turns by `turn` radians."""
    side = np.sign(turn)
    normal = side * np.array([back[1], -back[0]])  # from the outline towards the arc's centre
    start = at + back * setback
    t = np.linspace(0.0, turn, segments + 1)[:, None]
    spoke = -normal
    swung = np.cos(t) * spoke + np.sin(t) * np.array([-spoke[1], spoke[0]])
    return np.asarray(start + normal * radius + radius * swung, dtype=np.float64)


def _without_repeats(points: Points) -> Points:
    """Two fillets that meet exactly share a point: keep it once."""
    gap = np.linalg.norm(points - np.roll(points, 1, axis=0), axis=1)
    return np.asarray(points[gap > 1e-9], dtype=np.float64)


def denser(outline: Points, step: float) -> Points:
    """A closed outline with its sides cut into pieces of at most `step`; sides on the axis (x = 0) stay whole.

    A boolean cuts a surface of compact triangles cleanly; on a long quad it leaves slivers that shade unevenly.
    """
    out = []
    for a, b in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        pieces = max(1, int(np.ceil(np.linalg.norm(b - a) / step))) if a[0] + b[0] > 0 else 1
        out.append(a + (b - a) * (np.arange(pieces) / pieces)[:, None])
    return np.concatenate(out)


def _cross(a: Points, b: Points) -> Points:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0], dtype=np.float64)


def revolve(profile: npt.ArrayLike, segments: int) -> Solid:
    """The solid that a closed outline sweeps around the z axis.

    Args:
        profile: (N, 2) points (r, z) in metres, r ≥ 0, counter-clockwise with r to the right and z up; the last joins
            the first. Points on the axis become single vertices, and a side that lies on the axis gives no faces.
        segments: steps around the axis; the first is at the angle 0 (the x axis).
    """
    p = np.asarray(profile, dtype=np.float64)
    angle = np.arange(segments) * (2 * np.pi / segments)
    on_axis = p[:, 0] < 1e-12
    index = np.zeros((len(p), segments), np.int64)
    rows: list[Points] = []
    used = 0
    for i, (r, z) in enumerate(p):
        count = 1 if on_axis[i] else segments
        ring = np.column_stack([r * np.cos(angle), r * np.sin(angle), np.full(segments, z)])
        rows.append(np.array([[0.0, 0.0, z]]) if on_axis[i] else ring)
        index[i] = used + (np.arange(segments) if count > 1 else 0)
        used += count
    following = np.roll(index, -1, axis=0)
    a, b = index, np.roll(index, -1, axis=1)
    d, c = following, np.roll(following, -1, axis=1)
    lower = np.stack([a, b, c], axis=-1)[~on_axis]
    upper = np.stack([a, c, d], axis=-1)[~np.roll(on_axis, -1)]
    return np.concatenate(rows), np.concatenate([lower.reshape(-1, 3), upper.reshape(-1, 3)]).astype(np.int32)


def loft(rings: npt.ArrayLike, *, closed: bool = False) -> Solid:
    """The tube through (S, N, 3) rings of equal point count, capped at both ends, or joined end to start if `closed`.

    Each ring runs counter-clockwise seen from the end of the tube; an end cap is a fan around the ring's mean.
    """
    r = np.asarray(rings, dtype=np.float64)
    s, n = r.shape[:2]
    grid = np.arange(s * n).reshape(s, n)
    low = grid if closed else grid[:-1]
    high = np.roll(grid, -1, axis=0) if closed else grid[1:]
    a, b, c, d = low, np.roll(low, -1, axis=1), np.roll(high, -1, axis=1), high
    quads = [np.stack([a, b, c], axis=-1).reshape(-1, 3), np.stack([a, c, d], axis=-1).reshape(-1, 3)]
    v = r.reshape(-1, 3)
    if not closed:
        v = np.concatenate([v, r[0].mean(axis=0)[None], r[-1].mean(axis=0)[None]])
        first, last = grid[0], grid[-1]
        quads.append(np.column_stack([np.full(n, s * n), np.roll(first, -1), first]))
        quads.append(np.column_stack([np.full(n, s * n + 1), last, np.roll(last, -1)]))
    return v, np.concatenate(quads).astype(np.int32)


def to_manifold(solid: Solid) -> manifold3d.Manifold:
    """The solid for booleans (`+`, `-`, `^`).

    Raises:
        AssetError: the solid is not closed or turned inside out.
    """
    v, f = solid
    points, corners = np.ascontiguousarray(snap(v, BOOLEAN_GRID_PER_M)), np.ascontiguousarray(f.astype(np.uint64))
    # One id each, else coplanar triangles merge, and the support rows go with them.
    m = manifold3d.Manifold(manifold3d.Mesh64(points, corners, face_id=np.arange(len(f), dtype=np.uint64)))
    if m.status() != manifold3d.Error.NoError or m.volume() <= 0:
        raise AssetError(
            f"a boolean needs a closed solid that faces outwards, got {m.status()}, volume {m.volume():.3g} m³"
        )
    return m


def from_manifold(
    m: manifold3d.Manifold, parts: Sequence[tuple[manifold3d.Manifold, int]] = ()
) -> tuple[Points, Faces, npt.NDArray[np.uint8]]:
    """(vertices, faces, face_part) of a boolean's result; a face that an operand in `parts` made has its part."""
    mesh = m.simplify(BOOLEAN_TOLERANCE_M).to_mesh64()
    faces = np.asarray(mesh.tri_verts, dtype=np.int32)
    part_of = {int(operand.to_mesh64().run_original_id[0]): part for operand, part in parts}
    face_part = np.zeros(len(faces), np.uint8)
    run = np.asarray(mesh.run_index, dtype=np.int64) // 3
    for origin, start, end in zip(mesh.run_original_id, run[:-1], run[1:], strict=True):
        face_part[start:end] = part_of.get(int(origin), 0)
    return np.array(mesh.vert_properties[:, :3], dtype=np.float64), faces, face_part


def wrap_uv(vertices: Points, faces: Faces, bottom: float, top: float) -> npt.NDArray[np.float32]:
    """(F, 3, 2) texture coordinates of a wrap around the z axis: u is angle / 2π, v is 0 at `bottom` and 1 at `top`."""
    corners = vertices[faces]
    u = np.arctan2(corners[..., 1], corners[..., 0]) / (2 * np.pi)
    u = u - np.rint(u - u[:, :1])  # a face across the seam keeps its corners together
    v = (corners[..., 2] - bottom) / (top - bottom)
    return np.asarray(np.stack([u, v], axis=-1), dtype=np.float32)
