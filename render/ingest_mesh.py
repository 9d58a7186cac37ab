"""The evaluated objects of a Blender scene as one set of triangles with everything that materials look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from ..assets.cutouts import Opacity
from ..assets.mesh_files import MAX_TRIANGLES, UP_AXES, UserMesh
from ..errors import AssetError
from .ingest_blend import MAX_INSTANCES, images_of

__all__ = ["Corners", "Evaluated", "triangles", "with_own"]

SOLID = ("MESH", "CURVE", "SURFACE", "META", "FONT")
#: One byte numbers the parts.
MAX_PARTS = 255
NO_MATERIAL = "body"
UV = "uv"
MAX_UV_MAPS = 8

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Corners:
    """What the corners of F triangles carry.

    Attributes:
        normals: (F, 3, 3) unit, mesh frame.
        uvs: name of a UV map → (F, 3, 2).
        colours: name of a colour attribute → (F, 3, 4) linear.
        materials: one of Blender's for each part, None where the file has none.
    """

    normals: npt.NDArray[np.float64]
    uvs: dict[str, Array]
    colours: dict[str, Array]
    materials: tuple[Any, ...]


@dataclass(frozen=True)
class Evaluated:
    """Triangles of all objects after modifiers, in Blender's coordinates.

    Attributes:
        vertices: (V, 3); faces: (F, 3); part: (F,) index into `part_names`.
        uv: (F, 3, 2) of the map that is active for rendering, or None where an object has none.
    """

    vertices: npt.NDArray[np.float64]
    faces: npt.NDArray[np.int64]
    part: npt.NDArray[np.uint8]
    part_names: tuple[str, ...]
    materials: tuple[Any, ...]
    uv: Array | None
    corners: Corners

    def kept(self, mask: npt.NDArray[np.bool_], to_file: npt.NDArray[np.float64], up: str) -> Corners:
        """The corners of the triangles that were kept, their normals turned as the mesh was."""
        c = self.corners
        turn = np.array(UP_AXES[up], dtype=np.float64) @ to_file
        return Corners(
            c.normals[mask] @ turn.T, {k: v[mask] for k, v in c.uvs.items()},
            {k: v[mask] for k, v in c.colours.items()}, self.materials,
        )  # fmt: skip


@dataclass(frozen=True)
class _Piece:
    """One object, or one instance of it."""

    points: npt.NDArray[np.float64]
    faces: npt.NDArray[np.int64]
    slots: tuple[Any, ...]
    slot: npt.NDArray[np.int64]
    normals: npt.NDArray[np.float64]
    uvs: dict[str, Array]
    active_uv: str | None
    colours: dict[str, Array]


def triangles(collection: Any, name: str) -> Evaluated:
    """Everything in the current scene that a render would show as a surface.

    Raises:
        AssetError: there is nothing, or too much of it.
    """
    pieces, count = [], 0
    for piece in _pieces(name):
        count += len(piece.faces)
        if count > MAX_TRIANGLES:
            raise AssetError(f"{name} has more than {MAX_TRIANGLES:,} triangles: decimate it")
        pieces.append(piece)
    if not count:
        raise AssetError(f"{name} has no faces that a render would show: export it as triangles")
    materials = _materials(pieces)
    names = [NO_MATERIAL if m is None else m.name for m in materials]
    if len(set(names)) < len(names) or len(names) > MAX_PARTS:
        raise AssetError(
            f"{name} has {len(names)} materials, of which one may be called {NO_MATERIAL!r} where faces have none, and"
            f" {MAX_PARTS} are possible: rename or join them"
        )
    starts = np.cumsum([0, *(len(p.points) for p in pieces[:-1])])
    number = {None if m is None else m.name: k for k, m in enumerate(materials)}
    part = [np.array([number[None if m is None else m.name] for m in p.slots], np.uint8)[p.slot] for p in pieces]
    uvs = {key: _joined(pieces, "uvs", key, 2) for key in dict.fromkeys(k for p in pieces for k in p.uvs)}
    _check_uv(pieces, name)
    uv = None
    if all(p.active_uv is not None for p in pieces):
        uv = np.concatenate([p.uvs[str(p.active_uv)] for p in pieces])
        if UV not in uvs and len(uvs) < MAX_UV_MAPS:
            uvs[UV] = uv
    colours = {key: _joined(pieces, "colours", key, 4) for key in dict.fromkeys(k for p in pieces for k in p.colours)}
    return Evaluated(
        np.concatenate([p.points for p in pieces]),
        np.concatenate([p.faces + start for p, start in zip(pieces, starts, strict=True)]),
        np.concatenate(part), tuple(names), tuple(materials), uv,
        Corners(np.concatenate([p.normals for p in pieces]), uvs, colours, tuple(materials)),
    )  # fmt: skip


def with_own(mesh: UserMesh, found: Evaluated, opacity: Opacity) -> UserMesh:
    """The mesh with its parts that have a material in the file, and with what these let through."""
    own = {name for name, m in zip(found.part_names, found.materials, strict=True) if m is not None}
    return replace(mesh, mesh=replace(mesh.mesh, cutouts=opacity.cutouts), own=frozenset(own), opacity=opacity)


def _check_uv(pieces: list[_Piece], name: str) -> None:
    """A picture on faces without texture coordinates would show as one colour; a .blend may place it otherwise."""
    for p in pieces:
        used = [p.slots[k] for k in np.unique(p.slot)]
        if p.active_uv is None and images_of(used) and not name.lower().endswith(".blend"):
            raise AssetError(
                f"{name} has a texture, but not all of it has texture coordinates: unwrap the rest at its source,"
                " or give it `materials`"
            )


def _materials(pieces: list[_Piece]) -> list[Any]:
    """The materials that a face has, in the order in which they come."""
    found: dict[str | None, Any] = {}
    for p in pieces:
        for k in np.unique(p.slot):
            m = p.slots[k]
            found.setdefault(None if m is None else m.name, m)
    return list(found.values())


def _joined(pieces: list[_Piece], kind: str, key: str, width: int) -> Array:
    rows = [getattr(p, kind).get(key, np.zeros((len(p.faces), 3, width), np.float32)) for p in pieces]
    return np.concatenate(rows)


def _pieces(name: str) -> Iterator[_Piece]:
    graph = bpy.context.evaluated_depsgraph_get()
    for count, instance in enumerate(graph.object_instances):
        if count > MAX_INSTANCES:
            raise AssetError(f"{name} makes more than {MAX_INSTANCES:,} instances: realise or thin them out")
        item = instance.object
        if item.type not in SOLID or not instance.show_self or item.original.hide_render:
            continue
        mesh = item.to_mesh(preserve_all_data_layers=True, depsgraph=graph)
        if mesh is not None:
            mesh.calc_loop_triangles()
            if len(mesh.loop_triangles):
                yield _piece(item, mesh, np.array(instance.matrix_world, dtype=np.float64))
        item.to_mesh_clear()


def _piece(item: Any, mesh: Any, matrix: npt.NDArray[np.float64]) -> _Piece:
    n = len(mesh.loop_triangles)
    loops, polygon = (np.empty(size, np.int32) for size in (3 * n, n))
    mesh.loop_triangles.foreach_get("loops", loops)
    mesh.loop_triangles.foreach_get("polygon_index", polygon)
    corner, points = _read(mesh.loops, "vertex_index", 1, np.int32), _read(mesh.vertices, "co", 3)
    loops = loops.reshape(-1, 3)
    if np.linalg.det(matrix[:3, :3]) < 0:  # a mirrored object has its faces turned round
        loops = loops[:, ::-1]
    normals = _read(mesh.corner_normals, "vector", 3)[loops].astype(np.float64)
    normals = normals @ np.linalg.inv(matrix[:3, :3]) if abs(np.linalg.det(matrix[:3, :3])) > 1e-30 else normals
    length = np.linalg.norm(normals, axis=2, keepdims=True)
    slots = tuple(None if s.material is None else s.material.original for s in item.material_slots) or (None,)
    slot = np.clip(_read(mesh.polygons, "material_index", 1, np.int32), 0, len(slots) - 1)[polygon]
    active = next((layer.name for layer in mesh.uv_layers if layer.active_render), None)
    return _Piece(
        points.astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3], corner[loops].astype(np.int64), slots,
        slot.astype(np.int64), normals / np.maximum(length, 1e-30),
        {layer.name: _read(layer.uv, "vector", 2)[loops] for layer in mesh.uv_layers}, active,
        {a.name: _colour(a, corner)[loops] for a in mesh.color_attributes if a.domain in ("POINT", "CORNER")},
    )  # fmt: skip


def _colour(attribute: Any, corner: npt.NDArray[np.int32]) -> Array:
    """(loops, 4) of a colour attribute, linear."""
    values: Array = _read(attribute.data, "color", 4)
    return values[corner] if attribute.domain == "POINT" else values


def _read(rows: Any, name: str, width: int, kind: Any = np.float32) -> Any:
    values = np.empty(len(rows) * width, kind)
    rows.foreach_get(name, values)
    return values.reshape(-1, width) if width > 1 else values
