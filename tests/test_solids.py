"""Defects that change the form: the meshes stay sound, and what changes is as large as the drawing says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import trimesh

from scenewright.assets.defect import FIRST_DEFECT, Defect
from scenewright.assets.defects.damage import damaged
from scenewright.assets.defects.displace import dent_height
from scenewright.assets.defects.patch import layers_of
from scenewright.assets.defects.raster import grid
from scenewright.assets.library import build
from scenewright.assets.mesh import Mesh
from scenewright.assets.shapes.die import DieParams
from scenewright.assets.shapes.primitives import rounded_box
from scenewright.errors import AssetError

from .damaged_parts import BOX, defect, on_box, patch_at, solid


def test_a_dent_takes_the_volume_of_its_bowl() -> None:
    """What a box loses by a dent is the integral of the drawn height over the patch; it stays closed."""
    box, one, dented = on_box("dent")
    x, y = grid(one.size_mm, 0.02)
    bowl = -dent_height(one, x, y).sum() * (x[0, 1] - x[0, 0]) * (y[1, 0] - y[0, 0])
    assert solid(dented).is_watertight
    assert 1e9 * (solid(box).volume - solid(dented).volume) == pytest.approx(bowl, rel=0.01)


@pytest.mark.parametrize("kind", ["dent", "gouge"])
def test_a_thin_sheet_is_pushed_through_and_never_cuts_itself(kind: str) -> None:
    """Both sides of a sheet thinner than the defect is deep move together, and no triangle on it is turned over."""
    box = build("box", {"x_m": 0.08, "y_m": 0.08, "z_m": 0.0012})
    side = np.rint(solid(box).face_normals[:, 2]).astype(int) + 1
    sheet = replace(box, face_part=side.astype(np.uint8), part_names=("below", "rim", "above"))
    one = defect(kind, sheet, patch_at((0, 0, 0.0006), (0, 0, 1)), 1.0)
    sunk = damaged(sheet, [one])
    assert one.values["depth_mm"] > 0.9 and solid(sunk).is_watertight
    assert sunk.vertices[:, 2].min() < -0.0006 - 1e-5
    normals = solid(sunk).face_normals[:, 2]
    assert (normals[sunk.face_part == 2] > 0).all() and (normals[sunk.face_part == 0] < 0).all()


def test_a_dent_in_a_wall_that_is_thick_enough_does_not_come_out_behind() -> None:
    """The far side of a plate stays as it is where there is room for the dent, and what moves is not turned over."""
    plate = build("box", {"x_m": 0.08, "y_m": 0.08, "z_m": 0.006})
    one = defect("dent", plate, patch_at((0, 0, 0.003), (0, 0, 1)), 0.6)
    assert one.reach_mm < 6.0 < one.reach_mm + 2.5 * one.values["depth_mm"]
    unknown, known = (damaged(plate, [one.model_copy(update={"thick_mm": thick})]) for thick in (None, 6.0))
    assert unknown.vertices[:, 2].min() < -0.003 - 1e-5
    assert known.vertices[:, 2].min() == pytest.approx(-0.003, abs=1e-9)
    below = solid(known).face_normals[:, 2][(known.vertices[known.faces][..., 2] < -0.0029).all(axis=1)]
    assert solid(known).is_watertight and (below < 0).all()


@pytest.mark.parametrize("kind", ["dent", "gouge"])
def test_only_what_the_patch_covers_moves(kind: str) -> None:
    """Outside the sheet of a defect the surface is where it was."""
    box, one, sunk = on_box(kind, 1.0)
    at = sunk.vertices @ one.to_patch[:3, :3].T + one.to_patch[:3, 3]
    outside = (np.abs(at[:, :2]) > np.asarray(one.size_mm) / 2).any(axis=1)
    assert outside.sum() > 8
    share = np.abs(sunk.vertices[outside]) / (box.extents / 2)
    np.testing.assert_allclose(share.max(axis=1), 1.0, atol=1e-9)


@pytest.mark.parametrize("kind", ["dent", "gouge"])
def test_severity_makes_the_hole_larger(kind: str) -> None:
    """At one seed the volume that is gone, and the label's area, grow with every step of severity."""
    gone, area = [], []
    for severity in (0.1, 0.3, 0.5, 0.7, 0.9):
        box, one, sunk = on_box(kind, severity)
        layers = layers_of(one)
        assert layers is not None
        gone.append(solid(box).volume - solid(sunk).volume)
        area.append((layers.mask >= 128).mean() * np.prod(one.size_mm))
    assert (np.diff(gone) > 0).all() and (np.diff(area) > 0).all()


