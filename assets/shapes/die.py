"""A six-sided die: rounded body, drilled and painted pips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated

import manifold3d
import numpy as np
from pydantic import Field, model_validator

from ..mesh import Feature, Mesh
from .base import Params, Points, Solid, arc, centred, from_manifold, moved, number, revolve, to_manifold
from .completed import completed, within
from .primitives import rounded_box

__all__ = ["DieParams", "die", "die_rand"]

#: Pips of each value on a 3 × 3 grid, in units of the grid's step.
PIPS: dict[int, tuple[tuple[int, int], ...]] = {
    1: ((0, 0),),
    2: ((-1, -1), (1, 1)),
    3: ((-1, -1), (0, 0), (1, 1)),
    4: ((-1, -1), (-1, 1), (1, -1), (1, 1)),
    5: ((-1, -1), (-1, 1), (0, 0), (1, -1), (1, 1)),
    6: ((-1, -1), (-1, 0), (-1, 1), (1, -1), (1, 0), (1, 1)),
}
#: Outward normal of each value's face: opposite faces sum to seven, and 1-2-3 turn counter-clockwise (a Western die).
NORMALS: dict[int, tuple[int, int, int]] = {
    1: (0, 0, 1),
    2: (1, 0, 0),
    3: (0, 1, 0),
    4: (0, -1, 0),
    5: (-1, 0, 0),
    6: (0, 0, -1),
}
SHARP = 0.87  # a ball of more than √3/2 sides holds the whole cube
RIM_SLOPE = 0.55  # the drilled rim is broken at 29°, above the smooth angle, so the flat face stays flat


class DieParams(Params):
    """A die. Pips are spherical caps of `pip_m` radius at the face, `pip_depth_m` deep, `spread` of the side apart.

    Many makers draw the rows of the six together and spread each out (`six_across` below 1, `six_along` above).
    """

    size_m: Annotated[float, Field(ge=0.005, le=0.1, description="side; 16 mm is the common size")] = 0.016
    edge_m: Annotated[float, Field(gt=0, description="radius of edges and corners")] = 0.0018
    pip_m: Annotated[float, Field(gt=0, description="radius of a pip at the face")] = 0.0014
    pip_depth_m: Annotated[float, Field(gt=0, description="depth of a pip")] = 0.0007
    spread: Annotated[float, Field(ge=0.15, le=0.33, description="grid step of the pips, in sides")] = 0.25
    six_along: Annotated[float, Field(ge=0.7, le=1.5, description="step in the two rows of the six, in grid steps")] = (
        1.0
    )
    six_across: Annotated[float, Field(ge=0.6, le=1.3, description="half of what lies between them, in grid steps")] = (
        1.0
    )
    logo: Annotated[bool, Field(description="a maker's emblem around the one")] = False
    ball: Annotated[
        float,
        Field(
            ge=0.6, le=0.87, description="radius of the ball that rounds the corners off, in sides; 0.87 leaves them"
        ),
    ] = 0.87

    @model_validator(mode="after")
    def _pips_fit(self) -> DieParams:
        if not 0.35 <= self.pip_depth_m / self.pip_m <= 0.8:
            raise ValueError(f"pip_depth_m {self.pip_depth_m} must be 0.35 to 0.8 of pip_m {self.pip_m}")
        if self.edge_m >= self.size_m / 2:
            raise ValueError(f"edge_m {self.edge_m} must be under half of size_m {self.size_m}")
        step = self.spread * self.size_m
        six = np.array([self.six_along, self.six_across]) * step
        if max(step, *six) + 1.15 * self.pip_m > self.size_m / 2 - self.edge_m:
            raise ValueError("the pips run into the rounded edge: lower spread, pip_m or edge_m")
        if self.logo and 3.5 * self.pip_m > self.size_m / 2 - self.edge_m:
            raise ValueError(
                f"the logo, 3.5 times pip_m {self.pip_m}, runs into the rounded edge: lower pip_m or edge_m"
            )
        if max(np.sqrt(2) * step, np.hypot(*six)) + self.pip_m > self.size_m * np.sqrt(self.ball**2 - 0.25):
            raise ValueError(
                f"the ball of {self.ball} sides cuts the corner pips: lower spread or pip_m, or raise ball"
            )
        nearest = min(np.sqrt(2) * step, six[0], 2 * six[1])
        if 2.4 * self.pip_m > nearest:
            raise ValueError(f"pips of radius {self.pip_m} touch each other at a step of {nearest:.5f} m: lower pip_m")
        return self


def die(p: DieParams) -> Mesh:
    """The die with 1 up; parts body and pips, features "pip 1.1", "pip 2.1", "pip 2.2" … by value.

    Keypoints: face_1 … face_6, the middle of each face's plane, and corner_0 … corner_7 on the rounded corners (bits
    x, y, z of the number choose the side).
    """
    body = to_manifold(rounded_box((p.size_m,) * 3, p.edge_m, 3))
    if p.ball < SHARP:
        body = body ^ to_manifold(_ball(p.ball * p.size_m))
    drills = [to_manifold(moved(_drill(p), at, _facing(normal))) for at, normal in _pip_places(p)]
    drills += _emblem(p) if p.logo else []
    result = body
    for drill in drills:
        result = result - drill
    v, f, part = from_manifold(result, [(drill, 1) for drill in drills])
    half = p.size_m / 2
    points = {f"face_{value}": half * np.array(normal) for value, normal in NORMALS.items()}
    reach = min(half - p.edge_m * (1 - 1 / np.sqrt(3)), p.ball * p.size_m / np.sqrt(3))
    for i in range(8):
        points[f"corner_{i}"] = reach * np.array([1 if i >> axis & 1 else -1 for axis in range(3)])
    made = centred(v, f, face_part=part, part_names=("body", "pips"), keypoints=points, smooth_angle_deg=25)
    return replace(made, features=_features(p))


def _features(p: DieParams) -> dict[str, Feature]:
    """The pips as what may have been forgotten; the die's middle is the mesh's."""
    numbered = [f"pip {value}.{k + 1}" for value in NORMALS for k in range(value)]
    across = 2.04 * _rim(p)
    frames = {}
    for name, (at, normal) in zip(numbered, _pip_places(p), strict=True):
        frame = np.eye(4)
        frame[:3, :3], frame[:3, 3] = _facing(normal), at
        frames[name] = Feature("pip", "fill", frame, (across, across), 1.2 * p.pip_depth_m)
    return frames


def _pip_places(p: DieParams) -> list[tuple[Points, tuple[int, int, int]]]:
    """(centre on the face, outward normal) of all 21 pips."""
    places = []
    for value, normal in NORMALS.items():
        frame = _facing(normal)
        across, along = (p.six_across, p.six_along) if value == 6 else (1.0, 1.0)
        for i, j in PIPS[value]:
            local = np.array([i * across * p.spread * p.size_m, j * along * p.spread * p.size_m, p.size_m / 2])
            places.append((frame @ local, normal))
    return places


def _facing(normal: tuple[int, int, int]) -> Points:
    """(3, 3) rotation that turns +z to `normal`."""
    z = np.array(normal, dtype=np.float64)
    x = np.roll(z, 1) if z.sum() > 0 else -np.roll(z, 1)
    return np.column_stack([x, np.cross(z, x), z])


def _ball(radius: float) -> Solid:
    """A sphere around the origin."""
    profile = arc((0.0, 0.0), radius, -90.0, 90.0, 48)
    profile[[0, -1], 0] = 0.0
    return revolve(profile, 96)


def _drill(p: DieParams) -> Solid:
    """What a ball-nosed drill removes: a spherical cap below z = 0, its rim broken by a cone, open above."""
    radius = (p.pip_m**2 + p.pip_depth_m**2) / (2 * p.pip_depth_m)
    rim_r = 0.92 * p.pip_m
    bowl = arc((0.0, radius - p.pip_depth_m), radius, -90.0, -90.0 + np.degrees(np.arcsin(rim_r / radius)), 5)
    bowl[0, 0] = 0.0
    lift = 0.1 * p.pip_m
    top = [(rim_r + (lift - bowl[-1, 1]) / RIM_SLOPE, lift), (0.0, lift)]
    return revolve(np.concatenate([bowl, top]), 28)


def _rim(p: DieParams) -> float:
    """Radius of a pip's broken rim in the plane of its side, metres: 1.03 to 1.33 pips, the deeper the more."""
    radius = (p.pip_m**2 + p.pip_depth_m**2) / (2 * p.pip_depth_m)
    bowl = 0.92 * p.pip_m
    below = p.pip_depth_m - radius + float(np.sqrt(radius**2 - bowl**2))
    return bowl + below / RIM_SLOPE


