"""What exports do with defects that are hard to see, that overlap, or whose format has no place for them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import orjson
import pytest
import yaml

from scenewright.datasets.exporters.formats import export_dataset
from scenewright.datasets.records import TWINS, Record, iter_records, record_path
from scenewright.errors import DatasetError
from scenewright.farm.generate import generate
from scenewright.render.rle import encode_mask

from .small_recipe import make

SIZE = (120, 160)
BOX = {
    "category": "panel", "shape": "box", "params": {"x_m": 0.08, "y_m": 0.06, "z_m": 0.01},
    "materials": ["painted_metal", "plastic"],
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exports") / "set"
    recipe = make(
        objects={"count": 1, "assets": [BOX]}, placement={"area": [0.02, 0.02]}, camera={"distance": 0.3},
        render={"engine": "flat", "size": [SIZE[1], SIZE[0]]}, dataset={"val_fraction": 0.3},
        defects={"rate": 1, "kinds": [{"kind": k, "severity": 0.9} for k in ("scratch", "stain", "burn")],
                 "twins": True},
        outputs=["panoptic"],
    )  # fmt: skip
    assert generate(recipe, 5, out).complete
    return out


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy whose records a test may change."""
    return Path(shutil.copytree(made, tmp_path / "set"))


def shown(folder: Path) -> Record:
    return next(r for r in iter_records(folder) if any(d.annotated for d in r.defects) and r.split == "train")


def change(folder: Path, index: int, *facts: dict[str, Any]) -> None:
    """Write other facts into the record of an image about its defects, the first one as often as there are facts."""
    path = record_path(folder, index)
    record = orjson.loads(path.read_bytes())
    first = record["defects"][0]
    record["defects"] = [
        first | {k: v for k, v in new.items() if k in first}
        | {"attributes": first["attributes"] | {k: v for k, v in new.items() if k in first["attributes"]}}
        for new in facts
    ]  # fmt: skip
    path.write_bytes(orjson.dumps(record))


def block(x: int, y: int, w: int, h: int) -> tuple[np.ndarray, str]:  # type: ignore[type-arg]
    mask = np.zeros(SIZE, bool)
    mask[y : y + h, x : x + w] = True
    rle = encode_mask(mask).counts
    assert rle is not None
    return mask, rle


def test_what_is_absent_is_in_the_mask_even_when_nothing_of_the_defect_is_left(folder: Path, tmp_path: Path) -> None:
    """A tooth missing against the ground has no pixel for COCO, is a test image, and its gap is the mask."""
    index, (gap, rle) = shown(folder).index, block(30, 40, 6, 9)
    lost = {"area": 0, "bbox": None, "rle": None, "annotated": False, "left_out": "no", "visible_fraction": 0.9}
    change(folder, index, lost | {"absent_area": 54, "absent_rle": rle})
    export_dataset(folder, "mvtec-ad", tmp_path / "out")
    (mask,) = (tmp_path / "out").glob(f"t/ground_truth/*/{index:06d}_mask.png")
    assert np.array_equal(cv2.imread(str(mask), cv2.IMREAD_UNCHANGED), np.where(gap, 255, 0))


@pytest.mark.parametrize("fact", [{"visible_fraction": 0.1}, {"area": 3, "absent_area": 0}])
def test_an_image_whose_defects_nobody_can_see_is_left_out_and_counted(
    folder: Path, tmp_path: Path, fact: dict[str, Any]
) -> None:
    """It is neither sound nor visibly not: in no folder of the tree, only its twin is, and the notes count it."""
    index = shown(folder).index
    before = export_dataset(folder, "mvtec-ad", tmp_path / "before").notes
    change(folder, index, {"annotated": False, "left_out": "no"} | fact)
    after = export_dataset(folder, "mvtec-ad", tmp_path / "out").notes
    names = {p.name for p in (tmp_path / "out" / "t").rglob("*.png")}
    assert f"{index:06d}.png" not in names and f"{index:06d}_twin.png" in names
    (note,) = [n for n in after if "nobody could see" in n]
    assert int(note.rpartition(" ")[2]) == 1 + sum(int(n.rpartition(" ")[2]) for n in before if "nobody could see" in n)


