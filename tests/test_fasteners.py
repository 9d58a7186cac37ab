from __future__ import annotations

from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest
import shapely
import trimesh
from pydantic import ValidationError

from scenewright.assets.mesh import Mesh
from scenewright.assets.shapes.bearing import DESIGNATIONS, BearingParams, bearing, bearing_rand
from scenewright.assets.shapes.fastener_tables import HEX_HEAD, NUT, PITCH, SIZES, SOCKET_HEAD, WASHER, Size
from scenewright.assets.shapes.gear import GearParams, gear, gear_rand, tooth_outline
from scenewright.assets.shapes.hex_bolt import HexBoltParams, hex_bolt, hex_bolt_rand
from scenewright.assets.shapes.nut import NutParams, nut
from scenewright.assets.shapes.ring_walk import RingWalk, angles, hexagon, ring, round_corners
from scenewright.assets.shapes.shank import metric
from scenewright.assets.shapes.socket_screw import SocketScrewParams, socket_screw, socket_screw_rand
from scenewright.assets.shapes.spring import SpringParams, spring, spring_rand
from scenewright.assets.shapes.thread import Cone, RunOut, thread_grid
from scenewright.assets.shapes.washer import WasherParams, washer

Floats = npt.NDArray[np.float64]
MM = 1e-3


def solid(mesh: Mesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices / MM, mesh.faces, process=False)


def section(mesh: Mesh, height: float) -> Floats:
    """(N, 2) points of the cut at z = height, mm."""
    lines = trimesh.intersections.mesh_plane(solid(mesh), (0, 0, 1), (0, 0, height))
    return np.asarray(lines.reshape(-1, 3)[:, :2], dtype=np.float64)


def polar(vertices: Floats) -> tuple[Floats, Floats, Floats]:
    """Radius, angle and height of (N, 3) points."""
    return np.hypot(vertices[:, 0], vertices[:, 1]), np.arctan2(vertices[:, 1], vertices[:, 0]), vertices[:, 2]


@pytest.mark.parametrize(
    ("size", "d1", "d2", "d3"),
    [("M3", 2.459, 2.675, 2.387), ("M8", 6.647, 7.188, 6.466), ("M12", 10.106, 10.863, 9.853)],
)
def test_thread_diameters_are_those_of_iso_724(size: Size, d1: float, d2: float, d3: float) -> None:
    """Minor, pitch and root diameters agree with the published tables to a micrometre."""
    thread = metric(size)
    assert [thread.minor_diameter, thread.pitch_diameter, thread.root_diameter] == pytest.approx([d1, d2, d3], abs=1e-3)


@pytest.mark.parametrize("size", SIZES)
def test_bolt_crests_follow_a_right_hand_helix_of_the_iso_pitch(size: Size) -> None:
    """Every crest vertex has the phase z / P − θ / 2π of one right-hand helix, within the crest's P / 8 flat."""
    p = HexBoltParams(size=size, length_m=round(4 * float(size[1:])) * MM)
    mesh = hex_bolt(p)
    d, pitch = float(size[1:]), PITCH[size]
    r, angle, z = polar(mesh.vertices / MM)
    tip = mesh.keypoints["shank_end"][2] / MM
    crest = (np.abs(r - d / 2) < 1e-6) & (z > tip + 2 * pitch) & (z < tip + 3 * d - 3 * pitch)
    assert crest.sum() > 100
    turn = np.exp(2j * np.pi * (z[crest] / pitch - angle[crest] / (2 * np.pi)))
    off = np.angle(turn / turn.mean()) / (2 * np.pi)
    assert np.abs(off).max() == pytest.approx(1 / 16, abs=1e-3)


@pytest.mark.parametrize("size", SIZES)
def test_nut_takes_its_bolt(size: Size) -> None:
    """A nut's narrowest radius is D₁ / 2, outside the bolt's root and inside its crest, and its grooves reach d / 2."""
    r, _, z = polar(nut(NutParams(size=size)).vertices / MM)
    thread = metric(size)
    middle = np.abs(z) < NUT[size].m / 4
    assert r.min() == pytest.approx(thread.minor_diameter / 2)
    assert thread.root_diameter / 2 < r.min() < thread.diameter / 2
    assert r[middle & (r < 0.6 * thread.diameter)].max() == pytest.approx(thread.diameter / 2)


