"""Cycles against closed forms, against the ray engine and against itself. One render process serves all tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from scenewright.assets.material import Material
from scenewright.assets.materials import material
from scenewright.datasets.png import decode_rgb
from scenewright.datasets.records import read_record, record_path
from scenewright.farm.generate import generate
from scenewright.farm.one_scene import render_scene
from scenewright.farm.options import Options
from scenewright.farm.render_worker import MODULE
from scenewright.pipeline import rerender
from scenewright.render.doctor import blender
from scenewright.render.frame import Frame
from scenewright.render.labels import compare
from scenewright.render.worker import Worker
from scenewright.scenes.build import meshes_of
from scenewright.scenes.load import load
from scenewright.scenes.rays import cast
from scenewright.scenes.sample import sample
from scenewright.scenes.scene import RenderSettings, Scene

from .closed_forms import first, grid, layout, odd_camera, safe_ids, scene_of

pytestmark = pytest.mark.render

Cycles = Callable[[Scene], Frame]
AGREE = 0.9999
ONE_SAMPLE = RenderSettings(preset="test", samples=1, denoise=False)


@contextmanager
def process(folder: Path, threads: int, files: Iterable[Path] = ()) -> Iterator[Cycles]:
    """Cycles in a child process that renders one scene after the other; `files` are those that scenes refer to."""
    names = [str(path) for path in files]
    setup = {"kind": "scene", "engine": "cycles", "device": "cpu", "threads": threads, "files": names}
    worker = Worker(MODULE, setup, cores=threads)
    try:
        assert worker.receive() == {"ready": True, "device": "cpu"}

        def shoot(scene: Scene) -> Frame:
            target = folder / f"frame-{threads}.npz"
            worker.send({"scene": scene.to_json(), "target": str(target), "linear": False})
            answer = worker.receive()
            assert answer is not None, worker.post_mortem()
            assert answer["status"] == "ok", answer
            with np.load(target) as arrays:
                return Frame(**{name: arrays[name] for name in arrays.files})

        yield shoot
    finally:
        worker.stop()


@pytest.fixture(scope="module")
def cycles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cycles]:
    with process(tmp_path_factory.mktemp("frames"), threads=1) as shoot:
        yield shoot


def hardware(index: int, *options: str) -> Scene:
    """A scene of the built-in recipe, small and with one sample."""
    recipe = load("hardware", ["render.size=[320,240]", *options])
    return sample(recipe, index, seed=3).replace(render=ONE_SAMPLE)


def interior(ids: npt.NDArray[np.uint16]) -> npt.NDArray[np.bool_]:
    """Pixels whose neighbours within two pixels have the same id."""
    low, high = ndimage.minimum_filter(ids, 5), ndimage.maximum_filter(ids, 5)
    return np.asarray(low == high)


@pytest.mark.parametrize("seed", [0, 1])
def test_label_render_against_closed_forms(cycles: Cycles, seed: int) -> None:
    """No pixel of Cycles' ids is wrong whose centre is farther than 0.02 px from an outline, depth within 1e-5."""
    bodies, camera = layout(seed), odd_camera()
    scene, _ = scene_of(bodies, camera)
    frame = cycles(scene)
    ids, safe = safe_ids(bodies, camera)
    np.testing.assert_array_equal(frame.ids[safe], ids[safe])
    _, depth = first(bodies, camera, *grid(camera))
    inner = interior(ids.astype(np.uint16)) & (ids > 0)
    assert inner.sum() > 3000
    # The label render's filter is 0.01 px wide, which moves the depth of a steep side more than that of a flat one.
    error = np.abs(frame.depth_m[inner] / depth[inner] - 1)
    assert np.quantile(error, 0.9) < 1e-5 and error.max() < 1e-4
    assert np.isinf(frame.depth_m[(ids == 0) & safe]).all()


def test_objects_of_one_mesh_keep_their_own_labels(cycles: Cycles) -> None:
    """Objects that share a mesh keep their own id, place and scale, and glass hides what is behind it like plastic."""
    bodies, camera = layout(2)[:3], odd_camera()
    for body in tuple(bodies):
        moved = body.pose.copy()
        moved[:3, 3] *= -0.5
        bodies.append(replace(body, pose=moved, scale=0.8 * body.scale))
    scene, meshes = scene_of(bodies, camera)
    assert len({mesh.sha256 for mesh in meshes.values()}) == 3
    glass = {"body": Material(family="glass")}
    frame = cycles(scene.replace(objects=tuple(o.model_copy(update={"materials": glass}) for o in scene.objects)))
    ids, safe = safe_ids(bodies, camera)
    assert set(np.unique(ids[safe])) == set(range(7))
    np.testing.assert_array_equal(frame.ids[safe], ids[safe])


@pytest.mark.parametrize(
    ("index", "options"),
    [(0, ()), (1, ("camera.elevation_deg=25",)), (2, ("camera.fstop=2.0", "camera.focal_mm=50"))],
    ids=["as it is", "flat view, many hidden", "wide open lens"],
)
def test_both_engines_agree(cycles: Cycles, index: int, options: tuple[str, ...]) -> None:
    """Cycles and Embree give the same id in 99.99 % of the pixels and depths within 1e-4, through any lens."""
    scene = hardware(index, *options)
    frame, rays = cycles(scene), cast(scene, meshes_of(scene))
    verdict = compare(frame.ids, rays.ids)
    assert verdict.passed and verdict.agreement >= AGREE
    assert len(np.unique(frame.ids)) > 6
    same = interior(frame.ids) & (frame.ids == rays.ids) & np.isfinite(rays.depth_m)
    error = np.abs(frame.depth_m[same] / rays.depth_m[same] - 1)
    # Cycles samples within 0.01 px: on a flat view that is 1e-5 of the depth, over an edge within one id it is more.
    assert (error < 1e-4).mean() >= AGREE and np.median(error) < 1e-5


