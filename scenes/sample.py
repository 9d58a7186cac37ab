"""`sample(recipe, seed, index)`: one scene, drawn from a recipe. Everything random happens here, in named streams."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..assets.hdris import mean_luminance
from ..assets.library import SHAPES, rand
from ..assets.material import FileRef, Material
from ..assets.materials import FAMILIES, Range, material_rand
from ..assets.mesh import Mesh
from ..errors import AssetError, RecipeError
from .build import file_mesh, shape_mesh
from .cameras import orbit_camera
from .distributions import Dist, Expr, Uniform, position
from .lights import softbox_rand
from .load import recipe_sha256, texture_key
from .placement import Area, Item, Placer
from .recipe import Recipe
from .recipe_materials import MaterialSpec
from .recipe_objects import AssetSpec, ObjectsSpec
from .rules import ImageDraws, room_for_objects
from .scene import Camera, Draw, MeshRef, RenderSettings, Scene, SceneObject, Surface, Value, World, matrix, steady
from .streams import stream

__all__ = ["PRESETS", "sample"]

#: How many samples a pixel gets; all presets use the denoiser. Quality and cost are measured in the README.
#: Most of a picture's error sits in few pixels, on edges and highlights: there a threshold puts most of its samples.
PRESETS: dict[str, dict[str, Any]] = {
    "draft": {"samples": 4},
    "fast": {"samples": 128, "min_samples": 16, "noise_threshold": 0.05},
    "standard": {"samples": 256, "min_samples": 64, "noise_threshold": 0.04},
    "high": {"samples": 1024, "min_samples": 64, "noise_threshold": 0.01},
}
DEFAULT_FILE_MATERIAL = (MaterialSpec(family="plastic"),)
TEXTURED = MaterialSpec.model_construct(family="textured")  # which a recipe cannot name: it comes with the mesh


def sample(recipe: Recipe, index: int, seed: int = 0, anew: Mapping[str, int] | None = None) -> Scene:
    """Scene `index` of the dataset that (recipe, seed) names; any scene can be drawn without the others.

    `anew` draws parts of it another time and leaves all else as it is: `{"world": 1, "lights": 1}` is the same scene in
    other light, `{"objects.3": 1}` has another fourth object, and each number gives another draw.

    Raises:
        RecipeError: a computed value is impossible, or `anew` names nothing that is drawn.
        PlacementError: the objects do not fit.
        AssetError: a mesh, HDRI or texture cannot be used.
    """
    draw = ImageDraws(recipe, seed, index, anew)
    try:
        objects = _objects(recipe, draw)
        surface = _surface(recipe, draw)
        world = _world(recipe, draw)
        lights = tuple(softbox_rand(draw, f"lights.{i}") for i in range(len(recipe.lights)))
        camera = _camera(recipe, draw)
        settings = _settings(recipe, draw)
    except ValueError as e:
        raise RecipeError(str(e)) from None
    return Scene(
        recipe=recipe.name, recipe_sha256=recipe_sha256(recipe), seed=seed, index=index,
        categories=recipe.category_names, surface=surface, world=world, lights=lights, objects=objects,
        camera=camera, render=settings, labels=recipe.labels, parameters=draw.draws,
    )  # fmt: skip


class _ObjectDraws:
    """The parameters of one object, drawn from its own streams and noted with their quantiles."""

    def __init__(self, draw: ImageDraws, name: str) -> None:
        self.image, self.name = draw, name
        self.draws: dict[str, Draw] = {}

    def rng(self, what: str) -> np.random.Generator:
        return stream(self.image.seed, self.image.index, self.image.named(f"{self.name}.{what}"))

    def quantile(self, path: str) -> float:
        """Where in its distribution the parameter at a path lies."""
        return float(self.rng(path).random())

    def __call__(self, path: str, dist: Dist) -> Value:
        """Draw `dist`, which stands at `path` of the recipe."""
        if isinstance(dist, Expr):
            raise RecipeError(f"{path}: an expression may only stand at a parameter of the whole image")
        u = self.quantile(path)
        value = dist.ppf(u)
        self.draws[path] = Draw(value=value, quantile=u if len(dist.values()) > 1 else None)
        return value

    def pick(self, path: str, names: Sequence[Value], weights: Sequence[float] | None = None) -> int:
        """The position of one of several named things; its name is noted as the value at `path`."""
        u = self.quantile(path)
        which = position(u, weights or (1.0,) * len(names))
        self.draws[path] = Draw(value=names[which], quantile=u if len(names) > 1 else None)
        return which


class _SurfaceDraws(_ObjectDraws):
    """The surface's parameters: there is one surface in an image, so they are balanced over the images."""

    def quantile(self, path: str) -> float:
        return self.image.quantile(path)


