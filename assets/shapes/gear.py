"""Involute spur gears (ISO 53 basic rack, ISO 21771 geometry) with hub, bore and keyway (DIN 6885-1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from typing import NamedTuple

import numpy as np
from pydantic import Field, model_validator

from ..mesh import Feature, Mesh, snap
from .base import ROUNDING_M, Params, Points, centred, number
from .completed import completed, within
from .fastener_tables import MM
from .ring_walk import RingWalk, angles, ring, rings, round_corners

__all__ = ["GearParams", "gear", "gear_rand"]

PRESSURE_ANGLE = np.deg2rad(20)
#: ISO 54 series I, the small ones, metres.
MODULES_M = np.array([0.5, 0.8, 1.0, 1.25, 1.5, 2.0]) * MM
#: DIN 6885-1: bores up to … mm have a keyway of this width and depth in the hub, mm.
KEYWAYS = (
    (6, 1.0, 0.6),
    (8, 2, 1.0),
    (10, 3, 1.4),
    (12, 4, 1.8),
    (17, 5, 2.3),
    (22, 6, 2.8),
    (30, 8, 3.3),
    (60, 12, 3.3),
)
#: As wide as the first of them.
LEAST_KEYED_BORE_M = 0.001


class GearParams(Params):
    """A spur gear with its hub on the upper side."""

    module_m: float = Field(0.001, gt=0, le=0.01, description="module (pitch diameter / teeth), metres; ISO 54 sizes")
    teeth: int = Field(24, ge=10, le=60, description="number of teeth")
    width_m: float = Field(0.008, gt=0, le=0.1, description="face width, metres")
    bore_m: float = Field(0.006, gt=0, le=0.06, description="bore diameter, metres")
    hub_diameter_m: float = Field(0.014, gt=0, description="hub diameter, metres")
    hub_length_m: float = Field(0.006, ge=0, le=0.1, description="how far the hub stands out, metres; 0: no hub")
    keyway: bool = Field(True, description="a DIN 6885 keyway through the bore")

    @property
    def profile_shift(self) -> float:
        """x, in modules: below 17 teeth as much as avoids undercut, (17 − z) / 17."""
        return max(0.0, (17 - self.teeth) / 17)

    @property
    def pitch_diameter_m(self) -> float:
        """d = m z."""
        return self.module_m * self.teeth

    @property
    def tip_diameter_m(self) -> float:
        """dₐ = d + 2 m (1 + x)."""
        return self.pitch_diameter_m + 2 * self.module_m * (1 + self.profile_shift)

    @property
    def root_diameter_m(self) -> float:
        """d_f = d − 2 m (1.25 − x)."""
        return self.pitch_diameter_m - 2 * self.module_m * (1.25 - self.profile_shift)

    @model_validator(mode="after")
    def _walls_hold(self) -> GearParams:
        if self.keyway and self.bore_m < LEAST_KEYED_BORE_M:
            raise ValueError(
                f"a bore_m of {self.bore_m:.5f} has no room for a keyway, the least that has is {LEAST_KEYED_BORE_M}: "
                "widen the bore or leave out the keyway"
            )
        least_hub = 1.1 * _across(self.bore_m, self.keyway)
        most_hub = self.root_diameter_m - 1.5 * self.module_m
        if self.hub_diameter_m < least_hub - ROUNDING_M:
            raise ValueError(
                f"hub_diameter_m must be at least 1.1 × (bore + keyway) = {least_hub:.5f}, "
                f"got {self.hub_diameter_m:.5f}: widen the hub, narrow the bore or leave out the keyway"
            )
        if self.hub_diameter_m > most_hub + ROUNDING_M:
            raise ValueError(
                f"hub_diameter_m must leave 0.75 modules below the teeth, at most {most_hub:.5f}, "
                f"got {self.hub_diameter_m:.5f}: narrow the hub or take more teeth"
            )
        if self.width_m < self.module_m:
            raise ValueError(f"width_m must be at least one module = {self.module_m:.5f}, got {self.width_m:.5f}")
        return self


def gear(p: GearParams) -> Mesh:
    """The gear, hub up, a tooth on +x, metres; features "tooth 1" …, from +x on.

    Keypoints: both face centres, hub, tips of four teeth, bore mouth.
    """
    module, width, top = p.module_m / MM, p.width_m / MM, (p.width_m + p.hub_length_m) / MM
    teeth, bore = tooth_outline(p), _bore_outline(p)
    bevel, ease = 0.07 * module, 0.02 * p.bore_m / MM
    foot = p.root_diameter_m / MM / 2 - 0.4 * module
    at, below = angles(4 * p.teeth), angles(72)
    hub = p.hub_diameter_m / MM / 2
    walk = RingWalk().to(_ring(bore, ease, 0), ring(hub, 0, below), ring(foot, 0, at), _ring(teeth, -bevel, 0))
    walk.to(_ring(teeth, 0, bevel), _ring(teeth, 0, width - bevel), _ring(teeth, -bevel, width), ring(foot, width, at))
    walk.to(*rings(_hub_profile(hub, width, top, module), below))
    walk.to(_ring(bore, ease, top), _ring(bore, 0, top - ease), _ring(bore, 0, ease)).close()
    vertices, faces = walk.arrays()
    tip = p.tip_diameter_m / 2 / MM
    spots = {f"tooth_{i}": 2 * np.pi / p.teeth * (i * p.teeth // 4) for i in range(4)}
    keypoints = {
        "bottom_center": np.array([0, 0, 0]),
        "hub_center": np.array([0, 0, top]),
        **{name: np.array([tip * np.cos(a), tip * np.sin(a), width / 2]) for name, a in spots.items()},
    }
    made = centred(vertices * MM, faces, keypoints={k: v * MM for k, v in keypoints.items()})
    bottom = np.asarray(made.keypoints["bottom_center"])
    return replace(made, features={f"tooth {i + 1}": _tooth(p, i, bottom) for i in range(p.teeth)})


def _tooth(p: GearParams, i: int, bottom: Points) -> Feature:
    """Tooth `i` as what can break off at its root: x along the pitch circle, y along the axis, z out.

    It takes up what lies between the middles of the gaps beside it, on the root circle.
    """
    angle, root = 2 * np.pi * i / p.teeth, p.root_diameter_m / 2
    out, along = np.array([np.cos(angle), np.sin(angle), 0]), np.array([-np.sin(angle), np.cos(angle), 0])
    frame = np.eye(4)
    frame[:3, :3] = np.column_stack([along, (0, 0, 1), out])
    frame[:3, 3] = bottom + root * out + (0, 0, p.width_m / 2)
    across = 2 * root * np.sin(np.pi / p.teeth)
    return Feature("tooth", "cut", snap(frame), (across, 1.1 * p.width_m), p.tip_diameter_m / 2 - root)


def gear_rand(rng: np.random.Generator, given: Mapping[str, object]) -> GearParams:
    """Draw what `given` leaves open: ISO 54 modules, 14 … 48 teeth, widths of 6 … 10 modules, bores that fit."""
    drawn: dict[str, object] = {
        "module_m": float(rng.choice(MODULES_M)),
        "teeth": int(rng.integers(14, 49)),
        "keyway": bool(rng.random() < 0.7),
    } | dict(given)
    shares = _Shares(rng.uniform(6, 10), rng.uniform(0.28, 0.42), rng.uniform(1.5, 1.8), rng.uniform(0, 1))
    known = {k: float(v) for k, v in drawn.items() if isinstance(v, int | float) and v > 0}
    module, teeth = known.get("module_m", MM), known.get("teeth", 20.0)
    bore = known.get("bore_m", max(0.5, round(shares.bore * _root(module, teeth) / MM * 2) / 2) * MM)
    usual = {**_sizes(shares, module, teeth, bore, bool(drawn["keyway"])), **drawn}
    return completed(GearParams, given, usual, _fitted(rng, given, usual, shares))


class _Shares(NamedTuple):
    """Drawn proportions: width in modules, bore in root diameters, hub in bores, and how far the hub stands out."""

    width: float
    bore: float
    wall: float
    hub_length: float


def _sizes(shares: _Shares, module: float, teeth: float, bore: float, keyway: bool) -> dict[str, float]:
    """The lengths of a gear with these teeth and this bore."""
    hub = max(shares.wall * bore, 1.12 * _across(bore, keyway))
    stands_out = (0.3 + 0.5 * shares.hub_length) * shares.width * module
    return {
        "width_m": round(shares.width * module, 4) or shares.width * module,
        "bore_m": bore,
        "hub_diameter_m": min(hub, _root(module, teeth) - 1.5 * module),
        "hub_length_m": round(stands_out, 4) if shares.hub_length > 0.15 else 0.0,
    }


def _fitted(
    rng: np.random.Generator, given: Mapping[str, object], usual: Mapping[str, object], shares: _Shares
) -> Iterator[dict[str, float]]:
    """Gears with as many teeth as the given hub or bore asks for, of the usual module or the least that has them."""
    modules = [number(usual, "module_m", MM), *MODULES_M, 0.003, 0.005, 0.01, number(given, "width_m", 0.01)]
    for slotted, module in product(dict.fromkeys([bool(usual["keyway"]), False]), modules):
        keyway, module = bool(given.get("keyway", slotted)), number(given, "module_m", module)
        least = LEAST_KEYED_BORE_M if keyway else 0.0
        hub = number(given, "hub_diameter_m", 1.1 * _across(number(given, "bore_m", least), keyway))
        fewest = next((z for z in range(10, 60) if _root(module, z) - 1.5 * module >= hub), 60)
        teeth = round(number(given, "teeth", within(rng, number(usual, "teeth", 20), fewest, 60)))
        root = _root(module, teeth)
        widest = _widest_bore(number(given, "hub_diameter_m", root - 1.5 * module) / 1.1, keyway)
        bore = within(rng, shares.bore * root, least, widest)
        sizes = _sizes(shares, module, teeth, number(given, "bore_m", bore), keyway)
        yield {"module_m": module, "teeth": teeth, "keyway": keyway, **sizes}


def _root(module: float, teeth: float) -> float:
    """Root diameter, metres: see `GearParams`."""
    return module * (teeth - 2.5 + 2 * max(0.0, (17 - teeth) / 17))


def _across(bore: float, keyway: bool) -> float:
    """Bore and twice the keyway's depth, metres."""
    return bore + 2 * (_keyway(bore / MM)[1] * MM if keyway else 0.0)


