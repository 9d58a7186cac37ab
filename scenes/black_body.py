"""The colour of a black body: of lamps, and of the white that a camera is balanced for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..assets.material import RGB

__all__ = ["black_body"]

#: CIE XYZ to linear Rec.709 (ITU-R BT.709, white D65).
_XYZ_TO_REC709 = np.array(
    [[3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560], [0.0556434, -0.2040259, 1.0572252]]
)


def black_body(temperature_k: float) -> RGB:
    """Linear Rec.709 colour of a black body, with the brightest channel at 1, relative to 6500 K as white.

    The Planckian locus of the CIE 1931 observer as cubics in the reciprocal temperature (Kim et al. 2002, US patent
    7024034), made for 1667 to 25000 K and within 0.004 in x and y down to 1500 K. Below 1900 K Rec.709 has no such
    orange: blue is 0 there.
    """
    rgb = np.maximum(_rec709(temperature_k) / _rec709(6500.0), 0.0)
    rgb = np.round(rgb / rgb.max(), 9)
    return (float(rgb[0]), float(rgb[1]), float(rgb[2]))


def _rec709(temperature_k: float) -> npt.NDArray[np.float64]:
    t = 1000.0 / temperature_k
    if temperature_k <= 4000:
        x = np.polyval([-0.2661239, -0.2343589, 0.8776956, 0.179910], t)
    else:
        x = np.polyval([-3.0258469, 2.1070379, 0.2226347, 0.240390], t)
    if temperature_k <= 2222:
        y = np.polyval([-1.1063814, -1.34811020, 2.18555832, -0.20219683], x)
    elif temperature_k <= 4000:
        y = np.polyval([-0.9549476, -1.37418593, 2.09137015, -0.16748867], x)
    else:
        y = np.polyval([3.0817580, -5.87338670, 3.75112997, -0.37001483], x)
    return np.asarray(_XYZ_TO_REC709 @ np.array([x / y, 1.0, (1 - x - y) / y]))