def on_edge(kind: str, severity: float = 0.6, seed: int = 3, mesh: Mesh | None = None) -> tuple[Mesh, Defect, Mesh]:
    """A box, a defect across its upper edge on +x, and the box with it."""
    box = build("box", BOX) if mesh is None else mesh
    one = defect(kind, box, patch_at((0.025, 0.002, 0.01), (1, 0, 1)), severity, seed)
    return box, one, damaged(box, [one])


def at_feature(kind: str, mesh: Mesh, name: str, severity: float = 0.6) -> tuple[Defect, Mesh]:
    """A defect about one of the features of a mesh, and the mesh with it."""
    feature = mesh.features[name]
    to_patch = np.diag([1000, 1000, 1000, 1.0]) @ np.linalg.inv(feature.frame)
    w, h = feature.size_m
    one = defect(
        kind, mesh, to_patch, severity, size_mm=(1000 * w, 1000 * h), reach_mm=1000 * feature.reach_m, region=name
    )
    return one, damaged(mesh, [one])


def test_a_chip_takes_a_piece_of_the_edge() -> None:
    """A chip leaves a closed mesh of less volume and one part of its own, whose faces alone carry its id."""
    box, one, chipped = on_edge("chip")
    old, new = solid(box), solid(chipped)
    assert new.is_watertight and 0 < old.volume - new.volume < 0.02 * old.volume
    assert chipped.part_names == ("body", one.new_part) and chipped.face_defect is not None
    assert np.array_equal(chipped.face_defect == one.id, chipped.face_part == 1)
    assert set(np.unique(chipped.face_defect)) == {0, one.id}
    made = new.triangles_center[chipped.face_part == 1]
    assert (np.abs(made) < box.extents / 2 - 1e-6).all(), "the faces of the break lie inside the box"


def test_a_cut_carries_texture_coordinates() -> None:
    """What is left of the old faces has the coordinates that it had, an affine function of the place here."""
    box = build("box", BOX)
    turned = np.array([[0.3, 0.1], [0.2, -0.4], [0.05, 0.6]])
    mapped = replace(box, uv=(box.vertices[box.faces] @ turned).astype(np.float32))
    _, _, chipped = on_edge("chip", mesh=mapped)
    assert chipped.uv is not None
    old = chipped.face_part == 0
    np.testing.assert_allclose(chipped.uv[old], chipped.vertices[chipped.faces[old]] @ turned, atol=1e-6)


def test_a_mesh_that_is_not_closed_takes_no_chip() -> None:
    """Where a face is missing a boolean means nothing: the error says that it needs a closed solid."""
    box = build("box", BOX)
    torn = replace(box, faces=box.faces[1:], face_part=box.face_part[1:])
    with pytest.raises(AssetError, match="closed"):
        on_edge("chip", mesh=torn)


def test_a_part_is_not_cut_in_two() -> None:
    """A chip that would cut a thin bar through is refused."""
    bar = build("box", {"x_m": 0.06, "y_m": 0.004, "z_m": 0.002})
    one = defect("chip", bar, patch_at((0.0, 0.0, 0.001), (0, 0, 1)), 1.0)
    deep = one.model_copy(update={"values": {"width_mm": 8.0, "depth_mm": 3.5}})
    with pytest.raises(AssetError, match="in two"):
        damaged(bar, [deep])


def test_a_blister_has_the_volume_of_its_ball() -> None:
    """A cavity whose ball reaches out of the surface takes the volume of the cap below it (Steinhaus's formula)."""
    box, one, pierced = on_box("bubble", 1.0)
    r, h = one.values["width_mm"] / 2, one.values["sunk"] * one.values["width_mm"]
    cap = np.pi * h**2 * (3 * r - h) / 3
    assert h > r and solid(pierced).is_watertight
    assert 1e9 * (solid(box).volume - solid(pierced).volume) == pytest.approx(cap, rel=0.02)


