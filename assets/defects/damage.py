"""A mesh as its defects have left it: what both label engines and the camera see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import orjson

from ..cache import Cache
from ..defect import Defect
from ..mesh import Mesh
from .kinds import KINDS

__all__ = ["damaged"]

CACHE_BYTES = 16 << 20
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
    return replace(damage(damaged(mesh, defects[:-1]), defects[-1]), nominal_m=size)  # type: ignore[arg-type]  # three
