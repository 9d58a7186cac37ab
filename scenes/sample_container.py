"""The container of an image: its shape, its materials, where it stands, and its inside in the world."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..assets.containers.interior import Interior
from ..assets.fixtures import FIXTURES
from ..assets.library import interior, rand
from ..assets.transparency import transparent_parts
from .build import shape_mesh
from .object_draws import SurfaceDraws
from .recipe import Recipe
from .recipe_container import ContainerSpec
from .rules import ImageDraws
from .sample_materials import part_materials
from .scene import Draw, Fixture, matrix

__all__ = ["PlacedContainer", "container"]


@dataclass(frozen=True)
class PlacedContainer:
    """A fixture in the scene, and what it offers to things, in its own frame."""

    fixture: Fixture
    interior: Interior

    @property
    def pose(self) -> npt.NDArray[np.float64]:
        """(4, 4) world_T_fixture."""
        return self.fixture.pose


def container(recipe: Recipe, draw: ImageDraws) -> PlacedContainer | None:
    """The recipe's container, drawn as the surface is, one in an image, balanced over the images; None without."""
    spec: ContainerSpec | None = recipe.container
    if spec is None or draw("container.present") is False:
        return None
    draws = SurfaceDraws(draw, "container")
    given = {name: draw(f"container.params.{name}") for name in spec.params}
    params = rand(draws.rng("shape"), spec.kind, given)
    draws.draws |= {f"container.params.{name}": Draw(value=v) for name, v in params.items() if name not in given}
    ref, mesh = shape_mesh(spec.kind, params)
    defaults = FIXTURES[spec.kind].materials
    made = part_materials(spec.materials or {}, defaults, "container", mesh, draws)
    inside = interior(spec.kind, params)
    turn = math.radians(draw("container.turn_deg"))
    pose = np.eye(4)
    pose[:2, :2] = [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
    pose[:3, 3] = draw("container.offset_m.0"), draw("container.offset_m.1"), inside.foot_m
    clear = transparent_parts(made).see_through if recipe.labels.sees_through(spec.kind) else ()
    fixture = Fixture(
        name=spec.kind, mesh=ref, materials=made, world_T_fixture=matrix(pose), see_through=clear,
        parameters=draws.draws,
    )  # fmt: skip
    return PlacedContainer(fixture, inside)
