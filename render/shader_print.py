"""Printed paper, film and metal: a made-up label design, another for every seed, laid out in the mesh's UV map."""

from __future__ import annotations

from typing import Any

from .shader_graph import Graph, Wire
from .shader_wear import Skin, dim, finish, scratches, smudged

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
    word = _text(g, u, w, (middle - 0.065, middle + 0.065), (0.28, 0.72), GLYPHS // 3, 1)
    text = _text(g, u, w, (low + 0.08, middle - 0.24), (0.2, 0.8), GLYPHS, 4)
    ink = g.math("MAXIMUM", g.math("MAXIMUM", 1.0 - bands, lines), g.math("MAXIMUM", emblem, text))
    ink = g.math("MAXIMUM", ink - word, (1.0 - emblem) * word)
    marks = scratches(g, v["wear"], width_mm=0.15)
    uneven = g.noise(9, detail=2)
    ground = uneven.step(0.3, 0.7).tint(dim(v["colour"], 0.95), dim(v["colour"], 1.03))
    metallic = v["metallic"] * (1.0 - ink) if v["metallic"] else 0.0
    skin = Skin(
        colour=(marks * 0.35).tint(ink.tint(ground, v["ink"]), dim(v["colour"], 1.3)),
        roughness=v["roughness"] + marks * 0.2,
        metallic=metallic,
        height_mm=(uneven - 0.5) * 0.02,
    )
    return finish(g, smudged(g, skin, 0.15), v["dust"])


def _between(x: Wire, low: float, high: float, soft: float) -> Wire:
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
    there, wide, _ = g.split(g.white(g.join(column, row, float(g.draw() * 100))))
    stroke = _between(g.math("FRACT", line), 0.22, 0.78, 0.05) * _between(g.math("FRACT", letter), 0.12, 0.84, 0.05)
    counter = _between(g.math("FRACT", line), 0.40, 0.60, 0.05) * _between(g.math("FRACT", letter), 0.32, 0.64, 0.05)
    kept = there.step(0.18, 0.19) if rows > 1 else 1.0
    inside = _between(w, *height, EDGE) * _between(u, *width, EDGE)
    return inside * stroke * (1.0 - counter * wide.step(0.3, 0.31)) * kept
