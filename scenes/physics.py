"""Things dropped into a container, or onto a table, until they lie still: rigid bodies by MuJoCo.

The frame is the container's: metres outside, z up, gravity down. Collisions are between convex pieces that enclose the
meshes (`assets.convex`), which keep a margin from each other, so that soft contacts end at about zero distance.

After a pile has come down, a tenth of its parts still rock or slide, and all others just lie there. So these few are
brought to rest among the others held fixed, which is cheap; then all are let go and watched with nothing but gravity.

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
from .deposit import deposit
from .physics_model import FEW, STEP_S, UNITS_PER_M, Body, Drop, build_model

__all__ = ["STILL_M", "WATCH_S", "drop_again", "settle"]

Vec = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Still is what moves less than this far (metres) in `WATCH_S` (free fall makes 12 mm of it).
STILL_M = 2e-4
WATCH_S = 0.05
#: Rolling resistance: without it a ball that has come down on a level floor would roll for ever.
ROLLING_PER_S = 3.0
#: What lies is held by static friction, which is larger than that of sliding (steel on dry steel: 0.74 beside 0.57).
STICTION = 1.3
#: Passes of MuJoCo's no-slip solver: soft friction lets a whole pile creep at a centimetre per second.
NOSLIP = 4
#: A drag acts for so many seconds at such a rate (per second), then nothing but gravity and contacts while the bodies
#: are watched. A pile whose restless bodies have been calmed needs less of it. After both, what is not held has got as
#: fast: 0.04 s times its acceleration.
CALM, CALM_LATER = (0.1, 20.0), (0.06, 10.0)
#: So often at most, for a pile of more than `FEW` bodies and for less.
ROUNDS, ROUNDS_OF_FEW = 5, 16
#: What moves farther than this (metres) in `WATCH_S` is brought to rest among the others, in so many rounds at most,
#: unless that is more than this share of the pile.
RESTLESS_M = 5e-5
ROUNDS_ALONE = 4
RESTLESS_SHARE = 0.5


@dataclass(frozen=True)
class _World:
    """What a simulation is made from."""

    bodies: Sequence[Body]
    inside: Interior
    drop: Drop


@dataclass(frozen=True)
class _Motion:
    """Bodies in motion: MuJoCo's model and state, and which bodies are free to move."""

    model: mujoco.MjModel
    data: mujoco.MjData
    free: Mask


def settle(rng: np.random.Generator, bodies: Sequence[Body], inside: Interior, drop: Drop) -> tuple[Vec, Vec]:
    """(n, 4, 4) container_T_object of dropped bodies, and how far (n,) each moved in the last `WATCH_S`, metres.

    Raises:
        PlacementError: a body is larger than the inside.
    """
    if not bodies:
        return np.zeros((0, 4, 4)), np.zeros(0)
    world = _World(bodies, inside, drop)
    starts = deposit(rng, [b.mesh.vertices * b.scale for b in bodies], inside, drop.area)
    return _rest(world, _pour(rng, world, starts, np.ones(len(bodies), dtype=bool)), starts)


def drop_again(
    rng: np.random.Generator, bodies: Sequence[Body], inside: Interior, drop: Drop, lying: Vec, again: Mask
) -> tuple[Vec, Vec]:
    """As `settle`, of bodies lying at (n, 4, 4) poses, of which those chosen by `again` are taken out and dropped onto
    the others. These stand fixed meanwhile; then all are let go.
    """
    world = _World(bodies, inside, drop)
    chosen = np.flatnonzero(again)
    clouds = [bodies[i].mesh.vertices * bodies[i].scale for i in chosen]
    starts = lying.copy()
    starts[chosen] = deposit(rng, clouds, inside, drop.area)
    starts[chosen, 2, 3] += max((_top(bodies[i], lying[i]) for i in np.flatnonzero(~again)), default=0.0)
    motion = _pour(rng, world, starts, again)
    poses = _alone(motion, starts)
    return _rest(world, _let_go(world, poses), poses)


def _top(body: Body, pose: Vec) -> float:
    return float((body.mesh.vertices @ pose[2, :3]).max() * body.scale + pose[2, 3])


def _let_go(world: _World, poses: Vec) -> _Motion:
    free = np.ones(len(poses), dtype=bool)
    model, _ = build_model(world.bodies, world.inside, poses, world.drop, free)
    return _Motion(model, mujoco.MjData(model), free)


