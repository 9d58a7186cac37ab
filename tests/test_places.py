"""Datasets on a file system: files that come into being once, whoever else writes them, and places that are refused."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from scenewright.assets import atomic
from scenewright.datasets.files import check_creates, create, exists, inside, read_bytes, read_each, remove
from scenewright.datasets.listing import entries, is_folder, names, numbered
from scenewright.datasets.place import place
from scenewright.datasets.presence import is_there, present
from scenewright.datasets.records import read_info, record_path
from scenewright.errors import DatasetError, UsageError

from .commands import COUNT, Run


def test_a_path_is_a_path() -> None:
    """Folders of this machine are `pathlib`'s, however they are written."""
    assert place("out/parts") == Path("out/parts") and place(Path("/a b")) == Path("/a b")
    assert place("s3") == Path("s3") and place("a:b") == Path("a:b")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://host/x", r"a folder or at s3://, gs://, az://, got 'http://host/x'"),
        ("memory://x", r"only of these is it known"),
        ("s3:/bucket/x", r"lacks a slash: a bucket is written s3://bucket/x"),
        ("s3://", r"names no place in a bucket: write s3://BUCKET/FOLDER"),
        ("s3://bucket/../x", r"names no place"),
        ("s3://bucket//x", r"names no place"),
        ("S3://bucket/./x", r"names no place"),
        ("s3://bucket/x::memory://y", r"names no place"),
    ],
)
def test_places_that_are_refused(text: str, said: str) -> None:
    """A store of which it is not known that it commits safely, and an address that cannot be meant, are refused."""
    with pytest.raises(UsageError, match=said):
        place(text)


def test_a_missing_client_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever names a bucket without the package for it is told what to install."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"gs:// needs the package gcsfs: pip install 'scenewright\[farm\]'"):
        place("gs://bucket/x")


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", "s3://b/d", "--to", "yolo", "--out", "out"),
        ("defects", "s3://b/d", "--inpaint", "--out", "out"),
        ("fetch", "s3://b/d", "s3://b/e"),
    ],
)
def test_commands_that_need_a_folder_say_so(arguments: tuple[str, ...], run: Run) -> None:
    """What reads or writes folders alone names the command that makes one of a bucket."""
    pytest.importorskip("s3fs", reason="s3fs is an optional dependency")
    ended = run(*arguments)
    assert ended.code == 2 and "run `scenewright fetch s3://b/" in ended.err


def test_only_buckets_are_fetched(made: Path, tmp_path: Path, run: Run) -> None:
    """A folder needs no fetching."""
    ended = run("fetch", made, tmp_path / "d")
    assert ended.code == 2 and "is a folder already" in ended.err and not (tmp_path / "d").exists()


def test_local_runs_load_no_client(made: Path) -> None:
    """A dataset on a disk is read and its commands are listed without fsspec and what builds on it."""
    code = (
        "import sys; import scenewright.cli; from pathlib import Path;"
        "from scenewright.datasets.validate import validate;"
        f"assert not list(validate(Path({str(made)!r})));"
        "print(sorted({'fsspec', 'upath', 's3fs', 'aiohttp', 'botocore'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_a_file_is_created_once(tmp_path: Path) -> None:
    """What is there stays, nothing is left beside it, and the folder is made."""
    path = tmp_path / "new/a.json"
    assert create(path, b"first") and not create(path, b"second")
    assert path.read_bytes() == b"first" and names(path.parent) == ["a.json"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_of_many_one_creates(tmp_path: Path) -> None:
    """Of all who create the same file at once, exactly one succeeds, and the file is its."""
    for k in range(20):
        path, barrier, won = tmp_path / f"{k}", threading.Barrier(8), list[bytes]()

        def write(mine: bytes, path: Path = path, barrier: threading.Barrier = barrier, won: list[bytes] = won) -> None:
            barrier.wait()
            if create(path, mine):
                won.append(mine)

        threads = [threading.Thread(target=write, args=(bytes([n]) * 50_000,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [path.read_bytes()] == won
    assert len(names(tmp_path)) == 20


def test_a_link_that_nfs_reports_as_old_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When NFS sends a request twice, the second answer says that the file exists: it was we who made it."""
    link = os.link

    def twice(source: Path, target: Path) -> None:
        link(source, target)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))

    monkeypatch.setattr(os, "link", twice)
    assert create(tmp_path / "a", b"ours") and (tmp_path / "a").read_bytes() == b"ours"


def test_without_hard_links_a_rename_does_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system that has no hard links a rename that replaces nothing creates files, or the error says why."""

    def refuse(source: Path, target: Path) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    assert create(tmp_path / "a", b"first") and not create(tmp_path / "a", b"second")
    assert (tmp_path / "a").read_bytes() == b"first" and names(tmp_path) == ["a"]
    monkeypatch.setattr(atomic, "_renamed", lambda *_: (_ for _ in ()).throw(OSError(errno.EINVAL, atomic.NO_WAY)))
    with pytest.raises(DatasetError, match=r"neither hard links nor a rename that replaces nothing"):
        create(tmp_path / "b", b"first")
    assert names(tmp_path) == ["a"]


def test_the_small_functions_agree_with_the_disk(tmp_path: Path) -> None:
    """Reading, listing and removing tell what lies there, and nothing of what does not."""
    for name in ("000002.json", "000010.json", "1234567.json", "0000003.json", "2.json", "000004.png", ".x.tmp"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "sub").mkdir()
    assert numbered(tmp_path, ".json") == [2, 10, 1234567] and numbered(tmp_path / "no", ".json") == []
    assert names(tmp_path / "no") == [] and "sub" in names(tmp_path) and is_folder(tmp_path / "sub")
    assert sorted(e.name for e in entries(tmp_path)) == sorted(n for n in names(tmp_path) if n != "sub")
    paths = [tmp_path / "000010.json", tmp_path / "000002.json"]
    assert list(read_each(paths)) == [(p, p.name.encode()) for p in paths]
    assert exists(paths[0]) and not exists(tmp_path / "sub")
    remove(paths[0])
    remove(paths[0])
    assert not exists(paths[0])
    with pytest.raises(DatasetError, match=r"000010\.json is missing"):
        read_bytes(paths[0])
    with pytest.raises(DatasetError, match="leads out of the dataset"):
        inside(tmp_path, "../x")
    check_creates(tmp_path)


def test_an_image_is_present_with_all_its_files(dataset: Path) -> None:
    """An image counts when its record and every picture are there, asked one by one or from listings."""
    info = read_info(dataset)
    assert present(dataset, info) == set(range(COUNT)) and all(is_there(dataset, i, info) for i in range(COUNT))
    (dataset / "depth/000001.png").unlink()
    record_path(dataset, 2).unlink()
    assert present(dataset, info) == {0} and [is_there(dataset, i, info) for i in range(COUNT)] == [True, False, False]
