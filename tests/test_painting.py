"""Datasets with painted defects, by any painter: what is requested, what is labelled, and what stays as it was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from scenewright.cli_painting import _tell_painted
from scenewright.datasets.derived import Variant
from scenewright.datasets.png import decode_ids, decode_rgb
from scenewright.datasets.records import TWINS, Record, indices, iter_records, read_info, read_record, record_path
from scenewright.datasets.validate import validate
from scenewright.errors import UsageError
from scenewright.farm.painting import Result
from scenewright.farm.painting_plan import Ask, planned
from scenewright.farm.painting_worker import paint_image, studio
from scenewright.render.rle import decode, encode_mask
from scenewright.scenes.scene import Scene

from .commands import content
from .painted import SIZE, Brush, panels, refined, studied

MARRED = {
    "defects": {
        "rate": 0.9, "kinds": {"scratch": 2, "stain": 2, "burn": 2, "bent": 1}, "count": 2, "twins": True,
    }
}  # fmt: skip
ALL = Ask(rate=1.0)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return panels(tmp_path_factory.mktemp("plain") / "set")


@pytest.fixture(scope="module")
def marred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return panels(tmp_path_factory.mktemp("marred") / "set", 6, **MARRED)


@pytest.fixture(scope="module")
def painted(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return studied(plain, tmp_path_factory.mktemp("painted") / "set", ALL, Brush())


def rgb(folder: Path, record: Record) -> npt.NDArray[np.uint8]:
    return decode_rgb((folder / record.image).read_bytes(), record.width, record.height)


def told(record: Record) -> Variant:
    assert isinstance(record.derived, Variant)
    return record.derived


def masks(folder: Path, **named: npt.NDArray[np.bool_]) -> Path:
    folder.mkdir()
    for name, mask in named.items():
        cv2.imwrite(str(folder / (name.replace("_at_", ".").lstrip("i") + ".png")), mask.astype(np.uint8) * 255)
    return folder


def test_drawn_defects_make_a_sound_dataset(plain: Path, painted: Path) -> None:
    """Validation finds nothing, the source is as it was, and every image has its index, ids and depth."""
    assert list(validate(painted)) == [] and list(validate(plain)) == []
    assert indices(painted) == indices(plain)
    for before, after in zip(iter_records(plain), iter_records(painted), strict=True):
        assert (after.hashes.ids, after.hashes.depth) == (before.hashes.ids, before.hashes.depth)
        assert after.instances == before.instances and after.split == before.split
    info = read_info(painted)
    assert info.derived is not None and info.derived.source.name == "t" and info.derived.generation == 1
    assert info.derived.outcomes["painted"] == sum(bool(r.defects) for r in iter_records(painted)) > 1


def test_a_label_is_what_has_changed(painted: Path) -> None:
    """In COCO as in the records: the mask of pixels that differ from the twin, inside one panel's visible mask."""
    found = 0
    files = [json.loads((painted / f"annotations/instances_{split}.json").read_text()) for split in ("train", "val")]
    names, coco = {c["id"]: c["name"] for c in files[0]["categories"]}, [a for f in files for a in f["annotations"]]
    for record in (r for r in iter_records(painted) if r.defects):
        twin = read_record(record_path(painted / TWINS, record.index))
        differs = (rgb(painted, record) != rgb(painted / TWINS, twin)).any(axis=2)
        ids = decode_ids((painted / record.ids).read_bytes(), record.width, record.height)
        both = np.zeros(SIZE, bool)
        for item in record.defects:
            mask = decode(item.rle or "", SIZE)
            both |= mask
            assert (ids[mask] == item.parent_id).all() and item.annotated and item.visible_fraction > 0.5
            assert item.depth_mm is None and item.length_mm >= item.width_mm > 0 and item.area_mm2 > 0
            (entry,) = [a for a in coco if a["id"] == record.index * 32768 + item.id]
            assert entry["segmentation"]["counts"] == item.rle and names[entry["category_id"]] == item.category
            found += 1
        assert (both == differs).all()
    assert found == sum(len(told(r).defects) for r in iter_records(painted) if r.derived) > 1


