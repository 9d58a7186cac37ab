"""Whole datasets with defects and twins, by the flat engine: COCO, exports as other tools read them, validation."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import trimesh
from pycocotools.coco import COCO
from pycocotools.mask import decode as coco_decode

from scenewright.assets.defects.kinds import KINDS
from scenewright.datasets.exporters.formats import export_dataset
from scenewright.datasets.png import decode_ids
from scenewright.datasets.records import TWINS, Record, indices, iter_records, read_record, record_path, write_record
from scenewright.datasets.validate import validate
from scenewright.errors import DatasetError, UsageError
from scenewright.farm.generate import add_twins, generate
from scenewright.render.rle import decode

from .commands import child
from .small_recipe import make

BOX = {
    "category": "panel", "shape": "box", "params": {"x_m": 0.08, "y_m": 0.06, "z_m": 0.01},
    "materials": ["painted_metal", "plastic", "zinc"],
}  # fmt: skip
COUNT = 14


def recipe(objects: Any = None, **defects: Any) -> Any:
    return make(
        objects=objects or {"count": 2, "assets": [BOX]}, placement={"area": [0.2, 0.2]}, camera={"distance": 0.4},
        render={"engine": "flat", "size": [160, 120]}, dataset={"val_fraction": 0.4},
        defects={"rate": 0.5, "count": {"dist": "integers", "low": 1, "high": 2}, "twins": True} | defects,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("defects") / "set"
    assert generate(recipe(), COUNT, out).complete
    return out


@pytest.fixture(scope="module")
def records(folder: Path) -> list[Record]:
    found = list(iter_records(folder))
    assert any(r.defects for r in found) and any(not r.defects for r in found)
    return found


def test_a_dataset_with_twins_is_sound(folder: Path) -> None:
    """`validate` finds nothing wrong, twins included."""
    assert list(validate(folder)) == []


def test_every_marred_image_has_a_twin_and_no_other(folder: Path, records: list[Record]) -> None:
    """A twin has the index of its image, the same scene without defects, and no defect in its labels or COCO."""
    twins = {r.index: r for r in iter_records(folder / TWINS)}
    assert set(twins) == {r.index for r in records if r.defects}
    for record in records:
        if record.index in twins:
            twin = twins[record.index]
            assert twin.scene == record.scene.twin and twin.defects == () and twin.split == record.split
    for path in (folder / TWINS / "annotations").glob("*.json"):
        said = json.loads(path.read_text())
        kinds = {c["id"] for c in said["categories"] if c["supercategory"] == "defect"}
        assert said["images"] or path.name.endswith("val.json")
        assert not [a for a in said["annotations"] if a["category_id"] in kinds]


def test_coco_has_every_visible_defect_inside_its_parent(folder: Path, records: list[Record]) -> None:
    """Read by pycocotools: an annotation for each defect that can be seen, ids unique, its mask inside its parent's."""
    found: dict[int, dict[str, Any]] = {}
    names: dict[int, str] = {}
    for split in ("train", "val"):
        coco = COCO(folder / "annotations" / f"instances_{split}.json")
        assert not set(coco.anns) & set(found)
        found |= coco.anns
        names = {c["id"]: c["name"] for c in coco.dataset["categories"] if c["supercategory"] == "defect"}
    defects = [a for a in found.values() if a["category_id"] in names]
    assert len(defects) == sum(d.annotated for r in records for d in r.defects) > 5
    for item in defects:
        parent = found[item["attributes"]["parent_id"]]
        assert parent["image_id"] == item["image_id"] and parent["category_id"] == 1
        mask, whole = (coco_decode(a["segmentation"]).astype(bool) for a in (item, parent))
        assert mask.any() and mask.sum() == item["area"] and not (mask & ~whole).any()


def test_masks_lie_where_the_stored_ids_say(folder: Path, records: list[Record]) -> None:
    """Every defect, exported or not, lies inside what is seen of its object in the id picture."""
    for record in records:
        ids = decode_ids((folder / record.ids).read_bytes(), record.width, record.height)
        for defect in record.defects:
            if defect.rle is not None:
                assert (ids[decode(defect.rle, (120, 160))] == defect.parent_id).all()


