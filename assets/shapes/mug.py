"""A glazed mug: a thrown body with rounded lip and bare foot ring, and a pulled handle that flares into the wall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from ...errors import AssetError
from ..mesh import Mesh
from .base import (
    ROUNDING_M,
    Faces,
    Params,
    Points,
    Solid,
    centred,
    denser,
    fillet,
    from_manifold,
    loft,
    number,
    revolve,
    to_manifold,
)
from .completed import completed, within

__all__ = ["MugParams", "mug", "mug_rand"]

SEGMENTS = 80
LEAN, MOST_LEAN = 0.40, 0.426  # how far a wall may lean out over its height, and how far a thick one may
LIP_BAND_M = 0.004  # the lip's own glaze reaches this far down


class MugParams(Params):
    """A mug with one handle towards +x; `taper` is the foot's radius in radii of the rim."""

    radius_m: Annotated[float, Field(ge=0.02, le=0.1, description="outside radius at the rim")] = 0.041
    height_m: Annotated[float, Field(ge=0.03, le=0.2)] = 0.095
    wall_m: Annotated[float, Field(ge=0.002, le=0.008, description="wall thickness")] = 0.004
    taper: Annotated[float, Field(ge=0.7, le=1.0)] = 0.94
    base_round_m: Annotated[float, Field(ge=0.003, description="radius between wall and base, outside")] = 0.009
    handle_reach_m: Annotated[float, Field(gt=0, description="how far the handle stands out from the wall")] = 0.032
    handle_width_m: Annotated[float, Field(ge=0.006, description="the handle's width, across the reach")] = 0.013
    handle_thickness_m: Annotated[float, Field(ge=0.004, description="the handle's thickness, along the reach")] = (
        0.0085
    )

    @model_validator(mode="after")
    def _handle_fits(self) -> MugParams:
        if self.handle_width_m > 0.6 * self.radius_m:
            raise ValueError(f"handle_width_m {self.handle_width_m} must be at most 0.6 of radius_m {self.radius_m}")
        if not 2.6 * self.handle_thickness_m - ROUNDING_M <= self.handle_reach_m <= self.height_m:
            raise ValueError(
                f"handle_reach_m {self.handle_reach_m} must leave room for a finger (2.6 handle_thickness_m) "
                f"and be at most height_m"
            )
        if self.base_round_m > 0.3 * min(self.radius_m, self.height_m):
            raise ValueError(f"base_round_m {self.base_round_m} must be at most 0.3 of radius_m and of height_m")
        try:
            _profile(self)
        except AssetError as error:
            raise ValueError(f"the wall leans too far for its roundings ({error}): raise taper or height_m") from None
        return self


