"""Lens distortion in Cycles: a portal in front of the camera that turns each ray into the one the lens demands.

Cycles' perspective camera knows no distortion, its fisheye not OpenCV's, and resampling a wider picture would blur it
and move its noise. So a small plane hangs in front of a pinhole camera with the same intrinsics. Its Ray Portal shader
(Blender 4.2 and later) finds the pixel that a ray belongs to, looks its direction up in a table that
`scenes.cameras.rays` made, and sends the ray on from the same point of the aperture. Cycles goes on as if the camera
had sent it: filter, noise threshold, denoiser passes, ids and depth (along the optical axis) are those of the picture's
own pixels.

The plane's frame is OpenCV's camera frame, so the shader computes in the plane's object space, which also follows a
camera that moves while the shutter is open.
"""

from __future__ import annotations

import bpy
import numpy as np

from ..scenes.cameras import BORDER_PX, check_lens, rays
from ..scenes.scene import Camera
from .shader_graph import Graph, Scalar, Wire

__all__ = ["mesh"]

#: The plane's distance from the aperture. Single precision places a point 1 m from the world's origin to 1e-7 m.
DISTANCE_M = 1e-3
#: Directions whose z is below this would have to go far sideways to get beyond the plane.
STEEP = 0.2


def mesh(camera: Camera, thin_lens: bool) -> bpy.types.Mesh:
    """The plane with its shader, in OpenCV's camera frame (metres), for a camera with a lens.

    `thin_lens` keeps the aperture's blur; without it all rays start from the camera's centre.
    """
    data = bpy.data.meshes.new("portal")
    aperture = camera.focal_m / camera.fstop / 2 if thin_lens and camera.fstop is not None else 0.0
    x, y = (
        1.1 * DISTANCE_M * (max(c, n - c) + BORDER_PX) / f + 2 * aperture
        for c, n, f in ((camera.cx, camera.width, camera.fx), (camera.cy, camera.height, camera.fy))
    )
    z = DISTANCE_M
    data.from_pydata([(-x, -y, z), (x, -y, z), (x, y, z), (-x, y, z)], [], [(0, 1, 2, 3)])
    data.materials.append(_material(camera, aperture > 0))
    return data


def _material(camera: Camera, thin_lens: bool) -> bpy.types.Material:
    material = bpy.data.materials.new("portal")
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    g = Graph(tree, 0, 0.0)
    geometry = g.node("ShaderNodeNewGeometry")
    dx, dy, dz = g.split(_turned(g, Wire(g, geometry.outputs["Incoming"]), "VECTOR", "WORLD", "OBJECT"))
    x, y = dx / dz, dy / dz
    ax: Scalar = 0.0
    ay: Scalar = 0.0
    if thin_lens:
        px, py, pz = g.split(_turned(g, Wire(g, geometry.outputs["Position"]), "POINT", "WORLD", "OBJECT"))
        # Back to the aperture, z = 0, and from there to the plane of focus, whose image point is the pixel.
        ax, ay = px - x * pz, py - y * pz
        x, y = x + ax / camera.focus_m, y + ay / camera.focus_m
    towards = _looked_up(g, camera, x, y)
    if thin_lens:
        tx, ty, tz = g.split(towards)
        towards = g.join(tx - ax / camera.focus_m, ty - ay / camera.focus_m, tz)
    tx, ty, tz = g.split(towards)
    # The turned ray starts beyond the plane; one that is nearly parallel to it starts before it, and passes it.
    ahead = g.math("DIVIDE", 1.05 * DISTANCE_M, g.math("MAXIMUM", tz, STEEP))
    start = _turned(g, g.join(ax + tx * ahead, ay + ty * ahead, tz * ahead), "POINT", "OBJECT", "WORLD")
    direction = g.vector("NORMALIZE", _turned(g, towards, "VECTOR", "OBJECT", "WORLD"))
    portal = g.call("ShaderNodeBsdfRayPortal", {"Position": start, "Direction": direction})
    passed = g.call("ShaderNodeLightPath", {}, "Transparent Depth")
    either = g.call("ShaderNodeMixShader", {0: passed, 1: portal, 2: g.call("ShaderNodeBsdfTransparent", {})})
    g.feed(g.node("ShaderNodeOutputMaterial").inputs["Surface"], either)
    return material


def _turned(g: Graph, vector: Wire, kind: str, source: str, target: str) -> Wire:
    return g.call("ShaderNodeVectorTransform", {0: vector}, vector_type=kind, convert_from=source, convert_to=target)


def _looked_up(g: Graph, camera: Camera, x: Wire, y: Wire) -> Wire:
    """The lens's direction, in the plane's object space, for the pixel whose point of a pinhole's image is (x, y)."""
    columns, rows = camera.width + 2 * BORDER_PX + 1, camera.height + 2 * BORDER_PX + 1
    s = (x * camera.fx + (camera.cx + BORDER_PX + 0.5)) / columns
    t = (y * camera.fy + (camera.cy + BORDER_PX + 0.5)) / rows
    return g.call(
        "ShaderNodeTexImage", {"Vector": g.join(s, t)}, "Color", image=_table(camera), interpolation="Linear",
        extension="EXTEND",
    )  # fmt: skip


def _table(camera: Camera) -> bpy.types.Image:
    """Directions at the corners of all pixels; straight lines between them err by less than 0.002 px."""
    check_lens(camera)
    u, v = (np.arange(-BORDER_PX, n + BORDER_PX + 1, dtype=np.float64) for n in (camera.width, camera.height))
    corners = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)
    texels = np.ones((len(corners), 4), np.float32)
    texels[:, :3] = rays(camera, corners)
    image = bpy.data.images.new("portal", len(u), len(v), float_buffer=True, is_data=True)
    image.use_half_precision = False
    image.alpha_mode = "NONE"
    image.pixels.foreach_set(texels.ravel())  # the first row is at t = 0
    return image