def mvtec_samples(root: Path) -> list[tuple[str, str, Path, Path | None]]:
    """(split, label, image, mask) of a tree by the rules that Anomalib states for MVTec AD.

    A picture's two folders are its split and its label. Those below `ground_truth` are masks; in the order of their
    paths they belong to the test pictures whose label is not "good", in the order of theirs, one to each. A mask's stem
    must hold that of its picture, and an image of another label outside of the test split has none, which is refused.
    """
    found = sorted(str(p.relative_to(root)) for p in root.glob("**/*") if p.suffix in (".png", ".PNG"))
    assert all(len(Path(p).parts) == 3 for p in found)
    masks = iter([p for p in found if Path(p).parts[0] == "ground_truth"])
    out: list[tuple[str, str, Path, Path | None]] = []
    for path in (p for p in found if Path(p).parts[0] != "ground_truth"):
        split, label, _ = Path(path).parts
        mask = next(masks) if split == "test" and label != "good" else None
        assert (mask is not None) == (label != "good")
        assert mask is None or (Path(path).stem in Path(mask).stem and Path(mask).parts[1] == label)
        out.append((split, label, root / path, None if mask is None else root / mask))
    assert next(masks, None) is None
    return out


def test_mvtec_tree_is_read_by_anomalibs_rules(folder: Path, records: list[Record], tmp_path: Path) -> None:
    """The tree has pictures to learn from that are all sound, tests of both sorts, a mask for each bad one, no more."""
    export_dataset(folder, "mvtec-ad", tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["export.json", "t"]
    root = tmp_path / "out" / "t"
    samples = mvtec_samples(root)
    assert {p.name for p in root.iterdir()} == {"train", "test", "ground_truth"}
    assert {label for split, label, *_ in samples if split == "train"} == {"good"}
    bad = {i.stem: (label, mask) for split, label, i, mask in samples if mask is not None}
    seen = {f"{r.index:06d}": r for r in records if any(d.annotated for d in r.defects)}
    assert set(bad) == set(seen) and all(split == "test" for split, _, _, mask in samples if mask is not None)
    for stem, (label, mask) in bad.items():
        kinds = {d.category for d in seen[stem].defects if d.annotated}
        assert label == (kinds.pop() if len(kinds) == 1 else "combined")
        values = cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)
        assert values.shape == (120, 160) and set(np.unique(values)) == {0, 255}
    sound = {i.stem for split, label, i, _ in samples if label == "good"}
    assert sound == {f"{r.index:06d}" for r in records if not r.defects} | {
        f"{i:06d}_twin" for i in indices(folder / TWINS)
    }
    files = [p for p in root.rglob("*") if p.is_file()]
    assert len(files) == len(samples) + len(bad)


def test_visa_becomes_the_tree_of_mvtec_by_its_authors_rules(folder: Path, tmp_path: Path) -> None:
    """Sorted as VisA's authors sort it, into train or test and good or bad by its table, it has the same pictures."""
    export_dataset(folder, "visa", tmp_path / "visa")
    with (tmp_path / "visa" / "split_csv" / "1cls.csv").open(newline="") as file:
        for name, split, label, image, mask in [*csv.reader(file)][1:]:
            sort = "good" if label == "normal" else "bad"
            moves = [(image, f"{split}/{sort}")]
            if split == "test" and sort == "bad":
                moves.append((mask, f"ground_truth/{sort}"))
            for path, place in moves:
                target = tmp_path / "sorted" / name / place / path.split("/")[-1]
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(tmp_path / "visa" / path, target)
    export_dataset(folder, "mvtec-ad", tmp_path / "mvtec")
    ours, theirs = mvtec_samples(tmp_path / "mvtec" / "t"), mvtec_samples(tmp_path / "sorted" / "t")
    assert sorted((s, la == "good", i.name, i.read_bytes()) for s, la, i, _ in ours) == sorted(
        (s, la == "good", i.name, i.read_bytes()) for s, la, i, _ in theirs
    )
    masks = {i.name: cv2.imread(str(m), cv2.IMREAD_UNCHANGED) for _, _, i, m in ours if m is not None}
    for _, _, image, mask in theirs:
        if mask is not None:
            numbers = cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)
            assert np.array_equal(numbers != 0, masks[image.name] == 255)


