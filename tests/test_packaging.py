"""What is shipped: every package and data file, nothing else, with versions that can be installed again."""

from __future__ import annotations

import re
import shutil
import site
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import scenewright

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
FOLDERS = ("assets", "scenes", "render", "diffusion", "datasets")
PINS = dict(
    line.lower().replace("_", "-").split("==")
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
)


def test_one_version() -> None:
    """The package says the version that its metadata says."""
    assert scenewright.__version__ == PROJECT["project"]["version"]


def test_every_folder_with_code_or_recipes_is_shipped() -> None:
    """A folder that is missing from the list of packages would work in a checkout and be absent from the wheel."""
    files = [path for folder in FOLDERS for suffix in ("py", "yaml") for path in (ROOT / folder).rglob(f"*.{suffix}")]
    needed = {".".join(["scenewright", *path.parent.relative_to(ROOT).parts]) for path in files} | {"scenewright"}
    assert needed <= set(PROJECT["tool"]["setuptools"]["packages"])


EXTRAS = [line for extra in PROJECT["project"]["optional-dependencies"].values() for line in extra]


@pytest.mark.parametrize("line", [*PROJECT["project"]["dependencies"], *(e for e in EXTRAS if e[:5] != "torch")])
def test_constraints_fit_the_requirements(line: str) -> None:
    """Every requirement is pinned to a version that it allows; `make lock` writes the pins."""
    requirement = Requirement(line)
    pin = PINS[requirement.name.lower().replace("_", "-")]
    assert requirement.specifier.contains(pin, prereleases=True)


def test_torch_is_not_locked() -> None:
    """torch is asked for by its exact version where it is needed, and is no part of the locked set."""
    assert not {"torch", "scenewright"} & PINS.keys()
    assert "torch==2.13.0" in (ROOT / "Makefile").read_text("utf-8")


def test_make_names_its_targets() -> None:
    """The Makefile's heading lists each target that a person calls."""
    text = (ROOT / "Makefile").read_text("utf-8")
    described = set(re.findall(r"^# make ([\w-]+)", text, re.MULTILINE))
    assert described == {"demo", "demo-refine", "test", "bench", "lint", "lock", "clean"}
    assert all(re.search(rf"^{target}:", text, re.MULTILINE) for target in described)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy so that the checkout stays clean."""
    folder = tmp_path_factory.mktemp("wheel")
    ignore = shutil.ignore_patterns(".*", "out", "build", "dist", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT, folder / "source", ignore=ignore)
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(folder / "source")]
    result = subprocess.run(build, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    """Code, recipes and the typing marker are in the wheel; tests, pictures of the README and stray files are not."""
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    code = [*ROOT.glob("*.py"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))]
    recipes = (ROOT / "scenes" / "recipes").glob("*.yaml")
    wanted = {f"scenewright/{path.relative_to(ROOT).as_posix()}" for path in (*code, *recipes)}
    assert names >= wanted | {"scenewright/py.typed"}
    assert not [name for name in names if re.search(r"/tests/|/gallery/|\.(png|jpg|pyc)$", name)]
    assert {name.split("/")[0] for name in names} == {"scenewright"}


@pytest.mark.slow
def test_wheel_works_in_a_clean_environment(wheel: Path, tmp_path: Path) -> None:
    """Installed from the wheel, away from the checkout, the command lists the built-in recipes."""
    environment = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True, timeout=120)
    python = environment / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", str(wheel)]
    subprocess.run(install, check=True, timeout=300)
    # The dependencies come from this environment by path; a .pth file in a path that was added so is not read, so
    # the checkout's editable install stays out.
    packages = next((environment / "lib").glob("python*/site-packages"))
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()))

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = run(str(python), "-c", "import scenewright.cli; print(scenewright.__file__)").strip()
    assert Path(where).is_relative_to(environment)
    listed = run(str(environment / "bin" / "scenewright"), "recipes")
    assert all(path.stem in listed for path in (ROOT / "scenes" / "recipes").glob("*.yaml"))
