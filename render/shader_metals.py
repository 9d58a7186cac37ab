"""Metals and what covers them.

Base colours are the specular reflectance at normal incidence, linear Rec.709, from Akenine-Möller et al., Real-Time
Rendering, 4th edition (2018), table 9.2: iron, zinc, brass C260. Magnetite (black oxide): about 0.17 from n ≈ 2.4,
k ≈ 0.5 at 550 nm, less what the porous film scatters away.
"""

from __future__ import annotations

from typing import Any

from .shader_graph import Graph
from .shader_wear import RGB, Skin, dim, finish, rubbed, scratches, smudged

__all__ = ["black_oxide", "brass", "brushed_steel", "cast_steel", "painted_metal", "zinc"]

IRON: RGB = (0.562, 0.565, 0.578)
ZINC: RGB = (0.664, 0.824, 0.850)
BRASS: RGB = (0.910, 0.778, 0.423)
MAGNETITE: RGB = (0.105, 0.103, 0.108)
RUST: RGB = (0.19, 0.062, 0.018)
GRIME: RGB = (0.035, 0.030, 0.025)
PRIMER: RGB = (0.30, 0.30, 0.29)

Values = dict[str, Any]


def brushed_steel(g: Graph, v: Values) -> Any:
    """Lines of 0.05–0.4 mm along x: they roughen across, which is what draws the highlight out into a band."""
    brush = v["brush"]
    lines = g.noise(0.42, detail=3, rough=0.75, stretch=(110, 1, 1))
    marks = scratches(g, v["wear"], length_mm=14)
    broad = g.noise(30, detail=3)
    skin = Skin(
        colour=broad.step(0.3, 0.7).tint(dim(IRON, 0.88), dim(IRON, 1.06)),
        roughness=v["roughness"] + (lines - 0.5) * (0.2 * brush) + marks * 0.06,
        metallic=1.0,
        height_mm=(lines - 0.5) * (0.008 * brush),
        more={"anisotropic": 0.55 * brush, "anisotropic_rotation": 0.25, "tangent": _along_x(g)},
    )
    return finish(g, smudged(g, skin, 0.14), v["dust"])


def cast_steel(g: Graph, v: Values) -> Any:
    """The dark, grainy skin that sand leaves, bare where it was handled, rusty where it stood wet."""
    sand = g.noise(1.5, detail=3, rough=0.6)
    pits = g.cells(2.6).step(0.30, 0.05)
    mottle = g.noise(9, detail=4, rough=0.6)
    bare = rubbed(g, v["wear"], 1.2, mottle)
    rust = (mottle + (sand - 0.5) * 0.5).step(0.78 - 0.30 * v["rust"], 0.84 - 0.26 * v["rust"]) * min(
        1.0, 4 * v["rust"]
    )
    scale = mottle.step(0.3, 0.7).tint(dim(IRON, 0.20), dim(IRON, 0.42))
    skin = Skin(
        colour=rust.tint(bare.tint(scale, dim(IRON, 0.95)), RUST),
        roughness=rust.lerp(bare.lerp(v["roughness"], 0.3), 0.9),
        metallic=rust.lerp(1.0, 0.1),
        height_mm=(sand - 0.5) * (0.5 * v["grain"]) - pits * (0.15 * v["grain"]),
    )
    return finish(g, smudged(g, skin, 0.2), v["dust"])


def zinc(g: Graph, v: Values) -> Any:
    """Electroplated zinc: bluish to yellow passivation in blotches, a fine grain, white bloom where it was damp."""
    yellow, blotch = v["yellow"], v["blotch"]
    patches = g.noise(7, detail=4, rough=0.6)
    grain = g.noise(0.22, detail=1)
    marks = scratches(g, v["wear"])
    clear = _between(dim(ZINC, 0.92), (0.78, 0.78, 0.79), 0.75)
    chromate = (0.80, 0.62, 0.26)
    low, high = (
        _between(clear, chromate, yellow * (1 - 0.5 * blotch)),
        _between(clear, chromate, min(1.0, yellow + 0.25 * blotch)),
    )
    bloom = g.noise(3.0, detail=5, rough=0.7).step(0.64, 0.74) * (0.35 * blotch)
    skin = Skin(
        colour=bloom.tint(patches.step(0.35, 0.65).tint(low, dim(high, 0.86)), (0.62, 0.62, 0.60)),
        roughness=v["roughness"] + (patches - 0.5) * (0.35 * blotch) + bloom * 0.4 + marks * 0.12,
        metallic=1.0 - bloom * 0.6,
        height_mm=(grain - 0.5) * 0.010 + (patches - 0.5) * 0.03,
    )
    return finish(g, smudged(g, skin, 0.2), v["dust"])