def test_visa_table_names_what_is_there(folder: Path, tmp_path: Path) -> None:
    """Every row of VisA's table has its picture, only anomalies have masks, and training is on normal ones."""
    export_dataset(folder, "visa", tmp_path)
    with (tmp_path / "split_csv" / "1cls.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["object", "split", "label", "image", "mask"]
    assert {r["label"] for r in rows if r["split"] == "train"} == {"normal"}
    for row in rows:
        assert (tmp_path / row["image"]).is_file() and bool(row["mask"]) == (row["label"] == "anomaly")
        if row["mask"]:
            assert cv2.imread(str(tmp_path / row["mask"]), cv2.IMREAD_UNCHANGED).max() > 0


def test_pairs_differ_in_the_mask_only(folder: Path, tmp_path: Path) -> None:
    """By the flat engine, which knows no indirect light, a pair of unchanged form is equal outside of defects."""
    export_dataset(folder, "pairs", tmp_path)
    with (tmp_path / "pairs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    compared = 0
    for row in rows:
        image, twin, mask = (cv2.imread(str(tmp_path / row[k])) for k in ("image", "twin", "mask"))
        record = read_record(record_path(folder, int(Path(row["image"]).stem)))
        inside = mask[..., 0] > 0
        assert (image != twin).any(axis=2)[inside].mean() > 0.9
        if any(KINDS[d.kind].damage for d in record.defects):
            continue  # a form that has changed shades pixels that no defect's mask has
        for hidden in (d.rle for d in record.defects if not d.annotated and d.rle is not None):
            inside = inside | decode(hidden, inside.shape)
        assert np.array_equal(image[~inside], twin[~inside])
        compared += 1
    assert compared > 1


def test_twins_can_be_added_later(tmp_path: Path) -> None:
    """`scenewright twins` gives the twins that the switch would have given, byte for byte; then nothing is left."""
    generate(recipe(), 6, tmp_path / "with")
    generate(recipe(twins=False), 6, tmp_path / "later")
    assert not (tmp_path / "later" / TWINS).exists()
    assert add_twins(tmp_path / "later").rendered == len(indices(tmp_path / "with" / TWINS))
    for path in sorted((tmp_path / "with" / TWINS / "images").iterdir()):
        assert path.read_bytes() == (tmp_path / "later" / TWINS / "images" / path.name).read_bytes()
    assert add_twins(tmp_path / "later").rendered == 0
    assert [f for f in validate(tmp_path / "later") if f.severity == "error"] == []


def test_twins_find_the_files_of_the_dataset_above_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's mesh lies in the dataset alone: twins, which have no assets, are rendered again and exported from it."""
    trimesh.creation.box((80, 60, 10)).export(tmp_path / "part.stl")
    monkeypatch.chdir(tmp_path)
    own = {"category": "panel", "path": "part.stl", "unit": "mm", "materials": "plastic"}
    assert generate(recipe(objects={"count": 1, "assets": [own]}, rate=1), 1, tmp_path / "set").complete
    (tmp_path / "part.stl").unlink()
    twins = tmp_path / "set" / TWINS
    for line in (
        ("rerender", twins, 0, "--out", tmp_path / "x.png"),
        ("export", twins, "--to", "bop", "--out", tmp_path / "bop"),
    ):
        ended = child(*line)
        assert ended.code == 0, ended.err
    (model,) = json.loads((tmp_path / "bop/models/models_info.json").read_bytes()).values()
    assert sorted(model[f"size_{a}"] for a in "xyz") == pytest.approx([10, 60, 80])


def test_a_leak_is_found(folder: Path, tmp_path: Path) -> None:
    """A twin that has a defect, and a defect outside its parent, are errors of validation."""
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    index = indices(copy / TWINS)[0]
    record = read_record(record_path(copy, index))
    record_path(copy / TWINS, index).unlink()
    write_record(copy / TWINS, record)
    assert any("should be sound" in f.message for f in validate(copy) if f.severity == "error")
    moved = tuple(d.model_copy(update={"parent_id": 3 - d.parent_id}) for d in record.defects)
    record_path(copy, index).unlink()
    write_record(copy, record.model_copy(update={"defects": moved}))
    assert any("its scene says otherwise" in f.message for f in validate(copy))


def test_what_needs_defects_or_twins_says_so(tmp_path: Path) -> None:
    """Exports and twins of a dataset that cannot have them are refused with what to do."""
    generate(make(), 1, tmp_path / "none")
    with pytest.raises(UsageError, match="`defects` in its recipe"):
        export_dataset(tmp_path / "none", "mvtec-ad", tmp_path / "a")
    with pytest.raises(DatasetError, match="nothing has a twin"):
        add_twins(tmp_path / "none")
    generate(recipe(twins=False), 1, tmp_path / "lone")
    with pytest.raises(UsageError, match="scenewright twins"):
        export_dataset(tmp_path / "lone", "pairs", tmp_path / "b")


@pytest.mark.parametrize("name", ["..", ".", "split_csv", "../up"])
def test_a_name_that_leads_elsewhere_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    """A dataset's name becomes a folder of an export: one that is none, or means another, writes nothing."""
    copy = tmp_path / "in" / "copy"
    shutil.copytree(folder, copy)
    said = json.loads((copy / "dataset.json").read_text())
    (copy / "dataset.json").write_text(json.dumps(said | {"name": name}))
    for form in ("mvtec-ad", "visa"):
        with pytest.raises(UsageError, match="another `name`"):
            export_dataset(copy, form, tmp_path / "in" / "out")
    assert [p.name for p in (tmp_path / "in").iterdir()] == ["copy"]
