"""The scenewise layout of the BOP benchmark, as bop_toolkit reads it (docs/bop_datasets_format.md there).

::

    camera.json                           of the first image: what differs between images is in scene_camera.json
    objects.json                          what each obj_id is made from; not BOP's
    models/obj_000001.ply                 millimetres; models_info.json beside it: diameter, box
    train_pbr/000000/                     images 0 … 999 of the dataset that are in train; val_pbr likewise
      rgb/000017.png  depth/000017.png    depth times depth_scale is millimetres, 0 is none
      mask/000017_000003.png              all of object 3 of the image's list, 255, also where it is hidden
      mask_visib/000017_000003.png        what is seen of it
      scene_camera.json                   intrinsics, depth_scale, pose of the world
      scene_gt.json                       poses: x_cam = R_m2c x_model + t_m2c, millimetres
      scene_gt_info.json                  boxes, pixels, visible fraction

Conventions are those of `render/bop.py`, models those of `bop_models`. Every object with a category that reaches into
the image is listed, also one that COCO does not get because too little of it is seen: choose by `visib_fract`.
Distractors hide objects, and are not listed. BOP has no lens: a dataset with one is refused, for its pixels would not
be where the poses say. `models_eval` is left to the toolkit's scripts, and a dataset of one's own has to be entered in
the toolkit's `dataset_params.py`.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import orjson

from ...errors import UsageError
from ...render.bop import bop_box, bop_camera, bop_model, bop_pose, bop_visibility
from ...render.labels import InstanceLabel
from ...render.rle import decode
from ...scenes.build import scene_mesh
from ...scenes.scene import SceneObject
from ..asset_store import use_assets
from ..depth import decode_depth
from ..files import inside, read_bytes, write_bytes_atomic
from ..inventory import assets_folder
from ..png import encode_ids
from ..records import Record, read_record, record_dicts, record_path
from ..stream import damaged
from .bop_models import find_models, write_models
from .job import Images, Job, Written

__all__ = ["check", "finish", "image"]

Json = dict[str, Any]
Mask = npt.NDArray[np.bool_]

SCENE_IMAGES = 1000
#: Depth in metres is written in steps of so many; the dataset's own steps are kept.
STEP_M = 0.0001
DEEPEST = 65535
#: Stands for the number of a model, which only the whole dataset tells.
UNNUMBERED = 0
FILES = ("scene_camera.json", "scene_gt.json", "scene_gt_info.json")


def check(dataset: Path) -> None:
    """Raise UsageError for a dataset that BOP has no place for."""
    for record in record_dicts(dataset):
        with damaged(record.get("index")):
            lens = record["scene"]["camera"]["lens"]
        if lens is not None:
            raise UsageError(
                f"image {record['index']} was taken through a lens ({lens['model']}), and BOP knows pinholes only: "
                "generate a dataset without camera.distortion"
            )


def image(job: Job, skimmed: Json) -> Json:
    """Write one image's pictures; gives its entries in `FILES`, whose models have no number yet, and the models."""
    record = read_record(record_path(job.dataset, skimmed["index"]))
    scene, number = divmod(record.index, SCENE_IMAGES)
    place, name = _folder(job, record.split, scene), f"{number:06d}"
    job.copy(record.image, place / "rgb" / f"{name}.png")
    step_m, depth, far = _depth(job, record)
    job.put(place / "depth" / f"{name}.png", encode_ids(depth))
    things = {thing.id: thing for thing in record.scene.objects}
    shown = [item for item in record.instances if item.category_id and item.amodal_area]
    poses, infos = [], []
    for k, item in enumerate(shown):
        whole, seen = (_mask(rle, record) for rle in (item.amodal_rle, item.rle))
        for kind, mask in (("mask", whole), ("mask_visib", seen)):
            job.put(place / kind / f"{name}_{k:06d}.png", _png(mask))
        poses.append(bop_pose(item, UNNUMBERED))
        valid = int(np.count_nonzero(whole & (depth > 0)))
        infos.append(
            bop_visibility(item) | {"px_count_valid": valid, "bbox_obj": _box(job, record, item, things[item.id])}
        )
    models = [(things[item.id].mesh.sha256, things[item.id].scale) for item in shown]
    entries = (bop_camera(record.scene.camera, step_m), poses, infos)
    return {"index": record.index, "entries": entries, "models": models, "far": far}


