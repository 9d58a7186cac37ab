"""Household shapes and the tools that make them, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from scenewright.assets.library import build
from scenewright.assets.mesh import Mesh
from scenewright.assets.shapes.base import circle, fillet, loft, revolve, to_manifold, wrap_uv
from scenewright.assets.shapes.bottle import STYLES
from scenewright.assets.shapes.bracket import BracketParams
from scenewright.assets.shapes.can import SIZES as CAN_SIZES
from scenewright.assets.shapes.die import NORMALS
from scenewright.assets.shapes.pipe_fitting import SIZES as PIPE_SIZES
from scenewright.assets.shapes.plate import rounded_extrude
from scenewright.assets.shapes.primitives import rounded_box
from scenewright.errors import AssetError


def as_trimesh(mesh: Mesh, part: int | None = None) -> trimesh.Trimesh:
    faces = mesh.faces if part is None else mesh.faces[mesh.face_part == part]
    return trimesh.Trimesh(mesh.vertices, faces, process=False, validate=False)


def genus(shape: trimesh.Trimesh) -> int:
    """Number of handles of one closed surface, from V − E + F = 2 − 2g."""
    used = len(np.unique(shape.faces))
    return (2 - (used - len(shape.edges_unique) + len(shape.faces))) // 2


def first_hit_z(mesh: Mesh) -> float:
    """Height at which a ray down the z axis (a hair off it, to miss vertices) first meets the mesh."""
    start, down = [[3e-5, 2e-5, 1.0]], [[0, 0, -1]]
    hits, _, _ = as_trimesh(mesh).ray.intersects_location(start, down, multiple_hits=True)
    return float(hits[:, 2].max())


def test_revolve_volume() -> None:
    """A ring of rectangular section has the volume of its prism-approximated annulus, (n/2) sin(2π/n) (R² − r²) h."""
    v, f = revolve([(0.01, 0), (0.03, 0), (0.03, 0.02), (0.01, 0.02)], 48)
    expected = 24 * np.sin(2 * np.pi / 48) * (0.03**2 - 0.01**2) * 0.02
    assert trimesh.Trimesh(v, f, process=False).volume == pytest.approx(expected, rel=1e-12)


def test_fillet_is_tangent_and_round() -> None:
    """Every point of a filleted right angle lies on the sides or on the circle of the fillet's radius."""
    outline = fillet([(0, 0, 0), (1, 0, 0.2), (1, 1, 0), (0, 1, 0)], segments=4)
    on_circle = np.isclose(np.linalg.norm(outline - [0.8, 0.2], axis=1), 0.2, atol=1e-12)
    assert on_circle.sum() == 5
    assert all(np.isclose(p, [[0, 0], [1, 1]]).any() for p in outline[~on_circle])


def test_fillet_without_room_is_an_error() -> None:
    """Two fillets that overlap on one side are refused with the missing length."""
    with pytest.raises(AssetError, match=r"side 0 need 0\.200000 m more"):
        fillet([(0, 0, 0.6), (1, 0, 0.6), (1, 2, 0), (0, 2, 0)])


def test_rounded_extrude_volume() -> None:
    """A square plate with a hole loses a section of (1 − π/4) e² along every edge; corners count in order e³ only."""
    a, hole, thick, edge = 0.02, 0.005, 0.006, 0.0005
    square = np.array([(-a, -a), (a, -a), (a, a), (-a, a)])
    v, f = rounded_extrude(square, [circle(hole, 256)[::-1]], thick, edge, segments=32)
    area = 4 * a**2 - np.pi * hole**2
    rim = 8 * a + 2 * np.pi * hole
    expected = area * thick - 2 * (1 - np.pi / 4) * edge**2 * rim
    assert trimesh.Trimesh(v, f, process=False).volume == pytest.approx(expected, rel=2e-4)


def test_inside_out_solid_is_refused() -> None:
    """A solid whose faces point inwards cannot enter a boolean."""
    v, f = loft([[*np.column_stack([circle(0.01, 12), np.full(12, z)])] for z in (0.0, 0.02)])
    assert to_manifold((v, f)).volume() > 0
    with pytest.raises(AssetError, match="faces outwards"):
        to_manifold((v, f[:, ::-1]))


