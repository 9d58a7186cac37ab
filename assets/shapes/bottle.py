"""Bottles for beer, water and sauce: hollow, with punt, shoulder, neck finish, closure and label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from ...errors import AssetError
from ..mesh import Mesh
from .base import (
    ROUNDING_M,
    Params,
    Points,
    Solid,
    centred,
    fillet,
    from_manifold,
    loft,
    merge_parts,
    number,
    revolve,
    to_manifold,
    wrap_uv,
)
from .closure import crown_cork, screw_cap
from .completed import completed, within

__all__ = ["BottleParams", "bottle", "bottle_rand"]

SEGMENTS = 56
Corner = tuple[float, float, float]


@dataclass(frozen=True)
class Style:
    """What makes a bottle one of its kind; heights are parts of the bottle's, other lengths metres."""

    neck_r: float
    wall: float
    shoulder: float
    neck: float
    shoulder_round: float
    neck_round: float
    label: tuple[float, float]
    finish: float
    ribs: int
    radius: tuple[float, float]
    slenderness: tuple[float, float]
    wrap_deg: tuple[float, float]


STYLES: dict[str, Style] = {
    "beer": Style(
        0.0142, 0.0030, 0.53, 0.73, 0.060, 0.070, (0.16, 0.46), 0.020, 0, (0.0295, 0.0315), (7.3, 8.0), (150, 230)
    ),
    "water": Style(
        0.0128, 0.0009, 0.66, 0.86, 0.045, 0.022, (0.34, 0.58), 0.021, 3, (0.031, 0.035), (6.3, 7.2), (360, 360)
    ),
    "sauce": Style(
        0.0100, 0.0022, 0.62, 0.74, 0.013, 0.010, (0.12, 0.56), 0.019, 0, (0.022, 0.027), (6.2, 7.2), (200, 360)
    ),
}


class BottleParams(Params):
    """A bottle. `kind` decides shoulder, neck and closure (beer: crown cork; water and sauce: screw cap)."""

    kind: Literal["beer", "water", "sauce"] = "beer"
    radius_m: Annotated[float, Field(ge=0.02, le=0.045, description="radius of the body")] = 0.0305
    height_m: Annotated[float, Field(gt=0, le=0.4, description="height of the glass, without the closure")] = 0.232
    punt_m: Annotated[float, Field(ge=0.001, le=0.02, description="how far the base is domed in")] = 0.004
    label_deg: Annotated[float, Field(ge=60, le=360, description="angle that the label covers, centred on +x")] = 200.0
    closure: Literal["closed", "open"] = "closed"

    @model_validator(mode="after")
    def _proportions(self) -> BottleParams:
        if not 5.5 * self.radius_m - ROUNDING_M <= self.height_m <= 9 * self.radius_m + ROUNDING_M:
            raise ValueError(f"height_m must be 5.5 to 9 times radius_m, got {self.height_m / self.radius_m:.2f} times")
        try:
            _profile(self)
        except AssetError as error:
            raise ValueError(
                f"the curves of a {self.kind} bottle do not fit its height and radius ({error}): "
                "make it slimmer or wider, or lower punt_m"
            ) from None
        return self


