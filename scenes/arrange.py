"""Where the drawn objects of an image go: one function for each placement mode of a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..errors import PlacementError
from .arrange_fly import Sky, fly
from .arrange_hang import hang
from .arrange_pile import DROPS, pile, table
from .arrange_rows import grid, shelve
from .arrange_stack import carry, group_item, stack
from .build import scene_mesh
from .physics_model import Body
from .placement import Area, Item, Placer
from .recipe import PlacementSpec
from .rules import ImageDraws, room_for_objects
from .sample_camera import camera
from .sample_container import PlacedContainer
from .scene import Draw
from .streams import stream

__all__ = ["Placing", "arrange"]

Pose = npt.NDArray[np.float64]


class Placing:
    """One object that wants a place: what it is, its own generator, and whether it is only a distractor."""

    def __init__(self, item: Item, rng: np.random.Generator, distractor: bool) -> None:
        self.item, self.rng, self.distractor = item, rng, distractor

    @property
    def bulk(self) -> float:
        """Volume of the object's box, m³."""
        return float(np.prod(self.item.mesh.extents)) * self.item.scale**3


def arrange(
    spec: PlacementSpec, draw: ImageDraws, things: Sequence[Placing], inside: PlacedContainer | None
) -> list[Pose]:
    """(4, 4) world_T_object of every thing, in their order.

    Raises:
        PlacementError: they do not fit.
    """
    in_air = [spec.mode == "fly" or (t.distractor and spec.distractors == "fly") for t in things]
    below = [t for t, flies in zip(things, in_air, strict=True) if not flies]
    low = _arrange(spec, draw, below, inside) if below else []
    high = _fly(spec, draw, [t for t, flies in zip(things, in_air, strict=True) if flies], (below, low), inside)
    return [(high if flies else low).pop(0) for flies in in_air]


def _arrange(
    spec: PlacementSpec, draw: ImageDraws, things: Sequence[Placing], inside: PlacedContainer | None
) -> list[Pose]:
    if spec.mode in DROPS:
        return _drop(spec, draw, things, inside)
    if spec.mode == "grid":
        return _grid(spec, draw, things, inside)
    if spec.mode == "shelve":
        return _shelve(spec, things, inside)
    if spec.mode == "hang":
        return _hang(draw, things, inside)
    if spec.mode in ("stack", "on_top"):
        return _groups(spec, draw, things, inside)
    return _scatter(spec, draw, things, inside)


def _groups(
    spec: PlacementSpec, draw: ImageDraws, things: Sequence[Placing], inside: PlacedContainer | None
) -> list[Pose]:
    """Things on each other, and these groups scattered."""
    rngs, items = [t.rng for t in things], [t.item for t in things]
    if spec.mode == "stack":
        groups = stack(rngs, items, round(draw("placement.stack_height")))
    else:
        groups = carry(rngs, items, round(draw("placement.carriers")), spec.gap, spec.attempts)
    wholes = [Placing(group_item(g, items), rngs[g[0][0]], things[g[0][0]].distractor) for g in groups]
    room = np.inf if inside is None else inside.interior.levels[0].clearance_m
    for whole in wholes:
        if whole.item.mesh.extents[2] > room:
            raise PlacementError(
                f"{whole.item.name}: {whole.item.mesh.extents[2] * 1e3:.0f} mm high under a board at "
                f"{room * 1e3:.0f} mm: lower placement.stack_height, or take a shelf with a larger spacing_m"
            )
    places = _scatter(spec, draw, wholes, inside)
    poses = {k: place @ pose for place, group in zip(places, groups, strict=True) for k, pose in group}
    return [poses[k] for k in range(len(things))]


def _fly(
    spec: PlacementSpec, draw: ImageDraws, things: Sequence[Placing], below: tuple[Sequence[Placing], Sequence[Pose]],
    inside: PlacedContainer | None,
) -> list[Pose]:  # fmt: skip
    """Poses of things in the air, clear of the container and of those `below`, which have their poses already."""
    if not things:
        return []
    boxes = [_box(t.item.mesh.vertices * t.item.scale, pose) for t, pose in zip(*below, strict=True)]
    if inside is not None:
        boxes.append(_box(scene_mesh(inside.fixture.mesh).vertices, inside.pose))
    eye = np.linalg.inv(camera(draw.recipe, draw).extrinsics)[:3, 3]
    area = (draw("placement.area.0"), draw("placement.area.1"))
    sky = Sky(area, eye, spec.air, spec.attempts, boxes)
    return fly([t.rng for t in things], [t.item for t in things], sky, spec.gap)


