"""The sensor stage: effects on the finished picture, and the same bytes again from JSON in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.special import ive

import scenewright as sw
from scenewright.datasets.png import pixels_sha256
from scenewright.pipeline import engine_for, photograph
from scenewright.render.sensor import develop, needs_linear
from scenewright.scenes.build import meshes_of
from scenewright.scenes.pixel_transforms import FOREIGN, PIXEL_LEVEL, SPATIAL
from scenewright.scenes.sensor import Albumentations

from .sensor_shots import NOISE, SIZE, display, flat, frame_of, identity, photo, scene_with
from .small_recipe import make

PROJECT = Path(__file__).resolve().parent.parent
TONE = {"effect": "tone", "black": 0, "white": 1, "gamma": 1, "contrast": 0, "saturation": 1}


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({}, (128, 64, 191)),
        ({"black": 0.25}, (86, 0, 170)),  # (0.502 − 0.25) / 0.75, …
        ({"white": 0.5}, (255, 128, 255)),
        ({"gamma": 2}, (181, 128, 221)),  # square roots
        ({"contrast": 1}, (128, 40, 215)),  # 3v² − 2v³
        ({"saturation": 0}, (87, 87, 87)),  # Rec. 709 luma
    ],
)
def test_tone_follows_its_formulas(change: dict[str, float], wanted: tuple[int, int, int]) -> None:
    """Levels, gamma, contrast and saturation of one colour, computed by hand."""
    field = flat(0)
    field[:] = np.array((128, 64, 191)) / 255
    assert display(field, {**TONE, **change})[0, 0].tolist() == pytest.approx(wanted, abs=1)


def test_sharpening_makes_halos_and_no_colour() -> None:
    """Beside a grey edge there is an overshoot of amount × what the Gaussian takes away; differences of colour stay."""
    step = flat(0.3)
    step[:, 64:] = 0.6
    out = display(step, {"effect": "sharpen", "amount": 1, "radius_px": 1, "threshold": 0})[50].astype(float)
    # The discrete Gaussian of 1 px has e⁻¹ I₀(1) in its middle, and half of the rest lies beyond the edge.
    taken = 0.3 * (1 - ive(0, 1)) / 2
    assert out[64, 0] - 153 == pytest.approx(255 * taken, abs=1) and out[64, 0] > 153
    assert np.array_equal(out[:, 0], out[:, 2])
    same = display(step, {"effect": "sharpen", "amount": 1, "radius_px": 1, "threshold": 1})
    assert np.array_equal(same[50], np.rint(step[50] * 255))


def test_denoise_keeps_edges() -> None:
    """Noise smaller than the range goes, an edge larger than it stays."""
    step = flat(0.3)
    step[:, 64:] = 0.7
    noisy = step + 0.01 * np.random.default_rng(1).standard_normal(step.shape).astype(np.float32)
    out = display(noisy, {"effect": "denoise", "luma": 0.08, "radius_px": 2, "chroma_px": 2}) / 255
    assert (out - step).std() < 0.4 * (noisy - step).std()
    assert (out[:, 64] - out[:, 63]).mean() > 0.38


def test_jpeg_is_what_opencv_writes() -> None:
    """The picture is the decoded file, of that quality and that subsampling, and coarser at a lower quality."""
    picture = photo()
    bgr = np.rint(picture * 255).astype(np.uint8)[..., ::-1]
    options = [cv2.IMWRITE_JPEG_QUALITY, 40, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    wanted = cv2.imdecode(cv2.imencode(".jpg", np.ascontiguousarray(bgr), options)[1], cv2.IMREAD_COLOR)[..., ::-1]
    fine = {"effect": "jpeg", "quality": 40, "subsampling": "4:4:4"}
    assert np.array_equal(display(picture, fine), wanted)
    assert not np.array_equal(display(picture, {**fine, "subsampling": "4:2:0"}), wanted)
    errors = [np.abs(display(picture, {**fine, "quality": q}) / 255.0 - picture).mean() for q in (95, 40, 5)]
    assert errors == sorted(errors)


def test_quantize_has_so_many_levels() -> None:
    """Three bits are eight levels, black and white among them."""
    ramp = np.repeat(np.tile(np.linspace(0, 1, SIZE[1]), (SIZE[0], 1))[..., None], 3, axis=2).astype(np.float32)
    levels = np.unique(display(ramp, {"effect": "quantize", "bits": 3}))
    assert levels.tolist() == [round(255 * k / 7) for k in range(8)]


def test_the_order_is_the_recipes() -> None:
    """Sharpening before the JPEG is not sharpening after it."""
    sharp = {"effect": "sharpen", "amount": 2, "radius_px": 1, "threshold": 0}
    packed = {"effect": "jpeg", "quality": 20, "subsampling": "4:2:0"}
    assert not np.array_equal(display(photo(), sharp, packed), display(photo(), packed, sharp))


def test_labels_are_left_alone() -> None:
    """No effect touches ids, stuff, depth or radiance."""
    frame = frame_of(photo())
    scene = scene_with(NOISE, {"effect": "jpeg", "quality": 20, "subsampling": "4:2:0"})
    after, _ = develop(frame, scene, identity)
    assert after.ids is frame.ids and after.stuff is frame.stuff and after.depth_m is frame.depth_m
    assert frame.linear is not None and after.linear is frame.linear and np.array_equal(photo(), frame.linear)


def test_no_sensor_no_change() -> None:
    """A scene without a sensor keeps its very pixels."""
    frame = frame_of(photo())
    assert develop(frame, scene_with(), identity) == (frame, ())


# --- again from JSON ------------------------------------------------------------------------------------------------

EVERY: list[dict[str, Any]] = [
    {"effect": "vignetting", "strength": 0.3},
    {"effect": "chromatic_aberration", "red_px": 0.7, "blue_px": -0.4},
    {"effect": "blur", "sigma_px": 0.6},
    {"effect": "defocus", "radius_px": 0.9},
    {"effect": "exposure", "ev": 0.13},
    {"effect": "white_balance", "red": 1.03, "blue": 0.96},
    {"effect": "banding", "strength": 0.04, "period_px": 33.3, "phase": 0.21},
    {**NOISE, "prnu": 0.01, "row_noise_e": 1.5},
    {"effect": "demosaic", "amount": 0.8},
    {"effect": "denoise", "luma": 0.05, "radius_px": 1.1, "chroma_px": 1.3},
    {**TONE, "contrast": 0.2, "gamma": 1.1, "saturation": 1.2},
    {"effect": "sharpen", "amount": 0.8, "radius_px": 1.2, "threshold": 0.01},
    {"effect": "jpeg", "quality": 71, "subsampling": "4:2:0"},
    {"effect": "quantize", "bits": 7},
]
TRANSFORMS: list[dict[str, Any]] = [
    {"effect": "albumentations", "transform": name, "params": {}, "seed": seed}
    for name in PIXEL_LEVEL
    for seed in (5, 6, 7)  # one of them may draw something neutral, such as a gamma of 1
]
AGAIN = """
import json, sys
from tests.sensor_shots import Scene, develop, frame_of, identity, photo
from scenewright.datasets.png import pixels_sha256
scenes = [Scene.from_json(text) for text in json.load(sys.stdin)]
print(json.dumps([pixels_sha256(develop(frame_of(photo()), s, identity)[0].rgb) for s in scenes]))
"""


@pytest.mark.filterwarnings("ignore::UserWarning:albumentations")
def test_every_effect_again_in_a_fresh_process() -> None:
    """Each effect, each transform of albumentations, and all together give the same bytes again from JSON."""
    cases = [scene_with(effect) for effect in EVERY + TRANSFORMS] + [scene_with(*EVERY, *TRANSFORMS[:6])]
    here = [pixels_sha256(develop(frame_of(photo()), scene, identity)[0].rgb) for scene in cases]
    untouched = pixels_sha256(frame_of(photo()).rgb)
    changed = [e for s, h in zip(cases, here, strict=True) if h != untouched for e in s.sensor]
    assert {e.transform for e in changed if isinstance(e, Albumentations)} == {*PIXEL_LEVEL}
    assert {e.effect for e in changed} == {e["effect"] for e in EVERY + TRANSFORMS}
    child = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", AGAIN], input=json.dumps([s.to_json() for s in cases]),
        capture_output=True, text=True, timeout=300, check=False, cwd=str(PROJECT),
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    assert json.loads(child.stdout) == here


@pytest.mark.filterwarnings("ignore::UserWarning:albumentations")
def test_what_albumentations_drew_is_told() -> None:
    """The replay is JSON, names what was drawn, and another seed draws something else."""
    gamma = {"effect": "albumentations", "transform": "RandomGamma", "params": {"gamma_limit": [50, 150]}, "seed": 1}
    drawn = []
    for seed in (1, 2):
        after, replays = develop(frame_of(photo()), scene_with({**gamma, "seed": seed}), identity)
        drawn.append(json.loads(json.dumps(replays))[0]["params"]["gamma"])
        assert np.abs(255 * (frame_of(photo()).rgb / 255.0) ** drawn[-1] - after.rgb).max() <= 1
    assert 0.5 <= drawn[0] <= 1.5 and drawn[0] != drawn[1]
    _, replays = develop(frame_of(photo()), scene_with({**gamma, "transform": "GaussNoise", "params": {}}), identity)
    told = replays[0]["params"]["noise_map"]
    assert told["shape"] == [*SIZE, 3] and len(told["sha256"]) == 64


LISTED = """
import json
from scenewright.scenes.pixel_transforms import albumentations
module = albumentations()
classes = {n: c for n, c in vars(module).items() if isinstance(c, type) and issubclass(c, module.BasicTransform)}
print(json.dumps({n: issubclass(c, module.ImageOnlyTransform) for n, c in classes.items()}))
"""


def test_the_lists_of_transforms_are_those_of_albumentations() -> None:
    """Every transform of the installed albumentations is allowed, or refused for a reason that is true.

    In a fresh process: with torch, which another test may have loaded, albumentations has two transforms more.
    """
    command = [sys.executable, "-W", "ignore", "-c", LISTED]
    child = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    image_only: dict[str, bool] = json.loads(child.stdout)
    abstract = {"BasicTransform", "DualTransform", "ImageOnlyTransform", "Transform3D", "NoOp"}
    need_torch = {"ToTensorV2", "ToTensor3D"}
    assert {*image_only} - abstract == {*PIXEL_LEVEL, *SPATIAL, *FOREIGN} - need_torch
    assert all(image_only[name] for name in PIXEL_LEVEL)
    assert not any(image_only[name] for name in SPATIAL)


def test_albumentations_comes_without_torch_and_without_the_network() -> None:
    """A worker that needs albumentations neither loads torch nor asks a server for its version."""
    code = (
        "import sys, socket, os; os.environ.pop('NO_ALBUMENTATIONS_UPDATE', None)\n"
        "def refuse(*a, **k): raise SystemExit('asked the network')\n"
        "socket.socket.connect = refuse; socket.getaddrinfo = refuse\n"
        "from scenewright.scenes.pixel_transforms import albumentations\n"
        "assert 'albumentations' not in sys.modules\n"
        "albumentations(); print('torch' in sys.modules, 'albumentations.pytorch' in sys.modules)"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert child.stdout.strip() == "False False", child.stderr


# --- with the renderers ---------------------------------------------------------------------------------------------


def test_linear_light_is_asked_for_only_where_needed() -> None:
    """Effects on the finished picture need no radiance, those on light do, and radiance is kept on request only."""
    jpeg, noise = {"effect": "jpeg", "quality": 60, "subsampling": "4:2:0"}, NOISE
    assert not needs_linear(scene_with()) and not needs_linear(scene_with(jpeg))
    scene = scene_with(noise, jpeg)
    assert needs_linear(scene)
    engine, meshes = engine_for("flat", "cpu", None), meshes_of(scene)
    kept, _ = photograph(scene, meshes, engine, linear=True)
    dropped, _ = photograph(scene, meshes, engine)
    assert kept.linear is not None and dropped.linear is None and np.array_equal(kept.rgb, dropped.rgb)
    plain, _ = photograph(scene.model_copy(update={"sensor": ()}), meshes, engine)
    assert not np.array_equal(plain.rgb, kept.rgb) and np.array_equal(plain.ids, kept.ids)


VIEW = """
import sys, json, numpy as np
from scenewright.render.engine import Engine
from scenewright.scenes.scene import Scene
from scenewright.scenes.build import meshes_of
engine = Engine("cpu", 2)
for text in json.load(sys.stdin):
    scene = Scene.from_json(text)
    frame = engine.render(scene, meshes_of(scene), linear=True)
    again = engine.view(scene, frame.linear) * 255
    print("DATA", np.abs(again - frame.rgb).max(), frame.rgb.std())
"""


@pytest.mark.render
def test_blenders_view_transform_of_untouched_light_is_the_render() -> None:
    """Linear light that no effect has changed gives the render's own pixels, to the half step of 8 bits."""
    scenes = []
    for view, look, ev in (("agx", "medium_high_contrast", 0.7), ("agx", "none", 0), ("standard", "none", -0.4)):
        settings = {"size": [64, 48], "preset": "draft", "view_transform": view, "look": look, "exposure_ev": ev}
        scenes.append(sw.sample(make(render=settings), 1))
    child = subprocess.run(
        [sys.executable, "-c", VIEW], input=json.dumps([s.to_json() for s in scenes]), capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    found = [line.split()[1:] for line in child.stdout.splitlines() if line.startswith("DATA")]
    assert len(found) == 3, child.stderr
    for furthest, spread in found:
        assert float(furthest) <= 0.5 + 255 / 65535 and float(spread) > 10
