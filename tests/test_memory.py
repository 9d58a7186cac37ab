"""What a render process must not keep from image to image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scenewright.render.worker import Worker

pytestmark = pytest.mark.render

#: A worker that writes one picture under the exposure it is asked for, and tells its resident memory.
WRITER = """
import bpy
import psutil
from scenewright.render.worker import serve

def start(setup):
    picture = bpy.data.images.new("picture", 8, 8, float_buffer=True)
    scene = bpy.data.scenes[0]
    scene.view_settings.view_transform = "AgX"

    def handle(request):
        scene.view_settings.exposure = request["exposure"]
        picture.save_render(setup["target"], scene=scene)
        return {"rss": psutil.Process().memory_info().rss}

    return handle

serve(start)
"""


@pytest.fixture
def writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    (tmp_path / "writer.py").write_text(WRITER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    worker = Worker("writer", {"target": str(tmp_path / "picture.png")})
    try:
        assert worker.receive() == {"ready": True}
        yield worker
    finally:
        worker.stop()


def rss_mb(worker: Worker, exposure: float) -> float:
    """Resident memory after a picture under that exposure."""
    worker.send({"exposure": exposure})
    answer = worker.receive()
    assert answer is not None, worker.post_mortem()
    return float(answer["rss"]) / 1e6


def test_exposures_leave_nothing_behind(writer: Worker) -> None:
    """A worker's memory stays level over forty exposures, whose colour transforms would take 3.8 MB each."""
    sizes = [rss_mb(writer, exposure / 40) for exposure in range(45)]
    assert sizes[-1] - sizes[4] < 20
