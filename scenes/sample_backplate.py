"""The photograph behind an image, drawn."""

from __future__ import annotations

from ..assets.backplates import crop_of
from .recipe import BACKPLATES, Recipe
from .rules import ImageDraws
from .scene import Backplate

__all__ = ["backplate"]


def backplate(recipe: Recipe, draw: ImageDraws) -> Backplate | None:
    """The recipe's photograph for this image; None without, or where it is not present.

    Raises:
        AssetError: it cannot be read (any more), or is smaller than the picture.
    """
    if recipe.backplate is None or draw("backplate.present") is False:
        return None
    files = recipe.files[BACKPLATES + str(draw("backplate.images"))]
    image = files[draw.pick("backplate.images.file", [f.name for f in files])]
    return Backplate(
        image=image, crop_px=crop_of(image, recipe.render.size),
        roughness=draw("backplate.roughness"), reflectance=draw("backplate.reflectance"),
    )  # fmt: skip
