"""The command line for tests: a recipe that it runs in a second without Blender, and how a command ended.

The fixtures that belong to it are in conftest.py.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import typer

from scenewright.cli import app
from scenewright.datasets.records import WORKERS

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


def child(*arguments: object) -> Ended:
    """The command line in a process of its own, as a user starts it."""
    done = subprocess.run(
        [sys.executable, "-m", "scenewright", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def workers(pid: int | None = None) -> list[psutil.Process]:
    """The workers of a process, of this one by default; other children, such as multiprocessing's, are left aside."""
    found = psutil.Process(pid).children()
    return [c for c in found if any(part.startswith("scenewright.") for part in c.cmdline())]


def content(folder: Path) -> dict[str, str]:
    """Path → hash of every file of a dataset: all below its folder but what processes have said of themselves."""
    found = (p for p in sorted(folder.rglob("*")) if p.is_file() and WORKERS not in p.relative_to(folder).parts)
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in found}


def parsed(arguments: Sequence[str]) -> dict[str, Any]:
    """What the command line makes of these arguments; fails as it would."""
    command = typer.main.get_command(app).commands[arguments[0]]  # type: ignore[attr-defined]  # a group
    return dict(command.make_context(arguments[0], list(arguments[1:])).params)
