"""What covers or discolours a patch of a surface: oil, heat."""

from __future__ import annotations

import numpy as np

from ..defect import Defect, Look
from ..material import Material
from .exposed import METALS
from .layers import Layers
from .raster import crisp, fractal, grid, mask_of, wobble

__all__ = ["burn_layers", "burn_look", "oil_layers", "oil_look"]


def oil_layers(defect: Defect) -> Layers:
    """A drop that has spread: smooth, with a raised rim, and droplets around it."""
    rng, v = np.random.default_rng(defect.seed), defect.values
    x, y = grid(defect.size_mm, min(defect.size_mm) / 320)
    radius = v["width_mm"] / 2 * (1 + 0.2 * wobble(rng, np.arctan2(y, x), waves=4))
    inside = 1 - np.hypot(x, y) / radius
    for _ in range(5):
        turn, far, size = rng.uniform(0, 2 * np.pi), rng.uniform(1.12, 1.32), rng.uniform(0.05, 0.13)
        at = far * v["width_mm"] / 2 * np.array([np.cos(turn), np.sin(turn)])
        r = size * v["width_mm"] / 2
        inside = np.maximum(inside, (1 - np.hypot(x - at[0], y - at[1]) / r) * size)
    strength = crisp(inside, 0.03) * v["density"]
    rim = crisp(inside, 0.10)
    height = (v["film_mm"] * rim).astype(np.float32)
    return Layers(mask_of(strength, 0.5 * v["density"]), strength.astype(np.float32), None, height)


def oil_look(rng: np.random.Generator, material: Material, severity: float) -> Look:
    """Wet: darker and shiny; machine oil is yellow to brown."""
    brown = float(rng.uniform(0.0, 1.0))
    colour = (0.62 - 0.12 * brown, 0.55 - 0.22 * brown, 0.42 - 0.26 * brown)
    rounded = (round(colour[0], 9), round(colour[1], 9), round(colour[2], 9))
    return Look(colour=rounded, blend="multiply", roughness=0.07, bare=False, opaque=False)


def burn_layers(defect: Defect) -> Layers:
    """A heat mark: strongest in the middle, with an uneven front that ends within a tenth of its radius."""
    rng, v = np.random.default_rng(defect.seed), defect.values
    x, y = grid(defect.size_mm, min(defect.size_mm) / 256)
    front = 1 + 0.16 * wobble(rng, np.arctan2(y, x), waves=5) + 0.05 * fractal(rng, x.shape, (7, 7), 3)
    inside = 1 - np.hypot(x, y) / (v["width_mm"] / 2 * front)
    # Discolouration starts at a temperature: a front, behind which it deepens inwards.
    strength = crisp(inside, 0.10) * (0.45 + 0.55 * crisp(inside, 0.7)) * v["density"]
    tone = crisp(inside - 0.12, 0.6)
    return Layers(mask_of(strength, 0.12 * v["density"]), strength.astype(np.float32), tone.astype(np.float32))


def burn_look(rng: np.random.Generator, material: Material, severity: float) -> Look:
    """Temper colours of steel (straw, then brown to blue), or char."""
    if material.family in METALS:
        blue = float(rng.uniform(0.0, 1.0))
        second = (round(0.20 - 0.08 * blue, 9), round(0.13 + 0.02 * blue, 9), round(0.12 + 0.22 * blue, 9))
        return Look(colour=(0.72, 0.45, 0.16), second=second, blend="multiply", bare=False, opaque=False)
    return Look(colour=(0.13, 0.058, 0.022), second=(0.016, 0.013, 0.012), roughness=0.9, metallic=0.0)
