"""Photographs behind pictures: what of them is shown, that they come out as they went in, and what is refused."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError

import scenewright as sw
from scenewright.assets.backplates import backplate_files, crop_of, linear_to_srgb, plate, srgb_to_linear
from scenewright.assets.files import remember
from scenewright.assets.reach import Reach
from scenewright.datasets.png import decode_rgb
from scenewright.datasets.records import iter_records
from scenewright.datasets.validate import validate
from scenewright.errors import AssetError, RecipeError
from scenewright.render.composite import over, tidy_shadow
from scenewright.scenes.load import recipe_from_dict
from scenewright.scenes.recipe import Recipe
from scenewright.scenes.sample import sample

from .small_recipe import RECIPE

Picture = npt.NDArray[np.uint8]


def photograph(path: Path, width: int, height: int, seed: int = 0) -> Picture:
    """A file of chance colours, and its pixels as RGB."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    cv2.imwrite(str(path), pixels[..., ::-1])
    return pixels


def test_a_photograph_of_the_same_size_is_not_touched(tmp_path: Path) -> None:
    """Every code of every channel comes back."""
    pixels = photograph(tmp_path / "a.png", 64, 48)
    ref = remember(tmp_path / "a.png")
    light = plate(ref, crop_of(ref, (64, 48)), (64, 48))
    np.testing.assert_array_equal(np.rint(linear_to_srgb(light) * 255), pixels)
    codes = np.arange(256) / 255
    assert np.abs(linear_to_srgb(srgb_to_linear(codes)) - codes).max() < 1e-7


@pytest.mark.parametrize(
    ("size", "crop"),
    [
        ((64, 48), (0, 0, 128, 96)),
        ((64, 64), (16, 0, 96, 96)),
        ((64, 24), (0, 24, 128, 48)),
        ((50, 48), (14, 0, 100, 96)),
    ],
)
def test_the_largest_part_of_the_pictures_proportions_is_shown(
    tmp_path: Path, size: tuple[int, int], crop: tuple[int, int, int, int]
) -> None:
    """What does not fit is cut off evenly on two sides, and the rest averaged as light."""
    pixels = photograph(tmp_path / "a.png", 128, 96)
    ref = remember(tmp_path / "a.png")
    assert crop_of(ref, size) == crop
    x, y, w, h = crop
    if w == 2 * size[0] and h == 2 * size[1]:
        part = srgb_to_linear(pixels[y : y + h, x : x + w] / 255)
        mean = part.reshape(size[1], 2, size[0], 2, 3).mean(axis=(1, 3))
        assert np.abs(plate(ref, crop, size) - mean).max() < 2e-5


def test_photographs_are_held_upright(tmp_path: Path) -> None:
    """A JPEG whose EXIF says that the camera was turned is shown as it was seen."""
    wide = np.zeros((48, 96, 3), np.uint8)
    wide[:, :48] = 255  # bright on the left; turned clockwise by a quarter, that is the upper half
    jpeg = bytes(cv2.imencode(".jpg", wide)[1])
    tiff = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0) + b"\0\0\0\0"
    app1 = b"Exif\0\0" + tiff
    path = tmp_path / "turned.jpg"
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(app1) + 2) + app1 + jpeg[2:])
    ref = remember(path)
    assert crop_of(ref, (24, 48)) == (0, 0, 48, 96)
    light = plate(ref, (0, 0, 48, 96), (48, 96))
    assert light[:40].min() > 0.9 and light[56:].max() < 0.1


def test_what_cannot_be_a_backplate_is_refused(tmp_path: Path) -> None:
    """Small, huge, damaged or foreign files are named, with what to do."""

    def refusal(path: Path) -> str:
        with pytest.raises(AssetError) as caught:
            backplate_files(path, (64, 48), Reach(path.parent))
        return str(caught.value)

    photograph(tmp_path / "small.png", 60, 80)
    assert "small.png has 60 × 80 pixels and would have to be enlarged to fill a picture of 64 × 48" in refusal(
        tmp_path / "small.png"
    )
    head = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    (tmp_path / "huge.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    )
    assert "huge.png says that it has 60,000 × 60,000 pixels" in refusal(tmp_path / "huge.png")
    (tmp_path / "note.jpg").write_text("no photograph")
    assert "note.jpg is no picture" in refusal(tmp_path / "note.jpg")
    photograph(tmp_path / "cut.png", 64, 48)
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:999])
    assert "cut.png cannot be read as a photograph" in refusal(tmp_path / "cut.png")
    assert "a.hdr: .hdr is no photograph; use .jpg" in refusal(tmp_path / "a.hdr")
    (tmp_path / "empty").mkdir()
    assert "empty has no photograph (.jpg" in refusal(tmp_path / "empty")
    assert "does not exist" in refusal(tmp_path / "none.jpg")


def made(base: Path, more: dict[str, Any] | None = None, **changes: Any) -> Recipe:
    render = {**RECIPE["render"], "view_transform": "standard", **changes.pop("render", {})}
    return recipe_from_dict(
        {**RECIPE, "render": render, "backplate": {"images": "photos", **(more or {})}, **changes}, base
    )


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for k in range(3):
        photograph(tmp_path / "photos" / f"{k}.png", 64, 48, k)
    return tmp_path


