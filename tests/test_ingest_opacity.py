"""What users' own materials let through, from the file to the labels of both engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from scenewright.assets.cutouts import Cutout
from scenewright.assets.ingested import Source, read_ingested
from scenewright.assets.mesh_files import UserMesh
from scenewright.errors import AssetError
from scenewright.farm.one_scene import render_scene
from scenewright.render.ingester import ingest
from scenewright.render.labels import compare
from scenewright.scenes.build import meshes_of
from scenewright.scenes.ids import join_ids
from scenewright.scenes.load import recipe_from_dict
from scenewright.scenes.ray_normals import ray_normals
from scenewright.scenes.rays import cast
from scenewright.scenes.sample import sample
from scenewright.scenes.scene import Scene

from .small_recipe import RECIPE
from .test_engines import interior

pytestmark = [pytest.mark.render, pytest.mark.usefixtures("fresh_cache")]


def read(folder: Path, name: str, **options: Any) -> UserMesh:
    return read_ingested(ingest(Source(folder / name, **options)).mesh)


def scene_of(folder: Path, policy: Any, **asset: Any) -> Scene:
    """A plate that flies above boxes, seen from above."""
    recipe = {
        **RECIPE, "lights": [], "outputs": ["normals"],
        "objects": {"count": 10, "assets": [{"category": "box", "shape": "box", "scale": 0.5}]},
        "distractors": {"count": 2, "assets": [{"category": "sheet", **asset}]},
        "placement": {"area": [0.2, 0.15], "distractors": "fly", "air": [0.3, 0.4]},
        "camera": {"distance": 0.5, "elevation_deg": 80}, "render": {"size": [320, 240], "preset": "draft"},
        "labels": {"transparency": policy},
    }  # fmt: skip
    return sample(recipe_from_dict(recipe, folder, ingest=ingest), 1)


def left_half(cutout: Cutout) -> npt.NDArray[np.bool_]:
    """What the cut-out says along u, at the middle of v."""
    u = np.array([0.05, 0.3, 0.45, 0.55, 0.7, 0.95], np.float32)
    return cutout.covers(np.column_stack([u, np.full(6, 0.5, np.float32)]))


@pytest.mark.parametrize(
    ("file", "least"), [("sheet_mask.glb", 0.4), ("sheet_blend.glb", 0.5), ("mask", 0.4), ("blend", 0.5), ("mix", 0.5)]
)
def test_alpha_of_a_picture_becomes_a_cut_out(blends: Path, file: str, least: float) -> None:
    """The right half of the plate is there (of the mix shader the left one), from the alpha that the file says."""
    found = read(blends, file) if file.endswith("glb") else read(blends, "sheet.blend", collection=file)
    assert set(found.opacity.cutouts) == set(found.mesh.cutouts) and not found.opacity.unclear
    ((part, cutout),) = found.mesh.cutouts.items()
    assert part in file + "mask blend mix" and found.opacity.clear == frozenset()
    assert cutout.alpha.shape == (8, 8) and cutout.smooth
    assert cutout.least == pytest.approx(least, abs=1e-6) and cutout.inverted == (file == "mix")
    assert left_half(cutout).tolist() == ([True] * 3 + [False] * 3 if file == "mix" else [False] * 3 + [True] * 3)


@pytest.mark.parametrize("file", ["sheet_glass.glb", "sheet.blend"])
def test_transmission_makes_a_part_clear(blends: Path, file: str) -> None:
    """Glass of glTF and of Blender is clear, the rim beside it is opaque, and none of them is unclear."""
    found = read(blends, file, collection="glass" if file.endswith("blend") else None)
    assert found.opacity.clear == {"glass"} and not found.opacity.cutouts and not found.opacity.unclear


def test_nodes_that_would_never_end(blends: Path) -> None:
    """Two to the power of forty steps are not tried: the file is read, and says why nobody can tell."""
    found = read(blends, "sheet.blend", collection="chain")
    assert found.opacity.unclear == {"chain": "more than 1000 steps decide how much it lets through"}


def test_what_nodes_do_not_tell(blends: Path) -> None:
    """Alpha that noise decides is refused, with the reason, where labels are to look through it, and nowhere else."""
    asset = {"path": "sheet.blend", "collection": "noise"}
    assert scene_of(blends, "solid", **asset).objects[-1].see_through == ()
    with pytest.raises(AssetError, match=r"own material 'noise' lets through .*Noise Texture"):
        scene_of(blends, {"sheet": "see_through"}, **asset)
    replaced = scene_of(blends, {"sheet": "see_through"}, **asset, materials={"noise": "glass"})
    assert replaced.objects[-1].see_through == ("noise",)


@pytest.mark.parametrize("name", ["mask", "mix", "glass"])
def test_both_engines_see_through_users_materials(blends: Path, name: str) -> None:
    """Ids, depth and normals agree, and boxes behind the holes keep their pixels."""
    asset = {"path": "sheet.blend", "collection": name}
    solid, clear = (scene_of(blends, p, **asset) for p in ("solid", {"sheet": "see_through"}))
    assert (clear.objects[-1].cut_out, clear.objects[-1].see_through) == (
        ((), ("glass",)) if name == "glass" else ((name,), ())
    )
    meshes = meshes_of(clear)
    frame, rays = render_scene(clear, "cpu"), cast(clear, meshes, triangles=True)
    raw, ray_raw = join_ids(frame.ids, frame.stuff), join_ids(rays.ids, rays.stuff)
    assert compare(raw, ray_raw).passed, compare(raw, ray_raw)
    same = interior(raw) & (raw == ray_raw) & np.isfinite(rays.depth_m)
    assert frame.normals is not None
    assert (np.abs(frame.normals - ray_normals(clear, meshes, rays)).max(axis=2) < 1e-3)[same].mean() > 0.995
    assert (np.abs(frame.depth_m[same] / rays.depth_m[same] - 1) < 1e-4).mean() > 0.999
    before = cast(solid, meshes).ids
    sheets = np.isin(before, [o.id for o in solid.objects if o.category == "sheet"])
    boxes = [o.id for o in solid.objects if o.category == "box"]
    assert (np.isin(raw, boxes) & sheets).sum() > 80
    np.testing.assert_array_equal(rays.ids[~sheets], before[~sheets])
