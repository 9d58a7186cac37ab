"""How thick glass is, which EEVEE asks of a material: it sees the front of a thing only, and guesses a solid ball."""

from __future__ import annotations

import bmesh
import bpy

__all__ = ["thicken"]

_REFRACTING = ("ShaderNodeBsdfGlass", "ShaderNodeBsdfRefraction")
#: A wall is thinner than this share of the least of an object's dimensions; anything else is solid.
WALL = 0.25
#: Panes without a back have no volume.
LEAST_M = 5e-4


def thicken(item: bpy.types.Object) -> None:
    """Tell the refracting materials of an object with thin walls how thick these are; solid ones stay balls.

    A closed sheet of thickness t and area A on each side has the volume A t, so t is twice the volume over the surface.
    """
    clear = [m for m in item.data.materials if m is not None and m.use_nodes and _refracts(m.node_tree)]
    if not clear:
        return
    mesh = bmesh.new()
    try:
        mesh.from_mesh(item.data)
        area = sum(face.calc_area() for face in mesh.faces)
        thickness = max(LEAST_M, 2 * abs(mesh.calc_volume()) / area)
    finally:
        mesh.free()
    scale = item.matrix_world.median_scale
    if thickness * scale > WALL * min(item.dimensions):
        return
    for material in clear:
        material.thickness_mode = "SLAB"
        value = material.node_tree.nodes.new("ShaderNodeValue")
        value.outputs[0].default_value = thickness * scale
        for node in material.node_tree.nodes:
            if node.bl_idname == "ShaderNodeOutputMaterial":
                material.node_tree.links.new(value.outputs[0], node.inputs["Thickness"])


def _refracts(tree: bpy.types.NodeTree) -> bool:
    return any(_bends(node) for node in tree.nodes)


def _bends(node: bpy.types.Node) -> bool:
    if node.bl_idname == "ShaderNodeBsdfPrincipled":
        weight = node.inputs["Transmission Weight"]
        return bool(weight.is_linked or weight.default_value > 0)
    if node.bl_idname == "ShaderNodeGroup":
        return node.node_tree is not None and _refracts(node.node_tree)
    return node.bl_idname in _REFRACTING
