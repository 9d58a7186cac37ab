"""Leather, real or coated cloth: pebbles between furrows."""

from __future__ import annotations

from typing import Any

from .shader_graph import Graph
from .shader_wear import Skin, dim, finish, smudged

__all__ = ["leather"]

Values = dict[str, Any]


def leather(g: Graph, v: Values) -> Any:
    """Pebbles of two sizes, furrows where dye has gathered, pores; rubbed places are paler and smoother."""
    g.lay_flat()
    grain = v["grain_mm"]
    sway = g.noise(6 * grain, detail=2)
    bent = g.vector("MULTIPLY_ADD", g.join(sway, sway), (1.5e-3 * grain, -1.2e-3 * grain, 0.0), g.position)
    coarse = g.cells(grain, feature="DISTANCE_TO_EDGE", at=bent)
    fine = g.cells(0.42 * grain, feature="DISTANCE_TO_EDGE", at=bent)
    pebble = coarse.step(0.0, 0.22) * 0.7 + fine.step(0.0, 0.25) * 0.3
    furrow = 1.0 - pebble
    pores = g.cells(2.2 * grain).step(0.10, 0.05)
    skin_tone = g.noise(45, detail=4, rough=0.6)
    fibre = g.noise(0.25 * grain, detail=2)
    pale = g.noise(30, detail=3).step(0.55, 0.8) * pebble * (0.5 * v["wear"])
    tone = (skin_tone - 0.5) * 0.8 + (fibre - 0.5) * 0.3 - furrow * (0.3 + 0.5 * v["relief"]) - pores * 0.3 + 0.75
    skin = Skin(
        colour=pale.tint(tone.clamped().tint(dim(v["colour"], 0.45), dim(v["colour"], 1.12)), dim(v["colour"], 1.7)),
        roughness=v["roughness"] + furrow * 0.15 + (fibre - 0.5) * 0.1 - pale * 0.2,
        height_mm=(pebble - pores * 0.4) * (0.02 + 0.12 * v["relief"]) * grain + (fibre - 0.5) * 0.012,
        more={"ior": 1.48, "specular_ior_level": 0.45},
    )
    return finish(g, smudged(g, skin, 0.1), v["dust"])
