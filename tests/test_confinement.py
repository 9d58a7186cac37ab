"""Recipes and datasets of strangers: they read their own folder and what is allowed, and write where they were told."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import orjson
import psutil
import pytest
import trimesh
import yaml

import scenewright as sw
from scenewright.assets.files import MAX_BYTES
from scenewright.assets.reach import Reach
from scenewright.datasets.derived_folder import open_derived
from scenewright.datasets.locks import lock
from scenewright.datasets.records import Record, read_info, read_record, record_path
from scenewright.errors import DatasetError, RecipeError, ScenewrightError, UsageError
from scenewright.scenes.load import load

from .commands import RECIPE, Run, content, workers

#: Longer than anything here takes on a busy machine; what waits for a pipe would wait for ever.
SECONDS = 600
SECRET = "the-secret-of-the-house"

Raw = dict[str, Any]


@pytest.fixture(autouse=True)
def in_time() -> Iterator[None]:
    """End a test that hangs."""

    def late(*_: object) -> None:
        raise TimeoutError(f"more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """`stranger/` for a recipe, and `house/` with files that it may only have when it is allowed to."""
    place = tmp_path / "house"
    (place / "oak").mkdir(parents=True)
    (place / "sky").mkdir()
    (tmp_path / "stranger").mkdir()
    trimesh.creation.box((10, 20, 30)).export(place / "part.stl")
    cv2.imwrite(str(place / "sky" / "dawn.hdr"), np.ones((8, 16, 3), np.float32))
    cv2.imwrite(str(place / "oak" / "oak_color.png"), np.full((8, 8, 3), 99, np.uint8))
    cv2.imwrite(str(place / "photo.png"), np.full((48, 64, 3), 180, np.uint8))
    (place / "lamps.csv").write_text(f"kelvin,{SECRET}\n3000,1\n")
    return place


def recipe(folder: Path, changes: Raw) -> Path:
    """A recipe in the stranger's folder."""
    path = folder / "r.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(RECIPE), **changes}))
    return path


def mesh(path: str) -> Raw:
    return {"objects": {"count": 1, "assets": [{"category": "a", "path": path}]}}


def sky(path: str) -> Raw:
    return {"world": {"hdri": path}}


def surface(path: str) -> Raw:
    return {"surface": {"materials": [{"textures": path, "values": {"tile_m": 0.5}}, "wood"]}}


def backplate(path: str) -> Raw:
    render = {"engine": "flat", "size": [64, 48], "view_transform": "standard"}
    return {"backplate": {"images": path}, "render": render}


def table(path: str) -> Raw:
    return {"lights": [{"temperature_k": {"dist": "empirical", "csv": path, "column": "kelvin"}}]}


def rule(path: str) -> Raw:
    return {"rules": [{"when": "camera.distance < 9", "set": {"world.hdri": path}}]}


#: What names a file → where the message says it does, the name of a file or folder that serves, and the recipe.
PLACES: dict[str, tuple[str, str, Callable[[str], Raw]]] = {
    "mesh": ("objects.assets.0.path", "part.stl", mesh),
    "meshes": ("objects.assets.0.path", "*.stl", mesh),
    "meshes of any folder": ("objects.assets.0.path", "**/part.stl", mesh),
    "clutter": (
        "distractors.assets.0.path", "part.stl", lambda path: {"distractors": mesh(path)["objects"]},
    ),
    "panorama": ("world.hdri", "sky/dawn.hdr", sky),
    "panoramas": ("world.hdri", "sky", sky),
    "one of several": (
        "world.hdri", "sky", lambda path: sky({"dist": "choice", "options": ["studio", path]}),  # type: ignore[arg-type]
    ),
    "panorama of a rule": ("rules.0.set.world.hdri", "sky", rule),
    "textures": ("surface.materials.0.textures", "oak", surface),
    "textures of a part": (
        "objects.assets.0.materials.body.0.textures", "oak",
        lambda path: {"objects": {"count": 1, "assets": [
            {"category": "a", "shape": "box", "materials": {"body": surface(path)["surface"]["materials"]}},
        ]}},
    ),
    "photograph": ("backplate.images", "photo.png", backplate),
    "table": ("lights.0.temperature_k", "lamps.csv", table),
}  # fmt: skip


