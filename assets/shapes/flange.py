"""Turned flanges: a disc with a bore, a hub or a recess, and socket screws on a bolt circle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from ..mesh import Mesh
from .base import Params, Points, Solid, centred, from_manifold, merge_parts, moved, number, revolve, to_manifold
from .completed import completed
from .fastener_tables import MM, SIZES, SOCKET_HEAD, Size
from .machined import cap_screw, chamfered, counterbore, head_depth, screw_feature, screw_hole

__all__ = ["FlangeParams", "flange", "flange_rand"]

SEGMENTS = 128


class FlangeParams(Params):
    """A turned flange; lengths follow from `diameter_m`. Each screw of the bolt circle is a body of its own."""

    diameter_m: Annotated[float, Field(ge=0.025, le=0.5, description="outside diameter, metres")] = 0.07
    thickness: Annotated[float, Field(ge=0.08, le=0.35, description="of the disc, in diameters")] = 0.16
    hub: Annotated[float, Field(ge=0.3, le=0.7, description="diameter of the hub or recess, in diameters")] = 0.5
    rise: Annotated[
        float, Field(ge=-0.5, le=1.5, description="height of the hub, in thicknesses; below 0: depth of a recess")
    ] = 0.5
    bore: Annotated[float, Field(ge=0.15, le=0.8, description="diameter of the bore, in hub diameters")] = 0.55
    size: Annotated[Size, Field(description="of the screws, ISO 4762")] = "M5"
    count: Annotated[int, Field(ge=3, le=16, description="screws on the bolt circle")] = 6
    sunk: Annotated[bool, Field(description="heads in counterbores, else on the face")] = True

    @property
    def pitch_m(self) -> float:
        """Radius of the bolt circle: midway between hub and rim."""
        return self.diameter_m * (1 + self.hub) / 4

    @model_validator(mode="after")
    def _screws_fit(self) -> FlangeParams:
        ring, wide = self.diameter_m * (1 - self.hub) / 2, counterbore(self.size)
        if wide > 0.85 * ring:
            raise ValueError(
                f"heads of {self.size} need a ring of {wide / 0.85:.4f} m between hub and rim, got {ring:.4f}: "
                "take smaller screws, a smaller hub or a larger diameter_m"
            )
        if self.count * 1.25 * wide > 2 * np.pi * self.pitch_m:
            raise ValueError(
                f"{self.count} screws {self.size} do not fit around the bolt circle: take fewer or smaller"
            )
        least = head_depth(self.size) + 0.3 * float(self.size[1:]) * MM
        if self.sunk and self.thickness * self.diameter_m < least:
            raise ValueError(
                f"sunk heads of {self.size} need a disc of {least:.4f} m, got {self.thickness * self.diameter_m:.4f}: "
                "raise thickness, take smaller screws, or heads on the face"
            )
        return self


def flange(p: FlangeParams) -> Mesh:
    """The flange, hub up, the first screw on +x; parts "body" and "screws", features "screw 1" … on the bolt circle.

    Keypoints: centre of the lower face, of the upper mouth of the bore, rim_0 … rim_3 at the disc's middle, and
    screw_1 … screw_4 at the first sockets.
    """
    thick, rise = p.thickness * p.diameter_m, p.rise * p.thickness * p.diameter_m
    break_m = min(0.012 * p.diameter_m, 0.1 * thick, 0.001)
    heads = 0.0 if p.sunk else float(p.size[1:]) * MM
    low = (thick + max(rise, heads)) / 2  # the lower face lies at −low: the box is centred from the start
    body = to_manifold(revolve(_profile(p, break_m) - (0.0, low), SEGMENTS))
    spots = _spots(p)
    face = thick - low
    for x, y in spots:
        body = body - to_manifold(moved(screw_hole(p.size, thick, p.sunk, 0.6 * break_m), (x, y, face)))
    v, f, _ = from_manifold(body)
    seat, length = face - (head_depth(p.size) if p.sunk else 0.0), _length(p, thick)
    screws: list[Solid] = []
    for k, (x, y) in enumerate(spots):  # each was tightened to another angle
        turn = 2.4 * k
        spin = [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
        screws.append(moved(cap_screw(p.size, length), (x, y, seat), spin))
    vertices, faces, part = merge_parts([(v, f, 0), *((sv, sf, 1) for sv, sf in screws)])
    half, socket = p.diameter_m / 2, seat + (float(p.size[1:]) - SOCKET_HEAD[p.size].t) * MM
    points: dict[str, tuple[float, float, float]] = {
        "bottom_center": (0.0, 0.0, -low),
        "bore_top": (0.0, 0.0, face + rise),
        "rim_0": (half, 0.0, thick / 2 - low),
        "rim_1": (0.0, half, thick / 2 - low),
        "rim_2": (-half, 0.0, thick / 2 - low),
        "rim_3": (0.0, -half, thick / 2 - low),
        **{f"screw_{k + 1}": (float(x), float(y), socket) for k, (x, y) in enumerate(spots[:4])},
    }
    made = centred(vertices, faces, face_part=part, part_names=("body", "screws"), keypoints=points)
    features = {
        f"screw {k + 1}": screw_feature(p.size, (float(x), float(y), seat), length) for k, (x, y) in enumerate(spots)
    }
    hub = p.hub * p.diameter_m / 2
    edge = (-hub, -hub, face + min(rise, 0.0) - 1e-5), (hub, hub, face + max(rise, 0.0) + 1e-5)
    return replace(made, features=features, regions={"hub": edge})


def _profile(p: FlangeParams, break_m: float) -> Points:
    """(N, 2) outline (r, z), the lower face on z = 0, every corner broken."""
    outer, hub, bore = p.diameter_m / 2, p.hub * p.diameter_m / 2, p.bore * p.hub * p.diameter_m / 2
    thick = p.thickness * p.diameter_m
    rise = p.rise * thick
    corners = [(bore, 0, break_m), (outer, 0, break_m), (outer, thick, break_m)]
    if abs(rise) > 3 * break_m:
        foot, mouth = (0.3 * break_m, break_m) if rise > 0 else (break_m, 0.3 * break_m)
        corners += [(hub, thick, foot), (hub, thick + rise, mouth)]
    else:
        rise = 0.0
    return chamfered([*corners, (bore, thick + rise, break_m)])


def _spots(p: FlangeParams) -> Points:
    """(count, 2) places of the screws."""
    turn = 2 * np.pi * np.arange(p.count) / p.count
    return p.pitch_m * np.column_stack([np.cos(turn), np.sin(turn)])


def _length(p: FlangeParams, thick: float) -> float:
    """How far the shank reaches below its head, metres: it ends inside the hole, as the part lies on a table."""
    return (thick - head_depth(p.size) if p.sunk else thick) - 0.0003


def flange_rand(rng: np.random.Generator, given: Mapping[str, object]) -> FlangeParams:
    """A flange of 5 to 9 cm with screws that suit it, hubs and recesses, heads mostly sunk."""
    diameter, thickness, hub, bore = rng.uniform([0.05, 0.13, 0.4, 0.4], [0.09, 0.22, 0.56, 0.75]).tolist()
    rises = [0.0, float(rng.uniform(0.25, 0.9)), float(rng.uniform(-0.4, -0.2))]
    drawn: dict[str, object] = {
        "diameter_m": diameter,
        "thickness": thickness,
        "hub": hub,
        "rise": rises[int(rng.choice(3, p=[0.25, 0.45, 0.3]))],
        "bore": bore,
        "size": _suited(number(given, "diameter_m", diameter), number(given, "hub", hub)),
        "count": int(rng.choice([4, 6, 6, 8])),
        "sunk": bool(rng.random() < 0.75),
    }
    return completed(FlangeParams, given, drawn, _fitted(given, drawn))


def _suited(diameter: float, hub: float) -> Size:
    """The largest screws whose heads take half of the ring between hub and rim, or the smallest that there are."""
    fitting = [size for size in SIZES if counterbore(size) <= 0.6 * diameter * (1 - hub) / 2]
    return fitting[-1] if fitting else SIZES[0]


def _fitted(given: Mapping[str, object], usual: Mapping[str, object]) -> Iterator[dict[str, object]]:
    """Flanges that go with what is given, those nearest to the usual one first."""
    usual_d, usual_hub = number(usual, "diameter_m", 0.07), number(usual, "hub", 0.5)
    sizes: list[object] = [s for s in SIZES if s == given.get("size")] or [usual["size"], *reversed(SIZES)]
    for scale, hub, size, sunk, count in product(
        (1.0, 1.5, 2.2, 3.2, 4.6, 5.5), (usual_hub, 0.35), sizes, (usual["sunk"], False), (usual["count"], 4, 3)
    ):
        yield {
            **usual, "diameter_m": min(0.5, scale * usual_d), "hub": hub, "size": size, "sunk": sunk, "count": count,
        }  # fmt: skip
