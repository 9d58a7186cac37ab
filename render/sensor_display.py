"""What a camera's software does to the finished picture. Pictures are (h, w, 3) float32, sRGB from 0 to 1."""

from __future__ import annotations

import hashlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..errors import RenderError
from ..scenes.pixel_transforms import albumentations, make
from ..scenes.sensor import Albumentations, Denoise, Jpeg, Quantize, Sharpen, Tone
from .sensor_optics import gaussian

__all__ = ["denoise", "jpeg", "quantize", "sharpen", "to_8_bits", "tone", "transform"]

Picture = npt.NDArray[np.float32]

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # Rec. 709
SAMPLING = {
    "4:4:4": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    "4:2:2": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "4:2:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
}


def to_8_bits(picture: Picture) -> npt.NDArray[np.uint8]:
    """The nearest of 256 levels; what lies outside 0 … 1 is clipped."""
    return np.asarray(np.rint(np.clip(picture, 0, 1) * 255), np.uint8)


def denoise(picture: Picture, effect: Denoise) -> Picture:
    """Luma by a bilateral filter (Tomasi & Manduchi 1998), chroma, the difference from luma, by a Gaussian."""
    luma = picture @ LUMA
    chroma = gaussian(picture - luma[..., None], effect.chroma_px)
    if effect.luma > 0:
        size = 2 * int(np.ceil(2 * effect.radius_px)) + 1
        luma = cv2.bilateralFilter(luma, size, effect.luma, effect.radius_px, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(luma)[..., None] + chroma


def tone(picture: Picture, effect: Tone) -> Picture:
    """Levels, gamma, contrast, saturation: the formulas stand at `scenes.sensor.Tone`."""
    v = np.clip((picture - effect.black) / (effect.white - effect.black), 0, 1) ** (1 / effect.gamma)
    v = np.clip(v + effect.contrast * (v * v * (3 - 2 * v) - v), 0, 1).astype(np.float32)
    luma = (v @ LUMA)[..., None]
    return np.asarray(np.clip(luma + np.float32(effect.saturation) * (v - luma), 0, 1))


def sharpen(picture: Picture, effect: Sharpen) -> Picture:
    """Luma's fine detail, less the threshold, added to all channels alike, so that no colour is sharpened."""
    luma = picture @ LUMA
    fine = luma - gaussian(luma, effect.radius_px)
    fine = np.sign(fine) * np.maximum(np.abs(fine) - np.float32(effect.threshold), 0)
    return np.asarray(picture + np.float32(effect.amount) * fine[..., None])


def jpeg(picture: Picture, effect: Jpeg) -> Picture:
    """Encoded and decoded by libjpeg, as OpenCV brings it."""
    options = (cv2.IMWRITE_JPEG_QUALITY, effect.quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLING[effect.subsampling])
    ok, data = cv2.imencode(".jpg", np.ascontiguousarray(to_8_bits(picture)[..., ::-1]), options)
    if not ok:
        raise RenderError(f"OpenCV could not write a JPEG of {picture.shape}: lower render.size or leave the jpeg out")
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1], np.float32) / 255


def quantize(picture: Picture, effect: Quantize) -> Picture:
    """The nearest of 2^bits levels from 0 to 1."""
    top = np.float32(2**effect.bits - 1)
    return np.asarray(np.rint(np.clip(picture, 0, 1) * top) / top)


def transform(picture: Picture, effect: Albumentations) -> tuple[Picture, dict[str, Any]]:
    """A transform of albumentations on the 8-bit picture, and what it drew, as `ReplayCompose` tells it, in plain JSON.

    The effect's seed decides everything that the transform draws, whether it draws it before it looks at the picture,
    after that, or while it works. The replays of 25 of the 51 transforms are no JSON as they are (arrays, numpy's
    numbers, generators): so an image is replayed from the seed, and the replay is there to be read, arrays by hash.
    """
    compose = albumentations().ReplayCompose([make(effect.transform, effect.params)])
    compose.set_random_seed(effect.seed)
    result = compose(image=to_8_bits(picture))
    return result["image"].astype(np.float32) / 255, _plain(result["replay"]["transforms"][0])


def _plain(value: Any) -> Any:
    """What a transform drew as JSON; an array of more than 16 numbers as its type, shape and hash."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray):
        if value.size <= 16:
            return _plain(value.tolist())
        data = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return {"array": value.dtype.name, "shape": list(value.shape), "sha256": data}
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, str | int | float | bool) or value is None else repr(type(value).__name__)
