"""What objects stand on, as frozen data: a table, and the photograph that may show it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ..assets.material import FileRef, Material

__all__ = ["Backplate", "Surface"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Surface(_Frozen):
    """The table that objects stand on: the plane z = 0, `size` (x, y) metres, rounded edge, `thickness` metres.

    Before a backplate it is as the photograph shows it, and its material has the family "backplate".
    """

    size: tuple[float, float]
    thickness: float = 0.03
    material: Material


class Backplate(_Frozen):
    """A photograph that fills the picture; the surface is not seen and catches shadows and reflections.

    `crop_px` is x, y, width and height of what is shown of the upright photograph. `roughness` is the surface's, and
    `reflectance` a factor on the photograph's linear light, which gives the surface's colour where objects see it.
    """

    image: FileRef
    crop_px: tuple[int, int, int, int]
    roughness: Annotated[float, Field(ge=0, le=1)] = 0.5
    reflectance: Annotated[float, Field(ge=0)] = 1.0
