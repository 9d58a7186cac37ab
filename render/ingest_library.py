"""A .blend that holds one mesh and what its materials need, to render from; and taking the mesh out of it again."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..assets.mesh import Mesh
from ..assets.reach import real
from ..errors import AssetError
from .ingest_blend import images_of, nodes_of, reads_file
from .ingest_mesh import Corners

__all__ = ["MESH", "append", "write"]

#: The name of the mesh in a library.
MESH = "ingested"
#: What may be in one: whatever else a material drags along is not wanted.
KINDS = {"meshes", "materials", "images", "node_groups"}


def write(mesh: Mesh, corners: Corners, target: Path, name: str) -> None:
    """Write the library of a mesh.

    Raises:
        AssetError: a material depends on something that is no part of it.
    """
    data = bpy.data.meshes.new(MESH)
    data.name = MESH
    n = len(mesh.faces)
    data.vertices.add(len(mesh.vertices))
    data.vertices.foreach_set("co", mesh.vertices.astype(np.float32).ravel())
    data.loops.add(3 * n)
    data.loops.foreach_set("vertex_index", mesh.faces.ravel())
    data.polygons.add(n)
    data.polygons.foreach_set("loop_start", np.arange(0, 3 * n, 3, dtype=np.int32))
    data.polygons.foreach_set("material_index", mesh.face_part.astype(np.int32))
    data.polygons.foreach_set("use_smooth", np.ones(n, bool))
    for key, uv in corners.uvs.items():
        data.uv_layers.new(name=key).uv.foreach_set("vector", uv.ravel())
    for key, colour in corners.colours.items():
        data.color_attributes.new(key, "FLOAT_COLOR", "CORNER").data.foreach_set("color", colour.ravel())
    data.update(calc_edges=True)
    data.normals_split_custom_set(corners.normals.reshape(-1, 3).tolist())
    for material in corners.materials:
        data.materials.append(None if material is None else _plain(material))
    bpy.data.libraries.write(str(target), {data}, path_remap="NONE", fake_user=True, compress=True)
    with bpy.data.libraries.load(str(target)) as (held, _):
        strange = {kind: getattr(held, kind) for kind in dir(held) if kind not in KINDS and getattr(held, kind)}
    if strange:
        kind, names = next(iter(strange.items()))
        raise AssetError(
            f"{name}: a material looks at other data of the file ({kind}: {', '.join(names)}): bake it to textures"
        )


def _plain(material: Any) -> Any:
    """The material without what is no part of how a surface looks; geometry is what the triangles say."""
    material.displacement_method = "BUMP"
    for key in list(material.keys()):
        del material[key]
    return material


def append(library: Path, mesh: Mesh) -> Any:
    """Take the mesh of a library into the current file, with its materials.

    Raises:
        AssetError: its triangles are not those of `mesh`, to the last bit, or it names files besides.
    """
    known = {item.name for item in bpy.data.libraries}
    with bpy.data.libraries.load(str(library), link=False) as (held, wanted):
        if MESH not in held.meshes:
            raise AssetError(f"{library.name} holds no ingested mesh: restore it, or ingest its source again")
        wanted.meshes = [MESH]
    data = wanted.meshes[0]
    for material in data.materials:
        tree = None if material is None else material.node_tree
        for owner in (material, tree):
            if owner is not None and owner.animation_data is not None:
                owner.animation_data_clear()
    _check_whole(library, data.materials, known)
    if not _equal(data, mesh):
        raise AssetError(
            f"{library.name} has other triangles than the ray engine's mesh: restore the dataset's assets, or ingest"
            " the source again"
        )
    return data


def _check_whole(library: Path, materials: Iterable[Any], known: Collection[str]) -> None:
    """A library of ours has all in it that it needs; one that came with a stranger's dataset may not be ours."""
    used = list(materials)
    others = [item for item in bpy.data.libraries if item.name not in known]
    named = [item.filepath for item in others if real(Path(bpy.path.abspath(item.filepath))) != real(library)]
    named += [i.filepath or i.name for i in images_of(used) if i.source != "GENERATED" and i.packed_file is None]
    named += [f"the node {node.name!r}" for node in nodes_of(used) if reads_file(node)]
    if named:
        raise AssetError(f"{library.name} reads more than itself ({named[0]:.120}): ingest its source again")


def _equal(data: Any, mesh: Mesh) -> bool:
    if (len(data.vertices), len(data.polygons), len(data.loops)) != (
        len(mesh.vertices), len(mesh.faces), 3 * len(mesh.faces),
    ) or len(data.materials) != len(mesh.part_names):  # fmt: skip
        return False
    co = np.empty(3 * len(mesh.vertices), np.float32)
    data.vertices.foreach_get("co", co)
    corner = np.empty(3 * len(mesh.faces), np.int32)
    data.loops.foreach_get("vertex_index", corner)
    part = np.empty(len(mesh.faces), np.int32)
    data.polygons.foreach_get("material_index", part)
    return (
        np.array_equal(co, mesh.vertices.astype(np.float32).ravel())
        and np.array_equal(corner, mesh.faces.ravel())
        and np.array_equal(part, mesh.face_part)
    )
