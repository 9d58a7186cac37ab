from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scenewright.assets.material import FileRef, Material
from scenewright.assets.materials import FAMILIES, Palette, Range, material, material_rand
from scenewright.errors import AssetError

PICTURE = FileRef(name="label.png", sha256="0" * 64)


def picture_for(family: str) -> FileRef | None:
    return PICTURE if FAMILIES[family].needs_texture else None


def drawn(family: str, seed: int) -> Material:
    return material_rand(np.random.default_rng(seed), family, {}, picture_for(family))


@pytest.mark.parametrize("family", FAMILIES)
def test_draws_stay_within_limits(family: str) -> None:
    """Every drawn value lies within the limits that its family states, and every family value is drawn."""
    for seed in range(50):
        values = drawn(family, seed).values
        assert values.keys() == FAMILIES[family].values.keys()
        for name, limit in FAMILIES[family].values.items():
            limit.check(name, values[name])


@pytest.mark.parametrize("family", FAMILIES)
def test_defaults_are_allowed(family: str) -> None:
    """A material with no values given is complete and legal."""
    made = material(family, {}, 0, picture_for(family))
    assert made.values == {name: limit.default for name, limit in FAMILIES[family].values.items()}


@pytest.mark.parametrize("family", FAMILIES)
def test_twin_generators_draw_equal_materials(family: str) -> None:
    """Generators of one state give one material; others give another seed."""
    assert drawn(family, 3) == drawn(family, 3)
    assert drawn(family, 3).seed != drawn(family, 4).seed


@pytest.mark.parametrize("family", FAMILIES)
def test_json_round_trip(family: str) -> None:
    """A material survives JSON with every float bit and every colour a triple."""
    made = drawn(family, 5)
    assert Material.model_validate_json(made.model_dump_json()) == made


@pytest.mark.parametrize("family", FAMILIES)
def test_given_values_win_and_move_no_other(family: str) -> None:
    """Fixing one value leaves the seed and all other values as they would have been drawn."""
    free = drawn(family, 9)
    name, limit = next(iter(FAMILIES[family].values.items()))
    fixed = material_rand(np.random.default_rng(9), family, {name: limit.default}, picture_for(family))
    assert fixed.values[name] == limit.default
    assert fixed.seed == free.seed
    assert {k: v for k, v in fixed.values.items() if k != name} == {k: v for k, v in free.values.items() if k != name}


def test_range_draws_are_uniform() -> None:
    """The mean of many draws is the middle of the range, to 4 standard errors."""
    limit = Range(0.2, 0.6, 0.3, "x")
    rng = np.random.default_rng(0)
    values = [limit.draw(rng) for _ in range(4000)]
    assert abs(np.mean(values) - 0.4) < 4 * (0.4 / 12**0.5) / 4000**0.5
    assert min(values) >= 0.2
    assert max(values) <= 0.6


def test_palette_uses_every_colour() -> None:
    """A palette without jitter gives back its colours, and all of them."""
    palette = Palette(((0.1, 0.2, 0.3), (0.5, 0.5, 0.5), (1.0, 0.0, 0.0)), "x", jitter=0.0)
    rng = np.random.default_rng(0)
    assert {palette.draw(rng) for _ in range(60)} == set(palette.colours)


@pytest.mark.parametrize(
    ("family", "values", "seed", "texture", "message"),
    [
        ("chrome", {}, 0, None, r"unknown material family 'chrome'.*brushed_steel.*textured"),
        ("zinc", {"shine": 0.5}, 0, None, r"no value 'shine'; it has roughness, yellow, blotch"),
        ("zinc", {"yellow": 1.5}, 0, None, r"zinc\.yellow must be a number from 0 to 1, got 1\.5"),
        ("zinc", {"yellow": float("nan")}, 0, None, r"zinc\.yellow must be a number from 0 to 1, got nan"),
        ("zinc", {"yellow": (0.1, 0.2, 0.3)}, 0, None, r"zinc\.yellow must be a number"),
        ("zinc", {"yellow": "pale"}, 0, None, r"zinc\.yellow must be a number"),
        ("plastic", {"colour": 0.5}, 0, None, r"plastic\.colour must be a linear RGB triple.*got 0\.5"),
        ("plastic", {"colour": (0.5, 0.5)}, 0, None, r"plastic\.colour must be a linear RGB triple"),
        ("plastic", {"colour": (0.5, 0.5, 2.0)}, 0, None, r"each from 0 to 1, got \(0\.5, 0\.5, 2\.0\)"),
        ("plastic", {}, -1, None, r"seed must be 0 or more, got -1"),
        ("plastic", {}, 0, PICTURE, r"'plastic' takes no texture image: use the family 'textured'"),
        ("textured", {}, 0, None, r"'textured' needs a texture image"),
    ],
)
def test_bad_materials_are_explained(
    family: str, values: dict[str, Any], seed: int, texture: FileRef | None, message: str
) -> None:
    """Every way to ask for a material that cannot be is an AssetError that names the rule, the value or the choices."""
    with pytest.raises(AssetError, match=message):
        material(family, values, seed, texture)