def _widest_bore(across: float, keyway: bool) -> float:
    """The widest bore (metres) whose `_across` is not more than this."""
    return max(min(limit * MM, across - 2 * depth * MM) for limit, _, depth in KEYWAYS) if keyway else min(0.06, across)


def tooth_outline(p: GearParams) -> Points:
    """(N, 2) counter-clockwise outline of all teeth, millimetres: involute flanks, rounded tips, filleted roots.

    Half the angle of a tooth at radius ρ is s / d + inv α − inv α(ρ), with cos α(ρ) = r_b / ρ (ISO 21771).
    """
    m, z, x = p.module_m / MM, p.teeth, p.profile_shift
    pitch, tip, root = (v / MM / 2 for v in (p.pitch_diameter_m, p.tip_diameter_m, p.root_diameter_m))
    base = pitch * np.cos(PRESSURE_ANGLE)
    thickness = m * (np.pi / 2 + 2 * x * np.tan(PRESSURE_ANGLE))
    radius = np.linspace(tip, max(base, root + 0.05 * m), 7)
    half = thickness / (2 * pitch) + _inv(PRESSURE_ANGLE) - _inv(np.arccos(np.minimum(base / radius, 1)))
    radius = np.concatenate([[tip], radius, [root, root]])
    half = np.concatenate([[0], half, [half[-1], np.pi / z]])
    path = np.stack([radius * np.cos(half), radius * np.sin(half)], axis=1)
    rounding = np.zeros(len(path))
    rounding[1], rounding[-2] = 0.13 * m, 0.28 * m
    if radius[-3] - root < 0.3 * m:  # the fillet takes the place of the flank's last point
        path, rounding = np.delete(path, -3, axis=0), np.delete(rounding, -3)
    side = round_corners(path, rounding, steps=2 if z > 40 else 3, support=0.2)
    mirrored = side[1:-1] * (1, -1)
    tooth = np.concatenate([side, (mirrored @ _turn(2 * np.pi / z))[::-1]])
    return np.concatenate([tooth @ _turn(2 * np.pi * i / z) for i in range(z)])


