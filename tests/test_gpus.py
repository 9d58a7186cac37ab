"""GPUs are found without Blender, as the environment lets a process see them, and workers are kept on one each."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenewright.errors import UsageError
from scenewright.farm.gpu_share import assignments
from scenewright.render import gpus
from scenewright.render.gpus import Gpu, find, pin

from .fake_gpus import H100, L4, fake_smi


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees what the machine's own environment hides."""
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)


def names(kfd: Path = Path("/nowhere")) -> list[str]:
    return [g.name for g in find(kfd).gpus]


def test_nvidia(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nvidia-smi prints becomes numbers; what it does not know becomes None."""
    fake_smi(tmp_path, monkeypatch, [H100, "1, GPU-bbbb, GB10, [N/A], [N/A], 580.95.05, 12.1"])
    first, second = find().gpus
    assert first == Gpu("nvidia", 0, "GPU-aaaa", "NVIDIA H100 80GB HBM3", 81559, 80994, "580.95.05", "9.0")
    assert (second.memory_mib, second.free_mib, second.compute_capability) == (None, None, "12.1")


@pytest.mark.parametrize(
    ("visible", "left"),
    [("1", ["L4"]), ("GPU-bb", ["L4"]), ("1,0", ["L4", "H100"]), ("", []), ("-1", []), ("0,7,1", ["H100"]),
     ("0,0", ["H100"]), ("GPU-", [])],
)  # fmt: skip
def test_visible_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, visible: str, left: list[str]) -> None:
    """CUDA_VISIBLE_DEVICES is read as CUDA reads it: numbers or starts of UUIDs, up to the first that means none."""
    fake_smi(tmp_path, monkeypatch, [H100, L4])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [name.split()[1] for name in names()] == left


def test_slices_of_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A MIG slice is a GPU of its own, and a worker is kept on that slice."""
    fake_smi(tmp_path, monkeypatch, [H100])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-1,MIG-2")
    assert [pin(g) for g in find().gpus] == [{"CUDA_VISIBLE_DEVICES": "MIG-1"}, {"CUDA_VISIBLE_DEVICES": "MIG-2"}]


def test_driver_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that is there and fails is a problem in its own words, not a machine without GPUs."""
    fake_smi(
        tmp_path, monkeypatch, ["NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."], 9
    )
    assert find().problem.startswith("NVIDIA-SMI has failed")
    assert find().gpus == ()


def test_driver_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that has lost its GPU may never answer: that is said after a while."""
    fake_smi(tmp_path, monkeypatch, [], hang=True)
    monkeypatch.setattr(gpus, "SMI_TIMEOUT_S", 0.2)
    assert find().problem == "nvidia-smi did not answer in 0.2 s"


def test_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any of it has no GPU and no problem."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find(tmp_path) == gpus.Found()


def test_amd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AMD's GPUs are the kernel's compute nodes with SIMD units, numbered without the CPU nodes."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for node, simd, size in ((0, 0, 0), (1, 304, 64 << 30), (10, 304, 16 << 30)):
        place = tmp_path / str(node)
        (place / "mem_banks" / "0").mkdir(parents=True)
        (place / "properties").write_text(f"cpu_cores_count 0\nsimd_count {simd}\nvendor_id 4098\n")
        (place / "name").write_text(f"gfx{node}\n")
        (place / "mem_banks" / "0" / "properties").write_text(f"heap_type 1\nsize_in_bytes {size}\n")
    assert [(g.name, g.memory_mib) for g in find(tmp_path).gpus] == [("gfx1", 65536), ("gfx10", 16384)]
    monkeypatch.setenv("HIP_VISIBLE_DEVICES", "1")
    assert [pin(g) for g in find(tmp_path).gpus] == [{"HIP_VISIBLE_DEVICES": "1"}]
    assert names(tmp_path) == ["gfx10"]


TWO = (Gpu("nvidia", 0, "GPU-a", "A"), Gpu("nvidia", 1, "GPU-b", "B"))


@pytest.mark.parametrize(
    ("workers", "per_gpu", "expected"),
    [(None, None, "ab"), (None, 2, "abab"), (3, None, "aba"), (3, 2, "aba"), (1, 4, "a")],
)
def test_workers_take_gpus_in_turn(workers: int | None, per_gpu: int | None, expected: str) -> None:
    """Each GPU has its first worker before any has a second."""
    got = assignments(TWO, workers, per_gpu)
    assert got == [{"CUDA_VISIBLE_DEVICES": f"GPU-{letter}"} for letter in expected]


def test_workers_without_gpu() -> None:
    """Without a GPU the workers' environment stays as it is."""
    assert assignments((), 3, 2) == [{}, {}, {}]
    assert assignments((), None, None) == [{}]


def test_too_many_workers() -> None:
    """More workers than the GPUs take are refused, with the numbers that would do."""
    with pytest.raises(UsageError, match="1 too many: ask for 4 workers or fewer, or for 3 per GPU"):
        assignments(TWO, 5, 2)
    with pytest.raises(UsageError, match="workers per GPU is 1 or more, got 0"):
        assignments(TWO, None, 0)
