"""The recipe: what a dataset may contain, as a checked model of a YAML file. Every field is described for editors."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ..assets.fixtures import FIXTURES
from ..assets.material import FileRef
from .distributions import Dist, Expr, spelled_out
from .license import License
from .limits import LARGEST, Strict, between, words
from .outputs import Output
from .recipe_backplate import BackplateSpec
from .recipe_camera import CameraSpec
from .recipe_container import ContainerSpec
from .recipe_defects import DefectsSpec, check_defects, defect_categories
from .recipe_lights import LightSpec, WorldSpec
from .recipe_materials import Materials
from .recipe_motion import STILL, MotionSpec
from .recipe_objects import AssetSpec, ObjectsSpec
from .recipe_placement import PlacementSpec
from .recipe_sensor import SensorSpecs
from .scene import LabelRules, Look, ViewTransform

__all__ = ["BACKPLATES", "TEXTURES", "CameraSpec", "LightSpec", "PlacementSpec", "Recipe", "Rule"]

#: Before the names of such folders in `Recipe.files`: a folder of panoramas may have the same name.
TEXTURES, BACKPLATES = "textures/", "backplates/"

#: Rounding a scaled image to whole pixels may squeeze it by so much.
SQUEEZE = 0.005
#: A table's edge: the rounded rim takes 2 mm on each side.
Edge = Annotated[Dist, between(0.01, LARGEST)]


class SurfaceSpec(Strict):
    """The table under the objects."""

    size: Annotated[tuple[Edge, Edge], Field(description="metres")] = Field(default=(1.6, 1.2), validate_default=True)
    materials: Annotated[Materials, Field(description="drawn once per image")] = Field(
        default="wood", validate_default=True
    )


class RenderSpec(Strict):
    """How the picture is computed; `generate --preset` and `--size` replace `preset` and `size`."""

    preset: Annotated[
        Literal["draft", "fast", "standard", "high"],
        Field(description="draft: to look at the scene; fast: good; standard: the default; high: nearly converged"),
    ] = "standard"
    engine: Annotated[
        Literal["cycles", "eevee", "flat"],
        Field(
            description="cycles: traced light; eevee: rasterised, for many images from a GPU with OpenGL; flat: unlit "
            "stand-in without Blender, to try things"
        ),
    ] = "cycles"
    size: Annotated[
        tuple[Annotated[int, Field(ge=8, le=16384)], Annotated[int, Field(ge=8, le=16384)]],
        Field(description="width and height, pixels"),
    ] = (640, 480)
    view_transform: Annotated[
        Dist, words(ViewTransform), Field(description="agx: as a camera's film; standard: linear, clipped at white")
    ] = Field(default="agx", validate_default=True)
    look: Annotated[Dist, words(Look), Field(description="contrast of agx; standard has none")] = Field(
        default="medium_high_contrast", validate_default=True
    )
    exposure_ev: Annotated[Dist, between(-20, 20), Field(description="stops")] = Field(
        default=0.0, validate_default=True
    )
    flicker_ev: Annotated[
        Dist,
        between(0, 5),
        Field(description="standard deviation of the exposure from image to image, frames of a sequence too, stops"),
    ] = Field(default=0.0, validate_default=True)
    white_balance_k: Annotated[
        Dist,
        between(1800, 20000),
        Field(description="a black body of this temperature looks white; 6500 changes nothing"),
    ] = Field(default=6500.0, validate_default=True)
    white_balance_tint: Annotated[
        Dist, between(-150, 150), Field(description="above 0 takes green out of the picture, below 0 magenta")
    ] = Field(default=0.0, validate_default=True)

    def check_proportions(self, size: tuple[int, int], what: str) -> None:
        """ValueError when the picture would show an image of that size squeezed."""
        if abs(self.size[0] * size[1] / (self.size[1] * size[0]) - 1) > SQUEEZE:
            raise ValueError(
                f"{what} is {size[0]} x {size[1]}, and render.size {self.size[0]} x {self.size[1]} has other "
                "proportions: give render.size the same, or the intrinsics of the part that is rendered"
            )


class DatasetSpec(Strict):
    """How the dataset is divided and stored, and under which licence."""

    license: Annotated[
        License | None, Field(description="of the images, for COCO and dataset.json; default: none is stated")
    ] = None
    val_fraction: Annotated[float, Field(ge=0, le=1)] = 0.2
    split_by: Annotated[
        Literal["scene", "backplate"],
        Field(description="backplate: all images before one photograph go to the same split"),
    ] = "scene"
    depth_format: Annotated[
        Literal["png", "exr"], Field(description="png: 16 bits in steps of `depth_unit_mm`; exr: float32 metres")
    ] = "png"
    depth_unit_mm: Annotated[
        float, Field(gt=0, le=1000, description="one step of png depth; 65535 steps are as far as it reaches")
    ] = 1.0


class Rule(Strict):
    """When `when` holds, the parameters under `set` come from other distributions. Later rules win."""

    when: Annotated[str, Field(description="for example: world.strength < 0.4 and placement.area[0] > 0.2")]
    set: Annotated[
        dict[str, Annotated[Any, BeforeValidator(spelled_out)]],
        Field(min_length=1, description="parameter path → distribution"),
    ]


def _once(outputs: tuple[Output, ...]) -> tuple[Output, ...]:
    if len(set(outputs)) != len(outputs):
        raise ValueError(f"outputs must differ, got {list(outputs)}")
    return tuple(sorted(outputs))


#: Classes of a semantic map, which has eight bits; 0 is none and 255 what many trainers ignore.
CLASSES = 254


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
    defects: Annotated[
        DefectsSpec | None, Field(description="scratches, dents, stains and so on, each labelled; default: none")
    ] = None
    placement: PlacementSpec = PlacementSpec()
    surface: SurfaceSpec = SurfaceSpec()
    container: Annotated[
        ContainerSpec | None, Field(description="what the objects lie in, stand on or hang from; default: the surface")
    ] = None
    backplate: Annotated[
        BackplateSpec | None, Field(description="a photograph in place of the surface and what is around")
    ] = None
    world: WorldSpec = WorldSpec()
    lights: tuple[LightSpec, ...] = ()
    camera: CameraSpec = CameraSpec()
    motion: MotionSpec = MotionSpec()
    render: RenderSpec = RenderSpec()
    sensor: Annotated[
        SensorSpecs,
        Field(description="what lens, sensor and software do to the picture: a camera's name, or effects in order"),
    ] = ()
    labels: LabelRules = LabelRules()
    outputs: Annotated[
        tuple[Output, ...],
        AfterValidator(_once),
        Field(description="annotations beside boxes, masks, depth, ids, poses and key points; default: none"),
    ] = ()
    dataset: DatasetSpec = DatasetSpec()
    rules: tuple[Rule, ...] = ()
    #: Files that the recipe names, by the text in the recipe (folders of textures and photographs after the words
    #: `TEXTURES` and `BACKPLATES`); filled when it is loaded.
    files: Annotated[dict[str, tuple[FileRef, ...]], Field(json_schema_extra={"readOnly": True})] = Field(
        default_factory=dict
    )

    #: Blender's libraries of the files that were ingested, by the hash of their triangles; filled when it is loaded.
    #: No part of a recipe's identity: Blender writes other bytes every time.
    libraries: Annotated[dict[str, FileRef], Field(json_schema_extra={"readOnly": True})] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _categories(self) -> Recipe:
        used = list(dict.fromkeys(c for a in self.objects.assets for c in a.categories))
        if self.categories is None:
            return self
        if len(set(self.categories)) != len(self.categories):
            raise ValueError(f"categories must differ, got {list(self.categories)}")
        missing = [c for c in used if c not in self.categories]
        if missing:
            raise ValueError(f"`categories` lacks {', '.join(missing)}, which `objects.assets` uses")
        return self

    def files_of(self, asset: AssetSpec) -> tuple[FileRef, ...]:
        """The mesh files of an asset, ingested ones by their triangles; none of a procedural shape."""
        return self.files.get(asset.own_key) or self.files.get(asset.path or "", ())

    @model_validator(mode="after")
    def _pegs(self) -> Recipe:
        pegs = self.container is not None and FIXTURES[self.container.kind].pegs
        if pegs != (self.placement.mode == "hang"):
            having = ", ".join(kind for kind, fixture in FIXTURES.items() if fixture.pegs)
            raise ValueError(
                f"`placement.mode: hang` and a container with pegs ({having}) go together, got {self.placement.mode} "
                f"and {self.container.kind if self.container else 'none'}"
            )
        return self

    @model_validator(mode="after")
    def _policies(self) -> Recipe:
        clutter = [c for a in (self.distractors.assets if self.distractors else ()) for c in a.categories]
        known = dict.fromkeys([*self.category_names, *clutter, *self.stuff_names[1:]])
        named = () if isinstance(self.labels.transparency, str) else self.labels.transparency
        for name in named:
            if name not in known:
                rule = "the surface is always solid" if name == "surface" else f"there is no category {name!r}"
                raise ValueError(f"labels.transparency: {rule}; choose from {', '.join(known)}")
        return self

    @model_validator(mode="after")
    def _defects(self) -> Recipe:
        if self.defects is not None:
            assets = [a for a in self.objects.assets if a.weight > 0]
            check_defects(self.defects, self.category_names, self.stuff_names, assets)
        return self

    @model_validator(mode="after")
    def _classes(self) -> Recipe:
        classes = len(self.category_names) + len(self.stuff_names)
        if classes > CLASSES and {"semantic", "panoptic"} & set(self.outputs):
            raise ValueError(
                f"a semantic map has eight bits and holds {CLASSES} classes, this recipe has {classes}: "
                "merge categories, or leave semantic and panoptic out of `outputs`"
            )
        return self

    @model_validator(mode="after")
    def _photograph(self) -> Recipe:
        """What would change the photograph, or move the camera before it."""
        if self.backplate is None:
            if self.dataset.split_by == "backplate":
                raise ValueError("dataset.split_by: backplate needs a `backplate`; leave it out to split by scene")
            return self
        kept = {"view_transform": "standard", "white_balance_k": 6500, "white_balance_tint": 0}
        for name, value in kept.items():
            dist = getattr(self.render, name)
            if not isinstance(dist, Expr) and any(v != value for v in dist.values()):
                raise ValueError(
                    f"a backplate comes out as it went in only with render.{name}: {value}, got "
                    f"{', '.join(map(str, dist.values()))}"
                )
        if self.camera.stereo is not None or self.motion.camera != STILL:
            moving = "camera.stereo" if self.camera.stereo is not None else "motion.camera"
            raise ValueError(f"a backplate is one view from one place: leave {moving} out")
        return self

    @model_validator(mode="after")
    def _rasterised(self) -> Recipe:
        """What EEVEE cannot do."""
        source = self.world.source
        refused = {
            "camera.distortion": (self.camera.distortion, "a lens is made by bending traced rays"),
            "backplate": (self.backplate, "what objects do to a photograph's light is Cycles' shadow catcher"),
            "defects": (self.defects, "how visible a defect is is measured by Cycles"),
            "world.sky": (isinstance(source, Expr) or "sky" in source.values(), "Blender's sky is in Cycles only"),
        }
        for path, (given, reason) in refused.items():
            if given and self.render.engine == "eevee":
                raise ValueError(f"{path}: not with render.engine: eevee ({reason}): leave it out, or use cycles")
        return self

    @property
    def stuff_names(self) -> tuple[str, ...]:
        """Names of the classes of stuff, which follow the categories in semantic and panoptic maps."""
        return ("surface", *([self.container.kind] if self.container else []))

    @property
    def defect_categories(self) -> tuple[str, ...]:
        """COCO categories of defects, whose ids follow those of the categories and of the classes of stuff."""
        return () if self.defects is None else defect_categories(self.defects, self.objects.assets)

    @model_validator(mode="after")
    def _proportions(self) -> Recipe:
        if self.camera.sensor_px is not None:
            self.render.check_proportions(self.camera.sensor_px, "camera.sensor_px")
        if self.camera.matrix is not None:
            self.render.check_proportions(self.camera.matrix.size, "camera.matrix.size")
        return self

    @property
    def category_names(self) -> tuple[str, ...]:
        """Names of the COCO categories; the id of a name is its position plus 1."""
        return self.categories or tuple(dict.fromkeys(c for a in self.objects.assets for c in a.categories))
