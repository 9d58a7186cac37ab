"""Polygons of masks, against the masks: by area, by the even-odd rule, and as pycocotools fills them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from pycocotools import mask as coco
from scipy import ndimage

from scenewright.datasets.exporters.outlines import joined, one_polygon, parts, parts_of
from scenewright.render.rle import encode_mask

Mask = npt.NDArray[np.bool_]
CORNERS = np.ones((3, 3))


def blots(seed: int, shape: tuple[int, int] = (40, 53)) -> Mask:
    """Noise, ever coarser: many parts, holes, and pixels that touch at corners only."""
    noise = np.random.default_rng(seed).normal(size=shape)
    return np.asarray(ndimage.gaussian_filter(noise, seed % 4 / 2) > 0.02)


def washer(outer: float = 14.3, inner: float = 7.9) -> Mask:
    y, x = np.mgrid[:40, :50] + 0.5
    squared = (x - 23.2) ** 2 + (y - 19.7) ** 2
    return np.asarray((squared < outer**2) & (squared > inner**2))


def doubled_area(ring: npt.NDArray[np.int64]) -> int:
    """Twice the area that an outline runs around, clockwise with y down: the sum of cross products of its corners."""
    x, y = ring.T
    return int((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())


def even_odd(ring: npt.NDArray[np.int64], shape: tuple[int, ...]) -> Mask:
    """Pixels whose centre sees the outline cross its row, left of it, an odd number of times."""
    inside = np.zeros(shape, bool)
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    for (x0, y0), (x1, y1) in zip(ring.tolist(), np.roll(ring, -1, axis=0).tolist(), strict=True):
        if y0 != y1:
            crosses = (min(y0, y1) < y) & (y < max(y0, y1)) & (x0 + (y - y0) * (x1 - x0) / (y1 - y0) < x)
            inside ^= crosses
    return inside


@pytest.mark.parametrize("seed", range(12))
def test_outlines_have_the_area_of_the_mask(seed: int) -> None:
    """Outlines minus holes, and the one polygon of all, have the area of the mask's pixels, exactly."""
    mask = blots(seed)
    found = parts(mask)
    rings = [ring for part in found for ring in (part.outer, *part.holes)]
    assert sum(doubled_area(ring) for ring in rings) == 2 * mask.sum()
    assert all(doubled_area(part.outer) > 0 and all(doubled_area(hole) < 0 for hole in part.holes) for part in found)
    assert doubled_area(one_polygon(found)) == 2 * mask.sum()


@pytest.mark.parametrize("seed", range(12))
def test_parts_and_holes_are_those_of_the_mask(seed: int) -> None:
    """Parts join at corners, holes do not: as many of both as a labelling of the mask and of its background counts."""
    mask = blots(seed)
    background = ndimage.label(np.pad(~mask, 1, constant_values=True))[1]
    found = parts(mask)
    assert len(found) == ndimage.label(mask, CORNERS)[1]
    assert sum(len(part.holes) for part in found) == background - 1
    for part in found:
        assert (part.outer.min(axis=0) >= 0).all() and (part.outer.max(axis=0) <= (53, 40)).all()


@pytest.mark.parametrize("seed", range(12))
def test_one_polygon_fills_the_mask(seed: int) -> None:
    """The even-odd rule gives the mask back from its one polygon, slits and all."""
    mask = blots(seed)
    assert (even_odd(one_polygon(parts(mask)), mask.shape) == mask).all()


@pytest.mark.parametrize("seed", range(12))
def test_pycocotools_fills_the_mask(seed: int) -> None:
    """COCO's own rasterizer gives an IoU of 1.0 for the polygons of the parts, and for the one polygon."""
    mask = blots(seed)
    height, width = mask.shape
    found = parts(mask)
    for polygons in ([joined(part) for part in found], [one_polygon(found)]):
        filled = coco.merge(coco.frPyObjects([p.ravel().astype(float).tolist() for p in polygons], height, width))
        truth = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
        assert coco.iou([filled], [truth], [0])[0, 0] == 1.0


def test_a_washer_keeps_its_hole() -> None:
    """One part, one hole; the polygon leaves its hole empty, and its first outline alone would fill it."""
    mask = washer()
    (part,) = parts(mask)
    assert len(part.holes) == 1 and doubled_area(part.outer) > 2 * mask.sum()
    filled = even_odd(joined(part), mask.shape)
    assert not filled[19, 23] and (filled == mask).all()


def test_a_mask_in_a_larger_image_lies_where_it_is() -> None:
    """Outlines from run lengths have the image's coordinates; one pixel is its four corners, clockwise."""
    mask = np.zeros((30, 60), bool)
    mask[7, 41] = True
    found = encode_mask(mask)
    assert found.bbox is not None
    (part,) = parts_of(found.counts, found.bbox, (30, 60))
    assert part.outer.tolist() == [[41, 7], [42, 7], [42, 8], [41, 8]] and part.holes == ()
    assert parts(np.zeros((4, 4), bool)) == []
