"""The shape of the code: who imports whom, where Blender and torch are, and that neither chance nor clock decides."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("assets", "scenes", "render", "diffusion", "datasets", "farm")

#: A module may import what has a lower rank, and its own folder. `__init__` only holds the version.
RANK = {
    "__init__": 0, "errors": 0, "assets": 1, "scenes": 2, "render": 3, "diffusion": 4, "datasets": 5, "pipeline": 6,
    "farm": 7, "terminal": 7, "cli_places": 8, "cli_executors": 8, "cli_farm": 9, "cli_refining": 10, "cli_warmup": 10,
    "cli_export": 10, "cli_painting": 11, "cli": 12, "__main__": 13,
}  # fmt: skip

ALLOWED_AT_ROOT = {
    "scenes", "assets", "render", "diffusion", "datasets", "farm", "docker", "tests",
    "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", "Makefile",
    "constraints.txt", "py.typed", "__init__.py", "__main__.py", "cli.py", "pipeline.py", "errors.py",
    "terminal.py", "cli_executors.py", "cli_farm.py", "cli_refining.py", "cli_painting.py", "cli_places.py",
    "cli_warmup.py", "cli_export.py",
}  # fmt: skip
#: What `datasets/` may read of `diffusion/`: plain data that records hold, and the definition of a painted label.
PLAIN = ("scenewright.diffusion.card", "scenewright.diffusion.tries", "scenewright.diffusion.changed")
IGNORED_AT_ROOT = {"build", "dist", "out", "__pycache__", "scenewright.egg-info"}

#: Module → where it may be imported. Inside these, torch and diffusers still have to wait for a function to be called.
HOMES = {
    "bpy": ("render/",), "mathutils": ("render/",), "gpu": ("render/",), "bmesh": ("render/",),
    "torch": ("datasets/loader.py", "diffusion/"), "diffusers": ("diffusion/",), "transformers": ("diffusion/",),
    "random": (), "secrets": (),
    "uuid": ("datasets/", "pipeline.py", "farm/"),  # names of temporary files
}  # fmt: skip
LAZY = ("torch", "diffusers", "transformers")

#: What numpy's random module may be used for: generators that are passed on, and seeds that are given.
NUMPY_RANDOM = {"Generator", "default_rng", "SeedSequence", "PCG64", "Philox", "BitGenerator"}
CLOCKS = {
    "time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.strftime",
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today",
}  # fmt: skip


def sources() -> list[str]:
    """Every Python file of the package, relative to the root."""
    roots = [ROOT.glob("*.py"), *((ROOT / folder).rglob("*.py") for folder in FOLDERS)]
    return sorted(path.relative_to(ROOT).as_posix() for paths in roots for path in paths)


def imports(tree: ast.AST, file: str) -> Iterator[tuple[str, ast.stmt]]:
    """Absolute dotted names that a file imports; modules of the package begin with `scenewright`."""
    package = ["scenewright", *Path(file).parts[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = [*base, *(node.module.split(".") if node.module else [])]
            # `from ..assets import files` names a module, `from ..assets.files import f` a function: both are covered.
            yield from ((".".join([*base, alias.name]), node) for alias in node.names)


def faults(code: str, file: str) -> list[str]:
    """All breaches of the import rules, of the ban on chance, and in the stages that decide pixels, on clocks."""
    tree = ast.parse(code)
    at_call_time = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    typing_only = {
        id(n) for i in ast.walk(tree) if isinstance(i, ast.If) and ast.unparse(i.test) == "TYPE_CHECKING"
        for n in ast.walk(i)
    }  # fmt: skip
    return [
        *_foreign_imports(tree, file, at_call_time | typing_only),
        *_upward_imports(tree, file),
        *_chance_and_clocks(tree, file),
    ]


def _foreign_imports(tree: ast.AST, file: str, late: set[int]) -> Iterator[str]:
    for name, node in imports(tree, file):
        top = name.split(".")[0]
        if top in HOMES and not file.startswith(HOMES[top] or ("nowhere",)):
            yield f"{file}:{node.lineno} imports {top}, which belongs in {HOMES[top] or 'no file'}"
        if top in LAZY and id(node) not in late:
            yield f"{file}:{node.lineno} imports {top} before a function needs it"


def _upward_imports(tree: ast.AST, file: str) -> Iterator[str]:
    layer = Path(file).parts[0].removesuffix(".py")
    for name, node in imports(tree, file):
        parts = name.split(".")
        if parts[0] != "scenewright":
            continue
        target = parts[1] if len(parts) > 1 and parts[1] in RANK else "__init__"
        if target != layer and RANK[target] >= RANK[layer] and layer != "__init__":
            yield f"{file}:{node.lineno} imports {target}, which comes after {layer}"
        if layer == "datasets" and target == "diffusion" and not name.startswith(PLAIN):
            yield f"{file}:{node.lineno} imports {name}, of which datasets need only {', '.join(PLAIN)}"


def _chance_and_clocks(tree: ast.AST, file: str) -> Iterator[str]:
    decides_pixels = file.startswith(("assets/", "scenes/", "render/"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            name = ast.unparse(node)
            module, _, member = name.rpartition(".")
            if module in ("np.random", "numpy.random") and member not in NUMPY_RANDOM:
                yield f"{file}:{node.lineno} uses numpy's global chance {name}"
            if name == "os.urandom":
                yield f"{file}:{node.lineno} uses {name}"
            if decides_pixels and ".".join(name.split(".")[-2:]) in CLOCKS:
                yield f"{file}:{node.lineno} reads the clock with {name}"
        if isinstance(node, ast.Call) and ast.unparse(node).endswith(("default_rng()", "SeedSequence()")):
            yield f"{file}:{node.lineno} draws a seed from the system"
    for name, statement in imports(tree, file):
        if decides_pixels and name in CLOCKS:
            yield f"{file}:{statement.lineno} imports the clock {name}"
        if name.startswith("numpy.random") and name.split(".")[-1] not in NUMPY_RANDOM:
            yield f"{file}:{statement.lineno} imports numpy's global chance {name}"


@pytest.mark.parametrize("file", sources())
def test_file_keeps_the_rules(file: str) -> None:
    """Each file imports only what lies below it, Blender and torch where they belong, and neither chance nor clock."""
    assert faults((ROOT / file).read_text("utf-8"), file) == []


@pytest.mark.parametrize(
    ("file", "code", "fault"),
    [
        ("assets/x.py", "from ..scenes.scene import Scene", "comes after assets"),
        ("assets/x.py", "from .. import cli", "comes after assets"),
        ("scenes/x.py", "import scenewright.render.frame", "comes after scenes"),
        ("assets/shapes/x.py", "from ...render import frame", "comes after assets"),
        ("datasets/x.py", "from ..diffusion.gate import judge", "of which datasets need only"),
        ("diffusion/x.py", "from ..datasets.records import Record", "comes after diffusion"),
        ("pipeline.py", "from .farm.generate import run", "comes after pipeline"),
        ("scenes/x.py", "def f():\n    import bpy", "imports bpy"),
        ("cli.py", "from bpy import data", "imports bpy"),
        ("datasets/loader.py", "import torch", "before a function needs it"),
        ("datasets/coco.py", "def f():\n    import torch.nn", "imports torch"),
        ("farm/x.py", "import random", "imports random"),
        ("datasets/x.py", "from random import choice", "imports random"),
        ("render/x.py", "import numpy as np\nx = np.random.uniform()", "global chance"),
        ("render/x.py", "from numpy.random import normal", "global chance"),
        ("render/x.py", "from numpy import random", "global chance"),
        ("farm/x.py", "import numpy as np\nrng = np.random.default_rng()", "draws a seed"),
        ("scenes/x.py", "import time\nt = time.time()", "reads the clock"),
        ("scenes/x.py", "from time import time", "imports the clock"),
        ("render/x.py", "from datetime import datetime\nt = datetime.now()", "reads the clock"),
        ("assets/x.py", "import datetime\nt = datetime.datetime.now()", "reads the clock"),
    ],
)
def test_the_rules_catch(file: str, code: str, fault: str) -> None:
    """Each rule finds its breach, so an empty list above means something."""
    assert any(fault in found for found in faults(code, file))


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("assets/x.py", "from ..errors import AssetError\nfrom .mesh import Mesh"),
        ("assets/shapes/x.py", "from ..mesh import Mesh\nfrom ...errors import AssetError"),
        ("render/x.py", "import bpy\nimport time\nt = time.monotonic()"),
        ("datasets/loader.py", "def f():\n    import torch"),
        ("datasets/x.py", "from ..diffusion.card import ModelCard"),
        ("scenes/x.py", "import numpy as np\ndef f(rng: np.random.Generator): return np.random.default_rng(1)"),
        ("cli.py", "from . import __version__\nfrom .pipeline import run"),
    ],
)
def test_the_rules_allow(file: str, code: str) -> None:
    """What the design wants is no breach."""
    assert faults(code, file) == []


def test_no_init_in_the_folders() -> None:
    """A folder with an `__init__.py` would be found as the top-level package `datasets` in a checkout."""
    assert [path for folder in FOLDERS for path in (ROOT / folder).rglob("__init__.py")] == []


def test_root_holds_only_what_the_design_lists() -> None:
    """A stray file at the root would ship in the wheel, and hide where things are."""
    names = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert names - ALLOWED_AT_ROOT - IGNORED_AT_ROOT == set()


@pytest.mark.parametrize("file", sorted(path.name for path in (ROOT / "tests").glob("*.py")))
def test_tests_do_not_import_blender(file: str) -> None:
    """Tests drive Blender in child processes, since it changes the process that imports it."""
    tree = ast.parse((ROOT / "tests" / file).read_text("utf-8"))
    assert not {name.split(".")[0] for name, _ in imports(tree, f"tests/{file}")} & {"bpy", "mathutils"}


def test_command_line_loads_neither_blender_nor_torch() -> None:
    """Whatever the command line imports, at its start or in a command, brings in neither Blender nor torch."""
    late = (
        "farm.generate", "farm.exporting", "farm.status_text", "farm.pilot", "farm.painting", "farm.refining",
        "farm.rejudging", "pipeline", "datasets.contact", "datasets.exporters.formats",
        "datasets.validate", "render.doctor", "scenes.load", "scenes.notes",
    )  # fmt: skip
    modules = ", ".join(f"scenewright.{name}" for name in ("cli", *late))
    code = f"import sys, {modules}; print(sorted({{'bpy', 'torch', 'diffusers'}} & set(sys.modules)))"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (child.stdout.strip(), child.returncode) == ("[]", 0), child.stderr
