"""A defect as plain data: what it is, how bad, where it sits on its object, and what the surface is like there."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from .material import RGB

__all__ = ["FIRST_DEFECT", "LAST_DEFECT", "PER_OBJECT", "Defect", "Look"]

#: Defects are numbered from here on, above all objects, so that both share one space of annotation ids.
FIRST_DEFECT, LAST_DEFECT = 32001, 32767
#: Defects on one object: each has a bit in the label images, and floats count exactly to 24 bits.
PER_OBJECT = 24

Matrix4 = tuple[
    tuple[float, float, float, float],
    tuple[float, float, float, float],
    tuple[float, float, float, float],
    tuple[float, float, float, float],
]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Look(_Frozen):
    """What a surface is like where a defect has fully changed it; where its strength is less, it is mixed in.

    `colour` is linear RGB, `second` the colour where the layers' tone is 1. "replace" puts the colour in place of the
    surface's, "multiply" darkens and tints that one, as what soaks in does. None leaves the surface's own value.
    `bare` takes coats and sheen off, `opaque` stops light from going through.
    """

    colour: RGB
    second: RGB | None = None
    blend: Literal["replace", "multiply"] = "replace"
    roughness: Annotated[float | None, Field(ge=0, le=1)] = None
    metallic: Annotated[float | None, Field(ge=0, le=1)] = None
    bare: bool = True
    opaque: bool = True


class Defect(_Frozen):
    """One defect of one object.

    Its *patch* is a flat sheet that touches the surface at the patch's origin: x and y lie in the sheet, z points out
    of the material; coordinates are real millimetres. What the kind draws on the sheet is projected along z onto the
    surface that lies within `reach_mm` of it and faces it.

    Attributes:
        id: its number in the image, `FIRST_DEFECT` … `LAST_DEFECT`.
        kind: a key of `defects.kinds.KINDS`.
        severity: 0 (exclusive) … 1, from which `values` were drawn.
        seed: of the shape of its outline and grain.
        values: the kind's own numbers, by name; lengths in millimetres.
        patch_T_object: (4, 4) affine, from the unscaled mesh (metres) to the patch (millimetres, the object's scale
            applied).
        size_mm: width and height of the sheet, centred on the origin.
        reach_mm: surface farther than this from the sheet, before or behind it, is spared.
        thick_mm: how far the material goes on below the origin, for kinds that go into it; None where nobody asked.
        facing: least cosine between a face's normal and z; −1 means any.
        part: the part of the mesh on which it sits; kinds that only change the look are confined to it.
        look: what the surface is like there; None where the surface only changes its form.
        region: where it was asked to be: "all", "edge", "face", or a region named on the asset.
    """

    id: Annotated[int, Field(ge=FIRST_DEFECT, le=LAST_DEFECT)]
    kind: str
    severity: Annotated[float, Field(gt=0, le=1)]
    seed: Annotated[int, Field(ge=0)]
    values: dict[str, float]
    patch_T_object: Matrix4
    size_mm: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]
    reach_mm: Annotated[float, Field(gt=0)]
    thick_mm: Annotated[float, Field(gt=0)] | None = None
    facing: Annotated[float, Field(ge=-1, lt=1)] = 0.25
    part: str
    look: Look | None = None
    region: str = "all"

    @property
    def to_patch(self) -> npt.NDArray[np.float64]:
        """(4, 4) from the unscaled mesh, metres, to the patch, millimetres."""
        return np.asarray(self.patch_T_object, dtype=np.float64)

    @property
    def new_part(self) -> str:
        """Name of the part that the faces have which this defect makes, where it makes any."""
        return f"{self.kind} {self.id}"
