"""What runs inside a process that exports: `python -m scenewright.farm.export_worker`.

The parent hands it numbers of blocks; the worker writes their images, and last each block's part, so that the parts are
the only progress there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..datasets.exporters.formats import FORMATS
from ..datasets.exporters.job import Job
from ..datasets.exporters.parts import Block, write_block
from ..datasets.records import read_info
from ..errors import ScenewrightError
from ..render.worker import Handler, serve


def _start(setup: dict[str, Any]) -> Handler:
    dataset, out, form = Path(setup["dataset"]), Path(setup["out"]), FORMATS[setup["form"]]
    info = read_info(dataset)
    blocks = {number: Block(number, split, tuple(indices)) for number, split, indices in setup["blocks"]}

    def handle(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        block = blocks[request["index"]]
        job = Job(dataset, info, out, {block.split: list(block.indices)}, _unheard, setup["largest"])
        answer = {"index": block.number}
        try:
            for _ in write_block(job, form, block):
                yield {**answer, "partial": True}
        except ScenewrightError as e:
            yield {**answer, "status": "fatal", "reason": str(e), "error": type(e).__name__}
        else:
            yield {**answer, "status": "ok"}

    return handle


def _unheard(*_: object) -> Callable[[], None]:
    return lambda: None


if __name__ == "__main__":
    serve(_start)
