"""Surfaces made of a user's texture maps, at their true size on any mesh.

Without texture coordinates the pictures are projected along the three axes of the object and blended where a surface
turns from one to the next, by the eighth power of the normal's components. A normal map is read as slopes, which add
up over the projections (surface gradients, Mikkelsen 2020, "Surface gradient-based bump mapping framework").
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import bpy

from ..assets.material import Texture
from .shader_defects import principled
from .shader_graph import Graph, Scalar, Wire

__all__ = ["Pictures", "textured"]

#: Steepness of the change from one projection to the next.
BLEND = 8.0
#: A normal map's z is held to this: slopes over 10 are noise in 8 bits.
FLATTEST = 0.1


@dataclass(frozen=True)
class Pictures:
    """A texture with its images loaded, and the factor from the mesh's units to metres."""

    texture: Texture
    images: Mapping[str, bpy.types.Image]
    scale: float

    @property
    def is_box(self) -> bool:
        """Whether they are projected, rather than laid by the mesh's texture coordinates."""
        return self.texture.mapping == "box"


@dataclass(frozen=True)
class _Side:
    """One projection: where on the pictures, what the pictures' axes are in the object, and how much it counts."""

    at: Wire
    right: Wire
    up: Wire
    weight: Wire


def textured(g: Graph, v: dict[str, Any]) -> Any:
    """The maps of `v["pictures"]`, and the values for what no map says."""
    pictures: Pictures = v["pictures"]
    sides = _box(g, v, pictures) if pictures.is_box else []
    at = None if sides else g.call("ShaderNodeUVMap", {}, uv_map="uv")

    def seen(role: str) -> Wire | None:
        """A map's colour, as a vector."""
        if role not in pictures.images:
            return None
        if at is not None:
            return _sampled(g, pictures.images[role], at)
        several = [g.scaled(_sampled(g, pictures.images[role], s.at), s.weight) for s in sides]
        return reduce(lambda a, b: g.vector("ADD", a, b), several)

    colour = seen("colour")
    assert colour is not None, "every texture has a colour map"
    occlusion, roughness, metallic = _numbers(g, v, seen)
    if occlusion is not None:
        shade = 1.0 + (occlusion - 1.0) * v["occlusion"]
        colour = g.scaled(colour, shade)
    inputs = {"base_color": colour, "roughness": roughness, "metallic": metallic}
    return principled(g, None, inputs | _relief(g, v, pictures, sides, at, seen))


def _numbers(g: Graph, v: dict[str, Any], seen: Any) -> tuple[Wire | None, Scalar, Scalar]:
    """Occlusion, roughness and metal: from maps of their own, else from a packed one, else from the values."""
    packed = seen("packed")
    channels: tuple[Wire | None, ...] = (None, None, None) if packed is None else g.split(packed)
    occlusion, roughness, metallic = (
        channel if (own := seen(role)) is None else g.split(own)[0]
        for role, channel in zip(("occlusion", "roughness", "metallic"), channels, strict=True)
    )
    gloss = seen("gloss") if roughness is None else None
    if gloss is not None:
        roughness = 1.0 - g.split(gloss)[0]
    return (
        occlusion,
        v["roughness"] if roughness is None else roughness,
        v["metallic"] if metallic is None else metallic,
    )


def _sampled(g: Graph, image: bpy.types.Image, at: Wire) -> Wire:
    return g.call("ShaderNodeTexImage", {"Vector": at}, "Color", image=image, interpolation="Linear")


def _box(g: Graph, v: dict[str, Any], pictures: Pictures) -> list[_Side]:
    """The three projections. Seen from outside, pictures are upright on the sides and never mirrored."""
    node = g.node("ShaderNodeTexCoord")
    n = g.split(Wire(g, node.outputs["Normal"]))
    x, y, z = (c * pictures.scale for c in g.split(Wire(g, node.outputs["Object"])))
    powers = [g.math("POWER", abs(c), BLEND) for c in n]
    total = powers[0] + powers[1] + powers[2]
    signs = [g.math("SIGN", c) for c in n]
    width, height = pictures.images["colour"].size
    tile = v["tile_m"], v["tile_m"] * height / width
    c, s = math.cos(math.radians(v["turn_deg"])), math.sin(math.radians(v["turn_deg"]))
    sides = []
    # Of each axis: the coordinate to the right, its direction, the one upwards, and its direction.
    for k, (a, b) in enumerate(((y, z), (x * -1.0, z), (x, y))):
        across = a * signs[k]
        u = (across * c + b * s) / tile[0] + v["offset_u"]
        w = (b * c - across * s) / tile[1] + v["offset_v"]
        right, up = _axes(g, k, signs[k] * c, s), _axes(g, k, signs[k] * -s, c)
        sides.append(_Side(g.join(u, w), right, up, powers[k] / total))
    return sides


def _axes(g: Graph, k: int, across: Wire, b: float) -> Wire:
    """The vector of the object frame with components along projection k's right and up."""
    if k == 0:
        return g.join(0.0, across, b)
    return g.join(across * -1.0, 0.0, b) if k == 1 else g.join(across, b, 0.0)


def _relief(
    g: Graph, v: dict[str, Any], pictures: Pictures, sides: list[_Side], at: Wire | None, seen: Any
) -> dict[str, Wire]:
    """The shader's normal: of the normal map, else of the height map, else none."""
    image = pictures.images.get("normal")
    green = -1.0 if pictures.texture.normals == "directx" else 1.0
    k = float(v["normal_strength"])
    if image is None:
        # A mesh's own coordinates do not say how long they are in metres, so heights have no scale there.
        height = seen("height") if at is None else None
        if height is None:
            return {}
        return {"normal": g.bump(g.split(height)[0] * (1000.0 * v["relief"] * v["tile_m"]))}
    if at is not None:
        x, y, z = g.split(_sampled(g, image, at))
        bent = g.join((x - 0.5) * k + 0.5, (y - 0.5) * (k * green) + 0.5, z)
        return {"normal": g.call("ShaderNodeNormalMap", {"Color": bent}, "Normal", uv_map="uv")}
    slopes = [_slope(g, _sampled(g, image, side.at), side, k, green) for side in sides]
    slope = reduce(lambda a, b: g.vector("ADD", a, b), slopes)
    normal = Wire(g, g.node("ShaderNodeTexCoord").outputs["Normal"])
    along = g.call("ShaderNodeVectorMath", {0: slope, 1: normal}, "Value", operation="DOT_PRODUCT")
    flat = g.vector("SUBTRACT", slope, g.scaled(normal, along))
    turned = {0: g.vector("NORMALIZE", g.vector("ADD", normal, flat))}
    world = g.call(
        "ShaderNodeVectorTransform", turned, vector_type="NORMAL", convert_from="OBJECT", convert_to="WORLD"
    )  # fmt: skip
    return {"normal": world}


def _slope(g: Graph, colour: Wire, side: _Side, strength: float, green: float) -> Wire:
    """What one projection adds to the normal, in the object frame."""
    x, y, z = (c * 2.0 - 1.0 for c in g.split(colour))
    factor = side.weight * strength / g.math("MAXIMUM", z, FLATTEST)
    right = g.scaled(side.right, x * factor)
    return g.vector("ADD", right, g.scaled(side.up, y * factor * green))
