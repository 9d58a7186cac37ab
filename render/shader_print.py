"""Printed paper, film and metal: a made-up label design, another for every seed, laid out in the mesh's UV map."""

from __future__ import annotations

from typing import Any

from .shader_graph import Graph, Scalar, Wire
from .shader_wear import RGB, Skin, dim, finish, scratches, smudged

__all__ = ["printed"]

GLYPHS = 26  # letters across the design; at the sizes of tables and cameras they are read as text, not as letters
EDGE = 0.004  # softness of printed edges, in design heights


def printed(g: Graph, v: dict[str, Any]) -> Any:
    """Bands at both ends, an emblem with a word on it, lines of text; the ink varies as offset print does."""
    u, w, _ = g.split(g.call("ShaderNodeUVMap", {}, uv_map="uv"))
    if round(v["repeats"]) > 1:
        u = g.math("FRACT", u * float(round(v["repeats"])))
    low, high = 0.05 + 0.14 * g.draw(), 0.88 + 0.08 * g.draw()
    middle = 0.56 + 0.14 * g.draw()
    bands = _between(w, low, high, EDGE)
    lines = _between(w, low + 0.022, high - 0.022, EDGE) - _between(w, low + 0.034, high - 0.034, EDGE)
    emblem = _emblem(g, u, w, middle)
    word = _text(g, u, w, (middle - 0.065, middle + 0.065), (0.28, 0.72), GLYPHS // 2, 1)
    text = _text(g, u, w, (low + 0.08, middle - 0.24), (0.2, 0.8), GLYPHS, 4)
    ink = g.math("MAXIMUM", g.math("MAXIMUM", 1.0 - bands, lines), g.math("MAXIMUM", emblem, text))
    ink = g.math("MAXIMUM", ink - word, (1.0 - emblem) * word)
    marks = scratches(g, v["wear"], width_mm=0.15)
    uneven = g.noise(9, detail=2)
    ground = uneven.step(0.3, 0.7).tint(dim(v["colour"], 0.95), dim(v["colour"], 1.03))
    inked = _readable(v["ink"], v["colour"])
    metallic = v["metallic"] * (1.0 - ink) if v["metallic"] else 0.0
    skin = Skin(
        colour=(marks * 0.35).tint(ink.tint(ground, inked), dim(v["colour"], 1.3)),
        roughness=v["roughness"] + marks * 0.2,
        metallic=metallic,
        height_mm=(uneven - 0.5) * 0.02,
    )
    return finish(g, smudged(g, skin, 0.15), v["dust"])


def _readable(ink: RGB, ground: RGB) -> RGB:
    """The ink, or black or white where nobody could read it on this ground."""
    if abs(max(ink) - max(ground)) > 0.25:
        return ink
    return (0.03, 0.03, 0.035) if max(ground) > 0.35 else (0.74, 0.73, 0.69)


def _between(x: Wire, low: Scalar, high: Scalar, soft: float) -> Wire:
    """1 from `low` to `high`, 0 outside."""
    return x.step(low - soft, low + soft) * x.step(high + soft, high - soft)


def _emblem(g: Graph, u: Wire, w: Wire, middle: float) -> Wire:
    """A filled oval, or a bar across the design, around the height `middle`."""
    if g.draw() < 0.4:
        return _between(w, middle - 0.11, middle + 0.11, EDGE)
    a, b = (u - 0.5) / (0.26 + 0.08 * g.draw()), (w - middle) / (0.14 + 0.05 * g.draw())
    return (a * a + b * b).step(1.02, 0.98)


def _text(
    g: Graph, u: Wire, w: Wire, height: tuple[float, float], width: tuple[float, float], glyphs: int, rows: int
) -> Wire:
    """Blocks of random width in rows: letters with gaps between the words; one row is a single word."""
    line = (w - height[0]) * (rows / (height[1] - height[0]))
    letter = u * float(glyphs)
    row, column = g.math("FLOOR", line), g.math("FLOOR", letter)
    there, foot, side = g.split(g.white(g.join(column, row, float(g.draw() * 100))))
    x, y = g.math("FRACT", letter), g.math("FRACT", line)
    stroke = _between(y, 0.2, 0.8, 0.05) * _between(x, 0.1, 0.86, 0.05)
    # A block with a hole is an O or a D; the hole that breaks out below or aside makes n, C, F and the like.
    bottom, right = foot.step(0.5, 0.51).lerp(0.38, 0.0), side.step(0.6, 0.61).lerp(0.64, 1.1)
    counter = _between(y, bottom, 0.64, 0.05) * _between(x, 0.34, right, 0.05)
    kept = there.step(0.18, 0.19) if rows > 1 else 1.0
    inside = _between(w, *height, EDGE) * _between(u, *width, EDGE)
    return inside * stroke * (1.0 - counter) * kept
