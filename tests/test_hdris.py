"""Environment images: the built-in ones are as described, and a file that cannot light a scene is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import OpenEXR
import pytest

from scenewright.assets.files import remember
from scenewright.assets.hdris import BUILT_IN, check_hdri, hdri_files, hdri_path, mean_luminance
from scenewright.assets.material import FileRef
from scenewright.assets.reach import Reach
from scenewright.errors import AssetError

Image = npt.NDArray[np.float32]


def exr(path: Path, channels: dict[str, Image]) -> Path:
    OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, channels).write(str(path))
    return path


def constant(r: float, g: float, b: float, height: int = 32, width: int = 64) -> Image:
    return np.broadcast_to(np.array([r, g, b], np.float32), (height, width, 3)).copy()


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_built_in_is_what_the_table_says(name: str) -> None:
    """Hash and mean luminance of each built-in panorama, measured again, are the table's, and so is its source."""
    known = BUILT_IN[name]
    path = hdri_path(name)  # refuses another hash
    assert remember(path) == known.ref
    assert mean_luminance(path) == pytest.approx(known.mean_luminance, abs=1e-4)
    assert (known.licence, known.author) == ("CC0-1.0", "Greg Zaal (Poly Haven)")
    assert known.source in (path.parent / "license.txt").read_text()


def test_the_eight_names() -> None:
    """Recipes may name exactly the panoramas that bpy brings."""
    assert set(BUILT_IN) == {
        path.stem for path in hdri_files(hdri_path("city").parent, Reach(hdri_path("city").parent))
    }


def test_mean_luminance_weights_with_solid_angle(tmp_path: Path) -> None:
    """A white cap of 30° around the zenith has the mean (1 − cos 30°)/2, in which a plain average would see 1/6."""
    pixels = constant(0, 0, 0, 60, 120)
    pixels[:10] = 1.0
    assert mean_luminance(exr(tmp_path / "cap.exr", {"RGB": pixels})) == pytest.approx((1 - np.cos(np.pi / 6)) / 2)


def test_mean_luminance_of_a_colour(tmp_path: Path) -> None:
    """A uniform sphere has its colour's Rec.709 luminance: EXR with and without alpha, one channel, Radiance."""
    luminance = pytest.approx(0.2126 * 0.5 + 0.7152 * 0.25 + 0.0722 * 1.0, rel=1e-3)
    rgb = constant(0.5, 0.25, 1.0)
    alpha = np.dstack([rgb, np.zeros((32, 64), np.float32)])
    assert mean_luminance(exr(tmp_path / "a.exr", {"RGB": rgb})) == luminance
    assert mean_luminance(exr(tmp_path / "b.exr", {"RGBA": alpha})) == luminance
    assert mean_luminance(exr(tmp_path / "c.exr", {"Y": constant(0.25, 0, 0)[..., 0].copy()})) == pytest.approx(0.25)
    cv2.imwrite(str(tmp_path / "d.hdr"), rgb[..., ::-1])
    assert mean_luminance(tmp_path / "d.hdr") == luminance


def with_nan() -> Image:
    pixels = constant(1, 1, 1)
    pixels[3, 5] = np.nan
    return pixels


def parts(path: Path, count: int, channels: int) -> None:
    """An EXR of several parts, of which a reader sees the first only and unfolds all."""
    pixels = {f"{k}": np.ones((32, 64), np.float32) for k in range(channels)}
    header = {"type": OpenEXR.scanlineimage}
    OpenEXR.File([OpenEXR.Part(dict(header), dict(pixels), name=f"part {k}") for k in range(count)]).write(str(path))


#: A header that says 64×32 first, where no reader looks, and then what it means.
RADIANCE = b"#?RADIANCE\n-Y 32 +X 64\nFORMAT=32-bit_rle_rgbe\n\n-Y 32767 +X 32767\n" + bytes(100)


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("square.exr", lambda p: exr(p, {"RGB": constant(1, 1, 1, 64, 64)}), r"square\.exr is 64×64: a panorama"),
        ("nan.exr", lambda p: exr(p, {"RGB": with_nan()}), r"nan\.exr has 1 NaN or infinite pixels"),
        ("black.exr", lambda p: exr(p, {"RGB": constant(0, 0, 0)}), r"black\.exr is black"),
        (
            "depth.exr",
            lambda p: exr(p, {"Z": constant(1, 1, 1)[..., 0].copy()}),
            "has the channels Z: save it as one layer of R, G and B",
        ),
        ("text.exr", lambda p: p.write_text("no picture"), r"text\.exr cannot be read as \.exr"),
        ("text.hdr", lambda p: p.write_text("no picture"), r"text\.hdr cannot be read as \.hdr"),
        ("cut.exr", lambda p: p.write_bytes(hdri_path("studio").read_bytes()[:-50]), r"cut\.exr cannot be read"),
        ("parts.exr", lambda p: parts(p, 2, 3), r"parts\.exr has 3 channels in the first of 2 parts: save it as one"),
        ("layers.exr", lambda p: parts(p, 1, 5), r"layers\.exr has 5 channels in the first of 1 parts"),
        ("huge.hdr", lambda p: p.write_bytes(RADIANCE), r"huge\.hdr has 32767×32767 pixels, more than 134,217,728"),
        ("empty.hdr", lambda p: p.write_bytes(b""), r"empty\.hdr is empty"),
        ("photo.jpg", lambda p: p.write_bytes(b"\xff\xd8"), r"\.jpg is no HDRI format; use \.exr or \.hdr"),
        ("absent.exr", lambda p: None, r"absent\.exr does not exist"),
    ],
)
def test_unusable_files_are_refused(tmp_path: Path, name: str, make: Callable[[Path], object], message: str) -> None:
    """A file that cannot light a scene is an asset error that names it and the reason."""
    make(tmp_path / name)
    with pytest.raises(AssetError, match=message):
        check_hdri(tmp_path / name)


def test_unknown_names() -> None:
    """A wrong name gets the nearest right one, or all of them."""
    with pytest.raises(AssetError, match=r"no built-in HDRI 'studoi': did you mean 'studio'\?"):
        hdri_path("studoi")
    with pytest.raises(AssetError, match=r"no built-in HDRI 'moon': choose one of city, courtyard"):
        mean_luminance("moon")


def test_hdri_path_of_a_reference(tmp_path: Path) -> None:
    """A user's panorama is found by its content, and an unknown one is refused."""
    path = exr(tmp_path / "mine.exr", {"RGB": constant(1, 1, 1)})
    assert hdri_path(remember(path)).read_bytes() == path.read_bytes()
    with pytest.raises(AssetError, match="is in no known place"):
        hdri_path(FileRef(name="theirs.exr", sha256="d1" * 32))


def test_hdri_files(tmp_path: Path) -> None:
    """A folder gives its panoramas by name; a folder without any and a path that is none are refused."""
    with pytest.raises(AssetError, match=r"has no \.exr or \.hdr file"):
        hdri_files(tmp_path, Reach(tmp_path))
    for name in ("b.exr", "a.HDR", "readme.txt"):
        (tmp_path / name).write_text("x")
    assert [path.name for path in hdri_files(tmp_path, Reach(tmp_path))] == ["a.HDR", "b.exr"]
    with pytest.raises(AssetError, match="is no folder"):
        hdri_files(tmp_path / "a.HDR", Reach(tmp_path))
