"""Which parts of a picture are looked at for what a defect changes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from scenewright.render.probe_boxes import FILLS, LEAST_PX, MARGIN, PATTERNS, RENDER_PX, SHARE, Box, boxes, merged
from scenewright.scenes.build import meshes_of
from scenewright.scenes.defect_rays import defect_bits
from scenewright.scenes.rays import cast
from scenewright.scenes.scene import Scene

from .marred import on_top, panel

SAMPLES = 16


def looked_at(scene: Scene) -> tuple[list[Box], npt.NDArray[np.uint32]]:
    """The boxes of a scene, and (h, w) where its defects are."""
    meshes = meshes_of(scene)
    rays = cast(scene, meshes, triangles=True)
    bits = defect_bits(scene, meshes, rays)
    return boxes(scene, rays.ids, bits, SAMPLES), bits


def test_a_small_defect_is_looked_at_as_a_whole_with_what_a_filter_reaches() -> None:
    """No pixel that a small defect can change is left out."""
    (box,), bits = looked_at(on_top(panel("cycles", (320, 240)), "stain", 0.05))
    rows, columns = np.nonzero(bits)
    top, left = rows.min() - MARGIN, columns.min() - MARGIN
    assert box == Box(left, top, columns.max() + 1 + MARGIN, rows.max() + 1 + MARGIN, step=1)


@pytest.mark.parametrize(("kind", "is_area"), [("stain", True), ("scratch", False)])
def test_a_large_area_is_looked_at_in_wider_pixels_and_of_a_line_a_part(kind: str, is_area: bool) -> None:
    """Of a large defect no more pixels are rendered than the share allows; a line is not made paler by wider ones."""
    scene = on_top(panel("cycles", (320, 240)), kind, 1.0)
    (box,), bits = looked_at(scene)
    inside, count = np.count_nonzero(bits[box.y0 : box.y1, box.x0 : box.x1]), np.count_nonzero(bits)
    most = max(LEAST_PX**2, SHARE * scene.render.samples * 320 * 240 / PATTERNS / SAMPLES)
    assert box.area / box.step**2 <= most
    if is_area:
        assert (inside, box.step > 1) == (count, True)
        assert count >= FILLS * box.area
    else:
        assert (0 < inside < count, box.step) == (True, 1)


@pytest.mark.parametrize(("gap", "count"), [(5, 1), (400, 2)])
def test_boxes_become_one_where_that_is_cheaper_than_another_render(gap: int, count: int) -> None:
    """Neighbours share a render, for most of what a small one costs is its start; boxes far apart do not."""
    both = [Box(0, 0, 40, 40), Box(40 + gap, 0, 80 + gap, 40)]
    found = merged(both)
    assert len(found) == count
    assert gap * 40 <= RENDER_PX or count == 2
    for one in both:
        assert any(
            box.x0 <= one.x0 and box.y0 <= one.y0 and box.x1 >= one.x1 and box.y1 >= one.y1 for box in found
        )  # fmt: skip


def test_a_chain_of_boxes_becomes_one() -> None:
    """A box that lies between two makes them neighbours."""
    assert merged([Box(0, 0, 30, 30), Box(90, 0, 120, 30), Box(45, 0, 75, 30)]) == [Box(0, 0, 120, 30)]


def test_what_is_looked_at_in_wider_pixels_shares_no_render() -> None:
    """A small defect beside a large area is not looked at in the area's wider pixels."""
    both = [Box(0, 0, 100, 100, step=3), Box(20, 20, 40, 40)]
    assert merged(both) == both
