"""What a defect draws on its patch: one picture of it, from which the look of the surface and the label both come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..cutouts import Cutout

__all__ = ["Layers"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Layers:
    """Rasters of one size over a defect's patch, (h, w); row 0 lies at y = −height / 2, column 0 at x = −width / 2.

    Attributes:
        mask: uint8; the defect's label is where its bilinear interpolation is half of 255 or more. It is made from the
            other rasters, as all that they change visibly, and is 0 on the outermost texels.
        strength: float32, 0 … 1: how far `Defect.look` replaces the surface's own; None where only the form changes.
        tone: float32, 0 … 1: from the look's first colour to its second; None is 0.
        height_mm: float32: how far the surface is raised (below 0: lowered) in its shading alone; None is 0.
    """

    mask: npt.NDArray[np.uint8]
    strength: Floats | None = None
    tone: Floats | None = None
    height_mm: Floats | None = None

    @property
    def label(self) -> Cutout:
        """The mask as something that both engines can look up, at coordinates 0 … 1 over the patch."""
        return Cutout(self.mask, 0.5, extension="CLIP")
