"""The images that a recipe asks for beside a picture: what they say, what their files give back, and their checks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import scenewright as sw
from scenewright.assets.mesh import Mesh
from scenewright.datasets.maps import LAYOUT, decode, encode
from scenewright.datasets.png import decode_ids
from scenewright.datasets.records import read_record, record_path
from scenewright.datasets.validate import validate
from scenewright.errors import DatasetError, LabelError, RecipeError
from scenewright.pipeline import rerender
from scenewright.render import nocs, normals
from scenewright.render.flat import FlatEngine
from scenewright.render.frame import Frame
from scenewright.render.geometry import points
from scenewright.render.labels import InstanceLabel, label
from scenewright.render.panoptic import from_colors, panoptic, segments, stuff_labels, to_colors
from scenewright.render.semantic import semantic
from scenewright.scenes.bodies import bodies
from scenewright.scenes.build import meshes_of
from scenewright.scenes.cameras import image
from scenewright.scenes.lenses import BrownConrady, Fisheye
from scenewright.scenes.load import recipe_from_dict
from scenewright.scenes.rays import RayView, cast
from scenewright.scenes.recipe import Recipe
from scenewright.scenes.sample import sample
from scenewright.scenes.scene import Scene

Arrays = npt.NDArray[Any]
OUTPUTS = ["boxes3d", "flow", "nocs", "normals", "panoptic", "semantic"]


def parts(**more: Any) -> Recipe:
    """Bolts, mugs and clutter in a tray, small."""
    return recipe_from_dict(
        {
            "name": "parts",
            "objects": {
                "count": 4,
                "assets": [
                    {"category": "bolt", "shape": "hex_bolt"},
                    {"category": "mug", "shape": "mug", "scale": 0.6},
                ],
            },
            "distractors": {"count": 2, "assets": [{"category": "clutter", "shape": "sphere"}]},
            "placement": {"area": [0.4, 0.3]},
            "container": {"kind": "tray", "params": {"x_m": 0.45, "y_m": 0.35}},
            "camera": {"distance": 0.6, "elevation_deg": 55},
            "render": {"engine": "flat", "size": [160, 120]},
            "outputs": OUTPUTS,
            **more,
        },
        None,
    )


Seen = tuple[Scene, dict[int, Mesh], RayView, tuple[InstanceLabel, ...]]


@pytest.fixture(scope="module")
def seen() -> Seen:
    scene = sample(parts(), 0)
    meshes = meshes_of(scene)
    rays = cast(scene, meshes, triangles=True)
    return scene, meshes, rays, label(scene, meshes, rays.ids, rays)


def hits(scene: Scene, meshes: Mapping[int, Mesh], rays: RayView) -> Arrays:
    """(h, w, 3) points that pixels see, in the camera frame: where their rays meet the planes of the seen triangles."""
    from scenewright.scenes.cameras import pixel_directions

    toward, out = pixel_directions(scene.camera), np.full((*rays.ids.shape, 3), np.nan)
    assert rays.triangle is not None
    for body in bodies(scene, meshes):
        there = np.nonzero(rays.ids == body.raw_id)
        corners = body.mesh.vertices[body.mesh.faces[rays.triangle[there]]] * body.scale
        pose = scene.camera.extrinsics @ body.pose
        a, b, c = (corners @ pose[:3, :3].T + pose[:3, 3]).transpose(1, 0, 2)
        normal = np.cross(b - a, c - a)
        t = np.einsum("nk,nk->n", a, normal) / np.einsum("nk,nk->n", toward[there], normal)
        out[there] = toward[there] * t[:, None]
    return out


def test_object_coordinates_lead_back_to_pixel_and_depth(seen: Seen) -> None:
    """From the stored NOCS, size and pose of a label follow the pixel within 0.001 px and the depth within 0.01 mm."""
    scene, meshes, rays, labels = seen
    steps = nocs.to_steps(nocs.nocs(scene, meshes, rays.ids, points(scene.camera, rays.depth_m)))
    found = nocs.from_steps(steps)
    assert (np.isnan(found).all(axis=2) == (rays.ids == 0)).all()
    for item in labels:
        rows, columns = np.nonzero(rays.ids == item.id)
        pose = np.array(item.cam_T_object)
        at = (found[rows, columns] - 0.5) * item.size_m @ pose[:3, :3].T + pose[:3, 3]
        uv = image(scene.camera, at)
        # Half a step of 16 bits, seen from the side, is what moves a point off its pixel's centre.
        step_px = scene.camera.fx * np.linalg.norm(item.size_m) / 131068 / at[:, 2]
        assert (np.abs(uv - np.column_stack([columns, rows]) - 0.5).max(axis=1) <= 1e-3 + step_px).all()
        assert np.abs(at[:, 2] - rays.depth_m[rows, columns]).max() < 1e-5


def test_unrounded_object_coordinates_project_to_their_pixel(seen: Seen) -> None:
    """Before they are rounded to 16 bits, object coordinates project within 0.001 px of their pixel's centre."""
    scene, meshes, rays, labels = seen
    found = nocs.nocs(scene, meshes, rays.ids, points(scene.camera, rays.depth_m)).astype(np.float64)
    for item in labels:
        rows, columns = np.nonzero(rays.ids == item.id)
        pose = np.array(item.cam_T_object)
        uv = image(scene.camera, (found[rows, columns] - 0.5) * item.size_m @ pose[:3, :3].T + pose[:3, 3])
        assert np.abs(uv - np.column_stack([columns, rows]) - 0.5).max() < 1e-3


