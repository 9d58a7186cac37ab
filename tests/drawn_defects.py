"""Recipes of boxes with defects, and what was drawn of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from scenewright.assets.defect import Defect
from scenewright.assets.library import build
from scenewright.scenes import defect_places, sample_defects
from scenewright.scenes.build import scene_mesh
from scenewright.scenes.recipe import Recipe
from scenewright.scenes.sample import sample
from scenewright.scenes.scene import Scene, SceneObject

from .small_recipe import make

__all__ = ["SIZE", "SMALL", "anchor", "axis", "boxes", "defects_of", "faces_of_the_box", "name_places"]


SIZE = (0.04, 0.03, 0.02)


SMALL = {"kind": "stain", "params": {"width_mm": 1.0}}


def boxes(objects: int = 1, **defects: Any) -> Recipe:
    """Sharp boxes of 40 × 30 × 20 mm that lie as modelled, seen from above at a slant."""
    box = {
        "category": "box",
        "shape": "box",
        "params": dict(zip(("x_m", "y_m", "z_m", "edge_m"), (*SIZE, 0), strict=True)),
    }
    view = {
        "distance": 0.25 if objects == 1 else 0.5,
        "elevation_deg": 45,
        "azimuth_deg": 30,
        "target": [0, 0, 0.01],
        "focal_mm": 50,
    }
    return make(
        objects={"count": objects, "assets": [box]}, defects={"rate": 1, "kinds": [SMALL]} | defects, camera=view,
        placement={"pose": "upright", "area": [0.001, 0.001] if objects == 1 else [0.2, 0.2]},
    )  # fmt: skip


def anchor(defect: Defect) -> npt.NDArray[np.float64]:
    """(3,) the middle of the patch, metres, unscaled mesh."""
    return np.asarray(np.linalg.inv(defect.to_patch)[:3, 3])


def axis(defect: Defect) -> npt.NDArray[np.float64]:
    """(3,) unit z of the patch in the mesh's frame."""
    z = defect.to_patch[2, :3]
    return np.asarray(z / np.linalg.norm(z))


def defects_of(recipe: Recipe, images: int) -> list[tuple[Scene, SceneObject, Defect]]:
    scenes = [sample(recipe, i) for i in range(images)]
    return [(s, o, d) for s in scenes for o in s.objects for d in o.defects]


def faces_of_the_box(defects: list[Defect]) -> Counter[tuple[int, int]]:
    """How many lie on each side: (axis, sign)."""
    sides: Counter[tuple[int, int]] = Counter()
    for d in defects:
        k = int(np.argmax(np.abs(axis(d))))
        assert abs(anchor(d)[k]) == pytest.approx(SIZE[k] / 2, abs=1e-8)
        sides[k, int(np.sign(axis(d)[k]))] += 1
    return sides


def name_places(monkeypatch: pytest.MonkeyPatch, **names: Any) -> None:
    """Give all meshes regions or features, for the check of the recipe and for drawing."""
    monkeypatch.setattr(sample_defects, "scene_mesh", lambda ref: replace(scene_mesh(ref), **names))
    monkeypatch.setattr(defect_places, "build", lambda *of: replace(build(*of), **names))
