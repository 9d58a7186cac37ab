"""Content-addressed files: what is found has the hash that was asked for."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from scenewright.assets.files import add_folder, copy_into, locate, remember, store
from scenewright.assets.material import FileRef
from scenewright.errors import AssetError


def ref_of(content: bytes, name: str = "x.bin") -> FileRef:
    return FileRef(name=name, sha256=hashlib.sha256(content).hexdigest())


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_remember_gives_the_name_and_the_sha256(tmp_path: Path) -> None:
    """A reference holds the file's bare name and the sha256 of its bytes, across several read chunks."""
    content = bytes(range(256)) * 10_000
    assert remember(written(tmp_path / "x.bin", content)) == ref_of(content)


def test_locate_finds_a_remembered_file(tmp_path: Path) -> None:
    """What was remembered is found again."""
    path = written(tmp_path / "a.txt", b"locate me")
    assert locate(remember(path)) == path


def test_locate_falls_back_to_a_twin(tmp_path: Path) -> None:
    """When one copy is deleted, another file of equal content serves."""
    first, second = (written(tmp_path / name, b"twins") for name in ("1.txt", "2.txt"))
    ref = remember(first)
    remember(second)
    first.unlink()
    assert locate(ref) == second


def test_changed_content_is_never_returned(tmp_path: Path) -> None:
    """A file that changed after it was remembered is refused, by name and hash."""
    path = written(tmp_path / "wood.jpg", b"before")
    ref = remember(path)
    path.write_bytes(b"after!!")
    with pytest.raises(AssetError, match=rf'"wood.jpg" \(sha256 {ref.sha256[:12]}….*has changed.*wood\.jpg'):
        locate(ref)


def test_change_of_equal_size_is_seen_by_mtime(tmp_path: Path) -> None:
    """New bytes of the same size are noticed through the file's mtime."""
    path = written(tmp_path / "x.bin", b"AAAA")
    ref = remember(path)
    path.write_bytes(b"BBBB")
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))
    assert remember(path) == ref_of(b"BBBB")
    with pytest.raises(AssetError, match="has changed"):
        locate(ref)


def test_deleted_file_is_named(tmp_path: Path) -> None:
    """A file that is gone is named with the place where it was."""
    path = written(tmp_path / "gone.obj", b"short-lived")
    ref = remember(path)
    path.unlink()
    with pytest.raises(AssetError, match=r"gone from .*gone\.obj"):
        locate(ref)


def test_unknown_content_says_what_to_try() -> None:
    """A hash that nobody has seen leads to the dataset's assets folder."""
    with pytest.raises(AssetError, match=r'"never.png" \(sha256 .*in no known place.*assets/'):
        locate(ref_of(b"never seen by anyone", "never.png"))


def test_add_folder_serves_files_named_by_hash(tmp_path: Path) -> None:
    """A folder of `<sha256><suffix>` files serves its content to a process that never saw the originals."""
    ref = ref_of(b"from a dataset", "part.stl")
    stored = written(tmp_path / f"{ref.sha256}.stl", b"from a dataset")
    add_folder(tmp_path)
    assert locate(ref) == stored


def test_add_folder_does_not_trust_names(tmp_path: Path) -> None:
    """A file that is named by a hash but holds other bytes is refused."""
    ref = ref_of(b"honest", "part.stl")
    written(tmp_path / f"{ref.sha256}.stl", b"forged")
    add_folder(tmp_path)
    with pytest.raises(AssetError, match="now holds other content"):
        locate(ref)


def test_add_folder_refuses_a_file(tmp_path: Path) -> None:
    """Only a folder can be searched."""
    with pytest.raises(AssetError, match="is no folder"):
        add_folder(written(tmp_path / "f", b"x"))


def test_copy_into_names_by_hash_and_leaves_nothing_else(tmp_path: Path) -> None:
    """A copy is `<sha256><suffix>` with the same bytes, and no temporary file stays."""
    ref = remember(written(tmp_path / "Tex.PNG", b"pixels"))
    copy = copy_into(ref, tmp_path / "assets")
    assert copy == tmp_path / "assets" / f"{ref.sha256}.png"
    assert copy.read_bytes() == b"pixels"
    assert list(copy.parent.iterdir()) == [copy]


def test_copy_into_keeps_a_good_copy_and_replaces_a_damaged_one(tmp_path: Path) -> None:
    """A complete copy is not written again; a damaged one is."""
    ref = remember(written(tmp_path / "t.png", b"pixels!"))
    copy = copy_into(ref, tmp_path / "assets")
    inode = copy.stat().st_ino
    assert copy_into(ref, tmp_path / "assets").stat().st_ino == inode
    copy.write_bytes(b"pix")
    assert copy_into(ref, tmp_path / "assets").read_bytes() == b"pixels!"


def test_copy_into_cannot_leave_its_folder(tmp_path: Path) -> None:
    """A name that climbs out, as a forged record may hold, cannot move the copy elsewhere."""
    content = written(tmp_path / "x", b"forged name")
    ref = FileRef(name="../../etc/x.png", sha256=remember(content).sha256)
    assert copy_into(ref, tmp_path / "assets").parent == tmp_path / "assets"


def test_copy_into_unwritable_target_is_an_asset_error(tmp_path: Path) -> None:
    """A target that is no folder is an error that names it, and the source stays."""
    path = written(tmp_path / "x.png", b"unwritable")
    with pytest.raises(AssetError, match=r"cannot write .*file/.*\.png"):
        copy_into(remember(path), written(tmp_path / "file", b"in the way"))
    assert path.read_bytes() == b"unwritable"


def test_store_names_bytes_by_their_hash(tmp_path: Path) -> None:
    """Bytes from memory land beside copied files, under the same rule."""
    stored = store(b"embedded", ".png", tmp_path / "new" / "assets")
    assert stored.name == f"{ref_of(b'embedded').sha256}.png"
    assert stored.read_bytes() == b"embedded"
    assert list(stored.parent.iterdir()) == [store(b"embedded", ".png", stored.parent)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p / "absent.stl", r"absent\.stl does not exist"),
        (lambda p: p, r"is a folder: name a file"),
        (lambda p: written(p / "empty.stl", b""), r"empty\.stl is empty"),
        (lambda p: written(p / "f", b"x") / "child.stl", r"child\.stl cannot be read"),
        (lambda p: p / "nul\0.stl", r"nul\x00\.stl cannot be read"),
    ],
)
def test_unusable_paths_are_named(tmp_path: Path, make, message: str) -> None:  # type: ignore[no-untyped-def]
    """Missing, folder, empty and unreadable paths are asset errors that name the path."""
    with pytest.raises(AssetError, match=message):
        remember(make(tmp_path))
