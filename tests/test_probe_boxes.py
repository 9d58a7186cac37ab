"""Which parts of a picture are looked at for what a defect changes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from scenewright.render import probe_boxes
from scenewright.render.probe_boxes import LEAST_PX, MARGIN, PATTERNS, RENDER_PX, SHARE, boxes, merged
from scenewright.scenes.build import meshes_of
from scenewright.scenes.defect_rays import defect_bits
from scenewright.scenes.rays import cast
from scenewright.scenes.scene import Scene

from .marred import on_top, panel

SAMPLES = 16


def looked_at(scene: Scene) -> tuple[list[probe_boxes.Box], npt.NDArray[np.uint32]]:
    """The boxes of a scene, and (h, w) where its defects are."""
    meshes = meshes_of(scene)
    rays = cast(scene, meshes, triangles=True)
    bits = defect_bits(scene, meshes, rays)
    return boxes(scene, rays.ids, bits, SAMPLES), bits


def test_a_small_defect_is_looked_at_as_a_whole_with_what_a_filter_reaches() -> None:
    """No pixel that a small defect can change is left out."""
    ((x0, y0, x1, y1),), bits = looked_at(on_top(panel("cycles", (320, 240)), "stain", 0.05))
    rows, columns = np.nonzero(bits)
    assert (x0, y0) == (columns.min() - MARGIN, rows.min() - MARGIN)
    assert (x1, y1) == (columns.max() + 1 + MARGIN, rows.max() + 1 + MARGIN)


def test_a_large_defect_is_looked_at_in_part_and_costs_its_share_at_most() -> None:
    """What is looked at of a large defect holds a pixel of it, and its samples are a small share of the picture's."""
    scene = on_top(panel("cycles", (320, 240)), "stain", 1.0)
    ((x0, y0, x1, y1),), bits = looked_at(scene)
    assert bits[y0:y1, x0:x1].any()
    assert np.count_nonzero(bits) > (x1 - x0) * (y1 - y0)
    side = max(LEAST_PX, int((SHARE * scene.render.samples * 320 * 240 / PATTERNS / SAMPLES) ** 0.5))
    assert x1 - x0 <= side
    assert y1 - y0 <= side


@pytest.mark.parametrize(("gap", "count"), [(5, 1), (400, 2)])
def test_boxes_become_one_where_that_is_cheaper_than_another_render(gap: int, count: int) -> None:
    """Neighbours share a render, for most of what a small one costs is its start; boxes far apart do not."""
    both = [(0, 0, 40, 40), (40 + gap, 0, 80 + gap, 40)]
    found = merged(both)
    assert len(found) == count
    assert gap * 40 <= RENDER_PX or count == 2
    for x0, y0, x1, y1 in both:
        assert any(a <= x0 and b <= y0 and c >= x1 and d >= y1 for a, b, c, d in found)


def test_a_chain_of_boxes_becomes_one() -> None:
    """A box that lies between two makes them neighbours."""
    assert merged([(0, 0, 30, 30), (90, 0, 120, 30), (45, 0, 75, 30)]) == [(0, 0, 120, 30)]
