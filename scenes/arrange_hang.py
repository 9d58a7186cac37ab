"""Things hung on pegs: each with its centre of mass straight below the point where its eye touches the peg.

What an eye is, `assets.shapes.hanging` says. The real meshes touch: a thing starts with the peg in the middle of its
eye and is let down to the last micrometre that does not cut the peg.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import fcl
import numpy as np
import numpy.typing as npt

from ..assets.containers.interior import Hook, Interior
from ..assets.mesh import Mesh
from ..errors import PlacementError
from .penetration import tree
from .placement import Item
from .scene import matrix

__all__ = ["SLIP_DEG", "hang", "upright"]

Vec = npt.NDArray[np.float64]

#: An open eye may rest on the peg this far off its lowest point, held by friction (0.3, dry steel on steel, is 16.7°).
SLIP_DEG = 16.7
#: A peg is narrower than its eye by this much at least, metres.
PLAY_M = 2e-4
#: How far a thing may be turned about the vertical, and how often a turn is drawn for one peg.
TURN_DEG, TURNS = 7.0, 4
#: How often the pegs are dealt; the longest things come first.
DEALS = 10
#: Least distance from the wall, metres.
WALL_M = 5e-4
#: Below the depth at which a round eye of exact radius would touch, the sides of both polygons may let a thing down.
SAG_UM = 200
#: Eyes are wider than their thickness near the rim by a few edges: vertices within so many radii belong to the eye.
EYE = 1.3


@dataclass(frozen=True)
class _Eye:
    """Where and how a thing hangs, at its real size, object frame: middle, up direction (both in x and y), radius."""

    middle: Vec
    up: Vec
    radius: float


def hang(
    deal: np.random.Generator, rngs: Sequence[np.random.Generator], items: Sequence[Item], wall: Mesh, inside: Interior
) -> list[Vec]:
    """(4, 4) wall_T_object of every item, each on a peg of its own.

    Args:
        deal: says which item tries which peg first.
        rngs: one for each item: which side faces the wall, how far from it, how turned.
        wall, inside: the mesh with the pegs and what it offers, in one frame.

    Raises:
        PlacementError: there are fewer pegs than items, an item cannot hang, or there is no room for it.
    """
    if len(items) > len(inside.hooks):
        raise PlacementError(
            f"{len(items)} objects are to hang from {len(inside.hooks)} pegs: lower `objects.count`, or raise "
            "`container.params.hook_columns` or `hook_rows`"
        )
    longest = sorted(range(len(items)), key=lambda k: -round(float(items[k].mesh.extents.max() * items[k].scale), 9))
    eyes = [_eye(item) for item in items]
    for _ in range(DEALS):
        order = [int(k) for k in deal.permutation(len(inside.hooks))]
        around, poses = _Around(wall), dict[int, Vec]()
        for k in longest:
            tries = ((h, _try(rngs[k], items[k], eyes[k], inside.hooks[h], around)) for h in order)
            found = next(((h, pose) for h, pose in tries if pose is not None), None)
            if found is None:
                break
            order.remove(found[0])
            poses[k] = found[1]
            around.add(items[k], found[1])
        if len(poses) == len(items):
            return [poses[k] for k in range(len(items))]
    raise PlacementError(
        f"object {k + 1} ({items[k].name}, an eye of {2e3 * eyes[k].radius:.1f} mm) finds no peg where it hangs free "
        f"of the others, {DEALS} times: lower `objects.count`, or take pegs farther apart, longer or thinner"
    )


def upright(mesh: Mesh, name: str) -> tuple[Vec, float]:
    """(2,) the direction of the object's x-y plane that points up when it hangs, and the radius of its eye, metres.

    A frictionless eye turns until its middle is above the centre of mass. Where an open eye ends before, the thing
    rests on that end, its centre of mass below the contact.

    Raises:
        PlacementError: the mesh has no eye, or would slide off.
    """
    points = {key: np.asarray(p)[:2] for key, p in mesh.keypoints.items()}
    missing = [key for key in ("hang", "hang_rim", "balance") if key not in points]
    if missing:
        raise PlacementError(f"{name} cannot hang: its mesh has no key point {missing[0]!r}; take a hand tool's shape")
    middle, balance = points["hang"], points["balance"]
    radius = float(np.linalg.norm(points["hang_rim"] - middle))
    normal = (middle - balance) / np.linalg.norm(middle - balance)
    if "hang_end" in points:
        normal = _clamped(normal, points["hang_rim"] - middle, points["hang_end"] - middle)
    up = middle + radius * normal - balance
    up /= np.linalg.norm(up)
    slip = float(np.rad2deg(np.arccos(np.clip(up @ normal, -1, 1))))
    if slip > SLIP_DEG:
        raise PlacementError(f"{name} would slide off a peg: its eye is open {slip:.0f}° beside the point to hang from")
    return np.asarray(up), radius


def _clamped(way: Vec, first: Vec, last: Vec) -> Vec:
    """A direction, or the nearer end of the arc from `first` counter-clockwise to `last` where it lies outside it."""
    start, end, at = (float(np.arctan2(v[1], v[0])) for v in (first, last, way))
    span, along = (end - start) % (2 * np.pi), (at - start) % (2 * np.pi)
    if along <= span:
        return way
    nearer = first if 2 * np.pi - along < along - span else last
    return np.asarray(nearer / np.linalg.norm(nearer))


def _eye(item: Item) -> _Eye:
    up, radius = upright(item.mesh, item.name)
    return _Eye(np.asarray(item.mesh.keypoints["hang"]) * item.scale, up, radius * item.scale)


class _Around:
    """What a thing must not cut: the wall with its pegs, and what hangs already."""

    def __init__(self, wall: Mesh) -> None:
        self.fixed = fcl.CollisionObject(tree(wall.vertices, wall.faces), fcl.Transform())
        self.hung: list[fcl.CollisionObject] = []
        self.wall = wall

    def add(self, item: Item, pose: Vec) -> None:
        """One more thing that hangs."""
        self.hung.append(body(item, pose))

    def free(self, thing: fcl.CollisionObject) -> bool:
        """Whether a thing cuts neither the wall nor another thing."""
        return not any(_cut(thing, other) for other in (self.fixed, *self.hung))


def body(item: Item, pose: Vec) -> fcl.CollisionObject:
    """The item's triangles at their size, in a pose."""
    shape = tree(item.mesh.vertices * item.scale, item.mesh.faces)
    return fcl.CollisionObject(shape, fcl.Transform(pose[:3, :3], pose[:3, 3]))


