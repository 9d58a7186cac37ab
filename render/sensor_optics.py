"""What a lens does to a picture: falloff, coloured fringes, blur. Pictures are (h, w, 3) float32."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt
from scipy.special import ive

from ..scenes.scene import Camera
from ..scenes.sensor import Blur, ChromaticAberration, Defocus, Vignetting

__all__ = ["blur", "chromatic_aberration", "defocus", "gaussian", "vignetting"]

Picture = npt.NDArray[np.float32]

#: Steps per pixel in which a disc's edge is found.
FINE = 16


def vignetting(picture: Picture, effect: Vignetting, camera: Camera) -> Picture:
    """Every pixel times cos⁴ θ = 1 / (1 + tan² θ)², with tan θ = t r and t such that the corner gets 1 − `strength`.

    Source: the natural falloff of a thin lens (Born & Wolf, Principles of Optics, §4.8.1).
    """
    x, y = _from_centre(camera)
    r2 = (x**2 + y**2) / _reach(camera) ** 2
    t2 = 1 / math.sqrt(1 - effect.strength) - 1
    return picture * (1 / (1 + t2 * r2) ** 2).astype(np.float32)[..., None]


def chromatic_aberration(picture: Picture, effect: ChromaticAberration, camera: Camera) -> Picture:
    """Red and blue magnified about the principal point; what stood at r = 1 stands so many pixels farther out."""
    x, y = _from_centre(camera)
    out = picture.copy()
    for channel, shift in ((0, effect.red_px), (2, effect.blue_px)):
        if shift:
            shrink = 1 / (1 + shift / _reach(camera))
            rows = _resampled(picture[..., channel], y.ravel() * shrink + camera.cy)
            out[..., channel] = _resampled(rows.T, x.ravel() * shrink + camera.cx).T
    return out


def _resampled(plane: npt.NDArray[np.float32], at: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Rows at other places, in pixels from the first row's upper edge: Catmull-Rom splines, the border continued.

    OpenCV's cubic bends straight ramps by a twentieth of a step, and knows places to 1/32 pixel only.
    """
    first = np.floor(at - 0.5)
    t = (at - 0.5 - first)[:, None]
    weights = (
        ((2 - t) * t - 1) * t / 2, ((3 * t - 5) * t * t + 2) / 2, ((4 - 3 * t) * t + 1) * t / 2, (t - 1) * t * t / 2,
    )  # fmt: skip
    rows = [np.clip(first.astype(np.intp) + k, 0, len(plane) - 1) for k in (-1, 0, 1, 2)]
    return sum((w * plane[r] for w, r in zip(weights, rows, strict=True)), np.zeros((1, 1))).astype(np.float32)


def blur(picture: Picture, effect: Blur) -> Picture:
    """Convolved with a Gaussian."""
    return gaussian(picture, effect.sigma_px)


def gaussian(picture: Picture, sigma_px: float) -> Picture:
    """Convolved with the discrete Gaussian, whose variance is σ² for any σ; borders are mirrored.

    Lindeberg 1990, "Scale-space for discrete signals": e^(−σ²) I_n(σ²) with the modified Bessel functions I_n. A
    sampled Gaussian of 0.3 px would have less than a tenth of its variance.
    """
    if sigma_px <= 0:
        return picture
    n = np.arange(-math.ceil(5 * sigma_px + 3), math.ceil(5 * sigma_px + 3) + 1)
    kernel = ive(np.abs(n), sigma_px**2)
    kernel /= kernel.sum()
    return np.asarray(cv2.sepFilter2D(picture, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT_101))


def defocus(picture: Picture, effect: Defocus) -> Picture:
    """Convolved with a disc; border pixels of the disc count by the part of them that lies in it."""
    reach = math.ceil(effect.radius_px + 0.5)
    at = (np.arange((2 * reach + 1) * FINE) + 0.5) / FINE - reach - 0.5
    inside = np.hypot(at[:, None], at[None, :]) <= effect.radius_px
    kernel = inside.reshape(2 * reach + 1, FINE, 2 * reach + 1, FINE).mean(axis=(1, 3))
    if not kernel.sum():
        return picture
    return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT_101))


def _from_centre(camera: Camera) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(1, w) and (h, 1): how far pixel centres lie from the principal point, pixels."""
    return (np.arange(camera.width) + 0.5 - camera.cx)[None, :], (np.arange(camera.height) + 0.5 - camera.cy)[:, None]


def _reach(camera: Camera) -> float:
    """From the principal point to the farthest corner of the image, pixels: r = 1."""
    return math.hypot(max(camera.cx, camera.width - camera.cx), max(camera.cy, camera.height - camera.cy))
