"""Damaged, foreign and busy dataset folders: what is said, what the same command mends, and that nothing is lost."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import scenewright as sw
from scenewright.datasets.locks import lock
from scenewright.errors import DatasetError

from .commands import COUNT, Run, content


def rewrite(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    record = json.loads(path.read_bytes())
    change(record)
    path.write_text(json.dumps(record))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


#: Damage → what it does, what `validate` says, and whether the same generate command mends it.
DAMAGE: dict[str, tuple[Callable[[Path], object], str, bool]] = {
    "picture cut off": (lambda d: truncate(d / "images/000001.png"), "the PNG is cut off after 50 bytes", False),
    "ids cut off": (lambda d: truncate(d / "ids/000001.png"), "the PNG is cut off after 50 bytes", False),
    "picture of another image": (
        lambda d: shutil.copy(d / "images/000002.png", d / "images/000001.png"),
        "images/000001.png holds other pixels than were recorded",
        False,
    ),
    "picture deleted": (lambda d: (d / "images/000001.png").unlink(), "images/000001.png is missing", True),
    "depth deleted": (lambda d: (d / "depth/000001.png").unlink(), "depth/000001.png is missing", True),
    "folder deleted": (lambda d: shutil.rmtree(d / "ids"), "ids: the folder is missing", True),
    "record deleted": (
        lambda d: (d / "records/000001.json").unlink(),
        "images were asked for and have no record",
        True,
    ),
    "foreign file": (lambda d: (d / "images/cat.png").touch(), "images/cat.png: a foreign file", False),
    "left by a crash": (lambda d: (d / "images/.000001.png.ab.tmp").touch(), "left by an interrupted write", True),
    "record cut off": (lambda d: truncate(d / "records/000001.json"), "000001.json is no record: Invalid JSON", False),
    "record that climbs out": (
        lambda d: rewrite(d / "records/000001.json", lambda r: r.update(image="../../secret.png")),
        "'../../secret.png' must be a path below the dataset's folder",
        False,
    ),
    "record of another image": (
        lambda d: shutil.copy(d / "records/000002.json", d / "records/000001.json"),
        "records/000001.json: holds image 2 of scene 2",
        False,
    ),
    "label changed": (
        lambda d: rewrite(d / "records/000001.json", lambda r: r["instances"][0].update(area=1)),  # type: ignore[index]
        "its labels were changed after they were written",
        False,
    ),
    "COCO file edited": (
        lambda d: (d / "annotations/instances_train.json").write_text('{"images": []}'),
        "instances_train.json: differs from what the records give, from byte",
        True,
    ),
    "COCO file deleted": (
        lambda d: (d / "annotations/instances_val.json").unlink(),
        "instances_val.json: is miss",
        True,
    ),
    "dataset.json deleted": (lambda d: (d / "dataset.json").unlink(), "is no dataset: it has no dataset.json", True),
    "dataset.json cut off": (lambda d: truncate(d / "dataset.json"), "dataset.json is damaged: Invalid JSON", True),
    "dataset.json of counts": (
        lambda d: rewrite(d / "dataset.json", lambda i: i["counts"].update(images=9)),  # type: ignore[attr-defined]
        "dataset.json: counts 9 images, the folder holds 3",
        True,
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damaged_datasets(case: str, run: Run, recipe: Path, dataset: Path, made: Path) -> None:
    """`validate` names the file and the remedy; the same command mends what it can, and never what it cannot prove."""
    damage, said, mends = DAMAGE[case]
    damage(dataset)
    before = content(dataset)
    ended = run("validate", dataset)
    assert ended.code == 1
    assert said in ended.out and "Traceback" not in ended.out + ended.err
    assert content(dataset) == before, "looking changes nothing"
    again = run("generate", recipe, "--out", dataset, "--count", COUNT)
    after = content(dataset)
    if mends:
        assert again.code == 0 and after == content(made)
    else:
        assert again.code in (0, 1) and "Traceback" not in again.err
        kept = {name for name in before if name.split("/")[0] in ("images", "depth", "ids", "records")}
        assert {n: after[n] for n in kept} == {n: before[n] for n in kept}, "nothing is overwritten in silence"


def test_a_lost_dataset_json_is_written_for_the_same_recipe_only(run: Run, recipe: Path, dataset: Path) -> None:
    """Without dataset.json the records say what the folder was made from, and another recipe is refused."""
    (dataset / "dataset.json").unlink()
    before = content(dataset)
    ended = run("generate", recipe, "--out", dataset, "--seed", 5)
    assert ended.code == 1 and "image 0 was made from another recipe or with seed 0" in ended.err
    assert content(dataset) == before
    shutil.rmtree(dataset / "records")
    (dataset / "dataset.json").write_text("{")
    ended = run("generate", recipe, "--out", dataset)
    assert ended.code == 1 and "is damaged, and no records are left to write it from" in ended.err


def test_another_run_holds_the_folder(run: Run, recipe: Path, dataset: Path) -> None:
    """Two runs never write to one folder."""
    with lock(dataset):
        ended = run("generate", recipe, "--out", dataset, "--count", COUNT)
    assert ended.code == 1 and f"another run is writing to {dataset}: wait for it" in ended.err
    assert run("generate", recipe, "--out", dataset, "--count", COUNT).code == 0


def test_a_file_system_without_locks_is_named(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that cannot be had is not taken for another run."""

    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("scenewright.datasets.locks.fcntl.flock", flock)
    with pytest.raises(DatasetError, match=r"cannot lock .*: No locks available\. Choose an --out on a file system"):
        sw.generate(sw.load(recipe), 1, tmp_path / "d")


def test_a_run_that_was_killed_before_its_first_file_goes_on(recipe: Path, made: Path, tmp_path: Path) -> None:
    """What an interrupted first write of dataset.json leaves behind does not block the folder."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d/.dataset.json.0123456789ab.tmp").write_text("{")
    assert sw.generate(sw.load(recipe), COUNT, tmp_path / "d").complete
    assert content(tmp_path / "d") == content(made)
