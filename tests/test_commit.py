"""How an image becomes part of its dataset: once, whoever else makes it, and whatever the disk does meanwhile."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import scenewright as sw
from scenewright.datasets import commit as committing
from scenewright.datasets.commit import commit
from scenewright.datasets.files import create
from scenewright.datasets.presence import present
from scenewright.datasets.records import Record, indices, read_info, read_record, record_path, write_record
from scenewright.pipeline import produce
from scenewright.scenes.load import recipe_from_dict

from .commands import COUNT, Run, content


@pytest.fixture
def image(made: Path) -> tuple[Record, dict[str, bytes]]:
    """A finished image: its record and its pictures by path."""
    record = read_record(record_path(made, 0))
    return record, {path: (made / path).read_bytes() for path in (record.image, record.depth, record.ids)}


def elsewhere(image: tuple[Record, dict[str, bytes]]) -> tuple[Record, dict[str, bytes]]:
    """The same image from another device: other pixels, and hashes of them."""
    record, pictures = image
    hashes = record.hashes.model_copy(update={"rgb": "0" * 64})
    return record.model_copy(update={"hashes": hashes, "device": "gpu"}), {p: d[::-1] for p, d in pictures.items()}


def held(folder: Path, image: tuple[Record, dict[str, bytes]]) -> bool:
    """Whether the folder holds exactly this image."""
    record, pictures = image
    there = {p: (folder / p).read_bytes() for p in pictures}
    return there == pictures and read_record(record_path(folder, record.index)) == record


def test_two_workers_on_one_image_end_with_one_record(image: tuple[Record, dict[str, bytes]], tmp_path: Path) -> None:
    """Whoever comes second, from the same device or another one, changes nothing."""
    assert commit(tmp_path, *image)
    stamp = record_path(tmp_path, 0).stat().st_mtime_ns
    assert not commit(tmp_path, *image) and not commit(tmp_path, *elsewhere(image))
    assert held(tmp_path, image) and record_path(tmp_path, 0).stat().st_mtime_ns == stamp


def test_what_a_dead_worker_left_is_replaced(image: tuple[Record, dict[str, bytes]], tmp_path: Path) -> None:
    """Pictures without a record, from another device, give way to those of the worker that finishes."""
    for path, data in elsewhere(image)[1].items():
        assert create(tmp_path / path, data)
    assert commit(tmp_path, *image) and held(tmp_path, image)


@pytest.mark.parametrize("at", range(4))
def test_the_loser_of_a_race_leaves_the_winners_image(
    at: int, image: tuple[Record, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At whatever moment the other device's worker writes its record: that image is whole, and ours leaves no trace."""
    theirs = elsewhere(image)
    for path, data in theirs[1].items():
        create(tmp_path / path, data)
    calls = iter(range(100))

    def watched(function: Callable[..., bool]) -> Callable[..., bool]:
        def call(*arguments: object) -> bool:
            if next(calls) == at:
                write_record(tmp_path, theirs[0])
            return function(*arguments)

        return call

    monkeypatch.setattr(committing, "create", watched(create))
    monkeypatch.setattr(committing, "write_record", watched(write_record))
    assert not commit(tmp_path, *image)
    assert held(tmp_path, theirs)


def test_a_finished_image_is_not_rendered_again(dataset: Path, made: Path) -> None:
    """A worker that is handed a finished image answers at once and leaves its files alone."""
    info = read_info(dataset)

    class Idle:
        device = "none"

    recipe = recipe_from_dict(info.recipe, None)
    assert produce(recipe, info, 1, dataset, Idle()).status == "ok"  # type: ignore[arg-type]  # it renders nothing
    assert content(dataset) == content(made)


def test_a_torn_record_is_named(dataset: Path, run: Run) -> None:
    """A record that was cut off is named, with what helps; doing that makes the dataset whole again."""
    path = record_path(dataset, 1)
    path.write_bytes(path.read_bytes()[:300])
    ended = run("validate", dataset)
    assert ended.code == 1 and f"{path} is no record" in ended.out and "delete it and render again" in ended.out


MOUNT = """
mount -t tmpfs -o size={kib}k,nr_inodes=1000 none {disk} || exit 77
cp -r {source}/. {disk}/
{before}
{command} >{folder}/out 2>{folder}/err
code=$?
cp -r {disk}/. {after}/
exit $code
"""


def on_a_disk(folder: Path, source: Path, kib: int, before: str, *arguments: object) -> tuple[int, str, Path]:
    """A command on a copy of a dataset, on a disk of its own: exit code, stderr, and a copy of what it holds then.

    The path DISK in the arguments and in `before`, which is run first, is that of the disk.
    """
    tool, disk, after = shutil.which("unshare"), folder / "disk", folder / "after"
    if tool is None:
        pytest.skip("needs unshare, to mount a disk")
    disk.mkdir()
    after.mkdir()
    command = " ".join(map(str, (sys.executable, "-m", "scenewright", *arguments))).replace("DISK", str(disk))
    script = MOUNT.format(
        kib=kib, disk=disk, source=source, before=before.replace("DISK", str(disk)), command=command, folder=folder,
        after=after,
    )  # fmt: skip
    done = subprocess.run([tool, "-rm", "sh", "-c", script], capture_output=True, text=True, check=False)
    if not (folder / "err").exists():
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    return done.returncode, " ".join((folder / "err").read_text().split()), after


def kib(folder: Path) -> int:
    """What the files of a folder take on a disk with pages of 4 KiB."""
    return sum(-(-p.stat().st_size // 4096) * 4 for p in folder.rglob("*") if p.is_file())


def test_a_full_disk_ends_the_run_and_keeps_what_is_finished(recipe: Path, made: Path, tmp_path: Path) -> None:
    """A disk that is full in the middle of an image ends with 1 and what helps; what is finished goes on elsewhere."""
    begun = tmp_path / "begun"
    sw.generate(sw.load(recipe), 1, begun)
    code, said, after = on_a_disk(
        tmp_path, begun, kib(begun) + 40, "", "generate", recipe, "--count", COUNT, "--out", "DISK"
    )
    assert code == 1 and "No space left on device. Free space" in said and "finished images are kept" in said
    assert 0 in present(after, read_info(after)) and len(indices(after)) < COUNT and not list(after.rglob(".*.tmp"))
    result = sw.generate(sw.load(recipe), COUNT, after)
    assert result.complete and content(after) == content(made)


def test_a_read_only_folder_ends_the_run(recipe: Path, made: Path, tmp_path: Path) -> None:
    """A dataset on a disk that has become read-only is left as it is, with a sentence and exit code 1."""
    code, said, after = on_a_disk(
        tmp_path, made, 10_000, "mount -o remount,ro DISK", "generate", recipe, "--count", COUNT + 1, "--out", "DISK"
    )
    assert code == 1 and "Read-only file system. Choose another --out" in said
    assert content(after) == content(made)
