"""Places that a recipe's defects ask for by name, checked against the assets that would have them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..assets.defects.kinds import KINDS
from ..assets.library import build, rand
from ..assets.mesh import Mesh
from ..errors import AssetError
from .distributions import Expr
from .recipe import Recipe
from .recipe_defects import SPOTS
from .recipe_objects import AssetSpec

__all__ = ["check_places"]

#: A shape may name a place in some of its forms only, so a name counts as wrong when so many forms lack it.
FORMS = 6


def check_places(recipe: Recipe) -> None:
    """Refuse regions and features that no labelled asset has.

    Raises:
        ValueError: with the names that there are.
    """
    kinds = () if recipe.defects is None else recipe.defects.kinds or ()
    regions = {r: k for k, s in enumerate(kinds) for r, w in (s.region or {}).items() if w > 0 and r not in SPOTS}
    features = {KINDS[s.kind].features: k for k, s in enumerate(kinds) if KINDS[s.kind].features is not None}
    if not regions and not features:
        return
    meshes = [mesh for asset in recipe.objects.assets if asset.weight > 0 for mesh in _forms(asset)]
    named = {name for mesh in meshes for name in mesh.regions}
    sorts = {feature.sort for mesh in meshes for feature in mesh.features.values()}
    for region, k in regions.items():
        if region not in named:
            raise ValueError(
                f"defects.kinds.{k}.region: no asset of this recipe has a region {region!r}; choose from "
                f"{', '.join((*SPOTS, *sorted(named)))}"
            )
    for sort, k in features.items():
        if sort not in sorts:
            raise ValueError(
                f"defects.kinds.{k}: {kinds[k].kind} needs an asset with a {sort}, and this recipe has none; its "
                f"assets name {', '.join(sorted(sorts)) or 'nothing that can be missing'}"
            )


def _forms(asset: AssetSpec) -> Iterator[Mesh]:
    """Some meshes of an asset; of files none, which name no places."""
    if asset.shape is None:
        return
    fixed = {name: dist.ppf(0.5) for name, dist in asset.params.items() if not isinstance(dist, Expr)}
    for form in range(FORMS):
        try:
            yield build(asset.shape, rand(np.random.default_rng(form), asset.shape, fixed))
        except AssetError:  # values that do not go together are told when they are drawn
            return
