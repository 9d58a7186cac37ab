"""What a kind of defect is: the numbers that grow with its severity, and what they make of a surface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ..defect import Defect, Look
from ..material import Material
from ..mesh import Mesh
from .layers import Layers

__all__ = ["Grows", "Kind"]


@dataclass(frozen=True)
class Grows:
    """A number that goes from `mild` at severity 0 to `severe` at severity 1, geometrically, times a chance factor.

    Attributes:
        mild, severe: both above 0.
        description: what it is, with its unit.
        of_size: they are shares of the object's size (the second largest edge of its box), the value is millimetres.
        spread: standard deviation of the logarithm of the chance factor; small, so that severity decides.
        least, most: the value is held between these.
    """

    mild: float
    severe: float
    description: str
    of_size: bool = False
    spread: float = 0.08
    least: float = 0.0
    most: float = float("inf")

    def at(self, severity: float, size_mm: float) -> float:
        """The value without chance, for an object of that size."""
        value = self.mild * (self.severe / self.mild) ** severity
        return float(min(max(value * (size_mm if self.of_size else 1.0), self.least), self.most))

    def draw(self, rng: np.random.Generator, severity: float, size_mm: float) -> float:
        """The value at a severity; rounded, since the last bits of an exponential depend on the processor."""
        factor = float(np.exp(self.spread * np.clip(rng.standard_normal(), -2, 2)))
        value = self.at(severity, size_mm) * factor
        return round(min(max(value, self.least), self.most), 9)


@dataclass(frozen=True)
class Kind:
    """One kind of defect.

    Attributes:
        category: the COCO category; kinds may share one.
        description: one line for people who write recipes.
        values: its numbers, all drawn by severity unless the recipe gives them.
        size: values → (width, height) of the patch, mm.
        families: material families on which it occurs; None is all.
        layers: (defect) → what it draws on its patch, or None where new or moved faces are the whole defect. A pure
            function of `seed`, `values`, `size_mm` and `severity`.
        look: (rng, material of the part, severity) → `Defect.look`; None where the surface keeps its look.
        damage: (mesh, defect) → the mesh with its form changed; None where only the look changes. New faces get the
            part `defect.new_part` and the defect's id in `Mesh.face_defect`; moved faces get the id only where `layers`
            is None, for else the mask is the label.
        inside: (rng, material of the part, severity) → material of the part `defect.new_part`; None without new faces.
        features: the asset has to name features of this sort (`Mesh.features`), and the patch is that of one of them.
        regions: where it likes to be: region → weight, of "all", "edge", "face"; a recipe may say otherwise.
        facing: see `Defect.facing`.
        depth: (defect) → greatest depth in mm, above 0 for what is lowered or gone; None where it has none.
    """

    category: str
    description: str
    values: Mapping[str, Grows]
    size: Callable[[Mapping[str, float]], tuple[float, float]]
    families: frozenset[str] | None = None
    layers: Callable[[Defect], Layers] | None = None
    look: Callable[[np.random.Generator, Material, float], Look] | None = None
    damage: Callable[[Mesh, Defect], Mesh] | None = None
    inside: Callable[[np.random.Generator, Material, float], Material] | None = None
    features: str | None = None
    regions: Mapping[str, float] = field(default_factory=lambda: {"all": 1.0})
    facing: float = 0.25
    depth: Callable[[Defect], float] | None = None