def test_unknown_given_value_is_refused_when_drawing() -> None:
    """A misspelt value is an error in the drawing half of the pair too."""
    with pytest.raises(AssetError, match="no value 'color'; it has colour"):
        material_rand(np.random.default_rng(0), "plastic", {"color": (0.1, 0.1, 0.1)})


@pytest.fixture
def scene(tmp_path: Path) -> Any:
    """An empty Blender file and a picture on disk."""
    import bpy
    import cv2

    bpy.ops.wm.read_factory_settings(use_empty=True)
    checks = np.indices((8, 8)).sum(axis=0) % 2 * 255
    cv2.imwrite(str(tmp_path / PICTURE.name), checks.astype(np.uint8))
    return bpy


def built(family: str, seed: int, folder: Path) -> Any:
    from scenewright.render.shaders import build

    return build(material(family, {}, seed, picture_for(family)), lambda ref: folder / ref.name)


def signature(tree: Any) -> list[Any]:
    """Everything that the pictures depend on: nodes with their constants, and links."""
    nodes = [
        (
            node.bl_idname,
            [
                tuple(s.default_value) if hasattr(s.default_value, "__len__") else s.default_value
                for s in node.inputs
                if hasattr(s, "default_value")
            ],
        )
        for node in tree.nodes
    ]
    return [
        nodes,
        [
            (link.from_node.name, link.from_socket.identifier, link.to_node.name, link.to_socket.identifier)
            for link in tree.links
        ],
    ]


@pytest.mark.render
@pytest.mark.parametrize("family", FAMILIES)
def test_node_tree_is_whole(family: str, scene: Any, tmp_path: Path) -> None:
    """Every node reaches the output, every link is valid, and few enough textures are in it to stay cheap."""
    tree = built(family, 1, tmp_path).node_tree
    output = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeOutputMaterial")
    assert all(link.is_valid for link in tree.links)
    reached, front = set(), [output.name]
    while front:
        name = front.pop()
        if name not in reached:
            reached.add(name)
            front += [link.from_node.name for link in tree.links if link.to_node.name == name]
    assert reached == {node.name for node in tree.nodes}
    assert (
        sum(
            node.bl_idname.startswith("ShaderNodeTex") and node.bl_idname != "ShaderNodeTexCoord" for node in tree.nodes
        )
        <= 12
    )


@pytest.mark.render
@pytest.mark.parametrize("family", FAMILIES)
def test_building_twice_gives_the_same_tree(family: str, scene: Any, tmp_path: Path) -> None:
    """The node tree is a function of the material; another seed gives another tree."""
    first, again, other = (signature(built(family, seed, tmp_path).node_tree) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def picture(bpy: Any, surface: Any, path: Path) -> Any:
    """A 32×32 render of a 4 cm square of the material from above, (32, 32, 3) uint8."""
    import cv2

    bpy.ops.wm.read_factory_settings(use_empty=True)
    settings = bpy.context.scene
    mesh = bpy.data.meshes.new("square")
    mesh.from_pydata([(-0.02, -0.02, 0), (0.02, -0.02, 0), (0.02, 0.02, 0), (-0.02, 0.02, 0)], [], [(0, 1, 2, 3)])
    uv = mesh.uv_layers.new(name="uv")
    for loop, corner in zip(uv.data, ((0, 0), (1, 0), (1, 1), (0, 1)), strict=True):
        loop.uv = corner
    mesh.materials.append(surface())
    camera = bpy.data.cameras.new("camera")
    camera.type, camera.ortho_scale = "ORTHO", 0.04
    settings.camera = bpy.data.objects.new("camera", camera)
    settings.camera.location.z = 0.1
    settings.collection.objects.link(settings.camera)
    settings.collection.objects.link(bpy.data.objects.new("square", mesh))
    settings.world = bpy.data.worlds.new("grey")
    settings.world.color = (0.6, 0.6, 0.6)
    settings.render.engine, settings.cycles.samples = "CYCLES", 4
    settings.cycles.use_denoising = False
    settings.render.resolution_x = settings.render.resolution_y = 32
    settings.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    return cv2.imread(str(path))


@pytest.mark.render
@pytest.mark.parametrize("family", FAMILIES)
def test_seeds_are_visible(family: str, scene: Any, tmp_path: Path) -> None:
    """Two seeds of one material give two pictures, one seed the same picture, and no picture is black."""
    first, again, other = (
        picture(scene, lambda seed=seed: built(family, seed, tmp_path), tmp_path / f"{n}.png")  # type: ignore[misc]  # seed bound now
        for n, seed in enumerate((1, 1, 2))
    )
    assert first.mean() > 2
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
