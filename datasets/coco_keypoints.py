"""COCO key point files, derived from the records: `annotations/keypoints_<split>.json`.

A category has all key points that its objects have, in the order in which they first appear, and the edges of their
skeletons (numbers of key points, from 1). An annotation has x, y, v for each: v as in the label (`InstanceLabel`), and
0, 0, 0 for a point outside the image, without an image, or of another shape of the category. COCO counts key points
from the middle of the top-left pixel, so x and y are 0.5 less than in `keypoints_px`. Image and annotation ids are
those of `instances_<split>.json`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import orjson

from ..assets.skeletons import SKELETONS
from ..errors import DatasetError
from .coco import annotation_id
from .files import read_bytes
from .place import Place, PlaceT
from .records import DatasetInfo, indices, record_path
from .splits import SPLITS
from .stream import CocoFile, damaged

__all__ = ["keypoints_path", "write_keypoints"]

Json = dict[str, Any]
HALF = 0.5


def keypoints_path(folder: PlaceT, split: str) -> PlaceT:
    """Where the key point file of a split lies."""
    return folder / "annotations" / f"keypoints_{split}.json"


def write_keypoints(folder: Place, info: DatasetInfo, target: Place) -> None:
    """Write the key point files of the dataset in `folder` below `target`, atomically.

    Raises:
        DatasetError: a record lacks something.
    """
    categories = _categories(folder, info)
    names = {c["id"]: c["keypoints"] for c in categories}
    with ExitStack() as stack:
        files = {split: CocoFile(stack, keypoints_path(target, split), {"categories": categories}) for split in SPLITS}
        for record in _records(folder):
            with damaged(record.get("index")):
                files[record["split"]].add(_image(record), list(_annotations(record, names)))
        for file in files.values():
            file.finish()


def _records(folder: Place) -> Iterator[Json]:
    """All records by index, as plain JSON; an error in one names it."""
    for index in indices(folder):
        path = record_path(folder, index)
        try:
            yield orjson.loads(read_bytes(path))
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise DatasetError(
                f"{path} is damaged ({type(error).__name__}: {error}): delete it and run generate again"
            ) from error


def _categories(folder: Place, info: DatasetInfo) -> list[Json]:
    points: dict[int, dict[str, None]] = {i: {} for i in range(1, len(info.categories) + 1)}
    edges: dict[int, dict[tuple[str, str], None]] = {i: {} for i in points}
    for record in _records(folder):
        shapes = {thing["id"]: thing["mesh"]["shape"] for thing in record["scene"]["objects"]}
        for item in record["instances"]:
            if item["annotated"]:
                points[item["category_id"]] |= dict.fromkeys(item["attributes"]["keypoints_px"])
                edges[item["category_id"]] |= dict.fromkeys(SKELETONS.get(shapes[item["id"]] or "", ()))
    return [
        {"id": i, "name": name, "supercategory": "object", "keypoints": list(points[i]),
         "skeleton": _numbered(list(edges[i]), list(points[i]))}
        for i, name in enumerate(info.categories, 1)
    ]  # fmt: skip


def _numbered(edges: list[tuple[str, str]], names: list[str]) -> list[list[int]]:
    """Edges as pairs of positions, from 1, of those names that there are."""
    return [[names.index(a) + 1, names.index(b) + 1] for a, b in edges if a in names and b in names]


def _image(record: Json) -> Json:
    name = record["image"].rpartition("/")[2]
    return {"id": record["index"] + 1, "file_name": name, "width": record["width"], "height": record["height"]}


def _annotations(record: Json, names: dict[int, list[str]]) -> Iterator[Json]:
    for item in record["instances"]:
        if not item["annotated"]:
            continue
        own = item["attributes"]["keypoints_px"]
        points = [own.get(name) or (0, 0, 0) for name in names[item["category_id"]]]
        flat = [n for x, y, v in points for n in ((x - HALF, y - HALF, v) if v else (0, 0, 0))]
        yield {
            "id": annotation_id(record["index"], item["id"]), "image_id": record["index"] + 1,
            "category_id": item["category_id"], "bbox": item["bbox"], "area": item["area"], "iscrowd": 0,
            "segmentation": {"size": [record["height"], record["width"]], "counts": item["rle"]},
            "keypoints": flat, "num_keypoints": sum(v > 0 for v in flat[2::3]),
        }  # fmt: skip
