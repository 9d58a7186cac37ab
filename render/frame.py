"""What a render gives: typed arrays with units, and nothing of Blender's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Frame"]


@dataclass(frozen=True)
class Frame:
    """One rendered picture with its label images, all of the same height and width, row 0 at the top.

    Attributes:
        rgb: (h, w, 3) uint8, display-referred sRGB.
        ids: (h, w) uint16, instance id of the first surface that the ray through the pixel's centre meets; 0 is none.
            What labels look through (`LabelRules.transparency`) it does not meet.
        stuff: (h, w) uint8, where no object is: 1 the surface, 2 + k fixture k, 0 nothing (`scenes.ids.split_ids`).
        depth_m: (h, w) float32, metres along the optical axis to that surface; inf where the ray meets nothing.
        normals: (h, w, 3) float32, geometric normals in the camera frame (`render.normals`), or None when the scene's
            `outputs` do not ask for them.
        defects: (h, w) uint32, bit k is set where the surface belongs to the k-th defect of its object; None in a
            scene without defects.
        change: (h, w) float32, CIE76 ΔE*ab by which defects change the picture, NaN where nobody looked; `noise` is
            that of its measurement. None in a scene without defects.
        linear: (h, w, 3) float32, scene-linear Rec.709 radiance, or None when it was not asked for.
    """

    rgb: npt.NDArray[np.uint8]
    ids: npt.NDArray[np.uint16]
    stuff: npt.NDArray[np.uint8]
    depth_m: npt.NDArray[np.float32]
    normals: npt.NDArray[np.float32] | None = None
    defects: npt.NDArray[np.uint32] | None = None
    change: npt.NDArray[np.float32] | None = None
    noise: npt.NDArray[np.float32] | None = None
    linear: npt.NDArray[np.float32] | None = None
