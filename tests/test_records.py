"""Files of a dataset: written whole or not at all, read only below its folder, and equal after a round trip."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from scenewright.datasets.depth import decode_depth, encode_depth
from scenewright.datasets.files import inside, sweep, write_bytes_atomic
from scenewright.datasets.png import (
    decode_ids,
    decode_rgb,
    encode_ids,
    encode_rgb,
    pixels_sha256,
)
from scenewright.datasets.records import (
    indices,
    iter_records,
    quarantined,
    read_info,
    read_record,
    record_path,
    write_quarantine,
    write_record,
)
from scenewright.datasets.splits import split_of
from scenewright.errors import DatasetError, UsageError

from .synthetic import close, dataset, random_discs, write_image


def test_records_survive_the_disk(tmp_path: Path) -> None:
    """A record read back equals the one written, and records come by index whatever the order of writing."""
    written = {i: write_image(tmp_path, random_discs(i), i) for i in (11, 2, 7)}
    assert indices(tmp_path) == [2, 7, 11]
    assert list(iter_records(tmp_path)) == [written[i] for i in (2, 7, 11)]
    assert record_path(tmp_path, 7).name == "000007.json"
    info = close(tmp_path)
    assert read_info(tmp_path) == info


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full while writing, the old content stays, nothing else is left, and the error says why."""
    path = tmp_path / "a" / "x.json"
    write_bytes_atomic(path, b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DatasetError, match=r"No space left on device\. Free space"):
        write_bytes_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    """A place that cannot be a folder is an error that names it."""
    (tmp_path / "images").write_text("")
    with pytest.raises(DatasetError, match=r"cannot write .*images/000000\.png"):
        write_bytes_atomic(tmp_path / "images" / "000000.png", b"")


def test_sweep_removes_only_what_writes_left(tmp_path: Path) -> None:
    """Temporary files of killed writers go, everything else stays."""
    write_bytes_atomic(tmp_path / "images" / "000000.png", b"picture")
    (tmp_path / "images" / ".000001.png.0123456789ab.tmp").write_bytes(b"half")
    (tmp_path / ".dataset.json.0123456789ab.tmp").write_bytes(b"half")
    assert sweep(tmp_path) == 2
    assert [p.name for p in (tmp_path / "images").iterdir()] == ["000000.png"]


@pytest.mark.parametrize("path", ["../x.png", "/etc/passwd", "images/../../x", "images\\..\\x", "link/x"])
def test_paths_stay_inside(tmp_path: Path, path: str) -> None:
    """No path leads out of the dataset, not by dots, not by a root, not by a symbolic link."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link").symlink_to(tmp_path)
    with pytest.raises(DatasetError, match="leads out of the dataset"):
        inside(tmp_path / "data", path)
    assert inside(tmp_path / "data", "images/x.png") == tmp_path / "data" / "images" / "x.png"


def test_a_record_cannot_name_a_path_outside(tmp_path: Path) -> None:
    """A record whose image climbs out of the folder does not load, and the message shows the path."""
    write_image(tmp_path, random_discs(0), 0)
    path = record_path(tmp_path, 0)
    path.write_bytes(path.read_bytes().replace(b'"images/000000.png"', b'"../../secret.png"'))
    with pytest.raises(DatasetError, match=r"image: .*'../../secret.png' must be a path below"):
        read_record(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"index": 1}', b"null"])
def test_damaged_records_are_explained(tmp_path: Path, content: bytes) -> None:
    """Whatever stands in a record's file, reading it gives one error of ours with its path."""
    write_bytes_atomic(record_path(tmp_path, 0), content)
    with pytest.raises(DatasetError, match=r"000000\.json is no record"):
        read_record(record_path(tmp_path, 0))


def test_a_folder_without_dataset_json(tmp_path: Path) -> None:
    """A folder that is no dataset is named as such."""
    with pytest.raises(DatasetError, match=r"has no dataset\.json"):
        read_info(tmp_path)


