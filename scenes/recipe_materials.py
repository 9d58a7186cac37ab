"""Materials in a recipe: families by name, weight and values, or texture folders; short forms for the common cases."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from ..assets.material import Mapping, NormalGreen
from ..assets.materials import FAMILIES, Palette, Range
from ..errors import AssetError
from .distributions import Dist, Expr
from .limits import Strict, file_names
from .scene import Value

__all__ = ["OWN", "PLACED", "TEXTURED", "FileMaterials", "MaterialSpec", "Materials", "MaterialsText", "for_all"]

#: The family that stands for the material which a part has in its file.
OWN = "own"

#: The family of the user's own texture maps, implied by `textures`.
TEXTURED = "textured"

#: Its values that say where the pictures lie.
PLACED = ("tile_m", "offset_u", "offset_v", "turn_deg")

#: The materials that a recipe can name by themselves.
CHOICES = tuple(sorted(name for name, family in FAMILIES.items() if not family.needs_texture))


def _within(limit: Range | Palette, name: str, value: Value) -> None:
    try:
        limit.check(name, value)  # type: ignore[arg-type]  # says itself what it cannot take
    except AssetError as e:
        raise ValueError(str(e)) from None


class MaterialSpec(Strict):
    """A material family, how often it comes up, and values that replace the family's own distributions.

    Or `textures`: a folder of your own PBR maps, whose names end as those of the usual libraries do: albedo, color or
    diff; roughness or gloss; metallic; normal, NormalGL, nor_dx; ao; height; arm. `values.tile_m` says how many metres
    the pictures show.
    """

    family: Annotated[
        str, Field(json_schema_extra={"enum": [*CHOICES, TEXTURED, OWN]}, description="textured, where `textures` are")
    ] = TEXTURED
    weight: Annotated[float, Field(ge=0, description="relative frequency")] = 1.0
    values: dict[str, Dist] = Field(default_factory=dict)
    textures: Annotated[
        Annotated[Dist, AfterValidator(file_names)] | None,
        Field(
            description="a folder of texture maps, or of such folders, of which one is drawn; a choice of several",
        ),
    ] = None
    mapping: Annotated[
        Mapping,
        Field(description="box: projected along the mesh's axes, in metres; uv: by the mesh's own texture coordinates"),
    ] = "box"
    normals: Annotated[
        NormalGreen, Field(description="green of normal maps whose names do not say it; directx: points down")
    ] = "opengl"

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, data: Any) -> Any:
        if isinstance(data, dict) and "family" not in data and data.get("textures") is None:
            raise ValueError("a material needs a `family` or `textures`")
        return {"family": data} if isinstance(data, str) else data

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core))
        either = [{"required": [key]} for key in ("family", "textures")]
        return {"anyOf": [{"enum": [*CHOICES, OWN]}, {**schema, "anyOf": either}]}

    @model_validator(mode="after")
    def _known(self) -> MaterialSpec:
        if self.family not in (*CHOICES, TEXTURED, OWN):
            raise ValueError(f"{self.family!r} is no material; choose from {', '.join(CHOICES)}, or give `textures`")
        known = {} if self.family == OWN else FAMILIES[self.family].values
        for name, dist in self.values.items():
            if name not in known:
                raise ValueError(f"{self.family} has no value {name!r}; it has {', '.join(sorted(known)) or 'none'}")
            for v in () if isinstance(dist, Expr) else dist.values():
                _within(known[name], f"{self.family}.{name}", v)
        return self

    @model_validator(mode="after")
    def _textured(self) -> MaterialSpec:
        if self.textures is None:
            if self.family == TEXTURED:
                raise ValueError("'textured' needs `textures`: a folder of texture maps")
            if self.mapping != "box" or self.normals != "opengl":
                raise ValueError(f"`mapping` and `normals` are about `textures`, which {self.family} has not")
            return self
        if self.family != TEXTURED:
            raise ValueError(f"`textures` are of the family 'textured', not of {self.family!r}: leave `family` out")
        if self.mapping == "box" and "tile_m" not in self.values:
            raise ValueError(
                "`textures` needs values.tile_m, how many metres of surface the pictures' width shows (the library's "
                "page says it), or `mapping: uv`"
            )
        if self.mapping == "uv" and (placed := set(PLACED) & set(self.values)):
            raise ValueError(
                f"with `mapping: uv` the mesh's texture coordinates say where pictures lie: leave {min(placed)} out"
            )
        return self


def _is_one(data: dict[Any, Any]) -> bool:
    """Whether a mapping is one material, rather than weights or parts."""
    return "family" in data or "textures" in data


def _as_list(data: Any) -> Any:
    """A single material may stand without a list; a mapping family → weight is a list too."""
    if isinstance(data, str) or (isinstance(data, dict) and _is_one(data)):
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
    short = isinstance(data, dict) and (_is_one(data) or weights)
    return {"all": data} if short or isinstance(data, str | list | tuple) else data