def test_amodal_masks_against_renders_of_each_object_alone(cycles: Cycles) -> None:
    """The amodal mask of an object is Cycles' mask of it alone in 99.99 % of the pixels, hidden parts included."""
    scene = hardware(4, "placement.area=[0.09, 0.07]", "objects.count=8", "camera.elevation_deg=25")
    rays = cast(scene, meshes_of(scene))
    hidden = sorted(scene.objects, key=lambda o: int((rays.ids == o.id).sum()) - int(rays.amodal[o.id].mask.sum()))
    assert any((rays.ids == o.id).sum() < 0.9 * rays.amodal[o.id].mask.sum() for o in hidden[:3])
    for item in hidden[:4]:
        alone = cycles(scene.replace(objects=(item,), surface=None, lights=())).ids == item.id
        amodal, (h, w) = rays.amodal[item.id], rays.amodal[item.id].mask.shape
        whole = np.zeros_like(alone)
        whole[amodal.y : amodal.y + h, amodal.x : amodal.x + w] = amodal.mask
        assert alone.sum() > 100
        assert (alone == whole).mean() >= AGREE


def test_threads_below_a_pixel_are_not_drawn(cycles: Cycles) -> None:
    """A cloth shows threads that span five pixels; where they span half a pixel, hardly any of it is left.

    What is left (a twelfth) is folds and noise; with threads and thick yarns still drawn it would be 0.3.
    """
    plain = hardware(5, "render.size=[80,60]", "camera.elevation_deg=80").replace(objects=())
    assert plain.surface is not None
    cloth = Material(family="fabric", values={**material("fabric", {}, 0).values, "thread_mm": 1.0}, seed=1)
    contrast = {}
    for span in (5.0, 0.5):
        focal = span / 0.001 * float(np.linalg.norm(plain.camera.extrinsics[:3, 3]))
        camera = plain.camera.model_copy(update={"fx": focal, "fy": focal, "fstop": None})
        scene = plain.replace(camera=camera, surface=plain.surface.model_copy(update={"material": cloth}))
        settings = RenderSettings(preset="test", samples=256, denoise=False, look="medium_high_contrast")
        grey = cycles(scene.replace(render=settings)).rgb.mean(axis=2)
        contrast[span] = float(np.std(grey - ndimage.uniform_filter(grey, 5)) / grey.mean())
    assert contrast[5.0] > 0.1 and contrast[0.5] < 0.15 * contrast[5.0], contrast


def test_pixels_do_not_depend_on_threads_or_process(cycles: Cycles, tmp_path: Path) -> None:
    """One scene gives identical pixels on two threads, on one thread, in a used and in a fresh process.

    Each pixel gets 4 to 32 samples, as its noise demands: that must not depend on them either.
    """
    settings = RenderSettings(preset="test", samples=32, min_samples=4, noise_threshold=0.05)
    scene = hardware(5, "render.size=[160,120]").replace(render=settings)
    one = cycles(scene)
    with process(tmp_path, threads=2) as shoot:
        two = shoot(scene)
    fresh = render_scene(scene, device="cpu")
    for other in (one, fresh):
        np.testing.assert_array_equal(two.rgb, other.rgb)
        np.testing.assert_array_equal(two.ids, other.ids)
        np.testing.assert_array_equal(two.depth_m, other.depth_m)


def test_every_image_has_its_own_noise(cycles: Cycles) -> None:
    """The same scene under another index keeps its labels and changes its noise, everywhere."""
    scene = hardware(6, "render.size=[160,120]")
    one, other = cycles(scene), cycles(scene.replace(index=7))
    np.testing.assert_array_equal(one.ids, other.ids)
    np.testing.assert_array_equal(one.depth_m, other.depth_m)
    assert (one.rgb != other.rgb).any(axis=-1).mean() > 0.5


def test_an_image_is_rendered_again_from_its_record_alone(tmp_path: Path) -> None:
    """Pixels rendered from a record, in another process, are those of the dataset."""
    recipe = load("hardware", ["render.size=[160,120]", "render.preset=draft", "objects.count=5"])
    result = generate(recipe, 1, tmp_path / "out", seed=2)
    assert result.complete and not result.failed
    frame, same = rerender(tmp_path / "out", 0, render_scene)
    assert same and frame.rgb.shape == (120, 160, 3)


@pytest.mark.gpu
def test_every_gpu_gives_the_labels_of_the_rays(tmp_path: Path) -> None:
    """Each backend that Cycles finds lights the picture, gives the ray engine's ids, and is named in the record."""
    recipe = load("hardware", ["render.size=[320,240]", "render.preset=draft", "objects.count=8"])
    for backend, names in blender().devices.items():
        folder = tmp_path / backend
        result = generate(recipe, 1, folder, seed=3, options=Options(device=backend))
        assert result.complete, result
        record = read_record(record_path(folder, 0))
        assert record.device == f"{backend}: {', '.join(names)}"
        assert record.verification.agreement >= AGREE
        assert decode_rgb((folder / record.image).read_bytes(), 320, 240).std() > 10
