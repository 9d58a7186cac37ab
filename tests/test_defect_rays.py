"""What defects have cost, by the ray engine."""

from __future__ import annotations

import numpy as np

from scenewright.scenes.build import meshes_of
from scenewright.scenes.defect_rays import absent
from scenewright.scenes.rays import cast
from scenewright.scenes.scene import Scene, matrix

from .marred import on_top, panel


def behind_a_warped_one() -> Scene:
    """A dented panel behind one that is warped, and so hides more of the first than it should."""
    one = panel(size=(192, 144), elevation_deg=18, distance=0.3)
    (back,) = one.objects
    centre = np.linalg.inv(one.camera.extrinsics)[:2, 3]
    toward = centre / np.linalg.norm(centre)
    pose = back.pose.copy()
    pose[:3, 3] += [*(0.09 * toward), 0.0]
    front = back.model_copy(update={"id": 2, "pose": matrix(pose)})
    warped = on_top(one.model_copy(update={"objects": (front, back)}), "warped", 1.0)
    front, back = warped.objects
    dented = on_top(warped.model_copy(update={"objects": (back, front)}), "dent", 0.2)
    back, front = dented.objects
    other = back.defects[0].model_copy(update={"id": back.defects[0].id + 7})
    return dented.model_copy(update={"objects": (back.model_copy(update={"defects": (other,)}), front)})


def test_what_another_part_hides_is_not_absent() -> None:
    """Pixels that a bent neighbour covers are not those that a part's own dent has cost."""
    scene = behind_a_warped_one()
    meshes = meshes_of(scene)
    view, sound = cast(scene, meshes), cast(scene.twin, meshes_of(scene.twin))
    back, front = scene.objects
    hidden = (sound.ids == back.id) & (view.ids == front.id)
    assert np.count_nonzero(hidden) > 5
    found = absent(scene, meshes, view, view.ids)
    assert not (found.get(back.defects[0].id, np.zeros_like(hidden)) & hidden).any()


def test_what_the_renderer_still_sees_is_not_absent() -> None:
    """A pixel of the outline in which the renderer sees the part and the rays do not is the part's."""
    scene = on_top(panel(size=(192, 144), elevation_deg=18), "warped", 1.0)
    meshes = meshes_of(scene)
    view = cast(scene, meshes)
    (item,) = scene.objects
    (lost,) = absent(scene, meshes, view, view.ids).values()
    row, column = np.argwhere(lost)[0]
    seen = view.ids.copy()
    seen[row, column] = item.id
    (found,) = absent(scene, meshes, view, seen).values()
    assert not found[row, column]
    assert np.count_nonzero(found) == np.count_nonzero(lost) - 1
