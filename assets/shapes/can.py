"""A drawn and ironed beverage can: necked body with a domed base, seamed lid with a scored mouth, riveted tab."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from ..mesh import Mesh
from .base import (
    Params,
    Points,
    Solid,
    arc,
    centred,
    circle,
    fillet,
    from_manifold,
    loft,
    merge_parts,
    moved,
    revolve,
    to_manifold,
    wrap_uv,
)
from .plate import rounded_extrude

__all__ = ["CanParams", "can", "can_rand"]

SEGMENTS = 72
FLOOR = 0.0050  # the centre panel lies this far under the rim, metres
#: size → body diameter, lid diameter over the seam, height, metres: the common 211 and 204 bodies with 202 and 200 ends
#: (ends are named in inches and sixteenths), heights as sold.
SIZES: dict[str, tuple[float, float, float]] = {
    "150ml": (0.0533, 0.0475, 0.0915),
    "250ml": (0.0533, 0.0475, 0.1340),
    "330ml": (0.0662, 0.0540, 0.1152),
    "330ml_sleek": (0.0572, 0.0504, 0.1460),
    "440ml": (0.0662, 0.0540, 0.1500),
    "500ml": (0.0662, 0.0540, 0.1681),
}


class CanParams(Params):
    """A closed beverage can; `size` fixes its diameters and height."""

    size: Literal["150ml", "250ml", "330ml", "330ml_sleek", "440ml", "500ml"] = "330ml"
    tab_deg: Annotated[float, Field(ge=0, lt=360, description="direction of the mouth, from the +x axis")] = 0.0


def can(p: CanParams) -> Mesh:
    """The can; parts body (u, v wrap the printed wall from base to neck), lid, tab.

    Keypoints: base (centre of the stand), dome, shoulder_0 (where the wall starts to neck in, on the x axis), rim_0
    (top of the seam, x axis), mouth (centre of the opening panel), rivet, tab_end.
    """
    diameter, end_diameter, height = SIZES[p.size]
    body_r, end_r = diameter / 2, end_diameter / 2
    wall = revolve(_body_profile(body_r, end_r, height), SEGMENTS)
    turn = _turn(p.tab_deg)
    floor = height - FLOOR
    lid = moved(_lid(end_r, height), rotation=turn)
    tab, rivet = (moved(piece, (0, 0, floor), turn) for piece in (_tab(), _rivet()))
    v, f, part = merge_parts([(*wall, 0), (*lid, 1), (*tab, 2), (*rivet, 1)])
    marks = np.array([(_mouth(end_r), 0, floor), (0, 0, floor + 0.0019), (-0.0125, 0, floor + 0.0010)]) @ turn.T
    points: dict[str, npt.ArrayLike] = {
        "base": (0, 0, 0),
        "dome": (0, 0, _dome(body_r)[1]),
        "shoulder_0": (body_r, 0, _shoulder(body_r, end_r, height)),
        "rim_0": (end_r, 0, height - 0.0008),
        "mouth": marks[0],
        "rivet": marks[1],
        "tab_end": marks[2],
    }
    uv = wrap_uv(v, f, 0.004, _shoulder(body_r, end_r, height) + 0.004)
    names = ("body", "lid", "tab")
    return centred(v, f, face_part=part, part_names=names, uv=uv, keypoints=points, smooth_angle_deg=32)


def _turn(angle_deg: float) -> Points:
    c, s = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _shoulder(body_r: float, end_r: float, height: float) -> float:
    """Height at which the straight wall ends: the neck cones in at 30° from the vertical, give or take its fillets."""
    return height - 0.0055 - 1.75 * (body_r - (end_r - 0.0012))


def _dome(body_r: float) -> tuple[float, float]:
    """(radius at which the stand's inner wall meets the dome, height of the dome's middle)."""
    return 0.72 * body_r - 0.0012, 0.0105 * body_r / 0.0331


def _mouth(end_r: float) -> float:
    """Distance of the mouth's centre from the axis: its far edge stays 1 mm inside the centre panel."""
    return 0.69 * end_r - 0.0068


