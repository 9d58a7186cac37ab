"""Stains: liquid that has dried, and left most at its rim, where a drop dries last (the coffee-ring effect)."""

from __future__ import annotations

import numpy as np

from ..defect import Defect, Look
from ..material import Material
from .layers import Layers
from .raster import grid, mask_of, wobble

__all__ = ["stain_layers", "stain_look"]

#: Below this strength nobody sees the blot's rim on a surface with a pattern of its own.
VISIBLE = 0.12


def stain_layers(defect: Defect) -> Layers:
    """A blot with a wavy outline, crisp at the edge, denser in the last tenth of its radius."""
    rng = np.random.default_rng(defect.seed)
    x, y = grid(defect.size_mm, min(defect.size_mm) / 320)
    radius = defect.values["width_mm"] / 2 * (1 + 0.28 * wobble(rng, np.arctan2(y, x), waves=7))
    inside = 1 - np.hypot(x, y) / radius
    edge = np.clip(inside / 0.03, 0, 1)
    rim = np.exp(-(((inside - 0.06) / 0.05) ** 2))
    strength = edge * defect.values["density"] * (0.55 + 0.45 * rim)
    return Layers(
        mask_of(strength, min(VISIBLE, 0.4 * defect.values["density"])),
        strength.astype(np.float32),
        rim.astype(np.float32),
    )


def stain_look(rng: np.random.Generator, material: Material, severity: float) -> Look:
    """Coffee, oil or rust water: brown, and darkest at the rim; what soaks in multiplies the surface's own colour."""
    warm = float(rng.uniform(0.5, 1.0))
    colour = (0.42, 0.42 * (1 - 0.35 * warm), 0.42 * (1 - 0.7 * warm))
    dark = tuple(round(0.45 * c, 9) for c in colour)
    return Look(colour=colour, second=dark, blend="multiply", roughness=0.55, bare=False, opaque=False)