def test_quarantine_is_apart(tmp_path: Path) -> None:
    """A quarantined image is found in quarantine with its scene and reason, and never among the records."""
    dataset(tmp_path, 2)
    record = read_record(record_path(tmp_path, 1)).model_copy(update={"status": "quarantined", "reason": "31 pixels"})
    with pytest.raises(DatasetError, match="records/ holds complete images only"):
        write_record(tmp_path, record)
    written = write_quarantine(tmp_path, record, {"image.png": b"x", "ids.png": b"y", "ids_rays.png": b"z"})
    assert read_record(written).reason == "31 pixels"
    assert sorted(p.name for p in written.parent.iterdir()) == [
        "ids.png", "ids_rays.png", "image.png", "record.json", "scene.json",
    ]  # fmt: skip
    assert (indices(tmp_path), quarantined(tmp_path)) == ([0, 1], [1])
    with pytest.raises(DatasetError, match="without a reason"):
        write_quarantine(tmp_path, record.model_copy(update={"reason": None}), {})


def test_pictures_survive_png() -> None:
    """Colour and ids come back exactly, and the same pixels give the same bytes."""
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
    ids = rng.integers(0, 65536, (30, 40), dtype=np.uint16)
    np.testing.assert_array_equal(decode_rgb(encode_rgb(rgb), 40, 30), rgb)
    np.testing.assert_array_equal(decode_ids(encode_ids(ids), 40, 30), ids)
    assert encode_rgb(rgb) == encode_rgb(rgb.copy())
    assert pixels_sha256(rgb) == pixels_sha256(np.asfortranarray(rgb)) != pixels_sha256(rgb[::-1])


def test_depth_is_stored_in_steps() -> None:
    """Depth is within half a step; nothing is 0, too near is one step, too far is the last step and is counted."""
    depth = np.array([[0.5, 1.23449, np.inf, np.nan, 0.0001, 70.0]], dtype=np.float32)
    data, stored, saturated = encode_depth(depth, 0.001)
    assert stored.tolist() == [[500, 1234, 0, 0, 1, 65535]]
    assert saturated == 1
    np.testing.assert_array_equal(decode_depth(data, 6, 1), stored)


def test_depth_in_exr_is_exact(capfd: pytest.CaptureFixture[str]) -> None:
    """EXR keeps every float32 of the depth, inf where there is no surface; equal depth gives equal bytes."""
    depth = np.array([[0.5, 1.23449, np.inf, np.nan, 0.0001, 70.0]], dtype=np.float32)
    data, stored, saturated = encode_depth(depth, 1.0, "exr")
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(stored, np.where(np.isnan(depth), np.inf, depth))
    np.testing.assert_array_equal(decode_depth(data, 6, 1, "exr"), stored)
    assert (saturated, data) == (0, encode_depth(depth.copy(), 1.0, "exr")[0])
    with pytest.raises(DatasetError, match="the EXR is damaged"):
        decode_depth(data[:-9], 6, 1, "exr")
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("kept", [0, 8, 20, 100, -1])
def test_truncated_pictures_are_errors(kept: int, capfd: pytest.CaptureFixture[str]) -> None:
    """A PNG cut off anywhere is an error, never half a picture, and libpng prints nothing."""
    data = encode_rgb(np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8))
    with pytest.raises(DatasetError, match=r"cut off|not a PNG"):
        decode_rgb(data[:kept], 40, 30)
    assert capfd.readouterr() == ("", "")


def test_damaged_and_foreign_pictures_are_errors() -> None:
    """A flipped bit, another size and another pixel format are each named."""
    data = encode_ids(np.arange(1200, dtype=np.uint16).reshape(30, 40))
    flipped = bytearray(data)
    flipped[60] ^= 1
    with pytest.raises(DatasetError, match="damaged in its b'IDAT' chunk"):
        decode_ids(bytes(flipped), 40, 30)
    with pytest.raises(DatasetError, match=r"the PNG is 40x30, .* its record says 41x30"):
        decode_ids(data, 41, 30)
    with pytest.raises(DatasetError, match=r"1 channel\(s\) of 16 bits, its record says 40x30, 3 channel"):
        decode_rgb(data, 40, 30)


def test_splits_move_nobody() -> None:
    """An image's split depends on seed and index alone; a larger share only moves images to val; shares come out."""
    first = [split_of(5, i) for i in range(5000)]
    assert 0.18 < first.count("val") / 5000 < 0.22
    larger = [split_of(5, i, 0.3) for i in range(5000)]
    assert all(b == "val" for a, b in zip(first, larger, strict=True) if a == "val")
    assert [split_of(6, i) for i in range(5000)] != first
    assert {split_of(5, i, 0.0) for i in range(100)} == {"train"}
    assert {split_of(5, i, 1.0) for i in range(100)} == {"val"}
    with pytest.raises(UsageError, match="between 0 and 1"):
        split_of(5, 0, 1.5)
