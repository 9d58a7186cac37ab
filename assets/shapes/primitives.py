"""Sphere, box and cylinder: simple bodies for scenes, and bodies whose silhouettes have a closed form for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from ..mesh import Mesh
from .base import Params, Solid, centred, fillet, number, revolve
from .completed import completed

__all__ = [
    "BoxParams",
    "CylinderParams",
    "SphereParams",
    "box",
    "box_rand",
    "cylinder",
    "cylinder_rand",
    "rounded_box",
    "sphere",
    "sphere_rand",
]

Length = Annotated[float, Field(gt=0, le=10, description="metres")]


class SphereParams(Params):
    """A sphere. Its triangles lie inside it by at most 0.292 · 4^-subdivisions of the radius."""

    radius_m: Length
    subdivisions: Annotated[int, Field(ge=1, le=7, description="an icosahedron's faces are split this often")] = 5


class BoxParams(Params):
    """A box with edges rounded by `edge_m`; 0 gives the exact box of 12 triangles."""

    x_m: Length
    y_m: Length
    z_m: Length
    edge_m: Annotated[float, Field(ge=0, description="radius of edges and corners")] = 0.0

    @model_validator(mode="after")
    def _edge_fits(self) -> BoxParams:
        if self.edge_m >= min(self.x_m, self.y_m, self.z_m) / 2:
            raise ValueError(f"edge_m {self.edge_m} must be under half the shortest side: lower it, or use a sphere")
        return self


class CylinderParams(Params):
    """An upright cylinder; its vertices lie on the circle. `edge_m` rounds both rims, 0 leaves them sharp."""

    radius_m: Length
    height_m: Length
    segments: Annotated[int, Field(ge=3, le=2048, description="steps around the axis")] = 96
    edge_m: Annotated[float, Field(ge=0, description="radius of the rims")] = 0.0

    @model_validator(mode="after")
    def _edge_fits(self) -> CylinderParams:
        if self.edge_m >= min(self.radius_m, self.height_m / 2):
            raise ValueError(f"edge_m {self.edge_m} must be under the radius and under half the height: lower it")
        return self


def sphere(p: SphereParams) -> Mesh:
    """An icosphere; keypoints centre, top, bottom."""
    import trimesh  # here, as all the other shapes do without it, and it takes a sixth of a worker's start

    ball = trimesh.creation.icosphere(subdivisions=p.subdivisions, radius=p.radius_m)
    r = p.radius_m
    points = {"centre": (0, 0, 0), "top": (0, 0, r), "bottom": (0, 0, -r)}
    return centred(np.array(ball.vertices, dtype=np.float64), np.array(ball.faces, dtype=np.int32), keypoints=points)


def box(p: BoxParams) -> Mesh:
    """A box; keypoints corner_0 … corner_7 (bits x, y, z of the number choose the side), without the rounding."""
    half = np.array([p.x_m, p.y_m, p.z_m]) / 2
    v, f = rounded_box((p.x_m, p.y_m, p.z_m), p.edge_m)
    signs = [[1 if i >> axis & 1 else -1 for axis in range(3)] for i in range(8)]
    return centred(v, f, keypoints={f"corner_{i}": half * s for i, s in enumerate(signs)})


def cylinder(p: CylinderParams) -> Mesh:
    """A cylinder along z; keypoints top, bottom, rim_0 (on the x axis, half-way up)."""
    r, h, e = p.radius_m, p.height_m, p.edge_m
    v, f = revolve(fillet([(0, 0, 0), (r, 0, e), (r, h, e), (0, h, 0)]), p.segments)
    return centred(v, f, keypoints={"top": (0, 0, h), "bottom": (0, 0, 0), "rim_0": (r, 0, h / 2)})


def sphere_rand(rng: np.random.Generator, given: Mapping[str, object]) -> SphereParams:
    """A ball of 1 to 4 cm radius."""
    drawn = {"radius_m": rng.uniform(0.01, 0.04)}
    return SphereParams.model_validate({**drawn, **given})


def box_rand(rng: np.random.Generator, given: Mapping[str, object]) -> BoxParams:
    """A block with sides of 2 to 8 cm and slightly rounded edges."""
    drawn: dict[str, Any] = {side: rng.uniform(0.02, 0.08) for side in ("x_m", "y_m", "z_m")}
    drawn["edge_m"] = rng.uniform(0.0004, 0.0012)
    round_m = 2 * number(given, "edge_m", 0.0)
    fitted = {side: min(10.0, drawn[side] + round_m) for side in ("x_m", "y_m", "z_m")}
    shortest = min(number(given, side, length) for side, length in fitted.items())
    fitted["edge_m"] = drawn["edge_m"] * min(1.0, shortest / 0.02)
    return completed(BoxParams, given, drawn, [fitted])


def cylinder_rand(rng: np.random.Generator, given: Mapping[str, object]) -> CylinderParams:
    """A rod of 0.8 to 3 cm radius and 2 to 10 cm height with slightly rounded rims."""
    drawn = {
        "radius_m": rng.uniform(0.008, 0.03),
        "height_m": rng.uniform(0.02, 0.10),
        "edge_m": rng.uniform(0.0003, 0.001),
    }
    edge = number(given, "edge_m", 0.0)
    radius, height = min(10.0, drawn["radius_m"] + edge), min(10.0, drawn["height_m"] + 2 * edge)
    shortest = min(number(given, "radius_m", radius), number(given, "height_m", height) / 2)
    fitted = {"radius_m": radius, "height_m": height, "edge_m": drawn["edge_m"] * min(1.0, shortest / 0.008)}
    return completed(CylinderParams, given, drawn, [fitted])


def rounded_box(size: tuple[float, float, float], edge: float, segments: int = 3) -> Solid:
    """A box centred on the origin; edges are quarter cylinders, corners eighths of spheres, of radius `edge` (metres).

    The surface is that of a lattice: a lattice line is a position of the inner box (`core`) plus a slope, and a lattice
    point is its core plus `edge` times the unit vector along its three slopes. `segments` is per half of an edge.
    """
    half = np.asarray(size, dtype=np.float64) / 2
    rise = np.tan(np.linspace(0.0, np.pi / 4, segments + 1)) if edge else np.ones(1)
    slope = np.concatenate([-rise[::-1], np.zeros(2 if edge else 0), rise])
    n = len(slope)
    core = np.repeat([-1.0, 1.0], n // 2) * (half - edge)[:, None]
    if edge:  # the two middle lines are supports
        core[:, [n // 2 - 1, n // 2]] *= 1 - np.minimum(0.5, 0.5 * edge / (half - edge))[:, None]
    quads = np.concatenate([_lattice_side(n, axis, end) for axis in range(3) for end in (0, n - 1)])
    used, faces = np.unique(np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]), return_inverse=True)
    at = np.stack(np.unravel_index(used, (n, n, n)), axis=-1)
    direction = slope[at]
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    vertices = np.stack([core[axis, at[:, axis]] for axis in range(3)], axis=-1) + edge * direction
    return vertices, faces.reshape(-1, 3).astype(np.int32)


def _lattice_side(n: int, axis: int, end: int) -> npt.NDArray[np.int64]:
    """(Q, 4) flat indices of the quads on one side of an n × n × n lattice, counter-clockwise from outside."""
    i, j = (a.ravel() for a in np.meshgrid(np.arange(n - 1), np.arange(n - 1), indexing="ij"))
    stride = np.array([n * n, n, 1])
    u, v = (axis + 1) % 3, (axis + 2) % 3
    turn = [(0, 0), (1, 0), (1, 1), (0, 1)] if end else [(0, 0), (0, 1), (1, 1), (1, 0)]
    corners = [(i + du) * stride[u] + (j + dv) * stride[v] + end * stride[axis] for du, dv in turn]
    return np.stack(corners, axis=-1)