def bottle(p: BottleParams) -> Mesh:
    """The bottle; parts body, label (u, v run across the label), cap when it is closed.

    Keypoints: base, punt (middle of the dome), shoulder_0 (where the wall ends, x axis), neck_0 (where the neck begins,
    x axis), label (its middle), mouth (centre of the rim), cap_top when it is closed.
    """
    style, h = STYLES[p.kind], p.height_m
    low, high = style.label[0] * h, style.label[1] * h
    pieces = [(*_body(p, style), 0), (*_label(p, low, high), 1)]
    points: dict[str, npt.ArrayLike] = {
        "base": (0, 0, 0),
        "punt": (0, 0, p.punt_m),
        "shoulder_0": (p.radius_m, 0, style.shoulder * h),
        "neck_0": (style.neck_r, 0, style.neck * h),
        "label": (p.radius_m, 0, (low + high) / 2),
        "mouth": (0, 0, h),
    }
    names: tuple[str, ...] = ("body", "label")
    if p.closure == "closed":
        cap = _cap(p, style)
        pieces.append((*cap, 2))
        points["cap_top"] = (0, 0, float(cap[0][:, 2].max()))
        names = ("body", "label", "cap")
    v, f, part = merge_parts(pieces)
    uv = wrap_uv(v, f, low, high)
    uv[..., 0] = uv[..., 0] * (360 / p.label_deg) + 0.5
    return centred(v, f, face_part=part, part_names=names, uv=uv, keypoints=points, smooth_angle_deg=35)


def _body(p: BottleParams, style: Style) -> Solid:
    """The glass: outside from the punt to the mouth, inside back down."""
    shell = revolve(_profile(p), SEGMENTS)
    if p.kind == "beer" or p.closure == "closed":
        return shell  # a crown finish has no thread, and under a cap nobody sees it
    v, f, _ = from_manifold(to_manifold(shell) + to_manifold(_thread(style.neck_r, p.height_m)))
    return v, f


def _profile(p: BottleParams) -> Points:
    """Half of the glass's section, counter-clockwise."""
    style = STYLES[p.kind]
    return fillet([*_base(p), *_outside(p, style), *_inside(p, style)], 4)


def _base(p: BottleParams) -> list[Corner]:
    r = p.radius_m
    return [(0, p.punt_m, 0), (0.35 * r, 0.8 * p.punt_m, 0.3 * r), (0.78 * r, 0, 0.003), (r, 0, 0.17 * r)]


def _outside(p: BottleParams, style: Style) -> list[Corner]:
    """Wall, ribs, shoulder, neck and finish, bottom to top."""
    r, h, n = p.radius_m, p.height_m, style.neck_r
    zs, zn, zf = style.shoulder * h, style.neck * h, h - style.finish
    ribs: list[Corner] = []
    for i in range(style.ribs):
        z, depth, wide = (0.09 + 0.075 * i) * h, 0.0016, 0.0075
        ribs += [
            (r, z, 0.002),
            (r - depth, z + 0.3 * wide, 0.002),
            (r - depth, z + 0.7 * wide, 0.002),
            (r, z + wide, 0.002),
        ]
    wall = [*ribs, (r, zs, style.shoulder_round), (n, zn, style.neck_round)]
    if p.kind == "beer":
        tip = 0.0126
        ring = [
            (tip + 0.0003, zf, 0.001),
            (0.0143, zf + 0.0015, 0.001),
            (0.0143, zf + 0.0075, 0.001),
            (tip, zf + 0.0088, 0.0005),
        ]
        return [*wall, *ring, (tip, h - 0.0050, 0.0005), (0.0133, h - 0.0038, 0.0006), (0.0133, h, 0.0020)]
    ring = [
        (n, zf, 0.0005),
        (n + 0.0036, zf + 0.0004, 0.0006),
        (n + 0.0036, zf + 0.0022, 0.0006),
        (n, zf + 0.0026, 0.0005),
    ]
    return [*wall, *ring, (n, h, 0.0008)]


def _inside(p: BottleParams, style: Style) -> list[Corner]:
    """Mouth to base."""
    r, h, w = p.radius_m - style.wall, p.height_m, style.wall
    bore = min(style.neck_r, 0.0126) - max(w, 0.0018)
    if style.ribs:
        r -= 0.0016  # the thin wall follows its ribs; inside, the ribs' depth is enough
    floor = 1.6 * max(w, 0.0015)
    zs, zn = style.shoulder * h, style.neck * h
    mouth = [(bore, h, 0.0006), (bore, zn, style.neck_round), (r, zs, style.shoulder_round * 0.9), (r, floor, 0.2 * r)]
    return [*mouth, (0, p.punt_m + floor, 0)]


