"""What a dataset holds beside pictures, depth, ids and records: the annotations that a recipe has to ask for."""

from __future__ import annotations

from typing import Literal

__all__ = ["Output"]

#: `boxes3d` adds the corners of 3D boxes to every label, `keypoints` a COCO file of key points; the others are
#: images, one per picture, described where they are made (`render/`).
Output = Literal["boxes3d", "flow", "keypoints", "nocs", "normals", "panoptic", "semantic"]
