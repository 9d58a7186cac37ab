"""Which frame and which view of which group an image index names.

A group is one moment's arrangement of things: its frames differ by time and its views by the camera's eye, all else is
drawn once. Indices count views fastest, then frames, then groups, so the start of a dataset is whole groups.
"""

from __future__ import annotations

from typing import NamedTuple

from .recipe import Recipe

__all__ = ["Place", "group_size", "place_of"]


class Place(NamedTuple):
    """Group, frame in it, view in that; all count from 0."""

    group: int
    frame: int
    view: int


def group_size(recipe: Recipe) -> int:
    """How many images a group has."""
    return _views(recipe) * recipe.motion.frames


def place_of(recipe: Recipe, index: int) -> Place:
    """Where image `index` stands."""
    rest, view = divmod(index, _views(recipe))
    group, frame = divmod(rest, recipe.motion.frames)
    return Place(group, frame, view)


def _views(recipe: Recipe) -> int:
    return 1 if recipe.camera.stereo is None else 2
