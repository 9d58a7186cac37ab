"""Defects that change the form: the meshes stay sound, and what changes is as large as the drawing says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import trimesh

from scenewright.assets.defect import FIRST_DEFECT, Defect
from scenewright.assets.defects.damage import damaged
from scenewright.assets.defects.displace import dent_height
from scenewright.assets.defects.kinds import KINDS
from scenewright.assets.defects.patch import layers_of
from scenewright.assets.defects.raster import grid
from scenewright.assets.defects.refine import refined, sliced
from scenewright.assets.library import build
from scenewright.assets.mesh import Mesh
from scenewright.assets.shapes.die import DieParams
from scenewright.assets.shapes.primitives import rounded_box
from scenewright.errors import AssetError
from scenewright.scenes.scene import matrix

Vec = npt.NDArray[np.float64]
BOX: Mapping[str, object] = {"x_m": 0.05, "y_m": 0.04, "z_m": 0.02}


def patch_at(point: npt.ArrayLike, out: npt.ArrayLike, turn: float = 0.3) -> Vec:
    """(4, 4) from the mesh, metres, to a patch at a point with the normal `out`, millimetres."""
    z = np.asarray(out, dtype=np.float64) / np.linalg.norm(out)
    side = np.cross(np.eye(3)[np.abs(z).argmin()], z)
    side /= np.linalg.norm(side)
    x = np.cos(turn) * side + np.sin(turn) * np.cross(z, side)
    to_patch = np.eye(4)
    to_patch[:3, :3] = 1000 * np.stack([x, np.cross(z, x), z])
    to_patch[:3, 3] = -to_patch[:3, :3] @ np.asarray(point, dtype=np.float64)
    return to_patch


def defect(kind: str, mesh: Mesh, to_patch: Vec, severity: float = 0.6, seed: int = 3, **more: object) -> Defect:
    """A defect of a kind as it is drawn for a mesh, in a given place."""
    k, rng = KINDS[kind], np.random.default_rng(seed)
    size_mm = 1000 * float(np.sort(mesh.extents)[1])
    values = {name: grows.draw(rng, severity, size_mm) for name, grows in k.values.items()}
    size = k.size(values)
    flat = Defect(
        id=FIRST_DEFECT + 4, kind=kind, severity=severity, seed=seed, values=values, patch_T_object=matrix(to_patch),
        facing=k.facing, part=mesh.part_names[0], size_mm=size, reach_mm=0.05 * min(size),
    )  # fmt: skip
    return flat.model_copy(update={"reach_mm": flat.reach_mm + (k.depth(flat) if k.depth else 0.0)} | more)


def solid(mesh: Mesh) -> trimesh.Trimesh:
    """The mesh as it is indexed, nothing merged."""
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)


def on_box(kind: str, severity: float = 0.6, seed: int = 3) -> tuple[Mesh, Defect, Mesh]:
    """A box, a defect on its upper side, and the box with it."""
    box = build("box", BOX)
    one = defect(kind, box, patch_at((0.004, -0.003, 0.01), (0, 0, 1)), severity, seed)
    return box, one, damaged(box, [one])


@pytest.mark.parametrize(("shape", "spot"), [("box", (0.01, 0.0, 0.01)), ("gear", (0.006, 0.004, 0.0)), ("mug", None)])
def test_refining_keeps_the_surface(shape: str, spot: tuple[float, float, float] | None) -> None:
    """Small triangles in a region leave a closed mesh closed, and neither its volume nor its area changes."""
    mesh = build(shape, BOX if shape == "box" else {})
    middle = mesh.vertices[len(mesh.vertices) // 2] if spot is None else np.asarray(spot)

    def touched(corners: Vec) -> npt.NDArray[np.bool_]:
        at = corners.mean(axis=1)
        far = np.linalg.norm(corners - at[:, None], axis=2).max(axis=1)
        return np.asarray(np.linalg.norm(at - middle, axis=1) < 0.004 + far)

    fine = refined(mesh, 0.0006, touched)
    old, new = solid(mesh), solid(fine)
    assert len(fine.faces) > len(mesh.faces) and old.is_watertight and new.is_watertight
    assert new.volume == pytest.approx(old.volume, rel=1e-6) and new.area == pytest.approx(old.area, rel=1e-6)
    for part in range(len(mesh.part_names)):
        before, after = old.area_faces[mesh.face_part == part].sum(), new.area_faces[fine.face_part == part].sum()
        assert after == pytest.approx(before, rel=1e-6)
    near = touched(fine.vertices[fine.faces])
    edges = fine.vertices[fine.faces[near]] - np.roll(fine.vertices[fine.faces[near]], 1, axis=1)
    assert np.linalg.norm(edges, axis=2).max() <= 0.0006 + 1e-9


def test_refining_carries_texture_coordinates() -> None:
    """Coordinates that are an affine function of the place stay that function on all new triangles."""
    box = build("box", BOX)
    turned = np.array([[0.3, 0.1], [0.2, -0.4], [0.05, 0.6]])
    mapped = Mesh(box.vertices, box.faces, box.face_part, uv=(box.vertices[box.faces] @ turned).astype(np.float32))
    fine = refined(mapped, 0.003, lambda corners: corners[..., 2].max(axis=1) > 0.005)
    assert fine.uv is not None and len(fine.faces) > 500
    np.testing.assert_allclose(fine.uv, fine.vertices[fine.faces] @ turned, atol=1e-7)


def test_both_sides_of_a_seam_are_refined_alike() -> None:
    """A file that has its vertices twice along a seam gets no T-junction there."""
    box = build("box", BOX)
    split = Mesh(
        box.vertices[box.faces].reshape(-1, 3),
        np.arange(3 * len(box.faces), dtype=np.int32).reshape(-1, 3),
        box.face_part,
    )
    fine = refined(split, 0.002, lambda c: np.linalg.norm(c, axis=2).max(axis=1) > 0.03)
    assert len(fine.faces) > 200 and trimesh.Trimesh(fine.vertices, fine.faces, process=True).is_watertight


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


def test_slicing_leaves_no_triangle_on_both_sides() -> None:
    """A closed mesh cut along a level stays closed and keeps its surface, and texture coordinates stay linear."""
    box = build("box", BOX)
    plane = np.array([0.6, 0.64, 0.48])
    uv = (box.vertices[box.faces] @ np.array([[1.0, 0], [0, 1], [0.3, 0.2]])).astype(np.float32)
    cut = sliced(replace(box, uv=uv), box.vertices @ plane, 0.0021)
    off = (cut.vertices @ plane - 0.0021)[cut.faces]
    assert (np.minimum(off.max(axis=1), -off.min(axis=1)) < 2e-5).all()
    assert len(cut.faces) > len(box.faces)
    assert solid(cut).is_watertight
    assert solid(cut).area == pytest.approx(solid(box).area, rel=1e-9)
    assert cut.uv is not None
    assert np.allclose(cut.uv, cut.vertices[cut.faces] @ np.array([[1.0, 0], [0, 1], [0.3, 0.2]]), atol=1e-6)


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


@pytest.mark.parametrize("shape", ["hex_bolt", "socket_screw"])
def test_screws_name_their_thread(shape: str) -> None:
    """The region holds all that lies a millimetre below where the thread begins, and nothing above that."""
    mesh = build(shape, {"size": "M6", "length_m": 0.05})
    low, high = np.asarray(mesh.regions["thread"])
    inside = ((mesh.vertices >= low) & (mesh.vertices <= high)).all(axis=1)
    z, start = mesh.vertices[:, 2], mesh.keypoints["thread_start"][2]
    assert inside[z < start - 0.001].all() and not inside[z > start].any()
