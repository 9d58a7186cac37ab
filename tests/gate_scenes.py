"""Drawn scenes for tests of the label gate: grainy objects on grainy ground, with exact ids, anywhere, at any size."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["SCENE", "Thing", "drawn"]

_TIMES = 5  # samples along each side of a pixel; the middle one is its centre


@dataclass(frozen=True)
class Thing:
    """A regular polygon, or a ring when it has a hole, with an id, a place (x, y) and a radius in pixels."""

    id: int
    at: tuple[float, float]
    radius: float
    corners: int
    colour: tuple[float, float, float]
    turn: float = 0.3
    hole: float = 0.0

    def moved(self, dx: float, dy: float) -> Thing:
        """The same thing elsewhere."""
        return replace(self, at=(self.at[0] + dx, self.at[1] + dy))


SCENE = (
    Thing(1, (40.3, 42.1), 22, 6, (0.62, 0.30, 0.22)),
    Thing(2, (110.7, 38.4), 18, 40, (0.25, 0.42, 0.55)),
    Thing(5, (162.2, 60.9), 24, 4, (0.72, 0.66, 0.30)),
    Thing(7, (64.0, 120.5), 26, 40, (0.20, 0.22, 0.25), hole=11),
    Thing(300, (138.4, 126.3), 20, 5, (0.80, 0.80, 0.78)),
)


def _grain(rng: np.random.Generator, shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    noise = cv2.GaussianBlur(rng.standard_normal(shape), (0, 0), 1.5)
    return np.asarray(noise / noise.std())


def _corners(thing: Thing, radius: float) -> npt.NDArray[np.int32]:
    """In sixteenths of a sample, from the corner of the picture."""
    angles = thing.turn + np.arange(thing.corners) * 2 * np.pi / thing.corners
    xy = np.array(thing.at) + 0.5 + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.asarray(np.rint((xy * _TIMES - 0.5) * 16), np.int32)


def drawn(
    things: tuple[Thing, ...], ground: tuple[float, float, float] = (0.45, 0.45, 0.43)
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint16]]:
    """The picture and its ids; grain moves with its thing, and is the same for the same id."""
    w, h = 200, 170
    picture = np.array(ground) * (1 + 0.03 * _grain(np.random.default_rng(0), (h, w))[..., None])
    ids = np.zeros((h, w), np.uint16)
    for thing in things:
        cover = np.zeros((h * _TIMES, w * _TIMES), np.uint8)
        cv2.fillPoly(cover, [_corners(thing, thing.radius)], 1, shift=4)
        if thing.hole:
            cv2.fillPoly(cover, [_corners(thing, thing.hole)], 0, shift=4)
        alpha = cv2.resize(cover.astype(np.float64), (w, h), interpolation=cv2.INTER_AREA)[..., None]
        side = int(2 * thing.radius) + 8
        grain = _grain(np.random.default_rng(thing.id), (side, side))
        x, y = np.meshgrid(np.arange(w) - thing.at[0] + side / 2, np.arange(h) - thing.at[1] + side / 2)
        own = cv2.remap(grain, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)[..., None]
        light = 1 + 0.1 * (y - x)[..., None] / thing.radius
        picture = picture * (1 - alpha) + alpha * np.array(thing.colour) * (1 + 0.05 * own) * light.clip(0.5, 1.5)
        ids[cover[_TIMES // 2 :: _TIMES, _TIMES // 2 :: _TIMES] > 0] = thing.id
    blurred = cv2.GaussianBlur(picture, (0, 0), 0.5)
    return np.rint(255 * blurred.clip(0, 1)).astype(np.uint8), ids
