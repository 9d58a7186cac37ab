"""Scenes of flat discs and whole datasets of them, made in milliseconds without Blender, for other tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scenewright.assets.material import Material
from scenewright.assets.mesh import Mesh
from scenewright.datasets.coco import write_coco
from scenewright.datasets.depth import encode_depth
from scenewright.datasets.files import write_bytes_atomic
from scenewright.datasets.png import encode_ids, encode_rgb, pixels_sha256
from scenewright.datasets.records import (
    Counts,
    DatasetInfo,
    DepthFormat,
    Hashes,
    Record,
    image_paths,
    indices,
    labels_sha256,
    recipe_digest,
    record_dicts,
    scene_sha256,
    write_info,
    write_record,
)
from scenewright.datasets.splits import split_of
from scenewright.render.labels import compare, label
from scenewright.scenes.scene import (
    Camera,
    Draw,
    LabelRules,
    MeshRef,
    RenderSettings,
    Scene,
    SceneObject,
    World,
    matrix,
)

CATEGORIES = ("nut", "bolt")
RECIPE: dict[str, Any] = {"name": "discs", "count": 4}
SEED = 7
UNIT_M = 0.001


@dataclass(frozen=True)
class Amodal:
    """Stands for `scenes.rays.AmodalMask`."""

    x: int
    y: int
    mask: npt.NDArray[np.bool_]
    total: int


@dataclass(frozen=True)
class Rays:
    """Stands for `scenes.rays.RayView`."""

    ids: npt.NDArray[np.uint16]
    depth_m: npt.NDArray[np.float32]
    amodal: dict[int, Amodal]
    in_sight: dict[int, list[bool]]


@dataclass(frozen=True)
class Disc:
    """A disc that faces the camera: pixels, and metres of depth."""

    x: float
    y: float
    radius: float
    z: float
    category: int = 1


def square(size_m: float = 1.0, keypoints: dict[str, tuple[float, float, float]] | None = None) -> Mesh:
    """Two triangles in the plane z = 0."""
    half = size_m / 2
    vertices = np.array([[-half, -half, 0], [half, -half, 0], [half, half, 0], [-half, half, 0]], dtype=np.float64)
    faces = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
    return Mesh(vertices, faces, np.zeros(2, dtype=np.uint8), keypoints=keypoints or {})


def camera(width: int = 64, height: int = 48, **changes: Any) -> Camera:
    """A camera at the world's origin that looks along z."""
    values = {"fx": 60.0, "fy": 60.0, "cx": width / 2, "cy": height / 2, "cam_T_world": matrix(np.eye(4))}
    return Camera(width=width, height=height, **{**values, **changes})


def scene(discs: list[Disc], index: int = 0, view: Camera | None = None, rules: LabelRules | None = None) -> Scene:
    """One object per disc, in order, with ids from 1; category 0 is a distractor."""
    view = view or camera()
    objects = []
    for i, disc in enumerate(discs, 1):
        pose = np.eye(4)
        pose[:3, 3] = (disc.x - view.cx) * disc.z / view.fx, (disc.y - view.cy) * disc.z / view.fy, disc.z
        objects.append(
            SceneObject(
                id=i,
                category=CATEGORIES[disc.category - 1] if disc.category else "clutter",
                category_id=disc.category,
                mesh=MeshRef(shape="disc", params={"radius": disc.radius}, sha256="0" * 64),
                materials={"body": Material(family="plastic", values={"roughness": 0.4}, seed=i)},
                scale=2.0,
                world_T_object=matrix(pose),
                parameters={"material.roughness": Draw(value=0.4, quantile=0.25)},
            )
        )
    return Scene(
        recipe="discs",
        recipe_sha256=recipe_digest(RECIPE),
        seed=SEED,
        index=index,
        group=index,
        categories=CATEGORIES,
        surface=None,
        world=World(hdri="studio"),
        objects=tuple(objects),
        camera=view,
        render=RenderSettings(samples=1),
        labels=rules or LabelRules(),
        parameters={"camera.distance": Draw(value=1.5, quantile=0.5)},
    )