def test_photographs_are_drawn_and_recorded(photos: Path) -> None:
    """All of a folder come up, balanced; the scene holds the hash and the record the name; the rest stays as it is."""
    recipe = made(photos)
    scenes = [sample(recipe, index) for index in range(8)]
    plates = [scene.backplate for scene in scenes]
    assert {p.image.name for p in plates if p} == {"0.png", "1.png", "2.png"}
    for scene in scenes:
        assert scene.backplate is not None and scene.surface is not None
        assert scene.parameters["backplate.images.file"].value == scene.backplate.image.name
        assert scene.surface.material.family == "backplate"
        assert type(scene).from_json(scene.to_json()) == scene
    with pytest.raises(ValidationError, match="a backplate needs the surface that catches the shadows"):
        scenes[0].replace(surface=None)
    plain = recipe_from_dict({**RECIPE, "render": {**RECIPE["render"], "view_transform": "standard"}}, photos)
    assert [sample(plain, i).objects for i in range(8)] == [scene.objects for scene in scenes]


def test_some_images_may_be_without(photos: Path) -> None:
    """Where the backplate is not present there is the surface with its material."""
    recipe = made(photos, {"present": {"dist": "choice", "options": [True, False]}})
    scenes = [sample(recipe, index) for index in range(8)]
    assert sorted(scene.backplate is None for scene in scenes) == [False] * 4 + [True] * 4
    for scene in scenes:
        assert scene.surface is not None
        assert (scene.surface.material.family == "backplate") == (scene.backplate is not None)


@pytest.mark.parametrize(
    ("more", "changes", "message"),
    [
        ({}, {"render": {"view_transform": "agx"}}, "only with render.view_transform: standard, got agx"),
        ({}, {"render": {"white_balance_k": 5000}}, "only with render.white_balance_k: 6500, got 5000"),
        ({}, {"camera": {"stereo": {"baseline_m": 0.1}}}, "one view from one place: leave camera.stereo out"),
        ({}, {"motion": {"camera": {"spin_deg_s": [0, 0, 1]}}}, "leave motion.camera out"),
        ({"images": "none"}, {}, r"backplate\.images: .*none"),
        ({"images": 3}, {}, "must be a name, got 3"),
        ({"roughness": 2}, {}, "backplate.roughness: must be between 0 and 1, got 2"),
        ({}, {"render": {"size": [128, 96]}}, "0.png has 64 × 48 pixels and would have to be enlarged"),
    ],
)  # fmt: skip
def test_what_a_photograph_does_not_go_with(
    photos: Path, more: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    """A recipe that would change the photograph, or see it from two places, says so when it is loaded."""
    with pytest.raises((RecipeError, AssetError), match=message):
        made(photos, more, **changes)


def test_rules_are_held_to_it_too(photos: Path) -> None:
    """A rule or a computed value that would change the photograph is refused like a written one."""
    for value in ("agx", {"dist": "choice", "options": ["standard", "agx"]}, {"dist": "expr", "value": "'agx'"}):
        rules = [{"when": "camera.focal_mm > 0", "set": {"render.view_transform": value}}]
        with pytest.raises(RecipeError, match=r"a backplate comes out as it went in only with render\.view_"):
            sample(made(photos, rules=rules), 0)


def test_images_come_out_as_the_photograph(photos: Path) -> None:
    """With the stand-in engine every pixel without an object is the photograph's, and a dataset carries the files."""
    recipe = made(photos, dataset={"split_by": "backplate", "val_fraction": 0.5})
    result = sw.generate(recipe, 12, photos / "d")
    assert result.complete
    split: dict[str, set[str]] = {}
    for record in iter_records(photos / "d"):
        plate_ = record.scene.backplate
        assert plate_ is not None
        split.setdefault(plate_.image.sha256, set()).add(record.split)
        rgb = decode_rgb((photos / "d" / record.image).read_bytes(), 64, 48)
        known = cv2.imread(str(photos / "photos" / plate_.image.name))[..., ::-1]
        ids = cv2.imread(str(photos / "d" / record.ids), cv2.IMREAD_UNCHANGED)
        assert (ids == 0).mean() > 0.5
        assert np.abs(rgb[ids == 0].astype(int) - known[ids == 0]).max() <= 1
    assert len(split) == 3 and all(len(names) == 1 for names in split.values())
    assert {p.name for p in (photos / "d" / "assets").iterdir()} == {f"{sha}.png" for sha in split}
    assert list(validate(photos / "d")) == []


def test_splitting_by_backplate_needs_one(tmp_path: Path) -> None:
    """Without a backplate there is nothing to split by."""
    with pytest.raises(RecipeError, match=r"dataset\.split_by: backplate needs a `backplate`"):
        recipe_from_dict({**RECIPE, "dataset": {"split_by": "backplate"}}, tmp_path)


def test_objects_lie_over_the_shadowed_photograph() -> None:
    """C = object + (1 − cover) · photograph · shadow, in linear light."""
    rgba = np.zeros((1, 3, 4), np.float32)
    rgba[0, 1] = 0.2, 0.2, 0.2, 0.5
    rgba[0, 2] = 0.3, 0.3, 0.3, 1.0
    shadow = np.full((1, 3, 3), 0.5, np.float32)
    seen = over(rgba, shadow, np.full((1, 3, 3), 0.8, np.float32))
    np.testing.assert_allclose(seen[0, :, 0], [0.4, 0.2 + 0.5 * 0.4, 0.3], rtol=1e-6)


def test_the_denoiser_cannot_darken_what_has_no_shadow() -> None:
    """Where the noisy shadow is 1 all around, an overshoot of the denoised one is undone; in a shadow it counts."""
    noisy, denoised = np.ones((40, 40, 3), np.float32), np.ones((40, 40, 3), np.float32)
    noisy[:, 20:] = np.random.default_rng(0).uniform(0.2, 0.6, (40, 20, 3))
    denoised[:, 20:], denoised[:, 3] = 0.4, 0.9
    tidy = tidy_shadow(denoised, noisy)
    assert (tidy[:, :14] == 1).all()
    assert np.abs(tidy[:, 26:] - 0.4).max() < 1e-6
