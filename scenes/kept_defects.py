"""A scene with other defects: some of its own, or those of the scene that it is a frame or a view of."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import numpy.typing as npt

from ..assets.defect import Defect
from .build import meshes_of
from .defect_rays import defect_bits
from .rays import cast
from .recipe import Recipe
from .rules import ImageDraws
from .sample_defects import with_defects
from .scene import Scene, SceneObject

__all__ = ["defects_of", "drawn_defects", "keeping", "seen_masks"]


def defects_of(scene: Scene) -> Iterator[tuple[SceneObject, Defect]]:
    """All defects of a scene, each with the object that has it, in the scene's order."""
    return ((item, defect) for item in scene.objects for defect in item.defects)


def keeping(scene: Scene, ids: Collection[int]) -> Scene:
    """The scene with those of its defects alone that have these ids; what was drawn for the others stays noted."""

    def some(item: SceneObject) -> SceneObject:
        gone = {d.new_part for d in item.defects if d.id not in ids}
        kept = tuple(d for d in item.defects if d.id in ids)
        materials = {part: m for part, m in item.materials.items() if part not in gone}
        return item.model_copy(update={"defects": kept, "materials": materials})

    return scene.model_copy(update={"objects": tuple(some(o) if o.defects else o for o in scene.objects)})


def drawn_defects(recipe: Recipe, scene: Scene, first: Scene, turn: int = 0) -> Scene:
    """A sound scene with the defects that a recipe asks for, which need not be the recipe that it was drawn from.

    `first` is the sound scene of its group that decides where the camera sees them; the scene itself, where it is alone
    in its group. Turn 0 are those that `sample` would draw, and each other turn draws others.

    Raises:
        AssetError: a mesh cannot be built.
        PlacementError: more defects than one image can number.
    """
    anew = {"objects": turn} if turn else None
    marred = with_defects(recipe, ImageDraws(recipe, scene.seed, scene.group, anew), first)
    return scene.model_copy(
        update={"objects": tuple(_taken(o, m) for o, m in zip(scene.objects, marred.objects, strict=True))}
    )


def _taken(item: SceneObject, marred: SceneObject) -> SceneObject:
    """An object with what another frame of it says of defects."""
    made = {d.new_part for d in marred.defects}
    told = {path: draw for path, draw in marred.parameters.items() if path.startswith("defects.")}
    return item.model_copy(
        update={
            "defects": marred.defects,
            "materials": item.materials | {part: m for part, m in marred.materials.items() if part in made},
            "parameters": item.parameters | told,
        }
    )


def seen_masks(scene: Scene) -> dict[int, npt.NDArray[np.bool_]]:
    """Defect id → (h, w) where the ray engine sees it."""
    if not any(o.defects for o in scene.objects):
        return {}
    meshes = meshes_of(scene)
    view = cast(scene, meshes, triangles=True)
    bits = defect_bits(scene, meshes, view)
    return {
        defect.id: (view.ids == item.id) & (bits >> np.uint32(k) & 1 > 0)
        for item in scene.objects
        for k, defect in enumerate(item.defects)
    }
