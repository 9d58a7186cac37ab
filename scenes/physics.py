"""Things dropped into a container, or onto a table, until they lie still: rigid bodies by MuJoCo.

The frame is the container's: metres outside, z up, gravity down. Collisions are between convex pieces that enclose the
meshes (`assets.convex`), which keep `MARGIN_M` from each other, so that soft contacts end at about zero distance.

The result depends on the order of floating-point sums, and a pile amplifies every last bit: the same processor type
gives the same poses each time, in any process; another may give another pile. Scenes therefore store poses, and nothing
that renders or labels a scene simulates again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from ..assets.containers.interior import Interior
from ..assets.convex import convex_pieces
from ..assets.mesh import Mesh
from ..errors import PlacementError
from .deposit import deposit

__all__ = ["Body", "Drop", "Unsettled", "settle"]

Vec = npt.NDArray[np.float64]

#: MuJoCo's lengths are centimetres here: its tolerances are made for bodies of about one unit.
UNITS_PER_M = 100.0
GRAVITY = 9.81 * UNITS_PER_M
STEP_S = 0.002
#: Half the distance from which on contacts act. What a pile's weight presses in (measured: below 0.08 mm) is less.
MARGIN_M = 1.5e-4
#: The same of few bodies, which nothing presses: a gap that no camera sees.
CLOSE_M = 1e-5
#: In a pile of more than `FEW` bodies MuJoCo keeps so many corners of a piece; those left out lie less than a hundredth
#: of its size outside. A few dice on a table keep them all, so that their faces are flat.
HULL_CORNERS, FEW = 64, 40
#: Time constant and damping ratio of contacts: two steps, which is the stiffest that integrates well.
CONTACT = (2 * STEP_S, 1.0)
#: Still is what moves less than this far (metres) in `WATCH_S` (free fall makes 12 mm of it).
STILL_M = 2e-4
WATCH_S = 0.05
#: Rolling resistance: without it a ball that has come down on a level floor would roll for ever.
ROLLING_PER_S = 3.0
#: What lies is held by static friction, which is larger than that of sliding (steel on dry steel: 0.74 beside 0.57).
STICTION = 1.3
#: Passes of MuJoCo's no-slip solver: soft friction lets a whole pile creep at a centimetre per second.
NOSLIP = 4
#: A drag acts for so long, then nothing but gravity and contacts while it is watched; so often at most.
CALM_S = 0.1
ROUNDS = 16


class Unsettled(PlacementError):
    """Things did not come to rest, or not inside: another draw may."""


@dataclass(frozen=True)
class Body:
    """A thing to drop: its mesh (object frame), scale, density (kg/m³), and the faces of which one must look up.

    `tops` are key points of faces (see `top.uppermost`); a thing that has none may lie as it likes.
    """

    mesh: Mesh
    scale: float
    density: float = 2000.0
    tops: tuple[str, ...] = ()


@dataclass(frozen=True)
class Drop:
    """How things are dropped.

    Attributes:
        tumble_s: how long they roll and slide after the last one has come down; then a stronger drag stops what rocks.
        friction: Coulomb coefficient of sliding, of all pairs.
        drag_per_s: rate at which speeds decay while things fall: 8 lets them fall at 1.2 m/s at most, slow enough for
            thin parts not to shoot into each other within a step; a pile ends the same whichever way it was filled.
        speed_m_s: horizontal speed that each thing starts with, in a random direction: 0 lets it fall, 0.5 rolls it.
        spin_rad_s: how fast it turns at the start.
        area: x, y size of the rectangle above which things start, metres; None: the whole inside.
    """

    tumble_s: float = 0.15
    friction: float = 0.6
    drag_per_s: float = 8.0
    speed_m_s: float = 0.1
    spin_rad_s: float = 2.0
    area: tuple[float, float] | None = None


def settle(rng: np.random.Generator, bodies: Sequence[Body], inside: Interior, drop: Drop) -> Vec:
    """(n, 4, 4) container_T_object of bodies that lie still inside the container; on its floor, or on each other.

    Raises:
        Unsettled: something still moves, or lies outside.
        PlacementError: a body is larger than the inside.
    """
    if not bodies:
        return np.zeros((0, 4, 4))
    starts = deposit(rng, [b.mesh.vertices * b.scale for b in bodies], inside, drop.area)
    model, chutes = _model(bodies, inside, starts, drop)
    data = mujoco.MjData(model)
    model.dof_damping[:] = _drag(model, drop.drag_per_s, ROLLING_PER_S)
    data.qvel[:] = _first_speeds(rng, len(bodies), drop).ravel()
    _run(model, data, _fall_time(float(starts[:, 2, 3].max()), drop.drag_per_s))
    model.geom_contype[chutes] = model.geom_conaffinity[chutes] = 0  # from here on the real walls are all there is
    _run(model, data, drop.tumble_s)
    model.opt.noslip_iterations = NOSLIP
    model.geom_friction[:, 0] *= STICTION
    moved = np.inf
    for _ in range(ROUNDS):
        model.dof_damping[:] = _drag(model, 20.0, 20.0)
        _run(model, data, CALM_S)
        model.dof_damping[:] = _drag(model, 0.0, ROLLING_PER_S)
        moved = _watch(model, data)
        if moved <= STILL_M:
            break
    poses = _poses(data, len(bodies))
    _check_inside(bodies, poses, inside)
    if not moved <= STILL_M:
        raise Unsettled(
            f"one of {len(bodies)} objects still moves {moved * 1e3:.2f} mm in {WATCH_S:g} s, {STILL_M * 1e3:g} mm "
            f"are allowed, {ROUNDS * (CALM_S + WATCH_S) + drop.tumble_s:.1f} s after it came down: drop fewer"
        )
    return poses


def _model(
    bodies: Sequence[Body], inside: Interior, starts: Vec, drop: Drop
) -> tuple[mujoco.MjModel, npt.NDArray[np.int64]]:
    """The model, and which of its geoms are chutes: walls far up that keep what falls above the inside."""
    spec = mujoco.MjSpec()
    spec.option.timestep, spec.option.gravity = STEP_S, [0, 0, -GRAVITY]
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.iterations, spec.option.ls_iterations, spec.option.tolerance = 20, 10, 1e-6
    corners, margin = (HULL_CORNERS, MARGIN_M) if len(bodies) > FEW else (-1, CLOSE_M)
    for k, piece in enumerate(inside.pieces):
        _hull(spec, f"fixed {k}", piece, corners)
        _geom(spec.worldbody, f"fixed {k}", drop, margin)
    chutes = _chutes(spec, inside, float(starts[:, 2, 3].max()))
    names: dict[tuple[bytes, float], list[str]] = {}
    for i, body in enumerate(bodies):
        key = (body.mesh.exact, body.scale)
        if key not in names:
            pieces = convex_pieces(body.mesh)
            names[key] = [f"mesh {len(names)} {k}" for k in range(len(pieces))]
            for name, piece in zip(names[key], pieces, strict=True):
                _hull(spec, name, piece * body.scale, corners)
        part = spec.worldbody.add_body()
        part.pos = starts[i, :3, 3] * UNITS_PER_M
        part.quat = np.roll(Rotation.from_matrix(starts[i, :3, :3]).as_quat(), 1)
        part.add_freejoint()
        for name in names[key]:
            _geom(part, name, drop, margin).density = body.density * 1e-3  # grams per cubic centimetre
    model = spec.compile()
    first = len(inside.pieces)
    return model, np.arange(first, first + chutes)


def _hull(spec: mujoco.MjSpec, name: str, corners: Vec, limit: int) -> None:
    mesh = spec.add_mesh()
    mesh.name, mesh.uservert, mesh.maxhullvert = name, (corners * UNITS_PER_M).ravel(), limit


def _geom(body: mujoco.MjsBody, mesh: str, drop: Drop, margin_m: float) -> mujoco.MjsGeom:
    geom = body.add_geom()
    geom.type, geom.meshname = mujoco.mjtGeom.mjGEOM_MESH, mesh
    geom.friction, geom.solref, geom.margin = [drop.friction, 0.0, 0.0], list(CONTACT), margin_m * UNITS_PER_M
    return geom


def _chutes(spec: mujoco.MjSpec, inside: Interior, top_m: float) -> int:
    """Four frictionless boxes around the inside, from its rim to above the highest start."""
    (x0, y0, z0), (x1, y1, _) = (np.array(corner) * UNITS_PER_M for corner in (inside.low, inside.high))
    height, thick = top_m * UNITS_PER_M + 100.0, 50.0
    middle_x, middle_y = (x0 + x1) / 2, (y0 + y1) / 2
    for centre, half in (
        ((x0 - thick, middle_y), (thick, thick + y1 - y0)),
        ((x1 + thick, middle_y), (thick, thick + y1 - y0)),
        ((middle_x, y0 - thick), (thick + x1 - x0, thick)),
        ((middle_x, y1 + thick), (thick + x1 - x0, thick)),
    ):
        geom = spec.worldbody.add_geom()
        geom.type = mujoco.mjtGeom.mjGEOM_BOX
        geom.pos, geom.size = [*centre, z0 + height / 2], [*half, height / 2]
        geom.friction, geom.solref = [0.0, 0.0, 0.0], list(CONTACT)
    return 4


def _first_speeds(rng: np.random.Generator, count: int, drop: Drop) -> Vec:
    """(count, 6) linear (units/s) and angular (rad/s) velocities."""
    heading = rng.uniform(0, 2 * np.pi, count)
    spin = rng.normal(size=(count, 3))
    spin *= drop.spin_rad_s / np.linalg.norm(spin, axis=1, keepdims=True)
    speed = drop.speed_m_s * UNITS_PER_M
    level = np.column_stack([speed * np.cos(heading), speed * np.sin(heading), np.zeros(count)])
    return np.hstack([level, spin])


def _fall_time(height_m: float, drag_per_s: float) -> float:
    """Seconds in which a thing falls from a height, by bisection: with a drag k it falls g/k · (t − (1 − e^−kt)/k)."""
    low, high = 0.0, 60.0
    for _ in range(40):
        t = (low + high) / 2
        fallen = 4.905 * t**2 if not drag_per_s else 9.81 / drag_per_s * (t + np.expm1(-drag_per_s * t) / drag_per_s)
        low, high = (t, high) if fallen < height_m else (low, t)
    return float(high)


def _drag(model: mujoco.MjModel, slide_per_s: float, turn_per_s: float) -> Vec:
    """(6n,) damping that lets speeds and turns decay at these rates."""
    slide = np.repeat(slide_per_s * model.body_mass[1:, None], 3, axis=1)
    return np.hstack([slide, turn_per_s * model.body_inertia[1:]]).ravel()


#: MuJoCo would write its warnings into a file in the current folder. A step that explodes ends as `Unsettled` anyway.
mujoco.set_mju_user_warning(lambda message: None)


def _run(model: mujoco.MjModel, data: mujoco.MjData, seconds: float) -> None:
    mujoco.mj_step(model, data, nstep=max(1, round(seconds / STEP_S)))


def _watch(model: mujoco.MjModel, data: mujoco.MjData) -> float:
    """How far (metres) the body that moves most gets in `WATCH_S`."""
    before = data.xpos[1:].copy()
    _run(model, data, WATCH_S)
    return float(np.linalg.norm(data.xpos[1:] - before, axis=1).max() / UNITS_PER_M)


def _poses(data: mujoco.MjData, count: int) -> Vec:
    poses = np.tile(np.eye(4), (count, 1, 1))
    state = data.qpos.reshape(count, 7)
    poses[:, :3, 3] = state[:, :3] / UNITS_PER_M
    poses[:, :3, :3] = Rotation.from_quat(state[:, [4, 5, 6, 3]]).as_matrix()
    return poses


def _check_inside(bodies: Sequence[Body], poses: Vec, inside: Interior) -> None:
    """Unsettled when a body's middle is beyond the walls, or a body has got below the floor."""
    low, high = np.array(inside.low), np.array(inside.high)
    for i, (body, pose) in enumerate(zip(bodies, poses, strict=True)):
        at = pose[:3, 3]
        lowest = float((body.mesh.vertices @ pose[2, :3]).min() * body.scale + at[2])
        if (at[:2] < low[:2]).any() or (at[:2] > high[:2]).any() or lowest < low[2] - 2e-3:
            raise Unsettled(
                f"object {i + 1} of {len(bodies)} left its container (it is at {np.round(at, 3).tolist()} m, the "
                f"inside reaches from {inside.low} to {inside.high}): drop fewer or smaller, or take higher walls"
            )
