"""What a dataset holds beside pictures, depth, ids and records: the annotations that a recipe has to ask for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

__all__ = ["MAPS", "MapName", "Output", "map_names"]

#: `boxes3d` adds the corners of 3D boxes to every label, `keypoints` a COCO file of key points; the others are images,
#: one or two per picture.
Output = Literal["boxes3d", "flow", "keypoints", "nocs", "normals", "panoptic", "semantic"]

#: An image beside each picture; the name is also that of its folder. What is in it is said where it is made, in
#: `render/normals.py`, `nocs.py`, `semantic.py`, `panoptic.py` and `flow.py`.
MapName = Literal["flow", "flow_backward", "nocs", "normals", "panoptic", "semantic"]

#: Output → the images that it consists of.
MAPS: dict[Output, tuple[MapName, ...]] = {
    "flow": ("flow", "flow_backward"),
    "nocs": ("nocs",),
    "normals": ("normals",),
    "panoptic": ("panoptic",),
    "semantic": ("semantic",),
}


def map_names(outputs: Iterable[Output]) -> tuple[MapName, ...]:
    """The images that outputs consist of, sorted."""
    return tuple(sorted({name for output in outputs for name in MAPS.get(output, ())}))
