"""Rays from the camera's centre to the first surface of a mesh, through its holes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh

from ..assets.cutouts import Gaps

__all__ = ["LAYERS", "Tracer"]

Floats = npt.NDArray[np.float32]
#: Embree gives 1e37 for a ray that meets nothing.
MISSED = 1e30
#: Behind a hole a ray starts anew, so much farther; layers that lie nearer to each other than that are one.
BEYOND = np.float32(1 + 4e-6)
#: How many surfaces with holes one ray may pass, in both engines: as many as Cycles can count.
LAYERS = 1024


class Tracer:
    """Triangles, (V, 3) points in the camera frame and (F, 3) faces; `gaps` are the holes in them."""

    def __init__(self, points: Floats, faces: npt.NDArray[np.int32], gaps: Gaps | None = None) -> None:
        used = np.zeros(len(points), bool)
        used[faces] = True
        # Robust, because a ray along a shared edge must not slip through between two triangles.
        self._scene, self._gaps = rtcore_scene.EmbreeScene(robust=True), gaps
        TriangleMesh(self._scene, points[used], (np.cumsum(used, dtype=np.int32) - 1)[faces])

    def first(self, toward: Floats, origins: Floats) -> Floats:
        """(n,) distances along rays (n, 3), in lengths of their directions, inf where nothing is met.

        `origins` are zeros, at least as many as the rays: the caller has them already.
        """
        if self._gaps is not None:
            return self.first_faces(toward, origins)[0]
        far = self._scene.run(origins[: len(toward)], toward, query="DISTANCE")
        return np.where(far < MISSED, far, np.inf).astype(np.float32)

    def first_faces(self, toward: Floats, origins: Floats) -> tuple[Floats, npt.NDArray[np.int32]]:
        """As `first`, and (n,) the face that each ray meets; any number where it meets none."""
        hits = self._scene.run(origins[: len(toward)], toward, output=True)
        far, face = np.where(hits["tfar"] < MISSED, hits["tfar"], np.inf).astype(np.float32), hits["primID"].copy()
        if self._gaps is None:
            return far, face
        going = self._open(np.flatnonzero(np.isfinite(far)), hits)
        for _ in range(LAYERS):
            if not len(going):
                break
            start = far[going] * BEYOND
            hits = self._scene.run(toward[going] * start[:, None], toward[going], output=True)
            met = hits["tfar"] < MISSED
            far[going], face[going] = np.where(met, start + hits["tfar"], np.inf), hits["primID"]
            going = going[self._open(np.flatnonzero(met), hits)]
        return far, face

    def _open(self, met: npt.NDArray[np.intp], hits: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.intp]:
        """Those of the hits that lie in a hole."""
        if self._gaps is None:
            return met[:0]
        return met[self._gaps.opened(hits["primID"][met], hits["u"][met], hits["v"][met])]
