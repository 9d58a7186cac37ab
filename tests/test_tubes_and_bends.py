"""What lies on a surface, and what is bent or warped."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import trimesh

from scenewright.assets.defects.damage import damaged
from scenewright.assets.defects.kinds import KINDS
from scenewright.assets.library import build
from scenewright.errors import AssetError

from .damaged_parts import BOX, defect, on_box, patch_at, solid


@pytest.mark.parametrize("kind", ["hair", "fibre"])
def test_a_tube_lies_on_the_surface(kind: str) -> None:
    """It is a closed body of its own that touches the box, never sinks in by more than a little, and stays near."""
    box, one, haired = on_box(kind, 0.3)
    assert haired.face_defect is not None
    made = haired.face_defect == one.id
    assert np.array_equal(made, haired.face_part == 1) and np.array_equal(haired.faces[~made], box.faces)
    tube = trimesh.Trimesh(haired.vertices, haired.faces[made], process=True)
    assert tube.is_watertight and tube.volume > 0
    width = one.values["width_mm"]
    height = 1000 * (tube.vertices[:, 2] - 0.01)
    assert -0.25 * width < height.min() < 0.05 * width and height.max() < 5 * width
    length = one.values["length_mm"] / 1000
    assert tube.volume == pytest.approx(np.pi * (width / 2000) ** 2 * length, rel=0.12)  # nine corners, and ends


def test_a_hair_falls_off_an_edge_slowly() -> None:
    """Where the surface ends a hair goes down by half of its length at most, and nowhere below the box."""
    box = build("box", BOX)
    one = defect("hair", box, patch_at((0.018, 0.0, 0.01), (0, 0, 1), np.pi / 2), 0.6)
    haired = damaged(box, [one])
    tube = haired.vertices[len(box.vertices) :]
    beyond = tube[:, 0] > 0.025
    assert beyond.any() and tube[:, 2].min() > 0.01 - 0.5 * (tube[:, 0].max() - 0.025) - 0.0005


def test_a_hair_does_not_hang_in_the_air() -> None:
    """One that is much longer than the part is refused, and the error says what to do."""
    pin = build("box", {"x_m": 0.002, "y_m": 0.002, "z_m": 0.002})
    one = defect("hair", pin, patch_at((0, 0, 0.001), (0, 0, 1)), 0.5)
    with pytest.raises(AssetError, match="hang in the air: make it shorter"):
        damaged(pin, [one.model_copy(update={"values": {"length_mm": 9.0, "width_mm": 0.1}})])


STRIP: Mapping[str, object] = {"x_m": 0.08, "y_m": 0.02, "z_m": 0.002}


def test_a_bent_end_stands_at_its_angle() -> None:
    """Beyond the bend the strip is flat and leans by the angle; the middle of its thickness keeps its length."""
    strip = build("box", STRIP)
    one = defect("bent", strip, patch_at((0.01, 0.0, 0.001), (0, 0, 1)))
    bent = damaged(strip, [one])
    angle = np.deg2rad(one.values["angle_deg"])
    tip = solid(bent).triangles_center[:, 0] > 0.03
    normals, area = solid(bent).face_normals[tip], solid(bent).area_faces[tip]
    axes = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    flat = np.abs(normals @ axes.T).max(axis=1) > 0.99999
    assert area[flat].sum() > 0.9 * area.sum()  # the rest are the rounded edges
    assert solid(bent).is_watertight
    assert solid(bent).volume == pytest.approx(solid(strip).volume, rel=0.005)  # Pappus: the middle keeps its length
    assert bent.vertices[:, 2].min() >= strip.vertices[:, 2].min() - 1e-9


def test_a_bend_marks_what_has_moved() -> None:
    """Faces with the id have moved by more than a two hundredth of the part's width, the others less."""
    strip = build("box", STRIP)
    one = defect("bent", strip, patch_at((0.01, 0.0, 0.001), (0, 0, 1)))
    bent = damaged(strip, [one])
    assert bent.face_defect is not None
    sound = solid(bent).triangles_center[bent.face_defect == 0]
    inside = np.abs(sound) <= strip.extents / 2 + 0.0002
    assert inside.all() and (bent.face_defect == one.id).any()
    moved = solid(bent).triangles_center[bent.face_defect == one.id]
    assert moved[:, 0].min() > sound[:, 0].max() - 0.002, "the nearer end is the one that is bent"


def test_a_thick_part_does_not_bend() -> None:
    """A cube is refused: its outer side would be torn."""
    cube = build("box", {"x_m": 0.02, "y_m": 0.02, "z_m": 0.02})
    with pytest.raises(AssetError, match="cannot be bent"):
        damaged(cube, [defect("bent", cube, patch_at((0, 0, 0.01), (0, 0, 1)), 1.0)])


def test_a_warped_part_keeps_its_volume_and_goes_up() -> None:
    """Its highest place is raised by the lift, its lowest stays, its volume is the same (a shear along z)."""
    strip = build("box", STRIP)
    one = defect("warped", strip, patch_at((0.0, 0.0, 0.001), (0, 0, 1)), 0.8)
    warped = damaged(strip, [one])
    assert solid(warped).is_watertight
    assert solid(warped).volume == pytest.approx(solid(strip).volume, rel=1e-3)
    top = warped.vertices[:, 2].max() - strip.vertices[:, 2].max()
    assert 1000 * top == pytest.approx(one.values["lift_mm"], rel=1e-3)
    assert warped.vertices[:, 2].min() >= strip.vertices[:, 2].min() - 1e-9


@pytest.mark.parametrize("kind", ["hair", "fibre", "bent", "warped"])
def test_worse_is_more(kind: str) -> None:
    """At one seed the area that is the defect grows with severity."""
    areas = []
    for severity in (0.1, 0.3, 0.5, 0.7, 0.9):
        strip = build("box", STRIP)
        one = defect(kind, strip, patch_at((0.01, 0.0, 0.001), (0, 0, 1), 0.0), severity)
        changed = damaged(strip, [one])
        assert changed.face_defect is not None
        areas.append(solid(changed).area_faces[changed.face_defect == one.id].sum())
    assert (np.diff(areas) > 0).all(), areas


@pytest.mark.parametrize("kind", ["dent", "gouge", "chip", "bubble", "hair", "fibre", "bent", "warped"])
def test_the_same_defect_is_the_same_mesh(kind: str) -> None:
    """Made twice, without the cache, a damaged mesh has the same bits."""
    box, one, _ = on_box(kind)
    damage = KINDS[kind].damage
    assert damage is not None
    assert damage(box, one).sha256 == damage(box, one).sha256