def refusal(path: Path, *overrides: str, allow: tuple[Path, ...] = ()) -> str:
    with pytest.raises(RecipeError) as caught:
        load(path, overrides, allow=allow)
    message = str(caught.value)
    assert "\n" not in message and SECRET not in message
    return message


@pytest.mark.parametrize("case", PLACES)
@pytest.mark.parametrize("way", ["absolute", "up", "through a link"])
def test_what_lies_elsewhere_needs_to_be_allowed(case: str, way: str, house: Path) -> None:
    """Wherever a recipe names a file outside, by whichever way, the message says where, what, and `--allow`; with that
    it loads."""
    where, name, make = PLACES[case]
    stranger = house.parent / "stranger"
    (stranger / "link").symlink_to(house)
    path = recipe(stranger, make({"absolute": f"{house}/{name}", "up": f"../house/{name}"}.get(way, f"link/{name}")))
    message = refusal(path)
    assert message.startswith(f'{path}: {where}: "')
    assert f"leads to {house}" in message and f"out of the recipe's folder {stranger}:" in message
    assert "--allow FOLDER" in message
    assert load(path, allow=[house]) == load(path, allow=[str(house.parent)])


@pytest.mark.parametrize(
    ("link", "target", "changes", "where"),
    [
        ("a.stl", "part.stl", mesh("a.stl"), "objects.assets.0.path"),
        ("a.stl", "part.stl", mesh("*.stl"), "objects.assets.0.path"),
        ("parts", ".", mesh("*/part.stl"), "objects.assets.0.path"),
        ("parts", ".", mesh("p*/*.stl"), "objects.assets.0.path"),
        ("sky/b.hdr", "sky/dawn.hdr", sky("sky"), "world.hdri"),
        ("oak/a_color.png", "oak/oak_color.png", surface("oak"), "surface.materials.0.textures"),
        ("oak/beech", "oak", surface("oak"), "surface.materials.0.textures"),
        ("photos/a.png", "photo.png", backplate("photos"), "backplate.images"),
        ("a.csv", "lamps.csv", table("a.csv"), "lights.0.temperature_k"),
    ],
)
def test_links_count_by_where_they_lead(link: str, target: str, changes: Raw, where: str, house: Path) -> None:
    """A link among the stranger's files is no way out, be it named, matched by a pattern or found in a folder."""
    stranger = house.parent / "stranger"
    (stranger / link).parent.mkdir(exist_ok=True)
    (stranger / link).symlink_to(house / target)
    path = recipe(stranger, changes)
    message = refusal(path)
    assert f'{path}: {where}: "' in message and f"leads to {house}" in message
    load(path, allow=[house])


def test_what_lies_inside_needs_nothing(house: Path) -> None:
    """Own files may be named by dots, absolutely, and through links that stay inside."""
    stranger = house.parent / "stranger"
    shutil.copytree(house, stranger / "own")
    (stranger / "other").symlink_to("own")
    found = [
        load(recipe(stranger, mesh(path))).files[path]
        for path in ("own/part.stl", "own/../own/part.stl", f"{stranger}/own/*.stl", "other/part.stl", "**/part.stl")
    ]
    assert len(set(found)) == 1 and len(found[0]) == 1


def test_overrides_follow_the_same_rule(house: Path) -> None:
    """`--set` starts from the recipe's folder and needs `--allow` outside of it."""
    path = recipe(house.parent / "stranger", {})
    assert 'world.hdri: "../house/sky" leads to' in refusal(path, "world.hdri=../house/sky")
    load(path, ["world.hdri=../house/sky"], allow=[house])
    assert "out of the recipe's folder" in refusal("hardware", f"world.hdri={house}/sky")  # type: ignore[arg-type]
    load("hardware", [f"world.hdri={house}/sky"], allow=[house])


def test_a_message_does_not_tell_what_is_there(house: Path) -> None:
    """Outside, what exists and what does not give the same message, and no content is told."""
    stranger = house.parent / "stranger"
    for changes in (mesh, sky, surface, backplate, table):
        told = {
            refusal(recipe(stranger, changes(f"../house/{name}"))).replace(name, "…")
            for name in ("lamps.csv", "oak", "none")
        }
        assert len(told) == 1
    for way in ("/etc/shadow", "~/.ssh/id_rsa"):
        message = refusal(recipe(stranger, table(way)))
        assert ("root:" not in message and "leads to /etc" in message) or "No such file" in message


