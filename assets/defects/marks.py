"""Kinds that change the look of a surface: their numbers, and the modules that draw them."""

from __future__ import annotations

from .kind import Grows, Kind
from .stains import stain_layers, stain_look

__all__ = ["MARKS"]

MARKS: dict[str, Kind] = {
    "stain": Kind(
        category="stain",
        description="dried liquid: a blot with a darker rim",
        values={
            "width_mm": Grows(0.08, 0.42, "mean diameter, mm", of_size=True),
            "density": Grows(0.25, 0.8, "how far it covers what is below, 0 … 1", most=0.95),
        },
        size=lambda v: (1.6 * v["width_mm"], 1.6 * v["width_mm"]),
        layers=stain_layers,
        look=stain_look,
    ),
}