def test_scene_and_recipe_say_what_was_drawn(painted: Path) -> None:
    """The recipe has a section of defects, the scenes have those that were painted, and no other was accepted."""
    info = read_info(painted)
    assert info.recipe["defects"]["rate"] == 1 and info.recipe["defects"]["twins"]
    for record in iter_records(painted):
        drawn = [(o.id, d.id, d.kind, d.severity) for o in record.scene.objects for d in o.defects]
        assert drawn == [(i.parent_id, i.id, i.kind, i.severity) for i in record.defects]
        assert record.scene.recipe_sha256 == info.recipe_sha256


def test_kinds_keep_to_their_materials(plain: Path, tmp_path: Path) -> None:
    """What is drawn occurs on its material: rust neither on plastic nor, named, in a recipe of plastic alone."""
    brush = Brush()
    studied(plain, tmp_path / "out", Ask(kinds=("corrosion", "oil"), rate=1.0), brush)
    assert {w.kind for w in brush.wishes} == {"corrosion", "oil"}
    assert {w.material for w in brush.wishes if w.kind == "corrosion"} <= {"zinc", "painted_metal"}
    plastic = panels(tmp_path / "plastic", 1, objects={"count": 1, "assets": [{**_box(), "materials": "plastic"}]})
    with pytest.raises(UsageError, match="corrosion occurs on"):
        planned(plastic, Ask(kinds=("corrosion",)))
    plan, _ = planned(plastic, ALL)
    assert "scratch" in plan.kinds and "corrosion" not in plan.kinds


def _box() -> dict[str, object]:
    return {"category": "panel", "shape": "box", "params": {"x_m": 0.08, "y_m": 0.06, "z_m": 0.01}}


def test_records_say_what_was_told(painted: Path) -> None:
    """Material and prompt of each request, strength and steps of each try: here a brush's, which has no strength."""
    for record in (r for r in iter_records(painted) if r.derived):
        families = {o.id: {m.family for m in o.materials.values()} for o in record.scene.objects}
        ids = decode_ids((painted / record.ids).read_bytes(), *SIZE[::-1])
        for item in told(record).defects:
            (parent,) = np.unique(ids[decode(item.requested_rle, SIZE)])
            assert item.material in families[int(parent)] and item.mask_file is None
            assert item.prompt == f"a {item.kind} on {item.material}"
            assert all((t.executed, t.strength) == (1, None) for t in item.tries)


def test_rendered_defects_are_painted_into_their_twins(marred: Path, tmp_path: Path) -> None:
    """Each kind that is painted, where the render has it; a bent panel is straight, and pairs stay pairs."""
    out = studied(marred, tmp_path / "out", Ask(), Brush())
    assert list(validate(out)) == []
    known = 0
    for before, after in zip(iter_records(marred), iter_records(out), strict=True):
        wanted = {d.id: d for d in before.defects if d.annotated and d.kind != "bent"}
        assert {d.id for d in after.defects} == wanted.keys()
        if not wanted:
            assert after.derived is None and (not before.defects or after.scene.twin == after.scene)
            continue
        known += len(wanted)
        assert told(after).origin.twin and told(after).origin.rgb == before.hashes.rgb
        for item in told(after).defects:
            assert item.rendered_rle == wanted[item.defect_id].rle
        files = [place / TWINS / after.image for place in (marred, out)]
        assert files[0].read_bytes() == files[1].read_bytes()
    assert known > 2


def test_drawing_anew_leaves_rendered_defects_out(marred: Path, tmp_path: Path) -> None:
    """With --kinds the twins get other defects than the render had, and a recipe that says so."""
    out = studied(marred, tmp_path / "out", Ask(kinds=("oil",), rate=1.0), Brush())
    assert list(validate(out)) == []
    assert {d.kind for r in iter_records(out) for d in r.defects} == {"oil"}
    assert read_info(out).defect_categories == ("contamination",)


