"""A stand-in for `nvidia-smi`, which prints what it was told to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

H100 = "0, GPU-aaaa, NVIDIA H100 80GB HBM3, 81559, 80994, 580.95.05, 9.0"
L4 = "1, GPU-bbbb, NVIDIA L4, 23034, 22565, 580.95.05, 8.9"


def fake_smi(
    folder: Path, monkeypatch: pytest.MonkeyPatch, lines: Sequence[str], code: int = 0, hang: bool = False
) -> None:
    """Put an `nvidia-smi` in front of the PATH that prints the lines and ends with the code, or hangs."""
    tool = folder / "bin" / "nvidia-smi"
    tool.parent.mkdir(exist_ok=True)
    text = "".join(f"{line}\n" for line in lines)
    body = "exec sleep 60" if hang else f"cat <<'EOF'\n{text}EOF\nexit {code}"
    tool.write_text(f"#!/bin/sh\n{body}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