def test_wrap_uv_crosses_the_seam() -> None:
    """No face of a wrapped label spans more than one step of u, the faces at ±180° included."""
    v, f = revolve([(0.02, 0), (0.03, 0), (0.03, 0.1), (0.02, 0.1)], 24)
    uv = wrap_uv(v, f, 0.0, 0.1)
    assert np.ptp(uv[..., 0], axis=1).max() == pytest.approx(1 / 24, abs=1e-6)
    assert uv[..., 1].min() == 0 and uv[..., 1].max() == 1


@pytest.mark.parametrize("subdivisions", [2, 4, 6])
def test_sphere_error_bound(subdivisions: int) -> None:
    """Vertices lie on the sphere, and no triangle is deeper inside it than the documented bound."""
    mesh = build("sphere", {"radius_m": 0.5, "subdivisions": subdivisions})
    assert np.allclose(np.linalg.norm(mesh.vertices, axis=1), 0.5, atol=1e-12)
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces], 1, 0)
    normal = np.cross(b - a, c - a)
    depth = 0.5 - np.einsum("ij,ij->i", normal, a) / np.linalg.norm(normal, axis=1)
    assert 0 < depth.max() <= 0.292 * 4.0**-subdivisions * 0.5


def test_exact_box() -> None:
    """Without an edge radius a box is its eight corners and twelve triangles."""
    mesh = build("box", {"x_m": 0.1, "y_m": 0.2, "z_m": 0.3})
    assert mesh.vertices.shape == (8, 3) and mesh.faces.shape == (12, 3)
    assert as_trimesh(mesh).volume == pytest.approx(0.006, rel=1e-9)
    assert mesh.keypoints["corner_5"] == pytest.approx((0.05, -0.1, 0.15))


def test_rounded_box_volume() -> None:
    """A finely rounded box has the volume of Steiner's formula for the inner box and the ball."""
    inner, e = np.array([0.08, 0.04, 0.02]), 0.006
    v, f = rounded_box(tuple(inner + 2 * e), e, segments=24)
    a, b, c = inner
    expected = a * b * c + 2 * e * (a * b + b * c + c * a) + np.pi * e**2 * (a + b + c) + 4 / 3 * np.pi * e**3
    assert trimesh.Trimesh(v, f, process=False).volume == pytest.approx(expected, rel=2e-4)
    assert np.allclose(np.ptp(v, axis=0), inner + 2 * e)


def test_cylinder_lies_on_its_circle() -> None:
    """A sharp cylinder has its vertices on the circle and the volume of its prism."""
    mesh = build("cylinder", {"radius_m": 0.02, "height_m": 0.05, "segments": 64})
    expected = 32 * np.sin(2 * np.pi / 64) * 0.02**2 * 0.05
    assert as_trimesh(mesh).volume == pytest.approx(expected, rel=1e-12)


def test_die_pips() -> None:
    """Counting the pips that are cut into each side gives the side's value, and opposite sides sum to seven."""
    mesh = build("die", {"size_m": 0.016})
    pips = as_trimesh(mesh, 1).split(only_watertight=False, repair=False)
    assert len(pips) == 21
    centres = np.array([p.vertices.mean(axis=0) for p in pips])
    side = np.abs(centres).argmax(axis=1)
    counted = {}
    for value, normal in NORMALS.items():
        axis = int(np.abs(normal).argmax())
        counted[value] = int(((side == axis) & (np.sign(centres[:, axis]) == normal[axis])).sum())
        assert mesh.keypoints[f"face_{value}"] == pytest.approx(0.008 * np.array(normal))
    assert counted == {n: n for n in range(1, 7)}
    for value, normal in NORMALS.items():
        assert NORMALS[7 - value] == tuple(-n for n in normal)


def test_die_is_western() -> None:
    """Seen from their common corner, 1, 2 and 3 follow each other counter-clockwise."""
    one, two, three = (np.array(NORMALS[n]) for n in (1, 2, 3))
    assert np.dot(one, np.cross(two, three)) == 1


def test_die_pip_depth() -> None:
    """The bottom of every pip lies `pip_depth_m` under its side."""
    mesh = build("die", {"size_m": 0.016, "pip_depth_m": 0.0007})
    for pip in as_trimesh(mesh, 1).split(only_watertight=False, repair=False):
        bottom = np.abs(pip.vertices).max(axis=1).min()
        assert bottom == pytest.approx(0.008 - 0.0007, abs=1e-9)


