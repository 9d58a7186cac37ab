"""The BOP folder, read as the benchmark's rules say, against the dataset, its masks and its meshes."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import OpenEXR
import pytest
import trimesh
from scipy import ndimage
from scipy.spatial.distance import pdist

import scenewright as sw
from scenewright.datasets.exporters import bop as bop_format
from scenewright.datasets.exporters.bop_models import ply
from scenewright.datasets.exporters.formats import export_dataset
from scenewright.datasets.records import Record, iter_records
from scenewright.errors import UsageError
from scenewright.render.labels import InstanceLabel
from scenewright.scenes.build import meshes_of
from scenewright.scenes.rays import cast

from .commands import RECIPE

Vec = npt.NDArray[np.float64]
Json = dict[str, Any]


@dataclass(frozen=True)
class Shown:
    """One object of one image, as the export has it, and as the dataset has it."""

    record: Record
    label: InstanceLabel
    pose: Json
    info: Json
    camera: Json
    mask: npt.NDArray[np.bool_]
    seen: npt.NDArray[np.bool_]
    depth: npt.NDArray[np.uint16]


@pytest.fixture(scope="module")
def bop(parts_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bop") / "x"
    export_dataset(parts_set, "bop", out)
    return out


@pytest.fixture(scope="module")
def shown(bop: Path, parts_set: Path) -> list[Shown]:
    """Every object of every image, by the format's file names; PNGs must be 8-bit and 16-bit grey."""
    found = []
    for record in iter_records(parts_set):
        place = bop / f"{record.split}_pbr/000000"
        camera, poses, infos = (
            json.loads((place / f"scene_{name}.json").read_bytes())[str(record.index)]
            for name in ("camera", "gt", "gt_info")
        )
        labels = [i for i in record.instances if i.category_id and i.amodal_area]
        depth = grey(place / f"depth/{record.index:06d}.png", np.uint16)
        for k, (label, pose, info) in enumerate(zip(labels, poses, infos, strict=True)):
            name = f"{record.index:06d}_{k:06d}.png"
            masks = [grey(place / kind / name, np.uint8) for kind in ("mask", "mask_visib")]
            assert all(set(np.unique(m)) <= {0, 255} for m in masks)
            found.append(Shown(record, label, pose, info, camera, masks[0] > 0, masks[1] > 0, depth))
    assert len(found) > 15
    return found


def grey(path: Path, kind: type) -> npt.NDArray[Any]:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert picture is not None and picture.dtype == kind and picture.ndim == 2
    return np.asarray(picture)


def read_ply(path: Path) -> tuple[Vec, Vec, npt.NDArray[np.int32]]:
    """Vertices, normals and triangles of a binary PLY with the properties that the toolkit's reader knows."""
    head, _, body = path.read_bytes().partition(b"end_header\n")
    lines = head.decode("ascii").splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    counts = {line.split()[1]: int(line.split()[2]) for line in lines if line.startswith("element")}
    assert [line.split()[-1] for line in lines if line.startswith("property float")] == [
        "x",
        "y",
        "z",
        "nx",
        "ny",
        "nz",
    ]
    assert "property list uchar int vertex_indices" in lines
    points = np.frombuffer(body, "<f4", 6 * counts["vertex"]).reshape(-1, 6).astype(float)
    faces = [struct.unpack_from("<B3i", body, 24 * counts["vertex"] + 13 * k) for k in range(counts["face"])]
    assert {f[0] for f in faces} == {3} and len(body) == 24 * counts["vertex"] + 13 * counts["face"]
    return points[:, :3], points[:, 3:], np.array(faces)[:, 1:]


def extent(mask: npt.NDArray[np.bool_]) -> list[int]:
    rows, columns = np.nonzero(mask)
    if len(rows) == 0:
        return [-1, -1, -1, -1]
    x, y = columns.min(), rows.min()
    return [int(n) for n in (x, y, columns.max() - x + 1, rows.max() - y + 1)]


