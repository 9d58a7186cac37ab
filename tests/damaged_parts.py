"""Meshes with one defect put where a test wants it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import trimesh

from scenewright.assets.defect import FIRST_DEFECT, Defect
from scenewright.assets.defects.damage import damaged
from scenewright.assets.defects.kinds import KINDS
from scenewright.assets.library import build
from scenewright.assets.mesh import Mesh
from scenewright.scenes.scene import matrix

__all__ = ["BOX", "Vec", "defect", "on_box", "patch_at", "solid"]


Vec = npt.NDArray[np.float64]


BOX: Mapping[str, object] = {"x_m": 0.05, "y_m": 0.04, "z_m": 0.02}


def patch_at(point: npt.ArrayLike, out: npt.ArrayLike, turn: float = 0.3) -> Vec:
    """(4, 4) from the mesh, metres, to a patch at a point with the normal `out`, millimetres."""
    z = np.asarray(out, dtype=np.float64) / np.linalg.norm(out)
    side = np.cross(np.eye(3)[np.abs(z).argmin()], z)
    side /= np.linalg.norm(side)
    x = np.cos(turn) * side + np.sin(turn) * np.cross(z, side)
    to_patch = np.eye(4)
    to_patch[:3, :3] = 1000 * np.stack([x, np.cross(z, x), z])
    to_patch[:3, 3] = -to_patch[:3, :3] @ np.asarray(point, dtype=np.float64)
    return to_patch


def defect(kind: str, mesh: Mesh, to_patch: Vec, severity: float = 0.6, seed: int = 3, **more: object) -> Defect:
    """A defect of a kind as it is drawn for a mesh, in a given place."""
    k, rng = KINDS[kind], np.random.default_rng(seed)
    size_mm = 1000 * float(np.sort(mesh.extents)[1])
    values = {name: grows.draw(rng, severity, size_mm) for name, grows in k.values.items()}
    size = k.size(values)
    flat = Defect(
        id=FIRST_DEFECT + 4, kind=kind, severity=severity, seed=seed, values=values, patch_T_object=matrix(to_patch),
        facing=k.facing, part=mesh.part_names[0], size_mm=size, reach_mm=0.05 * min(size),
    )  # fmt: skip
    return flat.model_copy(update={"reach_mm": flat.reach_mm + (k.depth(flat) if k.depth else 0.0)} | more)


def solid(mesh: Mesh) -> trimesh.Trimesh:
    """The mesh as it is indexed, nothing merged."""
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)


def on_box(kind: str, severity: float = 0.6, seed: int = 3) -> tuple[Mesh, Defect, Mesh]:
    """A box, a defect on its upper side, and the box with it."""
    box = build("box", BOX)
    one = defect(kind, box, patch_at((0.004, -0.003, 0.01), (0, 0, 1)), severity, seed)
    return box, one, damaged(box, [one])