def test_a_home_is_a_plain_name(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither ~ nor a variable stands for a folder."""
    monkeypatch.setenv("HOME", str(house))
    for name in ("~/part.stl", "$HOME/part.stl"):
        assert f"no file matches '{name}'" in refusal(recipe(house.parent / "stranger", mesh(name)))


def test_what_is_allowed_must_be_a_folder(house: Path) -> None:
    """A misspelt folder is an error, even where nothing would need it."""
    with pytest.raises(UsageError, match=r"--allow .*/none is no folder: name one"):
        load(recipe(house.parent / "stranger", {}), allow=[house / "none"])


def test_the_commands_take_it(run: Run, house: Path, tmp_path: Path) -> None:
    """`generate` and `preview` refuse with exit code 2, say how to allow it, and do as they are told."""
    path = recipe(tmp_path / "stranger", mesh("../house/part.stl"))
    for command, name in ((["generate", path, "--count", 1], "d"), (["preview", path], "p.png")):
        ended = run(*command, "--out", tmp_path / name)
        assert (ended.code, ended.out) == (2, "")
        assert f'{path}: objects.assets.0.path: "../house/part.stl" leads to {house}/part.stl' in ended.err
        assert not (tmp_path / name).exists()
        assert run(*command, "--out", tmp_path / name, "--allow", house).code == 0
    assert run("generate", path, "--out", tmp_path / "e", "--allow", "none").code == 2


@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize("case", ["mesh", "panorama", "photograph", "table"])
def test_pipes_and_devices_are_not_opened(kind: str, case: str, house: Path) -> None:
    """What would block for ever, or never end, is refused at once, even where it is allowed."""
    name, make = PLACES[case][1:]
    stranger = house.parent / "stranger"
    target = stranger / Path(name).name
    os.mkfifo(target) if kind == "pipe" else target.symlink_to("/dev/zero")
    with pytest.raises(ScenewrightError, match="it is a pipe, a socket or a device"):
        load(recipe(stranger, make(target.name)), allow=["/dev"])


@pytest.mark.parametrize(
    ("name", "changes"), [("sky/dawn.hdr", sky("sky")), ("oak/oak_color.png", surface("oak")), ("a.stl", mesh("*.stl"))]
)
def test_pipes_in_folders_are_passed_over(name: str, changes: Raw, tmp_path: Path) -> None:
    """A folder that holds nothing but a pipe holds no file."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(ScenewrightError, match=r"has no |no file matches"):
        load(recipe(tmp_path, changes))


@pytest.mark.parametrize("case", ["mesh", "panorama", "photograph", "table"])
def test_files_without_end_are_refused_by_their_size(case: str, tmp_path: Path) -> None:
    """A file of some bytes on the disk that claims gigabytes is not read."""
    name, make = PLACES[case][1:]
    path = tmp_path / Path(name).name
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ScenewrightError, match=f"has {MAX_BYTES + 1:,} bytes"):
        load(recipe(tmp_path, make(path.name)))


def test_a_recipe_without_end(tmp_path: Path) -> None:
    """The recipe itself is measured before it is read."""
    with (tmp_path / "r.yaml").open("wb") as file:
        file.truncate(1 << 40)
    assert "a recipe may have 1,000,000 bytes, this file has 1,099,511,627,776" in refusal(tmp_path / "r.yaml")


def test_patterns_that_are_made_to_last(tmp_path: Path) -> None:
    """Links in circles and many wildcards do not multiply: each folder is looked into once."""
    for letter in "abcdefgh":
        (tmp_path / letter).symlink_to(".")
    deep = tmp_path.joinpath("d0", *"xxxxxxxxxxxxxxxxxxxxxxxxx")
    deep.mkdir(parents=True)
    trimesh.creation.box((1, 1, 1)).export(deep / "part.stl")
    reach = Reach(tmp_path)
    for pattern in ("*/" * 20 + "**/part.stl", "**/" * 20 + "*.stl", "**/*/**/part.stl"):
        assert [path.resolve() for path in reach.files(pattern)] == [deep / "part.stl"]
    for pattern in ("*/" * 12 + "none.stl", "**/" * 20 + "none.stl", "*a" * 100):
        with pytest.raises(ValueError, match="no file matches"):
            reach.files(pattern)
    with pytest.raises(ValueError, match="a pattern may go through 32 folders, this one has 101"):
        reach.files("*/" * 100 + "x")