def mug(p: MugParams) -> Mesh:
    """The mug; parts body (outer glaze and handle), inside, lip, foot (the bare ring it stands on).

    Keypoints: base, rim_0 … rim_3 (top of the lip, every 90° from +x), bottom_inside, handle_out (the handle's farthest
    point), handle_top and handle_bottom (where its middle line meets the wall).
    """
    body = to_manifold(revolve(_profile(p), SEGMENTS))
    v, f, _ = from_manifold(body + (to_manifold(_handle(p)) - to_manifold(_core(p))))
    h, mid = p.height_m, p.radius_m - p.wall_m / 2
    points: dict[str, npt.ArrayLike] = {"base": (0, 0, 0), "bottom_inside": (0, 0, _floor(p))}
    for i in range(4):
        angle = i * np.pi / 2
        points[f"rim_{i}"] = (mid * np.cos(angle), mid * np.sin(angle), h)
    spine, _ = _spine(p)
    points["handle_out"] = spine[len(spine) // 2] + [p.handle_thickness_m / 2, 0, 0]
    points["handle_top"] = (_outer_radius(p, _handle_ends(p)[0]), 0, _handle_ends(p)[0])
    points["handle_bottom"] = (_outer_radius(p, _handle_ends(p)[1]), 0, _handle_ends(p)[1])
    names = ("body", "inside", "lip", "foot")
    return centred(v, f, face_part=_parts(p, v, f), part_names=names, keypoints=points, smooth_angle_deg=40)


def _floor(p: MugParams) -> float:
    """Height of the inside's bottom."""
    return 0.003 + 1.25 * p.wall_m


def _outer_radius(p: MugParams, z: float) -> float:
    """Outside radius of the straight wall at height z."""
    return p.radius_m * (p.taper + (1 - p.taper) * z / p.height_m)


def _profile(p: MugParams) -> Points:
    """Half of the mug's section, counter-clockwise: base, outside, lip, inside."""
    foot, top, w = p.radius_m * p.taper, p.radius_m, p.wall_m
    ring = foot - p.base_round_m * 0.75
    inner = min(p.base_round_m, 0.3 * p.radius_m)
    corners = [
        (0.0, 0.003, 0),
        (ring - 0.005, 0.003, 0.001),
        (ring - 0.0035, 0.0, 0.001),
        (ring, 0.0, 0.001),
        (foot, p.base_round_m * 0.75, p.base_round_m),
        (top, p.height_m, 0.46 * w),
        (top - w, p.height_m, 0.46 * w),
        (foot - w, _floor(p), inner),
        (0.0, _floor(p), 0),
    ]
    return denser(fillet(corners, 6), 0.012)


def _core(p: MugParams) -> Solid:
    """What fills the mug up to the middle of its wall: the handle must not come through on the inside."""
    z = np.array([_floor(p) / 2, p.height_m - p.wall_m])
    foot, top = (_outer_radius(p, height) - p.wall_m / 2 for height in z)
    return revolve([(0, z[0]), (foot, z[0]), (top, z[1]), (0, z[1])], SEGMENTS)


def _handle_ends(p: MugParams) -> tuple[float, float]:
    """Heights at which the handle's middle line leaves the wall: (upper, lower)."""
    return 0.82 * p.height_m, max(0.22 * p.height_m, p.base_round_m + p.handle_thickness_m)


def _spine(p: MugParams) -> tuple[Points, Points]:
    """(S, 3) points of the handle's middle line from the upper end to the lower, and (S, 3) unit tangents.

    A superellipse: it leaves the wall squarely and is rounder than a rectangle, fuller than an ellipse.
    """
    upper, lower = _handle_ends(p)
    reach, exponent = p.handle_reach_m - p.handle_thickness_m / 2, 2.6
    t = np.linspace(0.0, np.pi, 49)
    x = reach * _power(np.sin(t), 2 / exponent)
    z = _power(np.cos(t), 2 / exponent) * (upper - lower) / 2
    middle = (upper + lower) / 2
    wall = np.array([_outer_radius(p, middle + h) for h in z])
    points = np.column_stack([wall + x, np.zeros_like(x), middle + z])
    arc_length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    even = np.linspace(0.0, arc_length[-1], 45)
    points = np.column_stack([np.interp(even, arc_length, points[:, k]) for k in range(3)])
    start, end = points[0] - [p.wall_m, 0, 0], points[-1] - [p.wall_m, 0, 0]
    points = np.concatenate([start[None], points, end[None]])
    tangent = np.gradient(points, axis=0)
    return points, tangent / np.linalg.norm(tangent, axis=1)[:, None]


def _handle(p: MugParams) -> Solid:
    """The handle as a tube of rounded section that flares like a trumpet where it meets the wall."""
    spine, tangent = _spine(p)
    s = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(spine, axis=0), axis=1))]) - p.wall_m
    flare = 0.55 * p.handle_thickness_m
    away = np.clip(np.minimum(s, s[-1] - p.wall_m - s) / flare, 0.0, 1.0)
    grow = 0.75 * flare * (1 - np.sqrt(1 - (1 - away) ** 2))
    u = np.arange(28) * (2 * np.pi / 28)
    across, along = _power(np.sin(u), 0.8), _power(np.cos(u), 0.8)
    normal = np.column_stack([-tangent[:, 2], np.zeros(len(s)), tangent[:, 0]])
    half_t, half_w = p.handle_thickness_m / 2 + grow, p.handle_width_m / 2 + grow
    rings = spine[:, None] + normal[:, None] * (half_t[:, None] * along)[..., None]
    rings[..., 1] += half_w[:, None] * across
    return loft(rings[:, ::-1])


