"""Control pictures from ground truth: scenes whose depth, normals and edges are known in closed form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from scenewright.diffusion.control import (
    CONTROLS,
    Control,
    Truth,
    control_picture,
    depth_picture,
    edge_picture,
    normal_picture,
    palette,
    segment_picture,
)
from scenewright.diffusion.depth_normals import normals_of
from scenewright.errors import UsageError

H, W, FOCAL = 48, 64, 60.0


def directions() -> npt.NDArray[Any]:
    """Directions (h, w, 3) through the pixels' centres of a camera without a lens, z = 1."""
    v, u = np.mgrid[:H, :W] + 0.5
    return np.stack([(u - W / 2) / FOCAL, (v - H / 2) / FOCAL, np.ones((H, W))], axis=2)


def plane(normal: tuple[float, float, float], distance: float) -> npt.NDArray[Any]:
    """Depth (h, w) of the plane n · p = −distance, seen from the origin; float32."""
    return np.asarray(-distance / (directions() @ np.array(normal)), np.float32)


def unit(*vector: float) -> tuple[float, float, float]:
    x, y, z = np.array(vector) / np.linalg.norm(vector)
    return float(x), float(y), float(z)


def test_depth_is_inverse_and_normalised() -> None:
    """Near is white and far is black, and between them it is the inverse of the depth that is linear."""
    depth = np.array([[1.0, 2.0, 4.0]], np.float32)
    assert depth_picture(depth)[0, :, 0].tolist() == [255, 85, 0]  # (1/2 − 1/4) / (1 − 1/4) = 1/3


def test_nothing_is_black_and_darker_than_the_farthest_surface() -> None:
    """Where nothing is seen the picture is 0, and the farthest surface is told from it."""
    picture = depth_picture(np.array([[1.0, 4.0, np.inf]], np.float32))[0, :, 0]
    assert picture.tolist() == [255, round(255 * 0.075 / 0.825), 0]
    assert not depth_picture(np.full((2, 2), np.inf, np.float32)).any()
    assert (depth_picture(np.full((2, 2), 3.0, np.float32)) == 255).all()


@pytest.mark.parametrize(("normal", "color"), [
    ((0, 0, -1), (128, 128, 255)), ((-1, 0, 0), (255, 128, 128)), ((1, 0, 0), (0, 128, 128)),
    ((0, -1, 0), (128, 255, 128)), ((0, 1, 0), (128, 0, 128)), ((0, 0, 0), (128, 128, 255)),
])  # fmt: skip
def test_colours_of_normals(normal: tuple[int, int, int], color: tuple[int, int, int]) -> None:
    """Red is left, green is up, blue is towards the camera, and nothing faces the camera."""
    assert tuple(normal_picture(np.array([[normal]], np.float32))[0, 0]) == color


def test_normals_of_a_plane() -> None:
    """The depth of a tilted plane gives its normal in every pixel, towards the camera."""
    normal = unit(0.3, -0.5, -0.8)
    labels = np.zeros((H, W), np.uint16)
    assert np.allclose(normals_of(directions(), plane(normal, 1.5), labels), normal, atol=1e-4)


def test_normals_end_with_their_object() -> None:
    """An object before a wall: no pixel on either side of its outline gets a normal of neither."""
    near, far = unit(0.4, 0.0, -1.0), unit(-0.2, 0.3, -1.0)
    left = np.arange(W) < W // 2
    depth = np.where(left, plane(near, 1.0), plane(far, 3.0))
    got = normals_of(directions(), depth, np.where(left, 1, 0) * np.ones((H, 1), int), unit_m=1e-6)
    assert np.allclose(got, np.where(left[:, None], near, far), atol=1e-3)


def test_normals_stand_rounded_depth() -> None:
    """Depth in whole millimetres leaves a plane its normal to 2 degrees in the mean square, where no border is near."""
    normal = unit(0.3, -0.5, -0.8)
    depth = np.round(plane(normal, 0.3), 3)
    got = normals_of(directions(), depth, np.zeros((H, W), np.uint16), unit_m=1e-3)[6:-6, 6:-6]
    assert np.sqrt(np.mean(np.degrees(np.arccos((got @ np.array(normal)).clip(-1, 1))) ** 2)) < 2


def test_nothing_has_no_normal() -> None:
    """Where nothing is the normal is 0, and a lonely pixel faces the camera."""
    depth = np.full((H, W), np.inf, np.float32)
    depth[5, 7] = 1
    got = normals_of(directions(), depth, np.ones((H, W), np.uint16))
    assert got[5, 7].tolist() == [0, 0, -1] and np.count_nonzero(got) == 1