def cast(discs: list[Disc], width: int = 64, height: int = 48, points: int = 0) -> Rays:
    """What pixel-centre rays see of the discs; one image size is kept beyond each border.

    All `points` key points of each are in sight.
    """
    y, x = np.mgrid[-height : 2 * height, -width : 2 * width] + 0.5
    ids, depth = np.zeros(y.shape, dtype=np.uint16), np.full(y.shape, np.inf, dtype=np.float32)
    amodal = {}
    inside = np.s_[height : 2 * height, width : 2 * width]
    for i, disc in enumerate(discs, 1):
        alone = (x - disc.x) ** 2 + (y - disc.y) ** 2 < disc.radius**2
        nearer = alone & (disc.z < depth)
        ids[nearer], depth[nearer] = i, disc.z
        rows, columns = np.nonzero(alone[inside])
        box = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] if len(rows) else np.s_[:0, :0]
        left, top = (int(columns.min()), int(rows.min())) if len(rows) else (0, 0)
        amodal[i] = Amodal(left, top, alone[inside][box], int(alone.sum()))
    return Rays(ids[inside].copy(), depth[inside].copy(), amodal, {i: [True] * points for i in amodal})


def write_image(folder: Path, discs: list[Disc], index: int, form: DepthFormat = "png") -> Record:
    """One whole image of a dataset, as the pipeline writes it."""
    rays, what = cast(discs), scene(discs, index)
    rng = np.random.default_rng(index)
    rgb = rng.integers(0, 256, (*rays.ids.shape, 3), dtype=np.uint8)
    instances = label(what, dict.fromkeys(rays.amodal, square()), rays.ids, rays)  # type: ignore[arg-type]  # a double
    depth_png, depth, saturated = encode_depth(rays.depth_m, UNIT_M, form)
    paths = image_paths(index, form)
    for key, data in (("image", encode_rgb(rgb)), ("depth", depth_png), ("ids", encode_ids(rays.ids))):
        write_bytes_atomic(folder / paths[key], data)
    record = Record(
        index=index,
        **paths,
        width=64,
        height=48,
        split=split_of(SEED, index),
        scene=what,
        instances=instances,
        verification=compare(rays.ids, rays.ids),
        depth_saturated=saturated,
        hashes=Hashes(
            rgb=pixels_sha256(rgb),
            ids=pixels_sha256(rays.ids),
            depth=pixels_sha256(depth),
            labels=labels_sha256(instances),
            recipe=what.recipe_sha256,
            scene=scene_sha256(what),
        ),
        versions={"scenewright": "test"},
    )
    write_record(folder, record)
    return record


def random_discs(index: int) -> list[Disc]:
    """Some overlapping discs, one of them a distractor; image 2 has none at all."""
    rng = np.random.default_rng([SEED, index])
    if index == 2:
        return []
    return [
        Disc(rng.uniform(0, 64), rng.uniform(0, 48), rng.uniform(4, 14), rng.uniform(0.5, 2), c)
        for c in (1, 2, 1, 0, 2)
    ]


def info(counts: Counts, form: DepthFormat = "png") -> DatasetInfo:
    """The `dataset.json` of these datasets."""
    return DatasetInfo(
        name="discs",
        seed=SEED,
        categories=CATEGORIES,
        recipe=RECIPE,
        recipe_sha256=recipe_digest(RECIPE),
        settings={"samples": 1},
        size=(64, 48),
        depth_format=form,
        depth_unit_m=UNIT_M if form == "png" else 1.0,
        versions={"scenewright": "test"},
        counts=counts,
    )


def close(folder: Path, form: DepthFormat = "png") -> DatasetInfo:
    """Write COCO and `dataset.json` for the records that are there."""
    here = indices(folder)
    empty = Counts(requested=len(here), images=len(here), quarantined=0, train=0, val=0, annotations=0)
    parts = write_coco(record_dicts(folder), info(empty, form), folder)
    counts = empty.model_copy(
        update={
            "train": parts["train"].images,
            "val": parts["val"].images,
            "annotations": sum(p.annotations for p in parts.values()),
        }
    )
    write_info(folder, info(counts, form))
    return info(counts, form)


def dataset(folder: Path, count: int = 8, form: DepthFormat = "png") -> Path:
    """A sound dataset of `count` images."""
    for index in range(count):
        write_image(folder, random_discs(index), index, form)
    close(folder, form)
    return folder