def brass(g: Graph, v: Values) -> Any:
    """Brass that was polished once: brown oxide in blotches and corners, bright where hands touch it."""
    patches = g.noise(16, detail=5, rough=0.62)
    fine = g.noise(1.2, detail=2)
    marks = scratches(g, v["wear"])
    corners = g.cavity(3.0)
    oxide = (patches + corners * 0.5 + (fine - 0.5) * 0.25).step(0.75 - 0.35 * v["tarnish"], 0.95 - 0.15 * v["tarnish"])
    oxide = oxide * (0.25 + 0.6 * v["tarnish"])
    skin = Skin(
        colour=oxide.tint(patches.step(0.3, 0.7).tint(dim(BRASS, 0.95), dim(BRASS, 0.82)), (0.23, 0.125, 0.045)),
        roughness=v["roughness"] + oxide * 0.3 + marks * 0.12,
        metallic=1.0,
        height_mm=(fine - 0.5) * 0.012,
    )
    return finish(g, smudged(g, skin, 0.25), v["dust"])


def black_oxide(g: Graph, v: Values) -> Any:
    """A micrometre of magnetite under oil; steel shows on the edges, a brown cast where it wore thin."""
    patches = g.noise(10, detail=4, rough=0.6)
    grain = g.noise(0.3, detail=1)
    marks = scratches(g, v["wear"])
    bare = rubbed(g, v["wear"], 1.2, patches)
    film = patches.step(0.3, 0.7).tint(MAGNETITE, (0.085, 0.072, 0.060))
    oil = (patches - 0.5) * 0.5 + 0.5
    skin = Skin(
        colour=(bare * 0.8 + marks * 0.25).tint(film, dim(IRON, 0.8)),
        roughness=bare.lerp(v["roughness"] + (patches - 0.5) * 0.3, 0.3),
        metallic=1.0,
        height_mm=(grain - 0.5) * 0.018,
        more={"coat_weight": oil * (0.7 * v["oil"]), "coat_roughness": 0.18, "coat_ior": 1.47},
    )
    return finish(g, smudged(g, skin, 0.22), v["dust"])


def painted_metal(g: Graph, v: Values) -> Any:
    """Sprayed paint with orange peel, chipped on edges through a rim of primer to dull steel."""
    peel = g.noise(2.2, detail=1)
    broad = g.noise(70, detail=2)
    break_up = g.noise(7, detail=4, rough=0.6)
    marks = scratches(g, v["wear"])
    knocks = break_up - 0.5 + g.edge(1.4, rays=4) * (0.3 + 0.4 * v["chips"])
    start = 0.26 - 0.08 * v["chips"]
    gone = knocks.step(start, start + 0.015) * min(1.0, 10 * v["chips"])
    metal = knocks.step(start + 0.03, start + 0.045) * min(1.0, 10 * v["chips"])
    paint = broad.step(0.3, 0.7).tint(dim(v["colour"], 0.92), dim(v["colour"], 1.05))
    paint = (marks * 0.4).tint(paint, (0.45, 0.45, 0.44))
    worn_steel = peel.step(0.4, 0.6).tint(dim(IRON, 0.35), dim(IRON, 0.75))
    skin = Skin(
        colour=metal.tint(gone.tint(paint, PRIMER), worn_steel),
        roughness=metal.lerp(gone.lerp(v["roughness"] + marks * 0.25, 0.75), 0.45),
        metallic=metal,
        height_mm=(peel - 0.5) * (0.09 * v["orange_peel"]),
    )
    return finish(g, smudged(g, skin, 0.2), v["dust"])


def _between(a: RGB, b: RGB, t: float) -> RGB:
    x, y, z = ((1 - t) * p + t * q for p, q in zip(a, b, strict=True))
    return x, y, z


def _along_x(g: Graph) -> Any:
    """The object's x axis in world space, the direction of the brush."""
    inputs = {0: (1.0, 0.0, 0.0)}
    return g.call("ShaderNodeVectorTransform", inputs, vector_type="VECTOR", convert_from="OBJECT", convert_to="WORLD")
