"""Validation: silent on a sound dataset, and one clear finding for each way to break one."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from scenewright.datasets.coco import coco_path
from scenewright.datasets.depth import encode_depth
from scenewright.datasets.png import encode_ids, encode_rgb
from scenewright.datasets.validate import validate

from .synthetic import dataset


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dataset(tmp_path_factory.mktemp("dataset"), 6)


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a JSON file in place."""
    data = orjson.loads(path.read_bytes())
    change(data)
    path.write_bytes(orjson.dumps(data))


def record(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    edit(folder / "records/000001.json", change)


def truncate(folder: Path) -> None:
    path = folder / "images/000001.png"
    path.write_bytes(path.read_bytes()[:-40])


def swap_ids(folder: Path) -> None:
    shutil.copy(folder / "ids/000003.png", folder / "ids/000001.png")


def link_out(folder: Path) -> None:
    path = folder / "images/000001.png"
    outside = folder.parent / "outside.png"
    shutil.move(path, outside)
    path.symlink_to(outside)


def duplicate_annotation(folder: Path) -> None:
    edit(coco_path(folder, "train"), lambda c: c["annotations"].append(c["annotations"][0]))


def asset(folder: Path, named: bytes, content: bytes) -> Path:
    """Put content into assets/ under the hash of `named`."""
    path = folder / f"assets/{hashlib.sha256(named).hexdigest()}.stl"
    path.parent.mkdir()
    path.write_bytes(content)
    return path


def name_asset(folder: Path) -> None:
    ref = {"name": "part.stl", "sha256": "ab" * 32}
    edit(folder / "dataset.json", lambda d: d["recipe"].update(files={"part.stl": [ref]}))


def first(data: dict[str, Any]) -> dict[str, Any]:
    item: dict[str, Any] = next(i for i in data["instances"] if i["annotated"])
    return item


#: What is done to the dataset → the file that is named, and what is said of it.
DAMAGE: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "truncated picture": (truncate, "records/000001.json", "cut off"),
    "no picture": (lambda f: (f / "images/000001.png").unlink(), "records/000001.json", "images/000001.png is missing"),
    "no depth": (lambda f: (f / "depth/000001.png").unlink(), "records/000001.json", "depth/000001.png is missing"),
    "text for a picture": (
        lambda f: (f / "images/000001.png").write_text("no picture"),
        "records/000001.json",
        "not a PNG",
    ),
    "other picture": (
        lambda f: (f / "images/000001.png").write_bytes(encode_rgb(np.zeros((48, 64, 3), np.uint8))),
        "records/000001.json",
        "images/000001.png holds other pixels",
    ),
    "other size": (
        lambda f: (f / "images/000001.png").write_bytes(encode_rgb(np.zeros((8, 8, 3), np.uint8))),
        "records/000001.json",
        "the PNG is 8x8",
    ),
    "other format": (
        lambda f: (f / "images/000001.png").write_bytes(encode_ids(np.zeros((48, 64), np.uint16))),
        "records/000001.json",
        "16 bits",
    ),
    "other ids": (swap_ids, "records/000001.json", "area, box or mask is not that of ids/000001.png"),
    "picture is a link to the outside": (link_out, "records/000001.json", "leads out of the dataset"),
    "missing record": (
        lambda f: (f / "records/000001.json").unlink(),
        "images/000001.png",
        "a picture without a record",
    ),
    "record is no JSON": (
        lambda f: (f / "records/000001.json").write_bytes(b"{"),
        "records/000001.json",
        "is no record",
    ),
    "record is not UTF-8": (
        lambda f: (f / "records/000001.json").write_bytes(b'{"index": "\xff"}'),
        "records/000001.json",
        "is no record",
    ),
    "path climbs out": (
        lambda f: record(f, lambda r: r.update(image="../secret.png")),
        "records/000001.json",
        "must be a path below",
    ),
    "another image's picture": (
        lambda f: record(f, lambda r: r.update(image="images/000000.png")),
        "records/000001.json",
        "shares images/000000.png with image 0",
    ),
    "duplicate index": (
        lambda f: record(f, lambda r: r.update(index=0)),
        "records/000001.json",
        "a record's name is its index",
    ),
    "moved box": (
        lambda f: record(f, lambda r: first(r).update(bbox=[0, 0, 3, 3])),
        "records/000001.json",
        "area, box or mask is not that of",
    ),
    "label edited": (
        lambda f: record(f, lambda r: first(r)["attributes"].update(distance_m=9.0)),
        "records/000001.json",
        "labels were changed",
    ),
    "scene edited": (
        lambda f: record(f, lambda r: r["scene"]["camera"].update(focus_m=2.0)),
        "records/000001.json",
        "its scene was changed after it was written",
    ),
    "label removed": (
        lambda f: record(f, lambda r: r["instances"].remove(first(r))),
        "records/000001.json",
        "has no label",
    ),
    "other category": (
        lambda f: record(f, lambda r: first(r).update(category="gear")),
        "records/000001.json",
        "is labelled 'gear'",
    ),
    "wrong visibility": (
        lambda f: record(f, lambda r: first(r)["attributes"].update(visibility=0.123)),
        "records/000001.json",
        "visibility 0.123 is not",
    ),
    "left out against the rules": (
        lambda f: record(f, lambda r: first(r).update(annotated=False, left_out="small")),
        "records/000001.json",
        "left out because 'small'",
    ),
    "broken amodal mask": (
        lambda f: record(f, lambda r: first(r)["attributes"].update(amodal_rle="PP1")),
        "records/000001.json",
        "do not fill an image",
    ),
    "wrong split": (lambda f: record(f, lambda r: r.update(split="test")), "records/000001.json", "its hash says"),
    "another dataset's record": (
        lambda f: record(f, lambda r: r["scene"].update(seed=99)),
        "records/000001.json",
        "must not be mixed",
    ),
    "foreign file": (lambda f: (f / "images/holiday.jpg").write_text(""), "images/holiday.jpg", "a foreign file"),
    "foreign name": (lambda f: (f / "records/7.json").write_text("{}"), "records/7.json", "a foreign file"),
    "interrupted write": (
        lambda f: (f / "images/.000009.png.0123456789ab.tmp").write_text(""),
        "images/.000009.png.0123456789ab.tmp",
        "left by an interrupted write",
    ),
    "foreign file at the top": (lambda f: (f / "notes.txt").write_text(""), "notes.txt", "a foreign file at the top"),
    "interrupted write at the top": (
        lambda f: (f / ".dataset.json.0123abcd.tmp").write_text(""),
        ".dataset.json.0123abcd.tmp",
        "left by an interrupted write",
    ),
    "foreign annotations": (
        lambda f: (f / "annotations/instances_test.json").write_text("{}"),
        "annotations/instances_test.json",
        "a foreign file",
    ),
    "damaged asset": (
        lambda f: asset(f, b"solid", b"sold"),
        f"assets/{hashlib.sha256(b'solid').hexdigest()}.stl",
        "does not have the content",
    ),
    "foreign asset": (
        lambda f: asset(f, b"a", b"a").with_name("part.stl").write_text(""),
        "assets/part.stl",
        "a foreign file",
    ),
    "missing asset": (name_asset, "assets", "lacks 'part.stl' (abababababab…), which the recipe names"),
    "other versions": (
        lambda f: record(f, lambda r: r.update(versions={"scenewright": "0.0.1"})),
        "records/000001.json",
        "was made with scenewright 0.0.1, dataset.json says scenewright test",
    ),
    "depth cut off": (
        lambda f: record(f, lambda r: r.update(depth_saturated=7)),
        "depth",
        "raise dataset.depth_unit_mm",
    ),
    "quarantine without record": (
        lambda f: (f / "quarantine/000009").mkdir(parents=True),
        "quarantine/000009",
        "record.json is missing",
    ),
    "missing folder": (lambda f: shutil.rmtree(f / "depth"), "depth", "the folder is missing"),
    "no COCO": (
        lambda f: coco_path(f, "val").unlink(),
        "annotations/instances_val.json",
        "is missing: run the same generate command",
    ),
    "truncated COCO": (
        lambda f: coco_path(f, "train").write_bytes(coco_path(f, "train").read_bytes()[:500]),
        "annotations/instances_train.json",
        "from byte 500 on",
    ),
    "duplicate annotation": (duplicate_annotation, "annotations/instances_train.json", "differs from what the records"),
    "no dataset.json": (lambda f: (f / "dataset.json").unlink(), "dataset.json", "is no dataset"),
    "unreadable dataset.json": (lambda f: (f / "dataset.json").write_text("{"), "dataset.json", "is damaged"),
    "another recipe in dataset.json": (
        lambda f: edit(f / "dataset.json", lambda d: d["recipe"].update(count=9)),
        "dataset.json",
        "does not have the hash",
    ),
    "another seed in dataset.json": (
        lambda f: edit(f / "dataset.json", lambda d: d.update(seed=1)),
        "records/000001.json",
        "must not be mixed",
    ),
    "wrong counts": (
        lambda f: edit(f / "dataset.json", lambda d: d["counts"].update(annotations=1)),
        "dataset.json",
        "and 1 annotations, records give",
    ),
    "images not made yet": (
        lambda f: edit(f / "dataset.json", lambda d: d["counts"].update(requested=9)),
        "dataset.json",
        "3 images were asked for and have no record",
    ),
}


