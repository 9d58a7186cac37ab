"""What a material family is: named values, each a number in a range or a colour near a palette."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import AssetError
from .material import RGB

__all__ = ["Family", "Palette", "Range", "dust", "roughness", "wear"]


@dataclass(frozen=True)
class Range:
    """A number in [low, high], drawn uniformly there, or in the narrower range `usual`."""

    low: float
    high: float
    default: float
    description: str
    usual: tuple[float, float] | None = None

    @property
    def drawn(self) -> tuple[float, float]:
        """The ends between which values are drawn."""
        return self.usual or (self.low, self.high)

    def draw(self, rng: np.random.Generator) -> float:
        """One value, uniform over what is drawn."""
        return float(rng.uniform(*self.drawn))

    def check(self, name: str, value: float | RGB) -> float:
        """The value as a float; AssetError when it is a colour or outside the range."""
        if not isinstance(value, int | float) or not self.low <= value <= self.high:
            raise AssetError(f"{name} must be a number from {self.low:g} to {self.high:g}, got {value!r}")
        return float(value)


@dataclass(frozen=True)
class Palette:
    """A linear RGB colour: any triple in 0…1 is allowed, what is drawn lies near one of `colours`.

    `jitter` is the standard deviation of the log of the brightness; a third of it is given to each channel alone.
    """

    colours: tuple[RGB, ...]
    description: str
    jitter: float = 0.15

    @property
    def default(self) -> RGB:
        """The first colour."""
        return self.colours[0]

    def draw(self, rng: np.random.Generator) -> RGB:
        """One of the colours, a little lighter or darker, a little shifted in hue."""
        base = np.array(self.colours[int(rng.integers(len(self.colours)))])
        gain = np.exp(self.jitter * (rng.standard_normal() + rng.standard_normal(3) / 3))
        # Rounded, since the last bits of an exponential depend on the processor.
        r, g, b = (float(c) for c in np.round(np.clip(base * gain, 0.0, 1.0), 9))
        return r, g, b

    def check(self, name: str, value: float | RGB) -> RGB:
        """The value as a triple; AssetError when it is a number or leaves 0…1."""
        if not isinstance(value, tuple | list) or len(value) != 3 or not all(0 <= c <= 1 for c in value):
            raise AssetError(f"{name} must be a linear RGB triple, each from 0 to 1, got {value!r}")
        return float(value[0]), float(value[1]), float(value[2])


@dataclass(frozen=True)
class Family:
    """A kind of surface.

    Attributes:
        values: its parameters by name.
        needs_texture: the family is pictures that the user brings.
        transmission: share of the light that enters it and is not scattered there: what is behind can be seen.
    """

    values: Mapping[str, Range | Palette]
    needs_texture: bool = False
    transmission: float = 0.0


def roughness(low: float, high: float) -> Range:
    """Microfacet roughness of the clean surface; 0 is a mirror."""
    return Range(low, high, (low + high) / 2, "microfacet roughness of the clean surface")


def wear(default: float = 0.4) -> Range:
    """How much the surface was used."""
    return Range(0.0, 1.0, default, "scratches, and edges rubbed bare: 0 is new, 1 is years in a drawer")


def dust(default: float = 0.25) -> Range:
    """How much dust lies on it."""
    return Range(0.0, 1.0, default, "dust on what faces up: 0 is wiped, 1 is a shelf left alone")
