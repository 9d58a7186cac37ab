"""Users' meshes: right size, right way up, and a message for whatever is wrong with them."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import trimesh

from scenewright.assets import mesh_files
from scenewright.assets.files import remember
from scenewright.assets.mesh_files import DEFAULTS, UNITS, UP_AXES, load_mesh, read_mesh
from scenewright.errors import AssetError

#: File, unit, and the size in millimetres that the part's own numbers say.
PARTS = [
    ("1002_tray_bottom.STL", "mm", (355.6, 3.175, 355.6), True),
    ("plate_holes.STL", "mm", (203.2, 304.8, 12.7), True),
    ("angle_block.STL", "in", (34.0, 25.4, 34.34), True),
    ("featuretype.STL", "in", (127.0, 63.5, 34.925), True),
    ("idler_riser.STL", "in", (67.46, 75.01, 15.875), True),
    ("cycloidal.ply", "in", (47.63, 47.61, 28.12), False),
    ("fuze.obj", "m", (72.61, 73.51, 215.13), True),
]


def box(extents: tuple[float, float, float] = (10.0, 20.0, 40.0)) -> trimesh.Trimesh:
    return trimesh.creation.box(extents=extents)


def saved(mesh: trimesh.Trimesh | trimesh.Scene, path: Path, **options: object) -> Path:
    mesh.export(path, **options)
    return path


def text(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


@pytest.mark.parametrize(("name", "unit", "size_mm", "closed"), PARTS)
def test_real_parts(shared: Path, name: str, unit: str, size_mm: tuple[float, float, float], closed: bool) -> None:
    """Real CAD parts load in their unit, centred, with nothing dropped, and say whether they are closed."""
    found = read_mesh(shared / "real" / "parts" / name, unit, "z")
    np.testing.assert_allclose(found.mesh.extents * 1000, size_mm, atol=0.01)
    np.testing.assert_allclose(found.mesh.vertices.min(axis=0), -found.mesh.vertices.max(axis=0), atol=1e-12)
    assert (found.is_closed, found.is_consistent, found.dropped_faces) == (closed, True, 0)


def test_real_textured_object(shared: Path) -> None:
    """The textured bottle keeps one UV per corner though its seam is joined."""
    path = shared / "real" / "parts" / "fuze.obj"
    mesh = load_mesh(path, "m", "z")
    assert mesh.vertices.shape == (502, 3)
    assert mesh.uv is not None
    assert mesh.uv.shape == (1000, 3, 2)


@pytest.mark.parametrize("suffix", [".stl", ".ply", ".obj", ".glb"])
def test_every_format_gives_the_same_box(tmp_path: Path, suffix: str) -> None:
    """A box is 8 vertices and 12 faces of the same size in each format, however the format stores it."""
    mesh = load_mesh(saved(box(), tmp_path / f"box{suffix}"), "mm", "z")
    assert (mesh.vertices.shape, mesh.faces.shape) == ((8, 3), (12, 3))
    np.testing.assert_allclose(mesh.extents, (0.01, 0.02, 0.04), rtol=1e-6)


def test_ascii_stl(tmp_path: Path) -> None:
    """An STL in text form is read as the binary one."""
    path = saved(box(), tmp_path / "box.stl", file_type="stl_ascii")
    assert path.read_bytes().startswith(b"solid")
    np.testing.assert_allclose(load_mesh(path, "mm").extents, (0.01, 0.02, 0.04), rtol=1e-6)


@pytest.mark.parametrize(
    ("unit", "metres"), [("m", 1), ("cm", 0.01), ("mm", 1e-3), ("um", 1e-6), ("in", 0.0254), ("ft", 0.3048)]
)
def test_units(tmp_path: Path, unit: str, metres: float) -> None:
    """Every unit has its length in metres; a part of 0.1 m in that unit comes out as 0.1 m."""
    assert UNITS[unit] == metres
    path = saved(box((0.1 / metres,) * 3), tmp_path / "cube.obj")
    np.testing.assert_allclose(load_mesh(path, unit).extents, 0.1, rtol=1e-6)


@pytest.mark.parametrize("up", list(UP_AXES))
def test_up_axis_turns_to_z_without_mirroring(tmp_path: Path, up: str) -> None:
    """Each rotation is proper and carries the named axis to +z: an off-centre marker says so on a real mesh."""
    rotation = np.array(UP_AXES[up], dtype=float)
    axis = np.eye(3)["xyz".index(up[-1])] * (-1 if up.startswith("-") else 1)
    np.testing.assert_array_equal(rotation @ axis, (0, 0, 1))
    np.testing.assert_array_equal(rotation @ rotation.T, np.eye(3))
    assert np.linalg.det(rotation) == 1
    tip = trimesh.creation.cone(radius=0.1, height=1.0, transform=trimesh.geometry.align_vectors((0, 0, 1), axis))
    mesh = load_mesh(saved(tip, tmp_path / "cone.ply"), "m", up)
    top = mesh.vertices[mesh.vertices[:, 2] > 0.4]
    assert len(top) == 1  # the cone's tip, not its base
    assert trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).volume > 0


def test_format_defaults(tmp_path: Path) -> None:
    """Without a unit, an STL is in millimetres and a GLB in metres with y up."""
    assert DEFAULTS[".stl"] == ("mm", "z")
    np.testing.assert_allclose(load_mesh(saved(box(), tmp_path / "a.stl")).extents, (0.01, 0.02, 0.04), rtol=1e-6)
    np.testing.assert_allclose(load_mesh(saved(box(), tmp_path / "a.glb")).extents, (10, 40, 20), rtol=1e-6)


def test_glb_transforms_and_mirrors(tmp_path: Path) -> None:
    """Nodes of a scene graph stand where it puts them, and a mirrored one still has its faces outward."""
    scene = trimesh.Scene()
    scene.add_geometry(box((1, 1, 1)), transform=np.diag([-1.0, 1.0, 1.0, 1.0]))
    scene.add_geometry(box((1, 1, 1)), transform=trimesh.transformations.translation_matrix((3, 0, 0)))
    found = read_mesh(saved(scene, tmp_path / "two.glb"), "m", "z")
    np.testing.assert_allclose(found.mesh.extents, (4, 1, 1), rtol=1e-6)
    assert found.is_closed
    assert trimesh.Trimesh(found.mesh.vertices, found.mesh.faces, process=False).volume == pytest.approx(2.0)


def test_uvs_stay_with_their_corners(tmp_path: Path) -> None:
    """Two triangles that share an edge but not its UVs share vertices after loading and keep both sets of UVs."""
    path = text(
        tmp_path / "seam.obj",
        "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 1 1 0.5\n"
        "vt 0 0\nvt 0.25 0\nvt 0 0.25\nvt 0.75 0\nvt 0.5 0.75\nvt 0.75 1\n"
        "f 1/1 2/2 3/3\nf 2/4 4/6 3/5\n",
    )
    mesh = load_mesh(path)
    assert mesh.vertices.shape == (4, 3)
    assert mesh.uv is not None
    expected = {(0, 0, 0): {(0, 0)}, (1, 0, 0): {(0.25, 0), (0.75, 0)}, (0, 1, 0): {(0, 0.25), (0.5, 0.75)}}
    corner = np.array([0.5, 0.5, 0.25])  # the loader moved the centre of the box to the origin
    for place, uvs in expected.items():
        at = np.isclose(mesh.vertices[mesh.faces] + corner, place).all(axis=2)
        assert {tuple(uv) for uv in mesh.uv[at].tolist()} == uvs


def test_degenerate_faces_are_dropped_and_counted(tmp_path: Path) -> None:
    """A triangle on a line is left out and counted, and one that collapses when vertices are joined too."""
    extra = "v 5 0 0\nf 1 9 1\nv 0.5 -0.5 -0.5\nf 1 1 2\n"
    base = trimesh.exchange.obj.export_obj(box((1, 1, 1)), include_normals=False)
    found = read_mesh(text(tmp_path / "d.obj", base + "\n" + extra))
    assert found.mesh.faces.shape == (12, 3)
    assert found.dropped_faces == 2
    assert found.is_closed


def test_what_no_face_shows_does_not_count(tmp_path: Path) -> None:
    """Stray vertices, even NaN ones, move neither the centre nor the size."""
    points = np.vstack([TETRAHEDRON, [(50, 50, 50), (np.nan, 0, 0)]])
    rows = "\n".join(" ".join(map(str, point)) for point in points)
    header = "".join(f"property float {axis}\n" for axis in "xyz")
    path = text(
        tmp_path / "stray.ply",
        f"ply\nformat ascii 1.0\nelement vertex 6\n{header}element face 4\nproperty list uchar int vertex_indices\n"
        f"end_header\n{rows}\n3 0 2 1\n3 0 1 3\n3 0 3 2\n3 1 2 3\n",
    )
    mesh = load_mesh(path)
    np.testing.assert_array_equal(mesh.vertices.min(axis=0), (-0.5, -0.5, -0.5))
    np.testing.assert_array_equal(mesh.vertices.max(axis=0), (0.5, 0.5, 0.5))


def test_open_and_badly_wound_meshes_are_told_not_repaired(tmp_path: Path) -> None:
    """A missing face and a turned face stay as they are in the file, and the facts say so."""
    cube = box()
    opened = trimesh.Trimesh(cube.vertices, cube.faces[1:], process=False)
    turned = trimesh.Trimesh(cube.vertices, np.vstack([cube.faces[:1, ::-1], cube.faces[1:]]), process=False)
    first = read_mesh(saved(opened, tmp_path / "open.ply"), "mm")
    second = read_mesh(saved(turned, tmp_path / "turned.ply"), "mm")
    assert (first.is_closed, first.is_consistent, len(first.mesh.faces)) == (False, True, 11)
    assert (second.is_closed, second.is_consistent, len(second.mesh.faces)) == (True, False, 12)


def test_same_content_is_the_same_object_and_read_only(tmp_path: Path) -> None:
    """Loading by path, by a twin's path and by reference gives one cached mesh that nobody can change."""
    first, second = tmp_path / "a.stl", tmp_path / "b" / "a.stl"
    saved(box(), first)
    second.parent.mkdir()
    second.write_bytes(first.read_bytes())
    mesh = load_mesh(first, "mm")
    assert load_mesh(second, "mm") is mesh
    assert load_mesh(remember(first), "mm") is mesh
    assert load_mesh(first, "cm") is not mesh
    with pytest.raises(ValueError, match="read-only"):
        mesh.vertices[0, 0] = 1.0


