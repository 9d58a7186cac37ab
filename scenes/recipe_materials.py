"""Materials in a recipe: families by name, weight and values, with short forms for the common cases."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from ..assets.materials import FAMILIES, Palette, Range
from ..errors import AssetError
from .distributions import Dist, Expr
from .limits import Strict
from .scene import Value

__all__ = ["OWN", "FileMaterials", "MaterialSpec", "Materials", "MaterialsText", "for_all"]

#: The family that stands for the material which a part has in its file.
OWN = "own"

#: The materials that a recipe can name; those made of a mesh's own picture are chosen by the mesh.
CHOICES = tuple(sorted(name for name, family in FAMILIES.items() if not family.needs_texture))


def _within(limit: Range | Palette, name: str, value: Value) -> None:
    try:
        limit.check(name, value)  # type: ignore[arg-type]  # says itself what it cannot take
    except AssetError as e:
        raise ValueError(str(e)) from None


class MaterialSpec(Strict):
    """A material family, how often it comes up, and values that replace the family's own distributions."""

    family: Annotated[str, Field(json_schema_extra={"enum": [*CHOICES, OWN]})]
    weight: Annotated[float, Field(ge=0, description="relative frequency")] = 1.0
    values: dict[str, Dist] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, data: Any) -> Any:
        return {"family": data} if isinstance(data, str) else data

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core))
        return {"anyOf": [{"enum": [*CHOICES, OWN]}, dict(schema)]}

    @model_validator(mode="after")
    def _known(self) -> MaterialSpec:
        if self.family not in (*CHOICES, OWN):
            own = "comes with a mesh that has a texture" if self.family in FAMILIES else "is no material"
            raise ValueError(f"{self.family!r} {own}; choose from {', '.join(CHOICES)}")
        known = {} if self.family == OWN else FAMILIES[self.family].values
        for name, dist in self.values.items():
            if name not in known:
                raise ValueError(f"{self.family} has no value {name!r}; it has {', '.join(sorted(known)) or 'none'}")
            for v in () if isinstance(dist, Expr) else dist.values():
                _within(known[name], f"{self.family}.{name}", v)
        return self


def _as_list(data: Any) -> Any:
    """A single material may stand without a list; a mapping family → weight is a list too."""
    if isinstance(data, str) or (isinstance(data, dict) and "family" in data):
        return [data]
    if isinstance(data, dict):
        return [{"family": k, "weight": w} for k, w in data.items()]
    if not isinstance(data, list | tuple):
        raise ValueError(f"must be a material, a list of them, or a mapping from material to weight, got {data!r}")
    return data


def _any_weight(specs: tuple[MaterialSpec, ...]) -> tuple[MaterialSpec, ...]:
    if not specs or sum(s.weight for s in specs) <= 0:
        raise ValueError("name at least one material with a weight above 0")
    return specs


def _not_own(specs: tuple[MaterialSpec, ...]) -> tuple[MaterialSpec, ...]:
    if any(s.family == OWN for s in specs):
        raise ValueError(f"'own' is the material of a user's file, which this is not; choose from {', '.join(CHOICES)}")
    return specs


MaterialsText = MaterialSpec | list[MaterialSpec] | dict[str, Annotated[float, Field(ge=0)]]
FileMaterials = Annotated[
    tuple[MaterialSpec, ...],
    BeforeValidator(_as_list, json_schema_input_type=MaterialsText),
    AfterValidator(_any_weight),
]
Materials = Annotated[FileMaterials, AfterValidator(_not_own)]


def for_all(data: Any) -> Any:
    """`materials: [zinc, brass]` and `materials: {zinc: 2}` mean every part."""
    # A part of a file may be called "wood" too: weights tell the short form.
    weights = isinstance(data, dict) and bool(data) and all(isinstance(v, int | float) for v in data.values())
    short = isinstance(data, dict) and ("family" in data or weights)
    return {"all": data} if short or isinstance(data, str | list | tuple) else data