def test_a_gear_loses_a_tooth() -> None:
    """A broken tooth takes its volume but the stub, the worse the more, and stays away from its neighbours."""
    gear = build("gear", {})
    lost, volume = [], solid(gear).volume
    for severity in (0.1, 0.5, 1.0):
        one, broken = at_feature("missing_tooth", gear, "tooth 3", severity)
        assert solid(broken).is_watertight and broken.face_defect is not None
        lost.append(volume - solid(broken).volume)
        at = solid(broken).triangles_center[broken.face_defect == one.id]
        angle = np.arctan2(at[:, 1], at[:, 0])
        assert np.abs(angle - 2 * np.pi * 2 / 24).max() < np.pi / 24
    assert lost[0] < lost[1] < lost[2]
    # Between root and tip about half of the ring is tooth.
    root, tip = 0.0215 / 2, 0.026 / 2
    ring = np.pi * (tip**2 - root**2) * 0.008 / 24
    assert 0.3 * ring < lost[2] < 0.7 * ring


def test_a_pip_that_was_never_made_gives_the_dies_volume_back() -> None:
    """With all pips filled a die is the body that they were drilled into, in one material, and closed."""
    p = {"size_m": 0.016}
    mesh = build("die", p)
    whole = mesh
    for k, name in enumerate(mesh.features):
        feature = mesh.features[name]
        to_patch = np.diag([1000, 1000, 1000, 1.0]) @ np.linalg.inv(feature.frame)
        size = (1000 * feature.size_m[0], 1000 * feature.size_m[1])
        one = defect("missing_pip", mesh, to_patch, size_mm=size, reach_mm=1000 * feature.reach_m)
        whole = damaged(whole, [one.model_copy(update={"id": FIRST_DEFECT + k})])
    blank = trimesh.Trimesh(*rounded_box((0.016,) * 3, DieParams().edge_m, 3), process=False)
    assert len(mesh.features) == 21 and solid(whole).is_watertight
    assert solid(whole).volume == pytest.approx(blank.volume, rel=1e-9)
    assert (whole.face_part == 0).all() and whole.face_defect is not None
    assert set(np.unique(whole.face_defect)) == {
        0,
        *range(FIRST_DEFECT, FIRST_DEFECT + 21),
    }


@pytest.mark.parametrize(("shape", "params"), [("cover_plate", {}), ("flange", {}), ("cover_plate", {"sunk": False})])
def test_a_screw_leaves_its_hole(shape: str, params: Mapping[str, object]) -> None:
    """Without one screw the mesh has one closed body less; the walls that it hid are its label."""
    mesh = build(shape, params)
    one, less = at_feature("missing_screw", mesh, "screw 2")
    bodies, left = solid(mesh).split(), solid(less).split()
    assert len(left) == len(bodies) - 1 and solid(less).is_watertight
    screw = min(b.volume for b in bodies)
    assert solid(mesh).volume - solid(less).volume == pytest.approx(screw, rel=1e-6)
    at = solid(less).triangles_center @ one.to_patch[:3, :3].T + one.to_patch[:3, 3]
    covered = np.hypot(at[:, 0], at[:, 1]) < min(one.size_mm) / 2.1
    assert not less.within(("screws",))[covered].any()
    assert (less.face_defect is not None) and bool((less.face_defect > 0).any()) == (params.get("sunk", True) is True)


@pytest.mark.parametrize("kind", ["chip", "bubble"])
def test_worse_chips_are_larger(kind: str) -> None:
    """At one seed the volume that is gone and the area of the break grow with severity."""
    gone, area = [], []
    for severity in (0.1, 0.3, 0.5, 0.7, 0.9):
        box, one, cut = on_edge(kind, severity) if kind == "chip" else on_box(kind, severity)
        assert cut.face_defect is not None
        gone.append(solid(box).volume - solid(cut).volume)
        area.append(solid(cut).area_faces[cut.face_defect == one.id].sum())
    assert (np.diff(gone) > 0).all() and (np.diff(area) > 0).all()


@pytest.mark.parametrize("shape", ["hex_bolt", "socket_screw"])
def test_screws_name_their_thread(shape: str) -> None:
    """The region holds all that lies a millimetre below where the thread begins, and nothing above that."""
    mesh = build(shape, {"size": "M6", "length_m": 0.05})
    low, high = np.asarray(mesh.regions["thread"])
    inside = ((mesh.vertices >= low) & (mesh.vertices <= high)).all(axis=1)
    z, start = mesh.vertices[:, 2], mesh.keypoints["thread_start"][2]
    assert inside[z < start - 0.001].all() and not inside[z > start].any()
