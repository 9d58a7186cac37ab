"""Every fault that labels of defects and sound twins can have is found by validation, one fault at a time."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from scenewright.datasets.inventory import Finding
from scenewright.datasets.png import decode_ids
from scenewright.datasets.records import TWINS, iter_records, read_info, record_path
from scenewright.datasets.validate import validate
from scenewright.errors import DatasetError
from scenewright.farm.executors import Local, Shard
from scenewright.farm.generate import add_twins, generate
from scenewright.farm.options import Options
from scenewright.farm.shard import RenderShard
from scenewright.pipeline import produce_twin
from scenewright.render.flat import FlatEngine
from scenewright.render.rle import encode_mask

from .small_recipe import make

Json = dict[str, Any]
SIZE = (120, 160)
BOX = {
    "category": "panel", "shape": "box", "params": {"x_m": 0.08, "y_m": 0.06, "z_m": 0.01}, "materials": "plastic",
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("validate") / "set"
    recipe = make(
        objects={"count": 2, "assets": [BOX]}, placement={"area": [0.15, 0.15]}, camera={"distance": 0.4},
        render={"engine": "flat", "size": [SIZE[1], SIZE[0]]},
        defects={"rate": 0.7, "kinds": ["scratch", "stain", "burn"], "twins": True},
    )  # fmt: skip
    assert generate(recipe, 4, out).complete
    assert list(validate(out)) == []
    return out


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "set"))


def errors(folder: Path) -> list[Finding]:
    return [f for f in validate(folder) if f.severity == "error"]


def change(folder: Path, edit: Callable[[Json, Json], object]) -> None:
    """Edit the first record that has a defect seen on an object, given the record and that defect."""
    index = next(r.index for r in iter_records(folder) if any(d.annotated for d in r.defects))
    path = record_path(folder, index)
    record = orjson.loads(path.read_bytes())
    edit(record, next(d for d in record["defects"] if d["annotated"]))
    path.write_bytes(orjson.dumps(record))


def everywhere(record: Json, defect: Json) -> None:
    mask = encode_mask(np.ones(SIZE, bool))
    defect.update(area=mask.area, bbox=list(mask.bbox or ()), rle=mask.counts)


def still_there(record: Json, defect: Json) -> None:
    """What is seen of the parent is said to be absent."""
    parent = next(i for i in record["instances"] if i["id"] == defect["attributes"]["parent_id"])
    defect["attributes"].update(absent_area=parent["area"], absent_rle=parent["rle"])


FAULTS: dict[str, tuple[Callable[[Json, Json], object], str]] = {
    "area": (lambda _, d: d.update(area=d["area"] + 1), "area or box is not that of its mask"),
    "box": (lambda _, d: d["bbox"].__setitem__(0, d["bbox"][0] - 1), "area or box is not that of its mask"),
    "outside": (everywhere, "lies outside what is seen of object"),
    "absent": (still_there, "what is said to be absent is not"),
    "absent area": (lambda _, d: d["attributes"].update(absent_area=7), "what is said to be absent is not"),
    "category id": (lambda _, d: d.update(category_id=1), "category 1 is not"),
    "category": (lambda _, d: d.update(category="dent"), "is no category of"),
    "kind": (lambda _, d: d.update(kind="dent"), "its scene says otherwise"),
    "parent": (lambda _, d: d["attributes"].update(parent_id=99), "its scene says otherwise"),
    "severity": (lambda _, d: d["attributes"].update(severity=0.987), "its scene says otherwise"),
    "grade": (lambda _, d: d["attributes"].update(grade=9), "grade 9 does not belong"),
    "left out": (lambda _, d: d.update(annotated=False, left_out="no visible pixel"), "the rules say None"),
    "kept": (lambda _, d: d["attributes"].update(visible_fraction=0.01), "the rules say 'below min_visible_fraction"),
    "id": (lambda r, d: d.update(id=r["instances"][0]["id"]), "two labels of one id"),
    "lost": (lambda r, d: r["defects"].remove(d), "labels defects"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_defect_is_found(folder: Path, fault: str) -> None:
    """The fault itself is named, beside the hash of the labels that does not fit any more."""
    edit, message = FAULTS[fault]
    change(folder, edit)
    found = [f.message for f in errors(folder)]
    assert any(message in m for m in found)
    assert any("labels were changed" in m for m in found)


def test_a_leak_into_a_twin_is_found(folder: Path) -> None:
    """A twin whose record has a label of a defect is no sound twin."""
    change(folder, lambda r, _: record_path(folder / TWINS, r["index"]).write_bytes(orjson.dumps(r)))
    assert any(f.path.startswith(f"{TWINS}/records/") and "should be sound" in f.message for f in errors(folder))


def test_a_twin_of_another_scene_is_found(folder: Path) -> None:
    """A twin must be the scene of its image in everything but the defects, to the last number."""
    index = next(r.index for r in iter_records(folder) if r.defects)
    path = record_path(folder / TWINS, index)
    record = orjson.loads(path.read_bytes())
    record["scene"]["world"]["strength"] += 1e-6
    path.write_bytes(orjson.dumps(record))
    assert any(
        f.path == f"{TWINS}/records/{index:06d}.json" and "is not the scene" in f.message for f in errors(folder)
    )


def test_a_picture_of_a_twin_that_was_changed_is_found(folder: Path) -> None:
    """What holds of images holds of twins: their pictures have the pixels that were recorded."""
    picture = next((folder / TWINS / "ids").iterdir())
    twin = next(r for r in iter_records(folder / TWINS) if r.ids.endswith(picture.name))
    ids = decode_ids(picture.read_bytes(), twin.width, twin.height)
    shutil.copyfile(folder / "images" / picture.name, picture)
    assert ids.any() and f"{TWINS}/records/{twin.index:06d}.json" in {f.path for f in errors(folder)}


def test_twins_that_are_lost_are_missed_and_come_back(folder: Path) -> None:
    """A recipe that wants twins has one of each image with defects; `scenewright twins` renders what is lacking."""
    having = [r.index for r in iter_records(folder) if r.defects]
    shutil.rmtree(folder / TWINS)
    (found,) = errors(folder)
    assert found.path == TWINS and f"{len(having)} images" in found.message and "scenewright twins" in found.message
    assert add_twins(folder).rendered == len(having)
    assert list(validate(folder)) == []


def test_a_twin_without_an_image_is_found_unless_that_is_in_quarantine(folder: Path) -> None:
    """An image in quarantine may come back and then has its twin; without any trace of an image it is an error."""
    index = next(r.index for r in iter_records(folder) if r.defects)
    aside = folder / "quarantine" / f"{index:06d}"
    aside.mkdir(parents=True)
    record_path(folder, index).rename(aside / "record.json")
    name = f"{TWINS}/records/{index:06d}.json"
    assert not [f for f in errors(folder) if f.path == name]
    shutil.rmtree(aside)
    assert [f.message for f in errors(folder) if f.path == name and "twin of no image" in f.message]


def on(folder: Path, index: int, device: str) -> None:
    """Let a record name another device."""
    path = record_path(folder, index)
    path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | {"device": device}))


def test_a_twin_of_another_device_is_found(folder: Path) -> None:
    """Devices round otherwise: a twin of another one differs from its image where no defect is."""
    index = next(r.index for r in iter_records(folder) if r.defects)
    on(folder / TWINS, index, "optix: NVIDIA L4")
    (found,) = [f for f in errors(folder) if f.path == f"{TWINS}/records/{index:06d}.json"]
    assert "rendered on optix: NVIDIA L4 and its image on none" in found.message


def test_twins_are_rendered_on_the_devices_of_their_images(folder: Path) -> None:
    """Unless one is named, each twin is asked of the device that its image's record names."""
    first, *others = [r.index for r in iter_records(folder) if r.defects]
    on(folder, first, "optix: NVIDIA L4")
    shutil.rmtree(folder / TWINS)
    asked: list[tuple[str, list[int]]] = []

    class Asked(Local):
        def run(self, shard: Shard, progress: object) -> None:
            assert isinstance(shard, RenderShard)
            asked.append((shard.options.device, [*shard.indices]))

    add_twins(folder, executor=Asked())
    add_twins(folder, Options(device="cuda"), executor=Asked())
    assert asked == [("cpu", others), ("optix", [first]), ("cuda", [first, *others])]