def _body_profile(body_r: float, end_r: float, height: float) -> Points:
    """Outline of the filled body: up from the dome over the stand, the wall and the neck, closed under the lid."""
    dome_r, dome_z = _dome(body_r)
    stand_r = 0.72 * body_r
    neck_r = end_r - 0.0012
    shoulder = _shoulder(body_r, end_r, height)
    outside = fillet(
        [
            (dome_r, 0.004, 0.0008),
            (stand_r - 0.0010, 0.0, 0.0009),
            (stand_r + 0.0012, 0.0, 0.0010),
            (body_r, 0.0110, 0.012),
            (body_r, shoulder, 0.007),
            (neck_r, height - 0.0055, 0.004),
            (neck_r, height - 0.0029, 0),
            (neck_r - 0.0004, height - 0.0045, 0),
            (0.5 * dome_r, height - 0.0095, 0),
            (0.5 * dome_r, 0.020, 0),
        ],
        5,
    )[:-2]  # the last two close the outline for `fillet`; the dome takes their place
    sag = dome_z - 0.004
    radius = (dome_r**2 + sag**2) / (2 * sag)
    reach = np.degrees(np.arcsin(dome_r / radius))
    dome = arc((0.0, dome_z - radius), radius, 90.0, 90.0 - reach, 8)[:-2]
    dome[0, 0] = 0.0
    return np.concatenate([dome, outside, [(neck_r - 0.0030, height - 0.0095), (0.0, height - 0.0095)]])


def _lid(end_r: float, height: float) -> Solid:
    """The end: rounded double seam, chuck wall, countersink, centre panel with a sunk mouth scored around its edge."""
    floor, sink = height - FLOOR, height - 0.0070
    profile = fillet(
        [
            (0.0, floor - 0.0004, 0),
            (end_r - 0.0062, floor - 0.0004, 0.0002),
            (end_r - 0.0055, sink - 0.0005, 0.0003),
            (end_r - 0.0040, sink - 0.0005, 0.0005),
            (end_r - 0.0013, height - 0.0028, 0.0003),
            (end_r, height - 0.0028, 0.0004),
            (end_r, height, 0.0007),
            (end_r - 0.0015, height, 0.0007),
            (end_r - 0.0040, sink, 0.0004),
            (end_r - 0.0053, sink, 0.0005),
            (end_r - 0.0058, floor, 0.0004),
            (0.0, floor, 0),
        ],
        3,
    )
    ellipse = circle(1.0, 48) * [0.31 * end_r, 0.40 * end_r] + [_mouth(end_r), 0.0]
    score = _groove(ellipse, floor, width=0.00035, depth=0.00022)
    v, f, _ = from_manifold(to_manifold(revolve(profile, SEGMENTS)) - to_manifold(score))
    return v, f


def _groove(path: Points, z: float, width: float, depth: float) -> Solid:
    """A ring of diamond section along a closed plan curve: cut from the plane z it leaves a V `depth` deep."""
    tangent = np.roll(path, -1, axis=0) - np.roll(path, 1, axis=0)
    outward = np.column_stack([tangent[:, 1], -tangent[:, 0]]) / np.linalg.norm(tangent, axis=1)[:, None]
    section = [(width, 0.0), (0.0, depth), (-width, 0.0), (0.0, -depth)]
    rings = [np.column_stack([path + outward * a, np.full(len(path), z + b)]) for a, b in section]
    return loft(np.stack(rings, axis=1)[:, ::-1], closed=True)


def _tab() -> Solid:
    """The stay-on tab on the panel z = 0, nose towards +x; a finger hole at its end, a U cut around the rivet."""
    outline = fillet(
        [
            (-0.0140, -0.0060, 0.0050),
            (-0.0030, -0.0080, 0.004),
            (0.0060, -0.0068, 0.0050),
            (0.0100, 0.0, 0.0080),
            (0.0060, 0.0068, 0.0050),
            (-0.0030, 0.0080, 0.004),
            (-0.0140, 0.0060, 0.0050),
        ],
        5,
        support=0,
    )
    ring = fillet(
        [(-0.0120, -0.0042, 0.0030), (-0.0052, -0.0054, 0.0015), (-0.0052, 0.0054, 0.0015), (-0.0120, 0.0042, 0.003)], 4
    )
    window = circle(0.0036, 24)
    v, f = rounded_extrude(outline, [ring[::-1], window[::-1]], 0.0011, 0.00045)
    lift = 0.0003 + 0.02 * np.maximum(-v[:, 0], 0.0)  # the finger end stands a little off the panel
    return v + np.column_stack([np.zeros((len(v), 2)), lift]), f


def _rivet() -> Solid:
    """The formed button that holds the tab, with the tab's tongue under its head."""
    return revolve(
        fillet(
            [
                (0, -0.0002, 0),
                (0.0018, -0.0002, 0),
                (0.0018, 0.0010, 0),
                (0.0027, 0.0010, 0.0001),
                (0.0027, 0.0019, 0.0005),
                (0, 0.0019, 0),
            ],
            4,
        ),
        28,
    )


def can_rand(rng: np.random.Generator, given: Mapping[str, object]) -> CanParams:
    """A can of any size, 330 ml most often, turned anyhow."""
    weights = np.array([0.08, 0.15, 0.35, 0.14, 0.08, 0.20])
    drawn = {"size": str(rng.choice(list(SIZES), p=weights)), "tab_deg": rng.uniform(0, 360)}
    return CanParams.model_validate({**drawn, **given})
