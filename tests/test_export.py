"""Exports: what the folder may hold, going on after a stop, and that nothing else is touched."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from scenewright.cli_export import export
from scenewright.datasets.exporters.formats import FORMATS, export_dataset
from scenewright.datasets.records import record_path
from scenewright.errors import DatasetError, UsageError

from . import synthetic
from .commands import Run, content

FLAT = ("coco-polygons", "label-studio", "rf-detr", "yolo", "yolo-detect")


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve images of discs in both splits, image 2 empty: to be read only."""
    return synthetic.dataset(tmp_path_factory.mktemp("discs") / "d", 12)


class Stop(Exception):
    pass


def stop_after(count: int) -> Callable[[str, int], Callable[[], None]]:
    """Progress that ends the export when it is told of so many steps."""
    left = [count]

    def step() -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Stop

    return lambda *_: step


def test_the_help_tells_every_format() -> None:
    """A format that the command knows and its help does not would never be found."""
    text = export.__doc__ or ""
    assert all(f"\n    {name} " in text for name in FORMATS)


@pytest.mark.parametrize("form", [*FLAT, "panoptic", "bop"])
def test_a_stopped_export_goes_on(form: str, parts_set: Path, tmp_path: Path) -> None:
    """Stopped at any image and continued, an export has the same files as one that was not; the dataset stays."""
    before = content(parts_set)
    whole = export_dataset(parts_set, form, tmp_path / "whole/x")
    for count in (1, 3, 5):
        with pytest.raises(Stop):
            export_dataset(parts_set, form, tmp_path / "parts/x", progress=stop_after(count))
        assert json.loads((tmp_path / "parts/x/export.json").read_bytes())["complete"] is False
    assert export_dataset(parts_set, form, tmp_path / "parts/x") == whole
    assert content(tmp_path / "parts/x") == content(tmp_path / "whole/x")
    assert content(parts_set) == before
    told = json.loads((tmp_path / "whole/x/export.json").read_bytes())
    assert told["complete"] and told["images"] == whole.images and sum(whole.images.values()) == 6


def test_a_complete_export_is_left_alone_and_a_damaged_file_comes_back(discs: Path, tmp_path: Path) -> None:
    """The same command again writes no picture anew, and puts back one that was cut off."""
    out = tmp_path / "x"
    export_dataset(discs, "yolo", out)
    before, times = content(out), {p: p.stat().st_mtime_ns for p in out.rglob("*.png")}
    victim = min(times)
    victim.write_bytes(victim.read_bytes()[:50])
    export_dataset(discs, "yolo", out)
    assert content(out) == before
    assert {p for p, then in times.items() if p.stat().st_mtime_ns != then} == {victim}


