"""What a sensor makes of light: flicker, noise, one colour a pixel. Pictures are linear, (h, w, 3) float32."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from ..scenes.sensor import Banding, Demosaic, Noise

__all__ = ["SATURATION", "banding", "demosaic", "gains", "noise", "poisson"]

Picture = npt.NDArray[np.float32]
Counts = npt.NDArray[np.float64]

#: Scene-linear value that fills the well: middle grey 0.18 gets 10/78 of it. ISO 12232 sets a saturation-based speed of
#: S at 78/S lx·s in saturation, and a recommended exposure of 10/S.
SATURATION = 0.18 * 78 / 10
#: No photosite has so many electrons, but a sun in an HDRI may; doubles count them exactly.
MOST = 1e15
#: Up to this mean Poisson numbers are found by summing their probabilities, above it by their expansion.
SUMMED = 30.0

# Malvar, He, Cutler 2004, "High-quality linear interpolation for demosaicing of Bayer-patterned color images", Fig. 2.
_GREEN = np.array([[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0], [0, 0, -1, 0, 0]]) / 8
_ROW = np.array([[0, 0, 0.5, 0, 0], [0, -1, 0, -1, 0], [-1, 4, 5, 4, -1], [0, -1, 0, -1, 0], [0, 0, 0.5, 0, 0]]) / 8
_OTHER = np.array([[0, 0, -1.5, 0, 0], [0, 2, 0, 2, 0], [-1.5, 0, 6, 0, -1.5], [0, 2, 0, 2, 0], [0, 0, -1.5, 0, 0]]) / 8


def gains(picture: Picture, red: float, green: float, blue: float) -> Picture:
    """Each channel times its gain."""
    return np.asarray(picture * np.array([red, green, blue], np.float32))


def banding(picture: Picture, effect: Banding) -> Picture:
    """Rows times a cosine about 1; row 0 has its centre at y = 0.5."""
    y = (np.arange(len(picture)) + 0.5) / effect.period_px
    gain = 1 + effect.strength * np.cos(2 * np.pi * (y + effect.phase))
    return np.asarray(picture * gain.astype(np.float32)[:, None, None])


def noise(picture: Picture, effect: Noise, gain: float) -> Picture:
    """The picture as a sensor counts it; `gain` is the exposure, 2^EV, that the view transform will apply.

    The mean stays what it was (negative values, which a black-level correction leaves in the dark, included). See
    `scenes.sensor.Noise` for the model and its source. Each pixel's chance is its own, so where two pictures are equal
    they have equal noise whatever is elsewhere, as a picture and its twin without a defect must.
    """
    scale = np.array([1 / effect.red_gain, 1.0, 1 / effect.blue_gain]) * _electrons_per_unit(effect) * gain
    mean = np.clip(picture.astype(np.float64) * scale, 0, MOST)
    if effect.prnu:
        pattern = np.random.default_rng(effect.pattern_seed).standard_normal(mean.shape)
        mean *= np.clip(1 + effect.prnu / np.sqrt(effect.binning) * pattern, 0, None)
    rng = np.random.default_rng(effect.seed)
    counted = poisson(mean, rng.standard_normal(mean.shape))
    counted += _dark_std(effect) * rng.standard_normal(mean.shape)
    counted += effect.row_noise_e * rng.standard_normal((len(mean), 1, 1))
    return (counted / scale).astype(np.float32)


def poisson(mean: Counts, z: Counts) -> Counts:
    """Poisson numbers of each mean, from standard normal ones: the quantiles of the shares of chance below `z`.

    numpy's own take more draws from a stream for one mean than for another, and so change all that follow. Large means
    by the Cornish-Fisher expansion (Abramowitz & Stegun 1964, 26.2.49) to order 1/√mean, which is off by a part of one.
    """
    wide = np.sqrt(np.maximum(mean, SUMMED))
    out = np.maximum(np.rint(mean + wide * z + (z * z - 1) / 6 + (z - z**3) / (72 * wide)), 0)
    few = np.nonzero(mean <= SUMMED)
    if len(few[0]):
        out[few] = _summed(mean[few], ndtr(z[few]))
    return np.asarray(out)


def _summed(mean: Counts, below: Counts) -> Counts:
    """(n,) the least number whose probability, with that of all smaller ones, is `below` or more."""
    out, term = np.zeros(len(mean)), np.exp(-mean)
    total, left = term.copy(), np.arange(len(mean))
    for k in range(1, int(SUMMED + 12 * np.sqrt(SUMMED))):
        left = left[total[left] < below[left]]
        if not len(left):
            break
        out[left] = k
        term[left] *= mean[left] / k
        total[left] += term[left]
    return out


def _electrons_per_unit(effect: Noise) -> float:
    """Electrons of a pixel, its binned photosites together, for a scene-linear value of 1."""
    return effect.full_well_e * effect.binning * effect.base_iso / effect.iso / SATURATION


def _dark_std(effect: Noise) -> float:
    """Standard deviation of the dark signal: read noise, and the converter's rounding (variance of 1/12 step²)."""
    step = effect.full_well_e * effect.base_iso / effect.iso / 2**effect.bits
    return float(np.sqrt(effect.binning * (effect.read_noise_e**2 + step**2 / 12)))


def demosaic(picture: Picture, effect: Demosaic) -> Picture:
    """What an RGGB filter leaves of the picture, interpolated; mixed with the picture by `amount`."""
    h, w = picture.shape[:2]
    rows, columns = (np.arange(h) % 2 == 0)[:, None], (np.arange(w) % 2 == 0)[None, :]
    red, blue = rows & columns, ~rows & ~columns
    raw = np.where(red, picture[..., 0], np.where(blue, picture[..., 2], picture[..., 1]))
    green, row, column, other = (
        cv2.filter2D(raw, -1, k, borderType=cv2.BORDER_REFLECT_101) for k in (_GREEN, _ROW, _ROW.T, _OTHER)
    )
    full = np.empty_like(picture)
    full[..., 1] = np.where(red | blue, green, raw)
    # Beside a green pixel of a red row stand red ones, above and below it blue ones; of a blue row the other way round.
    full[..., 0] = np.where(red, raw, np.where(blue, other, np.where(rows, row, column)))
    full[..., 2] = np.where(blue, raw, np.where(red, other, np.where(rows, column, row)))
    amount = np.float32(effect.amount)
    return amount * full + (1 - amount) * picture
