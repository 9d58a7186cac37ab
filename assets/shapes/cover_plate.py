"""Milled cover plates and shallow housings: a pocket or a raised field, a bore, socket screws along the border."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from ..mesh import Mesh
from .base import Params, Solid, centred, from_manifold, merge_parts, moved, number, revolve, to_manifold
from .completed import completed
from .fastener_tables import MM, SIZES, SOCKET_HEAD, Size
from .machined import (
    LIFT,
    block,
    cap_screw,
    counterbore,
    head_depth,
    pocket,
    screw_feature,
    screw_hole,
)

__all__ = ["CoverPlateParams", "cover_plate", "cover_plate_rand"]

#: Width of the border that the screws stand in, in counterbore diameters.
BORDER = 1.4
#: The field inside the border is at least so wide, in shorter sides of the plate.
LEAST_FIELD = 0.2


class CoverPlateParams(Params):
    """A milled plate. Its border is as wide as the screws need; what is inside is sunk or stands out."""

    x_m: Annotated[float, Field(ge=0.025, le=0.5, description="metres")] = 0.07
    y_m: Annotated[float, Field(ge=0.025, le=0.5, description="metres")] = 0.055
    thickness_m: Annotated[float, Field(ge=0.004, le=0.1, description="of the border, metres")] = 0.01
    relief: Annotated[
        float, Field(ge=-0.7, le=1.0, description="height of the field, in thicknesses; below 0: depth of a pocket")
    ] = -0.5
    bore: Annotated[float, Field(ge=0, le=0.7, description="its diameter, in shorter sides of the field; 0: none")] = (
        0.4
    )
    size: Annotated[Size, Field(description="of the screws, ISO 4762")] = "M4"
    count: Annotated[Literal[4, 6, 8], Field(description="screws: the corners, and middles of sides")] = 4
    sunk: Annotated[bool, Field(description="heads in counterbores, else on the face")] = True

    @property
    def border_m(self) -> float:
        """Width of the border, metres."""
        return BORDER * counterbore(self.size)

    @model_validator(mode="after")
    def _screws_fit(self) -> CoverPlateParams:
        shorter, least = min(self.x_m, self.y_m), 2 * self.border_m / (1 - LEAST_FIELD)
        if shorter < least:
            raise ValueError(
                f"borders for {self.size} need a plate of {least:.4f} m, got {shorter:.4f}: take smaller screws"
            )
        least = head_depth(self.size) + 0.25 * float(self.size[1:]) * MM
        if self.sunk and self.thickness_m < least:
            raise ValueError(
                f"sunk heads of {self.size} need a thickness_m of {least:.4f}, got {self.thickness_m:.4f}: take "
                "smaller screws, or heads on the face"
            )
        if self.count > 4 and max(self.x_m, self.y_m) < 2.6 * self.border_m:
            raise ValueError(f"{self.count} screws {self.size} stand too close: take 4, or smaller ones")
        return self


def cover_plate(p: CoverPlateParams) -> Mesh:
    """The plate, field up, longer or shorter side along x; parts "body" and "screws", features "screw 1" ….

    Keypoints: corner_0 … corner_3 of the border's upper face (as if they were sharp), the middle of the field, and
    screw_1 … screw_4 at the sockets of the corners.
    """
    t, relief = p.thickness_m, p.relief * p.thickness_m
    low = (t + max(relief, 0.0 if p.sunk else float(p.size[1:]) * MM)) / 2  # the box is centred from the start
    body, face = to_manifold(moved(_plate(p), (0, 0, -low))), t - low
    for cutter in _cutters(p):
        body = body - to_manifold(moved(cutter, (0, 0, face)))
    spots = _spots(p)
    for x, y in spots:
        body = body - to_manifold(moved(screw_hole(p.size, t, p.sunk, _chamfer(p)), (x, y, face)))
    v, f, _ = from_manifold(body)
    depth = head_depth(p.size) if p.sunk else 0.0
    seat, length = face - depth, t - depth - 0.0003
    screws: list[Solid] = []
    for k, (x, y) in enumerate(spots):  # each was tightened to another angle
        turn = 2.4 * k
        spin = [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
        screws.append(moved(cap_screw(p.size, length), (x, y, seat), spin))
    vertices, faces, part = merge_parts([(v, f, 0), *((sv, sf, 1) for sv, sf in screws)])
    socket = seat + (float(p.size[1:]) - SOCKET_HEAD[p.size].t) * MM
    corners = [(sx * p.x_m / 2, sy * p.y_m / 2, face) for sx, sy in ((1, 1), (-1, 1), (-1, -1), (1, -1))]
    points: dict[str, tuple[float, ...]] = {
        **{f"corner_{k}": at for k, at in enumerate(corners)},
        "field": (0.0, 0.0, face + relief),
        **{f"screw_{k + 1}": (x, y, socket) for k, (x, y) in enumerate(spots[:4])},
    }
    made = centred(vertices, faces, face_part=part, part_names=("body", "screws"), keypoints=points)
    features = {f"screw {k + 1}": screw_feature(p.size, (x, y, seat), length) for k, (x, y) in enumerate(spots)}
    fx, fy = _field(p)
    inside = (
        (-fx / 2, -fy / 2, face + min(relief, 0.0) - 1e-5),
        (fx / 2, fy / 2, face + max(relief, 0.0) + 1e-5),
    )
    return replace(made, features=features, regions={"field": inside})


def _chamfer(p: CoverPlateParams) -> float:
    """Of all edges, metres."""
    return min(0.0005, 0.06 * p.thickness_m)


def _field(p: CoverPlateParams) -> tuple[float, float]:
    """Sides of what is inside the border, metres."""
    return p.x_m - 2 * p.border_m, p.y_m - 2 * p.border_m


def _spots(p: CoverPlateParams) -> list[tuple[float, float]]:
    """Places of the screws: the corners, then the middles of the longer sides, then of the shorter ones."""
    x, y = (p.x_m - p.border_m) / 2, (p.y_m - p.border_m) / 2
    corners = [(x, y), (-x, y), (-x, -y), (x, -y)]
    long, short = [(0.0, y), (0.0, -y)], [(x, 0.0), (-x, 0.0)]
    if p.y_m > p.x_m:
        long, short = short, long
    return [*corners, *long, *short][: p.count]


def _plate(p: CoverPlateParams) -> Solid:
    """The blank, the raised field in one piece with it: rings of one rounded rectangle that steps in."""
    corner = 0.5 * p.border_m
    if p.relief <= 0:
        return block((p.x_m, p.y_m, p.thickness_m), corner, _chamfer(p))
    fx, fy = _field(p)
    return block((p.x_m, p.y_m, p.thickness_m), corner, _chamfer(p), (fx, fy, p.relief * p.thickness_m))


def _cutters(p: CoverPlateParams) -> list[Solid]:
    """Pocket and bore, the border's face on z = 0."""
    fx, fy = _field(p)
    c, relief, shorter = _chamfer(p), p.relief * p.thickness_m, min(fx, fy)
    cutters = []
    if p.relief < 0:
        cutters.append(pocket(fx, fy, 0.2 * shorter, -relief, c))
    if p.bore > 0:
        r, bottom = p.bore * shorter / 2, -p.thickness_m
        profile = [(0, bottom - LIFT), (r + c + LIFT, bottom - LIFT), (r, bottom + c), (r, relief - c)]
        cutters.append(revolve([*profile, (r + c + LIFT, relief + LIFT), (0, relief + LIFT)], 96))
    return cutters


