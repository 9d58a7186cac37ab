"""The embedded inpainter paints inside its masks and nowhere else, always alike, and in the tone that it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from scenewright.assets.defects.kinds import KINDS
from scenewright.diffusion.defect_painting import painted
from scenewright.diffusion.inpainter import SIDE, UNIT, WEIGHTS, Inpainter
from scenewright.errors import UsageError

pytest.importorskip("torch", reason="needs the extra `diffusion`")
pytest.importorskip("diffusers", reason="needs the extra `diffusion`")

STEPS = 3
Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


@pytest.fixture(scope="module")
def model() -> Any:
    return Inpainter.load(WEIGHTS)


def ground(h: int, w: int, seed: int = 0) -> Image:
    """A plain surface with some grain."""
    rng = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(rng.normal(0, 12, (h, w)).astype(np.float32), (0, 0), 1.2)
    out: Image = np.clip(np.array([120, 124, 130]) + grain[..., None], 0, 255).astype(np.uint8)
    return out


def disc(h: int, w: int, radius: float) -> Mask:
    y, x = np.mgrid[:h, :w]
    return np.asarray(np.hypot(y - h / 2, x - w / 2) < radius)


def crops(model: Any, seeds: list[int], tone: tuple[float, float, float] = (-0.6, -0.6, -0.6)) -> Image:
    n = len(seeds)
    sound, masks = np.stack([ground(SIDE, SIDE, s) for s in seeds]), np.stack([disc(SIDE, SIDE, 18)] * n)
    tones = np.tile(np.array(tone, np.float32), (n, 1))
    out: Image = model.crops(sound, masks, ["stain"] * n, [0.6] * n, tones, seeds, STEPS)
    assert (out[~masks] == sound[~masks]).all()
    return out


def test_a_crop_does_not_depend_on_those_painted_with_it(model: Any) -> None:
    """The same crop by the same seed is the same bytes alone, among ten, and again; another seed gives another."""
    alone, many = crops(model, [5]), crops(model, [3, 5, *range(10, 18)])
    assert (alone[0] == many[1]).all() and (crops(model, [5]) == alone).all()
    assert (many[2] != many[3]).any()


@pytest.mark.parametrize("tone", [(-0.8, -0.8, -0.8), (0.5, 0.5, 0.5), (0.2, -0.3, -0.6)])
def test_a_tone_is_kept(model: Any, tone: tuple[float, float, float]) -> None:
    """The mean change of each channel in the mask is nearly the one that was asked for."""
    mask = disc(SIDE, SIDE, 18)
    change = np.mean([(one[mask].mean(0) - ground(SIDE, SIDE, k)[mask].mean(0)) / 255 / UNIT
                      for k, one in enumerate(crops(model, [0, 1, 2], tone))], axis=0)  # fmt: skip
    np.testing.assert_allclose(change, tone, atol=0.25)


def test_a_large_mask_is_painted_without_seams(model: Any) -> None:
    """A stain over several crops leaves the rest as it was, and has no edges where crops end."""
    image, mask = ground(120, 170), disc(120, 170, 52)
    tone = np.array([-0.8, -0.8, -0.8], np.float32)
    out = painted(model, image, mask, "stain", 0.7, tone, 11, STEPS)
    assert (out[~mask] == image[~mask]).all()
    assert (painted(model, image, mask, "stain", 0.7, tone, 11, STEPS) == out).all()
    inner = disc(120, 170, 40)
    smooth = cv2.GaussianBlur(out.astype(np.float32).mean(axis=2), (0, 0), 3)
    assert smooth[inner].std() < 0.5 * abs(smooth[inner].mean() - image[inner].mean())
    steps = np.abs(np.diff(cv2.GaussianBlur(out.astype(np.float32).mean(axis=2), (0, 0), 1), axis=1))
    columns = np.array([steps[:, k][inner[:, k]].mean() for k in range(50, 120)])
    assert columns.max() < 3 * np.median(columns)


def test_what_it_cannot_paint_is_told(model: Any) -> None:
    """A kind that it does not know and an empty mask are errors that say what there is."""
    tone = np.zeros(3, np.float32)
    with pytest.raises(UsageError, match="knows no 'bent': it paints burn"):
        painted(model, ground(64, 64), disc(64, 64, 9), "bent", 0.5, tone, 0)
    with pytest.raises(UsageError, match="without pixels"):
        painted(model, ground(64, 64), np.zeros((64, 64), bool), "stain", 0.5, tone, 0)


def test_the_weights_are_small_and_of_known_kinds(model: Any) -> None:
    """What ships is safetensors of at most 15 MB, for kinds of defects that there are, with tones of each."""
    files = {path.name: path.stat().st_size for path in Path(WEIGHTS).iterdir()}
    assert sum(files.values()) <= 15_000_000
    assert {name for name, size in files.items() if size > 100_000} == {"diffusion_pytorch_model.safetensors"}
    assert set(model.kinds) <= set(KINDS)
    for kind in model.kinds:
        drawn = model.drawn_tones(np.random.default_rng(0), ground(64, 64)[None], disc(64, 64, 9)[None], [kind])
        assert drawn.shape == (1, 3) and np.abs(drawn).max() < 5


def test_an_image_smaller_than_a_crop_is_painted(model: Any) -> None:
    """A picture of 40 × 30 pixels is no smaller afterwards."""
    out = painted(model, ground(30, 40), disc(30, 40, 9), "oil", 0.5, np.array([-0.5, -0.5, -0.5], np.float32), 0, 1)
    assert out.shape == (30, 40, 3)