def test_a_foreign_folder_is_refused(discs: Path, tmp_path: Path) -> None:
    """A folder with other content, another format's, other splits' or other images' export stays as it is."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.txt").write_text("all I have")
    export_dataset(discs, "yolo", tmp_path / "x", ["val"])
    grown = synthetic.dataset(tmp_path / "grown", 13)
    before = content(tmp_path)
    with pytest.raises(DatasetError, match=r"full is not empty and holds no export \(thesis.txt\): choose another"):
        export_dataset(discs, "yolo", tmp_path / "full")
    with pytest.raises(DatasetError, match=r"another export \(format yolo instead of rf-detr"):
        export_dataset(discs, "rf-detr", tmp_path / "x", ["val"])
    with pytest.raises(DatasetError, match=r"\(splits val instead of train, val, images_sha256 "):
        export_dataset(discs, "yolo", tmp_path / "x")
    with pytest.raises(DatasetError, match=r"\(splits val instead of train"):
        export_dataset(grown, "yolo", tmp_path / "x", ["train"])
    assert content(tmp_path) == before


def test_a_grown_dataset_is_another_export(tmp_path: Path) -> None:
    """With more images in it, or one that was rendered anew, the old export is not continued."""
    grown = synthetic.dataset(tmp_path / "d", 6)
    export_dataset(grown, "yolo", tmp_path / "x")
    synthetic.dataset(tmp_path / "d", 7)
    with pytest.raises(DatasetError, match=r"\(images_sha256 "):
        export_dataset(grown, "yolo", tmp_path / "x")


def test_an_export_in_a_dataset_is_refused(discs: Path) -> None:
    """A dataset holds nothing foreign, so an export into it is refused before anything is written."""
    with pytest.raises(UsageError, match="lies inside the dataset"):
        export_dataset(discs, "yolo", discs / "images" / "x")
    assert not (discs / "images" / "x").exists()


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (
            "{discs} --to pascal --out {new}",
            2,
            "'pascal' is no format: choose from bop, coco-polygons, label-studio, mvtec",
        ),
        ("{discs} --to yolo --out {new} --split test", 2, "'test' is no split: choose from train, val"),
        ("{discs} --to yolo", 2, "Missing option '--out'"),
        ("{discs} --to panoptic --out {new}", 2, "has no panoptic maps: generate one with `outputs: [panoptic]`"),
        ("{new} --to yolo --out {new}", 1, "is no dataset: it has no dataset.json"),
        ("{discs} --to yolo --out {file}", 1, "cannot write to {file}: File exists. Choose another --out"),
        ("{discs} --to yolo --out {discs}", 2, "lies inside the dataset"),
    ],
)
def test_bad_exports(line: str, code: int, said: str, discs: Path, run: Run, tmp_path: Path) -> None:
    """An export that cannot be meant says why, and writes nothing."""
    places = {"discs": discs, "new": tmp_path / "new", "file": tmp_path / "file"}
    places["file"].touch()
    ended = run("export", *line.format(**places).split())
    assert (ended.code, ended.out) == (code, "")
    assert said.format(**places) in ended.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    """A record that lacks a mask stops the export with the image's number, and no JSON file looks complete."""
    folder = synthetic.dataset(tmp_path / "d", 4)
    record = orjson.loads(record_path(folder, 3).read_bytes())
    del record["instances"][0]["rle"]
    record["instances"][0]["annotated"] = True
    record_path(folder, 3).write_bytes(orjson.dumps(record))
    with pytest.raises(DatasetError, match=r"record of image 3 is damaged \(KeyError: 'rle'"):
        export_dataset(folder, "coco-polygons", tmp_path / "x", [record["split"]])
    assert not list((tmp_path / "x").rglob("instances_*.json"))


def test_results_are_for_machines(discs: Path, run: Run, tmp_path: Path) -> None:
    """`--json` prints what was written and nothing else; without it a line says so, and progress goes to stderr."""
    ended = run("export", discs, "--to", "yolo", "--out", tmp_path / "a", "--json")
    told = json.loads(ended.out)
    assert ended.code == 0 and sum(told["images"].values()) == 12 and told["annotations"] > 20
    assert set(told) == {"images", "annotations", "notes"}
    ended = run("export", discs, "--to", "yolo", "--out", tmp_path / "b", "--split", "val")
    count = told["images"]["val"]
    assert ended.out.startswith(f"{tmp_path / 'b'}: {count} images of val, ") and ended.out.count("\n") == 1
    assert f"exporting images of val: {count}/{count}" in ended.err
    assert not (tmp_path / "b/images/train").exists() and (tmp_path / "b/images/val").is_dir()


def test_a_split_without_images_is_told(tmp_path: Path) -> None:
    """A dataset whose images are all in one split exports, with a note about the other; that one alone is an error."""
    folder = synthetic.dataset(tmp_path / "d", 1)
    here = orjson.loads(record_path(folder, 0).read_bytes())["split"]
    other = "val" if here == "train" else "train"
    told = export_dataset(folder, "yolo", tmp_path / "x")
    assert told.images == {here: 1, other: 0} and any(f"no image is in {other}" in note for note in told.notes)
    with pytest.raises(DatasetError, match=f"has no image in {other}"):
        export_dataset(folder, "yolo", tmp_path / "y", [other])