def _objects(recipe: Recipe, draw: ImageDraws) -> tuple[SceneObject, ...]:
    spec = recipe.placement
    for axis in (0, 1):
        room_for_objects(axis, draw(f"placement.area.{axis}"), draw(f"surface.size.{axis}"))
    area = Area((draw("placement.area.0"), draw("placement.area.1")), spec.density, spec.gap, spec.attempts)
    drawn: list[_Drawn] = []
    for group in ("objects", "distractors"):
        kinds: ObjectsSpec | None = getattr(recipe, group)
        if kinds is not None:
            count = round(draw(f"{group}.count"))
            drawn += [_draw_object(recipe, kinds, group, _ObjectDraws(draw, f"{group}.{k}")) for k in range(count)]
    placer, poses = Placer(area), {}
    # Large objects first: small ones still find room between them, the other way round they often would not.
    # Distractors last: they never move a labelled object.
    for k in sorted(range(len(drawn)), key=lambda k: (drawn[k].category_id == 0, -drawn[k].bulk)):
        poses[k] = placer.place(drawn[k].draws.rng("pose"), drawn[k].item)
    return tuple(
        SceneObject(
            id=k + 1, category=d.item.name, category_id=d.category_id, mesh=d.ref, materials=d.materials,
            scale=d.item.scale, world_T_object=matrix(poses[k]), parameters=d.draws.draws,
        )
        for k, d in enumerate(drawn)
    )  # fmt: skip


@dataclass(frozen=True)
class _Drawn:
    """An object before it has a place."""

    draws: _ObjectDraws
    item: Item
    ref: MeshRef
    materials: dict[str, Material]
    category_id: int

    @property
    def bulk(self) -> float:
        """Volume of the object's box, m³."""
        return float(np.prod(self.item.mesh.extents)) * self.item.scale**3


def _draw_object(recipe: Recipe, kinds: ObjectsSpec, group: str, draws: _ObjectDraws) -> _Drawn:
    which = draws.pick(f"{group}.assets", range(len(kinds.assets)), [a.weight for a in kinds.assets])
    asset, path = kinds.assets[which], f"{group}.assets.{which}"
    ref, mesh, texture = _mesh(recipe, asset, path, draws)
    scale = float(draws(f"{path}.scale", asset.scale))  # type: ignore[arg-type]  # the recipe model admits numbers only
    pose = recipe.placement.pose if asset.pose is None else str(draws(f"{path}.pose", asset.pose))
    item = Item(mesh, scale, asset.category, pose)
    return _Drawn(
        draws, item, ref, _materials(asset, path, mesh, texture, draws),
        recipe.category_names.index(asset.category) + 1 if group == "objects" else 0,
    )  # fmt: skip


def _mesh(recipe: Recipe, asset: AssetSpec, path: str, draws: _ObjectDraws) -> tuple[MeshRef, Mesh, FileRef | None]:
    """The object's mesh, and the picture that its file brings with it."""
    if asset.shape is not None:
        given = {name: draws(f"{path}.params.{name}", dist) for name, dist in asset.params.items()}
        params = rand(draws.rng("shape"), asset.shape, given)
        # What the shape draws by itself hangs together, a bolt's length with its size: no single quantile says where.
        draws.draws |= {f"{path}.params.{name}": Draw(value=v) for name, v in params.items() if name not in given}
        return *shape_mesh(asset.shape, params), None
    files = recipe.files[asset.path or ""]
    which = draws.pick(f"{path}.path", [f.name for f in files])
    texture = recipe.files.get(texture_key(asset.path or "", which), (None,))[0]
    return *file_mesh(files[which], asset.unit, asset.up), texture


