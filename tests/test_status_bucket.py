"""Heartbeats, `status` and plans where a dataset lies in a bucket, against a server that speaks S3 on this machine."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.server import ThreadedMotoServer

import scenewright as sw
from scenewright.datasets.place import Place, place
from scenewright.datasets.records import WORKERS
from scenewright.datasets.stamps import stamps
from scenewright.farm.beats import heartbeats
from scenewright.farm.executors import Local
from scenewright.farm.forecast import Farm, forecast
from scenewright.farm.heartbeat import Heartbeat
from scenewright.farm.pilot import plan
from scenewright.farm.status import status
from scenewright.farm.store_clock import store_now

from .commands import COUNT, Run

BUCKET = "parts"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it would tell of every request
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(server: str, made: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A dataset of `COUNT` images in a bucket, of which only what `status` reads is there."""
    for name, value in (
        ("AWS_ENDPOINT_URL", server), ("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    folder = place(f"s3://{BUCKET}/d")
    assert not isinstance(folder, Path)
    folder.fs.mkdir(BUCKET)
    for path in (made / "dataset.json", *(made / "records").glob("*.json")):
        (folder / path.relative_to(made).as_posix()).write_bytes(path.read_bytes())
    yield folder
    folder.fs.rm(BUCKET, recursive=True)


def test_status_reads_a_bucket(bucket: Place, run: Run) -> None:
    """Progress, heartbeats and what was put aside are read as from a folder, and nothing is left there."""
    (bucket / "quarantine" / "000009" / "failure.json").write_text('{"status": "failed", "reasons": ["odd"]}')
    (bucket / "quarantine" / "000009" / "log.txt").write_text("x")
    (bucket / WORKERS / "torn.json").write_text("{")
    alive = Heartbeat(bucket, 2, "cpu", "s")
    alive.began(7)
    alive.close()
    found = status(bucket)
    assert (found.done, found.requested, found.complete, found.failed) == (COUNT, COUNT, True, 1)
    assert found.reasons[0].reason == "odd" and found.work.ended == 1
    assert [seen.name for seen in heartbeats(bucket)] == [alive.name]
    ended = run("status", f"s3://{BUCKET}/d")
    assert ended.code == 0 and f"s3://{BUCKET}/d: t" in ended.out
    assert not [path for path in (bucket / WORKERS).iterdir() if path.name.startswith(".now")]


def test_requests_are_those_that_a_plan_told(bucket: Place, recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan counts what a bucket bills: objects exactly, writes and reads to a tenth or some few."""
    asked: list[str] = []
    answer = DomainDispatcherApplication.__call__

    def count(self: DomainDispatcherApplication, environment: dict[str, str], start: Any) -> Any:
        asked.append(environment["REQUEST_METHOD"])
        return answer(self, environment, start)

    monkeypatch.setattr(DomainDispatcherApplication, "__call__", count)
    out, loaded, options = f"s3://{BUCKET}/planned", sw.load(recipe), sw.Options(workers=1)
    _, shown, left = plan(loaded, 24, out, 0, options, Local(), images=4)
    told = forecast(shown, 24, left, Farm(1, 1, 400))
    asked.clear()
    assert left == 20 and sw.generate(loaded, 24, out, options=options).complete
    assert asked.count("PUT") == pytest.approx(told.writes, rel=0.1, abs=5)
    assert len(asked) - asked.count("PUT") == pytest.approx(told.reads, rel=0.1, abs=5)
    found = place(out)
    assert not isinstance(found, Path)
    names = [name for name in found.fs.find(found.path) if WORKERS not in name.split("/")]
    assert len(names) == told.objects


def test_the_clock_of_a_bucket(bucket: Place) -> None:
    """The listing's times and the time that is asked for are of the same clock."""
    now, found = store_now(bucket), stamps(bucket)
    assert now is not None and found.indices.tolist() == list(range(COUNT))
    assert found.between(now - 120, now + 1) == COUNT and found.between(now + 1, now + 120) == 0


def test_a_bucket_that_is_not_there(bucket: Place, run: Run) -> None:
    """A place without a dataset ends with 1 and says what is missing."""
    ended = run("status", f"s3://{BUCKET}/e")
    assert ended.code == 1 and "is no dataset" in ended.err
