"""COCO's compressed run-length masks, straight from an id image: no stack of masks, no loop over instances.

COCO reads a mask column by column and writes the lengths of its runs, background first. From the fourth length on,
each is stored as the difference to the one two before it. Every number goes out in groups of five bits, low group
first, one character (48 + bits) per group, in which bit 5 says that more follow (`rleToString` in cocoapi's maskApi.c).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import LabelError

__all__ = ["Crop", "MaskRle", "decode", "encode_crops", "encode_empty", "encode_ids", "encode_mask"]

Ints = npt.NDArray[np.int64]

#: Five-bit groups that hold any difference of two run lengths in an image of up to 2³³ pixels.
GROUPS = 7


@dataclass(frozen=True)
class MaskRle:
    """One mask: `counts` is COCO's string, `area` its pixels, `bbox` its tight [x, y, w, h] (None without pixels)."""

    counts: str
    area: int
    bbox: tuple[int, int, int, int] | None


@dataclass(frozen=True)
class Crop:
    """A boolean mask (bh, bw) whose top-left pixel lies at (x, y) of a larger image."""

    x: int
    y: int
    mask: npt.NDArray[np.bool_]


def encode_ids(ids: npt.NDArray[np.integer[Any]]) -> dict[int, MaskRle]:
    """The mask of every id in an id image (h, w), 0 meaning none; keys in ascending order.

    `counts` are byte for byte what pycocotools' `encode` gives for `ids == id`.
    """
    if ids.ndim != 2 or not np.issubdtype(ids.dtype, np.integer):
        raise LabelError(f"an id image is a 2-D array of integers, got {ids.dtype} of shape {ids.shape}")
    if ids.size == 0:
        return {}
    flat = ids.T.ravel()
    first = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate(([0], first))
    ends = np.concatenate((first, [flat.size]))
    values = flat[starts]
    order = np.argsort(values, kind="stable")
    if values[order[0]] < 0:
        raise LabelError(f"ids start at 0 (none), got {values[order[0]]}: read the id image as unsigned")
    order = order[np.searchsorted(values[order], 1) :]
    values = values[order]
    if values.size == 0:
        return {}
    heads = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))
    masks = _masks(starts[order], ends[order], heads, ids.shape)
    return dict(zip(values[heads].tolist(), masks, strict=True))


def encode_crops(crops: Iterable[Crop], size: tuple[int, int]) -> list[MaskRle]:
    """The mask of every crop, in an image of `size` (h, w); a crop must lie inside it, and may be empty."""
    height, width = size
    runs = [_crop_runs(crop, height, width) for crop in crops]
    filled = [r for r in runs if len(r[0])]
    empty = encode_empty(size)
    if not filled:
        return [empty] * len(runs)
    heads = np.cumsum([0] + [len(r[0]) for r in filled[:-1]])
    starts, ends = (np.concatenate([r[side] for r in filled]) for side in (0, 1))
    masks = iter(_masks(starts, ends, heads, size))
    return [next(masks) if len(r[0]) else empty for r in runs]


def encode_mask(mask: npt.NDArray[np.bool_]) -> MaskRle:
    """The mask of one whole boolean image (h, w)."""
    return encode_crops([Crop(0, 0, mask)], (mask.shape[0], mask.shape[1]))[0]


def encode_empty(size: tuple[int, int]) -> MaskRle:
    """The mask without any pixel, in an image of `size` (h, w)."""
    lengths = np.array([size[0] * size[1]], dtype=np.int64)
    return MaskRle(_strings(lengths, np.zeros(1, dtype=np.int64))[0], 0, None)


