"""A small algebra over shader nodes, so that a material reads as formulas: `roughness = 0.3 + 0.1 * g.noise(8)`.

Patterns are named by their size in millimetres on the object (Object texture coordinates are metres); every pattern of
one material gets its own offset in 3D, derived from the material's seed. Heights are in millimetres too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..assets.defects.patch import Mark

__all__ = ["MOVED", "Graph", "Scalar", "Wire"]

#: Patterns are shifted by up to this many periods: far enough never to overlap, near enough for 32-bit floats.
OFFSET_PERIODS = 300.0
#: The attribute of a mesh that says how far each of its vertices was moved from where its material was, metres.
MOVED = "moved"

Vec = tuple[float, float, float]


@dataclass(frozen=True)
class Wire:
    """The output of a node: a number, colour or vector that varies over the surface."""

    graph: Graph
    socket: Any

    def __add__(self, other: Scalar) -> Wire:
        return self.graph.math("ADD", self, other)

    def __sub__(self, other: Scalar) -> Wire:
        return self.graph.math("SUBTRACT", self, other)

    def __rsub__(self, other: float) -> Wire:
        return self.graph.math("SUBTRACT", other, self)

    def __mul__(self, other: Scalar) -> Wire:
        return self.graph.math("MULTIPLY", self, other)

    def __truediv__(self, other: Scalar) -> Wire:
        return self.graph.math("DIVIDE", self, other)

    __radd__ = __add__
    __rmul__ = __mul__

    def __abs__(self) -> Wire:
        return self.graph.math("ABSOLUTE", self)

    def step(self, low: Scalar, high: Scalar) -> Wire:
        """0 where the value is `low`, 1 where it is `high`, smooth between; `low` may exceed `high`."""
        node = self.graph.node("ShaderNodeMapRange", interpolation_type="SMOOTHSTEP", clamp=True)
        for name, value in (("Value", self), ("From Min", low), ("From Max", high)):
            self.graph.feed(node.inputs[name], value)
        return Wire(self.graph, node.outputs["Result"])

    def lerp(self, a: Scalar, b: Scalar) -> Wire:
        """`a` where this is 0, `b` where it is 1."""
        return self.graph.mix("FLOAT", self, a, b)

    def clamped(self) -> Wire:
        """The value held to 0…1."""
        node = self.graph.node("ShaderNodeMath", operation="ADD", use_clamp=True)
        self.graph.feed(node.inputs[0], self)
        node.inputs[1].default_value = 0.0
        return Wire(self.graph, node.outputs[0])

    def tint(self, a: Wire | Vec, b: Wire | Vec) -> Wire:
        """Colour `a` where this is 0, colour `b` where it is 1."""
        return self.graph.mix("RGBA", self, a, b)


Scalar = float | Wire


class Graph:
    """The node tree of one material. `seed` places its patterns; the n-th pattern made has the n-th offset.

    `pixel` is the camera's: how many metres of a surface one pixel sees from a metre away. `marks` are the defects of
    the object, which lie over its materials (`shader_defects`) and take no offset from them. `moved` objects have the
    attribute `MOVED`: their patterns go with what is bent.
    """

    def __init__(
        self, tree: Any, seed: int, pixel: float, marks: tuple[Mark, ...] = (), moved: bool = False
    ) -> None:  # fmt: skip
        self.tree, self.pixel, self.marks, self.moved = tree, pixel, marks, moved
        self._offsets = np.random.default_rng(seed)
        self._position: Wire | None = None
        self.flat = False

    def draw(self) -> float:
        """A number in 0…1 from the seed."""
        return float(self._offsets.uniform())

    def node(self, kind: str, **properties: object) -> Any:
        """A new node of Blender's class `kind`, with attributes set."""
        node = self.tree.nodes.new(kind)
        for name, value in properties.items():
            setattr(node, name, value)
        return node

    def feed(self, socket: Any, value: Scalar | Vec) -> None:
        """Link a wire to an input, or set the input's constant (RGB triples get an alpha of 1)."""
        if isinstance(value, Wire):
            self.tree.links.new(value.socket, socket)
        elif isinstance(value, tuple) and socket.type == "RGBA":
            socket.default_value = (*value, 1.0)
        else:
            socket.default_value = value

    def call(self, kind: str, inputs: Mapping[Any, Scalar | Vec], output: int | str = 0, **properties: object) -> Wire:
        """A new node with its inputs fed, as the wire of one of its outputs."""
        node = self.node(kind, **properties)
        for name, value in inputs.items():
            self.feed(node.inputs[name], value)
        return Wire(self, node.outputs[output])

    def math(self, operation: str, a: Scalar, b: Scalar = 0.0, c: Scalar = 0.0) -> Wire:
        """A Math node."""
        return self.call("ShaderNodeMath", {0: a, 1: b, 2: c}, operation=operation)

    def vector(self, operation: str, a: Wire | Vec, b: Wire | Vec = (0, 0, 0), c: Wire | Vec = (0, 0, 0)) -> Wire:
        """A Vector Math node with a vector result."""
        node = self.node("ShaderNodeVectorMath", operation=operation)
        for socket, value in zip(node.inputs[:3], (a, b, c), strict=True):
            self.feed(socket, value)
        return Wire(self, node.outputs["Vector"])

    def scaled(self, vector: Wire, factor: Scalar) -> Wire:
        """A vector times a number."""
        return self.call("ShaderNodeVectorMath", {0: vector, "Scale": factor}, "Vector", operation="SCALE")

    def mix(self, kind: str, factor: Scalar, a: Scalar | Vec, b: Scalar | Vec) -> Wire:
        """A Mix node for "FLOAT" or "RGBA"."""
        # The node carries sockets for every type under one name: factor is 0; floats are 2 and 3, colours 6 and 7.
        first, output = (2, 0) if kind == "FLOAT" else (6, 2)
        return self.call("ShaderNodeMix", {0: factor, first: a, first + 1: b}, output, data_type=kind)

    def split(self, vector: Wire) -> tuple[Wire, Wire, Wire]:
        """The x, y and z of a vector, or the r, g and b of a colour."""
        node = self.node("ShaderNodeSeparateXYZ")
        self.feed(node.inputs[0], vector)
        x, y, z = (Wire(self, out) for out in node.outputs)
        return x, y, z

    def join(self, x: Scalar, y: Scalar, z: Scalar = 0.0) -> Wire:
        """A vector from its components."""
        return self.call("ShaderNodeCombineXYZ", {0: x, 1: y, 2: z})

    @property
    def position(self) -> Wire:
        """Object coordinates, metres; on a flat graph (u, w, 0)."""
        if self._position is None:
            self._position = self._grown(self.node("ShaderNodeTexCoord"))
        return self._position

    def _grown(self, node: Any) -> Wire:
        """Object coordinates, metres, of where a surface was when its material grew."""
        now = Wire(self, node.outputs["Object"])
        if not self.moved:
            return now
        return self.vector("SUBTRACT", now, self.call("ShaderNodeAttribute", {}, "Vector", attribute_name=MOVED))

    def lay_flat(self) -> None:
        """From here on patterns are 2D, in that of the object's three planes to which the surface is nearest.

        For what covers tables, where most of a picture's shading is spent: 2D patterns cost less than 3D ones.
        """
        node = self.node("ShaderNodeTexCoord")
        nx, ny, nz = (abs(n) for n in self.split(Wire(self, node.outputs["Normal"])))
        x, y, z = self.split(self._grown(node))
        top = self.math("GREATER_THAN", nz, self.math("MAXIMUM", nx, ny))
        side = self.math("GREATER_THAN", nx, ny)
        self._position, self.flat = self.join(top.lerp(side.lerp(x, y), x), top.lerp(z, y)), True

    def shifted(self, size_mm: float, stretch: Vec = (1, 1, 1), at: Wire | None = None) -> Wire:
        """Pattern coordinates: `at` (metres; default: the position) in periods of `size_mm`, at the seed's place.

        `stretch` lengthens the pattern along each axis: (40, 1, 1) makes streaks along x.
        """
        scale = tuple(1000.0 / (size_mm * s) for s in stretch)
        offset = tuple(float(x) for x in self._offsets.uniform(-OFFSET_PERIODS, OFFSET_PERIODS, 3))
        if self.flat:
            offset = (*offset[:2], 0.0)
        return self.vector("MULTIPLY_ADD", at or self.position, scale, offset)  # type: ignore[arg-type]  # three each

    def noise(
        self, size_mm: float, detail: float = 2.0, rough: float = 0.5, stretch: Vec = (1, 1, 1), at: Wire | None = None
    ) -> Wire:
        """Perlin noise of mean 0.5, mostly within 0.3…0.7, with `detail` octaves below `size_mm`."""
        return self.noise_at(self.shifted(size_mm, stretch, at), detail, rough)

    def noise_at(self, coordinates: Wire, detail: float = 2.0, rough: float = 0.5) -> Wire:
        """Noise over ready pattern coordinates."""
        inputs: dict[str, Scalar | Vec] = {"Vector": coordinates, "Scale": 1.0, "Detail": detail, "Roughness": rough}
        return self.call("ShaderNodeTexNoise", inputs, "Fac", noise_dimensions=self._dimensions)

    def cells(self, size_mm: float, output: str = "Distance", feature: str = "F1", at: Wire | None = None) -> Wire:
        """Voronoi cells about `size_mm` wide; distances are in units of that size."""
        inputs: dict[str, Scalar | Vec] = {"Vector": self.shifted(size_mm, at=at), "Scale": 1.0}
        dimensions = self._dimensions
        return self.call("ShaderNodeTexVoronoi", inputs, output, feature=feature, voronoi_dimensions=dimensions)

    @property
    def _dimensions(self) -> str:
        return "2D" if self.flat else "3D"

    def white(self, vector: Wire) -> Wire:
        """A random colour for every value of a vector (round it first)."""
        return self.call("ShaderNodeTexWhiteNoise", {"Vector": vector}, "Color")

    def bump(self, height_mm: Wire, **below: Wire) -> Wire:
        """The normal of a surface raised by `height_mm`; `Normal=` gives the one that it has already."""
        inputs: dict[str, Scalar] = {"Strength": 1.0, "Distance": 0.001, "Height": height_mm, **below}
        return self.call("ShaderNodeBump", inputs, "Normal")

    def up(self) -> Wire:
        """How far the surface faces up: the world normal's z, −1…1."""
        return self.split(self.call("ShaderNodeNewGeometry", {}, "Normal"))[2]

    def resolved(self, size: float) -> Wire:
        """1 where a detail of `size` metres spans two pixels or more, 0 where it is smaller than one.

        What pixels cannot show only makes noise, and moiré where it is regular: fade it towards its mean.
        """
        facing = 1.0 - self.call("ShaderNodeLayerWeight", {"Blend": 0.5}, "Facing")
        distance = self.call("ShaderNodeCameraData", {}, "View Distance")
        pixel = distance * self.pixel / self.math("MAXIMUM", facing, 0.1)  # a slanted surface puts more into a pixel
        return pixel.step(size, size / 2)

    def edge(self, reach_mm: float, rays: int = 1) -> Wire:
        """About 0.5 on convex edges, 0 farther inside than `reach_mm`; traces short rays into the solid.

        One ray gives 0 or 1 at random, whose mean is right; a threshold over it needs several rays to come out crisp.
        """
        return 1.0 - self._occlusion(reach_mm, rays, inside=True)

    def cavity(self, reach_mm: float) -> Wire:
        """Towards 1 in corners and threads that are about `reach_mm` wide, 0 in the open."""
        return 1.0 - self._occlusion(reach_mm, 1, inside=False)

    def _occlusion(self, reach_mm: float, rays: int, inside: bool) -> Wire:
        distance = {"Distance": reach_mm / 1000}
        return self.call("ShaderNodeAmbientOcclusion", distance, "AO", samples=rays, inside=inside, only_local=True)

    def principled(self, **inputs: Scalar | Vec) -> Any:
        """A Principled BSDF; `base_color=…` feeds the input "Base Color"."""
        node = self.node("ShaderNodeBsdfPrincipled")
        names = {socket.name.lower().replace(" ", "_"): socket for socket in node.inputs}
        for name, value in inputs.items():
            self.feed(names[name], value)
        return node.outputs[0]

    def either(self, share: Wire, a: Any, b: Any) -> Any:
        """Shader `a` as far as `share` is 0, `b` as far as it is 1; Cycles evaluates no node of one without a share."""
        node = self.node("ShaderNodeMixShader")
        self.feed(node.inputs[0], share)
        for socket, shader in zip(list(node.inputs)[1:], (a, b), strict=True):
            self.tree.links.new(shader, socket)
        return node.outputs[0]
