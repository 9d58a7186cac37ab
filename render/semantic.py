"""The semantic map: which class each pixel shows, things and stuff.

(h, w) uint8: 0 is nothing that has a class (background, distractors); 1 … N are the scene's categories, as in COCO;
N + 1 … are its `stuff_categories`: the surface, and the kinds of fixtures. What is stored is what it is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import LabelError
from ..scenes.scene import Scene

__all__ = ["semantic", "stuff_class"]


def semantic(scene: Scene, ids: npt.NDArray[np.uint16], stuff: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The class of every pixel, from a frame's object ids and stuff (`scenes.ids.split_ids`)."""
    things = np.zeros(max((o.id for o in scene.objects), default=0) + 1, np.uint8)
    things[[o.id for o in scene.objects]] = [o.category_id for o in scene.objects]
    names = ["surface", *(fixture.name for fixture in scene.fixtures)] if stuff.any() else []
    classes = np.array([0, *(stuff_class(scene, name) for name in names)], np.uint8)
    return np.where(ids > 0, things[ids], classes[stuff])


def stuff_class(scene: Scene, name: str) -> int:
    """The class of the surface or of a kind of fixture."""
    if name not in scene.stuff_categories:
        raise LabelError(f"{name!r} is no stuff category of the scene, which has {list(scene.stuff_categories)}")
    return len(scene.categories) + 1 + scene.stuff_categories.index(name)