def test_defects_of_several_categories_are_combined(folder: Path, tmp_path: Path) -> None:
    """Such an image goes to `combined`, its mask is the union; VisA's mask has a number for each category."""
    index, (left, a), (right, b) = shown(folder).index, block(10, 10, 20, 20), block(20, 10, 20, 20)
    seen = {"area": 400, "visible_fraction": 1.0, "annotated": True, "left_out": None, "absent_area": 0}
    change(
        folder, index, seen | {"rle": a, "category": "scratch", "absent_rle": None},
        seen | {"rle": b, "category": "burn", "absent_rle": None},
    )  # fmt: skip
    export_dataset(folder, "mvtec-ad", tmp_path / "m")
    mask = cv2.imread(str(tmp_path / "m/t/ground_truth/combined" / f"{index:06d}_mask.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(mask == 255, left | right) and (tmp_path / "m/t/test/combined" / f"{index:06d}.png").is_file()
    export_dataset(folder, "visa", tmp_path / "v")
    numbers = cv2.imread(str(tmp_path / "v/t/Data/Masks/Anomaly" / f"{index:06d}.png"), cv2.IMREAD_UNCHANGED)
    names = json.loads((folder / "dataset.json").read_text())["defect_categories"]
    want = np.zeros(SIZE, int)
    want[left] = 1 + names.index("scratch")
    want[right] = 1 + names.index("burn")
    assert np.array_equal(numbers, want)
    assert f't/Data/Images/Anomaly/{index:06d}.png,"scratch,burn",' in (tmp_path / "v/t/image_anno.csv").read_text()


def test_twins_that_are_learnt_from_are_told_of(folder: Path, tmp_path: Path) -> None:
    """Test images whose twin is in train/good are counted in the notes; exported by split there are none."""
    seen = {r.index for r in iter_records(folder) if r.split == "train" and any(d.annotated for d in r.defects)}
    notes = export_dataset(folder, "mvtec-ad", tmp_path / "all").notes
    assert any(f"those to learn from: {len(seen)};" in n for n in notes)
    assert {p.stem for p in (tmp_path / "all/t/train/good").iterdir()} == {
        f"{r.index:06d}_twin" for r in iter_records(folder) if r.split == "train"
    }
    notes = export_dataset(folder, "mvtec-ad", tmp_path / "val", ["val"]).notes
    assert not any("to learn from" in n for n in notes)
    assert not (tmp_path / "val/t/train").exists()


def test_classes_of_other_formats_follow_those_of_objects(folder: Path, tmp_path: Path) -> None:
    """YOLO numbers defects after objects without a gap, and RF-DETR has the ids of COCO, where stuff lies between."""
    info = json.loads((folder / "dataset.json").read_text())
    names, stuff = [*info["categories"], *info["defect_categories"]], len(info["stuff_categories"])
    export_dataset(folder, "yolo-detect", tmp_path / "yolo")
    assert stuff and yaml.safe_load((tmp_path / "yolo/data.yaml").read_text())["names"] == dict(enumerate(names))
    export_dataset(folder, "rf-detr", tmp_path / "rf")
    for split, place in (("train", "train"), ("val", "valid")):
        coco = json.loads((folder / f"annotations/instances_{split}.json").read_text())
        found = json.loads((tmp_path / f"rf/{place}/_annotations.coco.json").read_text())
        keys = ("id", "image_id", "category_id", "bbox", "area")
        assert coco["annotations"]
        assert [[a[k] for k in keys] for a in coco["annotations"]] == [
            [a[k] for k in keys] for a in found["annotations"]
        ]
        assert [c["id"] for c in found["categories"]] == [
            1 + i + (stuff if i >= len(info["categories"]) else 0) for i in range(len(names))
        ]
        number = {c["id"]: k for k, c in enumerate(coco["categories"])}
        for image in coco["images"]:
            text = (tmp_path / f"yolo/labels/{split}/{image['file_name']}").with_suffix(".txt").read_text()
            assert [int(line.split()[0]) for line in text.splitlines()] == [
                number[a["category_id"]] for a in coco["annotations"] if a["image_id"] == image["id"]
            ]


def test_formats_without_a_place_for_defects_say_so(folder: Path, tmp_path: Path) -> None:
    """BOP and panoptic exports leave defects out and tell it in their notes."""
    for form in ("bop", "panoptic"):
        assert any(n.startswith("defects are left out") for n in export_dataset(folder, form, tmp_path / form).notes)


def test_twins_are_a_dataset_to_export(folder: Path, tmp_path: Path) -> None:
    """Every export of the twins' own folder works, with no defect in it."""
    export_dataset(folder / TWINS, "mvtec-ad", tmp_path / "out")
    assert {p.parent.name for p in (tmp_path / "out" / "t").rglob("*.png")} == {"good"}


@pytest.mark.parametrize("form", ["mvtec-ad", "visa", "pairs"])
def test_an_export_from_other_twins_is_another_one(folder: Path, tmp_path: Path, form: str) -> None:
    """Where one twin is gone, or was made again with other pixels, the finished export is not taken for this one."""
    export_dataset(folder, form, tmp_path / "x")
    path = record_path(folder / TWINS, shown(folder).index)
    twin = orjson.loads(path.read_bytes())
    twin["hashes"]["rgb"] = "0" * 64
    path.write_bytes(orjson.dumps(twin))
    with pytest.raises(DatasetError, match=r"another export \(images_sha256 "):
        export_dataset(folder, form, tmp_path / "x")
    path.unlink()
    with pytest.raises(DatasetError, match=r"another export \(images_sha256 "):
        export_dataset(folder, form, tmp_path / "x")


def test_twins_are_nothing_to_an_export_without_them(folder: Path, tmp_path: Path) -> None:
    """A format that has only the dataset's own images in it goes on with its export when twins were removed."""
    export_dataset(folder, "yolo", tmp_path / "x")
    shutil.rmtree(folder / TWINS)
    export_dataset(folder, "yolo", tmp_path / "x")