def test_die_with_round_corners() -> None:
    """A die cut by a ball touches it with its corners, keeps its six flat faces, and still has 21 pips."""
    mesh = build("die", {"size_m": 0.016, "ball": 0.72})
    assert mesh.extents == pytest.approx(np.full(3, 0.016), abs=1e-9)
    radius = np.linalg.norm(mesh.vertices, axis=1)
    assert radius.max() == pytest.approx(0.72 * 0.016, abs=2e-6)
    assert np.linalg.norm(mesh.keypoints["corner_7"]) == pytest.approx(0.72 * 0.016)
    assert len(as_trimesh(mesh, 1).split(only_watertight=False, repair=False)) == 21


def test_a_ball_may_not_cut_the_pips() -> None:
    """A ball so small that a corner pip would hang over its edge is refused, with what to change."""
    with pytest.raises(AssetError, match="cuts the corner pips: lower spread or pip_m, or raise ball"):
        build("die", {"size_m": 0.016, "ball": 0.62})


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 1), (2, 2)])
def test_bracket_holes_go_through(rows: int, columns: int) -> None:
    """The surface has one handle per hole: each leg's grid is really punched."""
    mesh = build("bracket", {"rows": rows, "columns": columns, "slot_m": 0.004})
    assert genus(as_trimesh(mesh)) == 2 * rows * columns


def test_bracket_bending_keeps_the_volume() -> None:
    """Bent on its middle fibre, the bracket holds as much metal as its blank, less the broken edges."""
    p = BracketParams()
    length = p.flat_a + p.bend_length + p.flat_b
    holes = 2 * p.rows * np.pi * (p.hole_m / 2) ** 2
    area = length * p.width_m - (4 - np.pi) * p.corner_m**2 - holes
    rim = 2 * (length + p.width_m) + 2 * p.rows * np.pi * p.hole_m
    expected = area * p.thickness_m - 2 * (1 - np.pi / 4) * p.edge_m**2 * rim
    assert as_trimesh(build("bracket", {})).volume == pytest.approx(expected, rel=3e-3)


def test_bracket_outside_lengths() -> None:
    """The legs have their outside lengths, and the bracket its width."""
    mesh = build("bracket", {"leg_a_m": 0.06, "leg_b_m": 0.045, "width_m": 0.03})
    assert mesh.extents == pytest.approx([0.06, 0.03, 0.045], abs=1e-9)


@pytest.mark.parametrize(("kind", "expected"), [("elbow", 1), ("tee", 2), ("union", 1)])
def test_pipe_fitting_is_bored_through(kind: str, expected: int) -> None:
    """Of any size, an elbow and a union are one ring topologically, and a tee a ring with one more opening."""
    for size in PIPE_SIZES:
        fitting = as_trimesh(build("pipe_fitting", {"kind": kind, "size": size}))
        assert (fitting.body_count, genus(fitting)) == (1, expected)


@pytest.mark.parametrize("size", PIPE_SIZES)
def test_pipe_thread_diameters(size: str) -> None:
    """In a union's thread the crests reach the minor radius and the roots the major one."""
    thread = PIPE_SIZES[size]
    mesh = build("pipe_fitting", {"kind": "union", "size": size})
    z, r = np.abs(mesh.vertices[:, 2]), np.hypot(mesh.vertices[:, 0], mesh.vertices[:, 1])
    top = mesh.extents[2] / 2
    inside = (z > top - 4 * thread.pitch) & (z < top - 2 * thread.pitch) & (r < thread.major / 2 + 1e-5)
    assert r[inside].min() == pytest.approx(thread.minor / 2, rel=0.01)
    assert r[inside].max() == pytest.approx(thread.major / 2, rel=0.01)


def test_pipe_ports_are_centre_to_end() -> None:
    """The ports of an elbow lie at the centre-to-end length of EN 10242 from the crossing of its axes."""
    points = {k: np.array(v) for k, v in build("pipe_fitting", {"kind": "elbow", "size": "1/2"}).keypoints.items()}
    assert points["port_x"] - points["centre"] == pytest.approx([0.028, 0, 0])
    assert points["port_z"] - points["centre"] == pytest.approx([0, 0, 0.028])


def test_mug_has_a_handle_and_holds_coffee() -> None:
    """The mug's surface has one handle, and a ray into it meets the bottom inside, not a lid."""
    mesh = build("mug", {})
    assert genus(as_trimesh(mesh)) == 1
    assert first_hit_z(mesh) == pytest.approx(mesh.keypoints["bottom_inside"][2], abs=1e-6)