def _emblem(p: DieParams) -> list[manifold3d.Manifold]:
    """What is engraved around the one: a ring that three rays break."""
    middle, depth, top = 2.6 * p.pip_m, 0.35 * p.pip_depth_m, p.size_m / 2
    half = 0.28 * p.pip_m
    ring = to_manifold(revolve([(middle - half, -depth), (middle + half, -depth), (middle + half, depth),
                                (middle - half, depth)], 48))  # fmt: skip
    cuts = []
    for k in range(3):
        ray = manifold3d.Manifold.cube([2.4 * half, 2.2 * half, 2 * depth], center=True)
        ray = ray.translate([middle + 1.9 * half, 0, 0]).rotate([0, 0, 120.0 * k + 30])
        cuts.append(ray.translate([0, 0, top]))
    return [ring.translate([0, 0, top]), *cuts]


def die_rand(rng: np.random.Generator, given: Mapping[str, object]) -> DieParams:
    """A die of 12, 14, 16, 18, 19 or 25 mm (the sizes sold), its other lengths in proportion to the side."""
    drawn_size = float(rng.choice([0.012, 0.014, 0.016, 0.016, 0.018, 0.019, 0.025]))
    edge, pip, depth, spread = rng.uniform([0.07, 0.075, 0.40, 0.24], [0.13, 0.092, 0.60, 0.265]).tolist()
    size = number(given, "size_m", drawn_size)
    drawn = {
        "size_m": size,
        "edge_m": edge * size,
        "pip_m": pip * size,
        "pip_depth_m": depth * pip * size,
        "spread": spread,
    }
    return completed(DieParams, given, drawn, _fitted(rng, given, drawn))