def test_patterns_match_as_before(tmp_path: Path) -> None:
    """The pattern language is that of `pathlib`, and a file of exactly that name comes first."""
    for name in ("a1.stl", "a2.STL", "b/a1.stl", "b/c/a1.stl", ".hidden/a1.stl", "a[1].stl", "b/.x.stl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for pattern in (
        "*.stl",
        "a?.stl",
        "*/a1.stl",
        "**/*.stl",
        "b/**/a*",
        "[ab]/*",
        "**/c/*.stl",
        "./b/../*.stl",
        "*/*/*",
    ):
        wanted = sorted({p.resolve() for p in tmp_path.glob(pattern) if p.is_file()})
        assert sorted(p.resolve() for p in Reach(tmp_path).files(pattern)) == wanted, pattern
    assert Reach(tmp_path).files("a[1].stl") == [tmp_path / "a[1].stl"]


# Datasets of strangers.


def linked(path: Path, target: Path) -> None:
    """Replace a file or folder by a link to what stands elsewhere."""
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    path.symlink_to(target)


@pytest.mark.parametrize("name", ["images", "records", "annotations", "twins", "quarantine/000000", ".000000.x.tmp"])
def test_a_run_writes_through_no_link(name: str, recipe: Path, dataset: Path, tmp_path: Path, run: Run) -> None:
    """A dataset some folder of which is a link elsewhere is not continued, and nothing elsewhere is made or removed."""
    house = tmp_path / "house"
    house.mkdir()
    (house / ".keep.tmp").write_text("of somebody else")
    (dataset / name).parent.mkdir(exist_ok=True)
    linked(dataset / name, house)
    ended = run("generate", recipe, "--out", dataset, "--count", 9)
    assert ended.code == 1 and f"{name} leads out of {dataset}, into which alone this run may write" in ended.err
    assert content(house) == {".keep.tmp": content(house)[".keep.tmp"]}


def test_a_lock_is_no_way_to_empty_a_file(recipe: Path, dataset: Path, tmp_path: Path, run: Run) -> None:
    """A lock file that is a link, or a pipe, is refused, and what it leads to stays as it is."""
    victim = tmp_path / "victim"
    victim.write_text("all I have")
    (dataset / ".lock").symlink_to(victim)
    ended = run("generate", recipe, "--out", dataset, "--count", 9)
    assert ended.code == 1 and f"cannot write to {dataset}" in ended.err
    assert victim.read_text() == "all I have"
    (dataset / ".lock").unlink()
    os.mkfifo(dataset / ".lock")
    with pytest.raises(DatasetError, match="cannot write to"), lock(dataset):
        pass


def test_a_contact_sheet_replaces_a_link(dataset: Path, tmp_path: Path, run: Run) -> None:
    """`show` writes into the dataset it was told, never into what a link there leads to."""
    victim = tmp_path / "victim"
    victim.write_text("all I have")
    (dataset / "contact.png").symlink_to(victim)
    assert run("show", dataset).code == 0
    assert victim.read_text() == "all I have" and not (dataset / "contact.png").is_symlink()


@pytest.mark.parametrize("name", ["image", "depth", "ids"])
def test_readers_follow_no_link_out(name: str, dataset: Path, tmp_path: Path, run: Run) -> None:
    """A picture that is a link elsewhere is neither shown nor exported, and `validate` says so."""
    path = dataset / getattr(read_record(record_path(dataset, 0)), name)
    shutil.copy(path, tmp_path / "picture.png")
    linked(path, tmp_path / "picture.png")
    said = f"leads out of the dataset {dataset}"
    assert said in run("validate", dataset).out
    if name == "image":
        assert said in run("show", dataset).err
        ended = run("export", dataset, "--to", "yolo", "--out", tmp_path / "y")
        assert ended.code == 1 and said in ended.err
        loader = sw_loader(dataset)
        with pytest.raises(DatasetError, match="leads out of"):
            _ = [loader[index] for index in range(len(loader))]


def sw_loader(dataset: Path) -> Any:
    from scenewright.datasets.loader import CocoDetection

    split = read_record(record_path(dataset, 0)).split
    return CocoDetection(dataset, split=split)