def _label(p: BottleParams, low: float, high: float) -> Solid:
    """A paper 0.12 mm thick, 0.03 mm off the wall."""
    a, b = p.radius_m + 0.00003, p.radius_m + 0.00015
    section = np.array([(a, low), (b, low), (b, high), (a, high)])
    if p.label_deg == 360:
        return revolve(section, SEGMENTS)
    angle = np.deg2rad(np.linspace(-p.label_deg / 2, p.label_deg / 2, 49))
    rings = [np.column_stack([section[:, 0] * np.cos(t), section[:, 0] * np.sin(t), section[:, 1]]) for t in angle]
    return loft(np.array(rings)[:, ::-1])


def _cap(p: BottleParams, style: Style) -> Solid:
    if p.kind == "beer":
        return crown_cork(p.height_m)
    lift = 0.0004
    base = p.height_m - style.finish + 0.0026 + lift
    return screw_cap(
        style.neck_r + 0.0026, style.neck_r + 0.0012, base, p.height_m + 0.0014, 48 if p.kind == "water" else 36
    )


def _thread(neck_r: float, mouth_z: float) -> Solid:
    """One bead of 1.6 turns whose ends fade into the neck."""
    turn = np.linspace(0.0, 1.6 * 2 * np.pi, 96)
    fade = np.clip(np.minimum(turn, turn[-1] - turn) / 0.6, 0.0, 1.0)
    section = np.array([(-0.0006, -0.0014), (0.0012, -0.0006), (0.0012, 0.0005), (-0.0006, 0.0012)])
    z = mouth_z - 0.0105 + 0.0042 * turn / (2 * np.pi)
    r = neck_r - 0.0004 + section[:, 0] * (0.3 + 0.7 * fade[:, None])
    height = z[:, None] + section[:, 1] * (0.5 + 0.5 * fade[:, None])
    return loft(np.stack([r * np.cos(turn)[:, None], r * np.sin(turn)[:, None], height], axis=-1)[:, ::-1])


def bottle_rand(rng: np.random.Generator, given: Mapping[str, object]) -> BottleParams:
    """A closed bottle of one of the three kinds with that kind's usual proportions."""
    drawn_kind = str(rng.choice(list(STYLES), p=[0.45, 0.30, 0.25]))
    share = rng.random(4)
    kind = str(given.get("kind", drawn_kind))
    style = STYLES.get(kind, STYLES["beer"])  # an unknown kind is refused below
    radius = number(given, "radius_m", style.radius[0] + share[0] * (style.radius[1] - style.radius[0]))
    slenderness = style.slenderness[0] + share[1] * (style.slenderness[1] - style.slenderness[0])
    drawn = {
        "kind": kind,
        "radius_m": radius,
        "height_m": radius * slenderness,
        "punt_m": 0.002 + 0.004 * share[2],
        "label_deg": style.wrap_deg[0] + share[3] * (style.wrap_deg[1] - style.wrap_deg[0]),
    }
    return completed(BottleParams, given, drawn, _fitted(rng, given, drawn, slenderness))


def _fitted(
    rng: np.random.Generator, given: Mapping[str, object], usual: Mapping[str, object], slenderness: float
) -> Iterator[dict[str, object]]:
    """Bottles of the given height or radius: of the usual kind and proportions first, then of others."""
    height = number(given, "height_m", 0.0)
    low, high = max(0.02, height / 9), min(0.045, height / 5.5 if height else 0.045)
    radii = [within(rng, number(usual, "radius_m", low), low, high), *np.linspace(low, high, 9)]
    kinds = dict.fromkeys([str(usual["kind"]), *STYLES])
    for kind, radius, slender in product(kinds, radii, (slenderness, 6.5, 7.5, 8.8)):
        yield {**usual, "kind": kind, "radius_m": radius, "height_m": number(given, "radius_m", radius) * slender}
