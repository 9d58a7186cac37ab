"""Cutting into a mesh: its faces keep their parts, defects and texture coordinates, the new ones become a part."""

from __future__ import annotations

from dataclasses import replace

import manifold3d
import numpy as np
import numpy.typing as npt

from ...errors import AssetError
from ..defect import Defect
from ..mesh import Mesh, snap
from ..shapes.base import Solid, to_manifold

__all__ = ["PARTS", "new_part", "subtracted"]

Vec = npt.NDArray[np.float64]

#: `Mesh.face_part` counts to 255.
PARTS = 255
#: Edges shorter than this (metres) that a cut leaves are collapsed, as in `assets.shapes.base`.
TOLERANCE_M = 1e-6
#: What falls off and is smaller than a cube of 10 µm is rounding, where two surfaces nearly touch.
CRUMB_M3 = 1e-15


def new_part(mesh: Mesh, defect: Defect) -> tuple[tuple[str, ...], int]:
    """The names of the parts with the defect's own behind them, and its number.

    Raises AssetError if the mesh has as many parts as there can be.
    """
    if len(mesh.part_names) >= PARTS:
        raise AssetError(f"{mesh.part_names[0]} … are {PARTS} parts, no more can be counted: ask for fewer defects")
    return (*mesh.part_names, defect.new_part), len(mesh.part_names)


def subtracted(mesh: Mesh, cutter: Solid, defect: Defect) -> Mesh:
    """The mesh without what lies in a closed solid (metres, the mesh's frame).

    Raises:
        AssetError: the mesh is not closed, the solid misses it, or cuts it into more pieces than it was.
    """
    body, tool = to_manifold((mesh.vertices, mesh.faces)), to_manifold(cutter)
    cut = (body - tool).simplify(TOLERANCE_M)
    pieces = cut.decompose()
    whole = [piece for piece in pieces if piece.volume() > CRUMB_M3]
    if not whole or len(whole) > len(body.decompose()):
        raise AssetError(f"{defect.kind} {defect.id} would cut its part in two: make it smaller")
    if len(whole) < len(pieces):
        cut = manifold3d.Manifold.compose(whole)
    made = cut.to_mesh64()
    vertices = snap(np.asarray(made.vert_properties[:, :3], dtype=np.float64))
    faces = np.asarray(made.tri_verts, dtype=np.int32)
    runs = np.diff(np.asarray(made.run_index, dtype=np.int64) // 3)
    own = int(body.to_mesh64().run_original_id[0])
    old = np.repeat(np.asarray(made.run_original_id) == own, runs)
    if old.all():
        raise AssetError(f"{defect.kind} {defect.id} misses its part: put it nearer")
    origin = np.asarray(made.face_id, dtype=np.int64)[old]
    names, part = new_part(mesh, defect)
    face_part = np.full(len(faces), part, np.uint8)
    face_part[old] = mesh.face_part[origin]
    face_defect = np.full(len(faces), defect.id, np.uint16)
    face_defect[old] = 0 if mesh.face_defect is None else mesh.face_defect[origin]
    uv = None
    if mesh.uv is not None:
        uv = _flat_uv(vertices[faces], defect)
        uv[old] = _carried(mesh, mesh.uv, origin, vertices[faces[old]])
    return replace(
        mesh, vertices=vertices, faces=faces, face_part=face_part, part_names=names, uv=uv, face_defect=face_defect
    )


def _carried(mesh: Mesh, uv: npt.NDArray[np.float32], origin: npt.NDArray[np.int64], at: Vec) -> Vec:
    """(n, 3, 2) texture coordinates of corners (n, 3, 3) that lie on faces `origin` of the mesh: barycentric."""
    a, b, c = mesh.vertices[mesh.faces[origin]].transpose(1, 0, 2)
    e, f = b - a, c - a
    ee, ef, ff = (np.einsum("ij,ij->i", p, q) for p, q in ((e, e), (e, f), (f, f)))
    area = np.maximum(ee * ff - ef * ef, 1e-30)
    d = at - a[:, None]
    de, df = np.einsum("ikj,ij->ik", d, e), np.einsum("ikj,ij->ik", d, f)
    s = np.clip((ff[:, None] * de - ef[:, None] * df) / area[:, None], 0, 1)
    t = np.clip((ee[:, None] * df - ef[:, None] * de) / area[:, None], 0, 1)
    u = uv[origin].astype(np.float64)
    return np.asarray(
        (1 - s - t)[..., None] * u[:, None, 0] + s[..., None] * u[:, None, 1] + t[..., None] * u[:, None, 2]
    )


def _flat_uv(at: Vec, defect: Defect) -> npt.NDArray[np.float32]:
    """Coordinates for new faces: the place on the patch, over its size."""
    flat = at @ defect.to_patch[:2, :3].T + defect.to_patch[:2, 3]
    return np.asarray(flat / defect.size_mm + 0.5, dtype=np.float32)
