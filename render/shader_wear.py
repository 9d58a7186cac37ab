"""What use does to any surface: scratches, smudges, rubbed edges, dust."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import tau
from typing import Any

from .shader_defects import principled
from .shader_graph import Graph, Scalar, Wire

__all__ = ["Skin", "dim", "finish", "rubbed", "scratches", "smudged"]

RGB = tuple[float, float, float]

#: House dust: skin, lint and soil, a warm light grey.
DUST: RGB = (0.36, 0.33, 0.29)


@dataclass(frozen=True)
class Skin:
    """A surface before it becomes a shader, so that wear can be laid over it.

    `height_mm` raises the surface; `more` holds further inputs of the Principled BSDF by their snake-case names.
    """

    colour: Wire | RGB
    roughness: Scalar
    metallic: Scalar = 0.0
    height_mm: Wire | None = None
    more: Mapping[str, Scalar | RGB] = field(default_factory=dict)

    def raised(self, height_mm: Wire) -> Skin:
        """With more relief."""
        return replace(self, height_mm=height_mm if self.height_mm is None else self.height_mm + height_mm)


def dim(colour: RGB, factor: float) -> RGB:
    """A colour times a factor, at most 1."""
    r, g, b = (min(1.0, c * factor) for c in colour)
    return r, g, b


def scratches(g: Graph, amount: float, length_mm: float = 7.0, width_mm: float = 0.12) -> Wire:
    """A mask of fine straight scratches, each patch of the surface with its own direction and fineness.

    Voronoi cells turn and scale the coordinates of a stretched noise whose rare peaks are the scratches; a scratch
    ends inside its cell or at its border.
    """
    coordinates = g.shifted(1.6 * length_mm)
    node = g.node("ShaderNodeTexVoronoi", voronoi_dimensions="2D" if g.flat else "3D")
    g.feed(node.inputs["Vector"], coordinates)
    node.inputs["Scale"].default_value = 1.0
    chance, centre = Wire(g, node.outputs["Color"]), Wire(g, node.outputs["Position"])
    local = g.vector("SUBTRACT", coordinates, centre)
    if g.flat:
        turned = {"Vector": local, "Angle": g.split(chance)[1] * tau}
        local = g.call("ShaderNodeVectorRotate", turned, rotation_type="Z_AXIS")
    else:
        turned = {"Vector": local, "Rotation": g.vector("MULTIPLY", chance, (tau, tau, tau))}
        local = g.call("ShaderNodeVectorRotate", turned, rotation_type="EULER_XYZ")
    # A peak of the noise is about a third of its period long at this threshold; `coordinates` count 1.6 lengths.
    along, across = 1.6 / 3, 1.6 * length_mm / (1.2 * width_mm)
    far = g.vector("MULTIPLY", chance, (200.0, 200.0, 200.0))
    streaks = g.vector("MULTIPLY_ADD", local, (along, across, across), far)
    start = 0.77 - 0.10 * amount
    spared = g.split(chance)[0].step(0.75 - 0.6 * amount, 1.0)
    return g.noise_at(streaks, detail=0.0).step(start, start + 0.10) * spared


def smudged(g: Graph, skin: Skin, amount: float, size_mm: float = 22.0) -> Skin:
    """Uneven roughness as from hands and cloths: broad patches with finer structure inside."""
    patches = g.noise(size_mm, detail=3, rough=0.62)
    return replace(skin, roughness=skin.roughness + (patches - 0.5) * amount)


def rubbed(g: Graph, wear: float, reach_mm: float, break_up: Wire) -> Wire:
    """A mask of convex edges where the finish has come off, broken up by a noise."""
    start = 0.70 - 0.50 * wear
    return (g.edge(reach_mm) + (break_up - 0.5) * 1.3).step(start, start + 0.15)


def finish(g: Graph, skin: Skin, dust: float) -> Any:
    """The skin as a shader socket, dust on what faces up: a thin film, and single lint specks."""
    lying = g.up().step(0.1, 0.95)
    # Dust falls evenly: what was wiped or touched differs by a third, not from nothing to all.
    film = (g.noise(28.0, detail=2, rough=0.7).step(0.2, 0.8) * 0.3 + 0.35) * (0.25 * dust * dust)
    specks = g.noise(0.5, detail=0).step(0.77 - 0.05 * dust, 0.80) * (0.7 * dust)
    cover = lying * (film + specks)
    more = dict(skin.more)
    for name in ("coat_weight", "transmission_weight"):
        if name in more:
            more[name] = cover.lerp(more[name], 0.0)  # type: ignore[arg-type]  # weights are numbers
    inputs = {
        "base_color": cover.tint(skin.colour, DUST),
        "roughness": cover.lerp(skin.roughness, 0.9),
        "metallic": 0.0 if skin.metallic == 0.0 else cover.lerp(skin.metallic, 0.0),
        **more,
    }
    return principled(g, skin.height_mm, inputs)
