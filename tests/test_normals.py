"""Surface normals against closed forms, and what their PNG gives back."""

from __future__ import annotations

import numpy as np
import pytest

from scenewright.scenes.cameras import pixel_directions
from scenewright.scenes.ray_normals import ray_normals
from scenewright.scenes.rays import cast

from .closed_forms import first, grid, layout, odd_camera, safe_ids, scene_of


@pytest.mark.parametrize("seed", [0, 1])
def test_ray_normals_against_closed_forms(seed: int) -> None:
    """On spheres, boxes and cylinders the ray engine's normals are the bodies' own, to the width of a facet."""
    bodies, camera = layout(seed), odd_camera()
    scene, meshes = scene_of(bodies, camera)
    view = cast(scene, meshes, triangles=True)
    found = ray_normals(scene, meshes, view)
    ids, safe = safe_ids(bodies, camera, clear_px=0.6)
    _, depth = first(bodies, camera, *grid(camera))
    world = (
        pixel_directions(camera) * np.where(ids > 0, depth, 0)[..., None] - camera.extrinsics[:3, 3]
    ) @ camera.extrinsics[:3, :3]
    checked = 0
    for item, body in zip(scene.objects, bodies, strict=True):
        there = safe & (ids == item.id)
        if not there.any():
            continue
        own = (world[there] - body.pose[:3, 3]) @ body.pose[:3, :3] / body.scale
        if body.kind == "sphere":
            normal = own
        elif body.kind == "box":
            side = own / (np.array(body.size) / 2)
            k = np.abs(side).argmax(axis=1)
            normal = np.eye(3)[k] * np.sign(side[np.arange(len(k)), k])[:, None]
        else:
            cap = np.abs(own[:, 2]) > body.size[1] / 2 * (1 - 1e-6)
            normal = np.where(cap[:, None], own * [0, 0, 1], own * [1, 1, 0])
        expected = normal / np.linalg.norm(normal, axis=1, keepdims=True) @ body.pose[:3, :3].T
        cosine = np.einsum("nk,nk->n", expected @ camera.extrinsics[:3, :3].T, found[there])
        # A sphere's facets are 0.02 rad wide; a cylinder's edge may lie inside the safe area.
        assert np.quantile(cosine, 0.01) > np.cos(0.02), (body.kind, cosine.min())
        checked += 1
    assert checked >= 4
    np.testing.assert_allclose(np.linalg.norm(found[view.ids > 0], axis=1), 1, atol=1e-6)
    assert (found[view.ids == 0] == 0).all()


def test_normals_need_triangles() -> None:
    """A view that did not keep its triangles has no normals to give."""
    scene, meshes = scene_of(layout(0)[:1], odd_camera())
    with pytest.raises(ValueError, match="triangles"):
        ray_normals(scene, meshes, cast(scene, meshes))
