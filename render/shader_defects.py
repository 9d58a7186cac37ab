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

    Where no patch lies, the shader is that of the sound part: the look of a defect costs only there.
    """
    sound, marred, raised, patches = _raised(g, height_mm, inputs), inputs, height_mm, None
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
        if mark.layers.strength is not None and mark.defect.look is not None:
            marred = _laid(g, marred, mark.defect.look, (strength * here).clamped(), tone.clamped())
        patches = here if patches is None else g.math("MAXIMUM", patches, here)
    return sound if patches is None else g.either(patches, sound, _raised(g, raised, marred))


def _raised(g: Graph, height_mm: Wire | None, inputs: Inputs) -> Any:
    if height_mm is not None:
        below = {"Normal": inputs["normal"]} if "normal" in inputs else {}
        inputs = inputs | {"normal": g.bump(height_mm, **below)}
    return g.principled(**inputs)


def _laid(g: Graph, inputs: Inputs, look: Look, strength: Wire, tone: Wire) -> Inputs:
    """The inputs of the surface, mixed with the look as far as `strength` says."""
    colour: Any = look.colour if look.second is None else tone.tint(look.colour, look.second)
    base = inputs["base_color"]
    if look.blend == "multiply":
        colour = g.vector("MULTIPLY", base, colour)
    out = inputs | {"base_color": strength.tint(base, colour)}
    for name, value in (("roughness", look.roughness), ("metallic", look.metallic)):
        if value is not None:
            out[name] = strength.lerp(inputs.get(name, 0.0), value)
    gone: tuple[str, ...] = (*(COATS if look.bare else ()), *(DEPTHS if look.opaque else ()))
    for name in gone:
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
