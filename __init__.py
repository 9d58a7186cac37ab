"""Scenewright: recipes in, exactly labelled images out.

>>> import scenewright as sw
>>> recipe = sw.load("hardware")
>>> scene = sw.sample(recipe, index=0)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Options", "Scene", "generate", "load", "predict", "refine", "render_scene", "sample"]

if TYPE_CHECKING:
    from .farm.generate import generate
    from .farm.one_scene import render_scene
    from .farm.options import Options
    from .farm.refining import refine
    from .pipeline import load, predict
    from .scenes.sample import sample
    from .scenes.scene import Scene

_HOME = {
    "Options": "farm.options",
    "Scene": "scenes.scene",
    "generate": "farm.generate",
    "load": "pipeline",
    "predict": "pipeline",
    "refine": "farm.refining",
    "render_scene": "farm.one_scene",
    "sample": "scenes.sample",
}


def __getattr__(name: str) -> Any:
    """Load the parts when they are used: `import scenewright` alone costs nothing."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
