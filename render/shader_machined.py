"""Metal with the marks of the tool that cut it, and anodised aluminium.

Tool marks do two things. Where a pixel can show them they are fine grooves with highlights of their own; everywhere
they scatter light across themselves, so a turned face has bright spokes and a milled one bright arcs, and both move
with the light. The second is the anisotropy of the shader along the direction of cut.
"""

from __future__ import annotations

from math import pi
from typing import Any

from .shader_graph import Graph, Scalar, Wire
from .shader_wear import Skin, dim, finish, rubbed, scratches, smudged

__all__ = ["anodised", "milled", "turned"]

Values = dict[str, Any]


def turned(g: Graph, v: Values) -> Any:
    """Grooves around the object's z axis: on faces one beside the other from the axis out, on cylinders along it."""
    x, y, z = g.split(g.position)
    radius = g.math("SQRT", x * x + y * y)
    across = _level(g).lerp(z, radius)
    grooves = _grooves(g, v["feed_mm"], across, g.join(across, x * 0.01, y * 0.01))
    bands = g.noise(2.4, detail=4, rough=0.7, at=g.join(across, x * 0.01, y * 0.01))
    around = g.join(y * -1.0, x, 0.0)
    return _cut(g, v, grooves, bands, around)


def milled(g: Graph, v: Values) -> Any:
    """Passes along x, there and back: on faces the arcs of an end mill, on walls the straight marks of its flank."""
    x, y, _ = g.split(g.position)
    width = v["pass_mm"] / 1000
    row = y / width + g.draw()
    index = g.math("FLOOR", row)
    aside = (row - index - 0.5) * width
    back = g.math("FLOORED_MODULO", index, 2.0) * 2.0 - 1.0
    cutter = 0.56 * width
    lead = g.math("SQRT", cutter * cutter - aside * aside)
    level = _level(g)
    nx, ny, _ = _normal(g)
    wall = g.math("GREATER_THAN", abs(nx), abs(ny)).lerp(x, y)
    across = level.lerp(wall, x * back - lead)
    lane = level.lerp(0.0, index * 0.01)
    grooves = _grooves(g, v["feed_mm"], across, g.join(across, lane, aside * 0.03))
    trailing = _grooves(g, v["feed_mm"], x * back + lead, g.join(x * back + lead, lane, aside * 0.03))
    both = grooves + level.lerp(0.0, trailing - 0.5) * 0.35
    bands = g.noise(5.0, detail=3, rough=0.6, at=g.join(across, lane, aside * 0.1))
    seam = abs(aside).step(0.475 * width, 0.497 * width) * level
    along = g.join(level.lerp(0.0, aside * back * -1.0), level.lerp(0.0, lead), level.lerp(1.0, 0.0))
    return _cut(g, v, both, bands, along, seam)


def anodised(g: Graph, v: Values) -> Any:
    """A dyed film of oxide on satin aluminium: the grain of the metal below, bare where edges were knocked."""
    grain = g.noise(0.14, detail=1)
    fine = g.noise(0.5, detail=2, rough=0.6, stretch=(30, 1, 1))
    broad = g.noise(25, detail=2)
    bare = rubbed(g, 0.5 * v["wear"], 0.5, g.noise(4, detail=4, rough=0.6))
    marks = scratches(g, v["wear"], length_mm=9, width_mm=0.08)
    film = broad.step(0.3, 0.7).tint(dim(v["colour"], 0.95), dim(v["colour"], 1.04))
    shown = (bare * 0.8 + marks * 0.35).clamped()
    skin = Skin(
        colour=shown.tint(film, (0.72, 0.72, 0.73)),
        roughness=v["roughness"] + (grain - 0.5) * 0.12 + marks * 0.08 - bare * 0.1,
        metallic=1.0,
        height_mm=(grain - 0.5) * (0.010 * v["grain"]) + (fine - 0.5) * (0.004 * (1 - v["grain"])),
        more={"coat_weight": 0.25, "coat_roughness": 0.25, "coat_ior": 1.6},
    )
    return finish(g, smudged(g, skin, 0.08), v["dust"])


def _cut(g: Graph, v: Values, grooves: Wire, bands: Wire, along: Wire, seam: Scalar = 0.0) -> Any:
    """Bare metal with grooves (0 … 1, mean 0.5) that run `along` a direction of the object."""
    depth = v["depth"]
    marks = scratches(g, v["wear"], length_mm=8, width_mm=0.06)
    film = g.noise(14, detail=4, rough=0.6)  # oil and oxide, which never cover evenly
    tone = (grooves - 0.5) * (0.25 + 0.35 * depth) + (bands - 0.5) * (0.5 + 0.6 * depth) + (film - 0.5) * 0.35 + 0.5
    skin = Skin(
        colour=tone.clamped().tint(dim(v["colour"], 0.74), dim(v["colour"], 1.06)),
        roughness=v["roughness"] + (bands - 0.5) * (0.10 + 0.14 * depth) + (film - 0.5) * 0.10 + marks * 0.05,
        metallic=1.0,
        height_mm=(grooves - 0.5) * (0.0015 + 0.0065 * depth) * (0.3 + v["feed_mm"]) / 0.45 - seam * 0.004,
        more={
            "anisotropic": 0.45 + 0.35 * depth,
            "anisotropic_rotation": 0.25,
            "tangent": _to_world(g, along),
        },
    )
    return finish(g, smudged(g, skin, 0.06), v["dust"])


def _grooves(g: Graph, feed_mm: float, across: Wire, at: Wire) -> Wire:
    """0 … 1 across grooves one `feed_mm` apart; chatter and chips make each one a little different.

    The regular part fades to its mean where pixels cannot show it, or it would give moiré.
    """
    regular = g.math("SINE", across * (2000 * pi / feed_mm)) * g.resolved(feed_mm / 1000)
    uneven = g.noise(0.8 * feed_mm, detail=3, rough=0.65, at=at)
    return regular * 0.22 + (uneven - 0.5) * 1.1 + 0.5


def _to_world(g: Graph, direction: Wire) -> Wire:
    """A direction of the object in world space."""
    inputs: dict[int, Scalar] = {0: direction}
    return g.call("ShaderNodeVectorTransform", inputs, vector_type="VECTOR", convert_from="OBJECT", convert_to="WORLD")


def _normal(g: Graph) -> tuple[Wire, Wire, Wire]:
    """The components of the normal in the object's frame."""
    return g.split(g.call("ShaderNodeTexCoord", {}, "Normal"))


def _level(g: Graph) -> Wire:
    """1 on faces across the object's z axis, 0 on walls along it."""
    return abs(_normal(g)[2]).step(0.55, 0.75)
