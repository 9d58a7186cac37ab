"""Cylindrical helical compression springs of round wire (EN 13906-1) with open, closed, or closed and ground ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Literal, NamedTuple, cast, get_args

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from ..mesh import Mesh
from .base import Params, Points, Solid, centred, from_manifold, loft, number, to_manifold
from .completed import completed
from .fastener_tables import MM

__all__ = ["SpringParams", "spring", "spring_rand"]

Ends = Literal["ground", "closed", "open"]

#: Preferred wire diameters (EN 10270-1), metres.
WIRES_M = np.array([0.5, 0.63, 0.8, 1.0, 1.25, 1.6, 2.0, 2.5, 3.2]) * MM
#: Pitch of a closed end coil in wire diameters: it lies on its neighbour without merging with it.
CLOSED_PITCH = 1.03
#: At each end the pitch grows from closed to active between these turns.
BLEND = (0.9, 1.4)
#: Height of the ground plane above the wire's axis at the tip, in wire diameters: the tip keeps a quarter of the wire.
GROUND = 0.25
STEPS_PER_TURN = 36
SECTION = 16


class SpringParams(Params):
    """A compression spring whose index (mean diameter / wire) is between 4 and 20, as EN 13906-1 covers."""

    wire_m: float = Field(0.001, gt=0, le=0.02, description="wire diameter, metres")
    diameter_m: float = Field(0.008, gt=0, le=0.2, description="mean coil diameter, metres")
    coils: float = Field(8.0, ge=4, le=16, description="coils in all, the two end coils included")
    length_m: float = Field(0.025, gt=0, le=0.5, description="unloaded length, metres")
    ends: Ends = Field("ground", description="closed: the end coils touch; ground: closed and cut flat")
    left_handed: bool = Field(False, description="coiled the other way round")

    @property
    def pitch_m(self) -> float:
        """Pitch of the active coils that gives the unloaded length, metres."""
        flat = _length(self.wire_m, self.coils, self.ends, 0.0)
        return (self.length_m - flat) / (_length(self.wire_m, self.coils, self.ends, 1.0) - flat)

    @model_validator(mode="after")
    def _coils_fit(self) -> SpringParams:
        index = self.diameter_m / self.wire_m
        if not 4 <= index <= 20:
            raise ValueError(f"diameter_m / wire_m lies in 4 … 20 (EN 13906-1), got {index:.2f}: change either")
        least, most = 1.1 * self.wire_m, 0.8 * self.diameter_m
        if not least <= self.pitch_m <= most:
            raise ValueError(
                f"the pitch of the active coils lies between 1.1 wires and 0.8 diameters, {least:.5f} … {most:.5f} m; "
                f"length_m {self.length_m:.4f} with {self.coils:g} coils makes it {self.pitch_m:.5f}: change either"
            )
        return self


def spring(p: SpringParams) -> Mesh:
    """The spring along z, metres. Keypoints: centres of both end planes, both wire tips, the wire halfway."""
    turns = np.linspace(0, p.coils, int(np.ceil(p.coils * STEPS_PER_TURN)) + 1)
    axis = _axis(p, turns)
    vertices, faces = _wire(axis, p.wire_m)
    if p.ends == "ground":
        low, high = axis[0, 2] + GROUND * p.wire_m, axis[-1, 2] - GROUND * p.wire_m
        body = to_manifold((vertices, faces)).trim_by_plane((0.0, 0.0, 1.0), low).trim_by_plane((0.0, 0.0, -1.0), -high)
        vertices, faces, _ = from_manifold(body)
    low, high = vertices[:, 2].min(), vertices[:, 2].max()
    inward = np.array([0, 0, 0.4 * p.wire_m if p.ends == "ground" else 0.0])
    keypoints = {
        "bottom_center": (0, 0, low),
        "top_center": (0, 0, high),
        "tip_0": axis[0] + inward,
        "tip_1": axis[-1] - inward,
        "middle": axis[len(axis) // 2],
    }
    return centred(vertices, faces, keypoints=keypoints)


def spring_rand(rng: np.random.Generator, given: Mapping[str, object]) -> SpringParams:
    """Draw what `given` leaves open: preferred wires, index 5 … 11, 5 … 11 coils, pitch 0.25 … 0.45 diameters.

    What is given comes first: a given length sets the coils, a given diameter the wire.
    """
    drawn: dict[str, object] = {
        "ends": str(rng.choice(["ground", "closed", "open"], p=[0.6, 0.3, 0.1])),
        "left_handed": bool(rng.random() < 0.15),
    } | dict(given)
    index, slenderness, steepness = rng.uniform(5, 11), rng.uniform(1.5, 3), rng.uniform(0.25, 0.45)
    thick, coils = rng.choice(WIRES_M), round(rng.uniform(5, 11) * 4) / 4
    known = {k: v for k, v in drawn.items() if isinstance(v, int | float) and v > 0}
    if "diameter_m" not in known:
        free = known["length_m"] / slenderness if "length_m" in known else thick * index
        free = known["wire_m"] * index if "wire_m" in known else free
        known["diameter_m"] = round(free, 5) or free
    wire = known.get("wire_m", float(WIRES_M[np.abs(np.log(WIRES_M * index / known["diameter_m"])).argmin()]))
    pitch = max(steepness * known["diameter_m"], 1.5 * wire)
    if "length_m" in known and "coils" not in known:
        coils = _coils(wire, known["length_m"], _ends(drawn), pitch)
    coils = known.get("coils", coils)
    length = known.get("length_m", round(_length(wire, coils, _ends(drawn), pitch), 4))
    sizes = {"wire_m": wire, "diameter_m": known["diameter_m"], "coils": coils, "length_m": length}
    usual = {**sizes, **drawn}
    return completed(SpringParams, given, usual, _fitted(given, usual, _Proportions(index, slenderness, steepness)))


class _Proportions(NamedTuple):
    """Diameter in wires, length in diameters, pitch in diameters."""

    wires: float
    slenderness: float
    steepness: float


def _fitted(
    given: Mapping[str, object], usual: Mapping[str, object], drawn: _Proportions
) -> Iterator[dict[str, object]]:
    """Springs of the given sizes: with the drawn proportions if they can be, then with others that the rules allow."""
    for end, slenderness, index, steepness in product(
        dict.fromkeys([_ends(usual), *get_args(Ends)]),
        (drawn.slenderness, 3.0, 1.5, 0.7, 0.3, 5.0, 9.0),
        (drawn.wires, 5.0, 8.0, 12.0, 16.0, 19.5, 4.1),
        (drawn.steepness, 0.3, 0.45, 0.6, 0.75, 0.2),
    ):
        end = cast(Ends, given.get("ends", end))
        free = min(0.2, number(given, "length_m", 0.0) / slenderness or number(usual, "diameter_m", 0.0))
        diameter = number(given, "diameter_m", min(0.2, number(given, "wire_m", 0.0) * index) or free)
        wire = number(given, "wire_m", diameter / index)
        pitch = max(steepness * diameter, 1.2 * wire)
        coils = number(usual, "coils", 8.0)
        if "length_m" in given:
            coils = _coils(wire, number(given, "length_m", 0.0), end, pitch)
        coils = number(given, "coils", coils)
        length = min(0.5, _length(wire, coils, end, pitch))
        yield {"wire_m": wire, "diameter_m": diameter, "coils": coils, "length_m": length, "ends": end}


def _coils(wire: float, length: float, ends: Ends, pitch: float) -> float:
    """How many coils of this pitch make the length, between the 4 and the 16 that there may be."""
    return float(np.clip(4 + (length - _length(wire, 4, ends, pitch)) / pitch, 4, 16))


def _ends(drawn: Mapping[str, object]) -> Ends:
    return cast(Ends, drawn["ends"])


def _length(wire: float, coils: float, ends: Ends, pitch: float) -> float:
    """Unloaded length with active coils of this pitch, in the unit of the lengths given; linear in the pitch."""
    closed = CLOSED_PITCH * wire
    work = float(_work(np.array([coils]), coils, ends)[0])
    return closed * coils + (pitch - closed) * work + (-2 * GROUND if ends == "ground" else 1.0) * wire


def _work(turns: Points, coils: float, ends: Ends) -> Points:
    """(N,) active coils below each turn: the integral of a smoothstep up at the lower end and down at the upper."""
    if ends == "open":
        return turns
    first, last = BLEND

    def dead(t: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Coils lost to one end within the first t turns from it."""
        x = np.clip((t - first) / (last - first), 0, 1)
        return np.asarray(t - (last - first) * (x**3 - x**4 / 2) - np.maximum(t - last, 0))

    return np.asarray(turns - dead(turns) - (dead(np.full_like(turns, coils)) - dead(coils - turns)))