def decode(counts: str, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The boolean image (h, w) that a COCO string stands for; LabelError when the string does not fill `size`."""
    codes = np.frombuffer(counts.encode("utf-8", "surrogatepass"), dtype=np.uint8).astype(np.int64) - 48
    if len(codes) == 0 or codes.min() < 0 or codes.max() > 63 or codes[-1] & 32:
        raise LabelError(f"not a COCO run-length string: {counts[:20]!r}; write the annotation again from its record")
    last = (codes & 32) == 0
    group = np.concatenate(([0], np.cumsum(last)[:-1]))
    heads = np.flatnonzero(np.concatenate(([True], last[:-1])))
    place = np.arange(len(codes)) - heads[group]
    if place.max() >= GROUPS:
        raise LabelError(f"a run of {int(place.max()) + 1} characters in {counts[:20]!r}: no image is that large")
    lengths = np.add.reduceat((codes & 31) << (5 * place), heads)
    lengths -= ((codes[last] & 16) != 0) * (1 << (5 * (place[last] + 1)))
    lengths[1::2] = np.cumsum(lengths[1::2])
    lengths[2::2] = np.cumsum(lengths[2::2])
    if lengths.min() < 0 or lengths.sum() != size[0] * size[1]:
        raise LabelError(f"runs of {int(lengths.sum())} pixels do not fill an image of {size[1]}x{size[0]}")
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(size[1], size[0]).T


def _crop_runs(crop: Crop, height: int, width: int) -> tuple[Ints, Ints]:
    """First and past-the-end positions of a crop's runs in the column-major order of the whole image."""
    rows, columns = crop.mask.shape
    if crop.x < 0 or crop.y < 0 or crop.x + columns > width or crop.y + rows > height:
        raise LabelError(f"a crop of {columns}x{rows} at ({crop.x}, {crop.y}) leaves its image of {width}x{height}")
    padded = np.zeros((columns, rows + 2), dtype=np.int8)  # a background row above and below parts the columns
    padded[:, 1:-1] = crop.mask.T
    steps = np.diff(padded, axis=1)
    column, row = np.nonzero(steps > 0)
    starts = (crop.x + column) * height + crop.y + row
    column, row = np.nonzero(steps < 0)
    ends = (crop.x + column) * height + crop.y + row
    if rows == height and len(starts):  # a run that leaves a column at its foot goes on at the head of the next
        parted = starts[1:] != ends[:-1]
        starts, ends = starts[np.append(True, parted)], ends[np.append(parted, True)]
    return starts, ends


def _masks(starts: Ints, ends: Ints, heads: Ints, size: tuple[int, ...]) -> list[MaskRle]:
    """Masks from all runs, grouped by instance; `heads` is the index of each group's first run."""
    height, pixels = size[0], size[0] * size[1]
    areas = np.add.reduceat(ends - starts, heads)
    tails = np.append(heads[1:], len(starts)) - 1
    x0, x1 = starts[heads] // height, (ends[tails] - 1) // height
    top, bottom = starts % height, (ends - 1) % height
    wraps = starts // height != (ends - 1) // height  # such a run holds the foot of one column and the head of the next
    y0 = np.minimum.reduceat(np.where(wraps, 0, top), heads)
    y1 = np.maximum.reduceat(np.where(wraps, height - 1, bottom), heads)
    boxes = np.stack([x0, y0, x1 - x0 + 1, y1 - y0 + 1], axis=1).tolist()
    lengths, begins = _lengths(starts, ends, heads, tails, pixels)
    strings = _strings(lengths, begins)
    return [MaskRle(s, a, tuple(b)) for s, a, b in zip(strings, areas.tolist(), boxes, strict=True)]


def _lengths(starts: Ints, ends: Ints, heads: Ints, tails: Ints, pixels: int) -> tuple[Ints, Ints]:
    """All groups' run lengths (background, mask, background, …), and where each group begins among them."""
    before = starts - np.append(0, ends[:-1])
    before[heads] = starts[heads]
    rest = pixels - ends[tails]
    lengths = np.stack([before, ends - starts], axis=1).ravel()
    open_ended = rest > 0  # COCO writes no length for a background that is not there at the end
    lengths = np.insert(lengths, 2 * tails[open_ended] + 2, rest[open_ended])
    begins = 2 * heads + np.concatenate(([0], np.cumsum(open_ended)[:-1]))
    return lengths, begins


def _strings(lengths: Ints, begins: Ints) -> list[str]:
    """COCO's string for every group of run lengths."""
    deltas = lengths.copy()
    deltas[2:] -= lengths[:-2]
    for offset in range(3):  # the first three lengths of a group are stored as they are
        at = begins + offset
        at = at[at < np.append(begins[1:], len(lengths))]
        deltas[at] = lengths[at]
    groups = deltas[:, None] >> (5 * np.arange(GROUPS))
    rest = groups >> 4  # all sign when this group, read as a signed number, says everything
    more = (rest != 0) & (rest != -1)
    used = np.column_stack((np.ones(len(deltas), dtype=bool), more[:, :-1]))
    characters = ((groups & 31) | (more << 5)) + 48
    text = characters[used].astype(np.uint8).tobytes().decode("ascii")
    stops = np.cumsum(used.sum(axis=1))
    cuts = [0, *stops[np.append(begins[1:], len(lengths)) - 1].tolist()]
    return [text[a:b] for a, b in pairwise(cuts)]