def cover_plate_rand(rng: np.random.Generator, given: Mapping[str, object]) -> CoverPlateParams:
    """A plate of 5 to 9 cm, 7 to 14 mm thick; pockets and raised fields alike, most with a bore."""
    x, share, thickness = rng.uniform([0.05, 0.65, 0.007], [0.09, 1.0, 0.014]).tolist()
    y = share * number(given, "x_m", x)
    reliefs = [float(rng.uniform(-0.6, -0.25)), float(rng.uniform(0.2, 0.7))]
    bore = float(rng.uniform(0.25, 0.6))
    drawn: dict[str, object] = {
        "x_m": x,
        "y_m": y,
        "thickness_m": thickness,
        "relief": reliefs[int(rng.integers(2))],
        "bore": bore if rng.random() < 0.75 else 0.0,
        "size": _suited(min(number(given, "x_m", x), number(given, "y_m", y))),
        "count": int(rng.choice([4, 4, 6, 8])),
        "sunk": bool(rng.random() < 0.75),
    }
    return completed(CoverPlateParams, given, drawn, _fitted(given, drawn))


def _suited(shorter: float) -> Size:
    """The largest screws whose borders leave half of the plate, or the smallest that there are."""
    fitting = [size for size in SIZES if 2 * BORDER * counterbore(size) <= 0.55 * shorter]
    return fitting[-1] if fitting else SIZES[0]


def _fitted(given: Mapping[str, object], usual: Mapping[str, object]) -> Iterator[dict[str, object]]:
    """Plates that go with what is given, those nearest to the usual one first."""
    sizes: list[object] = [s for s in SIZES if s == given.get("size")] or [usual["size"], *reversed(SIZES)]
    for scale, size, sunk, count in product(
        (1.0, 1.5, 2.5, 4.0), sizes, (usual["sunk"], False), dict.fromkeys([usual["count"], 4])
    ):
        lengths = {
            name: min(most, scale * number(usual, name, 0.05))
            for name, most in (("x_m", 0.5), ("y_m", 0.5), ("thickness_m", 0.1))
        }
        yield {**usual, **lengths, "size": size, "sunk": sunk, "count": count}
