"""What all tests share: real parts and photographs beside the checkout, and the question whether Blender is here."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenewright.render.doctor import blender

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real parts and photographs, which is not part of the project."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"needs the real parts and photographs in {folder}")
    return folder


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