@pytest.mark.parametrize(
    "lens", [None, BrownConrady(k1=-0.2, p1=0.01), Fisheye(k1=-0.02)], ids=["none", "brown", "fisheye"]
)
def test_object_coordinates_against_ray_hits(seen: Seen, lens: Any) -> None:
    """Object coordinates from depth equal those of the points where rays meet triangles, through any lens."""
    scene, meshes, _, _ = seen
    scene = scene.replace(camera=scene.camera.model_copy(update={"lens": lens}))
    rays = cast(scene, meshes, triangles=True)
    found = nocs.nocs(scene, meshes, rays.ids, points(scene.camera, rays.depth_m))
    exact = hits(scene, meshes, rays)
    for item in scene.objects:
        there = rays.ids == item.id
        pose, size = scene.camera.extrinsics @ item.pose, meshes[item.id].extents * item.scale
        own = (exact[there] - pose[:3, 3]) @ pose[:3, :3] / size + 0.5
        assert (own > -1e-3).all() and (own < 1 + 1e-3).all()
        assert np.quantile(np.abs(found[there] - own), 0.999) < 1e-4


def test_normals_survive_their_encoding(seen: Seen) -> None:
    """Sixteen bits keep a normal to 1.6e-5 per axis, and 0, ±1 and nothing exactly."""
    frame = FlatEngine().render(seen[0], seen[1])
    assert frame.normals is not None
    back = normals.from_steps(normals.to_steps(frame.normals))
    assert np.abs(back - frame.normals).max() <= 0.5 / 32767 + 1e-7
    special = np.array([[[0, 0, -1], [1, 0, 0], [0, 0, 0]]], np.float32)
    np.testing.assert_array_equal(normals.from_steps(normals.to_steps(special)), special)
    assert (normals.to_steps(special)[0, 2] == 0).all()


def test_normals_are_those_of_the_depth(seen: Seen) -> None:
    """On smooth ground the normal is that of the plane through the neighbouring points, which depth alone gives."""
    scene, meshes, rays, _ = seen
    frame = FlatEngine().render(scene, meshes)
    assert frame.normals is not None
    p = points(scene.camera, rays.depth_m)
    plane = np.cross(p[1:-1, 2:] - p[1:-1, :-2], p[2:, 1:-1] - p[:-2, 1:-1])
    plane /= np.linalg.norm(plane, axis=2, keepdims=True)
    cosine = np.abs(np.einsum("hwk,hwk->hw", plane, frame.normals[1:-1, 1:-1]))
    flat = rays.stuff[1:-1, 1:-1] == 1
    assert flat.sum() > 1000 and np.quantile(cosine[flat], 0.1) > 0.9999
    assert (np.einsum("hwk,hwk->hw", p, frame.normals)[np.isfinite(rays.depth_m)] < 0).all()


def test_semantic_classes(seen: Seen) -> None:
    """Objects have their category, the surface and the tray the classes after the last, distractors none."""
    scene, _, rays, _ = seen
    found = semantic(scene, rays.ids, rays.stuff)
    assert scene.categories == ("bolt", "mug") and scene.stuff_categories == ("surface", "tray")
    for item in scene.objects:
        assert (found[rays.ids == item.id] == item.category_id).all()
    assert (found[rays.stuff == 1] == 3).all() and (found[rays.stuff == 2] == 4).all()
    assert set(np.unique(found)) == {0, 1, 2, 3, 4}
    with pytest.raises(LabelError, match="stuff categor"):
        semantic(scene.replace(stuff_categories=("surface",)), rays.ids, rays.stuff)


