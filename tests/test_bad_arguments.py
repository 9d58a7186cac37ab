"""Bad arguments at the command line: exit code, one readable message, and nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

from .commands import RECIPE, Run, child, content

#: Arguments after `generate RECIPE` → exit code, what the message says. {new}: a folder that does not exist yet.
ARGUMENTS: dict[str, tuple[int, str]] = {
    "": (2, "Missing option '--out'"),
    "--out {new} --bogus": (2, "No such option: --bogus"),
    "--out {new} --count 0": (2, "Invalid value for '--count'"),
    "--out {new} --count many": (2, "Invalid value for '--count'"),
    "--out {new} --count 99999999999": (2, "a dataset has 1 to 10,000,000 images, got --count 99999999999"),
    "--out {new} --workers 0": (2, "Invalid value for '--workers'"),
    "--out {new} --seed -1": (2, "Invalid value for '--seed'"),
    "--out {new} --seed 99999999999999999999": (2, "the seed must be between 0 and 9007199254740991"),
    "--out {new} --size 12": (2, "--size is WIDTHxHEIGHT in pixels, for example 640x480; got '12'"),
    "--out {new} --size 0x0": (2, "--size is WIDTHxHEIGHT in pixels"),
    "--out {new} --size 4x4": (2, "render.size.0: must be 8 or more, got 4"),
    "--out {new} --size -5x5": (2, "--size is WIDTHxHEIGHT in pixels"),
    "--out {new} --size 99999x480": (2, "render.size.0: must be 16384 or less, got 99999"),
    "--out {new} --preset best": (2, "render.preset: must be 'draft', 'fast', 'standard' or 'high', got 'best'"),
    "--out {new} --preset [": (2, "render.preset: must be 'draft', 'fast', 'standard' or 'high', got '['"),
    "--out {new} --device gpu": (2, "'gpu' is no device: choose from auto, cpu, cuda, optix, hip, oneapi, metal"),
    "--out {new} --timeout 0": (2, "an image may take more than 0 and up to 604,800 s, got --timeout 0"),
    "--out {new} --timeout nan": (2, "an image may take more than 0 and up to 604,800 s, got --timeout nan"),
    "--out {new} --timeout inf": (2, "an image may take more than 0 and up to 604,800 s, got --timeout inf"),
    "--out {new} --set camera.distance": (2, "--set needs path=value, for example camera.distance.high=2.5"),
    "--out {new} --set name.x=1": (2, "name is 't', which has no 'x': replace name as a whole"),
    "--out {file}": (1, "cannot write to {file}: File exists. Choose another --out"),
    "--out {file}/x": (1, "cannot write to {file}/x: Not a directory. Choose another --out"),
    "--out /proc/x": (1, "cannot write to /proc/x: "),
    "--out {full}": (1, "{full} is not empty and holds no dataset (thesis.txt): choose another --out"),
}


@pytest.mark.parametrize("line", ARGUMENTS)
def test_bad_arguments(line: str, run: Run, recipe: Path, tmp_path: Path) -> None:
    """A command that cannot be meant says why, renders nothing, and leaves the disk as it was."""
    places = {"new": tmp_path / "new", "file": tmp_path / "file", "full": tmp_path / "full"}
    places["file"].touch()
    places["full"].mkdir()
    (places["full"] / "thesis.txt").write_text("all I have")
    before = content(tmp_path)
    code, said = ARGUMENTS[line]
    ended = run("generate", recipe, *line.format(**places).split())
    assert (ended.code, ended.out) == (code, "")
    assert said.format(**places) in ended.err
    assert content(tmp_path) == before and not places["new"].exists()


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("bogus", 2, "No such command 'bogus'"),
        ("generate nope --out {new}", 2, "error: no recipe 'nope'"),
        ("preview {recipe} --out {new}.gif", 2, "end --out in .png or .jpg, got 'new.gif'"),
        ("preview {recipe} --device gpu --out {new}.png", 2, "'gpu' is no device"),
        ("show {dataset} --out {new}.gif", 2, "end --out in .png or .jpg"),
        ("show {dataset} --columns 0", 2, "Invalid value for '--columns'"),
        ("show {new}", 1, "new holds no finished image: name the folder that `--out` named"),
        ("rerender {dataset} 7 --out {new}.png", 1, "has no image 7, and none was put aside under this index"),
        ("rerender {dataset} one", 2, "Invalid value for"),
        ("rerender {dataset} 0 --out {new}", 2, "end --out in .png or .jpg"),
        ("rerender {dataset} 0 --device gpu --out {new}.png", 2, "'gpu' is no device"),
        ("rerender {new} 0", 1, "new has no image 0"),
        ("generate {recipe} --out {dataset} --seed 4", 1, "was made with seed 0, not 4: use --seed 0 or another --out"),
        ("generate {recipe} --out {dataset} --size 80x60", 1, "another recipe (it differs in render.size)"),
        ("generate {recipe} --out {dataset} --set objects.count=3", 1, "(it differs in objects.count.value)"),
        ("generate hardware --out {dataset}", 1, "was made from another recipe (it differs in name, "),
    ],
)
def test_bad_commands(line: str, code: int, said: str, run: Run, recipe: Path, dataset: Path, tmp_path: Path) -> None:
    """Every command refuses what it cannot do, and leaves the dataset as it was."""
    before = content(tmp_path)
    filled = line.format(recipe=recipe, dataset=dataset, new=tmp_path / "new")
    ended = run(*filled.split())
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err
    assert content(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["generate", "{folder}/bad.yaml", "--out", "{folder}/d"], 2, "bad.yaml: camra: unknown key; did you mean"),
        (["generate", "{folder}/mesh.yaml", "--out", "{folder}/d"], 1, "cut.stl is cut off, damaged or no STL file"),
    ],
)
def test_a_user_sees_one_line(arguments: list[str], code: int, said: str, recipe: Path, tmp_path: Path) -> None:
    """In a process of its own: an exit code for scripts, one line for people, and no traceback."""
    (tmp_path / "bad.yaml").write_text(f"{RECIPE}camra: {{}}\n")
    (tmp_path / "mesh.yaml").write_text(
        RECIPE.replace("shape: box, params: {x_m: 0.02, y_m: 0.02, z_m: 0.02}", "path: cut.stl")
    )
    (tmp_path / "cut.stl").write_bytes(bytes(90) + b"x")
    ended = child(*(a.format(folder=tmp_path, recipe=recipe) for a in arguments))
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith("error: ") and said in ended.err and len(ended.err.splitlines()) == 1
    assert not (tmp_path / "d").exists()