def test_what_is_refused_leaves_no_trace(marred: Path, tmp_path: Path) -> None:
    """A kind that comes out as nothing has no label, no defect in the scene, and the sound picture's own bytes."""
    out = studied(marred, tmp_path / "out", Ask(), Brush(frozenset({"stain", "burn"})))
    assert list(validate(out)) == []
    fallback = 0
    for record in (r for r in iter_records(out) if r.derived):
        twin = read_record(record_path(marred / TWINS, record.index))
        assert {d.kind for d in record.defects} <= {"scratch"}
        refused = [d for d in told(record).defects if d.changed_rle is None]
        assert all(d.kind != "scratch" and len(d.tries) == 3 and d.tries[-1].fault for d in refused)
        if told(record).status == "fallback":
            fallback += 1
            assert record.hashes.rgb == twin.hashes.rgb and not record.defects
            assert not record_path(out / TWINS, record.index).is_file()
        for d in refused:
            mask = decode(d.requested_rle, SIZE)
            assert (rgb(out, record)[mask] == rgb(marred / TWINS, twin)[mask]).all()
    assert fallback
    assert read_info(out).derived.outcomes["fallback"] == fallback  # type: ignore[union-attr]


def test_an_image_does_not_depend_on_the_others(plain: Path, painted: Path, tmp_path: Path) -> None:
    """Alone and after the others an image is the same, and another seed draws and paints otherwise."""
    some = studied(plain, tmp_path / "some", ALL, Brush())
    for name in ("records", "images", f"{TWINS}/records", f"{TWINS}/images"):
        shutil.rmtree(some / name)
    place = studio(plain, some, None, Brush())
    paint_image(place, 2)
    for name in ("records/000002.json", "images/000002.png", f"{TWINS}/records/000002.json"):
        assert (some / name).read_bytes() == (painted / name).read_bytes()
    other = studied(plain, tmp_path / "other", Ask(rate=1.0, seed=1), Brush())
    assert [r.defects for r in iter_records(other)] != [r.defects for r in iter_records(painted)]


def test_masks_of_the_users(plain: Path, tmp_path: Path) -> None:
    """A mask is cut to the panel on which it lies; kind and severity are its name's, and the scene stays sound."""
    record = read_record(record_path(plain, 1))
    ids = decode_ids((plain / record.ids).read_bytes(), *SIZE[::-1])
    one = record.instances[0].id
    rows, cols = np.nonzero(ids == one)
    mask = np.zeros(SIZE, bool)
    mask[rows.min() : (rows.min() + rows.max()) // 2 + 8, cols.min() - 4 : cols.max() + 4] = True
    mask &= (ids == one) | (ids == 0)
    folder = masks(tmp_path / "masks", **{"000001_at_scratch_at_0_at_7": mask, "000001_at_stain-2": ids == one})
    out = studied(plain, tmp_path / "out", Ask(masks=folder), Brush())
    assert list(validate(out)) == []
    after = read_record(record_path(out, 1))
    first, second = after.defects
    assert (first.kind, first.severity, first.parent_id) == ("scratch", 0.7, one) and second.severity == 0.6
    assert decode(told(after).defects[0].requested_rle, SIZE).sum() == (mask & (ids == one)).sum()
    assert (decode(told(after).defects[1].requested_rle, SIZE) == (ids == one) & ~mask).all()
    assert after.scene.twin == after.scene and first.length_mm > first.width_mm > 1
    assert read_info(out).defect_categories == ("scratch", "stain")
    assert read_record(record_path(out, 0)).derived is None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("000001.png", "is no mask: they are named"),
        ("000001.scratch.7.png", "is no mask: they are named"),
        ("000009.scratch.png", "has no image 000009"),
        ("1.scratch.png", "is no mask"),
        ("000001.rust.png", "'rust' is no kind of defect that can be painted; choose from burn"),
        ("000001.bent.png", "'bent' is no kind"),
        ("000001.scratch.0.0.png", "above 0"),
    ],
)
def test_masks_with_wrong_names(plain: Path, tmp_path: Path, name: str, said: str) -> None:
    """A name that says no image, no kind or no severity is an error before anything is painted."""
    folder = masks(tmp_path / "masks")
    cv2.imwrite(str(folder / name), np.full(SIZE, 255, np.uint8))
    with pytest.raises(UsageError, match=said):
        planned(plain, Ask(masks=folder))


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (np.zeros(SIZE, np.uint8), "is empty: no pixel .* not black"),
        (np.pad(np.full((3, 3), 255, np.uint8), ((0, SIZE[0] - 3), (0, SIZE[1] - 3))), "lies on no labelled object"),
        (np.full((9, 9), 255, np.uint8), "is 9x9, its image 200x150"),
        (None, "is no PNG"),
        (None, "is no PNG that can be read"),
    ],
)
def test_masks_that_cannot_be_used(plain: Path, tmp_path: Path, mask: npt.NDArray[np.uint8] | None, said: str) -> None:
    """A mask that is empty, off all objects, of another size or no picture ends the run before anything is written."""
    folder = masks(tmp_path / "masks")
    if mask is None:
        (folder / "000001.scratch.png").write_bytes(b"no picture" if said == "is no PNG" else b"")
    else:
        cv2.imwrite(str(folder / "000001.scratch.png"), mask)
    with pytest.raises(UsageError, match=said):
        studied(plain, tmp_path / "out", Ask(masks=folder), Brush())
    assert not (tmp_path / "out").exists()