def test_panoptic_segments_cover_what_has_a_class(seen: Seen) -> None:
    """Each segment's pixels, box and category are those of the semantic map; void is background and distractors."""
    scene, _, rays, labels = seen
    found = panoptic(scene, labels, rays.ids, rays.stuff)
    np.testing.assert_array_equal(from_colors(to_colors(found)), found)
    classes = semantic(scene, rays.ids, rays.stuff)
    stuff = stuff_labels(scene, found)
    record = {
        "instances": [item.model_dump(mode="json") for item in labels],
        "stuff": [item.model_dump(mode="json") for item in stuff],
    }
    listed = segments(record)
    assert sorted(s["id"] for s in listed) == sorted(set(np.unique(found)) - {0})
    for segment in listed:
        mask = found == segment["id"]
        rows, columns = np.nonzero(mask)
        box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
        assert (segment["area"], list(segment["bbox"])) == (mask.sum(), box)
        assert (classes[mask] == segment["category_id"]).all()
    kept = {item.id for item in labels if item.annotated}
    np.testing.assert_array_equal(found == 0, (classes == 0) | ((rays.ids > 0) & ~np.isin(rays.ids, list(kept))))


@pytest.mark.parametrize("name", sorted(LAYOUT))
def test_maps_survive_their_files(name: Any) -> None:
    """What is stored in a PNG is what comes out of it, channel by channel; another size is refused."""
    bits, channels = LAYOUT[name]
    rng = np.random.default_rng(3)
    stored = rng.integers(0, 1 << bits, (7, 9, channels)[: 3 if channels > 1 else 2]).astype(f"uint{bits}")
    data = encode(name, stored)
    np.testing.assert_array_equal(decode(name, data, 9, 7), stored)
    with pytest.raises(DatasetError, match="9x7"):
        decode(name, data, 7, 9)
    with pytest.raises(DatasetError, match="bits"):
        encode(name, stored.astype(np.uint32))


def test_a_dataset_with_every_output(tmp_path: Path) -> None:
    """Every asked image is stored, hashed, found again by `validate` and `rerender`, and its damage is found."""
    assert sw.generate(parts(), 1, tmp_path / "d").complete
    assert list(validate(tmp_path / "d")) == []
    record = read_record(record_path(tmp_path / "d", 0))
    assert set(record.maps) == set(LAYOUT) == set(record.hashes.maps)

    def render(scene: Scene, _: str) -> Frame:
        return FlatEngine().render(scene, meshes_of(scene))

    assert rerender(tmp_path / "d", 0, render)[1]
    ids = decode_ids((tmp_path / "d" / record.ids).read_bytes(), 160, 120)
    path = tmp_path / "d" / record.maps["semantic"]
    stored = decode("semantic", path.read_bytes(), 160, 120)
    assert (stored[ids > 0] <= 2).all()
    path.write_bytes(encode("semantic", stored + np.uint8(1)))
    assert [f.message.split(" holds")[0] for f in validate(tmp_path / "d")] == ["semantic/000000.png"]
    path.unlink()
    assert any("is missing" in f.message for f in validate(tmp_path / "d"))
    assert sw.generate(parts(), 1, tmp_path / "d").rendered == 1
    assert list(validate(tmp_path / "d")) == []


def test_maps_of_another_dataset_are_foreign(tmp_path: Path) -> None:
    """A dataset without outputs has no place for their images."""
    assert sw.generate(parts(outputs=[]), 1, tmp_path / "d").complete
    (tmp_path / "d" / "normals").mkdir()
    assert [(f.path, f.severity) for f in validate(tmp_path / "d")] == [("normals", "warning")]


@pytest.mark.parametrize(
    ("outputs", "message"), [(["flow", "flow"], "must differ"), (["albedo"], "semantic")], ids=["twice", "unknown"]
)
def test_outputs_that_are_refused(outputs: list[str], message: str) -> None:
    """An output is named once, and among those that there are."""
    with pytest.raises(RecipeError, match=message):
        parts(outputs=outputs)


def test_more_classes_than_eight_bits() -> None:
    """A semantic map holds 254 classes; a recipe with more is refused when it asks for one."""
    many = {"categories": [f"c{i}" for i in range(251)] + ["bolt", "mug"]}
    with pytest.raises(RecipeError, match="254 classes"):
        parts(**many)
    parts(**many, outputs=["normals"])
