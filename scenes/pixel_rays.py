"""The rays through the pixel centres of a camera, and which pixels and triangles need not be looked at.

Culling may keep too much, never too little: what it drops no ray can meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .cameras import check_lens, image, rays
from .lenses import BrownConrady, Fisheye
from .scene import Camera

__all__ = ["Box", "PixelRays", "Points", "pixel_rays"]

Points = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Vec = npt.NDArray[np.float64]
#: x0, y0, x1, y1 in pixels; may lie outside the image.
Box = tuple[int, int, int, int]

#: Nearer than this (metres) a point counts as behind the camera.
NEAR_M = 1e-4
#: Rounding of a projected vertex; single precision leaves less than a tenth of it.
MARGIN_PX = 0.01
#: Triangles wider than this are never culled under a lens, which bends their sides.
SMALL_PX = 2.0
#: Images of straight lines are curved by less than this over the focal length, in any lens that `check_lens` accepts.
BEND = 4.0
#: Points along each side of what surrounds an object.
SAMPLES = 33


class PixelRays(Protocol):
    """What the ray engine asks of a camera. Points are (V, 3) in the camera frame, metres."""

    def directions(self, box: Box) -> tuple[Points, Bools]:
        """(n, 3) ray directions through the pixel centres of a box, row by row, and (n,) where the lens has none."""

    def box(self, points: Points) -> Box:
        """The pixels that can see something between the points, at most one image size beyond each border.

        x0 = x1 or y0 = y1 says that they lie farther away than that.
        """

    def in_reach(self, points: Points, faces: npt.NDArray[np.int32]) -> Bools:
        """(F,) which triangles a ray through a pixel centre can meet.

        Most triangles of a thread or a gear lie between the centres, and handing a triangle to Embree (0.75 µs) costs
        far more than this test.
        """

    def depth(self, far: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(h, w) depth along the optical axis, metres, of distances in lengths of the directions."""


def pixel_rays(camera: Camera) -> PixelRays:
    """The rays of a camera; RecipeError when its lens cannot fill the image."""
    return _Pinhole(camera) if camera.lens is None else _Distorted(check_lens(camera), camera.lens)


