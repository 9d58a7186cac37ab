"""The recipe: what a dataset may contain, as a checked model of a YAML file. Every field is described for editors."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema

from ..assets.library import SHAPES
from ..assets.material import FileRef
from ..assets.materials import FAMILIES, Palette, Range
from ..errors import AssetError
from .distributions import Constant, Dist, Distribution, Expr, LogUniform, TruncNormal, Uniform, spelled_out
from .scene import LabelRules, Value
from .tree import rule_of

__all__ = ["AssetSpec", "CameraSpec", "LightSpec", "MaterialSpec", "ObjectsSpec", "Recipe", "Rule"]

MAX_OBJECTS = 1000


class Strict(BaseModel):
    """Closed to unknown keys; distributions stay unevaluated."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _between(low: float | None = None, high: float | None = None, *, above: float | None = None) -> AfterValidator:
    """A check that a numeric distribution can only give values inside the limits (`above` is exclusive)."""

    def check(dist: Distribution) -> Distribution:
        if isinstance(dist, Expr):
            return dist  # checked when it is computed
        for v in dist.values():
            if isinstance(v, bool) or not isinstance(v, int | float):
                raise ValueError(f"must be a number, got {v!r}")
            if (low is not None and v < low) or (high is not None and v > high) or (above is not None and v <= above):
                got = f"got {v}" if isinstance(dist, Constant) else f"can be {v}: narrow the distribution"
                raise ValueError(f"must {_limits(low, high, above)}, {got}")
        return dist

    return AfterValidator(check)


def _limits(low: float | None, high: float | None, above: float | None) -> str:
    if low is not None and high is not None:
        return f"be between {low:g} and {high:g}"
    if above is not None:
        return f"be above {above:g}"
    return f"be {low:g} or more" if low is not None else f"be {high:g} or less"


def _names(dist: Distribution) -> Distribution:
    """A check that a distribution gives names of files, all known before the first draw."""
    if isinstance(dist, Expr):
        raise ValueError("cannot be computed: use a choice, or rules that set it")
    for v in dist.values():
        if not isinstance(v, str):
            raise ValueError(f"must be a name, got {v!r}")
    return dist


Number = Annotated[Dist, _between()]
Positive = Annotated[Dist, _between(above=0)]
NonNegative = Annotated[Dist, _between(0)]


#: The materials that a recipe can name; those made of a mesh's own picture are chosen by the mesh.
CHOICES = tuple(sorted(name for name, family in FAMILIES.items() if not family.needs_texture))


def _within(limit: Range | Palette, name: str, value: Value) -> None:
    try:
        limit.check(name, value)  # type: ignore[arg-type]  # says itself what it cannot take
    except AssetError as e:
        raise ValueError(str(e)) from None


class MaterialSpec(Strict):
    """A material family, how often it comes up, and values that replace the family's own distributions."""

    family: Annotated[str, Field(json_schema_extra={"enum": [*CHOICES]})]
    weight: Annotated[float, Field(ge=0, description="relative frequency")] = 1.0
    values: dict[str, Dist] = {}

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, data: Any) -> Any:
        return {"family": data} if isinstance(data, str) else data

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core))
        return {"anyOf": [{"enum": [*CHOICES]}, dict(schema)]}

    @model_validator(mode="after")
    def _known(self) -> MaterialSpec:
        if self.family not in CHOICES:
            own = "comes with a mesh that has a texture" if self.family in FAMILIES else "is no material"
            raise ValueError(f"{self.family!r} {own}; choose from {', '.join(CHOICES)}")
        known = FAMILIES[self.family].values
        for name, dist in self.values.items():
            if name not in known:
                raise ValueError(f"{self.family} has no value {name!r}; it has {', '.join(sorted(known))}")
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


MaterialsText = MaterialSpec | list[MaterialSpec] | dict[str, Annotated[float, Field(ge=0)]]
Materials = Annotated[
    tuple[MaterialSpec, ...],
    BeforeValidator(_as_list, json_schema_input_type=MaterialsText),
    AfterValidator(_any_weight),
]


def _for_all(data: Any) -> Any:
    """`materials: [zinc, brass]` and `materials: {zinc: 2}` mean every part."""
    short = isinstance(data, dict) and ("family" in data or bool(set(data) & set(FAMILIES)))
    return {"all": data} if short or isinstance(data, str | list | tuple) else data


