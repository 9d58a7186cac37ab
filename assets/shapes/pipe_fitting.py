"""Pipe fittings of malleable iron or brass: elbow, tee and hexagon union, with banded collars and threaded bores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import manifold3d
import numpy as np
import numpy.typing as npt

from ..mesh import Mesh
from .base import Params, Points, Solid, centred, denser, fillet, from_manifold, loft, moved, revolve, to_manifold

__all__ = ["PipeFittingParams", "pipe_fitting", "pipe_fitting_rand"]

SEGMENTS = 52
CHAMBER = 0.98  # radius of the passage behind the thread, in minor radii
UNION_REACH = 0.85  # half the length of a union, in centre-to-end lengths


@dataclass(frozen=True)
class Thread:
    """A parallel pipe thread Rp of ISO 7-1: major and minor diameter, pitch; `centre_to_end` of EN 10242; metres."""

    major: float
    minor: float
    pitch: float
    centre_to_end: float


SIZES: dict[str, Thread] = {
    "1/4": Thread(0.013157, 0.011445, 0.001337, 0.021),
    "3/8": Thread(0.016662, 0.014950, 0.001337, 0.025),
    "1/2": Thread(0.020955, 0.018631, 0.001814, 0.028),
    "3/4": Thread(0.026441, 0.024117, 0.001814, 0.033),
    "1": Thread(0.033249, 0.030291, 0.002309, 0.038),
}


class PipeFittingParams(Params):
    """A fitting with inside threads at every end; `size` is the nominal size in inches."""

    kind: Literal["elbow", "tee", "union"] = "elbow"
    size: Literal["1/4", "3/8", "1/2", "3/4", "1"] = "1/2"


def pipe_fitting(p: PipeFittingParams) -> Mesh:
    """The fitting: an elbow's ends point to +x and +z, a tee's run lies along x, its branch up, a union stands on z.

    Keypoints: centre (where the bores meet), port_x, port_z, port_nx, port_nz as far as they exist (centre of each open
    end), and collar_x … (top of that end's collar, +y side).
    """
    t = SIZES[p.size]
    cast = {"elbow": _elbow, "tee": _tee, "union": _union}[p.kind]
    reach = UNION_REACH * t.centre_to_end if p.kind == "union" else t.centre_to_end
    v, f, _ = from_manifold(cast(t))
    points: dict[str, npt.ArrayLike] = {"centre": (0, 0, 0)}
    for port in PORTS[p.kind]:
        axis = AXES[port][:, 2]
        points[f"port_{port}"] = reach * axis
        points[f"collar_{port}"] = (reach - 0.3 * _collar_length(t)) * axis + np.array([0, _collar_r(t), 0])
    return centred(v, f, keypoints=points, smooth_angle_deg=33)


PORTS = {"elbow": ("x", "z"), "tee": ("x", "nx", "z"), "union": ("z", "nz")}
#: Rotation that turns +z to the direction of each end.
AXES: dict[str, Points] = {
    "z": np.eye(3),
    "nz": np.diag([1.0, -1.0, -1.0]),
    "x": np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]),
    "nx": np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]),
}


def _body_r(t: Thread) -> float:
    """Outside radius between the collars: the thread's major radius and a wall of 2.3 mm or more."""
    return t.major / 2 + 0.0016 + 0.045 * t.major


def _collar_r(t: Thread) -> float:
    return _body_r(t) + 0.0010 + 0.05 * t.major


def _collar_length(t: Thread) -> float:
    return 0.0030 + 0.14 * t.major


def _outside(t: Thread, reach: float, inner: float) -> Points:
    """(N, 2) half section (r, z) of one end along +z: the pipe from z = `inner`, the banded collar at `reach`."""
    r, c, length = _body_r(t), _collar_r(t), _collar_length(t)
    rise = c - r
    corners = [
        (0.0, inner, 0),
        (r, inner, 0),
        (r, reach - length - rise, 1.2 * rise),
        (c, reach - length, 0.6 * rise),
        (c, reach, 0.0008),
        (0.0, reach, 0),
    ]
    return denser(fillet(corners, 4), 0.25 * r)


def _core(t: Thread, reach: float, inner: float) -> Points:
    """(7, 2) half section of what drilling removes from one end: the passage, the core hole, the 45° countersink."""
    minor, major, depth = t.minor / 2, t.major / 2, 0.0004
    section = [
        (0.0, inner),
        (minor * CHAMBER, inner),
        (minor * CHAMBER, reach - depth - 5.2 * t.pitch),
        (minor, reach - depth - 5.0 * t.pitch),
        (minor, reach - (major - minor) - 2 * depth),
        (major + 2 * depth, reach + depth),
        (0.0, reach + depth),
    ]
    return np.array(section)


def _helix(t: Thread, reach: float, turns: float = 5.5) -> Solid:
    """A right-hand ridge of the thread's 55° section, `turns` long, up to a pitch past `reach`; it starts shallow."""
    u = np.linspace(0.0, 2 * np.pi * turns, int(SEGMENTS * 0.6 * turns))
    depth = (t.major - t.minor) / 2
    run_out = np.clip(u / np.pi, 0.05, 1.0)[:, None]
    half = np.tan(np.deg2rad(27.5))
    section = np.array([(-0.4, -1.4 * half - 0.08), (1.0, -0.08), (1.0, 0.08), (-0.4, 1.4 * half + 0.08)]) * depth
    radius = t.minor / 2 + np.where(section[:, 0] > 0, section[:, 0] * run_out, section[:, 0])
    height = reach - t.pitch * (turns - 1 - u[:, None] / (2 * np.pi)) + section[:, 1] * (0.3 + 0.7 * run_out)
    rings = np.stack([radius * np.cos(u)[:, None], radius * np.sin(u)[:, None], height], axis=-1)
    return loft(rings[:, ::-1])


def _at(solid: Solid, port: str) -> manifold3d.Manifold:
    return to_manifold(moved(solid, rotation=AXES[port]))


def _straight(t: Thread, reach: float, ports: tuple[str, ...]) -> tuple[manifold3d.Manifold, manifold3d.Manifold]:
    """(outsides united, bores united) of straight ends that meet in the origin."""
    overlap = -0.001
    outside = revolve(_outside(t, reach, overlap), SEGMENTS)
    bore = to_manifold(revolve(_core(t, reach, overlap), SEGMENTS)) + to_manifold(_helix(t, reach))
    ways = [np.column_stack([AXES[port], np.zeros(3)]) for port in ports]
    pipe = to_manifold(outside)
    return _united([pipe.transform(way) for way in ways]), _united([bore.transform(way) for way in ways])


def _united(solids: list[manifold3d.Manifold]) -> manifold3d.Manifold:
    return manifold3d.Manifold.batch_boolean(solids, manifold3d.OpType.Add)


def _elbow(t: Thread) -> manifold3d.Manifold:
    """One tube through both ends, less the tube of its passage and the threads."""
    reach = t.centre_to_end
    bend = reach - _collar_length(t) - 1.2 * (_collar_r(t) - _body_r(t)) - 0.0015
    body = to_manifold(_bent(_outside(t, reach, bend), bend)) - to_manifold(_bent(_core(t, reach, bend), bend))
    return body - _at(_helix(t, reach), "x") - _at(_helix(t, reach), "z")


def _bent(section: Points, bend: float) -> Solid:
    """The tube of an end's half section from the z axis through a quarter torus of radius `bend` to the x axis."""
    r, s = section.T
    inner_end = s == s.min()  # its disc is inside the bend: only its rim belongs to the tube
    r, s = section[(r > 0) & (~inner_end | (r == r[inner_end].max()))].T
    u = np.arange(SEGMENTS) * (2 * np.pi / SEGMENTS)
    along, side = np.outer(r, np.cos(u)), np.outer(r, np.sin(u))
    station = np.broadcast_to(s[:, None], along.shape)
    turn = np.linspace(0.0, np.pi / 2, 17)[1:-1, None]
    spoke = bend - along[:1]  # distance from the torus's axis, which runs along y through (bend, 0, bend)
    torus = [bend - spoke * np.cos(turn), np.repeat(side[:1], len(turn), axis=0), bend - spoke * np.sin(turn)]
    rings = [
        np.stack([along, side, station], axis=-1)[::-1],
        np.stack(torus, axis=-1),
        np.stack([station, side, along], axis=-1),
    ]
    return loft(np.concatenate(rings)[:, ::-1])


def _tee(t: Thread) -> manifold3d.Manifold:
    """Three ends; where the branch meets the run the casting is filleted by a rolling ball."""
    body, bores = _straight(t, t.centre_to_end, PORTS["tee"])
    fillets = [to_manifold(_saddle(_body_r(t), 0.35 * _body_r(t), side)) for side in (1.0, -1.0)]
    return _united([body, *fillets]) - bores


def _saddle(radius: float, ball: float, side: float) -> Solid:
    """The fillet between two crossing cylinders of equal radius, along x and along +z, on the side `side` of x.

    A ball that touches both has its centre at distance R + ρ from both axes, so on the ellipse
    (R + ρ) (cos φ, sin φ, cos φ). Each section runs along the arc between the two points of contact and back through
    the metal.
    """
    rings = []
    for phi in np.deg2rad(np.linspace(-82.0, 82.0, 25)):
        c, s = np.cos(phi), np.sin(phi)
        centre = (radius + ball) * np.array([c, s, c])
        to_run, to_branch = -np.array([0.0, s, c]), -np.array([c, s, 0.0])
        between = np.arccos(np.clip(to_run @ to_branch, -1, 1))
        w = np.linspace(0.0, 1.0, 9)[:, None]
        spokes = (np.sin((1 - w) * between) * to_run + np.sin(w * between) * to_branch) / np.sin(between)
        # 0.5 % into the metal: surfaces that only touch would be cut along noise.
        skin = centre + ball * spokes - 0.005 * radius * np.array([c, s, c])
        rings.append(np.concatenate([skin, [0.85 * radius * np.array([c, s, c])]]))
    tube = np.array(rings) * [side, 1.0, 1.0]
    return loft(tube[:, ::-1] if side > 0 else tube)


def _union(t: Thread) -> manifold3d.Manifold:
    """Two collared ends and the hexagon nut that joins them, its corners turned off at 30°."""
    reach, r = UNION_REACH * t.centre_to_end, _body_r(t)
    flats, half = 2 * r + 0.0045 + 0.1 * t.major, 0.23 * t.centre_to_end
    corner = flats / np.sqrt(3)
    drop = (corner - 0.98 * flats / 2) * np.tan(np.deg2rad(30))
    turned = [
        (0.0, -half, 0),
        (0.98 * flats / 2, -half, 0.0004),
        (corner, -half + drop, 0),
        (corner, half - drop, 0),
        (0.98 * flats / 2, half, 0.0004),
        (0.0, half, 0),
    ]
    angles = np.deg2rad(np.arange(6) * 60.0)
    hexagon = fillet(np.column_stack([corner * np.cos(angles), corner * np.sin(angles), np.full(6, 0.0006)]), 8)
    prism = loft([np.column_stack([hexagon, np.full(len(hexagon), z)]) for z in (-1.1 * half, 1.1 * half)])
    nut = to_manifold(prism) ^ to_manifold(revolve(fillet(turned, 4), 96))
    body, bores = _straight(t, reach, PORTS["union"])
    return body + nut - bores


def pipe_fitting_rand(rng: np.random.Generator, given: Mapping[str, object]) -> PipeFittingParams:
    """An elbow, tee or union of any size, the middle sizes most often."""
    drawn = {
        "kind": str(rng.choice(["elbow", "tee", "union"], p=[0.4, 0.35, 0.25])),
        "size": str(rng.choice(list(SIZES), p=[0.1, 0.2, 0.35, 0.25, 0.1])),
    }
    return PipeFittingParams.model_validate({**drawn, **given})
