"""The table of a photograph in Cycles: not seen itself, it catches what the objects do to its light."""

from __future__ import annotations

import bpy
import numpy as np

from ..scenes.scene import Backplate, Scene
from .composite import behind
from .shader_graph import Graph

__all__ = ["catch", "table"]

#: No table reflects more than fresh snow.
MOST = 0.9


def table(scene: Scene) -> bpy.types.Material:
    """What the objects see of the table: the photograph, thrown onto it from the camera, as the colour of a surface.

    A well exposed photograph shows about the reflectance of what it shows. Light that bounces from the table to the
    objects, and the table in their reflections, are then those of the photograph.
    """
    assert scene.backplate is not None
    made = bpy.data.materials.new("backplate")
    made.use_nodes = True
    made.node_tree.nodes.clear()
    g = Graph(made.node_tree, 0, 0.0)
    at = g.call("ShaderNodeTexCoord", {}, "Window")
    image = _image(scene, scene.backplate)
    seen = g.call("ShaderNodeTexImage", {"Vector": at}, "Color", image=image, extension="EXTEND")
    shader = g.principled(base_color=seen, roughness=scene.backplate.roughness)
    made.node_tree.links.new(shader, g.node("ShaderNodeOutputMaterial").inputs["Surface"])
    return made


def _image(scene: Scene, backplate: Backplate) -> bpy.types.Image:
    light = behind(scene)
    image = bpy.data.images.new("backplate", light.shape[1], light.shape[0], float_buffer=True, is_data=True)
    texels = np.ones((*light.shape[:2], 4), np.float32)
    texels[..., :3] = np.minimum(light * backplate.reflectance, MOST)[::-1]  # the first row is the bottom one
    image.pixels.foreach_set(texels.ravel())
    return image


def catch(target: bpy.types.Scene, surface: bpy.types.Object) -> None:
    """Make a surface of a built scene catch shadows, and leave the world out of the picture."""
    surface.is_shadow_catcher = True
    target.render.film_transparent = True
    target.view_layers[0].cycles.use_pass_shadow_catcher = True
