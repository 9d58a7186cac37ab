"""COCO's run lengths against the reference implementation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from pycocotools import mask as reference

from scenewright.errors import LabelError
from scenewright.render.rle import Crop, decode, encode_crops, encode_empty, encode_ids, encode_mask

Ids = npt.NDArray[np.uint16]


def noise(rng: np.random.Generator, h: int, w: int) -> Ids:
    return rng.integers(0, 6, (h, w), dtype=np.uint16)


def blobs(rng: np.random.Generator, h: int, w: int) -> Ids:
    ids = np.zeros((h, w), dtype=np.uint16)
    y, x = np.mgrid[:h, :w]
    for i in range(1, 9):
        cy, cx = rng.uniform(0, (h, w))
        ids[(x - cx) ** 2 + (y - cy) ** 2 < rng.uniform(1, 2 + max(h, w) / 3) ** 2] = i * 4000
    return ids


def full(rng: np.random.Generator, h: int, w: int) -> Ids:
    return np.full((h, w), 3, dtype=np.uint16)


def pixel(rng: np.random.Generator, h: int, w: int) -> Ids:
    ids = np.zeros((h, w), dtype=np.uint16)
    ids[rng.integers(h), rng.integers(w)] = 65535
    return ids


def corners(rng: np.random.Generator, h: int, w: int) -> Ids:
    ids = np.zeros((h, w), dtype=np.uint16)
    ids[0, 0] = ids[-1, -1] = 1
    ids[-1, 0] = ids[0, -1] = 2
    return ids


def columns(rng: np.random.Generator, h: int, w: int) -> Ids:
    return np.broadcast_to((np.arange(w) // 2 % 3).astype(np.uint16), (h, w)).copy()


MAPS = (noise, blobs, full, pixel, corners, columns)
SIZES = ((1, 1), (1, 9), (9, 1), (2, 2), (37, 53), (240, 320))


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("make", MAPS)
def test_id_images_encode_as_the_reference_does(
    make: Callable[[np.random.Generator, int, int], Ids], size: tuple[int, int]
) -> None:
    """Strings, areas and boxes of all instances equal pycocotools', byte for byte, and decode to the same pixels."""
    for seed in range(5):
        ids = make(np.random.default_rng(seed), *size)
        masks = encode_ids(ids)
        assert list(masks) == [i for i in np.unique(ids).tolist() if i]
        for i, mask in masks.items():
            expected = reference.encode(np.asfortranarray(ids == i))
            assert mask.counts == expected["counts"].decode()
            assert mask.area == reference.area(expected)
            assert mask.bbox == tuple(reference.toBbox(expected).astype(int).tolist())
            np.testing.assert_array_equal(decode(mask.counts, size), ids == i)


def test_crops_encode_as_the_whole_image_does() -> None:
    """A mask given as crop and offset encodes as the same mask in a whole image, empty and full height included."""
    rng = np.random.default_rng(1)
    size = (40, 60)
    crops = [Crop(0, 0, np.zeros((0, 0), dtype=bool)), Crop(5, 7, np.zeros((3, 4), dtype=bool))]
    for _ in range(60):
        y0, y1 = np.sort(rng.choice(41, 2, replace=False))
        x0, x1 = np.sort(rng.choice(61, 2, replace=False))
        crops.append(Crop(int(x0), int(y0), rng.random((y1 - y0, x1 - x0)) < rng.choice([0.1, 0.9])))
    crops += [Crop(3, 0, np.ones((40, 5), dtype=bool)), Crop(0, 0, rng.random(size) < 0.8)]
    for crop, mask in zip(crops, encode_crops(crops, size), strict=True):
        whole = np.zeros(size, dtype=bool)
        whole[crop.y : crop.y + crop.mask.shape[0], crop.x : crop.x + crop.mask.shape[1]] = crop.mask
        expected = reference.encode(np.asfortranarray(whole))
        assert mask.counts == expected["counts"].decode() == encode_mask(whole).counts
        assert mask.area == whole.sum()
        assert mask.bbox == (tuple(reference.toBbox(expected).astype(int).tolist()) if whole.any() else None)


def test_runs_longer_than_one_character_group() -> None:
    """Run lengths up to a 16-megapixel image keep all their five-bit groups, in both directions."""
    ids = np.zeros((4096, 4096), dtype=np.uint8)
    ids[:, 1] = 1
    ids[5, 4000] = 1
    expected = reference.encode(np.asfortranarray(ids == 1))["counts"].decode()
    assert encode_ids(ids)[1].counts == expected
    np.testing.assert_array_equal(decode(expected, (4096, 4096)), ids == 1)


def test_the_empty_mask() -> None:
    """A mask without pixels is one run of background, as pycocotools writes it; an id image of zeros has none."""
    expected = reference.encode(np.zeros((48, 64), dtype=np.uint8, order="F"))["counts"].decode()
    assert encode_empty((48, 64)).counts == expected
    assert not decode(expected, (48, 64)).any()
    assert encode_ids(np.zeros((48, 64), dtype=np.uint16)) == {}


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ("", "not a COCO"),
        ("é", "not a COCO"),
        ("o", "not a COCO"),
        ("PP1", "do not fill"),
        ("ooooooooo0", "characters"),
    ],
)
def test_strings_that_are_no_masks(counts: str, message: str) -> None:
    """A string that is cut off, foreign or of another size is an error, never another mask."""
    with pytest.raises(LabelError, match=message):
        decode(counts, (48, 64))


def test_what_cannot_be_encoded() -> None:
    """Float images, negative ids and crops that leave their image are errors that say what is expected."""
    with pytest.raises(LabelError, match="2-D array of integers"):
        encode_ids(np.zeros((4, 4)))  # type: ignore[arg-type]  # the error under test
    with pytest.raises(LabelError, match="start at 0"):
        encode_ids(np.full((4, 4), -1))
    with pytest.raises(LabelError, match="leaves its image"):
        encode_crops([Crop(3, 0, np.ones((2, 2), dtype=bool))], (4, 4))
