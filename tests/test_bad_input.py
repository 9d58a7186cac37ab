"""Bad arguments and damaged datasets at the command line: exit code, one readable message, and nothing lost."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

import scenewright as sw
from scenewright import cli
from scenewright.datasets.folder import lock
from scenewright.datasets.records import indices
from scenewright.errors import DatasetError

RECIPE = """\
name: t
objects:
  count: 2
  assets:
    - {category: box, shape: box, params: {x_m: 0.02, y_m: 0.02, z_m: 0.02}}
placement: {area: [0.1, 0.1]}
render: {engine: flat, size: [64, 48]}
"""
COUNT = 3


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The whole command line in this process: `run("generate", …)`."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def call(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["scenewright", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return Ended(caught.value.code, captured.out, " ".join(captured.err.replace("│", " ").split()))

    return call


def child(*arguments: object) -> Ended:
    """The command line in a process of its own, as a user starts it."""
    done = subprocess.run(
        [sys.executable, "-m", "scenewright", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "t.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def made(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound dataset; tests work on copies."""
    folder = tmp_path_factory.mktemp("made") / "d"
    assert sw.generate(sw.load(recipe), COUNT, folder).complete
    return folder


@pytest.fixture
def dataset(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "d"))


def content(folder: Path) -> dict[str, str]:
    """Path → hash of every file below a folder."""
    found = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in found}


# --- arguments --------------------------------------------------------------------------------------------------------

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
    "--out {new} --preset best": (2, "render.preset: must be 'draft', 'standard' or 'high', got 'best'"),
    "--out {new} --preset [": (2, "render.preset: must be 'draft', 'standard' or 'high', got '['"),
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
        ("rerender {dataset} 7 --out {new}.png", 1, "has no image 7: there is no 000007.json in its records"),
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


# --- datasets ---------------------------------------------------------------------------------------------------------


