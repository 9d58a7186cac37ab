"""What must not happen to a picture when it is refined: operations that leave a label wrong by 2 px or more.

Each takes a generator and a `Shot` and returns a picture, or None where it cannot be done (no two objects to swap, no
free place for another one). Objects that the gate freezes are not moved: in a run their pixels are the render's own.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from gate_shots import Image, Mask, Rng, Shot, Values, byte, smooth, wider  # type: ignore[import-not-found]  # beside this script


def _plate(shot: Shot, ids: tuple[int, ...]) -> Image:
    """The picture without these objects."""
    hole = wider(np.isin(shot.ids, ids), 2)
    return np.asarray(cv2.inpaint(shot.image, hole.astype(np.uint8), 3, cv2.INPAINT_TELEA))


def _laid(base: Values, picture: Image, mask: Mask, affine: Values) -> Values:
    """`base` with what `mask` shows of `picture`, moved by a 2×3 matrix, laid over it."""
    size = (base.shape[1], base.shape[0])
    alpha = cv2.warpAffine(mask.astype(np.float32), affine, size, flags=cv2.INTER_LINEAR)[..., None]
    moved = cv2.warpAffine(picture, affine, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(base * (1 - alpha) + moved * alpha)


def _about(centre: Values, scale: float, shift: Values) -> Values:
    return np.hstack([scale * np.eye(2), (centre * (1 - scale) + shift)[:, None]])


def _centre(mask: Mask) -> Values:
    return np.asarray(np.argwhere(mask).mean(axis=0)[::-1])


def _moved(shot: Shot, moves: dict[int, Values]) -> Image | None:
    if not moves:
        return None
    out: Values = _plate(shot, tuple(moves)).astype(np.float64)
    for i, affine in moves.items():
        out = _laid(out, shot.image, shot.ids == i, affine)
    return byte(out)


def _direction(rng: Rng) -> Values:
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)])


def shift_each(pixels: float) -> Callable[[Rng, Shot], Image | None]:
    """Every object in a direction of its own."""

    def apply(rng: Rng, shot: Shot) -> Image | None:
        return _moved(shot, {i: _about(np.zeros(2), 1, pixels * _direction(rng)) for i in shot.movable})

    return apply


def shift_one(pixels: float) -> Callable[[Rng, Shot], Image | None]:
    """One object alone."""

    def apply(rng: Rng, shot: Shot) -> Image | None:
        chosen = rng.permutation(shot.movable)[:1]
        return _moved(shot, {int(i): _about(np.zeros(2), 1, pixels * _direction(rng)) for i in chosen})

    return apply


def shift_all(pixels: float) -> Callable[[Rng, Shot], Image | None]:
    """The whole picture."""

    def apply(rng: Rng, shot: Shot) -> Image | None:
        size = (shot.image.shape[1], shot.image.shape[0])
        affine = _about(np.zeros(2), 1, pixels * _direction(rng))
        moved = cv2.warpAffine(shot.image, affine, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        return np.asarray(moved) if shot.movable else None

    return apply


def erase(rng: Rng, shot: Shot) -> Image | None:
    """One object, and the surface painted over it."""
    chosen = tuple(int(i) for i in rng.permutation(shot.movable)[:1])
    return _plate(shot, chosen) if chosen else None


#: An added object covers at least so much of the picture (157 px of 256²), and so much of it lies on no other object.
LEAST_ADDED, ON_NOTHING = 0.0024, 0.7


def add(rng: Rng, shot: Shot) -> Image | None:
    """An object of another render, where there is room for it."""
    h, w = shot.ids.shape
    for _ in range(60):
        picture, ids = shot.donors[rng.integers(len(shot.donors))]
        i = int(rng.choice(np.unique(ids)[1:]))
        rows, columns = np.nonzero(ids == i)
        y, x, b, r = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
        if (
            len(rows) < LEAST_ADDED * h * w
            or b - y > h // 2
            or r - x > w // 2
            or min(y, x) == 0
            or b == len(ids)
            or r == ids.shape[1]
        ):
            continue
        mask = ids[y:b, x:r] == i
        top, left = int(rng.integers(h - (b - y))), int(rng.integers(w - (r - x)))
        under = shot.ids[top : top + b - y, left : left + r - x]
        if (under[mask] == 0).mean() < ON_NOTHING:
            continue
        out = shot.image.copy()
        out[top : top + b - y, left : left + r - x][mask] = picture[y:b, x:r][mask]
        return out
    return None


def swap(rng: Rng, shot: Shot) -> Image | None:
    """Two objects that differ in outline, each at the other's place."""
    areas = {i: int((shot.ids == i).sum()) for i in shot.movable}
    for _ in range(30):
        if len(shot.movable) < 2:
            return None
        i, j = (int(v) for v in rng.permutation(shot.movable)[:2])
        here, there = shot.ids == i, shot.ids == j
        if not 0.25 < areas[i] / areas[j] < 4:
            continue
        step = np.rint(_centre(there) - _centre(here))
        laid = cv2.warpAffine(here.astype(np.uint8), _about(np.zeros(2), 1, step), shot.ids.shape[::-1]) > 0
        # Two equal outlines: whoever swaps them leaves the labels of position true.
        if (laid & there).sum() / (laid | there).sum() > 0.8:
            continue
        return _moved(shot, {i: _about(np.zeros(2), 1, step), j: _about(np.zeros(2), 1, -step)})
    return None


