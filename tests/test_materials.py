from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scenewright.assets.material import FileRef, Material, Texture
from scenewright.assets.materials import FAMILIES, Palette, Range, material, material_rand
from scenewright.errors import AssetError

PROBE = Path(__file__).parent / "data" / "shader_probe.py"
PICTURE = Texture(name="bark", maps={"colour": FileRef(name="bark/color.png", sha256="0" * 64)})


def picture_for(family: str) -> Texture | None:
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
        ("plastic", {}, 0, PICTURE, r"'plastic' takes no texture: use the family 'textured'"),
        ("textured", {}, 0, None, r"'textured' needs a texture"),
    ],
)
def test_bad_materials_are_explained(
    family: str, values: dict[str, Any], seed: int, texture: Texture | None, message: str
) -> None:
    """Every way to ask for a material that cannot be is an AssetError that names the rule, the value or the choices."""
    with pytest.raises(AssetError, match=message):
        material(family, values, seed, texture)


def test_unknown_given_value_is_refused_when_drawing() -> None:
    """A misspelt value is an error in the drawing half of the pair too."""
    with pytest.raises(AssetError, match="no value 'color'; it has colour"):
        material_rand(np.random.default_rng(0), "plastic", {"color": (0.1, 0.1, 0.1)})


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What a process with Blender found out about every family."""
    out = tmp_path_factory.mktemp("probe") / "answers.json"
    subprocess.run([sys.executable, PROBE, out], capture_output=True, check=True, timeout=600)
    found: dict[str, dict[str, Any]] = json.loads(out.read_text("utf-8"))
    return found


@pytest.mark.render
@pytest.mark.parametrize("family", FAMILIES)
def test_node_tree_is_whole(family: str, probed: dict[str, dict[str, Any]]) -> None:
    """Every node reaches the output, every link is valid, and few enough textures are in it to stay cheap."""
    found = probed[family]
    assert found["unreached"] == []
    assert found["valid"]
    assert found["textures"] <= 12


@pytest.mark.render
@pytest.mark.parametrize("family", FAMILIES)
def test_building_twice_gives_the_same_tree(family: str, probed: dict[str, dict[str, Any]]) -> None:
    """The node tree is a function of the material; another seed gives another tree."""
    assert probed[family]["same_tree"]
    assert probed[family]["other_tree"]


@pytest.mark.render
@pytest.mark.parametrize("family", FAMILIES)
def test_seeds_are_visible(family: str, probed: dict[str, dict[str, Any]]) -> None:
    """Two seeds of one material give two pictures, one seed the same picture, and no picture is black."""
    assert probed[family]["brightness"] > 2
    assert probed[family]["same_picture"]
    assert probed[family]["other_picture"]