def test_thread_volume_is_the_integral_of_its_profile() -> None:
    """Closing a bare thread gives the volume π ∫ r² dz of its profile, times the polygon's share of the circle."""
    thread, n = metric("M8"), 60
    bottom, top, p = 0.0, 40.0, thread.pitch
    root = thread.root_diameter / 2
    ends = Cone(root - 0.1, 1.0), Cone(root - 0.1, -1.0)
    grid, shift = thread_grid(thread.external(), p, bottom, top, *ends, angles(n))
    walk = RingWalk().to(np.array([[0.0, 0, bottom]])).tube(grid, shift).to(np.array([[0.0, 0, top]]))
    got = trimesh.Trimesh(*walk.arrays(), process=False)
    profile = np.vstack([thread.external(), thread.external()[:1] + np.array([1, 0])])
    a, b = profile[:-1, 1], profile[1:, 1]
    mean_square = (np.diff(profile[:, 0]) * (a * a + a * b + b * b) / 3).sum()
    depth = thread.diameter / 2 - root
    assert got.is_watertight
    polygon = n / (2 * np.pi) * np.sin(2 * np.pi / n)
    assert got.volume == pytest.approx(np.pi * mean_square * (top - bottom) * polygon, abs=2 * np.pi * 4 * depth**2)


@pytest.mark.parametrize("high", [Cone(2.9, -1.0), RunOut(3.6, 6.0, 8.0)])
def test_thread_stays_inside_its_cones_and_ends_on_circles(high: Cone | RunOut) -> None:
    """No vertex of a bolt's thread lies outside the chamfer, and the grid's first and last rows are level circles."""
    thread = metric("M8")
    grid, _ = thread_grid(thread.external(), thread.pitch, 0.0, 10.0, Cone(2.9, 1.0), high, angles(40))
    r, z = np.hypot(grid[..., 0], grid[..., 1]), grid[..., 2]
    assert (r <= 2.9 + z + 1e-9).all()
    assert isinstance(high, RunOut) or (r <= high.radius + (10 - z) + 1e-9).all()
    assert np.allclose(r[:, 0], 2.9) and np.allclose(z[:, 0], 0)
    assert np.allclose(r[:, -1], high.radius) and np.allclose(z[:, -1], 10)
    assert (np.diff(z, axis=1) > 0).all()


@pytest.mark.parametrize("size", SIZES)
def test_hexagons_have_the_standard_width_across_flats(size: Size) -> None:
    """Bolt heads and nuts measure s across flats, and across corners 1.1 s (ISO) to the sharp 1.155 s."""
    for mesh, s in (
        (hex_bolt(HexBoltParams(size=size, length_m=4 * float(size[1:]) * MM)), HEX_HEAD[size].s),
        (nut(NutParams(size=size)), NUT[size].s),
    ):
        assert mesh.extents[1] == pytest.approx(s * MM)
        assert 1.1 * s * MM < mesh.extents[0] < 1.1548 * s * MM


@pytest.mark.parametrize("size", SIZES)
def test_screw_heights_are_head_plus_length(size: Size) -> None:
    """A bolt is k + l tall, a socket screw d + l, a nut m, a washer h: the standards' dimensions, exactly."""
    length = 5 * float(size[1:]) * MM
    assert hex_bolt(HexBoltParams(size=size, length_m=length)).extents[2] == pytest.approx(
        length + HEX_HEAD[size].k * MM
    )
    screw = socket_screw(SocketScrewParams(size=size, length_m=length)).extents
    assert screw[2] == pytest.approx(length + float(size[1:]) * MM)
    assert screw[0] == pytest.approx(SOCKET_HEAD[size].dk * MM)
    assert nut(NutParams(size=size)).extents[2] == pytest.approx(NUT[size].m * MM)
    assert washer(WasherParams(size=size)).extents == pytest.approx(
        np.array([WASHER[size].d2] * 2 + [WASHER[size].h]) * MM
    )


@pytest.mark.parametrize("size", SIZES)
def test_a_hexagon_key_fits_the_socket(size: Size) -> None:
    """Halfway down, the socket's cross-section is a hexagon s across flats."""
    mesh = socket_screw(SocketScrewParams(size=size, length_m=4 * float(size[1:]) * MM, knurled=False))
    height = mesh.extents[2] / 2 / MM - 0.6 * SOCKET_HEAD[size].t
    cut = section(mesh, height)
    hole = cut[np.hypot(*cut.T) < 0.6 * SOCKET_HEAD[size].s]
    assert np.ptp(hole[:, 1]) == pytest.approx(SOCKET_HEAD[size].s)


