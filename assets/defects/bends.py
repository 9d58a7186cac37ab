"""Deformation: a part bent at one place, or warped as a whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ...errors import AssetError
from ..defect import Defect
from ..mesh import Mesh, snap
from .patch_space import from_patch, in_patch
from .refine import refined, sliced

__all__ = ["bent_damage", "warped_damage"]

Vec = npt.NDArray[np.float64]

#: What has moved by this share of the second largest extent is the defect: a pixel, where the part is 200 wide.
MOVED = 0.005
#: The outer side of a bend is stretched by so much at most.
STRAIN = 0.3
#: At least this share of the length is bent away; the bend itself takes at most so much.
FREE, LONGEST = 0.25, 0.6
#: Triangles along a bend, and along a warped part; across a bend they may be as long as 1 / `ACROSS` of those.
ALONG_BEND, ALONG_PART, ACROSS = 8, 24, 0.05


def bent_damage(mesh: Mesh, defect: Defect) -> Mesh:
    """The mesh with its nearer end bent up, towards the patch's z, about a line through the patch.

    The line is square to the longest side of the part's box. Within the bend the part follows an arc, so long that its
    outer side is stretched by `STRAIN` at most, beyond it goes on straight. No point gets a lower z: what bends upward
    cannot go through what the part lies on.

    Raises AssetError if the part is too thick for its length to be bent so far.
    """
    at = in_patch(defect, mesh.vertices)
    way = _length_way(mesh, defect)
    s = at[:, :2] @ way
    if np.round(s.max(), 6) > np.round(-s.min(), 6):  # the shorter end is the one that gives way
        way, s = -way, -s
    length, angle = float(np.ptp(s)), np.deg2rad(defect.values["angle_deg"])
    start, zone = _zone(defect, at, s, length, angle)

    def bent(points: Vec) -> Vec:
        z_mid = _middle(at, s, start, zone)
        along, across = points[:, :2] @ way, points[:, :2] @ np.array([-way[1], way[0]])
        far = np.maximum(along - start, 0.0)
        turn = angle * np.minimum(far / zone, 1.0)
        radius, rest = zone / angle, np.maximum(far - zone, 0.0)
        arm = radius - (points[:, 2] - z_mid)
        new = np.where(far > 0, start + arm * np.sin(turn) + rest * np.cos(turn), along)
        up = np.where(far > 0, z_mid + radius - arm * np.cos(turn) + rest * np.sin(turn), points[:, 2])
        flat = new[:, None] * way + across[:, None] * np.array([-way[1], way[0]])
        return np.column_stack([flat, up])

    def touched(corners: Vec) -> npt.NDArray[np.bool_]:
        along = in_patch(defect, corners)[..., :2] @ way
        return np.asarray((along.max(axis=1) > start) & (along.min(axis=1) < start + zone))

    along = way @ defect.to_patch[:2, :3] / _mm(defect)
    measure = ACROSS * np.eye(3) + (1 - ACROSS) * np.outer(along, along)
    return _moved(refined(mesh, zone / ALONG_BEND / _mm(defect), touched, measure), defect, bent)


def warped_damage(mesh: Mesh, defect: Defect) -> Mesh:
    """The mesh with a bow, a cup and a twist: raised along the patch's z by a quadratic form of x and y.

    The lowest place of the form stays where it is, the highest is raised by `lift_mm`. Volumes do not change.
    """
    rng, v = np.random.default_rng(defect.seed), defect.values
    turn, weights = rng.uniform(0, np.pi), rng.uniform([0.6, -0.6, -0.5], [1.0, 0.6, 0.5])
    at = in_patch(defect, mesh.vertices)
    middle = (at.min(axis=0) + at.max(axis=0))[:2] / 2
    half = float(np.ptp(at[:, :2], axis=0).max()) / 2
    x_way, y_way = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])

    def form(points: Vec) -> Vec:
        x, y = ((points[:, :2] - middle) @ way / half for way in (x_way, y_way))
        return np.asarray(weights[0] * x * x + weights[1] * y * y + weights[2] * x * y)

    up = defect.to_patch[2, :3] / _mm(defect)
    flat = np.eye(3) - np.outer(up, up)  # what runs along z stays straight
    fine = refined(mesh, 2 * half / ALONG_PART / _mm(defect), lambda corners: np.ones(len(corners), bool), flat)
    heights = form(in_patch(defect, fine.vertices))
    low, high = float(heights.min()), float(heights.max())

    def warped(points: Vec) -> Vec:
        share = np.clip((form(points) - low) / (high - low), 0, 1)
        return np.column_stack([points[:, :2], points[:, 2] + v["lift_mm"] * share])

    return _moved(fine, defect, warped)


def _mm(defect: Defect) -> float:
    """Real millimetres in a metre of the unscaled mesh."""
    return float(np.linalg.norm(defect.to_patch[2, :3]))


def _length_way(mesh: Mesh, defect: Defect) -> Vec:
    """(2,) unit vector on the patch: the longest side of the part's box, or x where that stands up from the patch."""
    extents = np.round(mesh.extents, 9)
    way = defect.to_patch[:2, int(extents.argmax())] / _mm(defect)
    size = float(np.linalg.norm(way))
    return np.asarray(way / size) if np.round(size, 6) > 0.3 else np.array([1.0, 0.0])


