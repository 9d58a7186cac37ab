"""Dents and gouges: the surface moved along its normal, by a height that is a function of the place on the patch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..defect import Defect, Look
from ..material import Material
from ..mesh import Mesh, snap
from .exposed import exposed
from .layers import Layers
from .patch_space import from_patch, in_patch, meets
from .raster import crisp, grid, mask_of, wobble
from .refine import refined
from .strokes import curve

__all__ = [
    "dent_damage",
    "dent_height",
    "dent_layers",
    "gouge_damage",
    "gouge_height",
    "gouge_layers",
    "gouge_look",
]

Vec = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
#: (defect, x, y in mm) → height in mm, or how far outside of what moves.
Function = Callable[[Defect, Vec, Vec], Vec]

#: Behind the patch's reach the movement fades over so many heights: steeper, and what lies behind would be overtaken.
FADE = 2.5
#: Where the far side of a wall is nearer than that, over as many as there is room for, of so many at least.
FADE_LEAST = 1.6
#: A flat surface that leans by so much (radians) is visibly lighter or darker.
LEANS = 0.1
#: What lies deeper than this share of the greatest depth belongs to a dent although its floor is level.
FLOOR = 0.25
#: How far the pushed-up sides of a gouge reach, in half widths.
BURR_END = 1.6


def displaced(
    mesh: Mesh, defect: Defect, height: Function, outside: Function, longest_mm: float, pressed: bool
) -> Mesh:  # fmt: skip
    """The mesh with everything near the patch moved along its z by `height`; no triangle there is larger than asked.

    All of space moves, and never so that one point overtakes another: within the patch's reach fully, behind it less
    and less. So a closed mesh stays closed and does not cut itself, and both walls of a thin sheet move together. Where
    it was `pressed` the grain of the material goes with it; what was cut away shows the grain below.
    """
    most = defect.values["depth_mm"]
    band = _band(defect, most)
    per_mm = 1 / float(np.linalg.norm(defect.to_patch[2, :3]))

    def touched(corners: Vec) -> Bools:
        hit = meets(defect, corners, band)
        at = in_patch(defect, corners[hit])[..., :2]
        x, y = at.mean(axis=1).T
        far = np.linalg.norm(at - at.mean(axis=1, keepdims=True), axis=2).max(axis=1)
        hit[hit] = outside(defect, x, y) <= far
        return hit

    fine = refined(mesh, longest_mm * per_mm, touched)
    at = in_patch(defect, fine.vertices)
    near = np.flatnonzero((np.abs(at[:, :2]) < np.asarray(defect.size_mm) / 2).all(axis=1) & (np.abs(at[:, 2]) < band))
    x, y, z = at[near].T
    t = np.clip((band - np.abs(z)) / (band - defect.reach_mm), 0, 1)
    at[near, 2] = z + height(defect, x, y) * t * t * (3 - 2 * t)
    vertices = fine.vertices.copy()
    vertices[near] = snap(from_patch(defect, at[near]))
    return replace(fine, vertices=vertices, moved=vertices - fine.vertices if pressed else None)


def _band(defect: Defect, most: float) -> float:
    """How far from the patch nothing moves any more, mm: short of the far side of a wall that is thick enough."""
    usual, thick = defect.reach_mm + FADE * most, defect.thick_mm
    if thick is not None and defect.reach_mm + FADE_LEAST * most <= thick:
        return min(usual, thick)
    return usual


def dent_height(defect: Defect, x: Vec, y: Vec) -> Vec:
    """A bowl (1 − ρ²)²; 0 beyond its outline ρ = 1."""
    return np.asarray(-defect.values["depth_mm"] * np.clip(1 - _bowl(defect, x, y) ** 2, 0, 1) ** 2)


def _bowl(defect: Defect, x: Vec, y: Vec) -> Vec:
    """ρ: distance from the middle of a dent over its radius there; it is longer than wide, and not quite round."""
    rng = np.random.default_rng(defect.seed)
    long = 1 + 0.35 * rng.random()
    radius = defect.values["width_mm"] / 2 * (1 + 0.08 * wobble(rng, np.arctan2(y, x), waves=3))
    return np.asarray(np.hypot(x / np.sqrt(long), y * np.sqrt(long)) / radius)


def dent_layers(defect: Defect) -> Layers:
    """Only a mask: where the surface leans visibly, and the floor between."""
    x, y = grid(defect.size_mm, min(defect.size_mm) / 256)
    height = dent_height(defect, x, y)
    lean = np.hypot(*np.gradient(height, y[1, 0] - y[0, 0], x[0, 1] - x[0, 0]))
    return Layers(mask_of(np.maximum(lean / LEANS, np.abs(height) / (FLOOR * defect.values["depth_mm"])), 1.0))


def dent_damage(mesh: Mesh, defect: Defect) -> Mesh:
    """The mesh with the bowl pressed in."""
    return displaced(mesh, defect, dent_height, _beside_dent, defect.values["width_mm"] / 20, pressed=True)


def _beside_dent(defect: Defect, x: Vec, y: Vec) -> Vec:
    """No point is nearer to the outline: ρ grows by less than 1.5 in half a width."""
    return np.asarray((_bowl(defect, x, y) - 1) * defect.values["width_mm"] / 3)


def _groove(defect: Defect, x: Vec, y: Vec) -> tuple[Vec, Vec, Vec]:
    """Of points on the patch: distance from the groove's middle in half widths, share of the full depth, burr 0 … 1.

    The tool goes in slowly and comes out abruptly; what it pushed aside stands on both sides, unevenly.
    """
    rng, v = np.random.default_rng(defect.seed), defect.values
    curve(rng, 1.0, 0.04)  # what `_middle` draws
    wide, deep, left, right = rng.standard_normal((4, 13))
    t = np.clip(x / v["length_mm"] + 0.5, 0, 1)
    knots = np.linspace(0, 1, 13)
    taper = np.sqrt(np.clip(t / 0.35, 0, 1)) * np.sqrt(np.clip((1 - t) / 0.08, 0, 1))
    half = v["width_mm"] / 2 * (1 + 0.10 * np.interp(t, knots, np.clip(wide, -2, 2))) * np.maximum(taper, 1e-3)
    aside = y - _middle(defect, x)
    depth = taper * np.clip(1 - 0.12 * np.abs(np.interp(t, knots, deep)), 0.6, 1)
    uneven = np.where(aside > 0, np.interp(t, knots, left), np.interp(t, knots, right))
    outside = np.where((x < -v["length_mm"] / 2) | (x > v["length_mm"] / 2), 1e6, 0.0)
    return np.abs(aside) / half + outside, depth, np.clip(0.55 + 0.35 * uneven, 0.05, 1) * depth


def gouge_height(defect: Defect, x: Vec, y: Vec) -> Vec:
    """A groove with a parabolic section and a burr along both sides."""
    u, depth, burr = _groove(defect, x, y)
    side = np.sin(np.pi * np.clip((u - 1) / (BURR_END - 1), 0, 1)) ** 2
    return np.asarray(defect.values["depth_mm"] * (0.35 * burr * side - depth * np.clip(1 - u**2, 0, 1)))


def gouge_layers(defect: Defect) -> Layers:
    """Raw material in the groove, and on the burr where the tool has torn it."""
    x, y = grid(defect.size_mm, defect.values["width_mm"] / 14)
    u, _, burr = _groove(defect, x, y)
    torn = crisp(BURR_END - 0.1 - u, 0.3) * np.clip(burr / 0.5, 0, 1)
    strength = defect.values["contrast"] * np.maximum(crisp(1.08 - u, 0.16), torn)
    return Layers(mask_of(strength, 0.3 * defect.values["contrast"]), strength.astype(np.float32))


def gouge_look(rng: np.random.Generator, material: Material, severity: float) -> Look:
    """What lies below the surface."""
    return exposed(material)


def gouge_damage(mesh: Mesh, defect: Defect) -> Mesh:
    """The mesh with the groove cut into it."""
    return displaced(mesh, defect, gouge_height, _beside_gouge, defect.values["width_mm"] / 6, pressed=False)


def _beside_gouge(defect: Defect, x: Vec, y: Vec) -> Vec:
    """Beside its burrs or beyond its ends; a tenth more, since the line is not straight."""
    length, width = defect.values["length_mm"], defect.values["width_mm"]
    aside = np.abs(y - _middle(defect, x)) / 1.1 - 1.25 * BURR_END * width / 2
    return np.asarray(np.maximum(aside, np.abs(x) - length / 2))


def _middle(defect: Defect, x: Vec) -> Vec:
    """y of a gouge's middle at x, mm."""
    length, line = defect.values["length_mm"], curve(np.random.default_rng(defect.seed), 1.0, 0.04)
    return np.asarray(length * np.interp(np.clip(x / length, -0.5, 0.5), line[:, 0], line[:, 1]))
