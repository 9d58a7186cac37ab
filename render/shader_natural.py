"""Wood, cardboard, paper, concrete and fabric: surfaces that also cover a table of a metre or two."""

from __future__ import annotations

from math import pi
from typing import Any

from .shader_graph import Graph, Wire
from .shader_wear import RGB, Skin, dim, finish, scratches, smudged

__all__ = ["cardboard", "concrete", "fabric", "paper", "wood"]

WEAVE_MEAN = 0.524  # of `fabric`'s height over the whole weave, in units of its thickest crossings
SLUB_MM = 1.4  # how wide the yarn's thick places are

Values = dict[str, Any]


def wood(g: Graph, v: Values) -> Any:
    """Planks along x, each cut from another place of another trunk.

    A trunk is growth rings around an axis near the plank's x axis; slow noise bends them into the arches of a
    flat-sawn board, and a knot pushes the rings aside around itself.
    """
    x, y, z = g.split(g.position)
    row = y / v["plank_m"] + float(g.draw() * 10)
    plank = g.math("FLOOR", row)
    across = row - plank
    chance = g.white(g.join(plank, 7.0, 3.0))
    tone, calm, _ = g.split(chance)
    board = g.join(x, (across - 0.5) * v["plank_m"], z)
    place = g.vector("MULTIPLY_ADD", chance, (9.0, 0.10, 0.06), board)
    knot = g.cells(170, at=g.vector("MULTIPLY", place, (0.42, 1.0, 1.0)))
    knot_size = 0.035 + 0.075 * v["knots"]
    rings, phase = _rings(g, v, place, knot.step(2.6 * knot_size, 0.0) * min(1.0, 5 * v["knots"]))
    year = g.split(g.white(g.join(rings - phase, plank)))[0]
    late = phase.step(0.2, 0.93) * phase.step(1.0, 0.95) * (year * 0.8 + 0.2) * calm.lerp(0.25, 0.75)
    streaks = g.noise(3.2, detail=3, rough=0.65, stretch=(45, 1, 1), at=place)
    pores = g.noise(0.4, detail=1, rough=0.6, stretch=(30, 1, 1), at=place).step(0.54, 0.72)
    stain = g.noise(130, detail=3, rough=0.62, stretch=(2, 1, 1))
    light = tone.tint(dim(v["colour"], 0.78), dim(v["colour"], 1.10))
    dark = tone.tint(_aged(v["colour"], 0.36), _aged(v["colour"], 0.52))
    heart = knot.step(knot_size, 0.55 * knot_size) * min(1.0, 5 * v["knots"])
    figure = late * 0.6 + pores * 0.3 + (streaks - 0.5) * 1.1 + stain.step(0.42, 0.80) * 0.35 + 0.12
    body = figure.clamped().tint(light, dark)
    seam = abs(across - 0.5).step(0.492, 0.4985)
    marks = scratches(g, v["wear"], length_mm=25, width_mm=0.25)
    skin = Skin(
        colour=seam.tint(heart.tint((marks * 0.3).tint(body, light), dim(v["colour"], 0.22)), dim(v["colour"], 0.07)),
        roughness=v["roughness"] + pores * 0.15 + marks * 0.1 + (stain - 0.5) * 0.4,
        # Only what is cheap: Blender computes the nodes under a bump three times.
        height_mm=pores * -0.04 - seam * 0.5,
        more={"ior": 1.48},
    )
    return finish(g, skin, v["dust"])


def _rings(g: Graph, v: Values, place: Wire, knot_pull: Wire) -> tuple[Wire, Wire]:
    """(growth rings counted from the trunk's axis, their fraction): slow years are narrow, good ones wide."""
    bend = g.noise(200, detail=1, stretch=(7, 1, 1), at=place)
    _, y, z = g.split(place)
    radius = g.math("SQRT", g.math("MULTIPLY_ADD", y, y, z * z)) + bend * 0.07 + knot_pull * 0.03
    climate = g.noise(16, detail=1, at=g.join(radius, 0.0))
    rings = radius / (v["ring_mm"] / 1000) + climate * 4.5
    return rings, g.math("FRACT", rings)


def _aged(colour: RGB, factor: float) -> RGB:
    """Darker and browner: latewood and tannin take blue first."""
    r, g, b = dim(colour, factor)
    return r, 0.94 * g, 0.82 * b


def cardboard(g: Graph, v: Values) -> Any:
    """Kraft liner: short fibres both ways, flutes that show through, scuffs where the fibres stand up."""
    g.lay_flat()
    u, _, _ = g.split(g.position)
    fibres = g.noise(0.35, detail=2, rough=0.65, stretch=(7, 1, 1))
    crossing = g.noise(0.5, detail=1, stretch=(1, 6, 1))
    cloud = g.noise(35, detail=3, rough=0.6)
    sway = g.noise(120, detail=0)
    flutes = g.math("SINE", u * (2000 * pi / v["flute_mm"]) + sway * 3.0)
    scuff = (g.noise(55, detail=3, rough=0.7) + (fibres - 0.5) * 0.4).step(
        0.72 - 0.16 * v["wear"], 0.90 - 0.12 * v["wear"]
    )
    corner = g.edge(1.5) * v["wear"]
    figure = (fibres - 0.5) * 1.1 + (crossing - 0.5) * 0.8 + (cloud - 0.5) * 0.5 + flutes * 0.03 + 0.5
    body = figure.clamped().tint(dim(v["colour"], 0.72), dim(v["colour"], 1.22))
    skin = Skin(
        colour=(scuff * 0.2 + corner * 0.5).tint(body, dim(v["colour"], 1.7)),
        roughness=0.82 + (fibres - 0.5) * 0.2,
        height_mm=flutes * 0.015 + (fibres - 0.5) * 0.05,
        more={"specular_ior_level": 0.3},
    )
    return finish(g, skin, v["dust"])


