"""COCO's panoptic files: read by the rules of the format, against the labels, and by the format's own measure."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import orjson
import pytest

from scenewright.datasets.coco import coco_path
from scenewright.datasets.panoptic import panoptic_head, panoptic_path
from scenewright.datasets.records import iter_records, read_info
from scenewright.datasets.splits import SPLITS
from scenewright.datasets.validate import validate

Json = dict[str, Any]
Ids = npt.NDArray[np.int64]


@pytest.fixture(scope="module")
def folder(parts_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, to damage."""
    return Path(shutil.copytree(parts_set, tmp_path_factory.mktemp("panoptic") / "d"))


def load(folder: Path, split: str) -> Json:
    data: Json = orjson.loads(panoptic_path(folder, split).read_bytes())
    return data


def read_ids(path: Path) -> Ids:
    """Segment ids of a PNG by the format's rule: red + 256 green + 65536 blue. OpenCV gives blue first."""
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert picture is not None and picture.dtype == np.uint8
    blue, green, red = np.moveaxis(picture.astype(np.int64), 2, 0)
    return np.asarray(red + 256 * green + 65536 * blue)


def annotated(folder: Path) -> list[tuple[Json, Json, Ids]]:
    """Every annotation with its image and the ids of its PNG."""
    found = []
    for split in SPLITS:
        part = load(folder, split)
        assert [a["image_id"] for a in part["annotations"]] == [i["id"] for i in part["images"]] != []
        for image, annotation in zip(part["images"], part["annotations"], strict=True):
            found.append((image, annotation, read_ids(folder / "panoptic" / annotation["file_name"])))
    return found


def quality(truth: list[tuple[Json, Ids]], found: list[tuple[Json, Ids]]) -> float:
    """Panoptic quality, averaged over the categories (Kirillov et al. 2019, "Panoptic Segmentation", §4).

    Segments of one category match where their IoU, void of the truth aside, is above one half.
    """
    hits, iou, misses, extra = Counter[int](), Counter[int](), Counter[int](), Counter[int]()
    for (true, true_ids), (guess, guess_ids) in zip(truth, found, strict=True):
        met: set[tuple[str, int]] = set()
        for a in true["segments_info"]:
            for b in guess["segments_info"]:
                one, other = true_ids == a["id"], guess_ids == b["id"]
                share = (one & other).sum() / (one | (other & (true_ids > 0))).sum()
                if a["category_id"] == b["category_id"] and share > 0.5:
                    hits[a["category_id"]] += 1
                    iou[a["category_id"]] += share
                    met |= {("true", a["id"]), ("guess", b["id"])}
        misses.update(a["category_id"] for a in true["segments_info"] if ("true", a["id"]) not in met)
        extra.update(b["category_id"] for b in guess["segments_info"] if ("guess", b["id"]) not in met)
    kinds = hits.keys() | misses.keys() | extra.keys()
    return float(np.mean([iou[k] / (hits[k] + misses[k] / 2 + extra[k] / 2) for k in kinds]))


def test_pngs_and_segments_say_the_same(folder: Path) -> None:
    """Ids of PNG and JSON are the same sets; area and tight box of each segment are those of its pixels; no crowds."""
    seen = 0
    for image, annotation, ids in annotated(folder):
        assert ids.shape == (image["height"], image["width"])
        listed = {s["id"]: s for s in annotation["segments_info"]}
        assert len(listed) == len(annotation["segments_info"])
        assert set(listed) == set(np.unique(ids).tolist()) - {0}
        for number, segment in listed.items():
            rows, columns = np.nonzero(ids == number)
            x, y = columns.min(), rows.min()
            assert segment["bbox"] == [x, y, columns.max() - x + 1, rows.max() - y + 1]
            assert (segment["area"], segment["iscrowd"]) == (len(rows), 0)
            seen += 1
    assert seen > 20


