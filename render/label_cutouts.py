"""Meshes for the label render of which only a part is there: some faces, and faces with holes."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from ..assets.cutouts import Cutout
from ..assets.defects.patch import Mark
from ..scenes.bodies import Body
from .defect_image import attributes
from .label_defects import add_bits, bits_material
from .shader_graph import Graph

__all__ = ["part"]

UV = "uv"


def part(body: Body, met: npt.NDArray[np.bool_], found: tuple[Mark, ...] = ()) -> bpy.types.Mesh:
    """The faces `met` of a body, flat; those that are cut out have a material with the holes, the others none.

    Where there are defects, every face has a material that writes their bits.
    """
    mesh, data = body.mesh, bpy.data.meshes.new("part")
    corners = mesh.faces[met].astype(np.int32)
    data.vertices.add(len(mesh.vertices))
    data.vertices.foreach_set("co", mesh.vertices.astype(np.float32).ravel())
    data.loops.add(corners.size)
    data.loops.foreach_set("vertex_index", corners.ravel())
    data.polygons.add(len(corners))
    data.polygons.foreach_set("loop_start", np.arange(0, corners.size, 3, dtype=np.int32))
    data.polygons.foreach_set("use_smooth", np.zeros(len(corners), bool))
    if found:
        attributes(data, found, met)
    bits = bits_material(found) if found else None
    data.materials.append(bits)
    if body.gaps is not None:
        gaps = body.gaps.of(met)
        data.uv_layers.new(name=UV).uv.foreach_set("vector", gaps.uv.astype(np.float32).ravel())
        data.polygons.foreach_set("material_index", gaps.which.astype(np.int32) + 1)
        for cutout in gaps.cutouts:
            data.materials.append(_material(cutout, found))
    data.update(calc_edges=True)
    return data


def _material(cutout: Cutout, found: tuple[Mark, ...]) -> bpy.types.Material:
    made = bpy.data.materials.new("cut-out")
    made.use_nodes = True
    made.node_tree.nodes.clear()
    g = Graph(made.node_tree, 0, 0.0)
    uv = g.call("ShaderNodeUVMap", {}, uv_map=UV)
    colour = g.call(
        "ShaderNodeTexImage", {"Vector": uv}, "Color", image=_image(cutout), extension=cutout.extension,
        interpolation="Linear" if cutout.smooth else "Closest",
    )  # fmt: skip
    alpha, _, _ = g.split(colour)
    below = g.math("LESS_THAN", alpha, cutout.least)
    solid, clear = g.call("ShaderNodeBsdfDiffuse", {}), g.call("ShaderNodeBsdfTransparent", {})
    one, two = (clear, solid) if cutout.inverted else (solid, clear)
    either = g.call("ShaderNodeMixShader", {0: below, 1: one, 2: two})
    g.feed(g.node("ShaderNodeOutputMaterial").inputs["Surface"], either)
    if found:
        add_bits(g, found)
    return made


def _image(cutout: Cutout) -> Any:
    h, w = cutout.alpha.shape
    texels = np.ones((h * w, 4), np.float32)
    texels[:, :3] = (cutout.alpha.astype(np.float32) / np.float32(255)).reshape(-1, 1)
    image = bpy.data.images.new("cut-out", w, h, float_buffer=True, is_data=True)
    image.use_half_precision = False
    image.alpha_mode = "NONE"
    image.pixels.foreach_set(texels.ravel())
    return image
