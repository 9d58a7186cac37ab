"""Meshes that users bring: OBJ, STL, PLY and GLB files, in their unit and up axis, as a `Mesh` in metres with z up.

Nothing is repaired in silence. Vertices that coincide are joined (STL stores every triangle on its own, and shading
needs the neighbours) and triangles without area are dropped and counted; everything else that is wrong is an error or
a fact in `UserMesh`. A closed mesh whose faces point inwards is an error, since glass and physics would take its
inside for its outside.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from .cache import LIMIT_BYTES, Cache
from .cutouts import Opacity
from .files import locate, remember
from .material import FileRef
from .mesh import Mesh, snap

if TYPE_CHECKING:
    import trimesh

__all__ = ["DEFAULTS", "UNITS", "UP_AXES", "Triangles", "UserMesh", "load_mesh", "read_mesh", "tidy"]

#: Metres in one unit; the inch and the foot are the international ones of 1959.
UNITS: Mapping[str, float] = MappingProxyType(
    {"m": 1.0, "cm": 1e-2, "mm": 1e-3, "um": 1e-6, "in": 0.0254, "ft": 0.3048}
)

#: Axis of the file → proper rotation that turns it to +z, about x for ±y and −z, about y for ±x.
UP_AXES: Mapping[str, tuple[tuple[int, int, int], ...]] = MappingProxyType(
    {
        "z": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
        "-z": ((1, 0, 0), (0, -1, 0), (0, 0, -1)),
        "y": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
        "-y": ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
        "x": ((0, 0, -1), (0, 1, 0), (1, 0, 0)),
        "-x": ((0, 0, 1), (0, 1, 0), (-1, 0, 0)),
    }
)

#: Suffix → (unit, up) where none is given. glTF 2.0 (section 3.4) fixes metres and +y; the others store neither: STL is
#: in millimetres by the habit of CAD and slicers, OBJ and PLY are taken in the project's own convention.
DEFAULTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {".obj": ("m", "z"), ".stl": ("mm", "z"), ".ply": ("m", "z"), ".glb": ("m", "y")}
)

MAX_TRIANGLES = 2_000_000
SIZE_RANGE_M = (1e-4, 100.0)
#: Vertices nearer than this part of the longest extent are one: some float32 steps of the largest coordinate.
JOIN_TOLERANCE = 1e-6

Points = npt.NDArray[np.float64]
Faces = npt.NDArray[np.int64]
Corners = npt.NDArray[np.float32]


@dataclass(frozen=True)
class UserMesh:
    """A user's mesh with what was found about it.

    Attributes:
        mesh: metres, z up, origin at the centre of the bounding box; its arrays are read-only.
        is_closed: every edge has exactly two faces. An open mesh is allowed.
        is_consistent: neighbouring faces are wound the same way round.
        dropped_faces: number of triangles without area that were left out.
        own: the parts that bring a material of their own (ingested files only, see `assets.ingested`).
        opacity: what these materials let through; its cut-outs are the mesh's.
    """

    mesh: Mesh
    is_closed: bool
    is_consistent: bool
    dropped_faces: int
    own: frozenset[str] = frozenset()
    opacity: Opacity = field(default_factory=Opacity)


@dataclass(frozen=True)
class Triangles:
    """What a file says, before anything is checked.

    Attributes:
        vertices: (V, 3) in the file's unit and axes.
        faces: (F, 3) vertex indices, counter-clockwise seen from outside.
        uv: (F, 3, 2), or None.
        face_part: (F,) index into `part_names`; None: all are one part.
    """

    vertices: Points
    faces: Faces
    uv: Corners | None = None
    face_part: npt.NDArray[np.uint8] | None = None
    part_names: tuple[str, ...] = ("body",)


#: File, suffix, unit and up axis → what was read.
_meshes: Cache[tuple[FileRef, str, str, str], UserMesh] = Cache(LIMIT_BYTES, lambda found: found.mesh.nbytes)


def load_mesh(file: Path | FileRef, unit: str | None = None, up: str | None = None) -> Mesh:
    """The mesh of an OBJ, STL, PLY or GLB file; see `read_mesh`."""
    return read_mesh(file, unit, up).mesh


def read_mesh(file: Path | FileRef, unit: str | None = None, up: str | None = None) -> UserMesh:
    """Read a mesh file; a second call with the same content, unit and up axis gives the same object.

    Args:
        file: a path, or a reference that `files.locate` can find.
        unit: length of one coordinate step, a key of `UNITS`; None takes the format's default from `DEFAULTS`.
        up: axis of the file that points up, a key of `UP_AXES`; None likewise.

    Raises:
        AssetError: the file cannot be used; the message says which rule it breaks and what to try.
    """
    suffix = Path(file.name).suffix.lower()
    if suffix not in DEFAULTS:
        raise AssetError(f"{file.name}: {suffix or 'no suffix'} is no mesh format; export as {_listed(DEFAULTS)}")
    default_unit, default_up = DEFAULTS[suffix]
    unit, up = unit or default_unit, up or default_up
    if unit not in UNITS:
        raise AssetError(f"{file.name}: unit {unit!r} is unknown; choose one of {_listed(UNITS)}")
    if up not in UP_AXES:
        raise AssetError(f"{file.name}: up axis {up!r} is unknown; choose one of {_listed(UP_AXES)}")
    ref = file if isinstance(file, FileRef) else remember(file)
    return _meshes.get((ref, suffix, unit, up), lambda: _read(ref, suffix, unit, up))


def _read(ref: FileRef, suffix: str, unit: str, up: str) -> UserMesh:
    return tidy(_parse(locate(ref).read_bytes(), suffix, ref.name), unit, up, ref.name)[0]


def tidy(found: Triangles, unit: str, up: str, name: str) -> tuple[UserMesh, npt.NDArray[np.bool_]]:
    """The mesh of a file's triangles, checked, joined and centred, and (F,) which of them it kept, in their order.

    Vertices are numbers that single precision holds too, so Blender's copy of them is exact.

    Raises:
        AssetError: as `read_mesh`.
    """
    _check_arrays(found.vertices, found.faces, name)
    vertices, faces = _compact(found.vertices, found.faces)
    vertices = vertices @ np.array(UP_AXES[up], dtype=np.float64).T
    _check_size(vertices, unit, name)
    return _assemble(*_join(snap(vertices * UNITS[unit]), faces), found, name)


def _parse(data: bytes, suffix: str, name: str) -> Triangles:
    """All triangles of a file, with the scene graph's transforms applied, and UVs per corner if every part has them."""
    import trimesh  # here and below, as only users' files need it, and it takes a sixth of a worker's start

    if suffix == ".stl":
        _check_stl(data, name)
    try:
        # From memory and without materials, so that a mesh file cannot make the parser open others.
        options = {"skip_materials": True} if suffix == ".obj" else {}
        parts = _placed(trimesh.load_scene(io.BytesIO(data), file_type=suffix[1:], process=False, **options))
    except Exception as error:  # the parser raises whatever its arithmetic runs into on a damaged file
        cause = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no detail'}"
        raise AssetError(
            f"{name} is no readable {suffix[1:].upper()} file ({cause:.120}): it is cut off, damaged or of another"
            " format; export it again"
        ) from error
    if not parts:
        raise AssetError(f"{name} has no faces: export it as triangles, not as points or curves")
    vertices, faces, uvs = zip(*parts, strict=True)
    starts = np.cumsum([0, *map(len, vertices[:-1])])
    corners = [uv for uv in uvs if uv is not None]
    return Triangles(
        np.concatenate(vertices),
        np.concatenate([face + start for face, start in zip(faces, starts, strict=True)]),
        np.concatenate(corners) if len(corners) == len(uvs) else None,
    )