@dataclass(frozen=True)
class _Pinhole:
    camera: Camera

    def directions(self, box: Box) -> tuple[Points, Bools]:
        camera = self.camera
        x = (np.arange(box[0], box[2]) + 0.5 - camera.cx) / camera.fx
        y = (np.arange(box[1], box[3]) + 0.5 - camera.cy) / camera.fy
        out = np.empty((len(y), len(x), 3), np.float32)
        out[..., 0], out[..., 1], out[..., 2] = x, y[:, None], 1.0
        return out.reshape(-1, 3), np.zeros(len(y) * len(x), bool)

    def box(self, points: Points) -> Box:
        z = points[:, 2]
        if z.max() <= 0:
            return (0, 0, 0, 0)
        if z.min() < NEAR_M:  # part of it is behind the camera: its image has no bounds
            return _clipped(self.camera, np.array([[-np.inf], [np.inf]]))
        camera = self.camera
        u, v = camera.fx * points[:, 0] / z + camera.cx, camera.fy * points[:, 1] / z + camera.cy
        return _clipped(camera, np.stack([u, v], axis=1).astype(np.float64))

    def in_reach(self, points: Points, faces: npt.NDArray[np.int32]) -> Bools:
        # Triangles that reach behind the camera stay.
        camera, z = self.camera, np.maximum(points[:, 2], NEAR_M)
        keep = (points[:, 2] < NEAR_M)[faces].any(axis=1)
        u, v = (
            np.float32(f) * points[:, k] / z + np.float32(c - 0.5)
            for k, (f, c) in enumerate(((camera.fx, camera.cx), (camera.fy, camera.cy)))
        )
        return np.asarray(_holds_centre(u, faces, MARGIN_PX) & _holds_centre(v, faces, MARGIN_PX) | keep)

    def depth(self, far: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return far  # directions have z = 1


@dataclass(frozen=True)
class _Distorted:
    camera: Camera
    lens: BrownConrady | Fisheye

    @property
    def bend(self) -> float:
        """The largest curvature of a straight line's image, per pixel."""
        return BEND / min(self.camera.fx, self.camera.fy)

    @cached_property
    def table(self) -> Vec:
        """(h, w, 3) directions through the centres of the image's own pixels, computed once for all objects."""
        return self._computed((0, 0, self.camera.width, self.camera.height))

    def _computed(self, box: Box) -> Vec:
        x, y = np.meshgrid(np.arange(box[0], box[2]) + 0.5, np.arange(box[1], box[3]) + 0.5)
        return rays(self.camera, np.stack([x.ravel(), y.ravel()], axis=1)).reshape(*x.shape, 3)

    def directions(self, box: Box) -> tuple[Points, Bools]:
        x0, y0, x1, y1 = box
        inside = x0 >= 0 and y0 >= 0 and x1 <= self.camera.width and y1 <= self.camera.height
        out = (self.table[y0:y1, x0:x1] if inside else self._computed(box)).reshape(-1, 3).astype(np.float32)
        blind = np.isnan(out[:, 0])
        out[blind] = 0.0, 0.0, 1.0
        return out, blind

    def box(self, points: Points) -> Box:
        around = self._around(points.astype(np.float64))
        if around is None:
            return self._all()
        at = image(self.camera, around)
        seen = ~np.isnan(at[:, 0])
        if isinstance(self.lens, Fisheye) and not seen.all():
            return self._all()
        if not seen.any():
            return (0, 0, 0, 0)
        at = at[seen]
        # Between two samples the outline of what surrounds the object bulges by chord² · curvature / 8.
        width = (at.max(axis=0) - at.min(axis=0)).max()
        return _clipped(self.camera, at, margin=self.bend * (4 * width / SAMPLES) ** 2 / 8)

    def _all(self) -> Box:
        """Every pixel that has a ray, within one image size beyond each border."""
        c, far = self.camera, min(self.lens.reach, 1e6)
        return _clipped(c, np.array([[c.cx - far * c.fx, c.cy - far * c.fy], [c.cx + far * c.fx, c.cy + far * c.fy]]))

    def _around(self, points: Vec) -> Vec | None:
        """Directions on the boundary of what holds all points, and all between them; None where that has no bounds."""
        if isinstance(self.lens, Fisheye):
            return _cone(points)
        return _rectangle(points, self.lens.limit)

    def in_reach(self, points: Points, faces: npt.NDArray[np.int32]) -> Bools:
        at = image(self.camera, points.astype(np.float64)) - 0.5
        u, v = (np.where(np.isnan(a), 0.0, a) for a in at.T)
        keep = np.isnan(at[:, 0])[faces].any(axis=1)  # part of the triangle has no image: anything may be
        for a in (u, v):
            corners = a[faces]
            keep |= corners.max(axis=1) - corners.min(axis=1) > SMALL_PX
        margin = MARGIN_PX + self.bend * SMALL_PX**2 / 4
        return np.asarray(_holds_centre(u, faces, margin) & _holds_centre(v, faces, margin) | keep)

    def depth(self, far: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if isinstance(self.lens, BrownConrady):
            return far  # directions have z = 1
        met = np.isfinite(far)
        return np.where(met, np.where(met, far, 0) * self.table[..., 2], np.inf).astype(np.float32)


def _rectangle(points: Vec, limit: float) -> Vec | None:
    """Directions with z = 1 all over the rectangle of x/z and y/z that holds the points, as far as the lens sees."""
    z = points[:, 2]
    if z.max() <= 0:
        return np.zeros((0, 3))
    if z.min() < NEAR_M:
        return None
    at = points[:, :2] / z[:, None]
    low, high = np.clip(at.min(axis=0), -limit, limit), np.clip(at.max(axis=0), -limit, limit)
    x, y = np.meshgrid(*(np.linspace(a, b, SAMPLES) for a, b in zip(low, high, strict=True)))
    grid = np.stack([x.ravel(), y.ravel()], axis=1)
    if np.isfinite(limit):  # where the rectangle leaves what the lens sees, that ends on a circle
        angle = np.linspace(0, 2 * np.pi, 8 * SAMPLES)
        ring = limit * (1 - 1e-7) * np.column_stack([np.cos(angle), np.sin(angle)])
        grid = np.concatenate([grid, ring[((ring >= low) & (ring <= high)).all(axis=1)]])
    return np.column_stack([grid, np.ones(len(grid))])


def _cone(points: Vec) -> Vec | None:
    """Unit directions around the cone that holds the points; None when it is wide, or the camera lies among them."""
    far = np.linalg.norm(points, axis=1)
    if far.min() < NEAR_M:
        return None
    unit = points / far[:, None]
    axis = unit.mean(axis=0)
    length = np.linalg.norm(axis)
    if length < 0.1:
        return None
    axis /= length
    cosine = (unit @ axis).min()
    if cosine < 0.1 or (axis[2] < 0 and -axis[2] > cosine - 0.1):  # wide, or near to what lies straight behind
        return None
    sine = np.sqrt(max(1 - cosine**2, 0.0))
    side = np.cross(axis, np.eye(3)[np.abs(axis).argmin()])
    side /= np.linalg.norm(side)
    turn = np.linspace(0, 2 * np.pi, 4 * SAMPLES)[:, None]
    return np.asarray(cosine * axis + sine * (np.cos(turn) * side + np.sin(turn) * np.cross(axis, side)))


def _clipped(camera: Camera, at: Vec, margin: float = 0.0) -> Box:
    """The pixels between image points, and one more, at most one image size beyond each border."""
    w, h = camera.width, camera.height
    low, high = np.floor(at.min(axis=0) - margin) - 1, np.ceil(at.max(axis=0) + margin) + 1
    low, high = np.broadcast_to(low, 2), np.broadcast_to(high, 2)
    x0, x1 = int(max(low[0], -w)), int(min(high[0], 2 * w))
    y0, y1 = int(max(low[1], -h)), int(min(high[1], 2 * h))
    return (x0, y0, max(x0, x1), max(y0, y1))


def _holds_centre(at: npt.NDArray[np.floating[Any]], faces: npt.NDArray[np.int32], margin: float) -> Bools:
    """(F,) whether the triangles' extents along one image axis hold a pixel centre; `at` counts from a centre."""
    first, last = np.ceil(at - margin), np.floor(at + margin)
    a, b, d = faces.T
    low = np.minimum(np.minimum(first[a], first[b]), first[d])
    return np.asarray(low <= np.maximum(np.maximum(last[a], last[b]), last[d]))
