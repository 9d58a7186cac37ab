"""One image through all stages: sample, build, render, cast rays, label, compare, encode, record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from . import __version__
from .assets.mesh import Mesh
from .datasets.commit import commit
from .datasets.depth import encode_depth
from .datasets.files import exists, remove
from .datasets.maps import encode as encode_map
from .datasets.place import Place
from .datasets.png import encode_ids, encode_rgb, pixels_sha256
from .datasets.presence import is_there
from .datasets.records import (
    TWINS,
    DatasetInfo,
    Hashes,
    Record,
    image_paths,
    labels_sha256,
    map_paths,
    read_record,
    record_path,
    scene_sha256,
    write_quarantine,
)
from .datasets.splits import split_group, split_of
from .errors import DatasetError
from .render.defect_facts import compare_defects, defect_labels
from .render.frame import Frame
from .render.ingester import ingest
from .render.labels import InstanceLabel, Verification, compare, label
from .render.maps import maps
from .render.panoptic import from_colors, stuff_labels
from .render.sensor import develop, needs_linear
from .scenes.build import meshes_of
from .scenes.ids import join_ids
from .scenes.load import load as load_recipe
from .scenes.rays import cast
from .scenes.recipe import Recipe
from .scenes.sample import sample
from .scenes.scene import Scene

__all__ = [
    "Engine", "Outcome", "backend", "engine_for", "load", "photograph", "predict", "produce", "produce_twin",
    "rerender", "store", "versions",
]  # fmt: skip

#: Distributions whose code decides where something lies, what shape it has, or what colour a pixel gets.
DECISIVE = (
    "albumentations", "bpy", "embreex", "manifold3d", "mujoco", "numpy", "opencv-python-headless", "python-fcl",
    "scipy", "shapely", "trimesh",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What became of one image, and why.

    `status` is "ok"; "quarantined", where the labels are in doubt; "failed" after crashes, hangs or trouble of the
    renderer; or "impossible" after any other error, which the same (recipe, seed, index) meets every time.
    """

    index: int
    status: str
    reason: str | None = None