def test_a_mask_over_two_panels_asks_for_two_defects(plain: Path, tmp_path: Path) -> None:
    """One on each, larger share first, of the mask's file; 10 px on a panel are none, and less than half is refused."""
    record = read_record(record_path(plain, 1))
    ids = decode_ids((plain / record.ids).read_bytes(), *SIZE[::-1])
    first, second = (ids == i.id for i in record.instances[:2])
    wide = _some(first, 300) | _some(second, 100)
    folder = masks(tmp_path / "masks", **{"000001_at_scratch": wide, "000002_at_scratch": _of(plain, 2, 300, 10)})
    out = studied(plain, tmp_path / "out", Ask(masks=folder), Brush())
    assert list(validate(out)) == []
    one, two = told(read_record(record_path(out, 1))).defects
    assert (decode(one.requested_rle, SIZE) == wide & first).all()
    assert (decode(two.requested_rle, SIZE) == wide & second).all()
    assert one.mask_file == two.mask_file == "000001.scratch.png"
    (only,) = told(read_record(record_path(out, 2))).defects
    assert decode(only.requested_rle, SIZE).sum() == 300
    off = masks(tmp_path / "off", **{"000001_at_scratch": _some(first, 100) | _some(ids == 0, 101)})
    with pytest.raises(UsageError, match="only 100 of its 201 pixels lie on labelled objects"):
        planned(plain, Ask(masks=off))


def _some(mask: npt.NDArray[np.bool_], count: int) -> npt.NDArray[np.bool_]:
    """The first pixels of a mask, row by row."""
    assert mask.sum() >= count
    return mask & (np.cumsum(mask).reshape(mask.shape) <= count)


def _of(folder: Path, index: int, *counts: int) -> npt.NDArray[np.bool_]:
    """So many pixels of the first object of an image, of the second, …"""
    record = read_record(record_path(folder, index))
    ids = decode_ids((folder / record.ids).read_bytes(), *SIZE[::-1])
    parts = [_some(ids == i.id, n) for i, n in zip(record.instances, counts, strict=False)]
    return np.asarray(np.logical_or.reduce(parts))


def test_an_image_with_defects_needs_its_twin(marred: Path, tmp_path: Path) -> None:
    """Without one there is no sound picture to paint into: an error that names the command."""
    copy = Path(shutil.copytree(marred, tmp_path / "set"))
    index = indices(copy / TWINS)[0]
    record_path(copy / TWINS, index).unlink()
    with pytest.raises(UsageError, match=rf"1 images .*\[{index}\b.*scenewright twins"):
        planned(copy, Ask())


