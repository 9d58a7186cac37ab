"""A panorama for EEVEE: its lamps as suns of Blender's, and the rest, held to what is no lamp, as the world."""

from __future__ import annotations

import math
from functools import lru_cache

import bpy
import mathutils
import numpy as np

from ..scenes.scene_lights import World
from .panorama_lamps import Spot, spots

__all__ = ["add_lamps"]


def add_lamps(target: bpy.types.Scene, world: World) -> None:
    """Take the lamps out of a built scene's panorama and hang them into the scene; nothing where it has none.

    The camera still sees the panorama as it is.
    """
    tree = target.world.node_tree
    around = next((node for node in tree.nodes if node.bl_idname == "ShaderNodeTexEnvironment"), None)
    if around is None:
        return
    found, limit = _spots(around.image.filepath)
    for k, spot in enumerate(found):
        _hang(target, f"panorama {k}", spot, world)
    background = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeBackground")
    tree.links.new(_held(tree, around.outputs["Color"], limit), background.inputs["Color"])


@lru_cache(maxsize=64)
def _spots(path: str) -> tuple[tuple[Spot, ...], float]:
    """`spots` of a file, whose name changes with its content."""
    image = bpy.data.images.load(path)
    width, height = image.size
    texels = np.empty(4 * width * height, np.float32)
    image.pixels.foreach_get(texels)
    bpy.data.images.remove(image)
    return spots(np.ascontiguousarray(texels.reshape(height, width, 4)[::-1, :, :3]))


def _hang(target: bpy.types.Scene, name: str, spot: Spot, world: World) -> None:
    data = bpy.data.lights.new(name, "SUN")
    most = max(spot.irradiance)
    data.energy, data.color = most * world.strength, tuple(value / most for value in spot.irradiance)
    data.angle = min(spot.angle, math.pi)
    item = bpy.data.objects.new(name, data)
    target.collection.objects.link(item)
    # The panorama is looked up in the turned direction; a sun shines along its −z.
    towards = mathutils.Matrix.Rotation(-world.rotation, 3, "Z") @ mathutils.Vector(spot.direction)
    item.matrix_world = towards.to_track_quat("Z", "Y").to_matrix().to_4x4()


def _held(tree: bpy.types.NodeTree, color: bpy.types.NodeSocket, limit: float) -> bpy.types.NodeSocket:
    """The colour with a luminance of `limit` at most, but for the camera."""
    luma, most = tree.nodes.new("ShaderNodeRGBToBW"), tree.nodes.new("ShaderNodeMath")
    share, scaled = tree.nodes.new("ShaderNodeMath"), tree.nodes.new("ShaderNodeVectorMath")
    path, seen = tree.nodes.new("ShaderNodeLightPath"), tree.nodes.new("ShaderNodeMix")
    most.operation, share.operation, scaled.operation = "MAXIMUM", "DIVIDE", "SCALE"
    seen.data_type = "RGBA"
    most.inputs[1].default_value = share.inputs[0].default_value = limit
    tree.links.new(color, luma.inputs[0])
    tree.links.new(luma.outputs[0], most.inputs[0])
    tree.links.new(most.outputs[0], share.inputs[1])
    tree.links.new(color, scaled.inputs[0])
    tree.links.new(share.outputs[0], scaled.inputs["Scale"])
    tree.links.new(path.outputs["Is Camera Ray"], seen.inputs["Factor"])
    a, b = (socket for socket in seen.inputs if socket.type == "RGBA")
    tree.links.new(scaled.outputs[0], a)
    tree.links.new(color, b)
    return next(socket for socket in seen.outputs if socket.type == "RGBA")
