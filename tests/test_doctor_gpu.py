"""The doctor finds what keeps a GPU from rendering, or makes it slow, and gives the command that helps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from scenewright.errors import RenderError
from scenewright.render import egl, kernels
from scenewright.render.check import Check
from scenewright.render.doctor_gpu import gpu_checks
from scenewright.render.egl import Gl
from scenewright.render.kernels import kernels_for

from .fake_gpus import H100, L4, fake_smi

BOTH = {"optix": ("H100",), "cuda": ("H100",)}
VARIABLES = (
    "CUDA_VISIBLE_DEVICES", "CUDA_CACHE_DISABLE", "CUDA_CACHE_MAXSIZE", "OPTIX_CACHE_MAXSIZE",
    "NVIDIA_DRIVER_CAPABILITIES",
)  # fmt: skip


@pytest.fixture(autouse=True)
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sound machine with one H100: what a test breaks is the only thing that is broken."""
    fake_smi(tmp_path, monkeypatch, [H100])
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name in ("CUDA_CACHE_PATH", "OPTIX_CACHE_PATH"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setattr(egl, "ask", lambda: Gl("NVIDIA H100/PCIe/SSE2", "NVIDIA Corporation", "4.6.0"))


def failed(devices: dict[str, Any] = BOTH) -> Check:
    """The only check that fails."""
    (check,) = [check for check in gpu_checks(devices) if not check.ok]
    assert check.detail and check.remedy
    return check


def details(devices: dict[str, Any] = BOTH) -> dict[str, str]:
    """What each check says."""
    return {check.name: check.detail for check in gpu_checks(devices)}


def test_sound_machine() -> None:
    """On a sound machine nothing fails, and what is compiled at first use is said together with what to do about it."""
    assert all(check.ok for check in gpu_checks(BOTH))
    assert details()["gpu"] == "optix: H100; cuda: H100"
    assert details()["gpu driver"].startswith("580.95.05")
    assert "at first use" in details()["gpu kernels 9.0"] and "scenewright warmup" in details()["gpu kernels 9.0"]
    assert details()["gpu memory"] == "80994 of 81559 MiB free on GPU 0"
    assert details()["opengl"] == "NVIDIA H100/PCIe/SSE2, 4.6.0"


def test_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a GPU lacks nothing, and is told nothing about drivers."""
    monkeypatch.setenv("PATH", str(tmp_path))
    (check,) = gpu_checks({})
    assert check.ok and check.detail == "none that Cycles can use: pictures are rendered on the CPU"


def test_hidden_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the environment hides the GPUs, that is said: it is seldom meant."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    (check,) = gpu_checks({})
    assert check.ok and "(CUDA_VISIBLE_DEVICES='')" in check.detail


def test_driver_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that does not answer is a failure in its own words."""
    fake_smi(tmp_path, monkeypatch, ["Unable to determine the device handle for GPU0: Unknown Error"], 15)
    check = failed({})
    assert check.name == "gpu" and "Unknown Error" in check.detail and "modprobe nvidia" in check.remedy


def test_gpu_that_cycles_cannot_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that Blender does not see fails with what the loader says of CUDA; OptiX fails with it."""
    monkeypatch.setattr("ctypes.CDLL", _missing)
    checks = {check.name: check for check in gpu_checks({}) if not check.ok}
    assert checks.keys() == {"gpu", "optix"}
    assert "libcuda.so.1 cannot be loaded (libcuda.so.1: no such file)" in checks["gpu"].detail
    assert "docker run --gpus all" in checks["gpu"].remedy


def _missing(name: str) -> None:
    raise OSError(f"{name}: no such file")


def test_no_optix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without OptiX CUDA still renders: that is what the remedy ends with."""
    monkeypatch.setattr("ctypes.CDLL", _missing)
    check = failed({"cuda": ("H100",)})
    assert check.name == "optix" and "libnvoptix.so.1 cannot be loaded" in check.detail
    assert check.remedy.endswith("--device cuda")


def test_old_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver older than Blender asks for is named with its version."""
    fake_smi(tmp_path, monkeypatch, [H100.replace("580.95.05", "470.256.02")])
    assert failed().detail == "470.256.02, 535 or newer needed"


@pytest.mark.parametrize(
    ("capability", "origin"),
    [("8.9", "binary"), ("12.0", "binary"), ("8.0", "ptx"), ("9.0", "ptx"), ("12.1", "ptx"), ("7.2", "none"),
     ("3.0", "none"), ("", "none")],
)  # fmt: skip
def test_origin_of_kernels(tmp_path: Path, capability: str, origin: str) -> None:
    """Machine code serves its own architecture alone; PTX serves that of its number and all later ones."""
    for name in ("kernel_sm_89.cubin.zst", "kernel_sm_120.cubin.zst", "kernel_compute_75.ptx.zst"):
        (tmp_path / name).touch()
    assert kernels_for(capability, tmp_path) == origin


def test_origin_of_kernels_in_blender() -> None:
    """The installed Blender has machine code for an L4, and compiles for an H100."""
    assert (kernels_for("8.9"), kernels_for("9.0")) == ("binary", "ptx")


def test_gpu_without_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that is too old is told apart from one whose kernels are compiled."""
    fake_smi(tmp_path, monkeypatch, [H100.replace(", 9.0", ", 2.1")])
    assert failed().detail == "Blender has none for compute capability 2.1"


def test_each_architecture_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cards of two architectures give two lines, of one architecture one."""
    fake_smi(tmp_path, monkeypatch, [H100, L4, H100.replace("0, GPU-aaaa", "2, GPU-cccc")])
    assert [name for name in details() if name.startswith("gpu kernels")] == ["gpu kernels 8.9", "gpu kernels 9.0"]


@pytest.mark.parametrize(
    ("variable", "value", "name", "remedy"),
    [
        ("CUDA_CACHE_DISABLE", "1", "cuda cache", "unset CUDA_CACHE_DISABLE"),
        ("CUDA_CACHE_MAXSIZE", "1048576", "cuda cache", "export CUDA_CACHE_MAXSIZE=1073741824"),
        ("OPTIX_CACHE_MAXSIZE", "0", "optix cache", "export OPTIX_CACHE_MAXSIZE=1073741824"),
        ("CUDA_CACHE_PATH", "/proc/kernels", "cuda cache", "export CUDA_CACHE_PATH=/a/writable/folder"),
        ("OPTIX_CACHE_PATH", "/proc/kernels", "optix cache", "export OPTIX_CACHE_PATH=/a/writable/folder"),
    ],
)
def test_kernels_that_are_not_kept(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, name: str, remedy: str
) -> None:
    """A cache that is switched off, too small or not writable is found before minutes are lost in every process."""
    monkeypatch.setenv(variable, value)
    check = failed()
    assert (check.name, check.remedy) == (name, remedy)
    assert "compiled in every process" in check.detail


def test_cuda_cache_is_not_needed_for_binaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Blender brings machine code, it does not matter whether CUDA keeps anything."""
    fake_smi(tmp_path, monkeypatch, [L4])
    monkeypatch.setenv("CUDA_CACHE_DISABLE", "1")
    assert all(check.ok for check in gpu_checks(BOTH))


def test_looking_makes_no_folder(tmp_path: Path) -> None:
    """The caches' folders are tried without being made."""
    gpu_checks(BOTH)
    assert not (tmp_path / "CUDA_CACHE_PATH").exists()


def test_default_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without variables the folders are those that NVIDIA documents."""
    for name in ("CUDA_CACHE_PATH", "OPTIX_CACHE_PATH"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setattr("getpass.getuser", lambda: "someone")
    assert kernels.cuda_cache().path == Path("/home/someone/.nv/ComputeCache")
    assert kernels.optix_cache().path == Path("/var/tmp/OptixCache_someone")


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (Gl("llvmpipe (LLVM 15)", "Mesa", "4.5"), "EEVEE would render on the CPU, with llvmpipe (LLVM 15)"),
        (RenderError("EEVEE needs OpenGL: install it"), "EEVEE cannot render; Cycles can"),
    ],
)
def test_no_opengl(monkeypatch: pytest.MonkeyPatch, answer: Gl | RenderError, detail: str) -> None:
    """OpenGL that is missing, or computes on the CPU beside a GPU, is told as what it means: no EEVEE."""

    def ask() -> Gl:
        if isinstance(answer, RenderError):
            raise answer
        return answer

    monkeypatch.setattr(egl, "ask", ask)
    check = failed()
    assert (check.name, check.detail) == ("opengl", detail)


def test_full_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that others hold is told with the tool that shows who."""
    fake_smi(tmp_path, monkeypatch, [H100.replace("80994", "512")])
    check = failed()
    assert check.detail == "512 of 81559 MiB free on GPU 0; 2048 needed by a worker"
    assert "nvidia-smi" in check.remedy


@pytest.mark.parametrize(
    ("capabilities", "lacking"),
    [
        ("all", ()),
        ("compute,graphics,utility", ()),
        ("compute,utility", ("graphics",)),
        ("", ("compute", "graphics", "utility")),
    ],
)
def test_container(monkeypatch: pytest.MonkeyPatch, capabilities: str, lacking: Sequence[str]) -> None:
    """A container that was started without a part of the driver is told which part, and how to start it."""
    monkeypatch.setenv("NVIDIA_DRIVER_CAPABILITIES", capabilities)
    if lacking:
        check = failed()
        assert check.detail.endswith(f"lacks {', '.join(lacking)}")
        assert "NVIDIA_DRIVER_CAPABILITIES=compute,graphics,utility" in check.remedy
    else:
        assert all(check.ok for check in gpu_checks(BOTH))
