"""Pits, and dust: many small things in one place. Each has its rank, and the worst case shows all of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..defect import Defect, Look
from ..material import Material
from .exposed import METALS, contrasting, luminance
from .layers import Layers
from .raster import crisp, grid, mask_of
from .strokes import curve, strokes

__all__ = ["dust_layers", "dust_look", "pitting_layers", "pitting_look"]

Floats = npt.NDArray[np.float64]
PITS, SPECKS, FIBRES = 70, 160, 14


def pitting_layers(defect: Defect) -> Layers:
    """Round pits with steep walls, of log-normal radii, denser in the middle."""
    rng, v = np.random.default_rng(defect.seed), defect.values
    x, y = grid(defect.size_mm, v["pit_mm"] / 7)
    places = np.clip(0.24 * rng.standard_normal((PITS, 2)), -0.46, 0.46) * v["width_mm"]
    radii = v["pit_mm"] / 2 * np.exp(0.35 * np.clip(rng.standard_normal(PITS), -2, 2))
    inside = np.full(x.shape, -1.0)
    depth = np.zeros(x.shape)
    for k in range(max(1, round(v["pits"]))):
        there = _disc(x, y, places[k], radii[k])
        window = inside[there.rows, there.columns]
        np.maximum(window, there.inside, out=window)
        hollow = depth[there.rows, there.columns]
        np.maximum(hollow, _hollow(there.inside) * radii[k] / radii.max(), out=hollow)
    strength = crisp(inside, 0.3) * v["contrast"]
    height = (-v["depth_mm"] * depth).astype(np.float32)
    tone = np.clip(inside, 0, 1).astype(np.float32)
    return Layers(mask_of(strength, 0.5 * v["contrast"]), strength.astype(np.float32), tone, height)


def _hollow(inside: Floats) -> Floats:
    """The shape of a pit, 0 … 1: its walls begin where it is dark, or its rim would shine as a drop of water does."""
    return np.asarray(np.sqrt(np.clip((inside - 0.28) / 0.72, 0, 1)))


def pitting_look(rng: np.random.Generator, material: Material, severity: float) -> Look:
    """Dark at the bottom, where dirt and oxide stay; metal stays metal, so that no rim is paler than what is around."""
    brown = float(rng.uniform(0.0, 1.0)) if material.family in METALS else 0.0
    wall = (0.050 + 0.03 * brown, 0.045, 0.040 - 0.015 * brown)
    return Look(colour=wall, second=(0.018, 0.014, 0.011), roughness=0.85)


def dust_layers(defect: Defect) -> Layers:
    """Specks, and a few short fibres, gathered as they are where air has settled."""
    rng, v = np.random.default_rng(defect.seed), defect.values
    x, y = grid(defect.size_mm, v["speck_mm"] / 5)
    places = np.clip(0.22 * rng.standard_normal((SPECKS, 2)), -0.46, 0.46) * v["width_mm"]
    radii = v["speck_mm"] / 2 * np.exp(0.3 * np.clip(rng.standard_normal(SPECKS), -2, 2))
    hairs = []
    for _ in range(FIBRES):
        turn, at = rng.uniform(0, np.pi), rng.uniform(-0.34, 0.34, 2) * v["width_mm"]
        c, s = np.cos(turn), np.sin(turn)
        line = curve(rng, v["width_mm"] * rng.uniform(0.06, 0.16), 0.25, 14) @ np.array([[c, s], [-s, c]]) + at
        hairs.append((line, np.full(len(line), 0.22 * v["speck_mm"])))
    share = v["share"]
    inside = strokes(x, y, hairs[: round(share * FIBRES)])
    for k in range(max(1, round(share * SPECKS))):
        there = _disc(x, y, places[k], radii[k])
        window = inside[there.rows, there.columns]
        np.maximum(window, there.inside, out=window)
    strength = crisp(inside, 0.4) * v["contrast"]
    height = (0.25 * v["speck_mm"] * np.clip(inside, 0, 1)).astype(np.float32)
    return Layers(mask_of(strength, 0.5 * v["contrast"]), strength.astype(np.float32), None, height)


def dust_look(rng: np.random.Generator, material: Material, severity: float) -> Look:
    """Lint and grit: pale on what is dark, dark grit on what is pale."""
    grey = float(rng.uniform(0.75, 1.0))
    own = material.values.get("colour")
    pale = isinstance(own, tuple) and luminance(own) > 0.3 and contrasting(material)[0] < 0.2
    colour = (0.06 * grey, 0.055 * grey, 0.05 * grey) if pale else (0.62 * grey, 0.60 * grey, 0.56 * grey)
    return Look(colour=colour, roughness=0.95, metallic=0.0)


class _disc:
    """A window of a grid about a disc, and how deep its texels lie in it: 1 in the middle, 0 at the rim."""

    def __init__(self, x: Floats, y: Floats, at: Floats, radius: float) -> None:
        i0, i1 = np.searchsorted(x[0], [at[0] - radius, at[0] + radius])
        j0, j1 = np.searchsorted(y[:, 0], [at[1] - radius, at[1] + radius])
        self.rows, self.columns = slice(j0, j1), slice(i0, i1)
        self.inside = 1 - np.hypot(x[j0:j1, i0:i1] - at[0], y[j0:j1, i0:i1] - at[1]) / radius
