"""The images that a recipe may ask for beside a picture, as the integers that are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

from ..assets.mesh import Mesh
from ..errors import LabelError
from ..scenes.ids import join_ids
from ..scenes.outputs import MapName, map_names
from ..scenes.scene import Scene
from . import flow, nocs, normals, panoptic
from .frame import Frame
from .geometry import points
from .labels import InstanceLabel
from .semantic import semantic

__all__ = ["maps"]

Stored = npt.NDArray[Any]


def maps(
    scene: Scene, meshes: Mapping[int, Mesh], frame: Frame, instances: Sequence[InstanceLabel]
) -> dict[MapName, Stored]:
    """Name → (h, w) or (h, w, 3) uint8 or uint16 of every image that `scene.outputs` ask for, sorted by name."""
    return {name: _stored(name, scene, meshes, frame, instances) for name in map_names(scene.outputs)}


def _stored(
    name: MapName, scene: Scene, meshes: Mapping[int, Mesh], frame: Frame, instances: Sequence[InstanceLabel]
) -> Stored:
    if name == "normals":
        if frame.normals is None:
            raise LabelError("the frame has no normals, which the scene asks for: render it with an engine that does")
        return normals.to_steps(frame.normals)
    if name == "nocs":
        return nocs.to_steps(nocs.nocs(scene, meshes, frame.ids, points(scene.camera, frame.depth_m)))
    if name == "semantic":
        return semantic(scene, frame.ids, frame.stuff)
    if name == "panoptic":
        return panoptic.to_colors(panoptic.panoptic(scene, instances, frame.ids, frame.stuff))
    seconds = scene.timing.step_s * (1 if name == "flow" else -1)
    return flow.to_steps(*flow.flow(scene, meshes, join_ids(frame.ids, frame.stuff), frame.depth_m, seconds))
