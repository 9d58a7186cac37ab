"""Stereo pairs: the two images of one scene, joined by their disparity."""

from __future__ import annotations

import numpy as np

from scenewright.scenes.rays import cast
from scenewright.scenes.sample_camera import right_view

from .closed_forms import layout, odd_camera, scene_of

BASELINE_M = 0.03


def test_disparity_joins_the_ids_of_both_views() -> None:
    """A pixel of the left image, fx · baseline / depth farther left in the right one, shows the same id and depth.

    Only what is hidden or outside on the right, and pixels on edges, may differ.
    """
    scene, meshes = scene_of(layout(1), odd_camera())
    camera = scene.camera
    left, right = cast(scene, meshes), cast(scene.replace(camera=right_view(camera, BASELINE_M)), meshes)
    v, u = np.nonzero(left.ids)
    depth = left.depth_m[v, u].astype(np.float64)
    at = np.floor(u + 0.5 - camera.fx * BASELINE_M / depth).astype(int)
    inside = at >= 0
    u, v, at, depth = u[inside], v[inside], at[inside], depth[inside]
    hidden = right.depth_m[v, at] < depth - 0.002  # something nearer covers it there
    assert (~hidden).sum() > 8000
    assert (right.ids[v, at] == left.ids[v, u])[~hidden].mean() > 0.97
    assert (right.ids[v, u] == left.ids[v, u]).mean() < 0.8  # without disparity they do not join
    assert np.median(np.abs(right.depth_m[v, at] - depth)[~hidden]) < 2e-4
