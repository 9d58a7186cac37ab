"""Defects in the label render: a pass of their own whose value has a bit for every defect of the object seen."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..assets.defects.layers import Layers
from ..assets.defects.patch import Mark
from .defect_image import coordinates, face, image, near
from .shader_graph import Graph, Wire

__all__ = ["PASS", "add_bits", "add_pass", "bits_material"]

PASS = "defects"


def add_pass(target: bpy.types.Scene) -> None:
    """Make the label scene write the pass."""
    layer = target.view_layers[0].aovs.add()
    layer.name, layer.type = PASS, "VALUE"


def bits_material(marks: tuple[Mark, ...]) -> bpy.types.Material:
    """An opaque surface that writes the bits of these defects."""
    made = bpy.data.materials.new(PASS)
    made.use_nodes = True
    made.node_tree.nodes.clear()
    g = Graph(made.node_tree, 0, 0.0)
    g.feed(g.node("ShaderNodeOutputMaterial").inputs["Surface"], g.call("ShaderNodeBsdfDiffuse", {}))
    add_bits(g, marks)
    return made


def add_bits(g: Graph, marks: tuple[Mark, ...]) -> None:
    """Add the output of the bits to a material of the label scene."""
    total: Any = 0.0
    for k, mark in enumerate(marks):
        total = _shown(g, mark, k) * float(1 << k) + total
    g.feed(g.node("ShaderNodeOutputAOV", aov_name=PASS).inputs["Value"], total)


def _shown(g: Graph, mark: Mark, k: int) -> Wire:
    """1 where the surface is the defect's: the same formula as `Mark.covers`."""
    made = face(g, f"made {k}")
    if mark.layers is None:
        return made
    uv, z = coordinates(g, mark)
    seen = g.call(
        "ShaderNodeTexImage", {"Vector": uv}, "Color", image=_mask(mark, mark.layers), extension="CLIP",
        interpolation="Linear",
    )  # fmt: skip
    drawn = (1.0 - g.math("LESS_THAN", g.split(seen)[0], 0.5)) * near(g, mark, k, uv, z)
    return g.math("MAXIMUM", made, drawn)


def _mask(mark: Mark, layers: Layers) -> bpy.types.Image:
    values = layers.mask.astype(np.float32) / np.float32(255)
    return image(f"mask {mark.defect.id}", np.repeat(values[..., None], 3, axis=2))
