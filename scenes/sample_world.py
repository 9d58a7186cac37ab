"""What lights an image from all around, and how bright the camera makes it."""

from __future__ import annotations

import math

from ..assets.hdris import mean_luminance
from ..assets.material import FileRef
from .recipe import Recipe
from .rules import ImageDraws
from .scene import Draw, steady
from .scene_lights import Sky, World
from .streams import stream

__all__ = ["flicker", "world"]

#: Blender's sky is in physical units; this brings that of a sun at 45° to a white table of about mid white.
SKY_SCALE = 0.1


def world(recipe: Recipe, draw: ImageDraws) -> World:
    """The world's light, scaled so that equal strengths give about equal light whatever the source's own units."""
    source, strength = draw("world.source"), draw("world.strength")
    if source == "sky":
        elevation, azimuth = (math.radians(draw(f"world.sky.{name}_deg")) for name in ("elevation", "azimuth"))
        sky = Sky(elevation=elevation, azimuth=azimuth, haze=draw("world.sky.haze"), sun=recipe.world.sky.sun)
        return World(sky=sky, strength=steady(strength * SKY_SCALE))
    if source == "colour":
        return World(color=draw("world.colour"), strength=strength)
    name = str(draw("world.hdri"))
    hdri: str | FileRef = name
    if name in recipe.files:
        files = recipe.files[name]
        hdri = files[draw.pick("world.hdri.file", [f.name for f in files])]
    return World(
        hdri=hdri,
        rotation=math.radians(draw("world.rotation_deg")),
        strength=steady(strength / mean_luminance(hdri)),
    )


def flicker(draw: ImageDraws, index: int) -> float:
    """How far the exposure of image `index` is off, stops: normal, of its own in each frame and view of a group."""
    std = draw("render.flicker_ev")
    if not std:
        return 0.0
    off = steady(std * float(stream(draw.seed, index, draw.named("render.flicker")).standard_normal()))
    draw.draws["render.flicker"] = Draw(value=off)
    return off
