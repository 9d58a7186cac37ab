"""The frozen description of one picture: `Scene` → image is a function, nothing is drawn at random after sampling."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..assets.defect import Defect
from ..assets.material import RGB, FileRef, Material
from .ids import FIXTURES, OBJECTS
from .lenses import Lens
from .outputs import Output
from .scene_lights import AreaLight, Light, Matrix4, World
from .scene_render import EeveeSettings, Look, RenderSettings, Settings, ViewTransform
from .scene_surface import Backplate, Surface
from .sensor import Sensor

__all__ = [
    "AreaLight",
    "Backplate",
    "Camera",
    "DefectRules",
    "Draw",
    "EeveeSettings",
    "Fixture",
    "LabelRules",
    "Look",
    "MeshRef",
    "RenderSettings",
    "Scene",
    "SceneObject",
    "Settings",
    "Surface",
    "Timing",
    "Transparency",
    "ViewTransform",
    "World",
    "digest",
    "matrix",
    "steady",
]

Vec3 = tuple[float, float, float]
Value = float | int | str | bool | RGB
Transparency = Literal["solid", "see_through"]


def matrix(m: npt.ArrayLike) -> Matrix4:
    """A 4×4 array as the nested tuples that a frozen scene stores, rounded to 1e-9 (a nanometre): see `steady`."""
    a = np.round(np.asarray(m, dtype=np.float64), 9) + 0.0  # no -0.0
    return tuple(tuple(float(x) for x in row) for row in a)  # type: ignore[return-value]  # shape checked by pydantic


def steady(x: float) -> float:
    """A computed number with nine significant digits: the bits behind them depend on the machine's instructions."""
    return float(f"{x:.9g}")


def digest(plain: Any) -> str:
    """SHA-256 of plain JSON data, whatever the order of its keys: the identity of a recipe."""
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


class Frozen(BaseModel):
    """Immutable, closed to unknown keys, refuses NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Draw(Frozen):
    """One sampled parameter: its value, and its quantile in its distribution (None for a value that was computed)."""

    value: Value
    quantile: float | None = None


class MeshRef(Frozen):
    """Where a mesh comes from: a procedural shape with its parameters, or a file; `sha256` is of the built mesh.

    `unit` and `up` say how to read the file, None as its format does by default. A file that Blender has ingested is
    one of triangles, beside the `library` that holds them with their materials.
    """

    shape: str | None = None
    params: dict[str, float | int | str] = {}
    file: FileRef | None = None
    unit: str | None = None
    up: str | None = None
    library: FileRef | None = None
    sha256: str


class SceneObject(Frozen):
    """One object. `id` is its value in the id image (1, 2, …); `category_id` 0 marks a distractor, never labelled.

    `world_T_object` is its pose at the middle of this image's exposure; `scenes.motion` says where it is a little
    earlier or later. `see_through` names the parts of its mesh that the rays of both label engines pass as if they were
    not there (`LabelRules.transparency`), `cut_out` those whose holes they pass (`Mesh.cutouts`). `mesh` is the sound
    part; `defects` are applied to it in their order, and parts that they add have their material in `materials` too.
    """

    id: Annotated[int, Field(ge=1, le=OBJECTS)]
    category: str
    category_id: Annotated[int, Field(ge=0)]
    mesh: MeshRef
    materials: dict[str, Material]
    scale: Annotated[float, Field(gt=0)] = 1.0
    world_T_object: Matrix4
    velocity_m_s: Vec3 = (0.0, 0.0, 0.0)
    spin_rad_s: Vec3 = (0.0, 0.0, 0.0)
    see_through: tuple[str, ...] = ()
    cut_out: tuple[str, ...] = ()
    defects: tuple[Defect, ...] = ()
    parameters: dict[str, Draw] = {}

    @property
    def pose(self) -> npt.NDArray[np.float64]:
        """(4, 4) rigid transform from the object frame (metres, unscaled) to the world; apply `scale` first."""
        return np.asarray(self.world_T_object, dtype=np.float64)


class Fixture(Frozen):
    """What objects lie in, stand on or hang from: a bin, a shelf, a conveyor. Both engines see it, nothing labels it.

    Its raw id is `ids.fixture_id` of its position among the scene's fixtures; `see_through` as an object's.
    """

    name: str
    mesh: MeshRef
    materials: dict[str, Material]
    world_T_fixture: Matrix4
    see_through: tuple[str, ...] = ()
    parameters: dict[str, Draw] = {}

    @property
    def pose(self) -> npt.NDArray[np.float64]:
        """(4, 4) rigid transform from the fixture's frame (metres) to the world."""
        return np.asarray(self.world_T_fixture, dtype=np.float64)


