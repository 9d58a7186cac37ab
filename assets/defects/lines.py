"""Scratches and cracks: lines that a tool drew or that a material tore."""

from __future__ import annotations

import numpy as np

from ..defect import Defect, Look
from ..material import Material
from .exposed import exposed
from .layers import Layers
from .raster import crisp, grid, mask_of
from .strokes import curve, jagged, strokes

__all__ = ["crack_layers", "crack_look", "scratch_layers", "scratch_look"]

#: A stroke's edge is as soft as this share of its half width.
SOFT = 0.35
#: A line counts from this share of its strength on: fine ends lie between pixel centres, and are seen.
SEEN = 0.25
#: Branches that a crack may have; each grows once the crack is severe enough for it.
BRANCHES = 7


def scratch_layers(defect: Defect) -> Layers:
    """A line that tapers at both ends and chatters, a V-shaped groove; beside it sometimes a second, finer one."""
    rng, v = np.random.default_rng(defect.seed), defect.values
    x, y = grid(defect.size_mm, v["width_mm"] / 9)
    line, lines = curve(rng, v["length_mm"], 0.05), []
    for share, aside in ((1.0, 0.0), (0.55, rng.uniform(1.6, 3.0) * rng.choice([-1, 1]))):
        t = np.linspace(0, 1, len(line))
        chatter = 1 + 0.22 * np.interp(t, np.linspace(0, 1, 17), rng.standard_normal(17))
        taper = np.clip(np.minimum(t, 1 - t) / 0.18, 0, 1) ** 0.6
        span = np.clip((t - rng.uniform(0, 0.25)) / 0.05, 0, 1) if aside else 1.0
        lines.append((line + np.array([0, aside * v["width_mm"]]), share * v["width_mm"] / 2 * chatter * taper * span))
    inside = strokes(x, y, lines)
    strength = crisp(inside, SOFT) * v["contrast"]
    height = -v["depth_mm"] * np.clip(inside, 0, 1)
    return Layers(mask_of(strength, SEEN * v["contrast"]), strength.astype(np.float32), None, height.astype(np.float32))


def scratch_look(rng: np.random.Generator, material: Material, severity: float) -> Look:
    """What lies below the surface."""
    return exposed(material)


def crack_layers(defect: Defect) -> Layers:
    """A jagged line, widest in the middle, with branches that leave it at sharp angles."""
    rng, v = np.random.default_rng(defect.seed), defect.values
    x, y = grid(defect.size_mm, v["width_mm"] / 7)
    half = v["length_mm"] / 2
    tilt = rng.uniform(-0.12, 0.12)
    trunk = jagged(rng, np.array([-half, -tilt * half]), np.array([half, tilt * half]))
    t = np.linspace(0, 1, len(trunk))
    lines = [(trunk, v["width_mm"] / 2 * np.clip(np.minimum(t, 1 - t) / 0.3, 0, 1) ** 0.7)]
    for k in range(BRANCHES):
        at, side = int(rng.integers(len(trunk) // 8, len(trunk) * 7 // 8)), float(rng.choice([-1, 1]))
        turn, reach = side * rng.uniform(0.4, 0.9), rng.uniform(0.2, 0.4)
        grown = float(np.clip(v["branching"] * BRANCHES - k, 0, 1))
        end = trunk[at] + reach * grown * v["length_mm"] * np.array([np.cos(turn), np.sin(turn)])
        branch = jagged(rng, trunk[at], end, levels=5)
        width = np.linspace(1, 0, len(branch)) ** 0.7
        if grown > 0:
            lines.append((branch, 0.36 * v["width_mm"] * width))
    inside = strokes(x, y, lines)
    strength = crisp(inside, 0.45) * v["contrast"]
    height = -0.4 * v["width_mm"] * np.clip(inside, 0, 1)
    return Layers(mask_of(strength, SEEN * v["contrast"]), strength.astype(np.float32), None, height.astype(np.float32))


def crack_look(rng: np.random.Generator, material: Material, severity: float) -> Look:
    """A gap into which no light falls; in glass it mirrors like frost."""
    if material.family == "glass":
        return Look(colour=(0.88, 0.89, 0.89), roughness=0.45, metallic=0.0)
    return Look(colour=(0.012, 0.011, 0.010), roughness=0.95, metallic=0.0)
