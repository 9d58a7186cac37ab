"""Checks, stripes, ruled mats and sheets, tiles; powder coating and conveyor belts."""

from __future__ import annotations

from math import pi
from typing import Any

from .shader_graph import Graph, Wire
from .shader_wear import RGB, Skin, dim, finish, rubbed, scratches, smudged

__all__ = ["belt", "checker", "cutting_mat", "graph_paper", "powder_coat", "stripes", "tiles"]

Values = dict[str, Any]


def checker(g: Graph, v: Values) -> Any:
    """Printed squares; smaller than a pixel they fade to their mean."""
    u, w = _plane(g)
    side = v["square_mm"] / 1000
    a, b = g.math("FLOOR", u / side), g.math("FLOOR", w / side)
    odd = g.math("FLOORED_MODULO", a + b, 2.0)
    return _printed(g, v, g.resolved(side).lerp(0.5, odd))


def stripes(g: Graph, v: Values) -> Any:
    """Printed or woven stripes along x."""
    g.lay_flat()
    w = g.split(g.position)[1] + g.draw()
    pitch = v["pitch_mm"] / 1000
    band = g.math("LESS_THAN", g.math("FRACT", w / pitch), v["share"])
    return _printed(g, v, g.resolved(pitch).lerp(v["share"], band))


def cutting_mat(g: Graph, v: Values) -> Any:
    """Lines every centimetre, heavier ones every five, on grained PVC that knives have scored."""
    u, w = _plane(g)
    lines = g.math("MAXIMUM", _ruled(g, u, w, 10.0, 0.25) * 0.6, _ruled(g, u, w, 50.0, 0.6))
    grain = g.noise(0.6, detail=1)
    cuts = scratches(g, v["wear"], length_mm=45, width_mm=0.2)
    skin = Skin(
        colour=(cuts * 0.5).tint(lines.tint(_uneven(g, v["colour"]), v["second"]), dim(v["colour"], 2.5)),
        roughness=v["roughness"] + cuts * 0.2,
        height_mm=(grain - 0.5) * 0.05 - cuts * 0.05,
        more={"specular_ior_level": 0.35},
    )
    return finish(g, smudged(g, skin, 0.15), v["dust"])


def graph_paper(g: Graph, v: Values) -> Any:
    """A sheet ruled both ways, every fifth line heavier."""
    u, w = _plane(g)
    thin, thick = _ruled(g, u, w, v["pitch_mm"], 0.15), _ruled(g, u, w, 5 * v["pitch_mm"], 0.3)
    return _printed(g, v, g.math("MAXIMUM", thin * 0.5, thick * 0.85))


def tiles(g: Graph, v: Values) -> Any:
    """Glazed tiles, each a little lighter or darker than the next, in sunken grout 2.5 mm wide."""
    u, w = _plane(g)
    side = v["tile_mm"] / 1000
    a, b = u / side, w / side
    edge = g.math("MAXIMUM", abs(g.math("FRACT", a) - 0.5), abs(g.math("FRACT", b) - 0.5))
    half = 0.5 - 1.25 / v["tile_mm"]
    grout = edge.step(half - 0.3 / v["tile_mm"], half + 0.3 / v["tile_mm"])
    chance, _, _ = g.split(g.white(g.join(g.math("FLOOR", a), g.math("FLOOR", b), float(g.draw() * 100))))
    glaze = chance.tint(dim(v["colour"], 0.88), dim(v["colour"], 1.08))
    sand = g.noise(0.8, detail=2)
    marks = scratches(g, v["wear"], length_mm=12)
    skin = Skin(
        colour=grout.tint(glaze, sand.step(0.2, 0.8).tint(dim(v["second"], 0.7), v["second"])),
        roughness=grout.lerp(v["roughness"] + marks * 0.2, 0.9),
        height_mm=grout * -0.6 + sand * grout * 0.15,
        more={"ior": 1.52},
    )
    return finish(g, smudged(g, skin, 0.12), v["dust"])


