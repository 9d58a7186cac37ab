"""Objects in a recipe: how many, of which kinds, from which shapes or files."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, model_validator

from ..assets.ingested import STATED
from ..assets.library import SHAPES
from ..assets.shape import Shape
from .distribution import Distribution
from .distributions import Dist, Expr, LogUniform, TruncNormal, Uniform
from .limits import Positive, Strict, between, words
from .recipe_materials import OWN, FileMaterials, MaterialsText, for_all
from .tree import rule_of

__all__ = ["AssetSpec", "ObjectsSpec", "Pose", "check_params"]

MAX_OBJECTS = 1000
FILE_PARTS = ("body",)

Pose = Literal["stable", "upright"]


class AssetSpec(Strict):
    """A kind of object: a procedural `shape`, or the mesh files that `path` names (a pattern may match several)."""

    category: Annotated[str, Field(min_length=1, max_length=64)]
    category_by_top: Annotated[
        dict[str, Annotated[str, Field(min_length=1, max_length=64)]] | None,
        Field(
            min_length=1,
            description="key point of a face → category of an object on which that face looks up, as the value of a "
            "die; such an object is never left leaning",
        ),
    ] = None
    weight: Annotated[float, Field(ge=0, description="relative frequency among the assets")] = 1.0
    shape: Annotated[str | None, Field(json_schema_extra={"enum": [*sorted(SHAPES), None]})] = None
    params: dict[str, Dist] = Field(
        default_factory=dict, description="parameters of the shape that you fix or draw yourself"
    )
    path: Annotated[
        str | None,
        Field(description="mesh file or pattern (OBJ, STL, PLY, GLB, glTF, FBX, USD, .blend), relative to the recipe"),
    ] = None
    collection: Annotated[
        str | None, Field(description="collection of a .blend file; default: all that its scene renders")
    ] = None
    unit: Annotated[
        Literal["m", "cm", "mm", "um", "in", "ft"] | None,
        Field(description="unit of the file; default: mm for STL, what FBX, USD and .blend files say, m for others"),
    ] = None
    up: Annotated[
        Literal["x", "y", "z", "-x", "-y", "-z"] | None,
        Field(
            description="axis of the file that points up; default: z, and y for GLB and glTF. FBX and USD files are "
            "turned to z up as they say, and `up` is about what comes out"
        ),
    ] = None
    scale: Annotated[Positive, Field(description="factor on the size")] = Field(default=1.0, validate_default=True)
    pose: Annotated[
        Annotated[Dist, words(Pose)] | None,
        Field(description="how it lies, in place of `placement.pose`; a choice is drawn for each object"),
    ] = None
    materials: Annotated[
        dict[str, FileMaterials] | None,
        BeforeValidator(for_all, json_schema_input_type=MaterialsText | dict[str, MaterialsText] | None),
        Field(
            description="materials by part of the mesh (`all` for every part); default: the asset's own. "
            "The parts of a file are its materials, and `own` keeps them"
        ),
    ] = None

    @model_validator(mode="after")
    def _one_source(self) -> AssetSpec:
        if (self.shape is None) == (self.path is None):
            raise ValueError("an asset needs either `shape` (procedural) or `path` (mesh files)")
        if self.shape is not None and self.shape not in SHAPES:
            raise ValueError(f"{self.shape!r} is no shape; choose from {', '.join(sorted(SHAPES))}")
        if self.path is not None and self.params:
            raise ValueError("`params` belong to a procedural `shape`; a file has none")
        if self.shape is not None:
            self._check_shape(self.shape)
        if self.path is not None:
            self._check_file(Path(self.path).suffix.lower())
        return self

    @property
    def categories(self) -> tuple[str, ...]:
        """All categories that its objects can have."""
        return (self.category,) if self.category_by_top is None else tuple(dict.fromkeys(self.category_by_top.values()))

    def _check_shape(self, name: str) -> None:
        if self.unit is not None or self.up is not None or self.collection is not None:
            raise ValueError(
                "`unit` and `up` describe a file, as `collection` does; a procedural shape is in metres with z up"
            )
        check_params(name, SHAPES[name], self.params)
        self.check_parts(name, SHAPES[name].materials)
        if self.keeps_own:
            raise ValueError(
                f"materials: {name} is procedural and has no material of its own; name one, or leave it out"
            )

    def _check_file(self, suffix: str) -> None:
        if self.collection is not None and suffix != ".blend":
            raise ValueError(f"`collection` is of a .blend file, not of {suffix or 'one without suffix'}")
        if self.unit is not None and suffix in STATED:
            raise ValueError(
                f"a {suffix} file says its own unit: leave `unit` out, and correct a wrong size with `scale`"
            )
        if suffix in (".stl", ".ply"):
            self.check_parts("a mesh file", FILE_PARTS)

    def check_parts(self, kind: str, parts: Collection[str]) -> None:
        """Refuse materials for parts that there are not.

        Raises:
            ValueError: with the parts that there are.
        """
        for part in self.materials or {}:
            if part != "all" and part not in parts:
                raise ValueError(f"materials: {kind} has no part {part!r}; it has all, {', '.join(parts)}")

    @property
    def keeps_own(self) -> bool:
        """Whether `materials` asks for the file's own somewhere."""
        return any(spec.family == OWN for specs in (self.materials or {}).values() for spec in specs)

    @property
    def replaces_all(self) -> bool:
        """Whether no material of the file can show: `materials` gives one thing for all parts, and not their own."""
        return set(self.materials or ()) == {"all"} and not self.keeps_own

    @property
    def own_key(self) -> str:
        """Where `Recipe.files` has the asset's files when Blender has ingested them: the result depends on all this."""
        parts = (self.path, self.unit, self.up, self.collection, "replaced" if self.replaces_all else OWN)
        return "ingested/" + "/".join("" if part is None else part for part in parts)


def check_params(name: str, shape: Shape, params: Mapping[str, Distribution]) -> None:
    """Refuse parameters that a shape has not, and values that it cannot take by themselves.

    Raises:
        ValueError: naming the parameter, the rule, and the choices.
    """
    for key, dist in params.items():
        if key not in shape.params.model_fields:
            raise ValueError(f"{name} has no parameter {key!r}; it has {', '.join(shape.params.model_fields)}")
        field = shape.params.model_fields[key]
        check: TypeAdapter[Any] = TypeAdapter(Annotated[field.annotation, field])  # type: ignore[arg-type]
        if field.annotation is int and isinstance(dist, Uniform | LogUniform | TruncNormal):
            raise ValueError(f"params.{key}: must be a whole number: use `dist: integers` or a choice")
        for value in () if isinstance(dist, Expr) else dist.values():
            try:
                check.validate_python(value)
            except ValidationError as e:
                raise ValueError(f"params.{key}: {rule_of(e.errors()[0])}") from None


class ObjectsSpec(Strict):
    """How many objects, and of which kinds."""

    count: Annotated[Dist, between(0, MAX_OBJECTS), Field(description="objects per image; rounded to a whole number")]
    assets: Annotated[tuple[AssetSpec, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _any_weight(self) -> ObjectsSpec:
        if sum(a.weight for a in self.assets) <= 0:
            raise ValueError("at least one asset needs a weight above 0")
        return self
