"""Surfaces along which something broke."""

from __future__ import annotations

from typing import Any

from .shader_graph import Graph
from .shader_wear import Skin, dim, finish

__all__ = ["fractured"]


def fractured(g: Graph, v: dict[str, Any]) -> Any:
    """Grains that broke each at its own angle: facets that glint one by one, and shallow steps across many of them."""
    grains = g.noise(2 * v["grain_mm"], detail=3, rough=0.7)
    steps = g.noise(9 * v["grain_mm"], detail=2)
    tone = grains.step(0.25, 0.75)
    skin = Skin(
        colour=tone.tint(dim(v["colour"], 1 - 0.3 * v["relief"]), v["colour"]),
        roughness=(tone * -0.12 + v["roughness"] + 0.06).clamped(),
        metallic=v["metallic"],
        height_mm=((grains - 0.5) * 0.7 + (steps - 0.5) * 1.4) * (v["relief"] * v["grain_mm"]),
    )
    return finish(g, skin, 0.0)
