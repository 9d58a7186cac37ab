"""Texture maps in Cycles: their size in pixels, their way round on each side, and the slopes of normal maps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from scenewright.assets.material import Mapping, Material, NormalGreen
from scenewright.assets.materials import material
from scenewright.assets.reach import Reach
from scenewright.assets.textures import texture_files, textures_of
from scenewright.scenes.build import shape_mesh
from scenewright.scenes.cameras import orbit_camera, project
from scenewright.scenes.scene import Camera, MeshRef, RenderSettings, Scene, SceneObject, Surface, World, matrix
from scenewright.scenes.scene_lights import Light, SunLight

from .test_engines import Cycles, process

pytestmark = pytest.mark.render

Picture = npt.NDArray[np.uint8]
LINEAR = RenderSettings(preset="test", samples=16, denoise=False, view_transform="standard")


def tilted(right: float, up: float) -> Picture:
    """A normal map in OpenGL's convention, of a plane that looks so far to the right and up (radians)."""
    n = np.array([np.tan(right), np.tan(up), 1.0])
    n /= np.linalg.norm(n)
    return np.broadcast_to(np.rint((n + 1) / 2 * 255).astype(np.uint8), (16, 16, 3)).copy()


def waves() -> tuple[Picture, Picture]:
    """A normal map in OpenGL's and in DirectX's convention."""
    y, x = np.mgrid[:64, :64] / 64 * 2 * np.pi
    n = np.stack([0.4 * np.sin(x), 0.4 * np.sin(y), np.ones_like(x)], axis=2)
    opengl = np.rint((n / np.linalg.norm(n, axis=2, keepdims=True) + 1) / 2 * 255).astype(np.uint8)
    return opengl, np.dstack([opengl[..., 0], 255 - opengl[..., 1], opengl[..., 2]])


