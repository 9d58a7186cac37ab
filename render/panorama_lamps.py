"""The lamps of a panorama: its small bright spots, which cast shadows where a rasterised world casts none.

EEVEE keeps of a world's light on dull surfaces four numbers for each colour, which know no spot. No bpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["Spot", "spots"]

Floats = npt.NDArray[np.float32]

#: What is so many times as bright as the mean of all directions is a lamp.
BRIGHT = 6.0
#: A lamp gives this share of all light at least, and there are so many of them at most, the strongest.
SHARE, MOST = 0.01, 6
#: A panorama of so many rows is looked at: a texel is then two of the sun's diameters wide.
ROWS = 180
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True)
class Spot:
    """Light from around one direction, a unit vector of the panorama's own frame (z up, its middle column at −x).

    `irradiance` is RGB, on what faces it; `angle` its angular diameter in radians.
    """

    direction: tuple[float, float, float]
    irradiance: tuple[float, float, float]
    angle: float


def spots(panorama: Floats) -> tuple[tuple[Spot, ...], float]:
    """The lamps of an equirectangular panorama (h, w, 3), first row up, linear; and from what luminance on they are so.

    A lamp is a patch brighter than that, and its light is what is above it: the panorama, held to this luminance, gives
    the rest.
    """
    small = cv2.resize(panorama, (2 * ROWS, ROWS), interpolation=cv2.INTER_AREA)
    towards, solid = _directions(small.shape[0], small.shape[1])
    luma = small @ _LUMA
    total = float((luma * solid).sum())
    limit = BRIGHT * total / float(solid.sum())
    above = small * (np.maximum(1 - limit / np.maximum(luma, limit), 0) * solid)[..., None]
    count, patches = cv2.connectedComponents((luma > limit).astype(np.uint8), connectivity=8)
    flux = [float((above[patches == k] @ _LUMA).sum()) for k in range(count)]
    strong = [k for k in np.argsort(flux)[::-1][:MOST] if k > 0 and flux[k] > SHARE * total]
    return tuple(_spot(above[patches == k], towards[patches == k]) for k in strong), limit


def _directions(rows: int, columns: int) -> tuple[Floats, Floats]:
    """(rows, columns, 3) unit vectors of the texels, and (rows, columns) their solid angles."""
    up = np.pi * (0.5 - (np.arange(rows) + 0.5) / rows)
    around = np.pi - 2 * np.pi * (np.arange(columns) + 0.5) / columns
    z, turn = np.meshgrid(up, around, indexing="ij")
    towards = np.stack([np.cos(z) * np.cos(turn), np.cos(z) * np.sin(turn), np.sin(z)], axis=-1)
    solid = np.cos(z) * (np.pi / rows) * (2 * np.pi / columns)
    return towards.astype(np.float32), solid.astype(np.float32)


def _spot(light: Floats, towards: Floats) -> Spot:
    """One lamp for texels' light (n, 3), which have solid angle in it already, and directions (n, 3)."""
    weight = light @ _LUMA
    mean = (towards * weight[:, None]).sum(axis=0)
    mean /= np.linalg.norm(mean)
    away = np.arccos(np.clip(towards @ mean, -1, 1))
    # A disc of angular radius a lies a²/2 from its middle in the mean square.
    angle = 2 * float(np.sqrt(2 * (weight * away**2).sum() / weight.sum()))
    x, y, z = (float(v) for v in mean)
    r, g, b = (float(v) for v in light.sum(axis=0))
    return Spot((x, y, z), (r, g, b), angle)