def _power(x: Points, exponent: float) -> Points:
    """sign(x) · |x|^exponent, as superellipses need it. The root of a rounding error would be a large error."""
    x = np.round(x, 12)
    return np.asarray(np.sign(x) * np.abs(x) ** exponent)


def _parts(p: MugParams, v: Points, f: Faces) -> npt.NDArray[np.uint8]:
    """0 outside and handle, 1 inside, 2 lip, 3 foot: the borders are rows of the profile."""
    middle = v[f].mean(axis=1)
    r, z = np.hypot(middle[:, 0], middle[:, 1]), middle[:, 2]
    part = np.zeros(len(f), np.uint8)
    inner = np.interp(z, [_floor(p), p.height_m], [p.radius_m * p.taper, p.radius_m]) - p.wall_m / 2
    part[(r < inner) & (z > _floor(p) * 0.75)] = 1
    part[(z > p.height_m - LIP_BAND_M)] = 2
    part[(z < 0.0008) & (r < p.radius_m)] = 3
    return part


def mug_rand(rng: np.random.Generator, given: Mapping[str, object]) -> MugParams:
    """A mug of 0.2 to 0.5 litres; the handle's size follows the hand, its reach the finger."""
    radius = number(given, "radius_m", rng.uniform(0.037, 0.046))
    slender, taper, base = rng.uniform([2.05, 0.84, 0.12], [2.6, 1.0, 0.28])
    wall, reach, width, thick = rng.uniform([0.0034, 0.027, 0.011, 0.0075], [0.0048, 0.037, 0.016, 0.0098])
    drawn = {
        "radius_m": radius,
        "height_m": slender * radius,
        "wall_m": wall,
        "taper": taper,
        "base_round_m": max(base * radius, 0.003),
        "handle_reach_m": reach,
        "handle_width_m": width,
        "handle_thickness_m": thick,
    }
    walls = ((LEAN, drawn), (MOST_LEAN, {**drawn, "wall_m": 0.008}))
    return completed(MugParams, given, drawn, (_fitted(rng, given, usual, lean) for lean, usual in walls))


def _fitted(
    rng: np.random.Generator, given: Mapping[str, object], usual: Mapping[str, float], most_lean: float
) -> dict[str, float]:
    """A mug that goes with what is given: as large as its parts ask, with a small handle where it is small."""
    base, width = number(given, "base_round_m", 0.003), number(given, "handle_width_m", 0.006)
    reach = max(number(given, "handle_reach_m", 0.0), 2.6 * number(given, "handle_thickness_m", 0.004))
    lean = max(1 - number(given, "taper", 1.0), 1e-3) / most_lean  # height of the wall that a radius asks for, in radii
    widest = min(0.1, (number(given, "height_m", 0.2) - 0.75 * base) / lean)
    least = max(0.02, width / 0.6, base / 0.3, reach / 2.6)
    radius = number(given, "radius_m", within(rng, usual["radius_m"], least, widest))
    height = usual["height_m"] / usual["radius_m"] * radius
    least = max(0.03, base / 0.3, reach, lean * radius + 0.75 * base)
    height = number(given, "height_m", within(rng, height, least, 0.2))
    taper = within(rng, usual["taper"], max(0.7, 1 - most_lean * (height - 0.75 * base) / radius), 1.0)
    wall = height - (1 - number(given, "taper", taper)) * radius / most_lean
    hand = min(1.0, radius / 0.037, height / 0.075)
    thick = within(rng, hand * usual["handle_thickness_m"], 0.004, number(given, "handle_reach_m", height) / 2.6)
    thick = number(given, "handle_thickness_m", thick)
    round_most = max(0.003, min(0.3 * radius, 0.3 * height, wall / 0.75))
    return {
        **usual,
        "radius_m": radius,
        "height_m": height,
        "taper": taper,
        "base_round_m": within(rng, usual["base_round_m"], 0.003, round_most),
        "handle_reach_m": within(rng, hand * usual["handle_reach_m"], 2.6 * thick, height),
        "handle_width_m": within(rng, hand * usual["handle_width_m"], 0.006, 0.6 * radius),
        "handle_thickness_m": thick,
    }