def packs() -> dict[str, dict[str, Picture]]:
    """Folder → name → map, RGB."""
    checks = np.kron(np.indices((2, 2)).sum(axis=0) % 2 * 200.0 + 30, np.ones((64, 64))).astype(np.uint8)
    ramp = np.zeros((64, 64, 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = np.linspace(0, 255, 64)[None, :], np.linspace(255, 0, 64)[:, None]
    white, level = np.full((16, 16, 3), 200, np.uint8), np.full((16, 16), 77, np.uint8)
    large = np.full((64, 64, 3), 180, np.uint8)
    opengl, directx = waves()
    return {
        "checks": {"color": checks},
        "ramp": {"color": ramp},
        "plain": {"color": white},
        **{f"tilted {name}": {"color": white, "nor_gl": tilted(*TILTS[name])} for name in TILTS},
        "gl": {"color": large, "nor_gl": opengl},
        "dx": {"color": large, "nor_dx": directx},
        "unnamed": {"color": large, "normal": directx},
        "rough": {"color": white, "rough": level},
        "gloss": {"color": white, "gloss": np.full((16, 16), 255 - 77, np.uint8)},
        "packed": {"color": white, "arm": np.dstack([level * 0 + 255, level, level * 0])},
        "slope": {"color": large, "height": np.linspace(0, 255, 64)[None].repeat(64, 0).astype(np.uint8)},
        "half": {"color": white, "ao": np.full((16, 16), 128, np.uint8)},
    }


#: Name → tilt to the right and upwards, radians.
TILTS = {"flat": (0.0, 0.0), "right": (0.3, 0.0), "left": (-0.3, 0.0), "up": (0.0, 0.3)}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All packs, written as a user would have them."""
    folder = tmp_path_factory.mktemp("library")
    for pack, maps in packs().items():
        (folder / pack).mkdir()
        for name, pixels in maps.items():
            cv2.imwrite(str(folder / pack / f"{name}.png"), pixels[..., ::-1] if pixels.ndim == 3 else pixels)
    for suffix in (".png", ".tif"):
        (folder / f"sand{suffix}").mkdir()
        noise = np.random.default_rng(1).integers(90, 160, (700, 700, 3), np.uint8)
        cv2.imwrite(str(folder / f"sand{suffix}" / f"sand_color{suffix}"), noise)
    return folder


@pytest.fixture(scope="module")
def cycles(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cycles]:
    with process(
        tmp_path_factory.mktemp("frames"), threads=2, files=sorted(p for p in library.rglob("*") if p.is_file())
    ) as shoot:
        yield shoot


def pictured(
    folder: Path, normals: NormalGreen = "opengl", mapping: Mapping = "box", **values: float
) -> Material:  # fmt: skip
    """The material of a pack."""
    (texture,) = textures_of(texture_files(folder, Reach(folder)), normals, mapping)
    return material("textured", values, 0, texture)


def shot(camera: Camera, look: Material | None = None, item: SceneObject | None = None, **more: Any) -> Scene:
    """A table of a material, or one object, in even white light."""
    return Scene(
        recipe="t", recipe_sha256="", seed=0, index=0, group=0, categories=("a",), camera=camera,
        surface=None if look is None else Surface(size=(0.8, 0.8), material=look),
        objects=() if item is None else (item,),
        **{"world": World(color=(1.0, 1.0, 1.0)), "render": LINEAR, **more},
    )  # fmt: skip


def view(azimuth: float, elevation: float, distance: float = 0.5, size: tuple[int, int] = (160, 120)) -> Camera:
    return orbit_camera(size, 36.0, 36.0, (0, 0, 0), (distance, np.radians(azimuth), np.radians(elevation)))


def grey(rgb: Picture) -> npt.NDArray[np.float64]:
    """Linear light (IEC 61966-2-1)."""
    value = rgb.mean(axis=2) / 255
    return np.asarray(np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4))


def edges(row: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Where a row of dark and bright checks changes, pixels, from where it crosses the middle."""
    over = row - (row.min() + row.max()) / 2
    at = np.flatnonzero(np.diff(np.sign(over)) != 0)
    return np.asarray(at + 0.5 + over[at] / (over[at] - over[at + 1]))


def test_a_tile_has_its_size_in_metres(cycles: Cycles, library: Path) -> None:
    """Edges of checks on a table lie where the camera model puts them, to a pixel, in position and in period."""
    camera, tile = view(-90, 90), 0.12
    look = pictured(library / "checks", tile_m=tile, offset_u=0.0, offset_v=0.0)
    row = grey(cycles(shot(camera, look)).rgb)[50]
    found = edges(row)
    x = np.arange(-4, 5) * tile / 2
    expected = project(camera, np.column_stack([x, np.zeros(9), np.zeros(9)]))[0][:, 0]
    expected = expected[(expected > 0) & (expected < camera.width)]
    assert len(found) == len(expected) >= 7
    assert np.abs(found - expected).max() < 0.6
    assert np.diff(found).mean() == pytest.approx(tile / 2 / 0.5 * camera.fx, abs=0.1)


def test_a_tiff_may_say_its_size_at_its_end(cycles: Cycles, library: Path) -> None:
    """Headers are looked at before Blender opens a picture, wherever in the file they stand."""
    (path,) = (library / "sand.tif").iterdir()
    assert int.from_bytes(path.read_bytes()[4:8], "little") > 1 << 20
    late, early = (cycles(shot(view(-90, 90), pictured(library / f"sand{s}", tile_m=0.2))) for s in (".tif", ".png"))
    assert np.array_equal(late.rgb, early.rgb) and late.rgb.std() > 1


def box(look: Material, scale: float = 1.0, ref: MeshRef | None = None) -> SceneObject:
    """A cube of 20 cm, or 20 cm times the scale, around the origin."""
    ref = ref or shape_mesh("box", {"x_m": 0.2, "y_m": 0.2, "z_m": 0.2, "edge_m": 0})[0]
    return SceneObject(
        id=1, category="a", category_id=1, mesh=ref, materials={"body": look}, scale=scale,
        world_T_object=matrix(np.eye(4)),
    )  # fmt: skip


def test_an_objects_scale_does_not_scale_its_texture(cycles: Cycles, library: Path) -> None:
    """On a cube of 10 cm, 5 cm tiles show the same checks whether the mesh is that large or scaled to it."""
    look = pictured(library / "checks", tile_m=0.05)
    small = shape_mesh("box", {"x_m": 0.1, "y_m": 0.1, "z_m": 0.1, "edge_m": 0})[0]
    camera = view(-90, 90)
    scaled, true = (cycles(shot(camera, item=item)).rgb for item in (box(look, 0.5), box(look, 1.0, small)))
    assert np.abs(grey(scaled) - grey(true)).mean() < 0.01
    assert grey(true).std() > 0.1


@pytest.mark.parametrize(("azimuth", "elevation"), [(0, 5), (90, 5), (180, 5), (-90, 5), (-90, 89)])
def test_pictures_are_upright_and_not_mirrored(cycles: Cycles, library: Path, azimuth: float, elevation: float) -> None:
    """On every side, seen from outside, the picture's red grows to the right and its green upwards."""
    look = pictured(library / "ramp", tile_m=0.2, offset_u=0.5, offset_v=0.5)
    frame = cycles(shot(view(azimuth, elevation), item=box(look)))
    seen = frame.rgb[40:80, 60:100].astype(float)
    red, green = np.gradient(seen[..., 0], axis=1).mean(), -np.gradient(seen[..., 1], axis=0).mean()
    assert red > 1.0 and green > 1.0
    assert abs(np.gradient(seen[..., 0], axis=0).mean()) < 0.2 and abs(np.gradient(seen[..., 1], axis=1).mean()) < 0.2


def sun(azimuth: float, elevation: float) -> Light:
    """A small sun, alone."""
    away = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    pose = np.eye(4)
    side = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
    pose[:3, :3] = np.stack([side, np.cross(away, side), away], axis=1)
    return SunLight(world_T_light=matrix(pose), color=(1.0, 1.0, 1.0), angle=0.01, irradiance_w_m2=1.5)


@pytest.mark.parametrize(("tilt", "azimuth"), [("right", 0.0), ("up", np.pi / 2), ("left", 0.0)])
@pytest.mark.parametrize("turn", [0.0, 90.0])
def test_normal_maps_tilt_the_surface(cycles: Cycles, library: Path, tilt: str, azimuth: float, turn: float) -> None:
    """A matt plane whose map tilts it is as bright as Lambert's law says, wherever the pictures are turned to."""
    lit: list[float] = []
    for name in ("flat", tilt):
        look = pictured(library / f"tilted {name}", tile_m=0.1, roughness=1.0, turn_deg=turn)
        dark = World(color=(0.0, 0.0, 0.0))
        # Pictures that are turned by an angle have their right at that angle.
        frame = cycles(shot(view(-90, 90), look, world=dark, lights=(sun(azimuth + np.radians(turn), 0.7),)))
        lit.append(float(grey(frame.rgb)[50:70, 70:90].mean()))
    assert lit[1] / lit[0] == pytest.approx(np.sin(0.7 + sum(TILTS[tilt])) / np.sin(0.7), rel=0.03)


def test_heights_slope_the_surface(cycles: Cycles, library: Path) -> None:
    """A height map that rises by a fifth of a tile along it tilts a matt plane back by atan 0.2."""
    lit = []
    for relief in (0.0, 0.2):
        look = pictured(library / "slope", tile_m=0.4, roughness=1.0, relief=relief, offset_u=0.5)
        dark = World(color=(0.0, 0.0, 0.0))
        frame = cycles(shot(view(-90, 90), look, world=dark, lights=(sun(np.pi, 0.7),)))
        lit.append(float(grey(frame.rgb)[50:70, 70:90].mean()))
    assert lit[1] / lit[0] == pytest.approx(np.sin(0.7 + np.arctan(0.2)) / np.sin(0.7), rel=0.04)


def test_a_mesh_may_bring_its_own_coordinates(cycles: Cycles, library: Path) -> None:
    """With `mapping: uv` the picture lies once on a bottle's label: red grows to the right, green upwards."""
    ref, mesh = shape_mesh("bottle", {"label_deg": 360.0})
    look = pictured(library / "ramp", mapping="uv")
    plain = material("plastic", {"colour": (0.8, 0.8, 0.8)}, 0)
    bottle = box(look, ref=ref).model_copy(
        update={"materials": dict.fromkeys(mesh.part_names, plain) | {"label": look}}
    )
    frame = cycles(shot(view(0, 10, distance=0.3), item=bottle))
    label = (frame.rgb[..., 2] < 0.7 * frame.rgb[..., :2].max(axis=2)) & (frame.ids == 1)  # it has no blue
    assert label.sum() > 500
    y, x = np.nonzero(label)
    red, green = frame.rgb[label][:, 0].astype(float), frame.rgb[label][:, 1].astype(float)
    assert np.corrcoef(x, red)[0, 1] > 0.9 and np.corrcoef(-y, green)[0, 1] > 0.9


def test_directx_normals_are_their_opengl_twins(cycles: Cycles, library: Path) -> None:
    """A map with its green flipped, called DirectX by its name or by the recipe, gives the same picture."""
    light: dict[str, Any] = {"lights": (sun(0.5, 0.7),), "world": World(color=(0.1, 0.1, 0.1))}
    conventions: list[tuple[str, NormalGreen]] = [
        ("gl", "opengl"), ("dx", "opengl"), ("unnamed", "directx"), ("unnamed", "opengl"),
    ]  # fmt: skip
    seen = []
    for name, normals in conventions:
        look = pictured(library / name, normals, tile_m=0.1)
        seen.append(cycles(shot(view(-60, 50), look, **light)).rgb.astype(int))
    assert np.abs(seen[1] - seen[0]).max() <= 2 and np.abs(seen[2] - seen[0]).max() <= 2
    assert np.abs(seen[3] - seen[0]).mean() > 3  # read the wrong way it looks otherwise


def test_numbers_come_from_maps(cycles: Cycles, library: Path) -> None:
    """Gloss is roughness the other way round, a packed map holds both, and occlusion darkens by its share."""
    light: dict[str, Any] = {"lights": (sun(0.9, 0.8),), "world": World(color=(0.2, 0.2, 0.2))}

    def seen(name: str, roughness: float = 1.0) -> npt.NDArray[np.float64]:
        look = pictured(library / name, tile_m=0.1, roughness=roughness)
        return grey(cycles(shot(view(-130, 45), look, **light)).rgb)

    rough, matt = seen("rough"), seen("plain")
    for other in (seen("gloss"), seen("packed"), seen("plain", 77 / 255)):
        assert np.abs(other - rough).max() < 0.01
    assert np.abs(matt - rough).max() > 0.02
    middle = np.s_[50:70, 70:90]
    # A dielectric's own reflection, 4 % and more, is not occluded.
    assert 0.45 < seen("half")[middle].mean() / matt[middle].mean() < 0.62
