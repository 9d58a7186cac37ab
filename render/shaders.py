"""A material as plain data, made into Blender's shader nodes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

from ..assets.material import FileRef, Material
from ..assets.materials import material
from .shader_glossy import acrylic, felt, marbled, speckled
from .shader_graph import Graph
from .shader_metals import black_oxide, brass, brushed_steel, cast_steel, painted_metal, zinc
from .shader_natural import cardboard, concrete, fabric, paper, wood
from .shader_patterned import belt, checker, cutting_mat, graph_paper, powder_coat, stripes, tiles
from .shader_polymers import ceramic, glass, plastic, rubber, textured
from .shader_print import printed

__all__ = ["build"]

BUILDERS: dict[str, Callable[[Graph, dict[str, Any]], Any]] = {
    "brushed_steel": brushed_steel,
    "cast_steel": cast_steel,
    "zinc": zinc,
    "brass": brass,
    "black_oxide": black_oxide,
    "painted_metal": painted_metal,
    "plastic": plastic,
    "rubber": rubber,
    "glass": glass,
    "ceramic": ceramic,
    "wood": wood,
    "cardboard": cardboard,
    "concrete": concrete,
    "fabric": fabric,
    "paper": paper,
    "printed": printed,
    "textured": textured,
    "acrylic": acrylic,
    "marbled": marbled,
    "speckled": speckled,
    "felt": felt,
    "checker": checker,
    "stripes": stripes,
    "cutting_mat": cutting_mat,
    "graph_paper": graph_paper,
    "tiles": tiles,
    "powder_coat": powder_coat,
    "belt": belt,
}


def build(described: Material, locate: Callable[[FileRef], Path], pixel: float) -> Any:
    """The `bpy.types.Material` of a description; the same description always gives the same nodes.

    Patterns live in Object texture coordinates, so the mesh must be in metres. `locate` finds a texture's file;
    `pixel` is how many metres of a surface one pixel of the camera sees from a metre away.
    Raises AssetError for what `assets.materials.material` refuses, and for a texture that Blender cannot read.
    """
    checked = material(described.family, described.values, described.seed, described.texture)
    values: dict[str, Any] = dict(checked.values)
    if checked.texture is not None:
        values["image"] = bpy.data.images.load(str(locate(checked.texture)), check_existing=True)
    made = bpy.data.materials.new(checked.family)
    made.use_nodes = True
    made.node_tree.nodes.clear()
    g = Graph(made.node_tree, checked.seed, pixel)
    surface = BUILDERS[checked.family](g, values)
    made.node_tree.links.new(surface, g.node("ShaderNodeOutputMaterial").inputs["Surface"])
    return made
