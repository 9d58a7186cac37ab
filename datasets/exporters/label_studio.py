"""Tasks for Label Studio, with a polygon for each object: to look at labels, correct them, or add to them.

::

    images/train/000017.png
    tasks_train.json          to import; pictures as /data/local-files/?d=FOLDER/images/train/000017.png
    label_config.xml          the labelling interface: polygons of the dataset's categories

FOLDER is the export's own name. Label Studio serves such pictures when LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED is
true, LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT is the folder that holds the export, and the project has a local storage in
it. Points are per cent of the image's width and height. A region is one outline: a slit of no width leads to each hole
and to each further part (`outlines`). A region's id is that of the annotation in `instances_<split>.json`.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np
import orjson

from ..coco import annotation_id
from ..contact import category_color
from ..files import atomic_file
from .job import Images, Job, Written
from .outlines import Part, one_polygon
from .polygons import HoleCount, outlined, slits

__all__ = ["finish", "image"]

Json = dict[str, Any]

#: Decimals of a per cent: a hundredth of a pixel in an image of 16384.
DECIMALS = 5


def image(job: Job, record: Json) -> Json:
    """Write a picture; gives its task."""
    found, split, name = outlined(record), record["split"], record["image"].rpartition("/")[2]
    regions = [_region(record, item, parts) for item, parts in found]
    job.copy(record["image"], job.out / "images" / split / name)
    url = "/data/local-files/?d=" + quote(f"{job.out.resolve().name}/images/{split}/{name}")
    task = {"data": {"image": url, "index": record["index"]}, "annotations": [{"result": regions}]}
    return {"task": task, "regions": len(regions), **slits(found)}


def finish(job: Job, images: Images) -> Written:
    """Write the tasks and the interface."""
    told, holes = Written(), HoleCount()
    job.put(job.out / "label_config.xml", _interface((*job.info.categories, *job.info.defect_categories)).encode())
    for split in job.indices:
        with atomic_file(job.out / f"tasks_{split}.json") as file:
            before = b"[\n"
            for item in images(split):
                file.write(before + orjson.dumps(item["task"]))
                before = b",\n"
                told.annotations += item["regions"]
                holes.add(item)
            file.write(b"\n]\n")
    told.notes += holes.notes(one_polygon=True)
    return told


def _region(record: Json, item: Json, parts: list[Part]) -> Json:
    percent = 100 * one_polygon(parts) / (record["width"], record["height"])
    return {
        "id": str(annotation_id(record["index"], item["id"])), "type": "polygonlabels", "from_name": "label",
        "to_name": "image", "original_width": record["width"], "original_height": record["height"],
        "image_rotation": 0,
        "value": {
            "points": np.round(percent, DECIMALS).tolist(), "closed": True, "polygonlabels": [item["category"]],
        },
    }  # fmt: skip


def _interface(categories: tuple[str, ...]) -> str:
    """Label Studio's description of what is labelled, and how."""
    colors = ("#{:02x}{:02x}{:02x}".format(*category_color(i)) for i in range(1, len(categories) + 1))
    labels = "".join(
        f'    <Label value={quoteattr(name)} background="{color}"/>\n'
        for name, color in zip(categories, colors, strict=True)
    )
    return (
        '<View>\n  <Image name="image" value="$image"/>\n'
        f'  <PolygonLabels name="label" toName="image" strokeWidth="1">\n{labels}  </PolygonLabels>\n</View>\n'
    )