class Camera(Frozen):
    """A camera in OpenCV's frame (x right, y down, z forward); its aperture blurs the picture, never the labels.

    `fx, fy, cx, cy` in pixels; the centre of the top-left pixel is (0.5, 0.5), half a pixel more than in OpenCV. `lens`
    None is a pinhole without distortion (`lenses`). `fstop` None means everything is sharp; `focal_m` is the lens's
    focal length in metres, which together with `fstop` gives the aperture. In focus is the plane at `focus_m` along the
    optical axis, for a fisheye lens the sphere of that radius. Velocity and spin are those of the point `pivot_m` of
    the camera's frame, about which it turns: for the right camera of a stereo pair the left one's centre.
    """

    width: Annotated[int, Field(ge=8, le=16384)]
    height: Annotated[int, Field(ge=8, le=16384)]
    fx: float
    fy: float
    cx: float
    cy: float
    lens: Lens | None = None
    cam_T_world: Matrix4
    focal_m: float = 0.05
    fstop: float | None = None
    focus_m: float = 1.0
    velocity_m_s: Vec3 = (0.0, 0.0, 0.0)
    spin_rad_s: Vec3 = (0.0, 0.0, 0.0)
    pivot_m: Vec3 = (0.0, 0.0, 0.0)

    @property
    def K(self) -> npt.NDArray[np.float64]:
        """(3, 3) intrinsics, pixels."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], dtype=np.float64)

    @property
    def extrinsics(self) -> npt.NDArray[np.float64]:
        """(4, 4) rigid transform from the world to the camera frame, metres."""
        return np.asarray(self.cam_T_world, dtype=np.float64)


class Timing(Frozen):
    """When an image was taken: `frame` of a sequence of `frames` that are `step_s` apart, shutter open for `shutter_s`.

    The exposure is centred on the frame's own time, which is also that of the labels.
    """

    frame: Annotated[int, Field(ge=0)] = 0
    frames: Annotated[int, Field(ge=1)] = 1
    step_s: Annotated[float, Field(gt=0)] = 0.04
    shutter_s: Annotated[float, Field(ge=0)] = 0.0


def _sound(item: SceneObject) -> SceneObject:
    added = {d.new_part for d in item.defects}
    kept = {part: m for part, m in item.materials.items() if part not in added}
    told = {path: draw for path, draw in item.parameters.items() if not path.startswith("defects.")}
    return item.model_copy(update={"defects": (), "materials": kept, "parameters": told})


class LabelRules(Frozen):
    """An object below either limit stays in the record and is left out of COCO.

    `transparency` is the policy for glass, one for all categories or one for each that is named (others are solid).
    "solid": an object is labelled as if it were opaque, and hides what is behind it. "see_through": labels, depth and
    all maps are what an opaque camera would see, which knows no glass: parts that are transparent
    (`assets.transparency`) are not there, straight rays go on to what is behind. What refraction displaces in the
    picture they do not follow. The kind of a container is a category too; the surface is always solid.
    """

    min_pixels: Annotated[int, Field(ge=1)] = 1
    min_visibility: Annotated[float, Field(ge=0, le=1)] = 0.0
    transparency: Annotated[
        Transparency | dict[str, Transparency],
        Field(
            description="solid: glass is labelled, and hides what is behind it; see_through: transparent parts are "
            "not labelled, what is behind them is; one for all categories, or by category (container kinds too)"
        ),
    ] = "solid"

    def sees_through(self, category: str) -> bool:
        """Whether the transparent parts of a category's objects do not count."""
        policy = self.transparency
        return (policy if isinstance(policy, str) else policy.get(category, "solid")) == "see_through"


class DefectRules(Frozen):
    """A defect below either limit stays in the record and is left out of COCO.

    `min_visible_fraction` is of its pixels: how many of them it changes beyond noise.
    """

    min_pixels: Annotated[int, Field(ge=1)] = 8
    min_visible_fraction: Annotated[float, Field(ge=0, le=1)] = 0.2


class Scene(Frozen):
    """Everything that one picture and its labels depend on.

    Images of one `group` show the same things: the frames of a sequence, and the `view` 0 (left) and 1 (right) of a
    stereo pair. Without either, group and index are the same. `stuff_categories` name the classes of what is no object,
    and follow the categories in semantic and panoptic maps; `defect_categories` follow both. `outputs` are the
    annotations beyond the usual ones.
    """

    schema_version: Literal[1] = 1
    recipe: str
    recipe_sha256: str
    seed: int
    index: int
    group: int
    view: Annotated[int, Field(ge=0, le=1)] = 0
    timing: Timing = Timing()
    categories: tuple[str, ...]
    stuff_categories: tuple[str, ...] = ()
    defect_categories: tuple[str, ...] = ()
    surface: Surface | None
    backplate: Backplate | None = None
    world: World
    lights: tuple[Light, ...] = ()
    fixtures: Annotated[tuple[Fixture, ...], Field(max_length=FIXTURES)] = ()
    objects: tuple[SceneObject, ...]
    camera: Camera
    render: Settings
    sensor: Sensor = ()
    labels: LabelRules = LabelRules()
    defect_rules: DefectRules = DefectRules()
    outputs: tuple[Output, ...] = ()
    parameters: dict[str, Draw] = {}

    @model_validator(mode="after")
    def _caught(self) -> Scene:
        if self.backplate is not None and self.surface is None:
            raise ValueError("a backplate needs the surface that catches the shadows: give both, or neither")
        return self

    def to_json(self) -> str:
        """The scene as JSON; `Scene.from_json` gives an equal scene back, floats included."""
        return self.model_dump_json()

    @property
    def twin(self) -> Scene:
        """The same scene with all parts sound, which says nothing of defects; this one where there is no defect."""
        if not any(o.defects for o in self.objects):
            return self
        return self.model_copy(update={"objects": tuple(_sound(o) for o in self.objects)})

    @classmethod
    def from_json(cls, text: str | bytes) -> Scene:
        """The scene that `to_json` wrote."""
        return cls.model_validate_json(text)

    def replace(self, **changes: Any) -> Scene:
        """A copy with some fields changed, validated again."""
        return type(self).model_validate({**dict(self), **changes})
