"""Which GPUs this machine has, asked without Blender, and the environment that keeps a process on one of them.

NVIDIA's come from `nvidia-smi`, AMD's from the kernel's list of compute nodes. Intel's and Apple's are not counted: a
machine has one of them as a rule, and nothing but Blender tells which of Intel's it can use.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["Found", "Gpu", "find", "pin"]

MIB = 1 << 20
#: A driver that has lost a GPU answers late or never.
SMI_TIMEOUT_S = 30.0
FIELDS = ("index", "uuid", "name", "memory.total", "memory.free", "driver_version", "compute_cap")
KFD = Path("/sys/class/kfd/kfd/topology/nodes")
_AMD = "4098"  # PCI vendor 0x1002, as the kernel writes it there


@dataclass(frozen=True)
class Gpu:
    """A GPU, or a slice of one (MIG).

    Attributes:
        vendor: who made it, and so how a process is kept on it.
        index: its number with the vendor's tools.
        uuid: what names it wherever it is plugged in; "" where its vendor's tools take numbers only.
        name: as the driver gives it.
        memory_mib: its memory in MiB, None where it is not told.
        free_mib: how much of that nobody uses.
        driver: version of the driver, "" where it is not told.
        compute_capability: NVIDIA's architecture, as "9.0"; "" for others.
    """

    vendor: Literal["nvidia", "amd"]
    index: int
    uuid: str
    name: str
    memory_mib: int | None = None
    free_mib: int | None = None
    driver: str = ""
    compute_capability: str = ""


@dataclass(frozen=True)
class Found:
    """The GPUs that this process may use, and what is wrong where a driver is there and does not answer."""

    gpus: tuple[Gpu, ...] = ()
    problem: str = ""


def find(kfd: Path = KFD) -> Found:
    """The GPUs of this machine that the environment lets a process see: NVIDIA's, or where there is none, AMD's."""
    nvidia = _nvidia()
    if nvidia.gpus or nvidia.problem:
        return nvidia
    return Found(_visible_amd(_amd(kfd)))


def pin(gpu: Gpu) -> dict[str, str]:
    """The environment variables that let a process see this GPU alone. By its UUID where that goes.

    CUDA numbers GPUs by speed and `nvidia-smi` by slot, so an index may mean two different ones.
    """
    if gpu.vendor == "nvidia":
        return {"CUDA_VISIBLE_DEVICES": gpu.uuid}
    return {"HIP_VISIBLE_DEVICES": str(gpu.index)}


def _nvidia() -> Found:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return Found()
    command = [tool, f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=SMI_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Found(problem=f"nvidia-smi did not answer in {SMI_TIMEOUT_S:g} s")
    except OSError as e:
        return Found(problem=f"nvidia-smi cannot be run: {e.strerror}")
    rows = [[cell.strip() for cell in line.split(",")] for line in told.stdout.splitlines()]
    gpus = [_from_row(row) for row in rows if len(row) == len(FIELDS) and row[0].isdecimal()]
    if told.returncode != 0 or not gpus:
        said = (told.stdout + told.stderr).strip().splitlines()
        problem = said[-1] if said else f"nvidia-smi ended with {told.returncode} and said nothing"
        return Found(_visible_nvidia(gpus), problem)
    return Found(_visible_nvidia(gpus))


def _from_row(row: list[str]) -> Gpu:
    index, uuid, name, total, free, driver, capability = row
    return Gpu("nvidia", int(index), uuid, name, _number(total), _number(free), driver, capability)


def _number(text: str) -> int | None:
    """None for what the driver does not tell, which it writes as [N/A] or [Not Supported]."""
    return int(text) if text.isdecimal() else None


def _visible_nvidia(gpus: list[Gpu]) -> tuple[Gpu, ...]:
    """Those that CUDA_VISIBLE_DEVICES leaves, in its order; as CUDA reads it, the first name that means none ends it.

    A slice ("MIG-…") stands for itself: `nvidia-smi` tells its card only.
    """
    wish = os.environ.get("CUDA_VISIBLE_DEVICES")
    if wish is None:
        return tuple(gpus)
    seen: list[Gpu] = []
    for name in (part.strip() for part in wish.split(",")):
        if name.startswith("MIG-"):
            seen.append(Gpu("nvidia", len(seen), name, "a MIG slice"))
            continue
        meant = [g for g in gpus if name == str(g.index) or (name.startswith("GPU-") and g.uuid.startswith(name))]
        if len(meant) != 1 or meant[0] in seen:
            break
        seen += meant
    return tuple(seen)


def _amd(kfd: Path) -> list[Gpu]:
    """The GPUs among the kernel's compute nodes, which are numbered as HIP numbers them."""
    nodes = sorted((p for p in kfd.glob("[0-9]*") if p.name.isdecimal()), key=lambda p: int(p.name))
    found: list[Gpu] = []
    for node in nodes:
        facts = _facts(node / "properties")
        if facts.get("vendor_id") != _AMD or facts.get("simd_count", "0") == "0":
            continue
        name = _text(node / "name") or f"AMD GPU {len(found)}"
        size = int(_facts(node / "mem_banks" / "0" / "properties").get("size_in_bytes", "0")) // MIB
        found.append(Gpu("amd", len(found), "", name, size or None))
    return found


def _visible_amd(gpus: list[Gpu]) -> tuple[Gpu, ...]:
    wish = os.environ.get("HIP_VISIBLE_DEVICES")
    if wish is None:
        return tuple(gpus)
    numbers = [int(part) for part in wish.split(",") if part.strip().isdecimal()]
    return tuple(gpus[k] for k in numbers if k < len(gpus))


def _facts(path: Path) -> dict[str, str]:
    """A file of the kernel's with a name and a value in every line; empty when it cannot be read."""
    return dict(line.split(maxsplit=1) for line in _text(path).splitlines() if len(line.split(maxsplit=1)) == 2)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
