"""What the library knows of one kind of procedural thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .mesh import Mesh
from .shapes.base import Params

__all__ = ["Shape", "Weights"]

Weights = Mapping[str, float]


@dataclass(frozen=True)
class Shape:
    """One kind of procedural object.

    Attributes:
        params: the pydantic model of its parameters.
        build: params → mesh; the same params give identical arrays.
        rand: (rng, given) → params; draws every parameter that `given` does not fix.
        materials: part name → {material family: weight}, the families that such a part is commonly made of.
    """

    params: type[Params]
    build: Callable[[Any], Mesh]
    rand: Callable[[np.random.Generator, Mapping[str, object]], Params]
    materials: Mapping[str, Weights]