def test_models_lie_in_their_masks(bop: Path, shown: list[Shown]) -> None:
    """Vertices of the PLY that nothing hides, by written pose and intrinsics, lie within 0.5 px of the visible mask.

    The mask is cast at quarter pixels: at whole ones it leaves out what is thinner than a pixel.
    """
    checked, quarter = 0, {}
    for one in shown:
        scene = one.record.scene
        if scene.index not in quarter:
            zoom = {name: 4 * getattr(scene.camera, name) for name in ("width", "height", "fx", "fy", "cx", "cy")}
            fine = scene.replace(camera=scene.camera.model_copy(update=zoom))
            quarter[scene.index] = cast(fine, meshes_of(fine))
        rays = quarter[scene.index]
        points = read_ply(bop / f"models/obj_{one.pose['obj_id']:06d}.ply")[0]
        cam = points @ np.reshape(one.pose["cam_R_m2c"], (3, 3)).T + one.pose["cam_t_m2c"]
        at = cam @ np.reshape(one.camera["cam_K"], (3, 3)).T
        column, row = np.rint(4 * (at[:, :2] / at[:, 2:] + 0.5) - 0.5).astype(int).T
        inside = (column >= 0) & (row >= 0) & (column < 640) & (row < 480)
        column, row, z = column[inside], row[inside], cam[inside, 2] / 1000
        clear = z < rays.depth_m[row, column] + 1e-4
        far = ndimage.distance_transform_edt(rays.ids != one.label.id)[row, column][clear]
        assert far.max(initial=0) <= 4 * 0.5, (one.label.category, far.max())
        checked += int(clear.sum())
    assert checked > 2000


def test_masks_are_those_of_the_dataset(parts_set: Path, shown: list[Shown]) -> None:
    """What is seen is what the id image shows; the whole mask holds it, and has the label's pixels."""
    for one in shown:
        ids = grey(parts_set / one.record.ids, np.uint16)
        assert (one.seen == (ids == one.label.id)).all()
        assert one.mask[one.seen].all() and one.mask.sum() == one.label.amodal_area
        assert extent(one.mask) == list(one.label.amodal_bbox or ())


def test_pictures_and_depth_are_those_of_the_dataset(bop: Path, parts_set: Path, shown: list[Shown]) -> None:
    """The picture is copied, and depth times depth_scale is the dataset's in millimetres."""
    for record in iter_records(parts_set):
        copy = bop / f"{record.split}_pbr/000000/rgb/{record.index:06d}.png"
        assert copy.read_bytes() == (parts_set / record.image).read_bytes()
    for one in shown:
        np.testing.assert_allclose(
            one.depth * one.camera["depth_scale"], 1.0 * grey(parts_set / one.record.depth, np.uint16)
        )


def test_what_is_said_of_masks_is_what_they_show(shown: list[Shown]) -> None:
    """Counts and boxes of what is seen, and pixels with depth, follow from the written PNGs."""
    for one in shown:
        assert one.info["px_count_visib"] == one.seen.sum()
        assert one.info["bbox_visib"] == extent(one.seen)
        assert one.info["px_count_valid"] == (one.mask & (one.depth > 0)).sum()
        assert one.info["visib_fract"] == one.info["px_count_visib"] / one.info["px_count_all"]