def test_frames_and_views_share_their_defects(tmp_path: Path) -> None:
    """In a sequence of stereo pairs a defect stays on its place of the object, and is painted by one seed."""
    source = panels(
        tmp_path / "set", 4, motion={"frames": 2, "step_s": 0.1}, outputs=[],
    )  # fmt: skip
    brush = Brush()
    out = studied(source, tmp_path / "out", Ask(rate=1.0), brush)
    assert list(validate(out)) == []
    scenes = [r.scene for r in iter_records(out)]
    assert _places(scenes[0]) == _places(scenes[1]) != _places(scenes[2]) == _places(scenes[3])
    seeds = {(w.index, w.kind, w.severity): w.seed for w in brush.wishes}
    assert all(seeds[i ^ 1, kind, severity] == seed for (i, kind, severity), seed in seeds.items())


def _places(scene: Scene) -> list[object]:
    return [(o.id, d.id, d.patch_T_object) for o in scene.objects for d in o.defects]


def test_pairs_of_a_refined_dataset_stay_pairs(marred: Path, tmp_path: Path) -> None:
    """Refined first and then painted: generation 2, each image beside its refined twin, and nothing wrong."""
    source = refined(marred, tmp_path / "refined")
    assert list(validate(source)) == []
    out = studied(source, tmp_path / "out", Ask(), Brush(name="another"))
    assert list(validate(out)) == []
    info, done = read_info(out), [r for r in iter_records(out) if r.defects]
    assert info.derived is not None and info.derived.generation == 2 and info.derived.source.derived is not None
    assert done and all(told(r).generation == 2 for r in done)
    for record in done:
        twin = read_record(record_path(out / TWINS, record.index))
        assert twin.derived is not None and twin.derived.kind == "refined"
        assert (out / TWINS / twin.image).read_bytes() == (source / TWINS / twin.image).read_bytes()
    with pytest.raises(UsageError, match="has painted defects already"):
        planned(out, Ask())


@pytest.mark.parametrize(
    ("requests", "said", "unsaid"),
    [
        ("rendered", "draw others with --rate, or bring --masks", "raise"),
        ("drawn", "raise --rate, or bring --masks", "rendered"),
        ("asked", "none of the images that your masks are for could be made", "--rate"),
    ],
)
def test_a_run_without_requests_says_what_helps(
    painted: Path, capsys: pytest.CaptureFixture[str], requests: str, said: str, unsaid: str
) -> None:
    """What fits how requests are made: nobody who brought masks is told to bring some."""
    info = read_info(painted)
    assert info.derived is not None
    plan = {**info.derived.plan, "requests": requests}
    info = info.model_copy(update={"derived": info.derived.model_copy(update={"plan": plan})})
    _tell_painted(Result(info, painted, 0, {}, {}), as_json=False)
    found = capsys.readouterr().err
    assert "NOTHING WAS REQUESTED" in found and said in found and unsaid not in found


def test_the_source_is_not_touched(plain: Path, tmp_path: Path) -> None:
    """All its files have the bytes that they had."""
    before = content(plain)
    studied(plain, tmp_path / "out", ALL, Brush())
    assert content(plain) == before


def edit(out: Path, index: int, change: object) -> None:
    path = record_path(out, index)
    record = json.loads(path.read_bytes())
    change(record)  # type: ignore[operator]
    path.write_bytes(json.dumps(record).encode())


def _shrunk(record: dict[str, object]) -> None:
    item = record["derived"]["defects"][0]  # type: ignore[index]
    mask = decode(item["requested_rle"], SIZE)
    mask[np.nonzero(mask)[0][0]] = False
    item["requested_rle"] = encode_mask(mask).counts


def _spread(record: dict[str, object]) -> None:
    item = record["derived"]["defects"][0]  # type: ignore[index]
    item["requested_rle"] = encode_mask(decode(item["requested_rle"], SIZE) | np.eye(*SIZE, dtype=bool)).counts


