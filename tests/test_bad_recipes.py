"""Broken recipes: every one is refused before anything is rendered, with the place, the rule and what was found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scenewright.errors import RecipeError
from scenewright.scenes.load import load, recipe_from_dict

GOOD = """\
name: t
objects: {count: 2, assets: [{category: box, shape: box}]}
render: {engine: flat, size: [64, 48]}
"""
LAYERS = [(b, ", ".join([f"*{a}"] * 10)) for a, b in zip("abcdef", "bcdefg", strict=True)]
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(f"{b}: &{b} [{ten}]\n" for b, ten in LAYERS)
MERGES = "a: &a {x: 1}\n" + "".join(f"{b}: &{b} {{<<: [{ten}]}}\n" for b, ten in LAYERS)

#: Content of the file → what the message says. None of these is a recipe at all.
FILES: dict[str, tuple[bytes | str, str]] = {
    "empty": ("", "this file is empty"),
    "only a comment": ("# nothing\n", "this file is empty"),
    "a list": ("- a\n- b\n", "this file is a list"),
    "a scalar": ("hello\n", "this file is a single value"),
    "two documents": ("name: a\n---\nname: b\n", "line 2, column 1: expected a single document"),
    "cut off": ("name: t\nobjects: {count: 2, assets: [{cat", "line 2, column 34: while parsing a flow mapping"),
    "tab for indent": ("name: t\nobjects:\n\tcount: 2\n", "line 3, column 1: …: indent with spaces"),
    "a key twice": ("name: t\nname: u\n", "line 2, column 1: the key 'name' stands twice"),
    "a key twice, deep": (GOOD + "world:\n  strength: 1\n  strength: 2\n", "the key 'strength' stands twice"),
    "a list as key": ("? [a]\n: 2\n", "line 1, column 3: a key must be a plain word"),
    "unknown alias": ("a: *b\n", "line 1, column 4: found undefined alias 'b'"),
    "Latin-1": ("description: grün\n".encode("latin-1"), "not UTF-8 text (byte 15 is 0xfc): save the file as UTF-8"),
    "UTF-16": (GOOD.encode("utf-16"), "not UTF-8 text"),
    "a NUL byte": (b"name: t\x00\n", "not YAML that can be read"),
    "an image": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not UTF-8 text (byte 0 is 0x89"),
    "a YAML bomb": (BOMB, "expands to more than 50,000 values: remove the nested YAML aliases"),
    "a bomb of merge keys": (MERGES, "line 2, column 8: the merge key << is not allowed: write the keys out"),
    "a merge key": (GOOD + "world: {<<: {strength: 1}}\n", "line 4, column 9: the merge key << is not allowed"),
    "an alias of itself": ("a: &a {b: *a}\n", "nested more than 50 deep"),
    "60 levels": (GOOD + "world: " + "{a: " * 60 + "1" + "}" * 60, "nested more than 50 deep"),
    "100,000 levels": ("[" * 100_000, "nested more than 50 deep"),
    "too long": (GOOD + "# " + "x" * 1_000_000, "may have 1,000,000 bytes, this file has 1,000,1"),
    "a Python object": ("name: !!python/object/apply:os.system ['true']\n", "line 1, column 7: the tag …not allowed"),
    "a Python name": ("name: !!python/name:os.system\n", "the tag …not allowed: a recipe holds plain data only"),
    "an unknown tag": ("name: !mine x\n", "the tag '!mine' is not allowed"),
    "a set": (GOOD + "categories: !!set {box}\n", "the tag …set' is not allowed"),
}

#: An addition to a good recipe → what the message says.
ADDITIONS: dict[str, tuple[str, str]] = {
    "unknown section": ("camra: {}", "camra: unknown key; did you mean 'camera'?"),
    "unknown key": ("camera: {distnce: 1}", "camera.distnce: unknown key; did you mean 'distance'?"),
    "unknown key in a list": ("lights: [{powr: 3}]", "lights.0.powr: unknown key; did you mean 'power'?"),
    "unknown key, nothing near": (
        "camera: {distance: {dist: uniform, low: 1, high: 2, mode: 3}}",
        "camera.distance.mode: unknown key; allowed are dist, low, high",
    ),
    "misspelt end of a range": (
        "camera: {distance: {dist: uniform, low: 1, hihg: 2}}",
        "camera.distance.hihg: unknown key; did you mean 'high'?",
    ),
    "missing end of a range": ("camera: {distance: {dist: uniform, low: 1}}", "camera.distance.high: is missing"),
    "unknown distribution": ("camera: {distance: {dist: gauss}}", "must be one of constant, uniform, …, got 'gauss'"),
    "range without dist": ("camera: {distance: {low: 1, high: 2}}", "`dist` must be one of …, got {'low': 1"),
    "reversed range": (
        "camera: {distance: {dist: uniform, low: 2, high: 1}}",
        "camera.distance: low must not exceed high, got low 2 and high 1",
    ),
    "text in a range": ("camera: {distance: {dist: uniform, low: x, high: 1}}", "low: must be a number, got 'x'"),
    "range reaches below 0": (
        "camera: {distance: {dist: uniform, low: -1, high: 1}}",
        "camera.distance: must be above 0, can be -1.0: narrow the distribution",
    ),
    "logarithm of 0": ("world: {strength: {dist: loguniform, low: 0, high: 1}}", "low: must be above 0, got 0"),
    "a distance beyond floats": ("camera: {distance: 1e300}", "must be between 1e-06 and 1e+06, got 1e+300"),
    "a table of a millimetre": ("surface: {size: [0.001, 1]}", "surface.size.0: must be between 0.01 and 1e+06"),
    "a sensor of half a millimetre": ("camera: {sensor_width_mm: 0.5}", "camera.sensor_width_mm: must be 1 or more"),
    "a word compared with a number": (
        "rules: [{when: surface.material < 3, set: {camera.roll_deg: 4}}]",
        "rules.0.when: cannot compute 'surface.material < 3'",
    ),
    "negative distance": ("camera: {distance: -1}", "camera.distance: must be above 0, got -1"),
    "text for a number": ("camera: {distance: far}", "camera.distance: must be a number, got 'far'"),
    "nothing for a number": ("camera: {distance: }", "camera.distance: must be a number, … got nothing"),
    "NaN": ("camera: {distance: .nan}", "camera.distance: must be a finite number, got nan"),
    "infinity": ("camera: {distance: {dist: uniform, low: 1, high: .inf}}", "high: must be a finite number, got inf"),
    "400 digits": (f"camera: {{distance: -{'9' * 400}}}", "a whole number may have 15 digits, got 400"),
    "5000 digits": (f"camera: {{distance: {'9' * 5000}}}", "4300 digits"),
    "elevation over 90": ("camera: {elevation_deg: 95}", "camera.elevation_deg: must be between 1 and 90, got 95"),
    "two coordinates": ("camera: {target: [0, 0]}", "camera.target.2: is missing"),
    "a number for a list": ("camera: {target: 0}", "camera.target: must be a list, got 0"),
    "a number for a mapping": ("camera: 5", "camera: must be a mapping, got 5"),
    "nothing for a mapping": ("camera:", "camera: must be a mapping, got nothing"),
    "a mapping for a list": ("lights: {power: 3}", "lights: must be a list, got {'power': 3}"),
    "impossible aperture": ("camera: {fstop: 0.1}", "fstop must lie between 0.5 and 128, can be 0.1"),
    "negative size": ("lights: [{}, {size: [1, -1]}]", "lights.1.size.1: must be above 0, got -1"),
    "unknown material": ("surface: {materials: wod}", "surface.materials: 'wod' is no material; choose from …wood"),
    "unknown material with weight": ("surface: {materials: {wod: 1}}", "surface.materials.wod: 'wod' is no material"),
    "a material of a mesh": ("surface: {materials: textured}", "'textured' needs `textures`: a folder of texture maps"),
    "weight as text": ("surface: {materials: {wood: lots}}", "surface.materials.wood: must be a number, got 'lots'"),
    "all weights 0": ("surface: {materials: {wood: 0}}", "name at least one material with a weight above 0"),
    "a number for materials": ("surface: {materials: 3}", "must be a material, a list of them, or a mapping"),
    "unknown value": (
        "surface: {materials: {family: wood, values: {roughnes: 1}}}",
        "wood has no value 'roughnes'; it has colour, …roughness",
    ),
    "value outside its limits": (
        "surface: {materials: {family: wood, values: {roughness: {dist: uniform, low: 0.5, high: 7}}}}",
        "wood.roughness must be a number from … got 7.0",
    ),
    "number for a colour": (
        "surface: {materials: {family: wood, values: {colour: 5}}}",
        "wood.colour must be a linear RGB triple, each from 0 to 1, got 5",
    ),
    "unknown HDRI": ("world: {hdri: studo}", "world.hdri: 'studo' is neither … did you mean 'studio'?"),
    "one HDRI of several": ("world: {hdri: {dist: choice, options: [studio, x]}}", "world.hdri: 'x' is neither"),
    "number for an HDRI": ("world: {hdri: 3}", "world.hdri: must be a name, got 3"),
    "computed HDRI": ("world: {hdri: {dist: expr, value: \"'city'\"}}", "world.hdri: cannot be computed: use a choice"),
    "an area beyond the table": (
        "placement: {area: [0.2, {dist: uniform, low: 0.1, high: 2}]}\nsurface: {size: [1, 1.5]}",
        "placement.area.1: must not exceed surface.size.1, got 2 m on a surface of 1.5 m",
    ),
    "no options": ("world: {hdri: {dist: choice, options: []}}", "a choice needs at least one option"),
    "weights do not match": (
        "world: {hdri: {dist: choice, options: [studio, city], weights: [1]}}",
        "world.hdri: 2 options need as many weights, got 1",
    ),
    "negative weight": (
        "world: {hdri: {dist: choice, options: {studio: -1}}}",
        "world.hdri: the weight of 'studio' must be a number of 0 or more, got -1",
    ),
    "CSV that is not there": (
        "world: {strength: {dist: empirical, csv: no.csv, column: a}}",
        "world.strength: cannot read …no.csv: No such file",
    ),
    "CSV in a rule": (
        "rules: [{when: 'camera.distance < 2', set: {world.strength: {dist: empirical, csv: a.csv, column: a}}}]",
        "rules.0.set: world.strength: a CSV cannot be read here",
    ),
    "visibility of 2": ("labels: {min_visibility: 2}", "labels.min_visibility: must be 1 or less, got 2"),
    "half a pixel": ("labels: {min_pixels: 1.5}", "labels.min_pixels: must be a whole number, got 1.5"),
    "validation of 20": ("dataset: {val_fraction: 20}", "dataset.val_fraction: must be 1 or less, got 20"),
    "category not declared": ("categories: [nut]", "`categories` lacks box, which `objects.assets` uses"),
    "category twice": ("categories: [box, box]", "categories must differ"),
    "YAML's no": ("categories: [box, no]", "categories.1: must be text, got False: put it in quotes"),
    "later format": ("version: 2", "version: must be 1, got 2"),
    "list of files": ("files: {}", "files: this key is filled in by Scenewright, remove it"),
    "rule without when": ("rules: [{set: {camera.distance: 2}}]", "rules.0.when: is missing"),
    "rule that sets nothing": ("rules: [{when: 'camera.distance < 2', set: {}}]", "rules.0.set: must not be empty"),
    "rule that reads nothing": (
        "rules: [{when: 'camera.distnce < 2', set: {world.strength: 2}}]",
        "rules.0.when: 'camera.distnce' is no image-level parameter; did you mean 'camera.distance'?",
    ),
    "rule that sets the unknown": (
        "rules: [{when: 'camera.distance < 2', set: {world.stregth: 2}}]",
        "rules.0.set: world.stregth: unknown key; did you mean 'strength'?",
    ),
    "rule on one object": (
        "rules: [{when: 'camera.distance < 2', set: {objects.assets.0.scale: 2}}]",
        "objects.assets.0.scale cannot be set by a rule; there are, among others, camera.azimuth_deg",
    ),
    "rule that sets the impossible": (
        "rules: [{when: 'world.strength < 2', set: {camera.distance: -2}}]",
        "rules.0.set: camera.distance: must be above 0, got -2",
    ),
    "rule with a missing HDRI": (
        "rules: [{when: 'world.strength < 2', set: {world.hdri: none.exr}}]",
        "rules.0.set.world.hdri: 'none.exr' is neither",
    ),
    "condition as number": ("rules: [{when: 1, set: {camera.distance: 2}}]", "rules.0.when: must be text, got 1"),
    "condition cut off": ("rules: [{when: '1 <', set: {camera.distance: 2}}]", "rules.0.when: cannot read the express"),
    "condition that calls": (
        "rules: [{when: 'open(1)', set: {camera.distance: 2}}]",
        "rules.0.when: 'open(1)' is not allowed in an expression: use numbers",
    ),
    "expression too long": (
        f"camera: {{distance: {{dist: expr, value: '{'1+' * 300}1'}}}}",
        "camera.distance.value: an expression may have 500 characters",
    ),
    "expression of itself": (
        "camera: {distance: {dist: expr, value: camera.distance}}",
        "rules: camera.distance needs camera.distance: break this circle",
    ),
    "expression for one object": (
        "distractors: {count: 1, assets: [{category: b, shape: box, scale: {dist: expr, value: '2'}}]}",
        "distractors.assets.0.scale: an expression may only stand at a parameter of the whole image",
    ),
}

#: An override of a good recipe → what the message says.
OVERRIDES: dict[str, str] = {
    "camera.distance": "--set needs path=value, for example camera.distance.high=2.5; got 'camera.distance'",
    "=3": "--set needs path=value",
    "camera.distance=[": "--set camera.distance=[: line 1, column 2: while parsing a flow node",
    "camera={distance: 1, distance: 2}": "--set …the key 'distance' stands twice",
    "camera.distance=!!python/name:os.system": "--set …the tag … is not allowed",
    "camera=&a [*a]": "--set …nested more than 50 deep",
    "name.x=1": "--set name.x=1: name is 't', which has no 'x': replace name as a whole",
    "objects.assets.5.weight=1": "objects.assets is a list of 1: use a position from 0 to 0, got '5'",
    "objects.assets.-1.weight=1": "use a position from 0 to 0, got '-1'",
    "camra.distance=1": "camra: unknown key; did you mean 'camera'?",
    "camera.distance=-1": "camera.distance: must be above 0, got -1",
    "name=a b": "name: must match the pattern …, got 'a b'",
    "render.size=12": "render.size: must be a list, got 12",
    "render.size=[1, 2]": "render.size.0: must be 8 or more, got 1",
    "render.preset=best": "render.preset: must be 'draft', 'fast', 'standard' or 'high', got 'best'",
    "objects=3": "objects: must be a mapping, got 3",
    "objects.count=-1": "objects.count: must be between 0 and 1000, got -1",
    "objects.count=1000000": "objects.count: must be between 0 and 1000, got 1000000",
    "objects.assets=[]": "objects.assets: must not be empty",
    "objects.assets.0=box": "objects.assets.0: must be a mapping, got 'box'",
    "objects.assets.0.shape=bx": "objects.assets.0: 'bx' is no shape; choose from bearing, …box",
    "objects.assets.0.path=x.stl": "an asset needs either `shape` (procedural) or `path` (mesh files)",
    "objects.assets.0.params.size=3": "box has no parameter 'size'; it has x_m, y_m, z_m, edge_m",
    "objects.assets.0={category: a, shape: hex_bolt, params: {size: M99}}": "size: must be 'M3', …, got 'M99'",
    "objects.assets.0={category: a, shape: gear, params: {teeth: 1}}": "teeth: must be 10 or more, got 1",
    "objects.assets.0={category: a, shape: gear, params: {teeth: {dist: uniform, low: 12, high: 20}}}": (
        "teeth: must be a whole number: use `dist: integers` or a choice"
    ),
    "objects.assets.0.materials.lid=zinc": "box has no part 'lid'; it has all, body",
    "objects.assets.0.materials=zink": "objects.assets.0.materials: 'zink' is no material",
    "objects.assets.0.scale=0": "objects.assets.0.scale: must be above 0, got 0",
    "objects.assets.0.scale=1e-300": "objects.assets.0.scale: must be between 1e-06 and 1e+06, got 1e-300",
    "objects.assets.0={category: a, path: a.stl, materials: {bdy: zinc}}": "a mesh file has no part 'bdy'; it has all",
    "render.look={dist: choice, options: [soft]}": "render.look: must be 'none' or …got 'soft'",
    "render.view_transform=filmic": "render.view_transform: must be 'agx' or 'standard', got 'filmic'",
    "objects.assets.0.unit=mm": "`unit` and `up` describe a file",
    "objects.assets.0.pose=lying": "objects.assets.0.pose: must be 'stable' or 'upright', got 'lying'",
    "objects.assets.0.pose={dist: uniform, low: 0, high: 1}": "pose: must be 'stable' or 'upright', got 0.0",
    "objects.assets.0.poes=stable": "objects.assets.0.poes: unknown key; did you mean 'pose'?",
    "objects.assets.0.weight=-1": "objects.assets.0.weight: must be 0 or more, got -1",
    "objects.assets.0.weight=0": "at least one asset needs a weight above 0",
    "objects.assets.0.category=''": "objects.assets.0.category: must have at least 1 characters",
    "objects.assets.0={category: a}": "an asset needs either `shape` (procedural) or `path` (mesh files)",
    "placement.gap=0": "placement.gap: must be 0.0001 or more, got 0",
    "dataset.license=CC0-1.0": "dataset.license: must be a mapping, got 'CC0-1.0'",
    "dataset.license.url=https://a.org": "dataset.license.name: is missing",
    "dataset.license={name: a, url: a.org}": "dataset.license.url: must match the pattern …, got 'a.org'",
    "placement.density=dense": "placement.density: must be 'uniform' or 'center', got 'dense'",
}


def refusal(path: Path, overrides: tuple[str, ...] = ()) -> str:
    """The message about a bad recipe, after checks that hold for all of them."""
    with pytest.raises(RecipeError) as caught:
        load(path, overrides)
    message = str(caught.value)
    lines = message.splitlines()
    assert caught.value.exit_code == 2
    assert all(line.startswith((f"{path}: ", "--set ")) for line in lines), "each line says where"
    assert len(lines) <= 2 and max(map(len, lines)) < 700, "a message that is read to its end"
    assert not any(jargon in message for jargon in ("Input should", "validation", "tuple", "pydantic", "Error"))
    return message


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_is_no_recipe(case: str, tmp_path: Path) -> None:
    """The message names the file, the line, and what is wrong there."""
    content, said = FILES[case]
    path = tmp_path / "r.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    matches(said, refusal(path))


@pytest.mark.parametrize("case", ADDITIONS)
def test_a_recipe_that_breaks_a_rule(case: str, tmp_path: Path) -> None:
    """The message names the path in the recipe, the rule, and the value."""
    addition, said = ADDITIONS[case]
    path = tmp_path / "r.yaml"
    path.write_text(f"{GOOD}{addition}\n")
    matches(said, refusal(path))


@pytest.mark.parametrize("override", OVERRIDES)
def test_an_override_is_checked_as_the_file_is(override: str, tmp_path: Path) -> None:
    """`--set` gives the same messages as the same value in the file."""
    path = tmp_path / "r.yaml"
    path.write_text(GOOD)
    matches(OVERRIDES[override], refusal(path, (override,)))


def test_what_is_no_file(tmp_path: Path) -> None:
    """A wrong name is answered with the nearest built-in one."""
    for source, said in {
        "hardwar": "no recipe 'hardwar': … did you mean 'hardware'?",
        str(tmp_path / "none.yaml"): "neither a built-in name nor a file; built in are …hardware",
        str(tmp_path): "is a folder; a recipe is a YAML file",
        "a\0b": "no recipe",
    }.items():
        with pytest.raises(RecipeError) as caught:
            load(source)
        matches(said, str(caught.value))


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """A recipe with two faults is not sent back twice."""
    with pytest.raises(RecipeError) as caught:
        recipe_from_dict({"name": "a b", "objects": {"count": -1, "assets": [{"shape": "box"}]}}, tmp_path)
    paths = [line.split(": ")[1] for line in str(caught.value).splitlines()]
    assert paths == ["name", "objects.count", "objects.assets.0.category"]


def matches(said: str, message: str) -> None:
    """`said` stands in the message, where … is anything."""
    assert re.search(".*".join(map(re.escape, said.split("…"))), message), message
