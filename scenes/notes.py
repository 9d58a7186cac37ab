"""What is odd, but allowed, about the mesh files of a recipe: said once, so that nothing passes in silence."""

from __future__ import annotations

from ..assets.ingested import MESH_SUFFIX, user_mesh
from .recipe import Recipe

__all__ = ["mesh_notes"]


def mesh_notes(recipe: Recipe) -> list[str]:
    """One line for every mesh file that is open, wound both ways or holds triangles without area, for people to read.

    Raises:
        AssetError: a file cannot be used.
    """
    notes: dict[str, None] = {}  # keeps the order, and a file that two assets use is named once
    for asset in (*recipe.objects.assets, *(recipe.distractors.assets if recipe.distractors else ())):
        for file in recipe.files_of(asset):
            found = user_mesh(file, asset.unit, asset.up)
            facts = [
                "open" if not found.is_closed else "",
                "its faces are wound both ways" if not found.is_consistent else "",
                f"{found.dropped_faces} triangles without area left out" if found.dropped_faces else "",
            ]
            if any(facts):
                notes[f"{file.name.removesuffix(MESH_SUFFIX)}: {'; '.join(filter(None, facts))}"] = None
    return list(notes)
