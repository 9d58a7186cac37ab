"""A stand-in for Blender that needs none: flat shading of what the ray engine sees, in milliseconds.

For trying recipes and pipelines (`render.engine: flat`), not for training: there is no light, no material, no noise.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ..assets.backplates import linear_to_srgb
from ..assets.mesh import Mesh
from ..scenes.build import meshes_of
from ..scenes.defect_rays import defect_bits
from ..scenes.ray_normals import ray_normals
from ..scenes.rays import cast
from ..scenes.scene import Camera, Scene
from .composite import behind
from .frame import Frame

__all__ = ["FlatEngine"]


#: Defects have this share of the light, a difference of so much ΔE.
MARRED, DIFFERENCE = 0.5, 20.0


class FlatEngine:
    """Gives frames of the same shape and meaning as Cycles does; its ids are the ray engine's own."""

    device = "none"

    def pair(
        self, scene: Scene, meshes: Mapping[int, Mesh], linear: bool = False, twin: bool = True
    ) -> tuple[Frame, Frame | None]:
        """As `render`, and the frame of the scene's `twin` where that is wanted and differs."""
        frame = self.render(scene, meshes, linear)
        if frame.defects is None or not twin:
            return frame, None
        return frame, self.render(scene.twin, meshes_of(scene.twin), linear)

    def render(self, scene: Scene, meshes: Mapping[int, Mesh], linear: bool = False) -> Frame:
        """Grey by the angle between surface and view, tinted by object id, over the scene's photograph if it has one.

        `linear` is the same picture before sRGB. Defects are darker, and said to be seen.
        """
        wanted, marred = "normals" in scene.outputs, any(o.defects for o in scene.objects)
        view = cast(scene, meshes, triangles=wanted or marred)
        shade = _facing(view.depth_m, scene.camera)[..., None] * _tint(view.ids)
        bits = defect_bits(scene, meshes, view) if marred else None
        if bits is not None:
            shade = np.where(bits[..., None] > 0, MARRED * shade, shade)
        if scene.backplate is not None:
            covered = (view.ids > 0) | (view.stuff > 1)
            shade = np.where(covered[..., None], shade, linear_to_srgb(behind(scene)) ** 2.2)
        return Frame(
            rgb=np.rint(255 * shade ** (1 / 2.2)).astype(np.uint8), ids=view.ids, stuff=view.stuff,
            depth_m=view.depth_m, normals=ray_normals(scene, meshes, view) if wanted else None,
            linear=shade.astype(np.float32) if linear else None, defects=bits,
            change=None if bits is None else np.where(bits > 0, np.float32(DIFFERENCE), np.float32(0)),
            noise=None if bits is None else np.zeros(bits.shape, np.float32),
        )  # fmt: skip

    def view(self, scene: Scene, linear: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The picture, from 0 to 1, of linear light that effects of a sensor have changed."""
        return np.asarray(np.clip(linear, 0, 1) ** (1 / 2.2), np.float32)


def _facing(depth: npt.NDArray[np.float32], camera: Camera) -> npt.NDArray[np.float64]:
    """Cosine between the surface normal, from depth differences, and the viewing axis; (h, w) in 0.1 … 1."""
    far = np.where(np.isfinite(depth), depth, 10.0).astype(np.float64)
    dx, dy = np.gradient(far, axis=1) * camera.fx, np.gradient(far, axis=0) * camera.fy
    return np.asarray(np.clip(far / np.sqrt(dx**2 + dy**2 + far**2), 0.1, 1.0))


def _tint(ids: npt.NDArray[np.uint16]) -> npt.NDArray[np.float64]:
    """(h, w, 3) a colour per id, spread by the golden ratio; id 0 is light grey."""
    angle = 2 * np.pi * (ids * 0.618034)
    color = 0.6 + 0.35 * np.cos(angle[..., None] + np.array([0.0, 2.1, 4.2]))
    return np.where(ids[..., None] == 0, 0.8, color)
