"""What a sensor makes of light: flicker, noise, one colour a pixel. Pictures are linear, (h, w, 3) float32."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ..scenes.sensor import Banding, Demosaic, Noise

__all__ = ["SATURATION", "banding", "demosaic", "gains", "noise"]

Picture = npt.NDArray[np.float32]

#: Scene-linear value that fills the well: middle grey 0.18 gets 10/78 of it. ISO 12232 sets a saturation-based speed of
#: S at 78/S lx·s in saturation, and a recommended exposure of 10/S.
SATURATION = 0.18 * 78 / 10
#: numpy draws Poisson numbers up to 9e18; no photosite has that many electrons, but a sun in an HDRI may.
MOST = 1e15

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
    `scenes.sensor.Noise` for the model and its source.
    """
    scale = np.array([1 / effect.red_gain, 1.0, 1 / effect.blue_gain]) * _electrons_per_unit(effect) * gain
    mean = np.clip(picture.astype(np.float64) * scale, 0, MOST)
    if effect.prnu:
        pattern = np.random.default_rng(effect.pattern_seed).standard_normal(mean.shape)
        mean *= np.clip(1 + effect.prnu / np.sqrt(effect.binning) * pattern, 0, None)
    rng = np.random.default_rng(effect.seed)
    counted = rng.poisson(mean).astype(np.float64)
    counted += _dark_std(effect) * rng.standard_normal(mean.shape)
    counted += effect.row_noise_e * rng.standard_normal((len(mean), 1, 1))
    return (counted / scale).astype(np.float32)


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
