"""A recipe that samples in milliseconds, as plain data to vary, for other tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scenewright.scenes.load import recipe_from_dict
from scenewright.scenes.recipe import Recipe

X = {"dist": "uniform", "low": 0.01, "high": 0.02}
DISC = {"segments": 12, "edge_m": 0}  # few faces: resting poses come quickly
RECIPE: dict[str, Any] = {
    "name": "t",
    "objects": {
        "count": {"dist": "integers", "low": 1, "high": 3},
        "assets": [
            {"category": "box", "shape": "box", "params": {"x_m": X, "edge_m": 0}},
            {
                "category": "disc",
                "shape": "cylinder",
                "params": DISC,
                "scale": {"dist": "loguniform", "low": 0.5, "high": 1},
            },
        ],
    },
    "placement": {"area": [0.3, {"dist": "uniform", "low": 0.2, "high": 0.4}]},
    "surface": {"materials": {"wood": 3, "concrete": 1}},
    "world": {"strength": {"dist": "truncnormal", "mean": 1, "std": 0.5, "low": 0.2, "high": 2}},
    "lights": [{"power": {"dist": "empirical", "edges": [1, 2, 8], "counts": [3, 1]}}],
    "camera": {"focal_mm": {"dist": "choice", "options": {35: 1, 50: 3}}},
    "render": {"engine": "flat", "size": [64, 48]},
}
COUNT = 24


def make(**changes: Any) -> Recipe:
    return recipe_from_dict({**RECIPE, **changes}, Path())