def powder_coat(g: Graph, v: Values) -> Any:
    """Baked powder: long soft waves or a sandy grain, worn to grey steel on edges that things knock against."""
    wave, sand = g.noise(1.8, detail=1), g.noise(0.35, detail=1)
    mottle = g.noise(8, detail=4, rough=0.6)
    bare = rubbed(g, 0.6 * v["wear"], 0.8, mottle)
    marks = scratches(g, v["wear"], length_mm=10)
    skin = Skin(
        colour=bare.tint((marks * 0.3).tint(_uneven(g, v["colour"]), (0.4, 0.4, 0.4)), (0.4, 0.4, 0.41)),
        roughness=bare.lerp(v["roughness"] + marks * 0.15, 0.35),
        metallic=bare * 0.9,
        height_mm=(wave - 0.5) * (0.05 * (1 - v["grain"])) + (sand - 0.5) * (0.05 * v["grain"]) - bare * 0.06,
        more={"ior": 1.5},
    )
    return finish(g, smudged(g, skin, 0.12), v["dust"])


def belt(g: Graph, v: Values) -> Any:
    """A PVC cover pressed on cloth whose weave shows through; dark tracks along x where goods have rubbed."""
    u, w = _plane(g)
    pitch = v["fabric_mm"] / 1000
    seen = g.resolved(pitch)
    weave = g.math("SINE", u * (2 * pi / pitch)) * g.math("SINE", w * (2 * pi / pitch)) * seen
    tracks = g.noise(35, detail=3, rough=0.6, stretch=(30, 1, 1)).step(0.48, 0.75) * (0.6 * v["wear"])
    marks = scratches(g, v["wear"], length_mm=20, width_mm=0.2)
    body = tracks.tint(_uneven(g, v["colour"]), dim(v["colour"], 0.55))
    skin = Skin(
        colour=(marks * 0.25).tint(body, (0.45, 0.45, 0.43)),
        roughness=v["roughness"] - tracks * 0.15 + marks * 0.15,
        height_mm=weave * 0.04,
        more={"ior": 1.52, "specular_ior_level": 0.4},
    )
    return finish(g, smudged(g, skin, 0.05), v["dust"])


def _plane(g: Graph) -> tuple[Wire, Wire]:
    """The two coordinates of a flat graph, shifted by the seed: no pattern starts at the middle of the table."""
    g.lay_flat()
    u, w, _ = g.split(g.position)
    return u + g.draw(), w + g.draw()


def _ruled(g: Graph, u: Wire, w: Wire, pitch_mm: float, width_mm: float) -> Wire:
    """1 on lines both ways; lines thinner than a pixel fade to the share of it that they cover."""
    pitch, half = pitch_mm / 1000, width_mm / pitch_mm / 2
    away = [abs(g.math("FRACT", x / pitch) - 0.5) for x in (u, w)]
    line = g.math("MAXIMUM", *away).step(0.5 - 1.2 * half, 0.5 - 0.8 * half)
    return g.resolved(2 * pitch).lerp(4 * half, line)


def _uneven(g: Graph, colour: RGB) -> Wire:
    return g.noise(70, detail=3, rough=0.6).step(0.3, 0.7).tint(dim(colour, 0.95), dim(colour, 1.03))


def _printed(g: Graph, v: Values, ink: Wire) -> Any:
    """Ink on a smooth ground, scuffed."""
    marks = scratches(g, v["wear"], length_mm=15, width_mm=0.2)
    cloud = g.noise(0.5, detail=2)
    body = ink.tint(_uneven(g, v["colour"]), v["second"])
    skin = Skin(
        colour=(marks * 0.3).tint(body, dim(v["colour"], 1.2)),
        roughness=v["roughness"] + marks * 0.15,
        height_mm=(cloud - 0.5) * 0.02,
        more={"specular_ior_level": 0.4},
    )
    return finish(g, smudged(g, skin, 0.15), v["dust"])
