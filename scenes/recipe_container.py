"""The container of a recipe: one fixture that objects lie in, stand on or hang from."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ..assets.fixtures import FIXTURES
from .distributions import Dist
from .limits import Number, Strict, truths
from .recipe_materials import Materials, MaterialsText, for_all
from .recipe_objects import check_params

__all__ = ["ContainerSpec"]


class ContainerSpec(Strict):
    """A tray, bin, shelf, …: it stands on the surface, the middle of its floor above the world's origin."""

    kind: Annotated[str, Field(json_schema_extra={"enum": sorted(FIXTURES)})]
    present: Annotated[Dist, AfterValidator(truths), Field(description="false: this image is without it")] = Field(
        default=True, validate_default=True
    )
    params: dict[str, Dist] = Field(default_factory=dict, description="parameters that you fix or draw yourself")
    materials: Annotated[
        dict[str, Materials] | None,
        BeforeValidator(for_all, json_schema_input_type=MaterialsText | dict[str, MaterialsText] | None),
        Field(description="materials by part (`all` for every part); default: the fixture's own"),
    ] = None
    offset_m: Annotated[tuple[Number, Number], Field(description="x and y of its middle on the surface, metres")] = (
        Field(default=(0.0, 0.0), validate_default=True)
    )
    turn_deg: Annotated[Number, Field(description="about the vertical")] = Field(default=0.0, validate_default=True)

    @model_validator(mode="after")
    def _known(self) -> ContainerSpec:
        if self.kind not in FIXTURES:
            raise ValueError(f"{self.kind!r} is no container; choose from {', '.join(sorted(FIXTURES))}")
        check_params(self.kind, FIXTURES[self.kind], self.params)
        parts = FIXTURES[self.kind].materials
        for part in self.materials or {}:
            if part != "all" and part not in parts:
                raise ValueError(f"materials: {self.kind} has no part {part!r}; it has all, {', '.join(parts)}")
        return self