def test_a_sound_dataset_has_no_findings(sound: Path) -> None:
    """What the pipeline writes passes every check."""
    assert list(validate(sound)) == []


def test_what_belongs_to_a_dataset_is_not_foreign(sound: Path, tmp_path: Path) -> None:
    """A contact sheet, sound assets and the lock of a run that goes on are no findings."""
    folder = shutil.copytree(sound, tmp_path / "dataset")
    asset(folder, b"solid", b"solid")
    (folder / "contact.png").write_bytes(b"")
    (folder / ".lock").write_bytes(b"")
    assert list(validate(folder)) == []


def test_depth_in_metres(tmp_path: Path) -> None:
    """A dataset with EXR depth is sound; another EXR, half of one, and a PNG in its place are found."""
    assert list(validate(dataset(tmp_path, 3, "exr"))) == []
    path, other = tmp_path / "depth/000001.exr", (tmp_path / "depth/000000.exr").read_bytes()
    for content, message in (
        (other, "holds other pixels"),
        (other[:-20], "the EXR is damaged"),
        (b"", "the EXR is damaged"),
        (encode_ids(np.zeros((48, 64), np.uint16)), "the EXR is damaged"),
        (encode_depth(np.ones((8, 9), np.float32), 1.0, "exr")[0], "the EXR is 9x8, its record says 64x48"),
    ):
        path.write_bytes(content)
        (finding,) = validate(tmp_path)
        assert (finding.path, message in finding.message) == ("records/000001.json", True), finding


@pytest.mark.parametrize("name", DAMAGE)
def test_every_damage_is_found(sound: Path, tmp_path: Path, name: str) -> None:
    """Each way to break a dataset is reported, at the file it is in, with what is wrong, and nothing is raised."""
    damage, path, message = DAMAGE[name]
    folder = tmp_path / "dataset"
    shutil.copytree(sound, folder)
    damage(folder)
    findings = list(validate(folder))
    assert any(f.path == path and message in f.message for f in findings), findings
    assert all("\n" not in f.message for f in findings), findings
    assert {f.severity for f in findings} <= {"error", "warning"}


def test_validation_changes_nothing(sound: Path, tmp_path: Path) -> None:
    """Validating a broken dataset leaves every byte of it as it was."""
    folder = tmp_path / "dataset"
    shutil.copytree(sound, folder)
    truncate(folder)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert list(validate(folder))
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """A mistyped folder is one finding that says so."""
    (finding,) = validate(tmp_path / "nowhere")
    assert "is no dataset" in finding.message