def _inv(angle: Points | float) -> Points:
    """The involute function inv α = tan α − α."""
    return np.asarray(np.tan(angle) - angle)


def _turn(angle: float) -> Points:
    """(2, 2) matrix that turns row vectors by the angle."""
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def _keyway(bore: float) -> tuple[float, float]:
    """Width and depth of the hub's keyway for a bore, mm."""
    return next((b, t) for limit, b, t in KEYWAYS if bore <= limit or limit == KEYWAYS[-1][0])


def _bore_outline(p: GearParams) -> Points:
    """(N, 2) counter-clockwise outline of the bore, the keyway on +x, millimetres."""
    r = p.bore_m / MM / 2
    if not p.keyway:
        return ring(r, 0.0, angles(64))[:, :2]
    width, depth = _keyway(2 * r)
    mouth = np.arcsin(width / 2 / r)
    around = np.linspace(mouth, np.pi, 33)[1:]
    arc = np.stack([r * np.cos(around), r * np.sin(around)], axis=1)
    corners = np.array([(r + depth, 0), (r + depth, width / 2), (r * np.cos(mouth), width / 2)])
    side = round_corners(np.concatenate([corners, arc]), [0, 0.12 * depth, 0.06 * r, *np.zeros(len(arc))], support=0.1)
    return np.concatenate([side, side[-2:0:-1] * (1, -1)])


def _ring(outline: Points, grow: float, z: float) -> Points:
    """(N, 3) the outline moved outwards by `grow` along its normals, at height z."""
    along = np.roll(outline, -1, axis=0) - np.roll(outline, 1, axis=0)
    normal = np.stack([along[:, 1], -along[:, 0]], axis=1) / np.linalg.norm(along, axis=1)[:, None]
    return np.column_stack([outline + grow * normal, np.full(len(outline), z)])


def _hub_profile(hub: float, width: float, top: float, module: float) -> Points:
    """(M, 2) from the gear's upper face up the hub to its rim; one circle where there is no hub."""
    if top == width:
        return np.array([(hub, width)])
    r = min(0.3 * module, 0.3 * (top - width))
    return round_corners(
        np.array([(hub + 2 * r, width), (hub, width), (hub, top), (hub - 2 * r, top)]), (0, r, 0.7 * r, 0)
    )[1:-1]
