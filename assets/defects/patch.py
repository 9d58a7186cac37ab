"""From a defect and a mesh to where on it the defect shows: what shader, label render and ray engine share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..cache import Cache
from ..defect import Defect
from ..mesh import Mesh
from .kinds import KINDS
from .layers import Layers

__all__ = ["Mark", "layers_of", "marks", "on_patch"]

Bools = npt.NDArray[np.bool_]

CACHE_BYTES = 64 << 20


def _size(layers: Layers | None) -> int:
    rasters = (layers.mask, layers.strength, layers.tone, layers.height_mm) if layers else ()
    return sum(r.nbytes for r in rasters if r is not None)


_layers: Cache[str, Layers | None] = Cache(CACHE_BYTES, _size)


@dataclass(frozen=True)
class Mark:
    """One defect on the mesh that carries it.

    Attributes:
        defect: what it is.
        layers: what it draws; None where new or moved faces are all of it.
        open: (F,) the faces on which it can show what it draws: of its part, and facing its patch.
        made: (F,) the faces that are the defect.
    """

    defect: Defect
    layers: Layers | None
    open: Bools
    made: Bools

    def covers(self, face: npt.NDArray[np.integer], points: npt.NDArray[np.float64]) -> Bools:  # type: ignore[type-arg]
        """(n,) whether points (n, 3) of the unscaled mesh, metres, each on its face, belong to the defect."""
        out: Bools = self.made[face].copy()
        if self.layers is not None:
            at = on_patch(self.defect, points)
            uv = (at[:, :2] / self.defect.size_mm + 0.5).astype(np.float32)
            out |= self.open[face] & (np.abs(at[:, 2]) <= self.defect.reach_mm) & self.layers.label.covers(uv)
        return out


def on_patch(defect: Defect, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(n, 3) points of the unscaled mesh, metres, in the defect's patch: millimetres."""
    return np.asarray(points @ defect.to_patch[:3, :3].T + defect.to_patch[:3, 3])


def layers_of(defect: Defect) -> Layers | None:
    """What a defect draws, wherever it lies; the same drawing is one cached object: treat its arrays as read-only."""
    draw = KINDS[defect.kind].layers
    if draw is None:
        return None
    drawing = defect.model_dump_json(include={"kind", "severity", "seed", "values", "size_mm"})
    return _layers.get(drawing, lambda: draw(defect))


def marks(mesh: Mesh, defects: Sequence[Defect]) -> tuple[Mark, ...]:
    """All defects of an object, in their order, on its mesh as they have left it (`damage.damaged`)."""
    if not defects:
        return ()
    a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2)
    normals = np.cross(b - a, c - a)
    length = np.linalg.norm(normals, axis=1)
    normals /= np.where(length > 0, length, 1)[:, None]
    return tuple(_mark(mesh, normals, defect) for defect in defects)


def _mark(mesh: Mesh, normals: npt.NDArray[np.float64], defect: Defect) -> Mark:
    made = np.zeros(len(mesh.faces), bool) if mesh.face_defect is None else mesh.face_defect == defect.id
    out = defect.to_patch[2, :3]
    facing = normals @ (out / np.linalg.norm(out)) >= defect.facing
    # What changes the form goes through all parts; a stain stays on the one on which it dried.
    here = facing if KINDS[defect.kind].damage is not None else facing & mesh.within((defect.part,))
    return Mark(defect, layers_of(defect), here, made)
