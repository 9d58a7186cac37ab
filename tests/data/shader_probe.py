"""Builds every material family in Blender and prints, as JSON, what `test_materials.py` asks about it.

A program of its own, because bpy changes the process that imports it: `python shader_probe.py` → family → answers.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import bpy
import cv2
import numpy as np

from scenewright.assets.material import FileRef, Texture
from scenewright.assets.materials import FAMILIES, material
from scenewright.render.shaders import build

PICTURE = FileRef(name="checks_color.png", sha256="0" * 64)


def built(family: str, seed: int, folder: Path) -> Any:
    """The Blender material of a family's defaults; pictures lie by values, where other patterns lie by the seed."""
    if not FAMILIES[family].needs_texture:
        return build(material(family, {}, seed), lambda ref: folder / ref.name, 0.001)
    texture = Texture(name="checks", maps={"colour": PICTURE, "roughness": PICTURE, "normal": PICTURE})
    placed = material(family, {"tile_m": 0.03, "turn_deg": 30.0 * seed}, 0, texture)
    return build(placed, lambda ref: folder / ref.name, 0.001)


def unreached(tree: Any) -> list[str]:
    """Nodes from which no way leads to the output."""
    front = [node.name for node in tree.nodes if node.bl_idname == "ShaderNodeOutputMaterial"]
    reached: set[str] = set()
    while front:
        name = front.pop()
        if name not in reached:
            reached.add(name)
            front += [link.from_node.name for link in tree.links if link.to_node.name == name]
    return sorted({node.name for node in tree.nodes} - reached)


def textures(tree: Any) -> int:
    """How many nodes compute a pattern."""
    kinds = [node.bl_idname for node in tree.nodes]
    return sum(kind.startswith("ShaderNodeTex") and kind != "ShaderNodeTexCoord" for kind in kinds)


def signature(tree: Any) -> list[Any]:
    """Everything that the pictures depend on: nodes with their constants, and links."""
    constants = [
        [node.bl_idname, *(plain(s.default_value) for s in node.inputs if hasattr(s, "default_value"))]
        for node in tree.nodes
    ]
    ends = [(k.from_node.name, k.from_socket.identifier, k.to_node.name, k.to_socket.identifier) for k in tree.links]
    return [constants, ends]


def plain(value: Any) -> Any:
    """A socket's default as Python numbers."""
    return tuple(value) if hasattr(value, "__len__") else value


def picture(family: str, seed: int, folder: Path) -> Any:
    """A 32×32 render of a 4 cm square of the material from above, (32, 32, 3) uint8."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    settings = bpy.context.scene
    mesh = bpy.data.meshes.new("square")
    mesh.from_pydata([(-0.02, -0.02, 0), (0.02, -0.02, 0), (0.02, 0.02, 0), (-0.02, 0.02, 0)], [], [(0, 1, 2, 3)])
    uv = mesh.uv_layers.new(name="uv")
    for loop, corner in zip(uv.data, ((0, 0), (1, 0), (1, 1), (0, 1)), strict=True):
        loop.uv = corner
    mesh.materials.append(built(family, seed, folder))
    camera = bpy.data.cameras.new("camera")
    camera.type, camera.ortho_scale = "ORTHO", 0.04
    settings.camera = bpy.data.objects.new("camera", camera)
    settings.camera.location.z = 0.1
    settings.collection.objects.link(settings.camera)
    settings.collection.objects.link(bpy.data.objects.new("square", mesh))
    settings.world = bpy.data.worlds.new("grey")
    settings.world.color = (0.6, 0.6, 0.6)
    settings.render.engine, settings.cycles.samples = "CYCLES", 4
    settings.cycles.use_denoising = False
    settings.render.resolution_x = settings.render.resolution_y = 32
    settings.render.filepath = str(folder / "square.png")
    bpy.ops.render.render(write_still=True)
    return cv2.imread(settings.render.filepath)


def answers(family: str, folder: Path) -> dict[str, Any]:
    """What the tests want to know of one family."""
    trees = [built(family, seed, folder).node_tree for seed in (1, 1, 2)]
    first, again, other = map(signature, trees)
    found = {
        "unreached": unreached(trees[0]),
        "valid": all(link.is_valid for link in trees[0].links),
        "textures": textures(trees[0]),
        "same_tree": first == again,
        "other_tree": first != other,
    }
    seen, seen_again, seen_other = (picture(family, seed, folder) for seed in (1, 1, 2))
    same, differs = np.array_equal(seen, seen_again), not np.array_equal(seen, seen_other)
    return {**found, "brightness": float(seen.mean()), "same_picture": same, "other_picture": differs}


def main() -> None:
    """Blender writes to standard output: the answers go to the file that the first argument names."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checks = np.indices((8, 8)).sum(axis=0) % 2 * 255
        cv2.imwrite(str(folder / PICTURE.name), checks.astype(np.uint8))
        result = {family: answers(family, folder) for family in FAMILIES}
    Path(sys.argv[1]).write_text(json.dumps(result), "utf-8")


if __name__ == "__main__":
    main()
