"""What may happen to a picture when it is refined: operations that leave every label true.

Each takes a generator and a `Shot`, and returns a picture.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
from gate_shots import Image, Mask, Rng, Shot, Values, byte, smooth  # type: ignore[import-not-found]  # beside this script


def identity(rng: Rng, shot: Shot) -> Image | None:
    """The render."""
    return shot.image.copy()


def blur(rng: Rng, shot: Shot) -> Image | None:
    """A Gaussian of 0.6 to 1.2 px."""
    return np.asarray(cv2.GaussianBlur(shot.image, (0, 0), rng.uniform(0.6, 1.2)))


def recolour(rng: Rng, shot: Shot) -> Image | None:
    """Another hue, and more or less saturation, for every object."""
    out = shot.image.astype(np.float64)
    hsv = cv2.cvtColor(shot.image.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
    for i in np.unique(shot.ids[shot.ids > 0]):
        hue, chroma = rng.uniform(30, 330), rng.uniform(0.5, 1.6)
        turned = np.stack(
            [(hsv[..., 0] + hue) % 360, np.clip(hsv[..., 1] * chroma + rng.uniform(0, 0.3), 0, 1), hsv[..., 2]], axis=-1
        )
        alpha = (shot.ids == i).astype(np.float64)[..., None]
        out = out * (1 - alpha) + 255 * cv2.cvtColor(turned.astype(np.float32), cv2.COLOR_HSV2RGB) * alpha
    return byte(out)


def relight(rng: Rng, shot: Shot) -> Image | None:
    """Smooth light from 0.55 to 1.8 times as strong, of another colour, and another gamma."""
    light = np.exp(smooth(rng, shot.ids.shape, 0.25 * min(shot.ids.shape)) * np.log(1.8))
    tint = np.exp(rng.uniform(-0.12, 0.12, 3))
    values = (shot.image / 255.0) ** rng.uniform(0.75, 1.35)
    return byte(255 * values * light[..., None] * tint)


def _texture(rng: Rng, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Grain, grain drawn out in one direction, or cells: zero mean, unit deviation, three channels of one colour."""
    kind, size_px = rng.integers(3), float(rng.uniform(0.8, 3))
    noise = rng.standard_normal(shape).astype(np.float32)
    if kind == 0:
        made = cv2.GaussianBlur(noise, (0, 0), size_px)
    elif kind == 1:
        square = cv2.GaussianBlur(
            rng.standard_normal((2 * max(shape),) * 2).astype(np.float32),
            (0, 0),
            sigmaX=8 * size_px,
            sigmaY=size_px / 2 + 0.4,
        )
        turn = cv2.getRotationMatrix2D((float(max(shape)),) * 2, rng.uniform(0, 180), 1)
        made = cv2.warpAffine(square, turn, square.shape[::-1])
        made = made[max(shape) // 2 :, max(shape) // 2 :][: shape[0], : shape[1]]
    else:
        made = np.abs(cv2.GaussianBlur(noise, (0, 0), 2 * size_px))
    made = (made - made.mean()) / made.std()
    return np.asarray(made[..., None] * np.exp(rng.uniform(-0.2, 0.2, 3)), np.float32)


def _retextured(rng: Rng, image: Values, mask: Mask, strength: float) -> Values:
    """The shading of what the mask shows, blurred within it, with another texture laid over."""
    alpha = mask.astype(np.float32)
    share = cv2.GaussianBlur(alpha, (0, 0), 4) + 1e-4
    shading = cv2.GaussianBlur((image * alpha[..., None]).astype(np.float32), (0, 0), 4) / share[..., None]
    textured = shading * (1 + strength * _texture(rng, mask.shape)).clip(0.2, 2)
    return np.where(mask[..., None], textured, image)


def retexture(rng: Rng, shot: Shot) -> Image | None:
    """Another texture on every object, within its outline, over its own shading."""
    out: Values = shot.image.astype(np.float64)
    for i in np.unique(shot.ids[shot.ids > 0]):
        out = _retextured(rng, out, shot.ids == i, float(rng.uniform(0.06, 0.16)))
    return byte(out)


def retexture_ground(rng: Rng, shot: Shot) -> Image | None:
    """Another texture on all that is no object."""
    mask = shot.ids == 0
    return byte(_retextured(rng, shot.image.astype(np.float64), mask, float(rng.uniform(0.04, 0.12))))


def noise(rng: Rng, shot: Shot) -> Image | None:
    """Gaussian noise of 3 to 10 steps."""
    return byte(shot.image + rng.uniform(3, 10) * rng.standard_normal(shot.image.shape))


def jpeg(rng: Rng, shot: Shot) -> Image | None:
    """JPEG of quality 40 to 85."""
    _, coded = cv2.imencode(".jpg", shot.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 86))])
    return np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])


def everything(rng: Rng, shot: Shot) -> Image | None:
    """Other colours, textures and light, blur and a little noise at once: what a model does that is told to restyle."""
    image = shot.image
    for step in (recolour, retexture, retexture_ground, relight, blur):
        image = step(rng, replace(shot, image=image))
    return byte(image + rng.uniform(1, 4) * rng.standard_normal(image.shape))