def test_silhouettes_go_on_beyond_the_border(shown: list[Shown]) -> None:
    """As the toolkit does it on a canvas three times as wide and high: all pixels exactly, the box within a pixel."""
    cut, canvases = 0, {}
    for one in shown:
        scene = one.record.scene
        if scene.index not in canvases:
            c = scene.camera
            large = {"width": 3 * c.width, "height": 3 * c.height, "cx": c.cx + c.width, "cy": c.cy + c.height}
            wide = scene.replace(camera=c.model_copy(update=large))
            canvases[scene.index] = cast(wide, meshes_of(wide))
        alone = canvases[scene.index].amodal[one.label.id]
        assert one.info["px_count_all"] == pytest.approx(
            alone.mask.sum(), abs=2
        )  # the engines may round an edge otherwise
        x, y, w, h = extent(alone.mask)
        left, top = x + alone.x - 160, y + alone.y - 120
        sides = np.array([left, top, left + w, top + h])
        a, b, c, d = one.info["bbox_obj"]
        assert np.abs(sides - [a, b, a + c, b + d]).max() <= 1
        cut += a < 0 or b < 0 or a + c > 160 or b + d > 120
    assert cut >= 2


def test_there_is_a_model_for_each_mesh_and_scale(bop: Path, parts_set: Path, shown: list[Shown]) -> None:
    """Numbers count from 1 without a gap, go with mesh and scale one to one, and `objects.json` says what is what."""
    pairs = set()
    for one in shown:
        thing = next(t for t in one.record.scene.objects if t.id == one.label.id)
        pairs.add((one.pose["obj_id"], thing.mesh.sha256, thing.scale))
    assert len({p[0] for p in pairs}) == len({p[1:] for p in pairs}) == len(pairs)
    about = json.loads((bop / "objects.json").read_bytes())
    assert sorted(map(int, about)) == list(range(1, len(about) + 1))
    assert sorted(p.name for p in (bop / "models").glob("*.ply")) == [
        f"obj_{n:06d}.ply" for n in range(1, len(about) + 1)
    ]
    assert all((about[str(n)]["mesh"]["sha256"], about[str(n)]["scale"]) == (sha, scale) for n, sha, scale in pairs)
    things = [t for r in iter_records(parts_set) for t in r.scene.objects if t.category_id]
    assert sum(entry["instances"] for entry in about.values()) == len(things)
    assert json.loads((bop / "export.json").read_bytes())["notes"][0].startswith(f"{len(about)} models of 2 categories")


def test_models_info_measures_the_models(bop: Path) -> None:
    """Box and diameter (the largest distance of two vertices) are those of the vertices in the file, millimetres."""
    infos = json.loads((bop / "models/models_info.json").read_bytes())
    for number, info in infos.items():
        points = read_ply(bop / f"models/obj_{int(number):06d}.ply")[0]
        assert points.min(axis=0) == pytest.approx([info[f"min_{a}"] for a in "xyz"], abs=1e-4)
        assert np.ptp(points, axis=0) == pytest.approx([info[f"size_{a}"] for a in "xyz"], abs=1e-4)
        hull = trimesh.convex.convex_hull(points).vertices
        assert info["diameter"] == pytest.approx(pdist(hull).max(), rel=1e-4)
        assert 3 < info["diameter"] < 400


def test_a_cube_has_the_normals_of_its_corners(tmp_path: Path) -> None:
    """Weighted by angle each side of a cube counts once, however it is cut into triangles: (±1, ±1, ±1) / √3."""
    corners = np.array([[x, y, z] for x in (-5, 5) for y in (-5, 5) for z in (-5, 5)], float)
    cube = trimesh.convex.convex_hull(corners)
    (tmp_path / "cube.ply").write_bytes(ply(np.asarray(cube.vertices), np.asarray(cube.faces, np.int32)))
    points, normals, faces = read_ply(tmp_path / "cube.ply")
    np.testing.assert_allclose(normals, np.sign(points) / np.sqrt(3), atol=1e-6)
    assert trimesh.Trimesh(points, faces).volume == pytest.approx(1000)
    again = trimesh.load(tmp_path / "cube.ply")
    assert np.asarray(again.vertices).shape == (8, 3)