def rewrite(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    record = json.loads(path.read_bytes())
    change(record)
    path.write_text(json.dumps(record))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


#: Damage → what it does, what `validate` says, and whether the same generate command mends it.
DAMAGE: dict[str, tuple[Callable[[Path], object], str, bool]] = {
    "picture cut off": (lambda d: truncate(d / "images/000001.png"), "the PNG is cut off after 50 bytes", False),
    "ids cut off": (lambda d: truncate(d / "ids/000001.png"), "the PNG is cut off after 50 bytes", False),
    "picture of another image": (
        lambda d: shutil.copy(d / "images/000002.png", d / "images/000001.png"),
        "images/000001.png holds other pixels than were recorded",
        False,
    ),
    "picture deleted": (lambda d: (d / "images/000001.png").unlink(), "images/000001.png is missing", True),
    "depth deleted": (lambda d: (d / "depth/000001.png").unlink(), "depth/000001.png is missing", True),
    "folder deleted": (lambda d: shutil.rmtree(d / "ids"), "ids: the folder is missing", True),
    "record deleted": (
        lambda d: (d / "records/000001.json").unlink(),
        "images were asked for and have no record",
        True,
    ),
    "foreign file": (lambda d: (d / "images/cat.png").touch(), "images/cat.png: a foreign file", False),
    "left by a crash": (lambda d: (d / "images/.000001.png.ab.tmp").touch(), "left by an interrupted write", True),
    "record cut off": (lambda d: truncate(d / "records/000001.json"), "000001.json is no record: Invalid JSON", False),
    "record that climbs out": (
        lambda d: rewrite(d / "records/000001.json", lambda r: r.update(image="../../secret.png")),
        "'../../secret.png' must be a path below the dataset's folder",
        False,
    ),
    "record of another image": (
        lambda d: shutil.copy(d / "records/000002.json", d / "records/000001.json"),
        "records/000001.json: holds image 2 of scene 2",
        False,
    ),
    "label changed": (
        lambda d: rewrite(d / "records/000001.json", lambda r: r["instances"][0].update(area=1)),  # type: ignore[index]
        "its labels were changed after they were written",
        False,
    ),
    "COCO file edited": (
        lambda d: (d / "annotations/instances_train.json").write_text('{"images": []}'),
        "instances_train.json: differs from what the records give, from byte",
        True,
    ),
    "COCO file deleted": (
        lambda d: (d / "annotations/instances_val.json").unlink(),
        "instances_val.json: is miss",
        True,
    ),
    "dataset.json deleted": (lambda d: (d / "dataset.json").unlink(), "is no dataset: it has no dataset.json", True),
    "dataset.json cut off": (lambda d: truncate(d / "dataset.json"), "dataset.json is damaged: Invalid JSON", True),
    "dataset.json of counts": (
        lambda d: rewrite(d / "dataset.json", lambda i: i["counts"].update(images=9)),  # type: ignore[attr-defined]
        "dataset.json: counts 9 images, the folder holds 3",
        True,
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damaged_datasets(case: str, run: Run, recipe: Path, dataset: Path, made: Path) -> None:
    """`validate` names the file and the remedy; the same command mends what it can, and never what it cannot prove."""
    damage, said, mends = DAMAGE[case]
    damage(dataset)
    before = content(dataset)
    ended = run("validate", dataset)
    assert ended.code == (0 if case == "left by a crash" else 1)
    assert said in ended.out and "Traceback" not in ended.out + ended.err
    assert content(dataset) == before, "looking changes nothing"
    again = run("generate", recipe, "--out", dataset, "--count", COUNT)
    after = content(dataset)
    if mends:
        assert again.code == 0 and after == content(made)
    else:
        assert again.code in (0, 1) and "Traceback" not in again.err
        kept = {name for name in before if name.split("/")[0] in ("images", "depth", "ids", "records")}
        assert {n: after[n] for n in kept} == {n: before[n] for n in kept}, "nothing is overwritten in silence"


def test_a_lost_dataset_json_is_written_for_the_same_recipe_only(run: Run, recipe: Path, dataset: Path) -> None:
    """Without dataset.json the records say what the folder was made from, and another recipe is refused."""
    (dataset / "dataset.json").unlink()
    before = content(dataset)
    ended = run("generate", recipe, "--out", dataset, "--seed", 5)
    assert ended.code == 1 and "image 0 was made from another recipe or with seed 0" in ended.err
    assert content(dataset) == before
    shutil.rmtree(dataset / "records")
    (dataset / "dataset.json").write_text("{")
    ended = run("generate", recipe, "--out", dataset)
    assert ended.code == 1 and "is damaged, and no records are left to write it from" in ended.err


def test_another_run_holds_the_folder(run: Run, recipe: Path, dataset: Path) -> None:
    """Two runs never write to one folder."""
    with lock(dataset):
        ended = run("generate", recipe, "--out", dataset, "--count", COUNT)
    assert ended.code == 1 and f"another run is writing to {dataset}: wait for it" in ended.err
    assert run("generate", recipe, "--out", dataset, "--count", COUNT).code == 0


def test_a_file_system_without_locks_is_named(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that cannot be had is not taken for another run."""

    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("scenewright.datasets.folder.fcntl.flock", flock)
    with pytest.raises(DatasetError, match=r"cannot lock .*: No locks available\. Choose an --out on a file system"):
        sw.generate(sw.load(recipe), 1, tmp_path / "d")


def test_a_run_that_was_killed_before_its_first_file_goes_on(recipe: Path, made: Path, tmp_path: Path) -> None:
    """What an interrupted first write of dataset.json leaves behind does not block the folder."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d/.dataset.json.0123456789ab.tmp").write_text("{")
    assert sw.generate(sw.load(recipe), COUNT, tmp_path / "d").complete
    assert content(tmp_path / "d") == content(made)


# --- runs that go wrong -----------------------------------------------------------------------------------------------


def test_a_full_disk_keeps_what_is_finished(
    recipe: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the disk fills up the run ends with an explanation, leaves no half file, and goes on later."""
    from scenewright.datasets.records import read_info
    from scenewright.pipeline import engine_for, produce

    loaded, out = sw.load(recipe), tmp_path / "d"
    sw.generate(loaded, 1, out)
    synced = iter([None] * 5)  # the picture and the depth of image 1 fit, each a file and its folder

    def fsync(_: int) -> None:
        if next(synced, "full") == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(DatasetError, match=r"No space left on device\. Free space, .* finished images are kept"):
        produce(loaded, read_info(out), 1, out, engine_for("flat", "cpu", None))
    monkeypatch.undo()
    assert indices(out) == [0] and not list(out.rglob("*.tmp"))
    result = sw.generate(loaded, COUNT, out)
    assert result.rendered == COUNT - 1 and content(out) == content(made)


def test_a_worker_that_is_killed_costs_nothing_but_its_image(recipe: Path, tmp_path: Path) -> None:
    """An image whose worker dies is made again by another one."""
    killed: list[int] = []

    def kill_once(_: object) -> None:
        if not killed:
            worker = psutil.Process().children()[0]
            killed.append(worker.pid)
            worker.kill()

    result = sw.generate(sw.load(recipe), 4, tmp_path / "d", progress=kill_once)
    assert killed and result.complete and not result.failed and indices(tmp_path / "d") == [0, 1, 2, 3]


def test_a_worker_that_cannot_start(run: Run, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken installation is told with the worker's last words and the command that diagnoses it."""
    (tmp_path / "psutil.py").write_text("raise ImportError('libX11.so.6: cannot open shared object file')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    ended = run("generate", recipe, "--out", tmp_path / "d")
    assert ended.code == 1
    assert "error: the render process did not start" in ended.err and "libX11.so.6: cannot open" in ended.err
    assert "run `scenewright doctor`" in ended.err


def test_modules_in_the_users_folder_are_not_ours(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is named like a library, where the user happens to work, is not imported by workers."""
    (tmp_path / "psutil.py").write_text("raise ImportError('this is a script of the user')\n")
    monkeypatch.chdir(tmp_path)
    assert sw.generate(sw.load(recipe), 1, tmp_path / "d").complete


def test_quarantined_images_are_told_with_the_way_out(run: Run, recipe: Path, dataset: Path) -> None:
    """A run that lacks nothing but a quarantined image ends with 3 and says what to look at and what to delete."""
    place = dataset / "quarantine/000003"
    place.mkdir(parents=True)
    record = json.loads((dataset / "records/000002.json").read_bytes())
    record.update(index=3, status="quarantined", reason="the engines disagree")
    (place / "record.json").write_text(json.dumps(record))
    ended = run("generate", recipe, "--out", dataset, "--count", 4)
    assert ended.code == 3
    assert f"1 quarantined (3): look at {place}/record.json; delete the folder and run the same command" in ended.err
    assert "to try again" not in ended.err
    assert run("generate", recipe, "--out", dataset, "--count", 3).code == 0
    shutil.rmtree(place)
    assert run("generate", recipe, "--out", dataset, "--count", 4).code == 0


def test_images_that_cannot_be_made_do_not_stop_the_others(recipe: Path, tmp_path: Path) -> None:
    """Where objects fit only now and then, the run makes what it can, explains the rest, and ends with 3."""
    arguments = [
        "generate", recipe, "--out", tmp_path / "d", "--count", 6, "--json",
        "--set", "objects.count={dist: choice, options: [1, 400]}", "--set", "placement.attempts=5",
    ]  # fmt: skip
    ended = child(*arguments)
    told = json.loads(ended.out)
    assert ended.code == 3 and "Traceback" not in ended.err
    assert told["images"] == told["rendered"] == len(indices(tmp_path / "d")) == 3 and len(told["failed"]) == 3
    assert "then found no room for box in 5 attempts" in ended.err and "lower the count" in ended.err
    assert "3 of 6 images are there; run the same command to try again" in ended.err


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


def test_a_terminated_run_ends_as_an_interrupted_one(recipe: Path, made: Path, tmp_path: Path) -> None:
    """SIGTERM, as job queues send it, ends a run like Ctrl-C: 130, a sentence, whole images and no orphan."""
    out = tmp_path / "d"
    command = [sys.executable, "-m", "scenewright", "generate", str(recipe), "--out", str(out), "--count", "5000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not indices(out) and time.monotonic() < deadline:
        time.sleep(0.02)
    workers = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in err
    assert "interrupted: finished images are kept, the same command goes on from here" in err
    psutil.wait_procs(workers, timeout=5)
    assert workers and not any(w.is_running() for w in workers)
    assert len(indices(out)) < 5000 and not list(out.rglob("*.tmp")) and not (out / ".lock").exists()
    shared = [n for n in content(made) if n.split("/")[0] in ("images", "records") and (out / n).exists()]
    assert shared and all(content(out)[n] == content(made)[n] for n in shared)
