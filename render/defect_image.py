"""What a defect draws, as images and as nodes that look them up where the surface lies in its patch."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from ..assets.defects.patch import Mark
from .shader_graph import Graph, Wire

__all__ = ["attributes", "coordinates", "face", "image", "near"]


def attributes(data: bpy.types.Mesh, marks: tuple[Mark, ...], kept: npt.NDArray[np.bool_] | None = None) -> None:
    """Write to a mesh, face by face, where its k-th defect can show ("open k") and which faces it has made ("made k").

    `kept` are the faces of the whole mesh that `data` has; None is all.
    """
    for k, mark in enumerate(marks):
        for name, values in (("open", mark.open), ("made", mark.made)):
            layer = data.attributes.new(f"{name} {k}", "FLOAT", "FACE")
            layer.data.foreach_set("value", (values if kept is None else values[kept]).astype(np.float32))


def image(name: str, rasters: npt.NDArray[np.float32]) -> bpy.types.Image:
    """A float image of rasters (h, w, 3), not of colours; the same one for all parts of an object."""
    known = bpy.data.images.get(name)
    if known is not None:
        return known
    h, w = rasters.shape[:2]
    made = bpy.data.images.new(name, w, h, alpha=False, float_buffer=True, is_data=True)
    made.use_half_precision, made.alpha_mode = False, "NONE"
    texels = np.ones((h, w, 4), np.float32)
    texels[..., :3] = rasters
    made.pixels.foreach_set(texels.ravel())
    return made


def coordinates(g: Graph, mark: Mark) -> tuple[Wire, Wire]:
    """Texture coordinates on the patch, 0 … 1 with z = 0, and the height above it in millimetres."""
    where = Wire(g, g.node("ShaderNodeTexCoord").outputs["Object"])
    m = mark.defect.to_patch
    x, y, z = (_row(g, where, m[k]) for k in range(3))
    w, h = mark.defect.size_mm
    return g.join(x / w + 0.5, y / h + 0.5), z


def near(g: Graph, mark: Mark, k: int, uv: Wire, z: Wire) -> Wire:
    """1 on the k-th defect's patch, on faces where it can show and that lie within its reach, 0 elsewhere."""
    u, v, _ = g.split(uv)
    out = g.math("MAXIMUM", abs(u - 0.5), abs(v - 0.5))
    within = g.math("LESS_THAN", out, 0.5) * g.math("LESS_THAN", abs(z), mark.defect.reach_mm)
    return face(g, f"open {k}") * within


def face(g: Graph, name: str) -> Wire:
    """A number of each face."""
    return g.call("ShaderNodeAttribute", {}, "Fac", attribute_type="GEOMETRY", attribute_name=name)


def _row(g: Graph, where: Wire, row: npt.NDArray[np.float64]) -> Wire:
    along: dict[Any, Any] = {0: where, 1: tuple(float(x) for x in row[:3])}
    return g.call("ShaderNodeVectorMath", along, "Value", operation="DOT_PRODUCT") + float(row[3])