def _zone(defect: Defect, at: Vec, s: Vec, length: float, angle: float) -> tuple[float, float]:
    """Where along the part the bend begins, and how long it is, mm."""
    start = min(0.0, float(s.max()) - FREE * length)
    zone = defect.values["zone_mm"]
    for _ in range(2):  # the part may be thicker where a longer bend reaches
        inside = at[(s >= start - 0.1 * length) & (s <= start + zone + 0.1 * length), 2]
        thick = float(np.ptp(inside)) if len(inside) else float(np.ptp(at[:, 2]))
        zone = max(zone, angle * thick / 2 / STRAIN)
        start = min(start, float(s.max()) - 1.2 * zone)
    if zone > LONGEST * length:
        raise AssetError(
            f"{defect.kind} {defect.id}: {thick:.1f} mm thick and {length:.1f} mm long, the part cannot be bent by "
            f"{np.rad2deg(angle):.0f}°: lower angle_deg, or leave this kind out"
        )
    return start, zone


def _middle(at: Vec, s: Vec, start: float, zone: float) -> float:
    """z of the middle of the part's thickness in the bend, mm: what lies there keeps its length."""
    inside = at[(s >= start) & (s <= start + zone), 2]
    inside = inside if len(inside) else at[:, 2]
    return float(inside.min() + inside.max()) / 2


def _moved(mesh: Mesh, defect: Defect, where: Callable[[Vec], Vec]) -> Mesh:
    """The mesh with all points moved by a map of the patch's space, mm; what has moved visibly is the defect.

    Faces are cut where that begins, so that the mask ends in a line and not in triangles.
    """
    far_mm = MOVED * float(np.sort(mesh.extents)[1]) * _mm(defect)
    mesh = sliced(mesh, _far(in_patch(defect, mesh.vertices), where), far_mm)
    at = in_patch(defect, mesh.vertices)
    vertices = snap(from_patch(defect, where(at)))
    far = _far(at, where)[mesh.faces].mean(axis=1)
    defects = np.zeros(len(mesh.faces), np.uint16) if mesh.face_defect is None else mesh.face_defect.copy()
    defects[(np.round(far, 9) > far_mm) & (defects == 0)] = defect.id
    points = {}
    for name, point in mesh.keypoints.items():
        x, y, z = snap(from_patch(defect, where(in_patch(defect, np.asarray([point])))))[0]
        points[name] = (float(x), float(y), float(z))
    moved = vertices - mesh.vertices
    return replace(mesh, vertices=vertices, face_defect=defects, keypoints=points, moved=moved)


def _far(at: Vec, where: Callable[[Vec], Vec]) -> Vec:
    """(n,) how far the map moves points (n, 3), mm."""
    return np.asarray(np.round(np.linalg.norm(where(at) - at, axis=1), 9))
