"""Defects in a recipe: how many objects have any, which kinds, how bad, and where."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, GetJsonSchemaHandler, Tag, model_validator
from pydantic_core import CoreSchema

from ..assets.defect import PER_OBJECT
from ..assets.defects.kind import Kind
from ..assets.defects.kinds import KINDS
from ..assets.library import SHAPES
from .distributions import Dist, Expr, Uniform
from .limits import LARGEST, SMALLEST, Strict, between
from .recipe_materials import OWN
from .recipe_objects import AssetSpec
from .scene import DefectRules

__all__ = [
    "SPOTS", "DefectKindSpec", "DefectsSpec", "by_category", "check_defects", "defect_categories", "occurring",
    "occurs_on",
]  # fmt: skip

#: Regions that every part has; others are named on the asset.
SPOTS = ("all", "edge", "face")

Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
#: A number for all categories, or one for each that is named.
Shares = Annotated[
    Annotated[Share, Tag("number")] | Annotated[dict[str, Share], Tag("by category")],
    Discriminator(lambda v: "by category" if isinstance(v, dict) else "number"),
]
Weights = Annotated[
    Annotated[Weight, Tag("number")] | Annotated[dict[str, Weight], Tag("by category")],
    Discriminator(lambda v: "by category" if isinstance(v, dict) else "number"),
]
Region = Annotated[str, Field(min_length=1, max_length=64)]


def _weighted(data: Any) -> Any:
    """`edge` means {edge: 1}, and a list all of its entries alike."""
    if isinstance(data, list | tuple):
        return dict.fromkeys(data, 1)
    return {data: 1} if isinstance(data, str) else data


Regions = Annotated[
    dict[Region, Weight],
    BeforeValidator(_weighted, json_schema_input_type=Region | list[Region] | dict[Region, Weight] | None),
    Field(min_length=1),
]


class DefectKindSpec(Strict):
    """A kind of defect: how often it comes up, how bad it is, where it may be."""

    kind: Annotated[str, Field(json_schema_extra={"enum": [*KINDS]})]
    weight: Annotated[
        Weights,
        Field(description="relative frequency among the kinds; by category, those not named have none of it"),
    ] = 1.0
    severity: Annotated[
        Dist,
        between(0.01, 1),
        Field(description="0: hardly there, 1: as bad as it gets; size, depth and contrast grow"),
    ] = Field(default_factory=lambda: Uniform(dist="uniform", low=0.1, high=1.0))
    region: Annotated[
        Regions | None,
        Field(
            description="where: all, edge, face (away from edges), or a region that the asset names, such as thread; "
            "several by weight; default: where the kind usually is"
        ),
    ] = None
    params: Annotated[
        dict[str, Dist],
        Field(description="the kind's own numbers that you fix or draw yourself, whatever the severity"),
    ] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, data: Any) -> Any:
        return {"kind": data} if isinstance(data, str) else data

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"enum": [*KINDS]}, dict(handler.resolve_ref_schema(handler(core)))]}

    @model_validator(mode="after")
    def _known(self) -> DefectKindSpec:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is no kind of defect; choose from {', '.join(KINDS)}")
        values = KINDS[self.kind].values
        for name, dist in self.params.items():
            if name not in values:
                raise ValueError(f"{self.kind} has no value {name!r}; it has {', '.join(values) or 'none'}")
            low, high = max(values[name].least, SMALLEST), min(values[name].most, LARGEST)
            for v in () if isinstance(dist, Expr) else dist.values():
                if isinstance(v, bool) or not isinstance(v, int | float) or not low <= v <= high:
                    raise ValueError(f"params.{name}: must be a number from {low:g} to {high:g}, got {v!r}")
        if self.region is not None and sum(self.region.values()) <= 0:
            raise ValueError("at least one region needs a weight above 0")
        if self.region is not None and KINDS[self.kind].features is not None:
            raise ValueError(f"{self.kind} is where the asset has a {KINDS[self.kind].features}: leave `region` out")
        return self

    def weight_on(self, category: str) -> float:
        """How often it comes up on objects of a category, relative to other kinds."""
        return by_category(self.weight, category)


def _as_list(data: Any) -> Any:
    """A single kind may stand without a list; a mapping kind → weight is a list too."""
    if isinstance(data, str) or (isinstance(data, dict) and "kind" in data):
        return [data]
    if isinstance(data, dict):
        return [{"kind": k, "weight": w} for k, w in data.items()]
    if not isinstance(data, list | tuple):
        raise ValueError(f"must be a kind of defect, a list of them, or a mapping from kind to weight, got {data!r}")
    return data


KindsText = DefectKindSpec | list[DefectKindSpec] | dict[str, Weight]


class DefectsSpec(Strict):
    """Defects on labelled objects: each has a mask of its own, and the same picture can be had without them."""

    rate: Annotated[
        Shares,
        Field(description="share of the labelled objects that have any; by category, those not named have none"),
    ] = 0.2
    count: Annotated[Dist, between(1, PER_OBJECT), Field(description="defects of an object that has any; rounded")] = (
        Field(default=1, validate_default=True)
    )
    kinds: Annotated[
        Annotated[
            tuple[DefectKindSpec, ...],
            BeforeValidator(_as_list, json_schema_input_type=KindsText),
            Field(min_length=1),
        ]
        | None,
        Field(description="default: all, each where it can occur"),
    ] = None
    placement: Annotated[
        Literal["exposure", "area"],
        Field(description="exposure: among what the camera sees; area: anywhere on the surface, seen or not"),
    ] = "exposure"
    clustered: Annotated[Share, Field(description="chance that a further defect lies near the one before it")] = 0.0
    cluster_radius: Annotated[
        float, Field(gt=0, le=1, description="how near, as a share of the object's second largest extent")
    ] = 0.15
    twins: Annotated[bool, Field(description="also render every image that has a defect without them")] = False
    min_pixels: Annotated[
        int, Field(ge=1, description="a defect of fewer visible pixels stays in the record and is not exported")
    ] = DefectRules().min_pixels
    min_visible_fraction: Annotated[
        float, Field(ge=0, le=1, description="the same for the share of its pixels that it changes beyond noise")
    ] = DefectRules().min_visible_fraction

    @model_validator(mode="after")
    def _any_weight(self) -> DefectsSpec:
        if all(spec.weight == 0 for spec in self.chosen):
            raise ValueError("kinds: at least one kind needs a weight above 0")
        return self

    @property
    def chosen(self) -> tuple[DefectKindSpec, ...]:
        """The kinds, all of them where the recipe names none."""
        return self.kinds or tuple(DefectKindSpec(kind=name) for name in KINDS)

    @property
    def rules(self) -> DefectRules:
        """Which defects are exported."""
        return DefectRules(min_pixels=self.min_pixels, min_visible_fraction=self.min_visible_fraction)


def by_category(value: float | dict[str, float], category: str) -> float:
    """A number that may be given by category; 0 for those that are not named."""
    return value.get(category, 0.0) if isinstance(value, dict) else value


def occurs_on(kind: Kind, family: str) -> bool:
    """Whether a kind can be on a part of a material family.

    What a user's own material lets show nobody can know, so it takes none.
    """
    return family != OWN and (kind.families is None or family in kind.families)


def occurring(kinds: Collection[str], assets: Collection[AssetSpec]) -> tuple[str, ...]:
    """Those of some kinds that can come up on objects of these assets."""
    families = _families(assets)
    return tuple(name for name in kinds if families is None or _somewhere(KINDS[name], families))


def defect_categories(spec: DefectsSpec, assets: Collection[AssetSpec]) -> tuple[str, ...]:
    """COCO categories of the defects that can come up on objects of these assets, in the order of `KINDS`."""
    possible = occurring([s.kind for s in spec.chosen], assets)
    return tuple(dict.fromkeys(kind.category for name, kind in KINDS.items() if name in possible))


def check_defects(
    spec: DefectsSpec, categories: Collection[str], stuff: Collection[str], assets: Collection[AssetSpec]
) -> None:
    """Refuse what can never come up, and names that would mean two things.

    Raises:
        ValueError: a rate or weight for a category that there is not, a category that a kind of defect has too, or a
            kind that occurs on no material of the labelled objects.
    """
    weights = [(f"kinds.{k}.weight", s.weight) for k, s in enumerate(spec.kinds or ())]
    for place, value in [("rate", spec.rate), *weights]:
        for name in value if isinstance(value, dict) else ():
            if name not in categories:
                raise ValueError(f"defects.{place}: there is no category {name!r}; choose from {', '.join(categories)}")
    families = _families(assets)
    for k, s in enumerate(spec.kinds or ()):
        if families is not None and not _somewhere(KINDS[s.kind], families):
            on = ", ".join(sorted(KINDS[s.kind].families or ())) or "whatever Scenewright knows the material of"
            raise ValueError(
                f"defects.kinds.{k}: {s.kind} occurs on {on}, and this recipe's objects are made of "
                f"{', '.join(sorted(families))}: leave it out, or give `materials` on which it does"
            )
    for name in defect_categories(spec, assets):
        if name in categories or name in stuff:
            raise ValueError(f"defects: {name!r} is a category of defects and of objects: rename that of the objects")


def _somewhere(kind: Kind, families: Collection[str]) -> bool:
    return any(occurs_on(kind, family) for family in families)


def _families(assets: Collection[AssetSpec]) -> set[str] | None:
    """Material families that objects can have; None where files decide that."""
    found: set[str] = set()
    for asset in assets:
        given = asset.materials or {}
        if asset.shape is None and "all" not in given:
            return None
        usual = {"body": {}} if asset.shape is None else SHAPES[asset.shape].materials
        for part in {**usual, **given}.keys() - {"all"}:
            specs = given.get(part) or given.get("all")
            found |= {s.family for s in specs if s.weight > 0} if specs else {f for f, w in usual[part].items() if w}
    return found
