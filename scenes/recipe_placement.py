"""Where the objects of a recipe go, and how."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .distributions import Dist
from .limits import Positive, Strict, between
from .recipe_objects import MAX_OBJECTS, Pose

__all__ = ["PlacementSpec"]


class PlacementSpec(Strict):
    """Where on the surface, or in the container, objects lie, and how."""

    mode: Annotated[
        Literal["scatter", "grid", "pile", "roll", "shelve", "hang", "stack", "on_top", "fly"],
        Field(
            description="scatter: apart from each other in resting poses; grid: one in each cell, with jitter; pile: "
            "poured in by physics; roll: thrown by physics, as dice are; shelve: in rows on the boards of a shelf; "
            "hang: from the pegs of a pegboard; stack: on each other; on_top: small things on the flat tops of wide "
            "ones; fly: in the air"
        ),
    ] = "scatter"
    area: Annotated[
        tuple[Positive, Positive], Field(description="width and depth of the area for object centres, metres")
    ] = Field(default=(0.3, 0.2), validate_default=True)
    density: Annotated[Literal["uniform", "center"], Field(description="center: denser towards the middle")] = "uniform"
    pose: Annotated[
        Pose,
        Field(
            description="stable: on any face it can rest on, as likely as when dropped; upright: as modelled. "
            "An asset's own `pose` comes first"
        ),
    ] = "stable"
    gap: Annotated[float, Field(ge=0.0001, le=1, description="smallest distance between objects, metres")] = 0.0005
    attempts: Annotated[
        int,
        Field(ge=1, le=10000, description="tries per object before placement fails; the second half ignores `density`"),
    ] = 500
    stack_height: Annotated[
        Annotated[Dist, between(1, MAX_OBJECTS)], Field(description="stack: most things on each other")
    ] = Field(default=4, validate_default=True)
    carriers: Annotated[
        Annotated[Dist, between(1, MAX_OBJECTS)],
        Field(description="on_top: how many things, those with the widest flat tops, carry all the others"),
    ] = Field(default=1, validate_default=True)
    distractors: Annotated[
        Literal["placed", "fly"], Field(description="placed: as the objects are; fly: in the air, whatever the mode")
    ] = "placed"
    air: Annotated[
        tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]],
        Field(description="where things fly: smallest and largest share of the way from the area to the camera"),
    ] = (0.15, 0.6)

    @model_validator(mode="after")
    def _air(self) -> PlacementSpec:
        if self.air[0] >= self.air[1]:
            raise ValueError(f"air: the first share must be below the second, got {list(self.air)}")
        return self
