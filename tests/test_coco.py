"""The COCO export: what it holds, that pycocotools reads it, and that its bytes are a function of the records."""

from __future__ import annotations

import contextlib
import io
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from scenewright.datasets.coco import OBJECTS, annotation_id, coco_path, write_coco
from scenewright.datasets.folder import export, open_dataset
from scenewright.datasets.records import indices, read_info, record_dicts, record_path
from scenewright.datasets.skim import skim
from scenewright.datasets.splits import SPLITS
from scenewright.errors import DatasetError
from scenewright.scenes.license import License
from scenewright.scenes.load import load as load_recipe
from scenewright.scenes.scene import SceneObject

from .synthetic import close, dataset, info, random_discs, write_image

BENCH = Path(__file__).parent / "benchmarks" / "bench_coco.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dataset(tmp_path_factory.mktemp("dataset"), 12)


def load(folder: Path, split: str) -> dict[str, Any]:
    data: dict[str, Any] = orjson.loads(coco_path(folder, split).read_bytes())
    return data


def whole(folder: Path) -> list[dict[str, Any]]:
    """The records, parsed to the end."""
    return [orjson.loads(record_path(folder, index).read_bytes()) for index in indices(folder)]


def quiet(path: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


@pytest.mark.parametrize("kind", ["bbox", "segm"])
@pytest.mark.parametrize("split", SPLITS)
def test_evaluates_to_one_against_itself(folder: Path, split: str, kind: str) -> None:
    """pycocotools reads the file and gives its own annotations an average precision of 1.0, boxes and masks."""
    truth = quiet(coco_path(folder, split))
    found = [{**a, "score": 0.9} for a in load(folder, split)["annotations"]]
    with contextlib.redirect_stdout(io.StringIO()):
        result = COCOeval(truth, truth.loadRes(found), kind)
        result.evaluate()
        result.accumulate()
        result.summarize()
    assert result.stats[0] == pytest.approx(1.0)


def test_every_image_is_in_one_split(folder: Path) -> None:
    """Images are in exactly one file, by index, with id index + 1, the one without objects included."""
    parts = [load(folder, split) for split in SPLITS]
    ids = [[image["id"] for image in part["images"]] for part in parts]
    assert all(part == sorted(part) and part for part in ids)
    assert sorted(ids[0] + ids[1]) == list(range(1, 13))
    empty = {i["id"] for p in parts for i in p["images"]} - {a["image_id"] for p in parts for a in p["annotations"]}
    assert empty == {3}


def test_annotations_carry_the_labels(folder: Path) -> None:
    """Every annotated instance of every record is there with its mask, its extent, its area and its attributes."""
    annotations = {a["id"]: a for split in SPLITS for a in load(folder, split)["annotations"]}
    expected = 0
    for record in whole(folder):
        for item in record["instances"]:
            if not item["annotated"]:
                assert annotation_id(record["index"], item["id"]) not in annotations
                continue
            expected += 1
            a = annotations[annotation_id(record["index"], item["id"])]
            assert (a["image_id"], a["category_id"], a["iscrowd"]) == (record["index"] + 1, item["category_id"], 0)
            assert (a["bbox"], a["area"]) == (item["bbox"], item["area"])
            assert a["segmentation"] == {"size": [48, 64], "counts": item["rle"]}
            assert a["attributes"] == item["attributes"]
    assert expected == len(annotations) > 20
    assert set(a["attributes"]) == {
        "visibility", "truncation", "amodal_bbox", "amodal_area", "amodal_rle", "distance_m", "cam_T_object", "size_m",
        "keypoints_px",
    }  # fmt: skip


def test_images_say_where_they_come_from(folder: Path) -> None:
    """`generation` holds seed, index, parameters with quantiles, every object's asset and material, camera, hashes."""
    for split in SPLITS:
        for image in load(folder, split)["images"]:
            record = orjson.loads(record_path(folder, image["id"] - 1).read_bytes())
            g = image["generation"]
            assert (g["seed"], g["index"], g["split"]) == (7, record["index"], split)
            assert g["parameters"] == {"camera.distance": {"value": 1.5, "quantile": 0.5}}
            assert g["camera"]["K"] == [[60, 0, 32], [0, 60, 24], [0, 0, 1]]
            assert (g["hashes"], g["device"]) == (record["hashes"], record["device"])
            assert g["render"] == record["scene"]["render"]
            assert [o["id"] for o in g["objects"]] == [o["id"] for o in record["scene"]["objects"]]
            for item in g["objects"]:
                assert item["mesh"]["shape"] == "disc"
                assert item["materials"]["body"]["family"] == "plastic"
                assert item["parameters"]["material.roughness"]["quantile"] == 0.25
            assert (folder / "images" / image["file_name"]).is_file()


def test_categories_and_info(folder: Path) -> None:
    """Categories count from 1 in the recipe's order, and nothing in the head depends on the time."""
    for split in SPLITS:
        part = load(folder, split)
        assert [(c["id"], c["name"]) for c in part["categories"]] == [(1, "nut"), (2, "bolt")]
        assert set(part["info"]) == {
            "description",
            "contributor",
            "seed",
            "recipe_sha256",
            "depth_format",
            "depth_unit_m",
            "transparency",
            "versions",
        }
        assert part["licenses"] == [] and not any("license" in image for image in part["images"])


@pytest.mark.parametrize("url", ["https://creativecommons.org/licenses/by/4.0/", ""])
def test_the_licence_of_the_recipe_is_that_of_every_image(folder: Path, tmp_path: Path, url: str) -> None:
    """A licence stands once in each file and its id in each image; nothing else changes, and no bytes between runs."""
    stated = info(close(folder).counts).model_copy(update={"license": License(name="CC-BY-4.0", url=url)})
    written = []
    for _ in range(2):
        write_coco(record_dicts(folder), stated, tmp_path)
        written.append([coco_path(tmp_path, split).read_bytes() for split in SPLITS])
    assert written[0] == written[1]
    for split in SPLITS:
        part = load(tmp_path, split)
        assert part.pop("licenses") == [{"id": 1, "name": "CC-BY-4.0", "url": url}]
        assert [image.pop("license") for image in part["images"]] == [1] * len(part["images"])
        assert {**part, "licenses": []} == load(folder, split)


def test_a_dataset_carries_its_licence(tmp_path: Path) -> None:
    """What the recipe states stands in dataset.json, and from there in COCO; a recipe that states none gives none."""
    for name, options in (("stated", ["dataset.license.name=internal use"]), ("none", [])):
        (tmp_path / name).mkdir()
        open_dataset(tmp_path / name, load_recipe("hardware", options), 0, 1, {})
        found = read_info(tmp_path / name)
        assert found.license == (License(name="internal use") if options else None)
        export(tmp_path / name, found)
        part = load(tmp_path / name, "train")
        assert part["licenses"] == ([{"id": 1, "name": "internal use", "url": ""}] if options else [])


def test_bytes_are_a_function_of_the_records(folder: Path, tmp_path: Path) -> None:
    """Images made in another order, in two runs, give the same files byte for byte."""
    for index in (9, 3, 0, 11, 4):
        write_image(tmp_path, random_discs(index), index)
    close(tmp_path)
    for index in reversed(range(12)):
        write_image(tmp_path, random_discs(index), index)
    close(tmp_path)
    for split in SPLITS:
        assert coco_path(tmp_path, split).read_bytes() == coco_path(folder, split).read_bytes()


def test_annotation_ids_do_not_move(folder: Path, tmp_path: Path) -> None:
    """An annotation keeps its id when images before it are missing; ids start at 1 and no object id can collide."""
    for index in (5, 6):
        write_image(tmp_path, random_discs(index), index)
    close(tmp_path)
    everything = {a["id"]: a for split in SPLITS for a in load(folder, split)["annotations"]}
    for split in SPLITS:
        for a in load(tmp_path, split)["annotations"]:
            assert everything[a["id"]] == a
    largest = next(m.le for m in SceneObject.model_fields["id"].metadata if hasattr(m, "le"))
    assert annotation_id(0, 1) == 1
    assert annotation_id(0, largest) + 1 < annotation_id(1, 1)
    assert divmod(annotation_id(41, 17), OBJECTS) == (41, 17)


def test_a_broken_record_leaves_the_old_files(folder: Path, tmp_path: Path) -> None:
    """When a record lacks something, the error names its image and both files stay as they were."""
    dataset(tmp_path, 3)
    before = [coco_path(tmp_path, split).read_bytes() for split in SPLITS]
    records = list(record_dicts(tmp_path))
    del records[1]["instances"][0]["rle"]
    with pytest.raises(DatasetError, match=r"record of image 1 is damaged \(KeyError: 'rle'"):
        write_coco(records, info(close(tmp_path).counts), tmp_path)
    assert [coco_path(tmp_path, split).read_bytes() for split in SPLITS] == before
    assert len(list((tmp_path / "annotations").iterdir())) == len(SPLITS)


def test_memory_does_not_grow_with_the_dataset() -> None:
    """In a fresh process, 100,000 annotations with all attributes are written in less than 64 MB."""
    result = subprocess.run([sys.executable, BENCH, "100000"], capture_output=True, text=True, check=True)
    assert int(result.stdout.rpartition("peak ")[2].split()[0]) < 64, result.stdout


def test_the_benchmark_writes_what_an_export_writes(folder: Path) -> None:
    """The benchmark's synthetic records have the fields of real ones, so that it measures the real thing."""
    bench = runpy.run_path(str(BENCH))
    real = whole(folder)[0]
    for synthetic, found in (
        (bench["instance"](0), real["instances"][0]),
        (bench["instance"](0)["attributes"], real["instances"][0]["attributes"]),
        (bench["thing"](0), real["scene"]["objects"][0]),
        (bench["thing"](0)["mesh"], real["scene"]["objects"][0]["mesh"]),
    ):
        assert set(synthetic) == set(found)
    assert isinstance(bench["record"]()["scene"]["objects"], orjson.Fragment)


def test_skimming_loses_nothing(folder: Path) -> None:
    """A skimmed record is the record: the texts cut out are JSON again, whatever names stand inside them."""
    for record in whole(folder):
        data = record_path(folder, record["index"]).read_bytes()
        skimmed = skim(data)
        assert isinstance(skimmed["scene"]["objects"], orjson.Fragment)
        assert all(isinstance(i["attributes"], orjson.Fragment) for i in skimmed["instances"])
        assert orjson.loads(orjson.dumps(skimmed)) == record


@pytest.mark.parametrize("layout", ["indented", "a part named attributes", "a parameter named camera", "reordered"])
def test_skimming_parses_what_it_does_not_know(folder: Path, layout: str) -> None:
    """A record in another layout, or with a key that looks like a landmark, is parsed as a whole and equal."""
    record = whole(folder)[0]
    thing = record["scene"]["objects"][0]
    if layout == "a part named attributes":
        thing["materials"] = {"body": 1, "attributes": {"id": 1}}
    if layout == "a parameter named camera":
        thing["parameters"] = {"x": [1], "camera": {"y": [2]}}
    if layout == "reordered":
        record = dict(reversed(record.items()))
    data = orjson.dumps(record, option=orjson.OPT_INDENT_2 if layout == "indented" else 0)
    assert orjson.loads(orjson.dumps(skim(data))) == record


def test_skimming_refuses_what_is_no_json() -> None:
    """Text that is cut off is an error, not half a record."""
    with pytest.raises(orjson.JSONDecodeError):
        skim(b'{"scene":{"objects":[],"camera":{}},"instances":[{"id":1,"attributes":{}}')