def test_plain_shank_has_the_nominal_diameter() -> None:
    """An ISO 4014 bolt is a cylinder of the nominal diameter between its head and b from its tip."""
    mesh = hex_bolt(HexBoltParams(size="M8", length_m=0.06, thread="partial"))
    low, high = mesh.keypoints["thread_start"][2] / MM + 0.5, mesh.keypoints["neck"][2] / MM - 1
    for height in np.linspace(low, high, 4):
        assert np.hypot(*section(mesh, height).T).max() == pytest.approx(4.0, rel=1e-6)


def test_washer_volume_is_the_ring_less_its_edges() -> None:
    """The rolled and torn edges take less than 4 % from the plain ring's volume, and something."""
    for size in SIZES:
        d1, d2, h = WASHER[size]
        polygon = 72 / (2 * np.pi) * np.sin(2 * np.pi / 72)
        share = solid(washer(WasherParams(size=size))).volume / (np.pi / 4 * (d2**2 - d1**2) * h * polygon)
        assert 0.96 < share < 1


@pytest.mark.parametrize("teeth", [12, 17, 23, 41, 60])
def test_gear_has_as_many_teeth_as_asked(teeth: int) -> None:
    """The strongest angular frequency of the tip-to-root outline is the number of teeth, and both radii are ISO's."""
    p = gear_rand(np.random.default_rng(1), {"teeth": teeth, "module_m": 0.001})
    outline = tooth_outline(p)
    r, angle = np.hypot(*outline.T), np.unwrap(np.arctan2(outline[:, 1], outline[:, 0]))
    even = np.interp(np.linspace(angle[0], angle[0] + 2 * np.pi, 4096, endpoint=False), angle, r, period=2 * np.pi)
    assert np.abs(np.fft.rfft(even - even.mean())).argmax() == teeth
    assert [r.max(), r.min()] == pytest.approx([p.tip_diameter_m / 2 / MM, p.root_diameter_m / 2 / MM], rel=2e-3)
    assert shapely.Polygon(outline).is_valid


def test_gear_flanks_are_involutes_and_half_the_pitch_thick() -> None:
    """Flank normals touch the base circle (the law of gearing), and a tooth is π m / 2 thick on the pitch circle."""
    p = GearParams(module_m=0.002, teeth=30, bore_m=0.012, hub_diameter_m=0.03, width_m=0.01)
    outline = tooth_outline(p)
    r, angle = np.hypot(*outline.T), np.arctan2(outline[:, 1], outline[:, 0])
    flank = (angle > 0) & (angle < np.pi / 30) & (r > 28.8) & (r < 31.4)
    points = outline[flank]
    chord, middle = np.diff(points, axis=0), (points[1:] + points[:-1]) / 2
    from_axis = np.abs((chord * middle).sum(axis=1)) / np.linalg.norm(chord, axis=1)
    assert from_axis == pytest.approx(np.full(len(chord), 30 * np.cos(np.deg2rad(20))), rel=2e-3)
    order = np.argsort(r[flank])
    assert 2 * 30 * np.interp(30, r[flank][order], angle[flank][order]) == pytest.approx(np.pi, rel=2e-3)


def test_gear_keyway_is_that_of_din_6885() -> None:
    """A 10 mm bore has a slot 3 mm wide that reaches 1.4 mm beyond the bore."""
    mesh = gear(GearParams(module_m=0.0015, teeth=24, bore_m=0.01, hub_diameter_m=0.018, hub_length_m=0.0))
    cut = section(mesh, 0.1)
    bore = cut[np.hypot(*cut.T) < 8]
    assert bore[:, 0].max() == pytest.approx(5 + 1.4, rel=1e-4)
    assert bore[:, 0].min() == pytest.approx(-5, rel=1e-4)
    assert np.ptp(bore[bore[:, 0] > 5.5][:, 1]) == pytest.approx(3, rel=1e-3)


@pytest.mark.parametrize("ends", ["ground", "closed", "open"])
def test_spring_has_its_length_and_diameter(ends: str) -> None:
    """A spring is length_m tall (to the tilt of its wire) and its outside diameter is D + d."""
    p = SpringParams.model_validate({"ends": ends, "wire_m": 0.0015, "diameter_m": 0.012, "length_m": 0.03})
    size = spring(p).extents
    assert size[2] == pytest.approx(0.03, rel=1e-6 if ends == "ground" else 1e-3)
    assert size[0] == pytest.approx(0.0135, rel=1e-2)


