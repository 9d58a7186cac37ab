"""COCO files, streamed from records: constant memory, the same bytes for the same records.

Image ids are index + 1. Annotation ids are `index * OBJECTS + object id`, not a running number: a running number would
change for every later image when one image is added or taken out of quarantine, and results that name annotations
would then point at others. They start at 1 (an id of 0 scores nothing in pycocotools) and stay far below 2⁵³, so every
JSON reader keeps them exact. A `track_id` is `group * OBJECTS + object id`: the same object in all frames and views of
its group, and in no other. A defect is an annotation of its own, whose `attributes.parent_id` is the annotation id of
the object that has it (null where that object is left out, and `parent_object` is its id in the scene); its categories
follow those of objects and of stuff.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from ..scenes.license import License
from .place import Place, PlaceT
from .records import DatasetInfo
from .splits import SPLITS
from .stream import CocoFile, damaged

__all__ = [
    "OBJECTS",
    "SplitCounts",
    "all_categories",
    "annotation_id",
    "categories",
    "coco_path",
    "head",
    "image_entry",
    "write_coco",
]

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


def coco_path(folder: PlaceT, split: str) -> PlaceT:
    """Where the COCO file of a split lies."""
    return folder / "annotations" / f"instances_{split}.json"


def write_coco(records: Iterable[Json], info: DatasetInfo, folder: Place) -> dict[str, SplitCounts]:
    """Write `annotations/instances_<split>.json` below `folder` for every split, atomically, from records by index.

    `records` are as `records.record_dicts` gives them. Images without objects are kept. Gives the counts
    by split; DatasetError names the image whose record lacks something.
    """
    top = head(info) | {"categories": all_categories(info)}
    with ExitStack() as stack:
        parts = {split: CocoFile(stack, coco_path(folder, split), top) for split in SPLITS}
        for record in records:
            with damaged(record.get("index")):
                parts[record["split"]].add(_image(record, info.license), [*_annotations(record), *_defects(record)])
        for part in parts.values():
            part.finish()
        return {split: SplitCounts(part.images, part.annotations) for split, part in parts.items()}


def head(info: DatasetInfo) -> Json:
    """COCO's `info`, without a date, since a date would make equal datasets differ, and its `licenses`."""
    about = {
        "description": info.name,
        "contributor": "scenewright",
        "seed": info.seed,
        "recipe_sha256": info.recipe_sha256,
        "depth_format": info.depth_format,
        "depth_unit_m": info.depth_unit_m,
        "transparency": info.transparency,
        "versions": info.versions,
    }
    if info.derived is not None:
        about["derived"] = info.derived.model_dump(mode="json", exclude={"plan", "outcomes"})
    return {"info": about, "licenses": _licenses(info.license)}


def _licenses(licence: License | None) -> list[Json]:
    """The images' licence; none when the recipe states none, for it is not ours to guess."""
    return [{"id": LICENSE, "name": licence.name, "url": licence.url}] if licence else []


def categories(names: Iterable[str]) -> list[Json]:
    """COCO's categories, from 1 in the recipe's order."""
    return [{"id": i, "name": name, "supercategory": "object"} for i, name in enumerate(names, 1)]


def all_categories(info: DatasetInfo) -> list[Json]:
    """Those of objects from 1; those of defects after them, with room left for the classes of stuff between them."""
    first = 1 + len(info.categories) + len(info.stuff_categories)
    defects = [
        {"id": i, "name": name, "supercategory": "defect"} for i, name in enumerate(info.defect_categories, first)
    ]
    return categories(info.categories) + defects


def image_entry(record: Json, licence: License | None) -> Json:
    """COCO's image; `file_name` is relative to `images/`."""
    return {
        "id": record["index"] + 1,
        "file_name": record["image"].rpartition("/")[2],
        "width": record["width"],
        "height": record["height"],
        **({"license": LICENSE} if licence else {}),
    }


def _image(record: Json, licence: License | None) -> Json:
    return image_entry(record, licence) | {"generation": _generation(record, record["scene"])}


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
        **_derived(record.get("derived")),
    }


def _derived(derived: Json | None) -> Json:
    """What a diffusion model did to the render, without the scores of every try, which the record has."""
    if derived is None:
        return {}
    return {"derived": {key: value for key, value in derived.items() if key not in ("tries", "defects")}}


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


def _defects(record: Json) -> list[Json]:
    """COCO's annotations of the defects of one image, in the scene's order."""
    if not record.get("defects"):
        return []
    kept = {item["id"] for item in record["instances"] if item["annotated"]}
    first, image_id, size = record["index"] * OBJECTS, record["index"] + 1, [record["height"], record["width"]]
    return [
        {
            "id": first + item["id"],
            "image_id": image_id,
            "category_id": item["category_id"],
            "bbox": item["bbox"],
            "area": item["area"],
            "iscrowd": 0,
            "segmentation": {"size": size, "counts": item["rle"]},
            "attributes": item["attributes"] | _parent(item["attributes"]["parent_id"], first, kept),
        }
        for item in record["defects"]
        if item["annotated"]
    ]


def _parent(object_id: int, first: int, kept: Set[int]) -> Json:
    """The annotation that has a defect; an object that is left out has none, then its id in the scene is told."""
    return {"parent_id": first + object_id} if object_id in kept else {"parent_id": None, "parent_object": object_id}
