"""The label of an inpainted defect is what really changed, and only what answers the request is accepted."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from scenewright.diffusion.changed import change, changed
from scenewright.errors import UsageError

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


def ground(noise: float = 0.0, seed: int = 0) -> Image:
    """A grained surface, with noise on top."""
    grain = np.random.default_rng(1).normal(0, 10, (90, 120, 1)) * np.ones(3)
    more = np.random.default_rng(seed).normal(0, noise, (90, 120, 3)) if noise else 0
    return np.asarray(np.clip(np.rint(130 + grain + more), 0, 255), np.uint8)


def disc(radius: float) -> Mask:
    y, x = np.mgrid[:90, :120]
    return np.asarray(np.hypot(y - 45, x - 60) <= radius)


def darker(image: Image, mask: Mask, by: int = 60) -> Image:
    return np.asarray(np.where(mask[..., None], np.clip(image.astype(int) - by, 0, 255), image), np.uint8)


def iou(a: Mask, b: Mask) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_the_label_is_what_changed() -> None:
    """Of a request of which the half was painted the label is that half, to a pixel of its border."""
    request, half = disc(25), disc(25) & (np.mgrid[:90, :120][1] >= 58)
    found = change(ground(), darker(ground(), half), request)
    assert found.accepted and found.coverage == pytest.approx(half.sum() / request.sum(), abs=0.03)
    assert iou(found.mask, half) > 0.95


def test_a_painter_that_did_next_to_nothing_is_refused() -> None:
    """Too little of the request has changed, and the fault says how much."""
    request = disc(25)
    found = change(ground(), darker(ground(), disc(12)), request)
    assert not found.accepted and found.fault is not None and "only 0.2" in found.fault
    none = change(ground(), ground(), request)
    assert not none.mask.any() and none.coverage == 0 and not none.accepted


def test_a_painter_that_went_too_far_is_refused() -> None:
    """Beyond the reach nothing counts; within it an area of more than twice the request is a fault."""
    request = disc(12)
    beyond = change(ground(), darker(ground(), disc(30)), request)
    assert beyond.area <= 1 and (beyond.mask <= request).all()
    far = change(ground(), darker(ground(), disc(20)), request, reach_px=12)
    assert far.fault is not None and "times what was requested" in far.fault
    assert change(ground(), darker(ground(), disc(14)), request, reach_px=12).accepted


def test_noise_everywhere_is_no_change() -> None:
    """What changes as much outside of the request raises the threshold; a strong change is still found."""
    request = disc(25)
    before, after = ground(6, 1), ground(6, 2)
    quiet, threshold = changed(before, after, request)
    assert threshold > 4 and quiet[request].mean() < 0.05
    assert change(before, darker(after, request, 80), request).coverage > 0.95


def test_specks_are_no_defect() -> None:
    """Single pixels that differ are dropped."""
    after = ground()
    after[40:50:4, 50:70:4] = 0
    assert not changed(ground(), after, disc(25))[0].any()


def test_a_line_of_two_pixels_is_found() -> None:
    """A scratch two pixels wide has a label, which lies on it."""
    line = np.zeros((90, 120), np.uint8)
    cv2.line(line, (45, 35), (75, 55), 1, 2)
    found = change(ground(), darker(ground(), line > 0, 90), line > 0)
    assert found.accepted and found.coverage > 0.8


def test_what_is_as_thin_as_a_pixel_is_found_where_it_was_asked_for() -> None:
    """A hairline and specks of dust, all of them painted, are their own label; grain in them alone is none."""
    thin = np.zeros((90, 120), np.uint8)
    cv2.line(thin, (30, 20), (90, 31), 1, 1)
    thin[60:80:5, 30:90:6] = 1
    thin[61, 30:90:6] = 1
    request = thin > 0
    found = change(ground(), darker(ground(), request, 40), request)
    assert found.accepted and (found.mask == request).all()
    grained = np.where(request[..., None], ground(2, 3), ground())
    assert change(ground(), np.asarray(grained, np.uint8), request).coverage < 0.3


def test_small_holes_are_filled() -> None:
    """Where three pixels in the middle of a stain happen to be as before, the label goes on; a larger hole is one."""
    request = disc(25)
    for radius, hole in ((1.8, 0), (6.0, np.pi * 36)):
        found = change(ground(), darker(ground(), request & ~disc(radius)), request).mask
        assert (request & ~found).sum() == pytest.approx(hole, abs=20 if hole else 0)


def test_what_does_not_fit_is_told() -> None:
    """Sizes that differ and an empty request are errors."""
    with pytest.raises(UsageError, match="do not fit"):
        change(ground(), ground()[:-1], disc(9))
    with pytest.raises(UsageError, match="no pixel"):
        change(ground(), ground(), np.zeros((90, 120), bool))