def paper(g: Graph, v: Values) -> Any:
    """A sheet with fibre clouds (look-through), soft buckles, crease lines, and greyer handled places."""
    g.lay_flat()
    fibres = g.noise(0.3, detail=2, rough=0.6)
    cloud = g.noise(5, detail=3, rough=0.55)
    stain = g.noise(70, detail=2, rough=0.6)
    fold = g.cells(75, feature="DISTANCE_TO_EDGE")
    crease = fold.step(0.012, 0.0) * v["creases"]
    tone = (cloud - 0.5) * 0.8 + (stain - 0.5) * (0.6 + v["wear"]) + (fibres - 0.5) * 0.5 + 0.5
    clean = tone.clamped().tint(dim(v["colour"], 1.03), dim(v["colour"], 0.92))
    skin = Skin(
        colour=(crease * 0.3).tint(clean, dim(v["colour"], 0.6)),
        roughness=v["roughness"] + crease * 0.2,
        height_mm=(stain - 0.5) * (4.0 * v["creases"]),
        more={"specular_ior_level": 0.35},
    )
    return finish(g, smudged(g, skin, 0.15), v["dust"])


def concrete(g: Graph, v: Values) -> Any:
    """Trowelled concrete: cement clouds, sand, aggregate that shows through, pores, hairline cracks, stains."""
    g.lay_flat()
    cloud = g.noise(60, detail=5, rough=0.72)
    sand = g.noise(0.7, detail=1)
    stones = g.cells(4.5)
    uneven = g.noise(45, detail=0)
    hole = (g.cells(13.0) + (uneven - 0.5) * 0.25).step(0.03 + 0.04 * v["pores"], 0.01 + 0.02 * v["pores"])
    pore = hole * min(1.0, 4 * v["pores"])
    blot = g.noise(260, detail=4, rough=0.62)
    wet = blot.step(0.52, 0.66) * (0.75 * v["stains"])
    bend = g.noise(90, detail=2)
    bent = g.vector("MULTIPLY_ADD", g.join(bend, bend, bend), (0.06, -0.05, 0.0), g.position)
    crack = g.cells(420, feature="DISTANCE_TO_EDGE", at=bent).step(0.0018, 0.0004) * min(1.0, 2 * v["cracks"])
    crack = crack * blot.step(0.41 + 0.2 * v["cracks"], 0.35 + 0.2 * v["cracks"])
    tone = (cloud - 0.5) * 1.7 + (sand - 0.5) * 0.9 + stones.step(0.45, 0.15) * -0.10 + 0.5
    body = tone.clamped().tint(dim(v["colour"], 0.68), dim(v["colour"], 1.25))
    skin = Skin(
        colour=g.math("MAXIMUM", pore * 0.55, crack).tint(
            wet.tint(body, dim(v["colour"], 0.42)), dim(v["colour"], 0.18)
        ),
        roughness=v["roughness"] - wet * 0.3 + pore * 0.2,
        # Grains are mostly told by their colour: the denoiser keeps colour at few samples, and loses fine relief.
        height_mm=(sand - 0.5) * 0.06 + (uneven - 0.5) * 0.8,
        more={"specular_ior_level": 0.4},
    )
    return finish(g, skin, v["dust"])


def fabric(g: Graph, v: Values) -> Any:
    """A plain weave: warp over weft in turn, threads uneven in thickness and shade, soft folds, fuzz as sheen."""
    pitch = v["thread_mm"] / 1000
    g.lay_flat()
    u, w, _ = g.split(g.position)
    sway = g.noise(25, detail=2)
    a, b = u / pitch + sway * 3.0, w / pitch + sway * 2.0
    i, j = g.math("FLOOR", a), g.math("FLOOR", b)
    over = g.math("COSINE", (b + i) * pi)
    under = g.math("COSINE", (a + j) * pi)
    warp = g.math("SINE", (a - i) * pi) * (over * 0.4 + 0.6)
    weft = g.math("SINE", (b - j) * pi) * (0.6 - under * 0.4)
    seen = g.resolved(pitch)
    height = seen.lerp(WEAVE_MEAN, g.math("MAXIMUM", warp, weft))
    on_top = g.math("GREATER_THAN", warp, weft)
    shade_warp, _, _ = g.split(g.white(g.join(i, 3.0)))
    _, shade_weft, _ = g.split(g.white(g.join(j, 5.0)))
    slub = g.noise(SLUB_MM, detail=1, stretch=(30, 1, 1)) - 0.5
    slub_y = g.noise(SLUB_MM, detail=1, stretch=(1, 30, 1)) - 0.5
    folds = g.noise(90, detail=2)
    fade = g.noise(150, detail=3)
    shade = seen.lerp(0.5, on_top.lerp(shade_weft, shade_warp))
    thick = seen.lerp(0.5, on_top).lerp(slub_y, slub) * g.resolved(SLUB_MM / 1000)
    yarn = shade * 0.5 + thick * 1.6 + (fade - 0.5) * 0.3
    lit = (height * 0.55 + yarn * 0.55).clamped()
    skin = Skin(
        colour=lit.tint(dim(v["colour"], 0.40), dim(v["colour"], 1.30)),
        roughness=0.88,
        height_mm=height * (0.16 * v["thread_mm"]) + (folds - 0.5) * (9.0 * v["creases"]),
        more={
            "specular_ior_level": 0.2,
            "sheen_weight": 0.35 * v["fuzz"],
            "sheen_roughness": 0.5,
            "sheen_tint": dim(v["colour"], 2.0),
        },
    )
    return finish(g, skin, v["dust"])
