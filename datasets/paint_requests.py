"""Where defects are to be painted in an image: as rendered, or as drawn. Masks of the user's: `paint_masks`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..assets.defect import Defect
from ..render.rle import decode
from ..scenes.kept_defects import defects_of, drawn_defects, seen_masks
from ..scenes.recipe import Recipe
from ..scenes.scene import Scene
from .sound import Sound

__all__ = ["Wanted", "drawn", "rendered"]

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Wanted:
    """One defect that is to be painted.

    Attributes:
        id, kind, severity, parent_id: as in `DefectLabel`.
        material: family of the material on which it lies.
        mask: (h, w) pixels, all of its parent, and of no other request.
        rendered: (h, w) its mask in the source's render, None where it was never rendered.
        defect: what the scene says of it, None where that says nothing.
        mask_file: name of the user's mask that asks for it, None where none does.
    """

    id: int
    kind: str
    severity: float
    parent_id: int
    material: str
    mask: Mask
    rendered: Mask | None
    defect: Defect | None
    mask_file: str | None = None


def rendered(sound: Sound, kinds: Collection[str]) -> tuple[Scene, list[Wanted]]:
    """The scene of the image, and a request for each annotated defect of these kinds: its own mask."""
    if sound.marred is None:
        return sound.scene, []
    record = sound.marred
    size = (record.height, record.width)
    masks = {d.id: decode(d.rle, size) for d in record.defects if d.annotated and d.rle and d.kind in kinds}
    return record.scene, list(_in_scene(record.scene, sound, masks, as_rendered=True))


def drawn(
    sound: Sound, recipe: Recipe, first: Scene, turn: int, kinds: Collection[str]
) -> tuple[Scene, list[Wanted]]:  # fmt: skip
    """The sound scene with the defects that a recipe asks for, and a request for each that would be seen.

    `first` and `turn` are as for `drawn_defects`; masks are the ray engine's.
    """
    assert recipe.defects is not None
    scene = drawn_defects(recipe, sound.scene, first, turn).model_copy(update={"defect_rules": recipe.defects.rules})
    wanted = {d.id for _, d in defects_of(scene) if d.kind in kinds}
    masks = {id: mask for id, mask in seen_masks(scene).items() if id in wanted}
    return scene, list(_in_scene(scene, sound, masks, as_rendered=False))


def _in_scene(scene: Scene, sound: Sound, masks: Mapping[int, Mask], as_rendered: bool) -> Iterator[Wanted]:
    """Requests for defects of a scene; what would be too small to be annotated is none."""
    taken = np.zeros(sound.ids.shape, bool)
    for item, defect in defects_of(scene):
        if defect.id in masks:
            mask = masks[defect.id] & (sound.ids == item.id) & ~taken
            if mask.sum() < scene.defect_rules.min_pixels:
                continue
            taken |= mask
            family, whole = item.materials[defect.part].family, masks[defect.id] if as_rendered else None
            yield Wanted(defect.id, defect.kind, defect.severity, item.id, family, mask, whole, defect)