def _check_stl(data: bytes, name: str) -> None:
    """Refuse what is cut off: the parser would read a damaged binary STL as a text without triangles."""
    count = int.from_bytes(data[80:84], "little")
    is_binary = len(data) == 84 + 50 * count  # the header, then 50 bytes for every triangle
    is_text = data.lstrip()[:5].lower() == b"solid" and b"endsolid" in data.lower()
    if not (is_binary or is_text):
        raise AssetError(
            f"{name} is cut off, damaged or no STL file: {84 + 50 * count:,} bytes would hold the {count:,} triangles"
            f" that it announces, it has {len(data):,}; export it again"
        )


def _placed(scene: trimesh.Scene) -> list[tuple[Points, Faces, Corners | None]]:
    """Every instance of a scene graph in the root's frame; a mirroring transform turns its faces round."""
    import trimesh

    parts = []
    for node in scene.graph.nodes_geometry:
        transform, geometry = scene.graph[node]
        part = scene.geometry[geometry]
        if not isinstance(part, trimesh.Trimesh) or len(part.faces) == 0:
            continue
        faces = np.asarray(part.faces, dtype=np.int64)
        if np.linalg.det(transform[:3, :3]) < 0:
            faces = faces[:, ::-1]
        coordinates = getattr(part.visual, "uv", None)
        uv = None if coordinates is None else np.asarray(coordinates, dtype=np.float32)[faces]
        with np.errstate(invalid="ignore"):  # an infinite vertex is reported with the others, not warned about here
            points = np.asarray(part.vertices) @ transform[:3, :3].T + transform[:3, 3]
        parts.append((points, faces, uv))
    return parts