def test_a_twin_on_another_device_is_refused(folder: Path) -> None:
    """Whatever device was asked for, none but the one that made an image makes its twin, and nothing is written."""
    index = next(r.index for r in iter_records(folder) if r.defects)
    on(folder, index, "optix: NVIDIA L4")
    shutil.rmtree(folder / TWINS)
    with pytest.raises(DatasetError, match=r"rendered on optix: NVIDIA L4, and its twin would be on none, .* leave"):
        produce_twin(read_info(folder), index, folder, FlatEngine())
    assert not (folder / TWINS).exists()


def test_twins_are_foreign_where_nothing_has_defects(tmp_path: Path) -> None:
    """A folder `twins` in a dataset whose recipe knows no defects is reported as foreign."""
    generate(make(), 1, tmp_path / "set")
    (tmp_path / "set" / TWINS).mkdir()
    (found,) = validate(tmp_path / "set")
    assert (found.severity, found.path) == ("warning", TWINS) and "foreign" in found.message


def test_a_dataset_may_itself_be_named_twins(tmp_path: Path) -> None:
    """Only a folder inside a dataset holds twins: one that merely has the name is a dataset like all others."""
    recipe = make(objects={"count": 1, "assets": [BOX]}, defects={"rate": 1, "kinds": ["burn"], "twins": True})
    assert generate(recipe, 1, tmp_path / TWINS).complete
    assert list(validate(tmp_path / TWINS)) == []
    shutil.rmtree(tmp_path / TWINS / TWINS)
    assert [f.path for f in errors(tmp_path / TWINS)] == [TWINS]