def _fitted(
    rng: np.random.Generator, given: Mapping[str, object], usual: Mapping[str, float]
) -> Iterator[dict[str, float]]:
    """One die that goes with what is given: each length between the limits that the rules and the lengths before leave.

    With a step of s sides and the edge's radius e, pips have radius p ≤ s / 2.4 and p ≤ (1/2 - e - s) / 1.15.
    """
    edge, deep = number(given, "edge_m", 0.0), number(given, "pip_depth_m", 0.0)
    low, high = number(given, "spread", 0.15), number(given, "spread", 0.33)
    least = number(given, "pip_m", deep / 0.799)
    both = 0.0 if "spread" in given else 2 * (edge + 3.55 * least)  # the two rules together, where the step is open
    size_m = within(rng, usual["size_m"], max(2.4 * least / high, (edge + 1.15 * least) / (0.5 - low), both), 0.1)
    size = number(given, "size_m", size_m)
    most = min(high * size / 2.4, ((0.5 - low) * size - edge) / 1.15)
    if "spread" not in given:
        most = min(most, (0.5 * size - edge) / 3.55)
    pip = number(given, "pip_m", within(rng, usual["pip_m"], least, min(most, deep / 0.351 or most)))
    step = within(rng, usual["spread"], max(low, 2.4 * pip / size), min(high, 0.5 - (edge + 1.15 * pip) / size))
    edge = within(rng, usual["edge_m"] * size / usual["size_m"], 0.0, (0.5 - step) * size - 1.15 * pip)
    depth = pip * usual["pip_depth_m"] / usual["pip_m"]
    yield {"size_m": size, "edge_m": edge, "pip_m": pip, "pip_depth_m": depth, "spread": step}
