"""What all tests share: real parts and photographs beside the checkout, the command line with a small dataset, and the
question whether Blender is here."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import scenewright as sw
from scenewright import cli
from scenewright.render.doctor import blender

from . import tiny_models
from .commands import COUNT, RECIPE, Ended, Run
from .tiny_models import Tiny

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real parts and photographs, which is not part of the project."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"needs the real parts and photographs in {folder}")
    return folder


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


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of `commands.RECIPE`."""
    path = tmp_path_factory.mktemp("recipe") / "t.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="session")
def made(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound dataset, for all tests: to be read only."""
    folder = tmp_path_factory.mktemp("made") / "d"
    assert sw.generate(sw.load(recipe), COUNT, folder).complete
    return folder


@pytest.fixture(scope="session")
def parts_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bolts, mugs and clutter in a tray, some cut off by the border, with panoptic maps: to be read only."""
    from .test_maps import parts

    folder = tmp_path_factory.mktemp("parts") / "d"
    changes = {"dataset": {"val_fraction": 0.5}, "labels": {"min_pixels": 30}, "camera": {"distance": 0.42}}
    assert sw.generate(parts(outputs=["panoptic"], **changes), 6, folder).complete
    return folder


@pytest.fixture
def dataset(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to damage."""
    return Path(shutil.copytree(made, tmp_path / "d"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, with the reason, what this machine cannot do. bpy is never imported here: it changes the whole process."""
    render, gpu = (item.get_closest_marker(name) for name in ("render", "gpu"))
    if not render and not gpu:
        return
    found = blender()
    if found.version is None:
        pytest.skip(f"{found.problem}: {found.remedy}")
    if gpu and not found.devices:
        pytest.skip("no GPU that Cycles can use")


@pytest.fixture(scope="session")
def blends(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of what `data/asset_maker.py` makes, to be read only."""
    folder = tmp_path_factory.mktemp("assets")
    maker = Path(__file__).parent / "data" / "asset_maker.py"
    done = subprocess.run([sys.executable, str(maker), str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user cache"))
    return tmp_path / "user cache"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Tiny diffusion models, each built when it is first asked for: `tiny("sdxl")`, to be read only."""
    pytest.importorskip("diffusers", reason="diffusers is an optional dependency")
    folder = tmp_path_factory.mktemp("models")
    built: dict[str, Path] = {}

    def get(name: str) -> Path:
        if name not in built:
            built[name] = tiny_models.MODELS[name](folder, get)
        return built[name]

    return get