FAULTS = {
    "and lies on one": _spread,
    "changed pixels that were not requested": _shrunk,
    "by another model": lambda r: r["derived"].update(model="0" * 64),
    "is 'fallback', and": lambda r: r["derived"].update(status="fallback"),
    "is variant in generation 3, dataset.json says": lambda r: r["derived"].update(generation=3),
    "is not labelled by what has changed": lambda r: r["defects"][0].update(
        rle=encode_mask(np.eye(*SIZE, dtype=bool)).counts
    ),
    "its last try does not say": lambda r: r["derived"]["defects"][0]["tries"][-1].update(fault="only a little"),
    "of it has changed, its masks say": lambda r: r["derived"]["defects"][0]["tries"][-1].update(coverage=0.9),
    "labels defects": lambda r: r["derived"]["defects"].pop(),
    "is not the picture of its source": lambda r: r["derived"]["origin"].update(rgb="0" * 64),
    "has a depth": lambda r: r["defects"][0]["attributes"].update(depth_mm=1.0),
}  # fmt: skip


@pytest.mark.parametrize("said", FAULTS)
def test_faults_of_records_are_found(painted: Path, tmp_path: Path, said: str) -> None:
    """Validation finds each way in which a record can contradict itself or its dataset."""
    out = Path(shutil.copytree(painted, tmp_path / "set"))
    index = next(r.index for r in iter_records(out) if r.defects)
    edit(out, index, FAULTS[said])
    assert any(said in f.message for f in validate(out)), [f.message for f in validate(out)]


def test_a_picture_that_differs_elsewhere_is_found(painted: Path, tmp_path: Path) -> None:
    """One pixel beside what was requested, with a hash that fits, is no variant of its twin any more."""
    from scenewright.datasets.png import encode_rgb, pixels_sha256

    out = Path(shutil.copytree(painted, tmp_path / "set"))
    record = next(r for r in iter_records(out) if r.defects)
    picture = rgb(out, record).copy()
    picture[0, 0] ^= 255
    (out / record.image).write_bytes(encode_rgb(picture))
    edit(out, record.index, lambda r: r["hashes"].update(rgb=pixels_sha256(picture)))
    assert any("differs from its sound picture" in f.message for f in validate(out))
    shutil.rmtree(out / TWINS)
    assert any("has no sound picture" in f.message for f in validate(out))


def test_labels_are_checked_against_the_pixels(painted: Path, tmp_path: Path) -> None:
    """The sound picture itself, with labels that say all of the request has changed and hashes that fit, is found."""
    out = Path(shutil.copytree(painted, tmp_path / "set"))
    record = next(r for r in iter_records(out) if r.defects)
    shutil.copy(out / TWINS / record.image, out / record.image)
    requested = {d.defect_id: d.requested_rle for d in told(record).defects}

    def forge(raw: Any) -> None:
        raw["hashes"]["rgb"] = read_record(record_path(out / TWINS, record.index)).hashes.rgb
        for item in raw["derived"]["defects"]:
            item["changed_rle"] = item["requested_rle"]
            item["tries"][-1] |= {"coverage": 1.0, "area": 1.0}
        for label in raw["defects"]:
            label["rle"] = requested[label["id"]]

    edit(out, record.index, forge)
    found = [f.message for f in validate(out) if "in the picture only 0.00" in f.message]
    assert len(found) == len(record.defects)


def test_another_threshold_is_found(painted: Path, tmp_path: Path) -> None:
    """The difference from which pixels counted is measured again, and so is a label that lost every second row."""
    out = Path(shutil.copytree(painted, tmp_path / "set"))
    record = next(r for r in iter_records(out) if r.defects)

    def forge(raw: Any) -> None:
        item = raw["derived"]["defects"][0]
        mask = decode(item["changed_rle"], SIZE)
        mask[np.flatnonzero(mask.any(axis=1))[::2]] = False
        item |= {"changed_rle": encode_mask(mask).counts, "threshold": item["threshold"] + 1}

    edit(out, record.index, forge)
    found = [f.message for f in validate(out)]
    assert any("says a threshold of" in m for m in found) and any("pixels have changed" in m for m in found)


def test_a_dataset_that_lacks_images_of_its_source_is_found(painted: Path, tmp_path: Path) -> None:
    """Of four images that were asked for one is gone."""
    out = Path(shutil.copytree(painted, tmp_path / "set"))
    for name in ("records/000003.json", "images/000003.png", "depth/000003.png", "ids/000003.png"):
        (out / name).unlink()
    assert any("4 images were asked for, the folder holds 3" in f.message for f in validate(out))
