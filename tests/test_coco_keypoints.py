"""COCO's key point files: numbers, names and skeletons against the labels, and through pycocotools."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import scenewright as sw
from scenewright.assets.library import SHAPES, build
from scenewright.assets.skeletons import SKELETONS
from scenewright.datasets.coco_keypoints import keypoints_path
from scenewright.datasets.records import iter_records
from scenewright.datasets.validate import validate

from .test_maps import parts

GIVEN = {"bottle": {"closure": "closed"}}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keypoints") / "d"
    assert sw.generate(parts(outputs=["keypoints"]), 4, folder).complete
    return folder


def test_key_points_of_the_file_are_those_of_the_labels(dataset: Path) -> None:
    """Every annotated object is there once, with x, y half a pixel less, v, and zeros where v is 0."""
    labels = {(r.index + 1, i.id): i for r in iter_records(dataset) for i in r.instances if i.annotated}
    found = 0
    for split in ("train", "val"):
        coco = orjson.loads(keypoints_path(dataset, split).read_bytes())
        names = {c["id"]: c["keypoints"] for c in coco["categories"]}
        for annotation in coco["annotations"]:
            item = labels[annotation["image_id"], annotation["id"] % 32768]
            flat, found = annotation["keypoints"], found + 1
            assert set(item.keypoints_px) == set(names[item.category_id])
            for k, name in enumerate(names[item.category_id]):
                point = item.keypoints_px[name]
                shown = point is not None and point[2] > 0
                assert point is None or flat[3 * k + 2] == point[2]
                assert tuple(flat[3 * k : 3 * k + 2]) == (
                    (point[0] - 0.5, point[1] - 0.5) if shown and point else (0, 0)
                )
            assert annotation["num_keypoints"] == sum(v > 0 for v in flat[2::3])
            assert (annotation["area"], tuple(annotation["bbox"])) == (item.area, item.bbox)
    assert found == len(labels) > 4


def test_skeletons_join_key_points_that_there_are(dataset: Path) -> None:
    """A bolt's skeleton joins its neck to the start of its thread, by numbers from 1."""
    coco = orjson.loads(keypoints_path(dataset, "train").read_bytes())
    bolt = next(c for c in coco["categories"] if c["name"] == "bolt")
    joined = [[bolt["keypoints"][a - 1], bolt["keypoints"][b - 1]] for a, b in bolt["skeleton"]]
    assert ["neck", "thread_start"] in joined and len(joined) == 5


@pytest.mark.parametrize("shape", sorted(SKELETONS))
def test_skeletons_name_key_points_of_their_shape(shape: str) -> None:
    """Every shape's edges join key points that some mesh of it has."""
    assert shape in SHAPES
    names = set(build(shape, SHAPES[shape].rand(np.random.default_rng(0), GIVEN.get(shape, {})).model_dump()).keypoints)
    if shape == "pipe_fitting":
        names |= {f"port_{p}" for p in ("x", "nx", "z", "nz")}
    assert {name for edge in SKELETONS[shape] for name in edge} <= names


def test_pycocotools_scores_the_file_perfectly(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its own key points as results have an OKS of 1 for every threshold."""
    path = next(
        p for p in (keypoints_path(dataset, s) for s in ("train", "val")) if orjson.loads(p.read_bytes())["images"]
    )
    truth = COCO(str(path))
    results = [{**truth.anns[i], "score": 1.0} for i in truth.getAnnIds() if truth.anns[i]["num_keypoints"]]
    for category in truth.getCatIds():
        score = COCOeval(truth, truth.loadRes([r for r in results if r["category_id"] == category]), "keypoints")
        score.params.catIds, score.params.areaRng, score.params.areaRngLbl = [category], [[0, 1e10]], ["all"]
        score.params.kpt_oks_sigmas = np.full(len(truth.cats[category]["keypoints"]), 0.05)
        score.evaluate()
        score.accumulate()
        assert (score.eval["precision"][:, :, 0, 0, 0] > 0.999).all()
    capsys.readouterr()


def test_key_point_files_are_validated(dataset: Path) -> None:
    """A sound dataset has nothing wrong; a changed key point file is found."""
    assert list(validate(dataset)) == []
    path = keypoints_path(dataset, "train")
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"iscrowd":0', b'"iscrowd":1', 1))
    assert [f.path for f in validate(dataset)] == ["annotations/keypoints_train.json"]
    path.write_bytes(data)
