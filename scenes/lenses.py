"""Lens distortion: the Brown–Conrady and the fisheye model, both with OpenCV's coefficients, and their inverses.

A lens maps a direction of the camera frame (x right, y down, z forward; any length) to a point of the *normalized*
image, from which pixels follow as u = fx·x + cx, v = fy·y + cy. Where a radial function stops rising the image folds
over itself: directions farther out have no image, and image points farther out no direction. Both are NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

__all__ = ["BrownConrady", "Fisheye", "Lens"]

Vec = npt.NDArray[np.float64]

#: Newton's steps end here (normalized units): 1e-10 px at a focal length of 10,000 px.
STEP = 1e-14
STEPS = 60
#: Points of the table that gives Newton's method its start.
TABLE = 2048


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class BrownConrady(_Frozen):
    """Radial and tangential distortion, `cv2.projectPoints` with (k1, k2, p1, p2, k3, k4, k5, k6).

    With x = X/Z, y = Y/Z, r² = x² + y² and c = (1 + k1 r² + k2 r⁴ + k3 r⁶) / (1 + k4 r² + k5 r⁴ + k6 r⁶):
    x' = c x + 2 p1 x y + p2 (r² + 2 x²), y' = c y + p1 (r² + 2 y²) + 2 p2 x y (OpenCV, "Camera Calibration and 3D
    Reconstruction"; Brown 1966). Barrel distortion has k1 < 0. A direction with Z ≤ 0 has no image.
    """

    model: Literal["brown_conrady"] = "brown_conrady"
    k1: float = 0.0
    k2: float = 0.0
    p1: float = 0.0
    p2: float = 0.0
    k3: float = 0.0
    k4: float = 0.0
    k5: float = 0.0
    k6: float = 0.0

    @property
    def limit(self) -> float:
        """The radius r = √(X² + Y²) / Z at which c·r stops rising, inf where it rises for ever."""
        top, bottom = (np.array([1.0, *c]) for c in self._coefficients)
        # d(r · top / bottom) / dr = 0 as a polynomial in r², whose d/dr is 2 r d/dr²; a pole ends the range too.
        grow, shrink = 2 * np.arange(4) * top, 2 * np.arange(4) * bottom
        rising = np.convolve(top + grow, bottom) - np.convolve(top, shrink)
        return math.sqrt(min(_first_root(rising), _first_root(bottom)))

    @property
    def reach(self) -> float:
        """The distance from the principal point up to which image points have a direction, normalized; maybe inf."""
        limit = self.limit
        return float(self._radial(np.array([limit**2]))[0][0] * limit) if math.isfinite(limit) else math.inf

    def distort(self, rays: Vec) -> Vec:
        """(n, 2) normalized image points of (n, 3) directions."""
        z = np.where(rays[:, 2] > 0, rays[:, 2], np.nan)
        x, y = rays[:, 0] / z, rays[:, 1] / z
        out, (a, b, d) = self._image(x, y)
        bad = ~((np.hypot(x, y) < self.limit) & (a * d - b * b > 0))
        out[bad] = np.nan
        return out

    def undistort(self, at: Vec) -> Vec:
        """(n, 3) directions with z = 1 of (n, 2) normalized image points, to 1e-13."""
        limit = self.limit
        far = np.hypot(at[:, 0], at[:, 1])
        r = _inverse(lambda r: r * self._radial(r**2)[0], far, limit)
        with np.errstate(invalid="ignore", divide="ignore"):
            xy = at * np.where(far > 0, r / far, 1.0)[:, None]
            for _ in range(STEPS):
                image, (a, b, d) = self._image(xy[:, 0], xy[:, 1])
                error, det = image - at, a * d - b * b
                step = np.stack([d * error[:, 0] - b * error[:, 1], a * error[:, 1] - b * error[:, 0]], axis=1)
                step /= det[:, None]
                xy = xy - step
                if not (np.abs(step) > STEP * (1 + np.abs(xy))).any():
                    break
            image, (a, b, d) = self._image(xy[:, 0], xy[:, 1])
            inside = (np.hypot(xy[:, 0], xy[:, 1]) < limit) & (a * d - b * b > 0)
            good = inside & (np.abs(image - at).max(axis=1) < 1e-12 * (1 + far))
        return np.where(good[:, None], np.column_stack([xy, np.ones(len(xy))]), np.nan)

    def _radial(self, s: Vec) -> tuple[Vec, Vec]:
        """The factor c, and its derivative by s = r²."""
        top, bottom = (1 + s * (a + s * (b + s * c)) for a, b, c in self._coefficients)
        (a, b, c), (e, f, g) = self._coefficients
        slope = (a + s * (2 * b + 3 * c * s)) * bottom - top * (e + s * (2 * f + 3 * g * s))
        return top / bottom, slope / bottom**2

    @property
    def _coefficients(self) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        return (self.k1, self.k2, self.k3), (self.k4, self.k5, self.k6)

    def _image(self, x: Vec, y: Vec) -> tuple[Vec, tuple[Vec, Vec, Vec]]:
        """Image points, and the Jacobian ((a, b), (b, d)), which is symmetric."""
        s = x * x + y * y
        c, slope = self._radial(s)
        image = np.stack([
            c * x + 2 * self.p1 * x * y + self.p2 * (s + 2 * x * x),
            c * y + self.p1 * (s + 2 * y * y) + 2 * self.p2 * x * y,
        ], axis=1)  # fmt: skip
        a = c + 2 * x * x * slope + 2 * self.p1 * y + 6 * self.p2 * x
        d = c + 2 * y * y * slope + 6 * self.p1 * y + 2 * self.p2 * x
        return image, (a, 2 * x * y * slope + 2 * self.p1 * x + 2 * self.p2 * y, d)


class Fisheye(_Frozen):
    """A lens that images the angle to the axis, `cv2.fisheye` with (k1, k2, k3, k4); it may see behind the camera.

    With θ the angle between direction and axis: r = θ (1 + k1 θ² + k2 θ⁴ + k3 θ⁶ + k4 θ⁸), x' = r cos φ, y' = r sin φ
    (Kannala & Brandt 2006). All coefficients 0 is the equidistant lens: fx = 2 · radius in pixels / field of view.
    """

    model: Literal["fisheye"] = "fisheye"
    k1: float = 0.0
    k2: float = 0.0
    k3: float = 0.0
    k4: float = 0.0

    @property
    def limit(self) -> float:
        """The angle from the axis at which r stops rising, at most π."""
        slope = np.array([1.0, 3 * self.k1, 5 * self.k2, 7 * self.k3, 9 * self.k4])
        return min(math.sqrt(_first_root(slope)), math.pi)

    @property
    def reach(self) -> float:
        """The distance from the principal point up to which image points have a direction, normalized."""
        return float(self._radius(np.array([self.limit]))[0])

    def distort(self, rays: Vec) -> Vec:
        """(n, 2) normalized image points of (n, 3) directions."""
        side = np.hypot(rays[:, 0], rays[:, 1])
        angle = np.arctan2(side, rays[:, 2])
        bad = (angle >= self.limit) | ((side == 0) & (rays[:, 2] <= 0))
        factor = np.where(side > 0, self._radius(angle) / np.where(side > 0, side, 1), 0.0)
        return np.where(bad[:, None], np.nan, rays[:, :2] * factor[:, None])

    def undistort(self, at: Vec) -> Vec:
        """(n, 3) unit directions of (n, 2) normalized image points, to 1e-13."""
        far = np.hypot(at[:, 0], at[:, 1])
        angle = _inverse(self._radius, far, self.limit)
        with np.errstate(invalid="ignore"):
            for _ in range(STEPS):
                step = (self._radius(angle) - far) / self._slope(angle)
                angle = angle - step
                if not (np.abs(step) > STEP * 4).any():
                    break
            good = (angle < self.limit) & (np.abs(self._radius(angle) - far) < 1e-12 * (1 + far))
            side = np.where(far > 0, np.sin(angle) / np.where(far > 0, far, 1), 0.0)
        return np.where(good[:, None], np.column_stack([at * side[:, None], np.cos(angle)]), np.nan)

    def _radius(self, angle: Vec) -> Vec:
        t = angle * angle
        return np.asarray(angle * (1 + t * (self.k1 + t * (self.k2 + t * (self.k3 + t * self.k4)))))

    def _slope(self, angle: Vec) -> Vec:
        t = angle * angle
        return np.asarray(1 + t * (3 * self.k1 + t * (5 * self.k2 + t * (7 * self.k3 + t * 9 * self.k4))))


Lens = Annotated[BrownConrady | Fisheye, Field(discriminator="model")]


def _first_root(coefficients: Vec) -> float:
    """The smallest positive real root of a polynomial, lowest power first; inf where there is none."""
    roots = np.asarray(np.roots(coefficients[::-1]), dtype=np.complex128)
    real = roots.real[(np.abs(roots.imag) < 1e-9 * (1 + np.abs(roots))) & (roots.real > 1e-12)]
    return float(real.min()) if len(real) else math.inf


def _inverse(rising: Callable[[Vec], Vec], values: Vec, limit: float) -> Vec:
    """Where a function that rises from (0, 0) up to `limit` takes the values, about: a start for Newton's method."""
    most = float(np.nanmax(values, initial=0.0))
    end = min(limit, max(most, 1e-6))
    while end < min(limit, 1e6) and float(rising(np.array([end]))[0]) < most:
        end = min(2 * end, limit)
    at = np.linspace(0.0, end, TABLE)
    return np.asarray(np.interp(values, rising(at), at, right=np.nan))
