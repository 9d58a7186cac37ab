"""The backplate of a recipe: a photograph behind what is rendered, on whose table it casts its shadows."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from .distributions import Dist
from .limits import Strict, between, file_names, truths

__all__ = ["BackplateSpec"]


class BackplateSpec(Strict):
    """A photograph fills the picture, and `surface` becomes an invisible table that catches shadows and reflections.

    The photograph is scaled down until the picture just fits into it, and cut off evenly on both sides; its pixels come
    out as they went in, so `render.view_transform` must be standard and the white balance neutral, and
    `render.exposure_ev` makes the objects brighter, not the photograph. Bring the camera's focal length, distance and
    elevation to what the photograph was taken with.
    """

    images: Annotated[
        Dist,
        AfterValidator(file_names),
        Field(description="a photograph, or a folder of them of which one is drawn; relative to the recipe"),
    ]
    present: Annotated[Dist, AfterValidator(truths), Field(description="false: this image is without it")] = Field(
        default=True, validate_default=True
    )
    roughness: Annotated[
        Dist, between(0, 1), Field(description="of the photographed table: how blurred it reflects the objects")
    ] = Field(default=0.5, validate_default=True)
    reflectance: Annotated[
        Dist,
        between(0, 4),
        Field(description="of the table as objects see it, as a factor on the photograph's linear light"),
    ] = Field(default=1.0, validate_default=True)