def _box(points: npt.NDArray[np.float64], pose: Pose) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    world = points @ pose[:3, :3].T + pose[:3, 3]
    return world.min(axis=0), world.max(axis=0)


def _hang(draw: ImageDraws, things: Sequence[Placing], inside: PlacedContainer | None) -> list[Pose]:
    if inside is None or not inside.interior.hooks:
        raise PlacementError("`mode: hang` needs pegs to hang from: add `container: {kind: pegboard}`")
    deal = stream(draw.seed, draw.index, draw.named("placement.hang"))
    wall = scene_mesh(inside.fixture.mesh)
    poses = hang(deal, [t.rng for t in things], [t.item for t in things], wall, inside.interior)
    return [inside.pose @ pose for pose in poses]


def _grid(
    spec: PlacementSpec, draw: ImageDraws, things: Sequence[Placing], inside: PlacedContainer | None
) -> list[Pose]:
    deal = stream(draw.seed, draw.index, draw.named("placement.grid"))
    ground = np.eye(4) if inside is None else inside.pose
    rngs, items = [t.rng for t in things], [t.item for t in things]
    return [ground @ pose for pose in grid(deal, rngs, items, _area(draw, inside), spec.gap)]


def _shelve(spec: PlacementSpec, things: Sequence[Placing], inside: PlacedContainer | None) -> list[Pose]:
    if inside is None or not inside.interior.levels:
        raise PlacementError("`mode: shelve` needs boards to stand on: add `container: {kind: shelf}`")
    poses = shelve([t.rng for t in things], [t.item for t in things], inside.interior.levels, spec.gap)
    return [inside.pose @ pose for pose in poses]


def _drop(
    spec: PlacementSpec, draw: ImageDraws, things: Sequence[Placing], inside: PlacedContainer | None
) -> list[Pose]:
    bodies = [Body(t.item.mesh, t.item.scale, tops=t.item.tops) for t in things]
    area = _area(draw, inside)
    where = inside or table((draw("surface.size.0"), draw("surface.size.1")), area)
    name = draw.named("placement.drop")
    made = pile(draw.seed, draw.index, name, bodies, replace(DROPS[spec.mode], area=area), where)
    draw.draws["placement.redraws"] = Draw(value=made.redraws)
    draw.draws["placement.dropped_again"] = Draw(value=made.dropped_again)
    return made.poses


def _scatter(
    spec: PlacementSpec, draw: ImageDraws, things: Sequence[Placing], inside: PlacedContainer | None
) -> list[Pose]:
    size = _area(draw, inside)
    walls = None if inside is None else _floor(inside)
    placer = Placer(Area(size, spec.density, spec.gap, spec.attempts, walls))
    ground = np.eye(4) if inside is None else inside.pose
    poses: dict[int, Pose] = {}
    # Large objects first: small ones still find room between them, the other way round they often would not.
    # Distractors last: they never move a labelled object.
    for k in sorted(range(len(things)), key=lambda k: (things[k].distractor, -things[k].bulk)):
        poses[k] = ground @ placer.place(things[k].rng, things[k].item)
    return [poses[k] for k in range(len(things))]


def _area(draw: ImageDraws, inside: PlacedContainer | None) -> tuple[float, float]:
    """Size of the area for object centres: the recipe's, and at most the container's floor."""
    area: tuple[float, float] = draw("placement.area.0"), draw("placement.area.1")
    if inside is None:
        for axis in (0, 1):
            room_for_objects(axis, area[axis], draw(f"surface.size.{axis}"))
        return area
    floor = _floor(inside)
    return min(area[0], floor[0]), min(area[1], floor[1])


def _floor(inside: PlacedContainer) -> tuple[float, float]:
    """Size of the container's floor, metres."""
    level = inside.interior.levels[0]
    return 2 * min(-level.low[0], level.high[0]), 2 * min(-level.low[1], level.high[1])
