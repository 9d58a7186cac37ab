"""Normals, object coordinates and flow of Cycles' frames, against the ray engine and by warping."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from scipy import ndimage

from scenewright.render import nocs
from scenewright.render.flow import flow
from scenewright.render.geometry import points
from scenewright.scenes.build import meshes_of
from scenewright.scenes.cameras import image
from scenewright.scenes.ids import join_ids
from scenewright.scenes.lenses import BrownConrady
from scenewright.scenes.motion import scene_after
from scenewright.scenes.ray_normals import ray_normals
from scenewright.scenes.rays import cast
from scenewright.scenes.scene import RenderSettings

from .test_engines import Cycles, hardware, process
from .test_flow import STEP_S, moving, warped

pytestmark = pytest.mark.render


@pytest.fixture(scope="module")
def cycles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cycles]:
    with process(tmp_path_factory.mktemp("frames"), threads=1) as shoot:
        yield shoot


@pytest.mark.parametrize("lens", [None, BrownConrady(k1=-0.2, p1=0.01)], ids=["pinhole", "lens"])
def test_normals_and_object_coordinates_of_both_engines(cycles: Cycles, lens: Any) -> None:
    """Cycles' normals are those of the triangles that rays meet, and NOCS from its depth lead back to the pixel.

    The label render samples within 0.01 px, so it meets a neighbouring facet now and then.
    """
    scene = hardware(1, "outputs=[normals, nocs]")
    scene = scene.replace(camera=scene.camera.model_copy(update={"lens": lens}))
    meshes = meshes_of(scene)
    frame, rays = cycles(scene), cast(scene, meshes, triangles=True)
    assert frame.normals is not None
    same = (frame.ids == rays.ids) & (frame.stuff == rays.stuff)
    things = same & (rays.ids > 0)
    assert things.sum() > 2000
    angle = np.degrees(np.arccos(np.einsum("hwk,hwk->hw", frame.normals, ray_normals(scene, meshes, rays)).clip(-1, 1)))
    assert np.quantile(angle[things], 0.97) < 0.2 and np.quantile(angle[same & (rays.stuff == 1)], 0.999) < 0.1
    assert (frame.normals[join_ids(frame.ids, frame.stuff) == 0] == 0).all()
    found = nocs.nocs(scene, meshes, frame.ids, points(scene.camera, frame.depth_m)).astype(np.float64)
    for item in scene.objects:
        rows, columns = np.nonzero(frame.ids == item.id)
        pose, size = scene.camera.extrinsics @ item.pose, meshes[item.id].extents * item.scale
        at = (found[rows, columns] - 0.5) * size @ pose[:3, :3].T + pose[:3, 3]
        off = np.abs(image(scene.camera, at) - np.column_stack([columns, rows]) - 0.5).max(axis=1, initial=0)
        depth = np.abs(at[:, 2] - rays.depth_m[rows, columns])[same[rows, columns]]
        assert (off < 1e-3).mean() > 0.99 if len(off) else True  # a point off the box's side was moved onto it
        assert np.quantile(depth, 0.9) < 1e-5 if len(depth) else True


def test_a_rendered_frame_warped_by_the_flow_is_this_frame(cycles: Cycles) -> None:
    """The photograph of the next moment, warped back, shows this moment's texture where the points are seen in both."""
    scene = moving(1, render={"size": [160, 120]}, surface={"materials": "wood"})
    scene = scene.replace(render=RenderSettings(preset="test", samples=64, denoise=True))
    other = scene_after(scene, STEP_S)
    meshes = meshes_of(scene)
    frame, after = cycles(scene), cycles(other)
    raw = join_ids(frame.ids, frame.stuff)
    field, both = flow(scene, meshes, raw, frame.depth_m, STEP_S)
    # The table alone: what moves on it changes its shade, and edges mix. Its shadows move, so a median is compared.
    table = ndimage.binary_erosion(both & (raw == 32001), iterations=3)
    here, there = (cv2.cvtColor(f.rgb, cv2.COLOR_RGB2GRAY).astype(np.float64) for f in (frame, after))
    matched, unmoved = np.abs(warped(there, field) - here)[table], np.abs(there - here)[table]
    assert table.sum() > 5000
    assert np.median(matched) < 4 and np.median(matched) < 0.6 * np.median(unmoved), (
        np.median(matched),
        np.median(unmoved),
    )
