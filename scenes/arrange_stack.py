"""Things on things: stacks, and large things that carry small ones. Each group then goes to its place as one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ..assets.mesh import Mesh
from ..errors import PlacementError
from .placement import Item
from .standing import TOUCH_M, Standing, balanced_on, standing

__all__ = ["Group", "carry", "group_item", "stack"]

Vec = npt.NDArray[np.float64]

#: Positions of things and their (4, 4) poses in the frame of their group, which stands on z = 0; the lowest is first.
Group = list[tuple[int, Vec]]

#: A thing is turned against the one below by so much at most, radians, and stands so far beside its middle, as a share
#: of the smaller side of the two outlines. Each try to put it there comes closer to the middle.
TURN, SLIP, TRIES = 0.2, 0.25, 6


def stack(rngs: Sequence[np.random.Generator], items: Sequence[Item], most: int) -> list[Group]:
    """Stacks of at most `most` things, wide ones below; a thing that stays on no stack begins another.

    Every thing must stay on what is below it, with all that it carries, and so must all below (`balanced_on`).
    """
    things = [standing(rng, item) for rng, item in zip(rngs, items, strict=True)]
    stacks: list[list[tuple[int, Standing]]] = []
    wanted = -(-len(items) // most)
    for k in _widest_first(things):
        whole = None
        # The lowest first, so that all grow alike, and as many as are wanted before the first grows.
        for pile in sorted(stacks, key=len) if len(stacks) >= wanted else ():
            whole = _put_on(rngs[k], things[k], [t for _, t in pile]) if len(pile) < most else None
            if whole is not None:
                pile.append((k, whole))
                break
        if whole is None:
            stacks.append([(k, things[k])])
    return [[(k, thing.pose) for k, thing in pile] for pile in stacks]


def _put_on(rng: np.random.Generator, upper: Standing, below: Sequence[Standing]) -> Standing | None:
    """The thing on the top of a stack, where the whole stack stays; None when it would not."""
    last = below[-1]
    if last.top.is_empty or upper.bottom.is_empty:
        return None
    middle = np.array([last.top.centroid.x, last.top.centroid.y])
    reach = SLIP * min(_width(last), _width(upper))
    for left in range(TRIES, 0, -1):
        slip = rng.uniform(-1, 1, 2) * reach * (left - 1) / TRIES
        put = upper.moved(rng.uniform(-TURN, TURN), np.array([*(middle + slip), last.z + last.height + TOUCH_M]))
        whole = (*below, put)
        if all(balanced_on(a.top, b, whole[i + 2 :]) for i, (a, b) in enumerate(pairwise(whole))):
            return put
    return None


def carry(
    rngs: Sequence[np.random.Generator], items: Sequence[Item], carriers: int, gap_m: float, attempts: int
) -> list[Group]:
    """Groups of one of the `carriers` widest things and what lies on its flat top, as evenly as they have room.

    What is carried lies at least `gap_m` from the others on the same carrier, by their outlines.

    Raises:
        PlacementError: a thing finds no room on any carrier.
    """
    things = [standing(rng, item) for rng, item in zip(rngs, items, strict=True)]
    order = _widest_first(things)
    groups = [[(k, things[k])] for k in order[:carriers]]
    for k in order[carriers:]:
        if things[k].bottom.is_empty:
            raise PlacementError(
                f"{items[k].name} has no level face to lie on where it lies now, so nothing can carry it: give it "
                "`pose: stable` or `upright`, or leave it out"
            )
        for group in sorted(groups, key=len):
            put = _lay_on(rngs[k], things[k], group[0][1], [t for _, t in group[1:]], gap_m, attempts)
            if put is not None:
                group.append((k, put))
                break
        else:
            raise PlacementError(
                f"{items[k].name} finds no room on the flat tops of {', '.join(items[g[0][0]].name for g in groups)} "
                f"in {attempts} attempts each: lower the count, raise placement.carriers, or add a wide thing with a "
                "level top, as a box or a book"
            )
    return [[(k, thing.pose) for k, thing in group] for group in groups]


def _lay_on(
    rng: np.random.Generator, thing: Standing, carrier: Standing, others: Sequence[Standing], gap_m: float,
    attempts: int,
) -> Standing | None:  # fmt: skip
    if carrier.top.is_empty or thing.bottom.is_empty or carrier.top.area < thing.bottom.area:
        return None
    x0, y0, x1, y1 = carrier.top.bounds
    for _ in range(attempts):
        at = np.array([rng.uniform(x0, x1), rng.uniform(y0, y1), carrier.z + carrier.height + TOUCH_M])
        put = thing.moved(rng.uniform(0, 2 * np.pi), at)
        if all(put.outline.distance(o.outline) >= gap_m for o in others) and balanced_on(carrier.top, put):
            return put
    return None


def _widest_first(things: Sequence[Standing]) -> list[int]:
    """Positions by the area of the flat top, what has none last; equal ones by their outline, then in their order."""
    return sorted(
        range(len(things)), key=lambda k: (-round(things[k].top.area, 9), -round(things[k].outline.area, 9), k)
    )


def _width(thing: Standing) -> float:
    x0, y0, x1, y1 = thing.outline.bounds
    return float(min(x1 - x0, y1 - y0))


def group_item(group: Group, items: Sequence[Item]) -> Item:
    """A group as one thing, to be placed as it stands."""
    points, faces, count = [], [], 0
    for k, pose in group:
        mesh = items[k].mesh
        points.append(mesh.vertices * items[k].scale @ pose[:3, :3].T + pose[:3, 3])
        faces.append(mesh.faces + count)
        count += len(mesh.vertices)
    whole = np.vstack(faces).astype(np.int32)
    mesh = Mesh(np.vstack(points), whole, np.zeros(len(whole), np.uint8))
    name = items[group[0][0]].name
    return Item(mesh, 1.0, name if len(group) == 1 else f"{len(group)} things on each other, {name} below", "upright")
