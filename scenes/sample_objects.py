"""The objects of an image: what they are, what they are made of, where they lie."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..assets.cutouts import Opacity
from ..assets.ingested import MESH_SUFFIX
from ..assets.library import rand
from ..assets.material import Material
from ..assets.mesh import Mesh
from ..assets.transparency import transparent_parts
from .arrange import Placing, arrange
from .build import file_mesh, shape_mesh
from .object_draws import ObjectDraws
from .placement import Item
from .recipe import Recipe
from .recipe_objects import AssetSpec, ObjectsSpec
from .rules import ImageDraws
from .sample_camera import twist
from .sample_container import PlacedContainer
from .sample_materials import materials
from .scene import Draw, MeshRef, SceneObject, matrix
from .top import uppermost

__all__ = ["objects"]


def objects(recipe: Recipe, draw: ImageDraws, inside: PlacedContainer | None = None) -> tuple[SceneObject, ...]:
    """All objects, distractors last, in their places: on the surface, or in the container `inside`.

    Raises:
        PlacementError: they do not fit.
    """
    drawn: list[_Drawn] = []
    for group in ("objects", "distractors"):
        kinds: ObjectsSpec | None = getattr(recipe, group)
        if kinds is not None:
            count = round(draw(f"{group}.count"))
            drawn += [_draw_object(recipe, kinds, group, ObjectDraws(draw, f"{group}.{k}")) for k in range(count)]
    velocity, spin = twist(draw, "motion.objects")
    things = [Placing(d.item, d.draws.rng("pose"), not d.labelled) for d in drawn]
    poses = arrange(recipe.placement, draw, things, inside)
    names = [d.category(poses[k]) for k, d in enumerate(drawn)]
    return tuple(
        SceneObject(
            id=k + 1, category=names[k], mesh=d.ref, materials=d.materials,
            category_id=recipe.category_names.index(names[k]) + 1 if d.labelled else 0,
            scale=d.item.scale, world_T_object=matrix(poses[k]), velocity_m_s=velocity, spin_rad_s=spin,
            parameters=d.draws.draws, **d.through(recipe, names[k]),
        )
        for k, d in enumerate(drawn)
    )  # fmt: skip


@dataclass(frozen=True)
class _Drawn:
    """An object before it has a place."""

    draws: ObjectDraws
    item: Item
    ref: MeshRef
    materials: dict[str, Material]
    labelled: bool
    by_top: dict[str, str] | None
    opacity: Opacity

    def category(self, pose: npt.NDArray[np.float64]) -> str:
        """What it is, once it lies: the recipe's category, or that of the face on top."""
        if self.by_top is None:
            return self.item.name
        return self.by_top[uppermost(self.item.mesh, self.item.tops, pose[:3, :3])[0]]

    def through(self, recipe: Recipe, category: str) -> dict[str, tuple[str, ...]]:
        """The parts that labels look through, as fields of `SceneObject`."""
        return vars(transparent_parts(self.materials, self.opacity)) if recipe.labels.sees_through(category) else {}


def _draw_object(recipe: Recipe, kinds: ObjectsSpec, group: str, draws: ObjectDraws) -> _Drawn:
    which = draws.pick(f"{group}.assets", range(len(kinds.assets)), [a.weight for a in kinds.assets])
    asset, path = kinds.assets[which], f"{group}.assets.{which}"
    ref, mesh, own, opacity = _mesh(recipe, asset, path, draws)
    scale = float(draws(f"{path}.scale", asset.scale))  # type: ignore[arg-type]  # the recipe model admits numbers only
    pose = recipe.placement.pose if asset.pose is None else str(draws(f"{path}.pose", asset.pose))
    item = Item(mesh, scale, asset.category, pose, tuple(asset.category_by_top or ()))
    made = materials(asset, path, mesh, own, draws)
    return _Drawn(draws, item, ref, made, group == "objects", asset.category_by_top, opacity)


def _mesh(recipe: Recipe, asset: AssetSpec, path: str, draws: ObjectDraws) -> tuple[MeshRef, Mesh, Set[str], Opacity]:
    """The object's mesh, the parts that its file brings a material for, and what these let through."""
    if asset.shape is not None:
        given = {name: draws(f"{path}.params.{name}", dist) for name, dist in asset.params.items()}
        params = rand(draws.rng("shape"), asset.shape, given)
        # What the shape draws by itself hangs together, a bolt's length with its size: no single quantile says where.
        draws.draws |= {f"{path}.params.{name}": Draw(value=v) for name, v in params.items() if name not in given}
        return *shape_mesh(asset.shape, params), frozenset(), Opacity()
    files = recipe.files_of(asset)
    which = draws.pick(f"{path}.path", [f.name.removesuffix(MESH_SUFFIX) for f in files])
    ref, found = file_mesh(files[which], asset.unit, asset.up, recipe.libraries.get(files[which].sha256))
    return ref, found.mesh, found.own, found.opacity