def _check_arrays(vertices: Points, faces: Faces, name: str) -> None:
    if len(faces) > MAX_TRIANGLES:
        raise AssetError(f"{name} has {len(faces):,} triangles, more than {MAX_TRIANGLES:,}: decimate it")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise AssetError(f"{name} has faces that name vertices which it does not have: the file is damaged")
    bad = ~np.isfinite(vertices[np.unique(faces)]).all(axis=1)
    if bad.any():
        raise AssetError(f"{name}: {bad.sum()} vertices are NaN or infinite: repair the file in its source program")


def _check_size(vertices: Points, unit: str, name: str) -> None:
    """Refuse a mesh that is flat, or whose size in metres says that its unit is not what was meant."""
    extents = np.ptp(vertices, axis=0)
    size = float(extents.max())
    if size == 0:
        raise AssetError(f"{name} has no extent: all its vertices lie in one point")
    spread = np.linalg.eigvalsh(np.cov((vertices - vertices.mean(axis=0)).T))
    if spread[0] <= spread[2] * 1e-14:  # variances: a thickness of 1e-7 of the length
        raise AssetError(f"{name} is flat ({' × '.join(f'{e:.4g}' for e in extents)} {unit}): give it a thickness")
    low, high = SIZE_RANGE_M
    if not low <= size * UNITS[unit] <= high:
        readings = {other: size * step for other, step in UNITS.items() if other != unit}
        likely = min(readings, key=lambda other: abs(np.log(readings[other] / 0.1)))  # parts are decimetres
        table = ", ".join(f"{other}: {metres:.3g} m" for other, metres in readings.items())
        raise AssetError(
            f"{name} would be {size * UNITS[unit]:.4g} m across with unit: {unit}, outside {low:g} m to {high:g} m."
            f" Did you mean unit: {likely}? ({table})"
        )


def _compact(vertices: Points, faces: Faces) -> tuple[Points, Faces]:
    """Without the vertices that no face uses."""
    used, renumbered = np.unique(faces, return_inverse=True)
    return vertices[used], renumbered.reshape(faces.shape)


def _join(vertices: Points, faces: Faces) -> tuple[Points, Faces]:
    """One vertex for all that coincide on a grid of `JOIN_TOLERANCE`, keeping each group's first position."""
    grid = np.ptp(vertices, axis=0).max() * JOIN_TOLERANCE
    _, first, group = np.unique(np.rint(vertices / grid), axis=0, return_index=True, return_inverse=True)
    return vertices[first], group.ravel()[faces]


def _assemble(vertices: Points, faces: Faces, found: Triangles, name: str) -> tuple[UserMesh, npt.NDArray[np.bool_]]:
    import trimesh

    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    longest = np.linalg.norm(np.stack([b - a, c - b, a - c]), axis=2).max(axis=0)
    # Twice the area over the longest edge is the height: below the joining grid, the triangle is a line.
    solid = np.linalg.norm(np.cross(b - a, c - a), axis=1) > longest**2 * JOIN_TOLERANCE
    collapsed = (faces == np.roll(faces, 1, axis=1)).any(axis=1)
    # Closedness is judged with the needles in, since they may be all that joins their neighbours.
    topology = trimesh.Trimesh(vertices, faces[~collapsed], process=False)
    is_closed, is_consistent = bool(topology.is_watertight), bool(topology.is_winding_consistent)
    if not solid.any():
        raise AssetError(f"{name} has no face with an area: export it as a triangle mesh")
    if is_closed and is_consistent and topology.volume < 0:
        raise AssetError(
            f"{name} is inside out (volume {topology.volume:.3g} m³): flip its normals in its source program"
        )
    vertices, faces = _compact(vertices, faces[solid])
    vertices = snap(vertices - (vertices.min(axis=0) + vertices.max(axis=0)) / 2)
    vertices = vertices.astype(np.float32).astype(np.float64)
    part = np.zeros(len(faces), np.uint8) if found.face_part is None else found.face_part[solid]
    mesh = Mesh(
        vertices, faces.astype(np.int32), part, found.part_names, uv=None if found.uv is None else found.uv[solid]
    )
    for array in (mesh.vertices, mesh.faces, mesh.face_part, mesh.uv):
        if array is not None:
            array.flags.writeable = False
    return UserMesh(mesh, is_closed, is_consistent, dropped_faces=int((~solid).sum())), solid


def _listed(choices: Mapping[str, object]) -> str:
    return ", ".join(choices)