@pytest.mark.parametrize("name", ["records/000000.json", "dataset.json", "images/000000.png", f"assets/{'0' * 64}.png"])
@pytest.mark.parametrize("kind", ["pipe", "device", "circle"])
def test_readers_open_no_pipe(name: str, kind: str, dataset: Path, run: Run) -> None:
    """A record, a picture or an asset that is a pipe, a device or a link to itself is a finding, not a wait."""
    (dataset / name).parent.mkdir(exist_ok=True)
    (dataset / name).unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(dataset / name)
    else:
        (dataset / name).symlink_to("/dev/zero" if kind == "device" else (dataset / name).name)
    ended = run("validate", dataset)
    assert ended.code == 1 and "Traceback" not in ended.err
    for command in ("show", "status", "rerender"):
        ended = run(command, dataset, *([0, "--out", dataset.parent / "r.png"] if command == "rerender" else []))
        assert ended.code in (0, 1) and "Traceback" not in ended.err


def test_a_derived_dataset_takes_no_link_along(dataset: Path, tmp_path: Path) -> None:
    """Assets are copied when a model works on a dataset; one that leads elsewhere is not, whatever its name."""
    (tmp_path / "key").write_text(SECRET)
    (dataset / "assets").mkdir(exist_ok=True)
    (dataset / "assets" / "key.pem").symlink_to(tmp_path / "key")
    info = read_info(dataset)
    new = tmp_path / "new"
    with lock(new):
        open_derived(new, dataset, info, "refined", {}, 1)
    assert content(new).keys() == {"dataset.json"}
    (dataset / "assets" / f"{'0' * 64}.pem").symlink_to(tmp_path / "key")
    with lock(tmp_path / "other"), pytest.raises(DatasetError, match="leads out of the dataset"):
        open_derived(tmp_path / "other", dataset, info, "refined", {}, 1)
    assert SECRET not in "".join(p.read_text() for p in (tmp_path / "other").rglob("*") if p.is_file())


def test_a_source_is_named_as_seen_from_the_dataset(dataset: Path, tmp_path: Path) -> None:
    """dataset.json cannot send its readers to an absolute place."""
    with lock(tmp_path / "new"):
        made = open_derived(tmp_path / "new", dataset, read_info(dataset), "refined", {}, 1)
    assert made.derived is not None and made.derived.source.folder == "../d"
    path = tmp_path / "new" / "dataset.json"
    path.write_text(path.read_text().replace('"../d"', f'"{dataset}"'))
    with pytest.raises(DatasetError, match="must say where the source lies as seen from the dataset"):
        read_info(tmp_path / "new")


@pytest.mark.parametrize("name", ["/etc/passwd", "../../etc/passwd", "..", "a\\b", "images/../../x", ""])
def test_records_name_no_path_outside(name: str, made: Path) -> None:
    """No path of a record or of its maps may leave the dataset."""
    plain = read_record(record_path(made, 0)).model_dump(mode="json")
    for key, value in (("image", name), ("depth", name), ("ids", name), ("maps", {"normals": name})):
        with pytest.raises(ValueError, match="must be a path below the dataset's folder"):
            Record.model_validate({**plain, key: value})


@pytest.mark.parametrize("form", ["coco-polygons", "yolo", "label-studio"])
@pytest.mark.parametrize(
    ("key", "value"), [("index", "../../x"), ("index", 1), ("index", None), ("image", "../../x.png")]
)
def test_an_export_writes_where_it_was_told(form: str, key: str, value: object, dataset: Path, run: Run) -> None:
    """Whatever a record calls itself and its picture, an export puts nothing outside of its folder."""
    path = record_path(dataset, 0)
    path.write_bytes(orjson.dumps({**orjson.loads(path.read_bytes()), key: value}))
    before = content(dataset.parent)
    ended = run("export", dataset, "--to", form, "--out", dataset.parent / "a" / "b" / "out")
    assert ended.code == 1 and "Traceback" not in ended.err
    assert {name for name in content(dataset.parent) if not name.startswith("a/b/out/")} == before.keys()


# A whole run, from outside.

#: The command line behind walls: it reads the recipe's folder, and writes into the output, its caches and its scratch.
WALLED = """
import sys
from pathlib import Path
from scenewright.render.sandbox import confine
base = Path(sys.argv[1])
if not confine([base / "stranger", Path("/proc")], [base / "out", base / "cache", base / "tmp", Path("/dev/shm")]):
    sys.exit("cannot")
sys.argv = ["scenewright", *sys.argv[2:]]
from scenewright.cli import main
main()
"""


