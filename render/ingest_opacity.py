"""What the materials of a user's file let through: read from their nodes, as far as nodes can be read.

A camera ray meets a surface of some opacity between 0 and 1, which is a number, or a function of the alpha of one
picture. From half on the surface counts as there. Whatever else decides (noise, two pictures, vertex colours, groups of
nodes) is not understood, and the reason is kept for whoever asks for labels that look through the material.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..assets.cutouts import Cutout, Opacity
from .ingest_mesh import Evaluated

__all__ = ["opacity"]

Floats = npt.NDArray[np.float32]
#: From here on a surface counts as there.
THERE = np.float32(0.5)
#: Alphas at which a function of alpha is looked at; what happens twice between two of them is not seen.
LEVELS: Floats = np.linspace(0, 1, 4097, dtype=np.float32)
MOST_STEPS = 1000
#: Shaders that let nothing through, and that let all through.
OPAQUE = {
    "BSDF_DIFFUSE", "BSDF_GLOSSY", "BSDF_METALLIC", "BSDF_SHEEN", "BSDF_TOON", "BSDF_TRANSLUCENT", "EMISSION",
    "SUBSURFACE_SCATTERING", "BSDF_HAIR", "BSDF_HAIR_PRINCIPLED", "EEVEE_SPECULAR",
}  # fmt: skip
CLEAR = {"BSDF_TRANSPARENT", "BSDF_GLASS", "BSDF_REFRACTION"}
MATH: dict[str, Callable[[Floats, Floats], Floats]] = {
    "ADD": lambda a, b: a + b,
    "SUBTRACT": lambda a, b: a - b,
    "MULTIPLY": lambda a, b: a * b,
    "DIVIDE": lambda a, b: np.where(b == 0, np.float32(0), a / np.where(b == 0, np.float32(1), b)),
    "MINIMUM": np.minimum,
    "MAXIMUM": np.maximum,
    "GREATER_THAN": lambda a, b: (a > b).astype(np.float32),
    "LESS_THAN": lambda a, b: (a < b).astype(np.float32),
    "ROUND": lambda a, _: np.floor(a + np.float32(0.5)),
}
#: What a camera ray is told about itself.
CAMERA_RAY = {"Is Camera Ray": 1.0}


class _UnreadError(Exception):
    """Something that is not understood; says what."""


@dataclass(frozen=True)
class _Value:
    """A function of the alpha of one picture, given by the node that reads it; None: a constant. `size`: steps."""

    at: Callable[[Floats], Floats]
    picture: Any = None
    size: int = 1

    @property
    def constant(self) -> float | None:
        return None if self.picture is not None else float(self.at(LEVELS[:1])[0])


def opacity(found: Evaluated) -> Opacity:
    """What the ray engine must know about the materials of a mesh, by part."""
    clear, cutouts, unclear = set(), {}, {}
    for part, material in zip(found.part_names, found.materials, strict=True):
        try:
            what = _decide(_surface(material), found)
        except _UnreadError as reason:
            unclear[part] = str(reason)
            continue
        if isinstance(what, Cutout):
            cutouts[part] = what
        elif not what:
            clear.add(part)
    return Opacity(frozenset(clear), cutouts, unclear)


def _decide(value: _Value, found: Evaluated) -> Cutout | bool:
    """Where it is there: everywhere, nowhere, or by a picture."""
    there = value.at(LEVELS) >= THERE
    changes = np.flatnonzero(there[1:] != there[:-1])
    if len(changes) == 0:
        return bool(there[0])
    if len(changes) > 1:
        raise _UnreadError("it is there for middle values of an alpha only")
    low, high = LEVELS[changes[0]], LEVELS[changes[0] + 1]
    while np.nextafter(low, high) < high:
        middle = np.float32((low + high) / 2)
        same = bool(value.at(np.array([middle]))[0] >= THERE) == bool(there[0])
        low, high = (middle, high) if same else (low, middle)
    return _cutout(value.picture, float(high), bool(there[0]), found)


def _cutout(node: Any, least: float, inverted: bool, found: Evaluated) -> Cutout:
    image, data = node.image, found.corners.uvs
    if node.projection != "FLAT" or node.interpolation not in ("Linear", "Closest"):
        raise _UnreadError(f"the picture {image.name!r} is projected or interpolated in another way than Linear")
    uv = next(iter(data.values()), None)  # the map that Blender takes where none is named
    if node.inputs["Vector"].is_linked:
        source = node.inputs["Vector"].links[0].from_node
        if source.type not in ("UVMAP", "TEX_COORD") or node.inputs["Vector"].links[0].from_socket.name != "UV":
            raise _UnreadError(f"the picture {image.name!r} is moved or turned by nodes ({source.name})")
        uv = data.get(source.uv_map, uv) if source.type == "UVMAP" else uv
    if found.uv is None or uv is None or not np.array_equal(found.uv, uv):
        raise _UnreadError(f"the picture {image.name!r} uses another UV map than the one that is active for rendering")
    w, h = image.size
    if not w * h:
        raise _UnreadError(f"the picture {image.name!r} is empty")
    texels = np.empty(w * h * 4, np.float32)
    image.pixels.foreach_get(texels)
    alpha = np.rint(texels[3::4].reshape(h, w).clip(0, 1) * 255).astype(np.uint8)
    return Cutout(alpha, least, inverted, node.interpolation == "Linear", node.extension)


def _surface(material: Any) -> _Value:
    """How much of a camera ray a material stops."""
    if material is None or not material.use_nodes:
        return _number(1.0)
    output = material.node_tree.get_output_node("CYCLES")
    if output is None or not output.inputs["Surface"].is_linked:
        raise _UnreadError("it has no surface")
    return _shader(output.inputs["Surface"])


def _shader(socket: Any) -> _Value:
    if not socket.is_linked:
        return _number(1.0)  # black
    node = socket.links[0].from_node
    if node.type == "REROUTE":
        return _shader(node.inputs[0])
    if node.type in OPAQUE or node.type in CLEAR:
        return _number(float(node.type in OPAQUE))
    if node.type == "BSDF_PRINCIPLED":
        return _principled(node)
    if node.type == "MIX_SHADER":
        return _blend(_value(node.inputs[0]), _shader(node.inputs[1]), _shader(node.inputs[2]))
    raise _UnreadError(f"its surface comes from the node {node.name!r}")


def _principled(node: Any) -> _Value:
    """alpha · (1 − transmission · (1 − metallic)): metal lets nothing through."""
    through = _value(node.inputs["Transmission Weight"])
    if through.constant != 0.0:
        metal = _value(node.inputs["Metallic"])
        through = _joined(lambda t, m: t * (1 - m), through, metal)
    return _joined(lambda a, t: a * (1 - t), _value(node.inputs["Alpha"]), through)


def _blend(share: _Value, one: _Value, two: _Value) -> _Value:
    first = _joined(lambda s, a: (1 - s) * a, share, one)
    return _joined(lambda a, b: a + b, first, _joined(lambda s, b: s * b, share, two))


def _value(socket: Any) -> _Value:
    """The number at a socket."""
    if not socket.is_linked:
        return _number(float(socket.default_value))
    node, output = socket.links[0].from_node, socket.links[0].from_socket
    if node.type == "REROUTE":
        return _value(node.inputs[0])
    if node.type == "VALUE":
        return _number(float(output.default_value))
    if node.type == "LIGHT_PATH" and output.name.startswith("Is "):
        return _number(CAMERA_RAY.get(output.name, 0.0))
    if node.type == "TEX_IMAGE" and output.name == "Alpha" and node.image is not None:
        return _number(1.0) if node.image.alpha_mode == "NONE" else _Value(lambda alpha: alpha, node)
    if node.type == "MATH" and node.operation in MATH:
        return _math(node)
    raise _UnreadError(f"how much it lets through comes from the node {node.name!r} ({output.name})")


def _math(node: Any) -> _Value:
    done = _joined(MATH[node.operation], _value(node.inputs[0]), _value(node.inputs[1]))
    return _Value(lambda x: done.at(x).clip(0, 1), done.picture, done.size) if node.use_clamp else done


def _joined(how: Callable[[Floats, Floats], Floats], a: _Value, b: _Value) -> _Value:
    if a.picture is not None and b.picture is not None and a.picture != b.picture:
        raise _UnreadError("two pictures decide how much it lets through")
    size = a.size + b.size + 1
    if size > MOST_STEPS:  # a chain of forty nodes that each use the one before twice would never end
        raise _UnreadError(f"more than {MOST_STEPS} steps decide how much it lets through")
    return _Value(lambda x: how(a.at(x), b.at(x)), a.picture if a.picture is not None else b.picture, size)


def _number(x: float) -> _Value:
    return _Value(lambda alpha: np.full(len(alpha), x, np.float32))
