"""The doctor names what is missing and the command that gets it; a device that is not there is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scenewright.errors import RenderError
from scenewright.render import doctor
from scenewright.render.devices import DeviceReport, choose
from scenewright.render.doctor import SYSTEM_LIBRARIES, Blender, blender, checks, explain, main


@pytest.fixture
def fresh() -> Iterator[None]:
    """Ask the child process anew, and leave no answer of a test behind."""
    blender.cache_clear()
    yield
    blender.cache_clear()


def fake_bpy(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a module in front of the real bpy of child processes."""
    (folder / "bpy.py").write_text(body)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_missing_system_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: None) -> None:
    """A library that the loader misses is named, with one command that installs all that Blender needs."""
    message = "libXi.so.6: cannot open shared object file: No such file or directory"
    fake_bpy(tmp_path, f"raise ImportError({message!r})", monkeypatch)
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None)
    check = next(c for c in checks() if c.name == "blender")
    assert not check.ok
    assert check.detail == "the system library libXi.so.6 is missing"
    packages = " ".join(debian for debian, _ in SYSTEM_LIBRARIES.values())
    assert check.remedy.endswith(f"apt-get install -y {packages}")
    assert "libxi6" in packages.split()


def test_main_fails_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fresh: None
) -> None:
    """What `make` runs first prints the problem and the remedy to stderr and returns 1."""
    fake_bpy(tmp_path, "raise ModuleNotFoundError(\"No module named 'bpy'\")", monkeypatch)
    assert main() == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "blender: bpy is not installed\n    → use Python 3.11, then: pip install 'bpy>=4.5.15,<4.6'" in err


def test_modules_in_the_users_folder_are_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: None
) -> None:
    """A bpy.py in the folder where the user works is not Blender."""
    (tmp_path / "bpy.py").write_text("raise ImportError('this is a script of the user')\n")
    monkeypatch.chdir(tmp_path)
    assert "script of the user" not in blender().problem


def test_child_that_dies_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: None) -> None:
    """A crash of the import kills the child only, and the signal is named."""
    fake_bpy(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGILL)", monkeypatch)
    assert blender().problem == "import bpy was killed by SIGILL"


def test_child_that_hangs_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: None) -> None:
    """An import that never ends is given up."""
    fake_bpy(tmp_path, "import time; time.sleep(60)", monkeypatch)
    monkeypatch.setattr(doctor, "BLENDER_TIMEOUT_S", 0.5)
    assert "took more than 0.5 s" in blender().problem


@pytest.mark.parametrize(
    ("stderr", "detail", "remedy"),
    [
        (
            "ImportError: libcudart.so.12: cannot open shared object file",
            "libcudart.so.12 is missing",
            "apt-file search",
        ),
        ("ImportError: version `GLIBC_2.28' not found (required by x)", "older than GLIBC_2.28", "newer system"),
        ("Traceback\nRuntimeError: odd", "import bpy failed: RuntimeError: odd", "force-reinstall"),
        ("", "no message", "force-reinstall"),
    ],
)
def test_other_failures_are_explained(stderr: str, detail: str, remedy: str) -> None:
    """Each way in which the import can fail has its own words and its own way out."""
    found = explain(1, stderr)
    assert detail in found[0]
    assert remedy in found[1]


def test_no_package_manager_that_we_know(monkeypatch: pytest.MonkeyPatch) -> None:
    """On another distribution both commands are shown, so that the packages can be looked up by name."""
    monkeypatch.setattr("shutil.which", lambda name: None)
    remedy = explain(1, "ImportError: libSM.so.6: cannot open shared object file")[1]
    assert "libsm6" in remedy
    assert "libglvnd-glx" in remedy


def test_every_failed_check_has_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine where nothing is enough, every check that fails says what to do."""
    monkeypatch.setattr(doctor, "blender", lambda: Blender(None, {}, "broken", "mend it"))
    for limit in ("MIN_MEMORY", "MIN_DISK", "MIN_SHM"):
        monkeypatch.setattr(doctor, limit, 1 << 62)
    failed = {c.name: c for c in checks(tmp_path) if not c.ok}
    assert failed.keys() >= {"blender", "memory", "disk"}
    assert all(c.detail and c.remedy for c in failed.values())


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder that refuses even root")
def test_unwritable_folder() -> None:
    """A folder that refuses a file is found out by trying."""
    check = {c.name: c for c in checks(Path("/proc"))}["write"]
    assert not check.ok
    assert "cannot write in /proc" in check.detail


def test_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    """A dataset's folder need not exist: the nearest one above it is looked at, and nothing is created."""
    check = {c.name: c for c in checks(tmp_path / "a" / "b")}["write"]
    assert check.ok
    assert check.detail == f"{tmp_path} can be written to"
    assert list(tmp_path.iterdir()) == []