def test_rounded_depth_has_no_steps() -> None:
    """The stairs that rounding makes of a near slope are no edges when the unit is told."""
    depth = np.round(plane(unit(0.5, 0.2, -0.8), 0.05), 3)
    ids = np.ones((H, W), np.uint16)
    assert edge_picture(ids, depth).any() and not edge_picture(ids, depth, unit_m=1e-3).any()


def test_outlines_belong_to_what_is_in_front() -> None:
    """The outline of a square before a wall is one pixel wide and lies inside the square."""
    ids = np.zeros((H, W), np.uint16)
    ids[10:30, 20:40] = 5
    depth = np.where(ids == 5, np.float32(1), np.float32(2))
    inside = np.zeros((H, W), bool)
    inside[11:29, 21:39] = True
    assert ((edge_picture(ids, depth)[..., 0] == 255) == ((ids == 5) & ~inside)).all()


def test_a_slope_is_no_edge_and_a_step_is() -> None:
    """A plane however steep has no lines; a step within one object has one where it is, on the near side."""
    ids = np.ones((H, W), np.uint16)
    steep = plane(unit(0.9, 0.0, -0.6), 1.0)
    assert not edge_picture(ids, steep).any()
    stepped = np.where(np.arange(W) < 30, steep, steep * np.float32(1.1))
    lines = edge_picture(ids, stepped)[..., 0] == 255
    assert lines[:, 29].all() and lines.sum() == H


def test_creases() -> None:
    """Two faces that meet at a right angle have a line between them, at 20 degrees they have none."""
    ids, depth = np.ones((H, W), np.uint16), np.ones((H, W), np.float32)
    for degrees, expected in ((90, H), (20, 0)):
        half = np.radians(degrees / 2)
        normals = np.zeros((H, W, 3), np.float32)
        normals[:, :32] = (-np.sin(half), 0, -np.cos(half))
        normals[:, 32:] = (np.sin(half), 0, -np.cos(half))
        lines = edge_picture(ids, depth, normals)[..., 0]
        assert (lines == 255).sum() == expected and (not expected or (lines[:, 31] == 255).all())


def test_stuff_has_outlines() -> None:
    """The rim of a fixture is an edge though it is no object."""
    ids, depth = np.zeros((H, W), np.uint16), np.ones((H, W), np.float32)
    stuff = np.ones((H, W), np.uint8)
    stuff[:, 10:] = 2
    assert not edge_picture(ids, depth).any()
    assert (edge_picture(ids, depth, stuff=stuff)[:, 9, 0] == 255).all()


def test_segments() -> None:
    """Each label has its colour, nothing is black, and a label without one is an error."""
    labels = np.array([[0, 3, 700]], np.uint16)
    assert segment_picture(labels, {3: (1, 2, 3), 700: (9, 8, 7)}).tolist() == [[[0, 0, 0], [1, 2, 3], [9, 8, 7]]]
    with pytest.raises(UsageError, match=r"labels \[3, 700\] have no colour"):
        segment_picture(labels, {})


@pytest.mark.parametrize("kind", CONTROLS)
def test_each_kind_is_made_from_what_a_dataset_keeps(kind: Control) -> None:
    """Of ids, depth and camera alone each kind is made, and is that of the function of its name."""
    ids = np.zeros((H, W), np.uint16)
    ids[10:30, 20:40] = 5
    depth = np.where(ids == 5, plane(unit(0.2, 0, -1), 1), plane(unit(0, -0.5, -1), 2)).astype(np.float32)
    truth = Truth(ids, depth, directions())
    normals = normals_of(directions(), depth, ids)
    expected = {
        "depth": depth_picture(depth), "normals": normal_picture(normals),
        "edges": edge_picture(ids, depth, normals), "segments": segment_picture(ids, palette([5])),
    }  # fmt: skip
    assert (control_picture(kind, truth) == expected[kind]).all()
    exact = replace(truth, normals=np.zeros((H, W, 3), np.float32))
    assert (control_picture(kind, exact) == expected[kind]).all() == (kind != "normals")


def test_palette_is_distinct_and_steady() -> None:
    """The first forty labels have different colours, and a label keeps its colour in other company."""
    colors = palette(range(41))
    assert len(set(colors.values())) == len(colors) == 40
    assert palette([7])[7] == colors[7]
    values = np.array([*colors.values()], int)
    apart = np.abs(values[:, None] - values[None]).sum(axis=2) + 999 * np.eye(40, dtype=int)
    assert apart.min() >= 20