def scale(factor: float) -> Callable[[Rng, Shot], Image | None]:
    """Every object about its centre; not done where no outline would move by 2 px."""

    def apply(rng: Rng, shot: Shot) -> Image | None:
        moves, farthest = {}, 0.0
        for i in shot.movable:
            mask = shot.ids == i
            centre = _centre(mask)
            moves[i] = _about(centre, factor, np.zeros(2))
            farthest = max(farthest, abs(factor - 1) * float(np.sqrt(mask.sum() / np.pi)))
        return _moved(shot, moves) if farthest >= 2 else None

    return apply


def warp(pixels: float) -> Callable[[Rng, Shot], Image | None]:
    """A smooth displacement of the picture that is as large as named where it is largest on an outline."""

    def apply(rng: Rng, shot: Shot) -> Image | None:
        h, w = shot.ids.shape
        inside = np.isin(shot.ids, shot.movable)
        outline = wider(inside, 1) & wider(~inside, 1)
        if not outline.any():
            return None
        steps = np.stack([smooth(rng, (h, w), 0.08 * min(h, w)) for _ in range(2)], axis=-1)
        steps *= pixels / np.linalg.norm(steps, axis=-1)[outline].max()
        y, x = np.mgrid[:h, :w].astype(np.float32)
        moved = cv2.remap(
            shot.image, x + steps[..., 0], y + steps[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )
        return np.asarray(moved)

    return apply


def black(rng: Rng, shot: Shot) -> Image | None:
    """What a safety filter returns, or a failed decoder."""
    return np.zeros_like(shot.image)


def random_model(rng: Rng, shot: Shot) -> Image | None:
    """A net with random weights: four layers of convolution, halved and doubled on the way in half of the cases."""
    x = shot.image.astype(np.float32) / 127.5 - 1
    halve = rng.uniform() < 0.5
    for channels, step in [(8, 0.5), (8, 0.5), (8, 2.0), (3, 2.0)]:
        x = cv2.resize(x, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) if halve and step < 1 else x
        weights = rng.standard_normal((channels, x.shape[2], 5, 5)).astype(np.float32)
        x = np.stack([sum(cv2.filter2D(x[..., c], -1, one[c]) for c in range(x.shape[2])) for one in weights], axis=-1)
        x = (x - x.mean((0, 1))) / (x.std((0, 1)) + 1e-6)
        x = cv2.resize(x, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST) if halve and step > 1 else x
        x = np.maximum(x, 0) + 0.5 * rng.standard_normal(x.shape).astype(np.float32) if channels > 3 else x
    return byte(127.5 + 60 * cv2.resize(x, shot.ids.shape[::-1], interpolation=cv2.INTER_NEAREST))
