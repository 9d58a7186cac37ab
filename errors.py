"""Every error that Scenewright raises on purpose.

::

    ScenewrightError                exit code
    ├── UsageError                  2   a command or call that cannot be meant
    │   └── RecipeError             2   a recipe (or --set) that breaks a rule; names the path in the file
    ├── AssetError                  1   a mesh, HDRI or material that cannot be used
    ├── PlacementError              1   a scene that cannot be laid out as asked
    ├── RenderError                 1   Blender failed, hung or produced nothing
    ├── LabelError                  1   two label engines disagree, or a label breaks its own rule
    ├── ModelError                  1   a diffusion model that is refused, or cannot be loaded or run
    └── DatasetError                1   a dataset folder that cannot be read, written or continued

A message states the rule, the value that was got, and what to try.
"""

from __future__ import annotations

__all__ = [
    "AssetError",
    "DatasetError",
    "LabelError",
    "ModelError",
    "PlacementError",
    "RecipeError",
    "RenderError",
    "ScenewrightError",
    "UsageError",
]


class ScenewrightError(Exception):
    """Base of all deliberate errors; `exit_code` is what the command line returns for it."""

    exit_code = 1


class UsageError(ScenewrightError):
    """A command or call that cannot be meant."""

    exit_code = 2


class RecipeError(UsageError):
    """A recipe, or an override of one, that breaks a rule."""


class AssetError(ScenewrightError):
    """A mesh, HDRI, texture or material that cannot be used as it is."""


class PlacementError(ScenewrightError):
    """A scene that cannot be laid out as its recipe asks."""


class RenderError(ScenewrightError):
    """Blender failed, hung, or produced something other than a picture."""


class LabelError(ScenewrightError):
    """Labels that contradict the picture, each other or their own definition."""


class ModelError(ScenewrightError):
    """A diffusion model that is refused, or that cannot be loaded or run."""


class DatasetError(ScenewrightError):
    """A dataset folder that cannot be read, written or continued."""