def finish(job: Job, images: Images) -> Written:
    """Write the models and the JSON files."""
    told, models = Written(), find_models(job)
    write_models(job, models)
    kinds = {name for model in models.values() for name in model.categories}
    if len(models) > len(kinds):
        told.notes.append(
            f"{len(models)} models of {len(kinds)} categories: BOP knows no parameters, so every different mesh or "
            "scale is an object of its own; fixed params in the recipe make fewer"
        )
    if job.info.defect_categories:
        told.notes.append("defects are left out: BOP has poses and masks of whole objects, and models of sound ones")
    far = 0
    for split in job.indices:
        scenes = groupby(images(split), lambda item: item["index"] // SCENE_IMAGES)
        for scene, items in scenes:
            files: dict[str, Json] = {name: {} for name in FILES}
            for item in items:
                camera, poses, infos = item["entries"]
                numbers = [models[sha256, scale].obj_id for sha256, scale in item["models"]]
                poses = [pose | {"obj_id": number} for pose, number in zip(poses, numbers, strict=True)]
                for name, entry in zip(FILES, (camera, poses, infos), strict=True):
                    files[name][str(item["index"] % SCENE_IMAGES)] = entry
                far += item["far"]
                told.annotations += len(poses)
            for name, content in files.items():
                write_bytes_atomic(_folder(job, split, scene) / name, _lines(content))
    _camera(job)
    if far:
        told.notes.append(f"{far} pixels are too far for 16 bits of depth, and 0 (none) in the export")
    return told


def _folder(job: Job, split: str, scene: int) -> Path:
    return job.out / f"{split}_pbr" / f"{scene:06d}"


def _box(job: Job, record: Record, item: InstanceLabel, thing: SceneObject) -> list[int]:
    points = np.zeros((0, 3))
    if item.truncation:
        use_assets(assets_folder(job.dataset))
        points = bop_model(scene_mesh(thing.mesh), thing.scale)[0]
    return list(bop_box(item, record.scene.camera, points) or (-1, -1, -1, -1))


def _depth(job: Job, record: Record) -> tuple[float, npt.NDArray[np.uint16], int]:
    """Metres per step, (h, w) steps with 0 for none, and how many pixels are too far for them."""
    form = job.info.depth_format
    stored = decode_depth(read_bytes(inside(job.dataset, record.depth)), record.width, record.height, form)
    if form == "png":
        far = (stored == DEEPEST) & (record.depth_saturated > 0)
        return job.info.depth_unit_m, np.where(far, 0, stored).astype(np.uint16), int(np.count_nonzero(far))
    there = np.isfinite(stored)
    steps = np.maximum(np.rint(np.where(there, stored, 0.0).astype(np.float64) / STEP_M), there)
    far = steps > DEEPEST
    return STEP_M, np.where(far, 0, steps).astype(np.uint16), int(np.count_nonzero(far))


def _mask(rle: str | None, record: Record) -> Mask:
    size = (record.height, record.width)
    return np.zeros(size, bool) if rle is None else decode(rle, size)


def _png(mask: Mask) -> bytes:
    """8-bit grey PNG, 255 in the mask."""
    return bytes(cv2.imencode(".png", mask.astype(np.uint8) * 255, (cv2.IMWRITE_PNG_COMPRESSION, 3))[1].tobytes())


def _lines(content: Json) -> bytes:
    """JSON with a line for each image, as the toolkit writes it."""
    rows = b",\n".join(b"  " + orjson.dumps(key) + b": " + orjson.dumps(value) for key, value in content.items())
    return b"{\n" + rows + b"\n}\n"


def _camera(job: Job) -> None:
    first = min(index for found in job.indices.values() for index in found)
    camera = read_record(record_path(job.dataset, first)).scene.camera
    step = job.info.depth_unit_m if job.info.depth_format == "png" else STEP_M
    entry = bop_camera(camera, step)
    k = entry["cam_K"]
    about = {
        "width": camera.width, "height": camera.height, "fx": k[0], "fy": k[4], "cx": k[2], "cy": k[5],
        "depth_scale": entry["depth_scale"],
    }  # fmt: skip
    write_bytes_atomic(job.out / "camera.json", orjson.dumps(about, option=orjson.OPT_INDENT_2))
