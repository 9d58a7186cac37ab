"""Things as MuJoCo's rigid bodies: convex pieces that enclose their meshes, free to move or fixed where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from ..assets.containers.interior import Interior
from ..assets.convex import coarse_pieces, convex_pieces
from ..assets.mesh import Mesh

__all__ = ["FEW", "GRAVITY", "HULL_CORNERS", "STEP_S", "UNITS_PER_M", "Body", "Drop", "build_model"]

Vec = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: MuJoCo's lengths are centimetres here: its tolerances are made for bodies of about one unit.
UNITS_PER_M = 100.0
GRAVITY = 9.81 * UNITS_PER_M
STEP_S = 0.002
#: Half the distance from which on contacts act. What a pile's weight presses in (measured: below 0.08 mm) is less.
MARGIN_M = 1.5e-4
#: The same of few bodies, which nothing presses: a gap that no camera sees.
CLOSE_M = 1e-5
#: In a pile of more than `FEW` bodies a piece keeps so many corners. Where others lie outside of their hull, contacts
#: act from that much farther on, and `PRESS_M` more. A few dice on a table keep all, so that their faces are flat.
HULL_CORNERS, FEW = 64, 40
PRESS_M = 5e-5
#: Time constant and damping ratio of contacts: two steps, which is the stiffest that integrates well.
CONTACT = (2 * STEP_S, 1.0)


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


def build_model(
    bodies: Sequence[Body], inside: Interior, poses: Vec, drop: Drop, free: Mask, chute_m: float | None = None
) -> tuple[mujoco.MjModel, npt.NDArray[np.int64]]:
    """The model of bodies at (n, 4, 4) poses, and which of its geoms are chutes.

    Bodies that are not `free` stand still, as the container does. Chutes are walls up to above a height `chute_m` that
    keep what falls above the inside; None: there are none.
    """
    spec = mujoco.MjSpec()
    spec.option.timestep, spec.option.gravity = STEP_S, [0, 0, -GRAVITY]
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.iterations, spec.option.ls_iterations, spec.option.tolerance = 20, 10, 1e-6
    margin = MARGIN_M if len(bodies) > FEW else CLOSE_M
    for k, piece in enumerate(inside.pieces):
        _hull(spec, f"fixed {k}", piece)
        _geom(spec.worldbody, f"fixed {k}", drop, margin)
    chutes = 0 if chute_m is None else _chutes(spec, inside, chute_m)
    names: dict[tuple[bytes, float], list[tuple[str, float]]] = {}
    for i, body in enumerate(bodies):
        key = (body.mesh.exact, body.scale)
        if key not in names:
            names[key] = _hulls(spec, body, f"mesh {len(names)}", len(bodies) > FEW)
        part = spec.worldbody.add_body()
        part.pos = poses[i, :3, 3] * UNITS_PER_M
        part.quat = np.roll(Rotation.from_matrix(poses[i, :3, :3]).as_quat(), 1)
        if free[i]:
            part.add_freejoint()
        for name, needed in names[key]:
            _geom(part, name, drop, max(margin, needed)).density = body.density * 1e-3  # grams per cubic centimetre
    model = spec.compile()
    first = len(inside.pieces)
    return model, np.arange(first, first + chutes)


def _hulls(spec: mujoco.MjSpec, body: Body, name: str, many: bool) -> list[tuple[str, float]]:
    """Adds a body's pieces; their names, and the margin (metres) with which each encloses its part of the mesh."""
    coarse = coarse_pieces(body.mesh, HULL_CORNERS) if many else [(piece, 0.0) for piece in convex_pieces(body.mesh)]
    hulls = []
    for k, (piece, outside) in enumerate(coarse):
        _hull(spec, f"{name} {k}", piece * body.scale)
        hulls.append((f"{name} {k}", outside * body.scale + PRESS_M if outside else 0.0))
    return hulls


def _hull(spec: mujoco.MjSpec, name: str, corners: Vec) -> None:
    mesh = spec.add_mesh()
    mesh.name, mesh.uservert = name, (corners * UNITS_PER_M).ravel()


def _geom(body: mujoco.MjsBody, mesh: str, drop: Drop, margin_m: float) -> mujoco.MjsGeom:
    geom = body.add_geom()
    geom.type, geom.meshname = mujoco.mjtGeom.mjGEOM_MESH, mesh
    geom.friction, geom.solref, geom.margin = [drop.friction, 0.0, 0.0], list(CONTACT), margin_m * UNITS_PER_M
    return geom


def _chutes(spec: mujoco.MjSpec, inside: Interior, top_m: float) -> int:
    """Four frictionless boxes around the inside, from its floor to above the highest start."""
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