def test_categories_are_things_then_stuff(folder: Path) -> None:
    """Things have the ids of the instances file, stuff follows, and segments are of the kind that their pixels show."""
    records = {r.index + 1: r for r in iter_records(folder)}
    for split in SPLITS:
        part, instances = load(folder, split), orjson.loads(coco_path(folder, split).read_bytes())
        assert [(c["id"], c["name"]) for c in part["categories"] if c["isthing"]] == [
            (c["id"], c["name"]) for c in instances["categories"]
        ]
        assert [(c["id"], c["name"], c["isthing"]) for c in part["categories"]][2:] == [
            (3, "surface", 0),
            (4, "tray", 0),
        ]
        assert [i["file_name"] for i in part["images"]] == [i["file_name"] for i in instances["images"]]
        for annotation in part["annotations"]:
            labels = {i.id: i for i in records[annotation["image_id"]].instances if i.annotated}
            things = [s for s in annotation["segments_info"] if s["category_id"] <= 2]
            assert [(s["id"], s["category_id"], s["area"]) for s in things] == [
                (i.id, i.category_id, i.area) for i in labels.values()
            ]
            stuff = {s.category_id: s.area for s in records[annotation["image_id"]].stuff}
            assert {s["category_id"]: s["area"] for s in annotation["segments_info"] if s["category_id"] > 2} == stuff
            assert 4 in stuff


def test_colours_are_distinct_and_never_void(folder: Path) -> None:
    """As many categories as a semantic map holds have different colours, none of them black."""
    many = read_info(folder).model_copy(update={"categories": tuple(f"c{i}" for i in range(250))})
    colors = {tuple(c["color"]) for c in panoptic_head(many)["categories"]}
    assert len(colors) == 252 and (0, 0, 0) not in colors
    assert all(0 <= value <= 255 for color in colors for value in color)


def test_panoptic_quality_against_itself(folder: Path) -> None:
    """The files score 1.0 against themselves, and less with one segment given to another category."""
    truth = [(annotation, ids) for _, annotation, ids in annotated(folder)]
    assert quality(truth, truth) == 1.0
    changed: list[Json] = orjson.loads(orjson.dumps([a for a, _ in truth]))
    first = changed[0]["segments_info"][0]
    first["category_id"] = 3 - first["category_id"]
    assert quality(truth, [(a, ids) for a, (_, ids) in zip(changed, truth, strict=True)]) < 0.99


def test_panoptic_files_are_validated(folder: Path) -> None:
    """A sound dataset has nothing wrong; a changed panoptic file is found, and one that is missing."""
    assert list(validate(folder)) == []
    path = panoptic_path(folder, "train")
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"isthing":1', b'"isthing":0', 1))
    assert [f.path for f in validate(folder)] == ["annotations/panoptic_train.json"]
    path.unlink()
    assert [(f.path, "is missing" in f.message) for f in validate(folder)] == [
        ("annotations/panoptic_train.json", True)
    ]
    path.write_bytes(data)


WRITE = """
import sys
from pathlib import Path
from scenewright.datasets.panoptic import write_panoptic
from tests.benchmarks.bench_coco import info, peak_mb, records
stuff = [{"id": 32001, "category": "surface", "category_id": 4, "area": 9, "bbox": [0, 0, 3, 3]}]
many = ({**r, "maps": {"panoptic": r["image"]}, "stuff": stuff} for r in records(int(sys.argv[1])))
counts = write_panoptic(many, info().model_copy(update={"stuff_categories": ("surface",)}), Path(sys.argv[2]))
print(sum(c.annotations for c in counts.values()), peak_mb())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads peak memory from /proc")
def test_memory_does_not_grow_with_the_dataset(tmp_path: Path) -> None:
    """In a fresh process 102,000 segments are written, every one, and ten times as many images cost no more memory."""
    root, used = Path(__file__).parent.parent, []
    for images in (200, 2000):
        command = [sys.executable, "-c", WRITE, str(images), str(tmp_path)]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
        segments, peak = done.stdout.split()
        assert int(segments) == images * 51
        used.append(float(peak))
    assert used[1] - used[0] < 8, used
