"""Images that could not be made, while other shares of the run put some aside and take others up again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from scenewright.datasets import failures as module
from scenewright.datasets.failures import FILES, Failure, drop_failures, failed, failures, write_failure
from scenewright.datasets.files import read_there
from scenewright.datasets.place import Place
from scenewright.datasets.records import quarantine_folder
from scenewright.errors import DatasetError


def failure(index: int) -> Failure:
    return Failure(index=index, status="failed", reasons=("a crash",), host="h", command="c", versions={})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dataset's folder in which images 0, 1 and 2 are put aside."""
    for index in range(3):
        write_failure(tmp_path, failure(index), b"{}", b"log")
    return tmp_path


def test_what_another_share_takes_up_again_is_absent(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure that goes away between the listing and the reading is none."""

    def late(paths: Iterable[Place]) -> Iterator[tuple[Place, bytes]]:
        found = list(paths)
        drop_failures(folder, {1})
        return read_there(found)

    monkeypatch.setattr(module, "read_there", late)
    assert failures(folder, range(3)) == {0: failure(0), 2: failure(2)}


def test_a_share_looks_at_its_own_images_only(folder: Path) -> None:
    """What is wrong with the failure of another share's image ends no other share."""
    (quarantine_folder(folder, 1) / "failure.json").write_text("{")
    assert failures(folder, {0}) == {0: failure(0)}
    with pytest.raises(DatasetError, match=r"000001/failure\.json is damaged"):
        failures(folder, {1})
    drop_failures(folder, {2, 7})
    assert failed(folder) == [0, 1] and not quarantine_folder(folder, 2).exists()


def test_what_a_killed_worker_left_is_in_nobodys_way(folder: Path) -> None:
    """A folder in which other files lie stays, without what said that the image failed."""
    place = quarantine_folder(folder, 0)
    (place / ".image.png.x.tmp").touch()
    drop_failures(folder, {0})
    assert [path.name for path in place.iterdir()] == [".image.png.x.tmp"] and failed(folder) == [1, 2]


def test_shares_that_retry_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another one forgets the same image, both have forgotten it."""
    monkeypatch.setattr(module, "failed", lambda _: [0, 1, 2])
    for name in FILES:
        (quarantine_folder(folder, 1) / name).unlink()
    quarantine_folder(folder, 1).rmdir()
    drop_failures(folder, range(3))
    assert not list((folder / "quarantine").iterdir())