def test_mug_parts_lie_where_they_should() -> None:
    """The inside glaze faces the axis, the lip is the top band, the foot the lowest faces."""
    mesh = build("mug", {})
    middle = mesh.vertices[mesh.faces].mean(axis=1)
    normal = as_trimesh(mesh).face_normals
    inside = mesh.face_part == mesh.part_names.index("inside")
    towards_axis = -np.einsum("ij,ij->i", middle[:, :2], normal[:, :2])
    assert (towards_axis[inside] + normal[inside, 2] > 0).all()
    top = mesh.vertices[:, 2].max()
    assert middle[mesh.face_part == mesh.part_names.index("lip"), 2].min() > top - 0.0045
    assert middle[mesh.face_part == mesh.part_names.index("foot"), 2].max() < -top + 0.0015


@pytest.mark.parametrize("size", CAN_SIZES)
def test_can_size(size: str) -> None:
    """A can has the body diameter and the height of its size, and four pieces: body, lid, tab, rivet."""
    mesh = build("can", {"size": size})
    diameter, _, height = CAN_SIZES[size]
    assert mesh.extents == pytest.approx([diameter, diameter, height], rel=2e-3)
    assert as_trimesh(mesh).body_count == 4


def test_can_print_covers_the_wall() -> None:
    """On the printed wall u follows the angle and v grows with the height, from 0 to 1 over the wall."""
    mesh = build("can", {})
    assert mesh.uv is not None
    corners = mesh.vertices[mesh.faces]
    wall = (mesh.face_part == 0)[:, None] & (np.hypot(corners[..., 0], corners[..., 1]) > 0.0330)
    u, v = mesh.uv[wall][:, 0], mesh.uv[wall][:, 1]
    turn = np.arctan2(corners[wall][:, 1], corners[wall][:, 0]) / (2 * np.pi)
    assert np.allclose((u - turn) - np.rint(u - turn), 0, atol=1e-6)
    assert v.min() >= 0 and v.max() <= 1
    assert np.corrcoef(v, corners[wall][:, 2])[0, 1] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("kind", STYLES)
def test_bottle_is_hollow(kind: str) -> None:
    """A ray down the open neck reaches the inside of the punt."""
    radius = np.mean(STYLES[kind].radius)
    params = {"kind": kind, "radius_m": radius, "height_m": 7 * radius, "closure": "open"}
    mesh = build("bottle", params)
    glass = as_trimesh(mesh, 0)
    assert genus(glass) == 0
    assert glass.volume < 0.45 * np.pi * radius**2 * 7 * radius
    assert mesh.keypoints["punt"][2] < first_hit_z(mesh) < mesh.keypoints["punt"][2] + 0.008


def test_bottle_closed_has_a_cap() -> None:
    """Only a closed bottle has the part and the keypoint of its closure."""
    closed, opened = build("bottle", {}), build("bottle", {"closure": "open"})
    assert closed.part_names == ("body", "label", "cap") and opened.part_names == ("body", "label")
    assert "cap_top" in closed.keypoints and "cap_top" not in opened.keypoints


def test_crown_cork_has_21_flutes() -> None:
    """The skirt of a crown cork waves 21 times around (DIN 6099)."""
    mesh = build("bottle", {"kind": "beer"})
    cap = as_trimesh(mesh, 2)
    v = mesh.vertices[np.unique(cap.faces)]
    rim = v[v[:, 2] < v[:, 2].min() + 1e-6]
    r, angle = np.hypot(rim[:, 0], rim[:, 1]), np.arctan2(rim[:, 1], rim[:, 0])
    outer = r[np.argsort(angle)].reshape(-1, 2).max(axis=1)  # the rim is two rings
    assert np.abs(np.fft.rfft(outer - outer.mean())).argmax() == 21
    assert 2 * r.max() == pytest.approx(0.0321, abs=0.0003)


@pytest.mark.parametrize("angle", [150.0, 360.0])
def test_label_uv_spans_the_label(angle: float) -> None:
    """The texture runs once across the label, whatever angle it covers."""
    mesh = build("bottle", {"label_deg": angle})
    assert mesh.uv is not None
    uv = mesh.uv[mesh.face_part == 1].reshape(-1, 2)
    assert np.ptp(uv, axis=0) == pytest.approx([1, 1], abs=0.02 if angle == 360 else 1e-5)