def _pour(rng: np.random.Generator, world: _World, starts: Vec, free: Mask) -> _Motion:
    """The free bodies fall from their starts, and tumble."""
    top = float(starts[free, 2, 3].max())
    model, chutes = build_model(world.bodies, world.inside, starts, world.drop, free, top)
    motion = _Motion(model, mujoco.MjData(model), free)
    model.dof_damping[:] = _drag(motion, world.drop.drag_per_s, ROLLING_PER_S)
    motion.data.qvel[:] = _first_speeds(rng, int(free.sum()), world.drop).ravel()
    _run(motion, _fall_time(top, world.drop.drag_per_s))
    model.geom_contype[chutes] = model.geom_conaffinity[chutes] = 0  # from here on the real walls are all there is
    _run(motion, world.drop.tumble_s)
    return motion


def _rest(world: _World, motion: _Motion, poses: Vec) -> tuple[Vec, Vec]:
    """Poses of bodies that are all free when they lie still, or when patience ends; and how far each moved last."""
    few = len(world.bodies) <= FEW
    _hold(motion.model)
    moved = _round(motion, CALM)
    for _ in range((ROUNDS_OF_FEW if few else ROUNDS) - 1):
        if (moved <= STILL_M).all():
            break
        restless = ~(moved <= RESTLESS_M)
        alone = not few and restless.mean() <= RESTLESS_SHARE
        if alone:
            poses = _poses(motion, poses)
            model, _ = build_model(world.bodies, world.inside, poses, world.drop, restless)
            calmed = _Motion(model, mujoco.MjData(model), restless)
            _alone(calmed, poses)
            motion.data.qpos.reshape(-1, 7)[restless] = calmed.data.qpos.reshape(-1, 7)
            motion.data.qvel[:] = 0
        moved = _round(motion, CALM_LATER if alone else CALM)
    return _poses(motion, poses), moved


def _alone(motion: _Motion, poses: Vec) -> Vec:
    """Poses after the free bodies, among others that are fixed, have come to rest, or patience has ended."""
    _hold(motion.model)
    for _ in range(ROUNDS_ALONE):
        if (_round(motion, CALM) <= STILL_M / 2).all():
            break
    return _poses(motion, poses)


def _hold(model: mujoco.MjModel) -> None:
    """Static friction from here on."""
    model.opt.noslip_iterations = NOSLIP
    model.geom_friction[:, 0] *= STICTION


def _round(motion: _Motion, calm: tuple[float, float]) -> Vec:
    """Calms bodies by a drag, then lets them be; how far (n,) each got in that time, metres."""
    seconds, drag_per_s = calm
    motion.model.dof_damping[:] = _drag(motion, drag_per_s, drag_per_s)
    _run(motion, seconds)
    motion.model.dof_damping[:] = _drag(motion, 0.0, ROLLING_PER_S)
    before = motion.data.xpos[1:].copy()
    _run(motion, WATCH_S)
    return np.asarray(np.linalg.norm(motion.data.xpos[1:] - before, axis=1) / UNITS_PER_M)


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


def _drag(motion: _Motion, slide_per_s: float, turn_per_s: float) -> Vec:
    """(6m,) damping that lets speeds and turns of the m free bodies decay at these rates."""
    slide = np.repeat(slide_per_s * motion.model.body_mass[1:][motion.free, None], 3, axis=1)
    return np.hstack([slide, turn_per_s * motion.model.body_inertia[1:][motion.free]]).ravel()


#: MuJoCo would write its warnings into a file in the current folder. A step that explodes ends as a body that moves.
mujoco.set_mju_user_warning(lambda message: None)


def _run(motion: _Motion, seconds: float) -> None:
    mujoco.mj_step(motion.model, motion.data, nstep=max(1, round(seconds / STEP_S)))


def _poses(motion: _Motion, fixed: Vec) -> Vec:
    """(n, 4, 4) poses: those of free bodies as they are now, the others as given."""
    poses = fixed.copy()
    state = motion.data.qpos.reshape(-1, 7)
    poses[motion.free, :3, 3] = state[:, :3] / UNITS_PER_M
    poses[motion.free, :3, :3] = Rotation.from_quat(state[:, [4, 5, 6, 3]]).as_matrix()
    return poses