def test_gpus_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """GPUs are reported by backend; having none is no failure."""
    monkeypatch.setattr(doctor, "blender", lambda: Blender("4.5.15 LTS", {"optix": ("H100", "H100")}))
    assert {c.name: c.detail for c in checks()}["gpu"] == "optix: H100, H100"
    monkeypatch.setattr(doctor, "blender", lambda: Blender("4.5.15 LTS", {}))
    assert {c.name: c.ok for c in checks()}["gpu"]


def test_another_blender_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures depend on Blender's version, so only 4.5 passes."""
    monkeypatch.setattr(doctor, "blender", lambda: Blender("5.0.1", {}))
    assert not {c.name: c.ok for c in checks()}["blender"]


@pytest.mark.parametrize(
    ("asked", "present", "chosen"),
    [
        ("auto", {}, "cpu"),
        ("auto", {"cuda": ("A",), "optix": ("A",)}, "optix"),
        ("auto", {"oneapi": ("B",)}, "oneapi"),
        ("cpu", {"cuda": ("A",)}, "cpu"),
        ("cuda", {"cuda": ("A",), "optix": ("A",)}, "cuda"),
    ],
)
def test_device_choice(asked: str, present: dict[str, tuple[str, ...]], chosen: str) -> None:
    """`auto` takes OptiX before CUDA before the others and falls back to the CPU; a wish is kept to."""
    assert choose(asked, present) == chosen


def test_absent_and_unknown_devices_are_refused() -> None:
    """A device that is not there is an error that lists what is; an unknown one lists the choice."""
    with pytest.raises(RenderError, match=r"device hip is not on this machine, which has: cpu, cuda \(A, B\)\. Check"):
        choose("hip", {"cuda": ("A", "B")})
    with pytest.raises(RenderError, match="device 'tpu' is unknown: choose one of auto, cpu, cuda"):
        choose("tpu", {})


def test_device_label() -> None:
    """A record names backend and GPUs, and tells where the denoiser rounds as a CPU does."""
    assert DeviceReport("cpu", (), 4).label == "cpu"
    assert DeviceReport("optix", ("NVIDIA L4",), 0, gpu_denoises=True).label == "optix: NVIDIA L4"
    assert DeviceReport("cuda", ("A", "A"), 0).label == "cuda: A, A; denoised on the CPU"


SELECT = """
import json, bpy
from scenewright.errors import RenderError
from scenewright.render.devices import select
scene, found = bpy.context.scene, []
for device, threads in (("cpu", 1), ("auto", None), ("metal", None), ("cpu", 0)):
    try:
        report = select(device, threads)
        told = [report.label, report.threads, scene.cycles.device, scene.render.threads_mode]
        found.append([*told, report.gpu_denoises])
    except RenderError as error:
        found.append(str(error))
print("\\nfound:" + json.dumps(found))
"""


@pytest.mark.render
def test_select_sets_cycles() -> None:
    """In Blender itself, a choice reaches Cycles' device and thread settings, and a refusal is a RenderError."""
    child = subprocess.run([sys.executable, "-c", SELECT], capture_output=True, text=True, timeout=120, check=True)
    line = next(line for line in child.stdout.splitlines() if line.startswith("found:"))
    cpu, auto, metal, threads = json.loads(line.removeprefix("found:"))
    assert cpu == ["cpu", 1, "CPU", "FIXED", False]
    expected = "cpu" if not blender().devices else next(iter(blender().devices))
    assert auto[0].partition(":")[0] == expected
    assert auto[1:4] == [0, "CPU" if expected == "cpu" else "GPU", "AUTO"]
    assert sys.platform == "darwin" or metal.startswith("device metal is not on this machine")
    assert threads == "threads must be 1 to 1024, got 0: leave it out to use all"