def _materials(
    asset: AssetSpec, path: str, mesh: Mesh, texture: FileRef | None, draws: _ObjectDraws
) -> dict[str, Material]:
    given = asset.materials or {}
    chosen: dict[str, Material] = {}
    for part in mesh.part_names:
        key = part if part in given else "all"
        if key in given or texture is None:
            specs = given.get(key) or _default_materials(asset.shape, part)
            which = draws.pick(f"{path}.materials.{part}", [s.family for s in specs], [s.weight for s in specs])
            spec, place = specs[which], f"{path}.materials.{key}.{which}"
            if spec.family == "printed" and mesh.uv is None:
                raise AssetError(f"{place}: 'printed' needs texture coordinates, which this mesh has not: unwrap it")
            chosen[part] = _material(spec, place, f"{path}.materials.{part}.{which}", draws, part)
        else:
            chosen[part] = _material(TEXTURED, "", f"{path}.materials.{part}", draws, part, texture)
    return chosen


def _default_materials(shape: str | None, part: str) -> tuple[MaterialSpec, ...]:
    if shape is None:
        return DEFAULT_FILE_MATERIAL
    return tuple(MaterialSpec(family=f, weight=w) for f, w in SHAPES[shape].materials[part].items())


def _material(
    spec: MaterialSpec, path: str, own: str, draws: _ObjectDraws, part: str, texture: FileRef | None = None
) -> Material:
    """A material with its values drawn: the recipe's at `path`, the family's own numbers at `own`, colours by palette.

    The two differ where the recipe gives one material for all parts: its values are theirs in common, the others not.
    """
    given = {name: draws(f"{path}.values.{name}", dist) for name, dist in spec.values.items()}
    for name, limit in FAMILIES[spec.family].values.items():
        if name not in given and isinstance(limit, Range):
            given[name] = draws(f"{own}.values.{name}", Uniform(dist="uniform", low=limit.low, high=limit.high))
    made = material_rand(draws.rng(f"material.{part}"), spec.family, given, texture)  # type: ignore[arg-type]  # checked
    draws.draws |= {f"{own}.values.{name}": Draw(value=v) for name, v in made.values.items() if name not in given}
    return made


def _surface(recipe: Recipe, draw: ImageDraws) -> Surface:
    which = draw.surface_material()
    draws, path = _SurfaceDraws(draw, "surface"), f"surface.materials.{which}"
    material = _material(recipe.surface.materials[which], path, path, draws, "all")
    draw.draws |= draws.draws
    return Surface(size=(draw("surface.size.0"), draw("surface.size.1")), material=material)


def _world(recipe: Recipe, draw: ImageDraws) -> World:
    """The HDRI, scaled so that equal strengths give about equal light whatever the file's own units."""
    name = str(draw("world.hdri"))
    hdri: str | FileRef = name
    if name in recipe.files:
        files = recipe.files[name]
        hdri = files[draw.pick("world.hdri.file", [f.name for f in files])]
    strength = steady(draw("world.strength") / mean_luminance(hdri))
    return World(hdri=hdri, rotation=math.radians(draw("world.rotation_deg")), strength=strength)


def _camera(recipe: Recipe, draw: ImageDraws) -> Camera:
    spec = recipe.camera
    orbit = (
        draw("camera.distance"),
        math.radians(draw("camera.azimuth_deg")),
        math.radians(draw("camera.elevation_deg")),
    )
    return orbit_camera(
        recipe.render.size, draw("camera.focal_mm"), spec.sensor_width_mm,
        [draw(f"camera.target.{i}") for i in range(3)], orbit, math.radians(draw("camera.roll_deg")),
        draw.optional("camera.fstop"),
    )  # fmt: skip


def _settings(recipe: Recipe, draw: ImageDraws) -> RenderSettings:
    r, view = recipe.render, draw("render.view_transform")
    return RenderSettings(
        engine=r.engine, preset=r.preset, **PRESETS[r.preset], exposure_ev=draw("render.exposure_ev"),
        view_transform=view, look=draw("render.look") if view == "agx" else "none",
    )  # fmt: skip
