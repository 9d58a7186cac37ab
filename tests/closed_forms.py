"""Spheres, boxes and cylinders with images in closed form (ray intersections in float64), and scenes made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from scenewright.assets.material import Material
from scenewright.assets.mesh import Mesh
from scenewright.scenes.build import shape_mesh
from scenewright.scenes.cameras import look_at
from scenewright.scenes.scene import Camera, RenderSettings, Scene, SceneObject, World, matrix

Vec = npt.NDArray[np.float64]
#: A pixel is safe to compare when nothing changes this far around its centre.
CLEAR_PX = 0.02
#: Library parameters so fine that facets stay within 0.002 px of the smooth body at the sizes used here.
FINE: dict[str, dict[str, float]] = {"sphere": {"subdivisions": 6}, "box": {}, "cylinder": {"segments": 2048}}


@dataclass(frozen=True)
class Body:
    """A convex body: `size` is (r, 0, 0), the box's edges, or (r, h, 0), in metres before `scale`."""

    kind: Literal["sphere", "box", "cylinder"]
    size: tuple[float, float, float]
    pose: Vec = field(repr=False)
    scale: float = 1.0

    def depth(self, camera: Camera, u: Vec, v: Vec) -> Vec:
        """Depth in metres along the optical axis of the first hit of the rays through image points; inf: missed."""
        cam_t_object = camera.extrinsics @ self.pose
        rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones_like(u)], axis=-1)
        # In the unscaled object frame; rays have z = 1 in the camera frame, so their parameter is the depth.
        start = -cam_t_object[:3, :3].T @ cam_t_object[:3, 3] / self.scale
        toward = rays @ cam_t_object[:3, :3] / self.scale
        near, far = {"sphere": _sphere, "box": _box, "cylinder": _cylinder}[self.kind](self.size, start, toward)
        return np.where((near <= far) & (near > 0), near, np.inf)

    def params(self) -> dict[str, float]:
        """What the library calls this body."""
        x, y, z = self.size
        given = {
            "sphere": {"radius_m": x},
            "box": {"x_m": x, "y_m": y, "z_m": z},
            "cylinder": {"radius_m": x, "height_m": y},
        }[self.kind]
        return {**given, **FINE[self.kind]}


def first(bodies: Sequence[Body], camera: Camera, u: Vec, v: Vec) -> tuple[npt.NDArray[np.int64], Vec]:
    """Ids (1 … n, 0: none) and depths in metres that rays through image points meet first."""
    depths = np.stack([b.depth(camera, u, v) for b in bodies])
    nearest = depths.min(axis=0)
    return np.where(np.isfinite(nearest), depths.argmin(axis=0) + 1, 0), nearest


def safe_ids(
    bodies: Sequence[Body], camera: Camera, clear_px: float = CLEAR_PX, border: int = 0
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Ids at the pixel centres, and where they stay the same all around; `border` images are added on every side."""
    u, v = grid(camera, border)
    ids, _ = first(bodies, camera, u, v)
    safe = np.ones(ids.shape, bool)
    for angle in np.arange(16) * np.pi / 8:
        around, _ = first(bodies, camera, u + clear_px * np.cos(angle), v + clear_px * np.sin(angle))
        safe &= around == ids
    return ids, safe


def grid(camera: Camera, border: int = 0) -> tuple[Vec, Vec]:
    """(h, w) u and v of all pixel centres, of `border` more images on every side too."""
    w, h, k = camera.width, camera.height, border
    u, v = np.meshgrid(np.arange(-k * w, (k + 1) * w) + 0.5, np.arange(-k * h, (k + 1) * h) + 0.5)
    return u, v


def scene_of(bodies: Sequence[Body], camera: Camera) -> tuple[Scene, dict[int, Mesh]]:
    """The scene of these bodies with ids 1, 2, …, nothing around them, and its meshes."""
    built = [shape_mesh(b.kind, b.params()) for b in bodies]
    objects = tuple(
        SceneObject(
            id=i, category=b.kind, category_id=1, mesh=ref, scale=b.scale, world_T_object=matrix(b.pose),
            materials={"body": Material(family="plastic")},
        ) for i, (b, (ref, _)) in enumerate(zip(bodies, built, strict=True), 1)
    )  # fmt: skip
    scene = Scene(
        recipe="closed forms", recipe_sha256="0" * 64, seed=0, index=0, group=0, categories=("body",), surface=None,
        world=World(hdri="studio"), objects=objects, camera=camera,
        render=RenderSettings(samples=1, denoise=False),
    )  # fmt: skip
    return scene, {o.id: mesh for o, (_, mesh) in zip(objects, built, strict=True)}


def odd_camera(width: int = 320, height: int = 240) -> Camera:
    """A tilted camera at 0.7 m from the origin: pixels that are not square, principal point off the middle."""
    pose = look_at(np.array([0.40, -0.45, 0.36]), np.zeros(3), np.array([0.0, 0.0, 1.0]), roll=0.2)
    s = width / 320
    return Camera(
        width=width, height=height, fx=800 * s, fy=760 * s, cx=141.3 * s, cy=133.8 * s, cam_T_world=matrix(pose)
    )  # fmt: skip


def layout(seed: int) -> list[Body]:
    """Two bodies of each kind, turned at random, close enough to hide each other and to leave `odd_camera`'s image."""
    rng = np.random.default_rng(seed)
    bodies: list[Body] = []
    for kind in ("sphere", "box", "cylinder") * 2:
        pose = np.eye(4)
        pose[:3, :3] = Rotation.from_quat(rng.normal(size=4)).as_matrix()
        pose[:3, 3] = rng.uniform(-1, 1, 3) * [0.14, 0.14, 0.06]
        a, b, c = rng.uniform(0.02, 0.06, 3)
        size = {"sphere": (0.4 * a + 0.005, 0.0, 0.0), "box": (a, b, c), "cylinder": (a / 2, 1.5 * b, 0.0)}[kind]
        bodies.append(Body(kind, size, pose, float(rng.uniform(0.7, 1.1))))
    return bodies


def _sphere(size: tuple[float, float, float], start: Vec, toward: Vec) -> tuple[Vec, Vec]:
    """|start + t·toward| = r, solved for t; a ray off the tangent cone has no root."""
    a, b = (toward**2).sum(axis=-1), toward @ start
    root = b**2 - a * (start @ start - size[0] ** 2)
    half = np.sqrt(np.where(root >= 0, root, np.nan))
    near, far = (-b - half) / a, (-b + half) / a
    return np.where(root >= 0, near, np.inf), np.where(root >= 0, far, -np.inf)


def _box(size: tuple[float, float, float], start: Vec, toward: Vec) -> tuple[Vec, Vec]:
    """Between three pairs of planes (the slab method)."""
    spans = [_slab(size[k] / 2, start[k], toward[..., k]) for k in range(3)]
    return np.maximum.reduce([s[0] for s in spans]), np.minimum.reduce([s[1] for s in spans])


def _cylinder(size: tuple[float, float, float], start: Vec, toward: Vec) -> tuple[Vec, Vec]:
    """Inside an endless tube about z, between two planes."""
    tube = _sphere((size[0], 0, 0), start * [1, 1, 0], toward * [1, 1, 0])
    caps = _slab(size[1] / 2, start[2], toward[..., 2])
    return np.maximum(tube[0], caps[0]), np.minimum(tube[1], caps[1])


def _slab(half: float, start: float, toward: Vec) -> tuple[Vec, Vec]:
    a, b = (-half - start) / toward, (half - start) / toward
    return np.minimum(a, b), np.maximum(a, b)
