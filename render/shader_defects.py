"""Defects that change the look of a surface: laid over a material just before it becomes a shader."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..assets.defect import Look
from ..assets.defects.layers import Layers
from ..assets.defects.patch import Mark
from .defect_image import coordinates, image, near
from .shader_graph import Graph, Scalar, Wire

__all__ = ["principled"]

Inputs = dict[str, Any]

#: What lies on a surface and goes with it.
COATS = ("coat_weight", "sheen_weight", "anisotropic")
#: What lets light into it.
DEPTHS = ("transmission_weight", "subsurface_weight")


def principled(g: Graph, height_mm: Wire | None, inputs: Inputs) -> Any:
    """A Principled BSDF raised by `height_mm`, with the graph's defects laid over it.

    What soaks in or films over changes the surface's own inputs; what covers or bares it is a surface of its own, which
    takes a share of the light: thin rust is some rust beside bare metal, and no pale mean of both. Where no patch lies,
    the shader is that of the sound part: the look of a defect costs only there.
    """
    sound, below, raised, patches = _raised(g, height_mm, inputs), inputs, height_mm, None
    above: list[tuple[Wire, Inputs]] = []
    for k, mark in enumerate(g.marks):
        if mark.layers is None:
            continue
        uv, z = coordinates(g, mark)
        here = near(g, mark, k, uv, z)
        drawn = g.call(
            "ShaderNodeTexImage", {"Vector": uv}, "Color", image=_image(mark, mark.layers), extension="CLIP",
            interpolation="Cubic",
        )  # fmt: skip
        strength, tone, relief = g.split(drawn)
        if mark.layers.height_mm is not None:
            raised = relief * here if raised is None else raised + relief * here
        look = mark.defect.look
        if mark.layers.strength is not None and look is not None:
            share, tone = (strength * here).clamped(), tone.clamped()
            if look.blend == "multiply":
                below = _filmed(g, below, look, share, tone)
                above = [(s, _filmed(g, i, look, share, tone)) for s, i in above]
            else:
                above.append((share, _covered(below, look, tone)))
        patches = here if patches is None else g.math("MAXIMUM", patches, here)
    if patches is None:
        return sound
    marred = _raised(g, raised, below)
    for share, covered in above:
        marred = g.either(share, marred, _raised(g, raised, covered))
    return g.either(patches, sound, marred)


def _raised(g: Graph, height_mm: Wire | None, inputs: Inputs) -> Any:
    if height_mm is not None:
        below = {"Normal": inputs["normal"]} if "normal" in inputs else {}
        inputs = inputs | {"normal": g.bump(height_mm, **below)}
    return g.principled(**inputs)


def _covered(inputs: Inputs, look: Look, tone: Wire) -> Inputs:
    """The inputs of what lies over the surface, or is bared below it."""
    gone = {*(COATS if look.bare else ()), *(DEPTHS if look.opaque else ())}
    out = {name: value for name, value in inputs.items() if name not in gone}
    out["base_color"] = look.colour if look.second is None else tone.tint(look.colour, look.second)
    return out | {n: v for n, v in (("roughness", look.roughness), ("metallic", look.metallic)) if v is not None}


def _filmed(g: Graph, inputs: Inputs, look: Look, strength: Wire, tone: Wire) -> Inputs:
    """The inputs of the surface, their colour multiplied and the others mixed as far as `strength` says."""
    colour: Any = look.colour if look.second is None else tone.tint(look.colour, look.second)
    base = inputs["base_color"]
    out = inputs | {"base_color": strength.tint(base, g.vector("MULTIPLY", base, colour))}
    for name, value in (("roughness", look.roughness), ("metallic", look.metallic)):
        if value is not None:
            out[name] = strength.lerp(inputs.get(name, 0.0), value)
    for name in (*(COATS if look.bare else ()), *(DEPTHS if look.opaque else ())):
        if name in inputs:
            out[name] = strength.lerp(_scalar(inputs[name]), 0.0)
    return out


def _scalar(value: Any) -> Scalar:
    return value if isinstance(value, Wire) else float(value)


def _image(mark: Mark, layers: Layers) -> Any:
    """Strength, tone and height as one picture: one lookup is all that a defect costs."""
    empty: npt.NDArray[np.float32] = np.zeros(layers.mask.shape, np.float32)
    channels = [empty if c is None else c for c in (layers.strength, layers.tone, layers.height_mm)]
    return image(f"look {mark.defect.id}", np.stack(channels, axis=2).astype(np.float32))
