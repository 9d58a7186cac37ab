"""COCO files, streamed from records: constant memory, the same bytes for the same records.

Image ids are index + 1. Annotation ids are `index * OBJECTS + object id`, not a running number: a running number would
change for every later image when one image is added or taken out of quarantine, and results that name annotations
would then point at others. They start at 1 (an id of 0 scores nothing in pycocotools) and stay far below 2⁵³, so every
JSON reader keeps them exact. A `track_id` is `group * OBJECTS + object id`: the same object in all frames and views of
its group, and in no other.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from ..errors import DatasetError
from ..scenes.license import License
from .files import atomic_file
from .records import DatasetInfo
from .splits import SPLITS

__all__ = ["OBJECTS", "SplitCounts", "annotation_id", "coco_path", "write_coco"]

#: Bytes gathered before they are written: fewer mean more calls, and more no longer fit a core's cache (both measured).
BUFFER = 1 << 18

#: One more than the largest object id (`SceneObject.id`), so that two images never share an annotation id.
OBJECTS = 32768

#: The id of the images' licence: all images of a dataset have the same.
LICENSE = 1

Json = dict[str, Any]


@dataclass
class SplitCounts:
    """What went into one COCO file."""

    images: int = 0
    annotations: int = 0


def annotation_id(index: int, object_id: int) -> int:
    """The COCO id of one object of one image; `divmod(id, OBJECTS)` gives both back."""
    return index * OBJECTS + object_id


def coco_path(folder: Path, split: str) -> Path:
    """Where the COCO file of a split lies."""
    return folder / "annotations" / f"instances_{split}.json"


def write_coco(records: Iterable[Json], info: DatasetInfo, folder: Path) -> dict[str, SplitCounts]:
    """Write `annotations/instances_<split>.json` below `folder` for every split, atomically, from records by index.

    `records` are as `records.record_dicts` gives them. Images without objects are kept. Gives the counts
    by split; DatasetError names the image whose record lacks something.
    """
    with ExitStack() as stack:
        parts = {split: _Part(stack, coco_path(folder, split), info) for split in SPLITS}
        for record in records:
            index = record.get("index")
            try:
                parts[record["split"]].add(_image(record, info.license), _annotations(record))
            except (KeyError, TypeError, AttributeError, orjson.JSONEncodeError) as error:
                raise DatasetError(
                    f"the record of image {index} is damaged ({type(error).__name__}: {error}): validate the dataset, "
                    "delete that record and run the same generate command again"
                ) from error
        for part in parts.values():
            part.finish()
        return {split: part.counts for split, part in parts.items()}


class _Part:
    """One COCO file in the making. Images go straight to it; annotations wait in a nameless file and follow at the end.

    Images carry their whole `generation` and with it most of the bytes, which this way are written once.
    """

    def __init__(self, stack: ExitStack, path: Path, info: DatasetInfo) -> None:
        self.counts = SplitCounts()
        self._file = stack.enter_context(atomic_file(path, BUFFER))
        self._late = stack.enter_context(tempfile.TemporaryFile(dir=path.parent))  # noqa: SIM115  # the stack closes it
        head = {"info": _info(info), "licenses": _licenses(info.license), "categories": _categories(info.categories)}
        self._file.write(orjson.dumps(head)[:-1] + b',\n"images":[')

    def add(self, image: Json, annotations: list[Json]) -> None:
        if annotations:
            self._late.write(b",\n" if self.counts.annotations else b"\n")
            self._late.write(memoryview(orjson.dumps(annotations))[1:-1])  # without the brackets, and without a copy
        self._file.write(b",\n" if self.counts.images else b"\n")
        self._file.write(orjson.dumps(image))
        self.counts.annotations += len(annotations)
        self.counts.images += 1

    def finish(self) -> None:
        self._file.write(b'],\n"annotations":[')
        self._late.seek(0)
        shutil.copyfileobj(self._late, self._file, BUFFER)
        self._file.write(b"]}\n")


def _info(info: DatasetInfo) -> Json:
    """COCO's `info`, without a date: a date would make equal datasets differ."""
    return {
        "description": info.name,
        "contributor": "scenewright",
        "seed": info.seed,
        "recipe_sha256": info.recipe_sha256,
        "depth_format": info.depth_format,
        "depth_unit_m": info.depth_unit_m,
        "versions": info.versions,
    }


def _licenses(licence: License | None) -> list[Json]:
    """The images' licence; none when the recipe states none, for it is not ours to guess."""
    return [{"id": LICENSE, "name": licence.name, "url": licence.url}] if licence else []


def _categories(names: Iterable[str]) -> list[Json]:
    return [{"id": i, "name": name, "supercategory": "object"} for i, name in enumerate(names, 1)]


def _image(record: Json, licence: License | None) -> Json:
    """COCO's image; `file_name` is relative to `images/`."""
    return {
        "id": record["index"] + 1,
        "file_name": record["image"].rpartition("/")[2],
        "width": record["width"],
        "height": record["height"],
        **({"license": LICENSE} if licence else {}),
        "generation": _generation(record, record["scene"]),
    }


def _generation(record: Json, scene: Json) -> Json:
    """Everything that the picture was made from; files are relative to the dataset's folder."""
    camera = scene["camera"]
    return {
        "seed": scene["seed"],
        "index": record["index"],
        "split": record["split"],
        "recipe": {"name": scene["recipe"], "sha256": scene["recipe_sha256"]},
        "parameters": scene["parameters"],
        "objects": scene["objects"],
        "group": scene["group"],
        "view": scene["view"],
        "timing": scene["timing"],
        "fixtures": scene["fixtures"],
        "surface": scene["surface"],
        "world": scene["world"],
        "lights": scene["lights"],
        "camera": {
            "K": [[camera["fx"], 0.0, camera["cx"]], [0.0, camera["fy"], camera["cy"]], [0.0, 0.0, 1.0]],
            "cam_T_world": camera["cam_T_world"],
            "focal_m": camera["focal_m"],
            "fstop": camera["fstop"],
            "focus_m": camera["focus_m"],
        },
        "render": scene["render"],
        "sensor": scene["sensor"],
        "device": record["device"],
        "files": {"image": record["image"], "depth": record["depth"], "ids": record["ids"], **record["maps"]},
        "verification": record["verification"],
        "hashes": record["hashes"],
    }


def _annotations(record: Json) -> list[Json]:
    """COCO's annotations of one image, in the scene's order of objects. One expression: this is the hot loop."""
    first, image_id, size = record["index"] * OBJECTS, record["index"] + 1, [record["height"], record["width"]]
    track = record["scene"]["group"] * OBJECTS
    return [
        {
            "id": first + item["id"],
            "image_id": image_id,
            "track_id": track + item["id"],
            "category_id": item["category_id"],
            "bbox": item["bbox"],
            "area": item["area"],
            "iscrowd": 0,
            "segmentation": {"size": size, "counts": item["rle"]},
            "attributes": item["attributes"],
        }
        for item in record["instances"]
        if item["annotated"]
    ]