def stl(faces: int, corners: npt.NDArray[np.float32]) -> bytes:
    record = np.zeros(len(corners), dtype=[("n", "<f4", 3), ("v", "<f4", (3, 3)), ("a", "<u2")])
    record["v"] = corners
    return b"\0" * 80 + struct.pack("<I", faces) + record.tobytes()


TETRAHEDRON = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)], dtype=np.float32)
SOLID = TETRAHEDRON[[(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)]]
BAD_FILES: dict[str, tuple[str, bytes, str | None, str]] = {
    "suffix": ("part.step", b"ISO-10303-21;", None, r"part\.step: \.step is no mesh format; export as \.obj, \.stl"),
    "no suffix": ("part", b"solid", None, "no suffix is no mesh format"),
    "unit": ("p.stl", stl(4, SOLID), "furlong", "unit 'furlong' is unknown; choose one of m, cm, mm, um, in, ft"),
    "empty": ("e.stl", b"", None, r"e\.stl is empty"),
    "not a mesh": ("n.stl", b"\x89PNG\r\n\x1a\n" * 40, None, "no STL file.*it has 320"),
    "text, no mesh": ("n.ply", b"dear sir", None, "no readable PLY file"),
    "prose as obj": ("n.obj", b"this is a letter\n", None, r"no faces|no readable OBJ file"),
    "cut STL": ("c.stl", stl(4, SOLID)[:-20], None, "cut off.*284 bytes would hold the 4 triangles.*it has 264"),
    "cut text STL": ("c.stl", b"solid a\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex", None, "cut off"),
    "cut GLB": ("c.glb", b"glTF\2\0\0\0\xff\0\0\0", None, "no readable GLB file"),
    "no faces": ("o.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\n", None, r"no faces|no readable OBJ"),
    "point cloud": (
        "p.ply",
        b"ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nproperty float y\nproperty float z\nend_header\n"
        b"0 0 0\n1 1 1\n",
        None,
        "no faces: export it as triangles",
    ),
    "NaN": ("nan.stl", stl(4, np.where(SOLID == 1, np.nan, SOLID)), None, "3 vertices are NaN or infinite|are NaN"),
    "one point": ("pt.stl", stl(1, np.ones((1, 3, 3), np.float32)), None, "no extent"),
    "flat": ("flat.stl", stl(1, SOLID[:1]), None, r"is flat \(1 × 1 × 0 mm\): give it a thickness"),
    "line": ("line.obj", b"v 0 0 0\nv 1 1 1\nv 2 2 2\nf 1 2 3\n", None, "is flat"),
    "inside out": ("in.stl", stl(4, SOLID[:, ::-1]), None, r"inside out \(volume -1\.67e-10 m³\): flip its normals"),
    "absent vertex": ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 7\n", None, "no readable OBJ file|does not have"),
    "too large": ("big.stl", stl(4, SOLID * 355.6), "m", r"355\.6 m across with unit: m.*Did you mean unit: mm\?"),
    "too small": ("small.stl", stl(4, SOLID * 0.09), "um", r"9e-08 m across.*Did you mean unit: m\?"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files_have_a_message(tmp_path: Path, case: str) -> None:
    """Every kind of unusable mesh is an asset error that names the file and says what to do."""
    name, content, unit, message = BAD_FILES[case]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(AssetError, match=message) as caught:
        load_mesh(path, unit)
    assert name in str(caught.value)


def test_up_axis_must_be_one_of_six(tmp_path: Path) -> None:
    """A wrong up axis is refused with the choice."""
    with pytest.raises(AssetError, match="up axis 'up' is unknown; choose one of z, -z"):
        load_mesh(saved(box(), tmp_path / "b.stl"), "mm", "up")


def test_too_many_triangles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mesh over the limit, which is two million triangles, is refused with the remedy."""
    assert mesh_files.MAX_TRIANGLES == 2_000_000
    monkeypatch.setattr(mesh_files, "MAX_TRIANGLES", 11)
    with pytest.raises(AssetError, match=r"has 12 triangles, more than 11: decimate it"):
        load_mesh(saved(box((1, 2, 7)), tmp_path / "dense.stl"))


@pytest.mark.parametrize("suffix", [".stl", ".ply", ".glb"])
def test_a_cut_at_any_place_is_an_asset_error(tmp_path: Path, suffix: str) -> None:
    """A binary file cut off anywhere never loads and never raises anything else."""
    whole = saved(box(), tmp_path / f"whole{suffix}").read_bytes()
    for length in range(1, len(whole), max(1, len(whole) // 60)):
        path = tmp_path / f"cut{length}{suffix}"
        path.write_bytes(whole[:length])
        with pytest.raises(AssetError, match=path.name):
            load_mesh(path, "mm")