def test_spring_wire_has_the_volume_of_its_helix() -> None:
    """Volume = wire section × arc length √((π D)² + p²) per coil, for the polygon that stands for the circle."""
    p = SpringParams(wire_m=0.001, diameter_m=0.01, coils=10, length_m=0.04, ends="open")
    section = 16 / 2 * np.sin(2 * np.pi / 16) * 0.5**2
    assert p.pitch_m == pytest.approx((0.04 - 0.001) / 10)
    assert solid(spring(p)).volume == pytest.approx(section * 10 * np.hypot(np.pi * 10, 3.9), rel=0.01)


def test_ground_spring_stands_on_most_of_a_turn() -> None:
    """Grinding leaves a flat of at least 200° of the end coil, on both ends."""
    p = SpringParams(wire_m=0.002, diameter_m=0.02, coils=8, length_m=0.05, ends="ground")
    mesh = spring(p)
    body = solid(mesh)
    for level in (-25.0, 25.0):
        rim = mesh.vertices[np.abs(mesh.vertices[:, 2] / MM - level) < 1e-6]
        covered = np.unique(np.rint(np.rad2deg(np.arctan2(rim[:, 1], rim[:, 0])) / 10))
        flat = body.area_faces[(np.abs(body.triangles[..., 2] - level) < 1e-6).all(axis=1)].sum()
        assert len(covered) >= 20
        assert flat > 200 / 360 * np.pi * 20 * 2 * 0.7


def test_left_handed_spring_is_the_mirror_image() -> None:
    """left_handed mirrors the coils and nothing else."""
    p = SpringParams(ends="closed")
    right, left = spring(p), spring(p.model_copy(update={"left_handed": True}))
    assert np.allclose(np.sort(right.vertices[:, 2]), np.sort(left.vertices[:, 2]), atol=1e-9)
    assert right.keypoints["middle"][1] == pytest.approx(-left.keypoints["middle"][1])
    assert solid(right).volume == pytest.approx(solid(left).volume, rel=5e-3)  # the quads split the other way
    assert solid(left).volume > 0


@pytest.mark.parametrize(("designation", "balls"), [("608", 7), ("6000", 7), ("6005", 10), ("6204", 8)])
def test_bearing_has_the_balls_of_the_catalogue(designation: str, balls: int) -> None:
    """The filling rule gives the ball counts of common makers, and neighbours do not touch."""
    mesh = bearing(BearingParams.model_validate({"designation": designation}))
    part = mesh.faces[mesh.face_part == mesh.part_names.index("balls")]
    pieces = trimesh.Trimesh(mesh.vertices / MM, part, process=True).split()
    assert len(pieces) == balls
    centres = np.array([piece.centroid for piece in pieces])
    gaps = np.linalg.norm(centres[:, None] - centres[None], axis=-1)[~np.eye(balls, dtype=bool)]
    assert gaps.min() > np.ptp(pieces[0].vertices[:, 2])


def test_bearings_have_the_boundary_dimensions_of_iso_15() -> None:
    """Outside diameter and width are the table's, and the narrowest radius is the bore's, open or shielded."""
    for designation, (d, outside, width, _) in DESIGNATIONS.items():
        for closure in ("open", "shielded"):
            mesh = bearing(BearingParams.model_validate({"designation": designation, "closure": closure}))
            assert mesh.extents == pytest.approx(np.array([outside, outside, width]) * MM)
            assert polar(mesh.vertices)[0].min() == pytest.approx(d / 2 * MM)
            assert set(np.unique(mesh.face_part)) == set(range(len(mesh.part_names)))


def test_balls_rest_in_the_raceways_without_cutting_them() -> None:
    """A ball's largest section touches neither ring beyond the chord error of their polygons."""
    mesh = bearing(BearingParams(designation="6204"))
    part = {n: mesh.vertices[np.unique(mesh.faces[mesh.face_part == i])] / MM for i, n in enumerate(mesh.part_names)}
    ball = 0.29 * (47 - 20)
    ring_points = part["rings"][np.abs(np.arctan2(part["rings"][:, 1], part["rings"][:, 0])) < 0.01]
    distance = np.linalg.norm(ring_points - (16.75, 0, 0), axis=1)
    assert distance.min() == pytest.approx(ball / 2, rel=0.01)


