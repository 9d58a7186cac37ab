"""Ragged patches: rust, coating that has worn off, ink where it should not be."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..defect import Defect, Look
from ..material import RGB, Material
from .exposed import exposed, luminance
from .layers import Layers
from .raster import crisp, fractal, grid, mask_of, near_mask

__all__ = ["corrosion_layers", "corrosion_look", "misprint_layers", "misprint_look", "wear_layers", "wear_look"]

Floats = npt.NDArray[np.float64]

#: Inks of a four-colour press and a spot colour, linear.
INKS: tuple[RGB, ...] = (
    (0.0, 0.25, 0.55),
    (0.50, 0.01, 0.16),
    (0.015, 0.015, 0.017),
    (0.60, 0.42, 0.01),
    (0.02, 0.20, 0.06),
)


def _ragged(rng: np.random.Generator, x: Floats, y: Floats, size: tuple[float, float], rough: float) -> Floats:
    """How deep texels lie in a patch with a fractal outline and islands about it; below 0 outside."""
    round_ = 1 - np.hypot(x / (size[0] / 2), y / (size[1] / 2))
    return np.asarray(round_ + rough * fractal(rng, x.shape, (5, 5), 5) * np.clip(round_ + 0.45, 0, 0.6))


def corrosion_layers(defect: Defect) -> Layers:
    """Rust that grows from many points: lumpy, orange where it is young, at the rim, and mottled brown behind it."""
    rng, v = np.random.default_rng(defect.seed), defect.values
    x, y = grid(defect.size_mm, min(defect.size_mm) / 400)
    inside = _ragged(rng, x, y, (v["width_mm"], v["width_mm"] * rng.uniform(0.6, 1.0)), 0.75)
    mottle, lumps = fractal(rng, x.shape, (14, 14), 4), fractal(rng, x.shape, (26, 26), 3)
    strength = crisp(inside, 0.06) * v["density"]
    tone = np.clip(0.25 + 0.4 * crisp(inside, 0.25) + 0.26 * mottle, 0, 1)
    height = v["scale_mm"] * crisp(inside, 0.2) * (0.5 + 0.35 * lumps)
    mask = mask_of(strength, 0.4 * v["density"])
    return Layers(mask, near_mask(strength, mask), tone.astype(np.float32), near_mask(height, mask))


def corrosion_look(rng: np.random.Generator, material: Material, severity: float) -> Look:
    """Lepidocrocite to goethite, orange to brown; on brass and zinc white to green salts."""
    if material.family in ("brass", "zinc", "anodised"):
        green = float(rng.uniform(0.2, 1.0)) if material.family == "brass" else 0.0
        pale = (round(0.30 - 0.18 * green, 9), 0.31, round(0.29 - 0.05 * green, 9))
        return Look(colour=pale, second=(0.085, 0.09, 0.085), roughness=0.95, metallic=0.0)
    young = round(float(rng.uniform(0.8, 1.15)), 9)
    return Look(colour=(0.34 * young, 0.115, 0.022), second=(0.085, 0.032, 0.015), roughness=0.92, metallic=0.0)


def wear_layers(defect: Defect) -> Layers:
    """Coating rubbed through: a long patch with a torn outline, through which islands of coating still stand."""
    rng, v = np.random.default_rng(defect.seed), defect.values
    x, y = grid(defect.size_mm, min(defect.size_mm) / 300)
    inside = _ragged(rng, x, y, (v["length_mm"], v["width_mm"]), 0.6)
    strength = crisp(inside, 0.05) * v["contrast"]
    mask = mask_of(strength, 0.5 * v["contrast"])
    return Layers(mask, near_mask(strength, mask), None, near_mask(-v["depth_mm"] * crisp(inside, 0.05), mask))


def wear_look(rng: np.random.Generator, material: Material, severity: float) -> Look:
    """What lies below the coating."""
    if material.family == "printed":
        return Look(colour=_away(material, ((0.86, 0.85, 0.81), (0.45, 0.42, 0.38))), roughness=0.9, metallic=0.0)
    return exposed(material)


def misprint_layers(defect: Defect) -> Layers:
    """Ink that has run or was set off: a smear with a sharp front and streaks behind it."""
    rng, v = np.random.default_rng(defect.seed), defect.values
    x, y = grid(defect.size_mm, min(defect.size_mm) / 300)
    length, width = v["length_mm"], v["width_mm"]
    t = x / length + 0.5
    streaks = fractal(rng, (x.shape[0], 1), (18, 1), 3)
    end = np.clip(0.72 + 0.22 * streaks, 0.2, 1.0)
    across = 1 - np.abs(y / (width / 2)) * np.maximum(1 + 0.1 * fractal(rng, (1, x.shape[1]), (1, 6), 3), 0.8)
    inside = np.minimum(across, np.minimum(8 * (t - 0.02), 8 * (end - t)))
    strength = crisp(inside, 0.12) * v["contrast"]
    mask = mask_of(strength, 0.5 * v["contrast"])
    return Layers(mask, near_mask(strength, mask))


def misprint_look(rng: np.random.Generator, material: Material, severity: float) -> Look:
    """Another ink of the press, one that is neither the print's nor near its ground."""
    order = [INKS[int(k)] for k in rng.permutation(len(INKS))]
    return Look(colour=_away(material, tuple(order)), roughness=0.45, metallic=0.0)


def _away(material: Material, choices: tuple[RGB, ...]) -> RGB:
    """The first of the colours that differs from both colours of a print, or the one that differs most."""
    own = [c for c in (material.values.get("colour"), material.values.get("ink")) if isinstance(c, tuple)]

    def apart(colour: RGB) -> float:
        far = [
            max(abs(a - b) for a, b in zip(colour, c, strict=True)) + abs(luminance(colour) - luminance(c)) for c in own
        ]
        return min(far, default=1.0)

    return next((c for c in choices if apart(c) > 0.35), max(choices, key=apart))
