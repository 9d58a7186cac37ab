"""The table as a mesh, the same for the renderer and for the ray engine."""

from __future__ import annotations

import numpy as np

from ..assets.mesh import Mesh
from .scene import Surface

__all__ = ["surface_mesh"]

BEVEL_M = 0.002


def surface_mesh(surface: Surface) -> Mesh:
    """A slab with bevelled edges whose top is the plane z = 0, in world coordinates (metres), centred on the z axis."""
    sx, sy = surface.size
    levels = [(0.0, BEVEL_M), (-BEVEL_M, 0.0), (-surface.thickness + BEVEL_M, 0.0), (-surface.thickness, BEVEL_M)]
    corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    rings = [np.column_stack([corners * [sx - 2 * b, sy - 2 * b], np.full(4, z)]) for z, b in levels]
    faces: list[tuple[int, int, int]] = [(0, 1, 2), (0, 2, 3)]
    for ring in range(len(levels) - 1):
        for k in range(4):
            a, b = 4 * ring + k, 4 * ring + (k + 1) % 4
            faces += [(a, a + 4, b), (b, a + 4, b + 4)]
    last = 4 * (len(levels) - 1)
    faces += [(last, last + 2, last + 1), (last, last + 3, last + 2)]
    return Mesh(np.vstack(rings), np.array(faces, np.int32), np.zeros(len(faces), np.uint8), smooth_angle=0.1)