def test_hexagon_radii_lie_on_flats_and_corner_arcs() -> None:
    """Every vertex is s / 2 from the axis along its flat's normal, or on the corner's arc."""
    at, radius = hexagon(10.0, 0.5)
    points = ring(radius, 0.0, at)[:, :2]
    normals = np.deg2rad(30 + 60 * np.arange(6))
    reach = (points @ np.stack([np.cos(normals), np.sin(normals)])).max(axis=1)
    assert reach.max() == pytest.approx(5.0)
    centres = (
        (5 - 0.5)
        / np.cos(np.pi / 6)
        * np.stack([np.cos(np.deg2rad(60 * np.arange(6))), np.sin(np.deg2rad(60 * np.arange(6)))], 1)
    )
    from_corner = np.linalg.norm(points[:, None] - centres, axis=-1).min(axis=1)
    assert (np.isclose(reach, 5) | np.isclose(from_corner, 0.5)).all()
    assert (np.diff(at) > 0).all()


def test_round_corners_draws_tangent_arcs() -> None:
    """A right angle rounded with radius 1 passes at √2 − 1 from its corner and starts one radius before it."""
    path = round_corners(np.array([(0.0, 0), (5, 0), (5, 5)]), (0, 1, 0), steps=4, support=0.5)
    assert path[1] == pytest.approx((3.5, 0)) and path[2] == pytest.approx((4, 0)) and path[-3] == pytest.approx((5, 1))
    assert np.linalg.norm(path[4] - (5, 0)) == pytest.approx(np.sqrt(2) - 1)


@pytest.mark.parametrize("size", SIZES)
def test_the_longest_screws_stay_within_the_triangle_budget(size: Size) -> None:
    """Even ten diameters of thread take no more than 25,000 triangles."""
    length = 10 * float(size[1:]) * MM
    assert len(hex_bolt(HexBoltParams(size=size, length_m=length)).faces) <= 25_000
    assert len(socket_screw(SocketScrewParams(size=size, length_m=length)).faces) <= 25_000
    assert len(gear(gear_rand(np.random.default_rng(0), {"teeth": 60})).faces) <= 25_000


@pytest.mark.parametrize(
    ("params", "values", "words"),
    [
        (HexBoltParams, {"size": "M8", "length_m": 0.02, "thread": "partial"}, "thread: full"),
        (HexBoltParams, {"size": "M3", "length_m": 0.1}, "0.0300 m, got 0.1000"),
        (HexBoltParams, {"size": "M7"}, "M8"),
        (SocketScrewParams, {"size": "M12", "length_m": 0.005}, "0.0140"),
        (SpringParams, {"wire_m": 0.004, "diameter_m": 0.008}, "got 2.00"),
        (SpringParams, {"length_m": 0.005}, "change either"),
        (GearParams, {"bore_m": 0.014}, "widen the hub"),
        (GearParams, {"hub_diameter_m": 0.022}, "narrow the hub"),
        (GearParams, {"teeth": 5}, "greater than or equal to 10"),
        (BearingParams, {"designation": "9999"}, "'608'"),
    ],
)
def test_impossible_parts_are_refused_with_advice(
    params: type[HexBoltParams], values: dict[str, object], words: str
) -> None:
    """A part that the standards do not have is an error that names the limit or the choices."""
    with pytest.raises(ValidationError, match="(?s)" + words.replace(".", r"\.")):
        params.model_validate(values)


def test_random_parts_honour_what_is_given() -> None:
    """Given values are kept, what is drawn fits them, and nothing else moves when one is given."""
    for seed in range(12):
        bolt = hex_bolt_rand(np.random.default_rng(seed), {"thread": "partial"})
        assert bolt.thread == "partial"
        assert hex_bolt_rand(np.random.default_rng(seed), {"size": bolt.size, "thread": "partial"}) == bolt
        assert socket_screw_rand(np.random.default_rng(seed), {"size": "M5"}).size == "M5"
        assert spring_rand(np.random.default_rng(seed), {"length_m": 0.02}).length_m == 0.02
        assert spring_rand(np.random.default_rng(seed), {"diameter_m": 0.02}).diameter_m == 0.02
        assert spring_rand(np.random.default_rng(seed), {"wire_m": 0.001, "coils": 6}).coils == 6
        assert gear_rand(np.random.default_rng(seed), {"teeth": 12}).teeth == 12
        assert bearing_rand(np.random.default_rng(seed), {"designation": "608"}).designation == "608"


def test_every_size_in_the_type_has_its_tables() -> None:
    """The literal type and the dimension tables name the same sizes."""
    assert (
        get_args(Size) == SIZES == tuple(PITCH) == tuple(HEX_HEAD) == tuple(NUT) == tuple(WASHER) == tuple(SOCKET_HEAD)
    )