class AssetSpec(Strict):
    """A kind of object: a procedural `shape`, or the mesh files that `path` names (a pattern may match several)."""

    category: Annotated[str, Field(min_length=1, max_length=64)]
    weight: Annotated[float, Field(ge=0, description="relative frequency among the assets")] = 1.0
    shape: Annotated[str | None, Field(json_schema_extra={"enum": [*sorted(SHAPES), None]})] = None
    params: Annotated[dict[str, Dist], Field(description="parameters of the shape that you fix or draw yourself")] = {}
    path: Annotated[
        str | None, Field(description="mesh file or pattern (OBJ, STL, PLY, GLB), relative to the recipe")
    ] = None
    unit: Annotated[
        Literal["m", "cm", "mm", "um", "in", "ft"] | None,
        Field(description="unit of the file; default: mm for STL, m for others"),
    ] = None
    up: Annotated[
        Literal["x", "y", "z", "-x", "-y", "-z"] | None,
        Field(description="axis of the file that points up; default: z, and y for GLB"),
    ] = None
    scale: Annotated[Positive, Field(description="factor on the size")] = Field(default=1.0, validate_default=True)
    materials: Annotated[
        dict[str, Materials] | None,
        BeforeValidator(_for_all, json_schema_input_type=MaterialsText | dict[str, MaterialsText] | None),
        Field(description="materials by part of the mesh (`all` for every part); default: the asset's own"),
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
        return self

    def _check_shape(self, name: str) -> None:
        shape = SHAPES[name]
        if self.unit is not None or self.up is not None:
            raise ValueError("`unit` and `up` describe a file; a procedural shape is in metres with z up")
        for key in self.params:
            if key not in shape.params.model_fields:
                raise ValueError(f"{name} has no parameter {key!r}; it has {', '.join(shape.params.model_fields)}")
            field = shape.params.model_fields[key]
            check: TypeAdapter[Any] = TypeAdapter(Annotated[field.annotation, field])  # type: ignore[arg-type]
            dist = self.params[key]
            if field.annotation is int and isinstance(dist, Uniform | LogUniform | TruncNormal):
                raise ValueError(f"params.{key}: must be a whole number: use `dist: integers` or a choice")
            for value in () if isinstance(dist, Expr) else dist.values():
                try:
                    check.validate_python(value)
                except ValidationError as e:
                    raise ValueError(f"params.{key}: {rule_of(e.errors()[0])}") from None
        for part in self.materials or {}:
            if part != "all" and part not in shape.materials:
                raise ValueError(f"{name} has no part {part!r}; it has all, {', '.join(shape.materials)}")


class ObjectsSpec(Strict):
    """How many objects, and of which kinds."""

    count: Annotated[Dist, _between(0, MAX_OBJECTS), Field(description="objects per image; rounded to a whole number")]
    assets: Annotated[tuple[AssetSpec, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _any_weight(self) -> ObjectsSpec:
        if sum(a.weight for a in self.assets) <= 0:
            raise ValueError("at least one asset needs a weight above 0")
        return self


class PlacementSpec(Strict):
    """Where on the surface objects lie, and how."""

    area: Annotated[
        tuple[Positive, Positive], Field(description="width and depth of the area for object centres, metres")
    ] = Field(default=(0.3, 0.2), validate_default=True)
    density: Annotated[Literal["uniform", "center"], Field(description="center: denser towards the middle")] = "uniform"
    pose: Annotated[
        Literal["stable", "upright"],
        Field(description="stable: on any face it can rest on, as likely as when dropped; upright: as modelled"),
    ] = "stable"
    gap: Annotated[float, Field(ge=0.0001, le=1, description="smallest distance between objects, metres")] = 0.0005
    attempts: Annotated[int, Field(ge=1, le=10000, description="tries per object before placement fails")] = 200


class SurfaceSpec(Strict):
    """The table under the objects."""

    size: Annotated[tuple[Positive, Positive], Field(description="metres")] = Field(
        default=(1.6, 1.2), validate_default=True
    )
    materials: Annotated[Materials, Field(description="drawn once per image")] = Field(
        default="wood", validate_default=True
    )


class WorldSpec(Strict):
    """Light from all around."""

    hdri: Annotated[
        Dist,
        AfterValidator(_names),
        Field(description="built-in name (city, courtyard, forest, interior, night, studio, sunrise, sunset) or file"),
    ] = Field(default="studio", validate_default=True)
    rotation_deg: Annotated[Number, Field(description="about the vertical")] = Field(default=0.0, validate_default=True)
    strength: Annotated[
        NonNegative,
        Field(description="mean radiance of the HDRI after scaling: 1 lights a white table to about mid white"),
    ] = Field(default=1.0, validate_default=True)


class LightSpec(Strict):
    """A rectangular softbox that points at the middle of the surface."""

    azimuth_deg: Annotated[Number, Field(description="0 is +x, 90 is +y")] = Field(default=45.0, validate_default=True)
    elevation_deg: Annotated[Dist, _between(1, 90)] = Field(default=55.0, validate_default=True)
    distance: Annotated[Positive, Field(description="metres")] = Field(default=1.0, validate_default=True)
    size: Annotated[tuple[Positive, Positive], Field(description="metres")] = Field(
        default=(0.4, 0.3), validate_default=True
    )
    power: Annotated[NonNegative, Field(description="watts of radiant power, as Blender counts them")] = Field(
        default=10.0, validate_default=True
    )
    temperature_k: Annotated[Dist, _between(1500, 20000), Field(description="black body; 6500 is white")] = Field(
        default=6500.0, validate_default=True
    )


class CameraSpec(Strict):
    """A camera on a sphere around its target, with a real lens and sensor."""

    distance: Annotated[Positive, Field(description="metres from the target")] = Field(
        default=0.6, validate_default=True
    )
    azimuth_deg: Number = Field(default=-90.0, validate_default=True)
    elevation_deg: Annotated[Dist, _between(1, 90), Field(description="90 looks straight down")] = Field(
        default=50.0, validate_default=True
    )
    roll_deg: Number = Field(default=0.0, validate_default=True)
    target: Annotated[tuple[Number, Number, Number], Field(description="point looked at, metres")] = Field(
        default=(0.0, 0.0, 0.0), validate_default=True
    )
    focal_mm: Positive = Field(default=35.0, validate_default=True)
    sensor_width_mm: Annotated[float, Field(gt=0)] = 36.0
    fstop: Annotated[Dist | None, Field(description="none: everything is sharp")] = None

    @model_validator(mode="after")
    def _aperture(self) -> CameraSpec:
        for v in self.fstop.values() if self.fstop is not None and not isinstance(self.fstop, Expr) else ():
            if isinstance(v, str | bool | tuple) or not 0.5 <= v <= 128:
                raise ValueError(f"fstop must lie between 0.5 and 128, can be {v}")
        return self


class RenderSpec(Strict):
    """How the picture is computed; `generate --preset` and `--size` replace `preset` and `size`."""

    preset: Literal["draft", "standard", "high"] = "standard"
    engine: Annotated[
        Literal["cycles", "flat"], Field(description="flat: unlit stand-in without Blender, to try things")
    ] = "cycles"
    size: Annotated[
        tuple[Annotated[int, Field(ge=8, le=16384)], Annotated[int, Field(ge=8, le=16384)]],
        Field(description="width and height, pixels"),
    ] = (640, 480)
    view_transform: Literal["agx", "standard"] = "agx"
    look: Literal["none", "medium_high_contrast", "high_contrast"] = "medium_high_contrast"
    exposure_ev: Annotated[Dist, _between(-20, 20), Field(description="stops")] = Field(
        default=0.0, validate_default=True
    )


class DatasetSpec(Strict):
    """How the dataset is divided and stored."""

    val_fraction: Annotated[float, Field(ge=0, le=1)] = 0.2


class Rule(Strict):
    """When `when` holds, the parameters under `set` come from other distributions. Later rules win."""

    when: Annotated[str, Field(description="for example: world.strength < 0.4 and placement.area.0 > 0.2")]
    set: Annotated[
        dict[str, Annotated[Any, BeforeValidator(spelled_out)]],
        Field(min_length=1, description="parameter path → distribution"),
    ]


class Recipe(Strict):
    """What a dataset may contain. Load one with `scenewright.load`."""

    version: Annotated[Literal[1], Field(description="version of the recipe format")] = 1
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    description: str = ""
    categories: Annotated[
        tuple[str, ...] | None,
        Field(description="order of the COCO category ids, from 1; default: as they first appear"),
    ] = None
    objects: ObjectsSpec
    distractors: Annotated[ObjectsSpec | None, Field(description="objects that are never labelled")] = None
    placement: PlacementSpec = PlacementSpec()
    surface: SurfaceSpec = SurfaceSpec()
    world: WorldSpec = WorldSpec()
    lights: tuple[LightSpec, ...] = ()
    camera: CameraSpec = CameraSpec()
    render: RenderSpec = RenderSpec()
    labels: LabelRules = LabelRules()
    dataset: DatasetSpec = DatasetSpec()
    rules: tuple[Rule, ...] = ()
    #: Files that the recipe names, by the text in the recipe; filled when it is loaded.
    files: Annotated[dict[str, tuple[FileRef, ...]], Field(json_schema_extra={"readOnly": True})] = {}

    @model_validator(mode="after")
    def _categories(self) -> Recipe:
        used = list(dict.fromkeys(a.category for a in self.objects.assets))
        if self.categories is None:
            return self
        if len(set(self.categories)) != len(self.categories):
            raise ValueError(f"categories must differ, got {list(self.categories)}")
        missing = [c for c in used if c not in self.categories]
        if missing:
            raise ValueError(f"`categories` lacks {', '.join(missing)}, which `objects.assets` uses")
        return self

    @property
    def category_names(self) -> tuple[str, ...]:
        """Names of the COCO categories; the id of a name is its position plus 1."""
        return self.categories or tuple(dict.fromkeys(a.category for a in self.objects.assets))
