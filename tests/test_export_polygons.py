"""YOLO's files and COCO with polygons against the masks of the records."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from pycocotools.coco import COCO

from scenewright.datasets.coco import annotation_id
from scenewright.datasets.exporters.formats import export_dataset
from scenewright.datasets.records import Record, iter_records
from scenewright.render.labels import InstanceLabel
from scenewright.render.rle import decode

from .test_outlines import doubled_area, even_odd


@pytest.fixture(scope="module")
def records(parts_set: Path) -> list[Record]:
    return list(iter_records(parts_set))


def shown(record: Record) -> list[InstanceLabel]:
    return [item for item in record.instances if item.annotated]


@pytest.mark.parametrize(
    ("form", "place", "pictures"),
    [
        ("coco-polygons", "annotations/instances_{}.json", {"train": "train", "val": "val"}),
        ("rf-detr", "{}/_annotations.coco.json", {"train": "train", "valid": "val", "test": "val"}),
    ],
)
def test_polygons_are_the_masks(
    form: str, place: str, pictures: dict[str, str], parts_set: Path, records: list[Record], tmp_path: Path
) -> None:
    """pycocotools fills every polygon to the exact mask, in every folder, beside the very pictures of the dataset."""
    told = export_dataset(parts_set, form, tmp_path / "x")
    seen = {"train": 0, "val": 0}
    for name, split in pictures.items():
        with contextlib.redirect_stdout(io.StringIO()):
            coco = COCO(str(tmp_path / "x" / place.format(name)))
        mine = [r for r in records if r.split == split]
        assert sorted(coco.imgs) == [r.index + 1 for r in mine]
        assert [(c["id"], c["name"]) for c in coco.cats.values()] == [(1, "bolt"), (2, "mug")]
        seen[split] = 0
        for record in mine:
            file = tmp_path / "x" / name / coco.imgs[record.index + 1]["file_name"]
            assert file.read_bytes() == (parts_set / record.image).read_bytes()
            found = coco.imgToAnns[record.index + 1]
            for item, annotation in zip(shown(record), found, strict=True):
                assert item.rle is not None
                assert (coco.annToMask(annotation) == decode(item.rle, (120, 160))).all()
                assert (annotation["bbox"], annotation["area"]) == (list(item.bbox or ()), item.area)
                assert (annotation["category_id"], annotation["iscrowd"]) == (item.category_id, 0)
                seen[split] += 1
    assert told.annotations == sum(seen.values()) > 10


def test_yolo_outlines_are_the_masks(parts_set: Path, records: list[Record], tmp_path: Path) -> None:
    """Each line has the class from 0 and shares whose outline has the mask's area and, by the even-odd rule, pixels."""
    told = export_dataset(parts_set, "yolo", tmp_path)
    scale, holes, seen = np.array([160, 120]), 0, 0
    for record in records:
        name = f"{record.index:06d}"
        picture = tmp_path / "images" / record.split / f"{name}.png"
        assert picture.read_bytes() == (parts_set / record.image).read_bytes()
        lines = (tmp_path / "labels" / record.split / f"{name}.txt").read_text().splitlines()
        for item, line in zip(shown(record), lines, strict=True):
            first, *rest = line.split()
            shares = np.array([float(s) for s in rest]).reshape(-1, 2)
            assert int(first) == item.category_id - 1 and shares.min() >= 0 and shares.max() <= 1
            ring = np.rint(shares * scale).astype(int)
            np.testing.assert_allclose(shares * scale, ring, atol=1e-4)
            assert item.rle is not None
            mask = decode(item.rle, (120, 160))
            assert doubled_area(ring) == 2 * item.area and (even_odd(ring, mask.shape) == mask).all()
            holes += len({tuple(p) for p in ring.tolist()}) < len(ring) - 1
            seen += 1
    assert seen == told.annotations
    assert holes and told.notes  # some were entered by slits, and the export says so


def test_yolo_boxes_are_the_boxes(parts_set: Path, records: list[Record], tmp_path: Path) -> None:
    """Each line has the class from 0, the middle of the box and its size, as shares of the image."""
    export_dataset(parts_set, "yolo-detect", tmp_path)
    for record in records:
        text = (tmp_path / "labels" / record.split / f"{record.index:06d}.txt").read_text()
        found = np.array([[float(n) for n in line.split()] for line in text.splitlines()]).reshape(-1, 5)
        boxes = np.array([item.bbox for item in shown(record)], float).reshape(-1, 4)
        assert found[:, 0].tolist() == [item.category_id - 1 for item in shown(record)]
        size = np.array([160, 120])
        np.testing.assert_allclose((found[:, 1:3] - found[:, 3:] / 2) * size, boxes[:, :2], atol=1e-4)
        np.testing.assert_allclose(found[:, 3:] * size, boxes[:, 2:], atol=1e-4)


def test_yolo_finds_its_pictures(parts_set: Path, tmp_path: Path) -> None:
    """`data.yaml` names the classes by number, and folders beside itself that have a label for every picture."""
    export_dataset(parts_set, "yolo", tmp_path)
    data = yaml.safe_load((tmp_path / "data.yaml").read_text("utf-8"))
    assert data["names"] == {0: "bolt", 1: "mug"} and "path" not in data
    for split in ("train", "val"):
        pictures = {p.stem for p in (tmp_path / data[split]).iterdir()}
        labels = Path(data[split].replace("images", "labels"))
        assert pictures == {p.stem for p in (tmp_path / labels).iterdir()} != set()


def test_an_image_without_objects_has_an_empty_file(tmp_path: Path) -> None:
    """YOLO takes an empty file for background; a missing one would be a picture without a label."""
    from . import synthetic

    folder = synthetic.dataset(tmp_path / "d", 3)
    export_dataset(folder, "yolo", tmp_path / "x")
    (empty,) = (tmp_path / "x/labels").glob("*/000002.txt")
    assert empty.read_bytes() == b""


def test_label_studio_gets_the_masks(parts_set: Path, records: list[Record], tmp_path: Path) -> None:
    """Each region, in per cent, encloses its mask's area; its label, controls and picture are those of the files."""
    export_dataset(parts_set, "label-studio", tmp_path / "my set")
    root = ElementTree.parse(tmp_path / "my set/label_config.xml").getroot()
    (polygons,), (shows,) = root.findall("PolygonLabels"), root.findall("Image")
    assert [label.get("value") for label in polygons] == ["bolt", "mug"]
    seen = 0
    for split in ("train", "val"):
        tasks = json.loads((tmp_path / f"my set/tasks_{split}.json").read_bytes())
        for record, task in zip([r for r in records if r.split == split], tasks, strict=True):
            place = unquote(task["data"]["image"].partition("/data/local-files/?d=")[2])
            assert (tmp_path / place).read_bytes() == (parts_set / record.image).read_bytes()
            regions = task["annotations"][0]["result"]
            for item, region in zip(shown(record), regions, strict=True):
                value, size = region["value"], (region["original_width"], region["original_height"])
                assert (size, value["polygonlabels"], value["closed"]) == ((160, 120), [item.category], True)
                assert (region["from_name"], region["to_name"]) == (polygons.get("name"), shows.get("name"))
                points = np.array(value["points"]) * size / 100
                np.testing.assert_allclose(points, np.rint(points), atol=1e-4)
                assert doubled_area(np.rint(points).astype(int)) == 2 * item.area
                assert int(region["id"]) == annotation_id(record.index, item.id)
                seen += 1
    assert seen > 10
