"""The outlines of exact masks as points with normals, and what an image shows along those normals.

Pixels here are OpenCV's: the centre of the top-left pixel is (0, 0).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

__all__ = [
    "STEP_PX",
    "Outlines",
    "arc_mean",
    "at",
    "bordering",
    "borders",
    "gradient",
    "known_gradient",
    "lab",
    "moved_around",
    "offsets",
    "outlines",
    "profiles",
    "segmented",
    "unexplained",
    "wider",
]

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

#: Profiles reach so far to both sides of an outline, in such steps.
REACH_PX, STEP_PX = 11.5, 0.5

#: Contours and normals are smoothed by Gaussians of so many points, or they would follow the pixels' stairs.
_SMOOTH_POINTS, _SMOOTH_NORMALS = 1.0, 2.5


@dataclass(frozen=True)
class Outlines:
    """Points about one pixel apart on the outlines of all instances, in order along each closed contour.

    `xy` (p, 2) and `normal` (p, 2), outwards, in pixels; `owner` (p,) is the place of the instance in `ids`; `starts`
    are the first points of the contours and, last, p; `known` (p,) is False where the image's border cuts the outline.
    """

    ids: tuple[int, ...]
    xy: Floats
    normal: Floats
    owner: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]
    known: npt.NDArray[np.bool_]


def outlines(ids: npt.NDArray[np.uint16]) -> Outlines:
    """The outlines, holes included, of every id but 0 in an (h, w) map."""
    h, w = ids.shape
    found = [int(i) for i in np.flatnonzero(np.bincount(ids.ravel())) if i]
    parts: list[tuple[Floats, Floats]] = []
    owner: list[int] = []
    for k, i in enumerate(found):
        mask = (ids == i).astype(np.uint8)
        x, y, width, height = cv2.boundingRect(mask)
        contours, _ = cv2.findContours(
            mask[y : y + height, x : x + width], cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=(x, y)
        )
        for contour in contours:
            if len(contour) >= 8:
                parts.append(_oriented(contour[:, 0].astype(np.float32), mask))
                owner.append(k)
    lengths = [len(xy) for xy, _ in parts]
    empty = np.zeros((0, 2), np.float32)
    xy = np.concatenate([xy for xy, _ in parts]) if parts else empty
    normal = np.concatenate([n for _, n in parts]) if parts else empty
    known = ((xy >= 1.5) & (xy <= np.array([w - 2.5, h - 2.5]))).all(axis=1)
    return Outlines(
        tuple(found),
        xy,
        normal,
        np.repeat(np.array(owner, np.intp), lengths),
        np.cumsum([0, *lengths]).astype(np.intp),
        known,
    )


def moved_around(shape: Outlines, pixels: float) -> list[Outlines]:
    """Outlines moved to eight sides against the picture, which is the picture moved under them."""
    steps = [pixels * np.array([np.cos(a), np.sin(a)], np.float32) for a in np.arange(8) * np.pi / 4]
    return [replace(shape, xy=shape.xy - step) for step in steps]


def _oriented(contour: Floats, mask: npt.NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """A contour through pixel centres just inside → points on the outline, and normals that point out of the mask."""
    xy = _circular(contour, _SMOOTH_POINTS)
    smooth = _circular(contour, _SMOOTH_NORMALS)
    along = np.roll(smooth, -1, axis=0) - np.roll(smooth, 1, axis=0)
    normal = np.stack([along[:, 1], -along[:, 0]], axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-6
    # A contour runs one way round a body and the other way round a hole: the mask itself says which side is out.
    votes = [at(mask > 0, xy - side * 1.5 * normal).mean() for side in (1, -1)]
    normal = normal if votes[0] >= votes[1] else -normal
    return xy + 0.5 * normal, normal


def _circular(values: Floats, sigma: float) -> Floats:
    """A Gaussian mean along a closed line; (n, c)."""
    half = min(int(3 * sigma + 0.5), len(values) // 2)
    weights = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2)
    weights /= weights.sum()
    wrapped = np.take(values, np.arange(-half, len(values) + half), axis=0, mode="wrap")
    return np.asarray(sum(g * wrapped[2 * half - k :][: len(values)] for k, g in enumerate(weights)), np.float32)


def arc_mean(values: Floats, shape: Outlines, half: int) -> Floats:
    """The mean of (…, p) values over the 2 · half + 1 points about each point of its closed contour."""
    out = np.empty_like(values)
    for a, b in pairwise(shape.starts):
        reach = min(half, (b - a - 1) // 2)
        wrapped = np.concatenate([values[..., b - reach : b], values[..., a:b], values[..., a : a + reach]], axis=-1)
        # No running sum: what is constant stays so to the last bit.
        mean = cv2.filter2D(
            wrapped.reshape(-1, wrapped.shape[-1]), -1, np.full((1, 2 * reach + 1), 1 / (2 * reach + 1))
        )
        out[..., a:b] = mean[:, reach : reach + b - a].reshape(out[..., a:b].shape)
    return out


def lab(image: npt.NDArray[np.uint8]) -> Floats:
    """An (h, w, 3) sRGB image in CIE Lab, blurred by one pixel."""
    values = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return np.asarray(cv2.GaussianBlur(values, (0, 0), 1), np.float32)


def gradient(lab_image: Floats) -> Floats:
    """Gradient magnitude of an (h, w, 3) image, per pixel; (h, w)."""
    parts = [cv2.Sobel(lab_image, -1, dx, dy, ksize=3, scale=1 / 8) for dx, dy in ((1, 0), (0, 1))]
    return np.asarray(np.sqrt(sum(np.einsum("hwc,hwc->hw", part, part) for part in parts)), np.float32)


def known_gradient(lab_image: Floats) -> Floats:
    """The largest gradient magnitude within 3 px; (h, w)."""
    return np.asarray(cv2.dilate(gradient(lab_image), np.ones((7, 7), np.uint8)))


def unexplained(slope: Floats, known: Floats, ground: npt.NDArray[np.bool_]) -> tuple[Floats, float]:
    """Gradient (h, w) beyond what is known nearby: its mean over 15 × 15 px around each pixel of the ground; over all.

    Texture that has been laid over all of the ground raises the floor of the local means; nothing raises the other's.
    """
    extra = slope - 1.3 * known
    floor = max(1.5, 2 * float(np.percentile(slope[ground], 70)))
    share = cv2.boxFilter(ground.astype(np.float32), -1, (15, 15))
    local = cv2.boxFilter(np.maximum(extra - floor, 0) * ground, -1, (15, 15)) / np.maximum(share, 0.3)
    return np.where(ground & (share > 0.3), local, 0), float(np.maximum(extra[ground] - 1.5, 0).mean())


def offsets() -> Floats:
    """Where along a normal a profile is sampled, in pixels outwards; (t,)."""
    return np.arange(-REACH_PX, REACH_PX + STEP_PX / 2, STEP_PX, dtype=np.float32)


def profiles(values: Floats, shape: Outlines) -> Floats:
    """An (h, w, c) image along all normals; (c, t, p)."""
    t = offsets()[:, None]
    out = np.zeros((values.shape[2], len(t), len(shape.xy)), np.float32)
    for a in range(0, len(shape.xy), 16384):  # cv2.remap takes no more than 32767 columns
        (x, y), (dx, dy) = shape.xy[a : a + 16384].T, shape.normal[a : a + 16384].T
        seen = cv2.remap(values, x + t * dx, y + t * dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        out[..., a : a + 16384] = cv2.split(seen)
    return out


def segmented(colour: Floats) -> Floats:
    """Samples within 5 px of each point that mask and colour call inside, and that either calls so; (p, 2).

    Colour says inside where it is nearer to the mean 2 to 7 px inside of that point than outside; `colour` (c, t, p).
    The quotient of sums of the two is the IoU of the mask and a re-segmentation of the band.
    """
    t = offsets()
    inner = colour[:, (t >= -7) & (t <= -2)].mean(axis=1, keepdims=True)
    outer = colour[:, (t >= 2) & (t <= 7)].mean(axis=1, keepdims=True)
    band, mask = colour[:, np.abs(t) <= 5], t[np.abs(t) <= 5, None] < 0
    inside = ((band - inner) ** 2).sum(axis=0) < ((band - outer) ** 2).sum(axis=0)
    return np.asarray(np.stack([(inside & mask).sum(axis=0), (inside | mask).sum(axis=0)], axis=1), np.float32)


def wider(mask: Mask, pixels: int) -> Mask:
    """A mask with all pixels that lie so near to it, diagonals included."""
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((2 * pixels + 1,) * 2, np.uint8)) > 0)


def bordering(ids: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
    """The values of a map (h, w) that lie beside another one somewhere."""
    across, down = ids[:, 1:] != ids[:, :-1], ids[1:] != ids[:-1]
    beside = (ids[:, 1:][across], ids[:, :-1][across], ids[1:][down], ids[:-1][down])
    return np.asarray(np.unique(np.concatenate(beside)))


def borders(ids: npt.NDArray[np.uint16]) -> Mask:
    """Pixels whose left or upper neighbour has another id."""
    out = np.zeros(ids.shape, bool)
    out[:, 1:] |= ids[:, 1:] != ids[:, :-1]
    out[1:] |= ids[1:] != ids[:-1]
    return out


def at(mask: Mask, xy: Floats) -> Mask:
    """What a mask says at the pixels nearest to points (p, 2)."""
    h, w = mask.shape
    x, y = np.rint(xy).astype(np.intp).T
    return np.asarray(mask[y.clip(0, h - 1), x.clip(0, w - 1)])