def walled(base: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A command that can touch nothing but what it may, started in an empty home; skips where the kernel cannot."""
    for name in ("out", "cache", "tmp", "home"):
        (base / name).mkdir(exist_ok=True)
    places = {"HOME": base / "home", "XDG_CACHE_HOME": base / "cache", "TMPDIR": base / "tmp"}
    ended = subprocess.run(
        [sys.executable, "-c", WALLED, str(base), *map(str, arguments)], capture_output=True, text=True, check=False,
        cwd=base / "stranger", env={**os.environ, **{k: str(v) for k, v in places.items()}},
    )  # fmt: skip
    if ended.stderr.strip() == "cannot":
        pytest.skip("this kernel has no Landlock")
    return ended


def scratch() -> set[str]:
    return {p.name for p in Path("/dev/shm").iterdir() if not p.name.startswith("scenewright-worker-")}


def test_a_run_touches_its_folders_only(tmp_path: Path, house: Path) -> None:
    """Behind walls that leave it the recipe's folder, the output, the cache and its scratch, `generate` makes the same
    dataset, byte for byte: it needs nothing else. Beside the output nothing is left."""
    stranger = tmp_path / "stranger"
    shutil.copy(house / "part.stl", stranger)
    shutil.copytree(house / "oak", stranger / "oak")
    path = recipe(stranger, {**mesh("*.stl"), **surface("oak")})
    given, memory = content(stranger), scratch()
    ended = walled(tmp_path, "generate", path, "--count", 2, "--workers", 2, "--out", tmp_path / "out")
    assert ended.returncode == 0, ended.stderr
    assert sw.generate(sw.load(path), 2, tmp_path / "free").complete
    assert content(tmp_path / "out") == content(tmp_path / "free")
    assert content(stranger) == given
    assert [content(tmp_path / name) for name in ("tmp", "home", "cache")] == [{}, {}, {}]
    assert scratch() == memory


@pytest.mark.render
def test_blender_touches_its_folders_only(tmp_path: Path, house: Path, blends: Path) -> None:
    """The same with a .blend, which is ingested into the cache, and with a picture rendered by Cycles."""
    stranger = tmp_path / "stranger"
    shutil.copy(blends / "part.blend", stranger)
    shutil.copy(blends / "skin.png", stranger)
    path = recipe(stranger, {**mesh("part.blend"), "render": {"size": [64, 48], "preset": "draft"}})
    ended = walled(tmp_path, "generate", path, "--count", 1, "--device", "cpu", "--out", tmp_path / "out")
    assert ended.returncode == 0, ended.stderr
    assert {p.split("/")[0] for p in content(tmp_path / "cache")} == {"scenewright"}
    assert [content(tmp_path / name) for name in ("tmp", "home")] == [{}, {}]
    assert len(list((tmp_path / "out" / "images").iterdir())) == 1


def test_a_hostile_recipe_leaves_nothing(tmp_path: Path, house: Path) -> None:
    """A recipe that is refused has written nothing anywhere, in or out of the walls."""
    path = recipe(tmp_path / "stranger", mesh("../house/part.stl"))
    before = content(tmp_path)
    ended = walled(tmp_path, "generate", path, "--count", 1, "--out", tmp_path / "out" / "d")
    assert ended.returncode == 2 and "--allow FOLDER" in ended.stderr
    assert content(tmp_path) == before


def test_a_run_opens_no_port(recipe: Path, tmp_path: Path) -> None:
    """While `generate` works, neither it nor any of its workers has an internet socket of any kind."""
    run = subprocess.Popen(
        [sys.executable, "-m", "scenewright", "generate", str(recipe), "--count", "12", "--workers", "2", "--out",
         str(tmp_path / "d")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    looked = 0
    try:
        while run.poll() is None:
            try:
                family = [psutil.Process(run.pid), *psutil.Process(run.pid).children(recursive=True)]
                assert [c for p in family for c in p.net_connections(kind="inet")] == []
                looked += len(workers(run.pid)) == 2
            except psutil.Error:
                pass  # one of them has just ended
            time.sleep(0.05)
    finally:
        run.kill()
        run.wait()
    assert looked > 3 and run.returncode == 0