def _axis(p: SpringParams, turns: Points) -> Points:
    """(N, 3) the wire's axis: closed pitch everywhere, and the rest of the active pitch where the coils work."""
    closed = CLOSED_PITCH * p.wire_m
    height = closed * turns + (p.pitch_m - closed) * _work(turns, p.coils, p.ends)
    angle = 2 * np.pi * turns * (-1 if p.left_handed else 1)
    return np.stack([p.diameter_m / 2 * np.cos(angle), p.diameter_m / 2 * np.sin(angle), height], axis=1)


def _wire(axis: Points, wire: float) -> Solid:
    """The round wire along its (N, 3) axis, its two tips chamfered by a tenth of the wire."""
    tangent = np.gradient(axis, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1)[:, None]
    outward = axis * (1, 1, 0)
    outward -= (outward * tangent).sum(axis=1)[:, None] * tangent
    outward /= np.linalg.norm(outward, axis=1)[:, None]
    across = np.cross(tangent, outward)
    around = 2 * np.pi * np.arange(SECTION)[:, None] / SECTION
    unit = outward[:, None] * np.cos(around) + across[:, None] * np.sin(around)
    tips = axis[[0, -1]] + tangent[[0, -1]] * (np.array([[-0.1], [0.1]]) * wire)
    centre = np.concatenate([tips[:1], axis, tips[1:]])
    unit = np.concatenate([unit[:1] * 0.8, unit, unit[-1:] * 0.8])
    return loft(centre[:, None] + wire / 2 * unit)