def _cut(one: fcl.CollisionObject, two: fcl.CollisionObject) -> bool:
    return bool(fcl.collide(one, two, fcl.CollisionRequest(), fcl.CollisionResult()))


def _try(rng: np.random.Generator, item: Item, eye: _Eye, hook: Hook, around: _Around) -> Vec | None:
    """A pose on one peg, or None where there is no room."""
    if eye.radius < hook.radius_m + PLAY_M:
        return None
    for turn in range(TURNS):
        side, share, yaw = rng.choice([-1.0, 1.0]), rng.uniform(), np.deg2rad(rng.uniform(-TURN_DEG, TURN_DEG))
        start = _start(item, eye, hook, side, share, yaw if turn < TURNS - 1 else 0.0)
        if start is None:
            continue
        pose = _let_down(item, eye, hook, start, around)
        if pose is not None:
            return pose
    return None


def _start(item: Item, eye: _Eye, hook: Hook, side: float, share: float, yaw: float) -> Vec | None:
    """The peg in the middle of the eye; None where the peg is too short."""
    out, up = np.asarray(hook.out), np.array([0.0, 0.0, 1.0])
    there = np.column_stack([up, np.cross(side * out, up), side * out])
    flat = np.array([*eye.up, 0.0])
    here = np.column_stack([flat, np.cross([0.0, 0.0, 1.0], flat), [0.0, 0.0, 1.0]])
    c, s = np.cos(yaw), np.sin(yaw)
    rotation = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]) @ there @ here.T
    points = item.mesh.vertices * item.scale
    along = points @ rotation.T @ out
    near = np.linalg.norm(points[:, :2] - eye.middle[:2], axis=1) < EYE * eye.radius
    # From the wall to the eye's far end: the peg must be longer.
    room = hook.reach_m - WALL_M - float((along[near].max() if near.any() else along.max()) - along.min())
    if room < 0:
        return None
    pose = np.eye(4)
    pose[:3, :3] = rotation
    axis = np.asarray(hook.point) - hook.radius_m * up
    at = axis - rotation @ eye.middle
    at += out * (WALL_M + share * room - float(along.min()) + float((axis - at) @ out))
    pose[:3, 3] = at
    return np.asarray(matrix(pose))


def _let_down(item: Item, eye: _Eye, hook: Hook, start: Vec, around: _Around) -> Vec | None:
    """The pose in which the eye rests on the peg: the lowest, in whole micrometres, that cuts nothing."""
    thing = body(item, start)

    def lowered(um: int) -> fcl.CollisionObject:
        thing.setTranslation(start[:3, 3] - [0.0, 0.0, um * 1e-6])
        return thing

    free, cut = 0, int((eye.radius - hook.radius_m) / np.cos(np.deg2rad(SLIP_DEG)) * 1e6) + SAG_UM
    if not around.free(lowered(free)) or not _cut(lowered(cut), around.fixed):
        return None
    while cut - free > 1:
        middle = (free + cut) // 2
        free, cut = (free, middle) if _cut(lowered(middle), around.fixed) else (middle, cut)
    pose = start.copy()
    pose[2, 3] -= free * 1e-6
    # What it touches must be the peg, not another one or the wall.
    low = float((item.mesh.vertices @ pose[2, :3]).min() * item.scale + pose[2, 3])
    if low < WALL_M or not around.free(lowered(free)) or not _cut(lowered(cut), _peg(around.wall, hook)):
        return None
    return np.asarray(matrix(pose))


def _peg(wall: Mesh, hook: Hook) -> fcl.CollisionObject:
    """The triangles of one peg: those along its axis."""
    away = wall.vertices - (np.asarray(hook.point) - [0.0, 0.0, hook.radius_m])
    away = away - np.outer(away @ np.asarray(hook.out), hook.out)
    near = np.linalg.norm(away, axis=1) < 1.01 * hook.radius_m
    return fcl.CollisionObject(tree(wall.vertices, wall.faces[near[wall.faces].all(axis=1)]), fcl.Transform())
