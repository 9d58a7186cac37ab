"""`sample(recipe, seed, index)`: one scene, drawn from a recipe. Everything random happens here, in named streams."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..assets.hdris import mean_luminance
from ..assets.library import SHAPES, rand
from ..assets.material import FileRef, Material
from ..assets.materials import material_rand
from ..assets.mesh import Mesh
from ..errors import RecipeError
from .build import file_mesh, shape_mesh
from .cameras import orbit_camera
from .distributions import Dist, Expr, position
from .lights import softbox_rand
from .load import recipe_sha256
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


def sample(recipe: Recipe, index: int, seed: int = 0) -> Scene:
    """Scene `index` of the dataset that (recipe, seed) names; any scene can be drawn without the others.

    Raises:
        PlacementError: the objects do not fit.
        AssetError: a mesh, HDRI or texture cannot be used.
    """
    draw = ImageDraws(recipe, seed, index)
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
        self.seed, self.index, self.name = draw.seed, draw.index, name
        self.draws: dict[str, Draw] = {}

    def rng(self, what: str) -> np.random.Generator:
        return stream(self.seed, self.index, f"{self.name}.{what}")

    def __call__(self, path: str, dist: Dist) -> Value:
        """Draw `dist`, which stands at `path` of the recipe."""
        if isinstance(dist, Expr):
            raise RecipeError(f"{path}: an expression may only stand at a parameter of the whole image")
        u = float(self.rng(path).random())
        value = dist.ppf(u)
        self.draws[path] = Draw(value=value, quantile=u if len(dist.values()) > 1 else None)
        return value

    def pick(self, path: str, names: Sequence[Value], weights: Sequence[float] | None = None) -> int:
        """The position of one of several named things; its name is noted as the value at `path`."""
        u = float(self.rng(path).random())
        which = position(u, weights or (1.0,) * len(names))
        self.draws[path] = Draw(value=names[which], quantile=u if len(names) > 1 else None)
        return which


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
    ref, mesh = _mesh(recipe, asset, path, draws)
    scale = float(draws(f"{path}.scale", asset.scale))  # type: ignore[arg-type]  # the recipe model admits numbers only
    pose = recipe.placement.pose if asset.pose is None else str(draws(f"{path}.pose", asset.pose))
    item = Item(mesh, ref.sha256, scale, asset.category, pose)
    return _Drawn(
        draws, item, ref, _materials(recipe, asset, path, ref, mesh, draws),
        recipe.category_names.index(asset.category) + 1 if group == "objects" else 0,
    )  # fmt: skip


def _mesh(recipe: Recipe, asset: AssetSpec, path: str, draws: _ObjectDraws) -> tuple[MeshRef, Mesh]:
    if asset.shape is not None:
        given = {name: draws(f"{path}.params.{name}", dist) for name, dist in asset.params.items()}
        return shape_mesh(asset.shape, rand(draws.rng("shape"), asset.shape, given))
    files = recipe.files[asset.path or ""]
    return file_mesh(files[draws.pick(f"{path}.path", [f.name for f in files])], asset.unit, asset.up)


def _materials(
    recipe: Recipe, asset: AssetSpec, path: str, ref: MeshRef, mesh: Mesh, draws: _ObjectDraws
) -> dict[str, Material]:
    given = asset.materials or {}
    texture = recipe.files.get(f"texture/{ref.file.sha256}", (None,))[0] if ref.file else None
    chosen: dict[str, Material] = {}
    for part in mesh.part_names:
        key = part if part in given else "all"
        if key in given or texture is None:
            specs = given.get(key) or _default_materials(asset.shape, part)
            place = f"{path}.materials.{part}"
            which = draws.pick(place, [s.family for s in specs], [s.weight for s in specs])
            chosen[part] = _material(specs[which], f"{path}.materials.{key}.{which}", draws, part)
        else:
            chosen[part] = material_rand(draws.rng(f"material.{part}"), "textured", {}, texture)
    return chosen


def _default_materials(shape: str | None, part: str) -> tuple[MaterialSpec, ...]:
    if shape is None:
        return DEFAULT_FILE_MATERIAL
    return tuple(MaterialSpec(family=f, weight=w) for f, w in SHAPES[shape].materials[part].items())


def _material(spec: MaterialSpec, path: str, draws: _ObjectDraws, part: str) -> Material:
    given = {n: draws(f"{path}.values.{n}", d) for n, d in spec.values.items()}
    return material_rand(draws.rng(f"material.{part}"), spec.family, given)  # type: ignore[arg-type]  # checked there


def _surface(recipe: Recipe, draw: ImageDraws) -> Surface:
    which = draw.surface_material()
    draws = _ObjectDraws(draw, "surface")
    material = _material(recipe.surface.materials[which], f"surface.materials.{which}", draws, "all")
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
    r = recipe.render
    return RenderSettings(
        engine=r.engine, preset=r.preset, view_transform=r.view_transform, look=r.look, **PRESETS[r.preset],
        exposure_ev=draw("render.exposure_ev"),
    )  # fmt: skip
