"""Holes by the alpha of a picture: interpolation against closed forms, and rays that pass them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from scenewright.assets.cutouts import Cutout
from scenewright.assets.mesh import Mesh
from scenewright.scenes.bodies import bodies
from scenewright.scenes.cameras import pixel_directions
from scenewright.scenes.rays import cast
from scenewright.scenes.scene import Scene, matrix
from scenewright.scenes.sight import Sight

from .closed_forms import Body, first, grid, odd_camera, scene_of

Arrays = npt.NDArray[Any]
#: Half of a plate, x, y, z in metres.
HALF = np.array([0.05, 0.04, 0.003])
LEFT = np.repeat(np.array([[0, 0, 0, 0, 255, 255, 255, 255]], np.uint8), 8, axis=0)


def test_alpha_is_interpolated_between_the_centres_of_texels() -> None:
    """On a ramp of texels alpha is linear, so that the border of the hole lies where the ramp crosses the limit."""
    ramp = np.arange(0, 160, 10, dtype=np.uint8)[None].repeat(3, axis=0)
    u = np.linspace(0.5, 15.5, 2001, dtype=np.float32) / 16
    uv = np.column_stack([u, np.full(len(u), 0.37, np.float32)])
    for least in (0.1, 0.3, 0.55):
        exact = (u * 16 - 0.5) * 10 / 255
        safe = np.abs(exact - least) > 1e-5
        np.testing.assert_array_equal(Cutout(ramp, least).covers(uv)[safe], exact[safe] > least)
        np.testing.assert_array_equal(Cutout(ramp, least, inverted=True).covers(uv)[safe], exact[safe] < least)
    near = Cutout(ramp, 0.3, smooth=False).covers(uv)
    np.testing.assert_array_equal(near, np.floor(u * 16) * 10 / 255 > 0.3)


@pytest.mark.parametrize(
    ("extension", "expected"),
    [
        ("REPEAT", [True, True, False, True, True]),
        ("EXTEND", [True, True, False, False, False]),
        ("MIRROR", [False, True, False, False, True]),
        ("CLIP", [False, True, False, False, False]),
    ],
)
def test_beyond_the_picture(extension: Any, expected: list[bool]) -> None:
    """What lies left and right of a picture whose left half is opaque: again, its border, its mirror image, nothing."""
    uv = np.array([[-0.8, 0.5], [0.2, 0.5], [0.8, 0.5], [1.2, 0.5], [2.2, 0.5]], np.float32)
    found = Cutout(LEFT[:, ::-1], 0.5, extension=extension).covers(uv).tolist()
    assert found == expected


def plate() -> Mesh:
    """A box whose upper and lower face have no left half (x < 0), by the alpha of a picture; its sides are whole."""
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float64)
    quads = {
        "top": (1, 5, 7, 3), "bottom": (0, 2, 6, 4),
        "side": (0, 1, 3, 2), "right": (4, 6, 7, 5), "front": (0, 4, 5, 1), "back": (2, 3, 7, 6),
    }  # fmt: skip
    faces = np.array([t for q in quads.values() for t in ((q[0], q[1], q[2]), (q[0], q[2], q[3]))], np.int32)
    uv = (signs[faces][..., :2] / 2 + 0.5).astype(np.float32)
    part = (np.arange(12) >= 4).astype(np.uint8)
    return Mesh(signs * HALF, faces, part, ("sheet", "rim"), uv=uv, cutouts={"sheet": Cutout(LEFT, 0.5)})


def plate_depth(camera_t_plate: Arrays, toward: Arrays) -> Arrays:
    """Depths at which rays (h, w, 3) with z = 1 first meet the plate, in closed form; inf where they do not."""
    start = -camera_t_plate[:3, :3].T @ camera_t_plate[:3, 3]
    ahead = toward @ camera_t_plate[:3, :3]
    nearest = np.full(ahead.shape[:2], np.inf)
    for axis in range(3):
        for side in (-1, 1):
            t = (side * HALF[axis] - start[axis]) / ahead[..., axis]
            at = start + t[..., None] * ahead
            others = [k for k in range(3) if k != axis]
            there = (np.abs(at[..., others]) < HALF[others]).all(axis=-1)
            if axis == 2:
                there &= at[..., 0] > 0
            nearest = np.where(there & (t > 0), np.minimum(nearest, t), nearest)
    return nearest


def before_a_sphere() -> tuple[Scene, dict[int, Mesh], Body, Arrays]:
    """The plate on the way from the camera to a sphere."""
    camera = odd_camera()
    pose = np.eye(4)
    pose[:3, :3] = camera.extrinsics[:3, :3].T @ np.array([[0.96, 0, 0.28], [0, 1, 0], [-0.28, 0, 0.96]])
    pose[:3, 3] = -0.08 * camera.extrinsics[2, :3]
    sphere = Body("sphere", (0.035, 0.0, 0.0), np.eye(4))
    scene, meshes = scene_of([Body("box", (0.1, 0.1, 0.1), pose), sphere], camera)
    first_of = scene.objects[0].model_copy(update={"cut_out": ("sheet",), "world_T_object": matrix(pose)})
    return scene.replace(objects=(first_of, scene.objects[1])), {**meshes, 1: plate()}, sphere, pose


def test_rays_pass_the_holes_of_a_plate() -> None:
    """Ids and depths are those of planes and a sphere in closed form, through both layers of the sheet."""
    scene, meshes, sphere, pose = before_a_sphere()
    camera, (u, v) = scene.camera, grid(scene.camera)

    def expected(du: float, dv: float) -> tuple[Arrays, Arrays]:
        x, y = u + du, v + dv
        toward = np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, np.ones_like(x)], axis=-1)
        near, (hit, far) = plate_depth(camera.extrinsics @ pose, toward), first([sphere], camera, x, y)
        return np.where(near < far, 1, 2 * hit), np.minimum(near, far)

    ids, depth = expected(0, 0)
    safe = np.ones(ids.shape, bool)
    for angle in np.arange(16) * np.pi / 8:
        safe &= expected(0.02 * np.cos(angle), 0.02 * np.sin(angle))[0] == ids
    view = cast(scene, meshes, triangles=True)
    np.testing.assert_array_equal(view.ids[safe], ids[safe])
    on_plate = safe & (ids == 1)
    np.testing.assert_allclose(view.depth_m[on_plate], depth[on_plate], rtol=1e-4)
    assert on_plate.sum() > 2000
    whole = cast(scene.replace(objects=tuple(o.model_copy(update={"cut_out": ()}) for o in scene.objects)), meshes)
    through = (whole.ids == 1) & (view.ids == 2)
    assert through.sum() > 500 and ((whole.ids == 1) & (view.ids == 0)).sum() > 500
    assert view.triangle is not None and (view.triangle[(view.ids == 1) & ~through] < 12).all()
    amodal, alone = view.amodal[1], np.isfinite(plate_depth(camera.extrinsics @ pose, pixel_directions(camera)))
    (h, w), mask = amodal.mask.shape, np.zeros(ids.shape, bool)
    mask[amodal.y : amodal.y + h, amodal.x : amodal.x + w] = amodal.mask
    assert (mask == alone).mean() > 0.9999


def test_points_are_in_sight_through_holes() -> None:
    """Of two points behind the two halves of a sheet, the one behind the hole is in sight."""
    mesh = plate()
    scene, meshes, _, _ = before_a_sphere()
    gaps = next(bodies(scene, meshes)).gaps
    sight = Sight(np.array([[-0.04, 0.0, 1.0], [0.04, 0.0, 1.0]], np.float32))
    points = mesh.vertices.astype(np.float32) + np.array([0, 0, 0.5], np.float32)
    sight.look(points, mesh.faces, gaps)
    assert sight.clear(1e-3).tolist() == [True, False]


def test_a_cutout_is_part_of_a_mesh_s_name() -> None:
    """Two meshes that differ in a texel of a cut-out have different hashes."""
    one, other = plate(), LEFT.copy()
    other[3, 3] = 1
    assert one.sha256 != Mesh(**{**vars(plate()), "cutouts": {"sheet": Cutout(other, 0.5)}}).sha256
