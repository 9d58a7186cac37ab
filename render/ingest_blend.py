"""Opening a .blend of a stranger: no script runs, nothing outside its folder is read, nothing grows without bound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import bpy

from ..assets.ingested import Source
from ..assets.mesh_files import MAX_TRIANGLES
from ..assets.mesh_sources import beside
from ..assets.reach import is_below, real
from ..errors import AssetError

__all__ = ["MAX_INSTANCES", "check_content", "images_of", "nodes_of", "open_file", "reads_file", "silence"]

MAX_INSTANCES = 10_000
#: Deeper than any kit of parts; Blender itself stops at eight.
MAX_DEPTH = 8
MAX_LEVELS = 6
#: Modifiers that read files or simulate.
REFUSED = {
    "MESH_CACHE": "reads a cache file", "MESH_SEQUENCE_CACHE": "reads a cache file", "FLUID": "is a simulation",
    "DYNAMIC_PAINT": "is a simulation", "OCEAN": "is a simulation", "VOLUME_TO_MESH": "reads a volume",
}  # fmt: skip


def open_file(source: Source) -> tuple[Any, float, tuple[Path, ...]]:
    """A collection with what is asked for, metres in one Blender unit, and the other files that belong to it.

    Raises:
        AssetError: the collection does not exist, or the file holds what is not allowed.
    """
    path = source.path
    bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False, use_scripts=False)
    if bpy.data.libraries:
        linked = ", ".join(sorted(lib.filepath for lib in bpy.data.libraries))
        raise AssetError(f"{path.name} links other files ({linked:.120}): make their data local, then save it again")
    original = bpy.context.scene
    if source.collection is None:
        chosen = original.collection
    else:
        chosen = bpy.data.collections.get(source.collection)
        if chosen is None:
            known = ", ".join(sorted(c.name for c in bpy.data.collections)) or "none"
            raise AssetError(f"{path.name} has no collection {source.collection!r}; it has {known}")
    silence()
    others = _outside_files(path)
    check_content(path, others)
    _check_growth(chosen, path.name)
    return _alone(chosen, original), float(original.unit_settings.scale_length), others


def silence() -> None:
    """Remove what computes values by Python or by time: drivers, animation, custom data that points elsewhere.

    Values stay as they were saved. With scripts switched off Blender runs no Python driver anyway; without drivers
    there is none to run.
    """
    for block in _blocks():
        for owner in (block, getattr(block, "node_tree", None), getattr(block, "shape_keys", None)):
            if owner is not None and getattr(owner, "animation_data", None) is not None:
                owner.animation_data_clear()
    for text in list(bpy.data.texts):
        bpy.data.texts.remove(text)


def check_content(path: Path, others: Iterable[Path]) -> None:
    """Refuse what reads files or runs code in materials and geometry nodes.

    Raises:
        AssetError: naming it.
    """
    allowed = {real(p) for p in others} | {real(path)}
    for image in bpy.data.images:
        if image.source == "FILE" and image.packed_file is None and image.filepath:
            place = Path(bpy.path.abspath(image.filepath))
            if real(place) not in allowed:
                beside(path, _below(path, place))
    for tree in [*bpy.data.node_groups, *(m.node_tree for m in bpy.data.materials if m.node_tree is not None)]:
        for node in tree.nodes:
            if node.bl_idname == "ShaderNodeScript":
                raise AssetError(f"{path.name}: the node tree {tree.name!r} runs an OSL script: bake it to a texture")
            if reads_file(node):
                raise AssetError(
                    f"{path.name}: the node {node.name!r} of {tree.name!r} reads a file: store it in the node"
                )
            if node.bl_idname.startswith("GeometryNodeImport"):
                raise AssetError(f"{path.name}: the node tree {tree.name!r} reads a file: apply its modifier")


def images_of(materials: Iterable[Any]) -> list[Any]:
    """The images that the node trees of materials use, groups included, each once."""
    images = (getattr(node, "image", None) for node in nodes_of(materials))
    return list({image.name: image for image in images if image is not None}.values())


def nodes_of(materials: Iterable[Any]) -> Iterator[Any]:
    """All nodes of the trees of materials, those of each group once."""
    seen: set[str] = set()
    waiting = [m.node_tree for m in materials if m is not None and m.node_tree is not None]
    while waiting:
        for node in waiting.pop().nodes:
            yield node
            group = getattr(node, "node_tree", None)
            if group is not None and group.name not in seen:
                seen.add(group.name)
                waiting.append(group)


def reads_file(node: Any) -> bool:
    """Whether the renderer would run a script for a node, or open a file that is no image."""
    is_profile = node.bl_idname == "ShaderNodeTexIES"
    return bool(node.bl_idname == "ShaderNodeScript" or (is_profile and node.mode == "EXTERNAL"))


def _blocks() -> Iterator[Any]:
    for kind in (
        "objects", "meshes", "curves", "metaballs", "materials", "node_groups", "scenes", "worlds", "images",
        "textures", "shape_keys", "lattices", "armatures", "cameras", "lights", "particles",
    ):  # fmt: skip
        yield from getattr(bpy.data, kind)


def _outside_files(path: Path) -> tuple[Path, ...]:
    """Files that the .blend names, checked to lie in its folder; missing ones are found when they are needed."""
    files = []
    for name in sorted(bpy.utils.blend_paths(absolute=True, packed=False, local=True)):
        place = Path(bpy.path.abspath(name))
        if real(place) == real(path):
            continue
        if is_below(place, path.parent) and not place.is_file():
            continue
        files.append(beside(path, _below(path, place)))
    return tuple(dict.fromkeys(files))


def _below(path: Path, place: Path) -> str:
    return str(place.relative_to(path.parent)) if place.is_relative_to(path.parent) else str(place)


def _check_growth(chosen: Any, name: str) -> None:
    """Estimate, before anything is evaluated, what modifiers and instances will make of it."""
    instances = _count(chosen, name, ())
    if instances > MAX_INSTANCES:
        raise AssetError(f"{name} makes more than {MAX_INSTANCES:,} instances: realise or thin them out")
    for item in chosen.all_objects:
        faces = len(item.data.polygons) if item.type == "MESH" else 1
        for modifier in item.modifiers:
            if not modifier.show_render:
                continue
            where = f"{name}: the modifier {modifier.name!r} of {item.name!r}"
            if modifier.type in REFUSED:
                raise AssetError(f"{where} {REFUSED[modifier.type]}: apply it, then save the file again")
            faces *= _growth(modifier, where)
            if faces > 4 * MAX_TRIANGLES:
                raise AssetError(f"{where} makes about {faces:,} faces, more than {MAX_TRIANGLES:,}: lower or apply it")


def _growth(modifier: Any, where: str) -> int:
    """By how much a modifier multiplies faces, at most."""
    if modifier.type in ("SUBSURF", "MULTIRES"):
        levels = modifier.render_levels
        if levels > MAX_LEVELS:
            raise AssetError(f"{where} subdivides {levels} times, more than {MAX_LEVELS}: lower it")
        return int(4**levels)
    if modifier.type == "ARRAY" and modifier.fit_type == "FIXED_COUNT":
        return int(max(1, modifier.count))
    if (
        modifier.type == "ARRAY"
        and modifier.constant_offset_displace.length + max(map(abs, modifier.relative_offset_displace)) < 1e-6
    ):
        raise AssetError(f"{where} fits a length with steps of no length: give it a count")
    if modifier.type == "SCREW":
        return int(max(1, modifier.render_steps) * max(1, modifier.iterations))
    return 1


def _count(collection: Any, name: str, above: tuple[str, ...]) -> int:
    """Objects that a collection shows, those of instanced collections included."""
    if collection.name in above:
        raise AssetError(f"{name}: the collection {collection.name!r} contains an instance of itself: remove that")
    if len(above) > MAX_DEPTH:
        raise AssetError(f"{name} nests collections more than {MAX_DEPTH} deep: realise the instances")
    total = 0
    for item in collection.all_objects:
        inner = item.instance_collection if item.instance_type == "COLLECTION" else None
        total += 1 if inner is None else _count(inner, name, (*above, collection.name))
        if total > MAX_INSTANCES:
            break
    return total


def _alone(chosen: Any, original: Any) -> Any:
    """A scene that holds the chosen collection only, in the state that a render would have; gives its collection."""
    scene = bpy.data.scenes.new("ingest")
    scene.collection.children.link(chosen) if chosen != original.collection else _link_all(scene, original)
    scene.frame_set(original.frame_current)
    bpy.context.window.scene = scene
    for item in bpy.data.objects:
        item.hide_viewport = item.hide_render
        for modifier in item.modifiers:
            modifier.show_viewport = modifier.show_render
            if modifier.type in ("SUBSURF", "MULTIRES"):
                modifier.levels = modifier.render_levels
    for collection in bpy.data.collections:
        collection.hide_viewport = collection.hide_render
    return scene.collection


def _link_all(scene: Any, original: Any) -> None:
    for child in original.collection.children:
        scene.collection.children.link(child)
    for item in original.collection.objects:
        scene.collection.objects.link(item)
