"""The parameters of one object, drawn from its own streams and noted with their quantiles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import RecipeError
from .distributions import Dist, Expr, position
from .rules import ImageDraws
from .scene import Draw, Value
from .streams import stream

__all__ = ["ObjectDraws", "SurfaceDraws"]


class ObjectDraws:
    """The parameters of one object, drawn from its own streams and noted with their quantiles."""

    def __init__(self, draw: ImageDraws, name: str) -> None:
        self.image, self.name = draw, name
        self.draws: dict[str, Draw] = {}

    def rng(self, what: str) -> np.random.Generator:
        """The generator of one thing about this object."""
        return stream(self.image.seed, self.image.index, self.image.named(f"{self.name}.{what}"))

    def quantile(self, path: str) -> float:
        """Where in its distribution the parameter at a path lies."""
        return float(self.rng(path).random())

    def __call__(self, path: str, dist: Dist) -> Value:
        """Draw `dist`, which stands at `path` of the recipe."""
        if isinstance(dist, Expr):
            raise RecipeError(f"{path}: an expression may only stand at a parameter of the whole image")
        u = self.quantile(path)
        value = dist.ppf(u)
        self.draws[path] = Draw(value=value, quantile=u if len(dist.values()) > 1 else None)
        return value

    def pick(self, path: str, names: Sequence[Value], weights: Sequence[float] | None = None) -> int:
        """The position of one of several named things; its name is noted as the value at `path`."""
        u = self.quantile(path)
        which = position(u, weights or (1.0,) * len(names))
        self.draws[path] = Draw(value=names[which], quantile=u if len(names) > 1 else None)
        return which


class SurfaceDraws(ObjectDraws):
    """The surface's parameters: there is one surface in an image, so they are balanced over the images."""

    def quantile(self, path: str) -> float:
        """As `ImageDraws.quantile`."""
        return self.image.quantile(path)
