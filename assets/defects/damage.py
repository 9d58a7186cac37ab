"""A mesh as its defects have left it: what both label engines and the camera see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import orjson
from scipy.spatial import cKDTree

from ..cache import Cache
from ..defect import Defect
from ..mesh import Mesh, snap
from .kinds import KINDS

__all__ = ["damaged"]

CACHE_BYTES = 16 << 20
#: A new vertex was moved as so many old ones around it, each the more the nearer it is; distances from this on, metres.
AROUND, NEAREST_M = 4, 1e-8
_meshes: Cache[tuple[bytes, str, bytes], Mesh] = Cache(CACHE_BYTES, lambda mesh: mesh.nbytes)


def damaged(mesh: Mesh, defects: Sequence[Defect]) -> Mesh:
    """The mesh with all defects that change its form; the same object where there are none.

    Equal arguments give the same cached object: treat its arrays as read-only.

    Raises:
        AssetError: a boolean needs a closed mesh, which this is not.
    """
    formed = [d for d in defects if KINDS[d.kind].damage is not None]
    if not formed:
        return mesh
    # Drawing a defect tries it before it has its look, which changes no form; and tries the next one on what it left.
    key = mesh.exact, mesh.sha256, orjson.dumps([d.model_dump(mode="json", exclude={"look"}) for d in formed])
    return _meshes.get(key, lambda: _damaged(mesh, formed))


def _damaged(mesh: Mesh, defects: Sequence[Defect]) -> Mesh:
    damage = KINDS[defects[-1].kind].damage
    assert damage is not None
    size = tuple(float(x) for x in mesh.extents)
    before = damaged(mesh, defects[:-1])
    after = damage(replace(before, moved=None), defects[-1])
    return replace(after, nominal_m=size, moved=_moved(before, after))  # type: ignore[arg-type]  # three


def _moved(before: Mesh, after: Mesh) -> npt.NDArray[np.float64] | None:
    """How far the vertices of `after` were moved in all, where `after.moved` tells of its last defect only."""
    if before.moved is None:
        return after.moved
    last = np.zeros(after.vertices.shape) if after.moved is None else after.moved
    far, near = cKDTree(before.vertices).query(after.vertices - last, AROUND)
    weights = 1 / np.maximum(far, NEAREST_M) ** 2
    weights /= weights.sum(axis=1, keepdims=True)
    return snap(last + np.einsum("nk,nki->ni", weights, before.moved[near]))
