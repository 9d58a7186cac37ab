"""Defects of the objects of an image: which objects have any, of which kinds, how bad and where."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from ..assets.defect import FIRST_DEFECT, LAST_DEFECT
from ..assets.mesh import Mesh
from ..errors import PlacementError
from .build import scene_mesh
from .defect_spots import Exposure
from .draw_defect import Drawn, Part, draw_defect
from .object_draws import ObjectDraws
from .rays import cast
from .recipe import Recipe
from .recipe_defects import DefectsSpec, by_category
from .rules import ImageDraws
from .scene import Draw, Scene, SceneObject

__all__ = ["with_defects"]


def with_defects(recipe: Recipe, draw: ImageDraws, scene: Scene) -> Scene:
    """The scene with defects on its labelled objects, as the recipe asks; itself where that asks for none.

    All is drawn from streams of its own ("objects.3.defects. …"), so a scene is the same with and without, apart from
    the defects. `scene` is the first frame and the left view of its group: all images of the group share the defects.

    Raises:
        AssetError: a mesh cannot be built.
        PlacementError: more defects than one image can number.
    """
    spec = recipe.defects
    if spec is None:
        return scene
    image, number, objects = _Image(scene), FIRST_DEFECT, []
    for k, item in enumerate(scene.objects):
        if item.category_id:
            item = _damaged_object(spec, ObjectDraws(draw, f"objects.{k}"), item, image, number)
            number += len(item.defects)
        objects.append(item)
    return scene.model_copy(update={"objects": tuple(objects)})


class _Image:
    """What the objects of a scene share: their meshes, and what the camera sees of them."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    @cached_property
    def meshes(self) -> Mapping[int, Mesh]:
        """The sound meshes by object."""
        return {o.id: scene_mesh(o.mesh) for o in self.scene.objects}

    @cached_property
    def exposure(self) -> Exposure:
        """Cast once, and only where a defect is placed by it."""
        return Exposure(self.scene, cast(self.scene, self.meshes, triangles=True))


def _damaged_object(
    spec: DefectsSpec, draws: ObjectDraws, item: SceneObject, image: _Image, number: int
) -> SceneObject:
    quantile = draws.quantile("defects.present")
    present = quantile < by_category(spec.rate, item.category)
    notes = {"defects.present": Draw(value=present, quantile=quantile)}
    done: list[Drawn] = []
    if present:
        count = round(float(draws("defects.count", spec.count)))  # type: ignore[arg-type]  # numbers only
        notes |= draws.draws
        exposure = image.exposure if spec.placement == "exposure" else None
        part = Part(spec, item, image.meshes[item.id], exposure)
        for n in range(count):
            if number + len(done) > LAST_DEFECT:
                raise PlacementError(
                    f"an image can number {LAST_DEFECT - FIRST_DEFECT + 1} defects, and object {item.id} of "
                    f"{len(image.scene.objects)} asks for one more: lower defects.rate, defects.count or objects.count"
                )
            drawn, noted = draw_defect(part, draws, n, number + len(done), done)
            notes |= noted
            done += [drawn] if drawn else []
    return item.model_copy(
        update={
            "defects": tuple(d.defect for d in done),
            "materials": item.materials | {d.defect.new_part: d.inside for d in done if d.inside is not None},
            "parameters": item.parameters | notes,
        }
    )
