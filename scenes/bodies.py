"""Everything of a scene that can be seen, as both label engines take it: objects, surface, fixtures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..assets.cutouts import Gaps
from ..assets.mesh import Mesh
from .build import scene_mesh
from .ids import SURFACE, fixture_id
from .scene import Scene
from .surface import surface_mesh

__all__ = ["Body", "bodies"]


@dataclass(frozen=True)
class Body:
    """One thing that rays meet.

    Attributes:
        raw_id: its value in the raw id image (`ids`).
        mesh: unscaled, in its own frame, metres.
        scale: factor on the mesh.
        pose: (4, 4) rigid transform from its frame to the world; apply `scale` first.
        see_through: parts of the mesh that rays pass.
        cut_out: parts whose holes rays pass (`Mesh.cutouts`).
    """

    raw_id: int
    mesh: Mesh
    scale: float
    pose: npt.NDArray[np.float64]
    see_through: tuple[str, ...] = ()
    cut_out: tuple[str, ...] = ()

    @property
    def gaps(self) -> Gaps | None:
        """The holes in the mesh's faces; None where it has none."""
        if not self.cut_out or self.mesh.uv is None:
            return None
        which = np.full(len(self.mesh.part_names), -1, np.int16)
        which[[self.mesh.part_names.index(part) for part in self.cut_out]] = np.arange(len(self.cut_out))
        cutouts = tuple(self.mesh.cutouts[part] for part in self.cut_out)
        return Gaps(self.mesh.uv, which[self.mesh.face_part], cutouts)

    @property
    def placed(self) -> npt.NDArray[np.float64]:
        """(4, 4) transform from the unscaled mesh to the world."""
        return np.asarray(self.pose @ np.diag([self.scale] * 3 + [1.0]))

    @property
    def met(self) -> npt.NDArray[np.bool_]:
        """(F,) the faces that rays do not pass."""
        return ~self.mesh.within(self.see_through)


def bodies(scene: Scene, meshes: Mapping[int, Mesh]) -> Iterator[Body]:
    """All bodies of a scene, objects first, in their order; `meshes` gives each object's mesh by id."""
    for item in scene.objects:
        yield Body(item.id, meshes[item.id], item.scale, item.pose, item.see_through, item.cut_out)
    if scene.surface is not None:
        yield Body(SURFACE, surface_mesh(scene.surface), 1.0, np.eye(4))
    for k, fixture in enumerate(scene.fixtures):
        yield Body(fixture_id(k), scene_mesh(fixture.mesh), 1.0, fixture.pose, fixture.see_through)