class Engine(Protocol):
    """Whatever turns a scene into a frame: Cycles, or its stand-in."""

    @property
    def device(self) -> str:
        """What its pixels depend on beside the scene, for the record."""

    def render(self, scene: Scene, meshes: Mapping[int, Mesh], linear: bool = False) -> Frame:
        """The frame of a scene; `meshes` by object id. It is as the renderer gives it, before the scene's sensor."""

    def pair(
        self, scene: Scene, meshes: Mapping[int, Mesh], linear: bool = False, twin: bool = True
    ) -> tuple[Frame, Frame | None]:
        """As `render`, and the frame of the scene's `twin` where that is wanted and differs."""

    def view(self, scene: Scene, linear: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The view transform: (h, w, 3) scene-linear → sRGB from 0 to 1."""


def engine_for(name: str, device: str, threads: int | None) -> Engine:
    """The engine that `render.engine` names. All but "flat" import bpy, so call this in a worker only."""
    if name == "flat":
        from .render.flat import FlatEngine

        return FlatEngine()
    if name == "eevee":
        from .render.eevee_engine import EeveeEngine

        return EeveeEngine(device, threads)
    from .render.engine import Engine as Cycles

    return Cycles(device, threads)


def load(source: str | Path, overrides: Sequence[str] = (), allow: Sequence[str | Path] = ()) -> Recipe:
    """The recipe of a built-in name or of a YAML file, with `path.in.recipe=value` overrides.

    It reads files in its own folder and below, and in those that `allow` names. Files with materials, and those that
    only Blender can read, are ingested in a process of their own, once.

    Raises:
        RecipeError: naming the file, the path in it, the value got and what is allowed.
        AssetError: a file that it names cannot be used.
        UsageError: `allow` names what is no folder.
    """
    return load_recipe(source, overrides, ingest, allow)


def predict(scene: Scene) -> tuple[InstanceLabel, ...]:
    """The labels that a render of the scene will have, from the ray engine alone, in milliseconds."""
    meshes = meshes_of(scene)
    rays = cast(scene, meshes)
    return label(scene, meshes, rays.ids, rays)


def produce(
    recipe: Recipe, info: DatasetInfo, index: int, folder: Place, engine: Engine,
    sampled: Callable[[Scene], object] = lambda _: None,
) -> Outcome:  # fmt: skip
    """Make image `index` of a dataset and write it, record last. A pure function of (recipe, seed, index).

    `sampled` is told the scene before it is rendered. An image that another worker has finished is left as it is.

    Raises:
        ScenewrightError: the scene cannot be drawn, rendered or written; nothing that counts as an image is left then.
    """
    if _finished(folder, index, info):
        return Outcome(index, "ok")
    scene = sample(recipe, index, info.seed)
    sampled(scene)
    meshes, twins = meshes_of(scene), recipe.defects is not None and recipe.defects.twins
    frame, sound = engine.pair(scene, meshes, needs_linear(scene), twins)
    if sound is not None:
        _store_twin(scene.twin, sound, info, folder, engine)
    frame, replays = _developed(frame, scene, engine)
    return store(scene, meshes, frame, info, folder, engine.device, replays)


def produce_twin(
    info: DatasetInfo, index: int, folder: Place, engine: Engine, sampled: Callable[[Scene], object] = lambda _: None
) -> Outcome:
    """Make the sound twin of a finished image that shows defects and has none, from its record.

    The twin goes into the dataset `folder / TWINS`, under the same index. `sampled` is told the scene before it is
    rendered.

    Raises:
        DatasetError: another device made the image, which rounds otherwise: a pair would differ all over.
    """
    if _finished(folder / TWINS, index, info):
        return Outcome(index, "ok")
    record = read_record(record_path(folder, index))
    if record.device != engine.device:
        raise DatasetError(
            f"image {index} was rendered on {record.device}, and its twin would be on {engine.device}, so that the "
            f"two would differ all over: leave --device out, on a machine with {record.device}, or generate anew here"
        )
    twin = record.scene.twin
    sampled(twin)
    return _store_twin(twin, engine.render(twin, meshes_of(twin), needs_linear(twin)), info, folder, engine)


def _finished(folder: Place, index: int, info: DatasetInfo) -> bool:
    """Whether an image is there, with all its pictures. Where somebody has deleted one, its record goes too.

    A record would say that the image is complete while it is being made again.
    """
    if not exists(record_path(folder, index)):
        return False
    if is_there(folder, index, info):
        return True
    remove(record_path(folder, index))
    return False


def _store_twin(twin: Scene, frame: Frame, info: DatasetInfo, folder: Place, engine: Engine) -> Outcome:
    frame, replays = _developed(frame, twin, engine)
    return store(twin, meshes_of(twin), frame, info, folder / TWINS, engine.device, replays)


def photograph(
    scene: Scene, meshes: Mapping[int, Mesh], engine: Engine, linear: bool = False
) -> tuple[Frame, tuple[dict[str, Any], ...]]:
    """The frame as the scene's sensor stores it, and what transforms of albumentations drew; `linear` keeps radiance.

    Raises:
        RenderError: the engine failed.
    """
    return _developed(engine.render(scene, meshes, linear or needs_linear(scene)), scene, engine, linear)


def _developed(
    frame: Frame, scene: Scene, engine: Engine, linear: bool = False
) -> tuple[Frame, tuple[dict[str, Any], ...]]:
    frame, replays = develop(frame, scene, engine.view)
    return frame if linear else replace(frame, linear=None), replays


def store(
    scene: Scene, meshes: Mapping[int, Mesh], frame: Frame, info: DatasetInfo, folder: Place, device: str,
    replays: tuple[dict[str, Any], ...] = (),
) -> Outcome:  # fmt: skip
    """Label, verify and write a frame that `device` rendered; one whose labels are in doubt goes to quarantine.

    How an image is committed, and what becomes of two workers that make the same one, is said in `datasets.commit`.
    """
    rays = cast(scene, meshes, triangles=any(o.defects for o in scene.objects))
    instances = label(scene, meshes, frame.ids, rays)
    defects = defect_labels(scene, meshes, frame, rays)
    raw, ray_raw = join_ids(frame.ids, frame.stuff), join_ids(rays.ids, rays.stuff)
    verification = compare_defects(compare(raw, ray_raw), scene, meshes, frame, rays)
    extra = maps(scene, meshes, frame, instances)
    stuff = stuff_labels(scene, from_colors(extra["panoptic"])) if "panoptic" in extra else ()
    depth, steps, saturated = encode_depth(frame.depth_m, info.depth_unit_m, info.depth_format)
    names = image_paths(scene.index, info.depth_format)
    reason = None if verification.passed else _disagreement(verification)
    record = Record(
        index=scene.index,
        **names,
        maps=map_paths(scene.index, scene.outputs),
        width=scene.camera.width,
        height=scene.camera.height,
        split=split_of(info.seed, split_group(scene, info.split_by), info.val_fraction),
        scene=scene,
        instances=instances,
        defects=defects,
        verification=verification,
        stuff=stuff,
        depth_saturated=saturated,
        replays=replays,
        status="quarantined" if reason else "ok",
        reason=reason,
        hashes=Hashes(
            rgb=pixels_sha256(frame.rgb),
            ids=pixels_sha256(frame.ids),
            depth=pixels_sha256(steps),
            labels=labels_sha256(instances, stuff, defects),
            recipe=info.recipe_sha256,
            scene=scene_sha256(scene),
            maps={name: pixels_sha256(stored) for name, stored in extra.items()},
        ),
        versions=versions(),
        device=device,
    )
    pictures = {"image": encode_rgb(frame.rgb), "depth": depth, "ids": encode_ids(frame.ids)}
    if reason:
        files = {key + Path(names[key]).suffix: data for key, data in pictures.items()}
        files |= {"ids.png": encode_ids(raw), "ids_rays.png": encode_ids(ray_raw)}
        write_quarantine(folder, record, files)
        return Outcome(scene.index, "quarantined", reason)
    files = {names[key]: data for key, data in pictures.items()}
    commit(folder, record, files | {record.maps[name]: encode_map(name, stored) for name, stored in extra.items()})
    return Outcome(scene.index, "ok")


def _disagreement(found: Verification) -> str:
    return (
        f"Cycles and the ray engine disagree in {found.disagreeing} of {found.pixels} pixels"
        + (f" and on objects {list(found.missing)}" if found.missing else "")
        + f"; {found.tolerance:.0e} of the pixels are tolerated"
    )


def rerender(folder: Place, index: int, render: Callable[[Scene, str], Frame]) -> tuple[Frame, bool]:
    """Render an image again from its record alone; also tells whether its pixels are those of the stored image.

    They are when picture, ids, and every image that the scene's `outputs` ask for have the hashes of the record.

    `render` gets the scene and the device that the record names, as `farm.render_scene` takes them: "cpu", "optix", …
    """
    path = record_path(folder, index)
    if not exists(path):
        raise DatasetError(f"{folder} has no image {index}: there is no {path.name} in its records")
    record = read_record(path)
    if record.derived is not None:
        raise DatasetError(
            f"image {index} of {folder} is no render but {record.derived.kind}: rerender it in the dataset that "
            "dataset.json names as its source"
        )
    frame = render(record.scene, backend(record))
    extra = maps(record.scene, meshes_of(record.scene), frame, record.instances) if record.maps else {}
    same = {name: pixels_sha256(stored) for name, stored in extra.items()} == record.hashes.maps
    return frame, same and [pixels_sha256(p) for p in (frame.rgb, frame.ids)] == [record.hashes.rgb, record.hashes.ids]


def backend(record: Record) -> str:
    """The device that a record names as `engine_for` takes it: "cpu", "optix", …"""
    name = record.device.partition(":")[0]
    # "none": no light was simulated. EEVEE renders where OpenGL does, of which a process has one.
    return {"none": "cpu", "eevee": "auto"}.get(name, name)


def versions() -> dict[str, str]:
    """The versions that pixels and labels depend on."""
    return {"scenewright": __version__, **{name: _version(name) for name in DECISIVE}}


@cache
def _version(name: str) -> str:
    """Cached, since reading metadata takes milliseconds and every record has it."""
    return version(name)