def test_a_scene_is_a_thousand_indices(parts_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scene and image number are quotient and remainder of the index, here by 4, whatever the splits."""
    monkeypatch.setattr(bop_format, "SCENE_IMAGES", 4)
    export_dataset(parts_set, "bop", tmp_path)
    for record in iter_records(parts_set):
        scene, image = divmod(record.index, 4)
        place = tmp_path / f"{record.split}_pbr/{scene:06d}"
        assert (place / f"rgb/{image:06d}.png").read_bytes() == (parts_set / record.image).read_bytes()
        assert str(image) in json.loads((place / "scene_gt.json").read_bytes())
    assert sum(1 for _ in tmp_path.glob("*_pbr/*/rgb/*")) == 6


def small(recipe: Path, folder: Path, *changes: str) -> Path:
    """One picture of two boxes."""
    assert sw.generate(sw.load(str(recipe), list(changes)), 1, folder).complete
    return folder


def only(out: Path, pattern: str) -> Path:
    (found,) = out.glob(f"*_pbr/000000/{pattern}")
    return found


def test_depth_in_metres_becomes_steps(recipe: Path, tmp_path: Path) -> None:
    """Depth of an EXR dataset is within half a step of 0.1 mm, and 0 where there is no surface."""
    folder = small(recipe, tmp_path / "d", "dataset.depth_format=exr", "surface.size=[0.16,0.16]")
    export_dataset(folder, "bop", tmp_path / "x")
    with OpenEXR.File(str(folder / "depth/000000.exr")) as file:
        metres = np.asarray(file.channels()["Z"].pixels).astype(float)
    steps = grey(only(tmp_path / "x", "depth/000000.png"), np.uint16)
    camera = json.loads(only(tmp_path / "x", "scene_camera.json").read_bytes())["0"]
    assert camera["depth_scale"] == pytest.approx(0.1)
    there = np.isfinite(metres)
    assert 0 < there.mean() < 1 and (steps[~there] == 0).all()
    assert np.abs(steps[there] * camera["depth_scale"] - 1000 * metres[there]).max() <= 0.0501


def test_depth_too_far_for_its_steps_is_none(recipe: Path, tmp_path: Path) -> None:
    """A surface beyond 65535 steps would be a wrong one in the export: it is 0 there, and a note counts its pixels."""
    folder = small(recipe, tmp_path / "d", "dataset.depth_unit_mm=0.001")
    told = export_dataset(folder, "bop", tmp_path / "x")
    stored = grey(folder / "depth/000000.png", np.uint16)
    steps = grey(only(tmp_path / "x", "depth/000000.png"), np.uint16)
    far = int((stored == 65535).sum())
    assert far and (steps == np.where(stored == 65535, 0, stored)).all()
    assert any(note.startswith(f"{far} pixels are too far") for note in told.notes)


def test_a_lens_is_refused(recipe: Path, tmp_path: Path) -> None:
    """Poses and a matrix cannot say where a distorted picture shows an object: nothing is written."""
    folder = small(recipe, tmp_path / "d", "camera.distortion={model: brown_conrady, k1: -0.1}")
    with pytest.raises(UsageError, match=r"image 0 was taken through a lens \(brown_conrady\), and BOP knows pinholes"):
        export_dataset(folder, "bop", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_models_of_users_files_come_from_the_dataset(tmp_path: Path) -> None:
    """A mesh file that is gone from its place is read from the dataset's assets; its model has its size in mm."""
    trimesh.creation.box((30, 20, 10)).export(tmp_path / "part.stl")
    text = RECIPE.replace("shape: box, params: {x_m: 0.02, y_m: 0.02, z_m: 0.02}", "path: part.stl, unit: mm")
    (tmp_path / "t.yaml").write_text(text)
    folder = small(tmp_path / "t.yaml", tmp_path / "d")
    (tmp_path / "part.stl").unlink()
    export_dataset(folder, "bop", tmp_path / "x")
    info = json.loads((tmp_path / "x/models/models_info.json").read_bytes())["1"]
    assert sorted(info[f"size_{a}"] for a in "xyz") == pytest.approx([10, 20, 30])
    assert info["diameter"] == pytest.approx(np.sqrt(1400))
