"""A material as plain data, made into Blender's shader nodes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

from ..assets.defects.patch import Mark
from ..assets.image_size import check_image
from ..assets.material import FileRef, Material, Texture
from ..assets.materials import material
from ..errors import AssetError
from .shader_broken import fractured
from .shader_glossy import acrylic, felt, marbled, speckled
from .shader_graph import Graph
from .shader_leather import leather
from .shader_machined import anodised, milled, turned
from .shader_metals import black_oxide, brass, brushed_steel, cast_steel, painted_metal, zinc
from .shader_natural import cardboard, concrete, fabric, paper, wood
from .shader_patterned import belt, checker, cutting_mat, graph_paper, powder_coat, stripes, tiles
from .shader_pictured import Pictures, textured
from .shader_polymers import ceramic, glass, plastic, rubber
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
    "leather": leather,
    "turned": turned,
    "milled": milled,
    "anodised": anodised,
    "fractured": fractured,
}


def build(
    described: Material, locate: Callable[[FileRef], Path], pixel: float, scale: float = 1.0,
    marks: tuple[Mark, ...] = (), moved: bool = False,
) -> Any:  # fmt: skip
    """The `bpy.types.Material` of a description; the same description always gives the same nodes.

    Patterns live in Object texture coordinates, so the mesh must be in metres. `locate` finds a texture's files;
    `pixel` is how many metres of a surface one pixel of the camera sees from a metre away; `scale` is that of the
    object, whatever which textures keep their size. `marks` are the defects of its object, for whose faces the mesh
    needs the attributes of `defect_image.attributes`; `moved` says that the mesh has `shader_graph.MOVED`.
    Raises AssetError for what `assets.materials.material` refuses, and for a texture that Blender cannot read.
    """
    checked = material(described.family, described.values, described.seed, described.texture)
    values: dict[str, Any] = dict(checked.values)
    if checked.texture is not None:
        values["pictures"] = _loaded(checked.texture, locate, scale)
    made = bpy.data.materials.new(checked.family)
    made.use_nodes = True
    made.node_tree.nodes.clear()
    g = Graph(made.node_tree, checked.seed, pixel, marks, moved)
    surface = BUILDERS[checked.family](g, values)
    made.node_tree.links.new(surface, g.node("ShaderNodeOutputMaterial").inputs["Surface"])
    return made


def _loaded(texture: Texture, locate: Callable[[FileRef], Path], scale: float) -> Pictures:
    images: dict[str, bpy.types.Image] = {}
    for role, ref in texture.maps.items():
        images[role] = _image(ref, locate, is_colour=role == "colour")
    return Pictures(texture, images, scale)


def _image(ref: FileRef, locate: Callable[[FileRef], Path], is_colour: bool) -> bpy.types.Image:
    """A picture in its colour space: once for all materials of a scene, but never one picture for both meanings."""
    name = f"{ref.sha256[:40]} {'colour' if is_colour else 'data'}"  # Blender's names have 63 characters
    known = bpy.data.images.get(name)
    if known is not None:
        return known
    path = locate(ref)
    check_image(path.read_bytes(), ref.name)  # all of it: a TIFF may say its size at its end
    image = bpy.data.images.load(str(path), check_existing=False)
    if image.source != "FILE" or not image.size[0]:
        raise AssetError(f"Blender cannot read {ref.name} as a texture: save it as PNG, JPEG or EXR")
    image.name = name
    image.alpha_mode = "NONE"
    linear = "Linear Rec.709" if Path(ref.name).suffix.lower() == ".exr" else "sRGB"
    image.colorspace_settings.name = linear if is_colour else "Non-Color"
    return image
