"""How far a dataset is: what `status` reads from records, heartbeats and quarantine, and by whose clock."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scenewright.datasets import stamps as stamps_module
from scenewright.datasets.derived import Derivation, Source
from scenewright.datasets.records import TWINS, WORKERS, read_info, record_path, write_info
from scenewright.datasets.stamps import stamps
from scenewright.errors import DatasetError
from scenewright.farm import status as status_module
from scenewright.farm.beats import Beat, Busy
from scenewright.farm.status import Status, status
from scenewright.farm.status_text import as_text, duration
from scenewright.farm.times import Times

from .commands import COUNT, Run

LONG_AGO, LATER = datetime(1999, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)
INTERVAL_S = 15.0


@pytest.fixture
def dataset(dataset: Path) -> Path:
    """A complete dataset, of whose making nobody has told."""
    shutil.rmtree(dataset / WORKERS)
    return dataset


def ask(folder: Path, count: int) -> None:
    """Have the dataset asked for so many images."""
    info = read_info(folder)
    write_info(folder, info.model_copy(update={"counts": info.counts.model_copy(update={"requested": count})}))


def beat(folder: Path, name: str, age_s: float = 0.0, busy: tuple[int, ...] = (), **changes: Any) -> Path:
    """A heartbeat whose file is so old, while the clock of its process is out of its mind."""
    made: dict[str, Any] = {
        "host": name, "pid": 7, "slots": 2, "device": "cpu", "settings": "s", "interval_s": INTERVAL_S,
        "started_utc": LONG_AGO, "updated_utc": LATER, "alive_s": 7200.0, "counts": {"ok": 10},
        "times": Times.of([10.0] * 10), "busy": tuple(Busy(index=i, since_utc=LATER, seconds=4.0) for i in busy),
    }  # fmt: skip
    path = folder / WORKERS / f"{name}-7-00000000.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(Beat(**{**made, **changes}).model_dump_json())
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def records(folder: Path, ages_s: dict[int, float]) -> None:
    """Records of these images, so old."""
    shutil.rmtree(folder / "records")
    (folder / "records").mkdir()
    for index, age_s in ages_s.items():
        path = folder / f"records/{index:06d}.json"
        path.touch()
        os.utime(path, (time.time() - age_s,) * 2)


def states(found: Status) -> dict[str, str]:
    return {w.host: w.state for w in found.work.workers}


def test_a_complete_dataset_ends_with_0(dataset: Path, run: Run) -> None:
    """Whoever waits for a dataset can ask for the exit code; the JSON says the same in numbers."""
    ended = run("status", dataset)
    assert ended.code == 0 and f"{COUNT} of {COUNT} (100.0 %)" in ended.out and "all images are there" in ended.out
    told = json.loads(run("status", dataset, "--json").out)
    assert (told["done"], told["requested"], told["complete"], told["idle"]) == (COUNT, COUNT, True, True)


def test_a_partial_dataset_ends_with_3(dataset: Path, run: Run) -> None:
    """Something is there and something is not, whether or not anybody works."""
    ask(dataset, 10)
    ended = run("status", dataset)
    assert ended.code == 3 and f"{COUNT} of 10" in ended.out and "nobody works on it" in ended.out
    assert status(dataset).waiting == 10 - COUNT and status(dataset).rate.seconds_left is None


def test_nothing_ends_with_1_unless_somebody_works(dataset: Path, tmp_path: Path, run: Run) -> None:
    """No dataset, and one without an image, are told apart from one that has just begun."""
    assert run("status", tmp_path / "none").code == 1 and "is no dataset" in run("status", tmp_path / "none").err
    records(dataset, {})
    assert run("status", dataset).code == 1
    beat(dataset, "a")
    assert run("status", dataset).code == 3


@pytest.mark.parametrize("arguments", [("--price", "-1"), ("--watch", "0"), ("--what",)])
def test_what_cannot_be_meant_ends_with_2(dataset: Path, run: Run, arguments: tuple[str, ...]) -> None:
    """Prices below zero and waiting for no time are usage errors."""
    assert run("status", dataset, *arguments).code == 2


def test_a_damaged_dataset_is_named(dataset: Path) -> None:
    """What the dataset was asked for is in dataset.json: without it there is no progress to tell."""
    (dataset / "dataset.json").write_text("{")
    with pytest.raises(DatasetError, match="is damaged"):
        status(dataset)


def test_the_clock_of_the_store_tells_the_lost(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A heartbeat is old by when its file was written: neither its own clock nor the reader's is asked."""
    ask(dataset, 10)
    beat(dataset, "alive", age_s=3 * INTERVAL_S, busy=(7,))
    beat(dataset, "lost", age_s=5 * INTERVAL_S, busy=(8,))
    beat(dataset, "slow", age_s=5 * INTERVAL_S, busy=(9,), interval_s=4 * INTERVAL_S)
    beat(dataset, "ended", age_s=5 * INTERVAL_S, ended_utc=LATER)
    monkeypatch.setattr(time, "time", lambda: pytest.fail("the reader's clock was asked"))
    found = status(dataset)
    assert states(found) == {"alive": "alive", "lost": "lost", "slow": "alive"} and found.work.ended == 1
    assert found.running == 2 and found.waiting == 10 - COUNT - 2
    assert "lost 7 (2 slots on cpu) LOST: last sign of life 1 min" in as_text(found)


def test_a_store_that_may_only_be_read(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no file may be written to ask for the time, it is no earlier than the newest one."""
    monkeypatch.setattr(status_module, "store_now", lambda place: None)
    records(dataset, dict.fromkeys(range(5), 1e6))
    beat(dataset, "alive", age_s=1e6 - 500)
    beat(dataset, "lost", age_s=1e6)
    assert states(status(dataset)) == {"alive": "alive", "lost": "lost"}


def test_a_clock_that_was_set_back(dataset: Path) -> None:
    """Files from the future are counted as done, but neither as signs of life nor as this hour's work."""
    ask(dataset, 100)
    records(dataset, {**dict.fromkeys(range(10), -86400.0), **dict.fromkeys(range(10, 40), 60.0)})
    beat(dataset, "alive")
    beat(dataset, "gone", age_s=-86400.0)
    found = status(dataset)
    assert found.done == 40 and found.future == 10 and states(found) == {"alive": "alive", "gone": "lost"}
    assert found.rate.last_10_min == pytest.approx(30 * 6, rel=0.01)
    assert "clock was set back" in as_text(found)


def test_a_clock_that_was_set_forward(dataset: Path) -> None:
    """Then all work looks old, and the rate comes from what living processes have measured themselves."""
    ask(dataset, 100)
    records(dataset, dict.fromkeys(range(10), 86400.0))
    beat(dataset, "a", busy=(10, 11), times=Times.of([36.0] * 10))
    rate = status(dataset).rate
    assert rate.source == "heartbeats" and rate.used == pytest.approx(200) and rate.last_10_min == 0
    assert rate.seconds_left == pytest.approx(90 / 200 * 3600)
    assert "27 min, by what an image takes" in as_text(status(dataset))


def test_two_drivers_on_one_dataset(dataset: Path) -> None:
    """Both are told; an image that both make counts once, and whoever has made one makes another."""
    ask(dataset, 10)
    beat(dataset, "a", busy=(0, 5, 6))
    beat(dataset, "b", busy=(6, 7))
    (dataset / WORKERS / "torn.json").write_text('{"host": "c"')
    found = status(dataset)
    assert states(found) == {"a": "alive", "b": "alive"} and found.running == 4
    assert "4 images, 2 processes on 2 hosts" in as_text(found) and "image 0 for 4.0 s, 5 for 4.0 s" in as_text(found)


def test_rate_and_time_left(dataset: Path) -> None:
    """Images per hour are counted in windows, and what is left is divided by the rate of the shorter one."""
    ask(dataset, 1000)
    records(dataset, {i: 10 + 5 * i for i in range(600)})  # one every 5 s, the oldest 50 min old
    beat(dataset, "a")
    rate = status(dataset).rate
    assert rate.last_10_min == pytest.approx(720, rel=0.03)
    assert rate.last_60_min == pytest.approx(600, rel=0.01)
    assert rate.source == "last 10 min" and rate.seconds_left == pytest.approx(400 / 720 * 3600, rel=0.03)


def test_the_rate_of_a_young_run_is_over_its_age(dataset: Path) -> None:
    """Two minutes after the start an hour holds two minutes of work, whatever was made last week."""
    ask(dataset, 1000)
    records(dataset, {**{i: 1 + 2 * i for i in range(60)}, **dict.fromkeys(range(100, 200), 604800.0)})
    beat(dataset, "a", alive_s=120.0)
    rate = status(dataset).rate
    assert rate.last_10_min == pytest.approx(1800, rel=0.03) and rate.last_60_min == pytest.approx(1800, rel=0.03)
    assert "images/h since the work began" in as_text(status(dataset))
    beat(dataset, "a", alive_s=10.0)
    assert status(dataset).rate.last_10_min is None  # too little to tell


def test_slow_images_are_counted_over_the_hour(dataset: Path) -> None:
    """A handful of images in ten minutes is chance: the longer window decides then."""
    ask(dataset, 100)
    records(dataset, {i: 300 + 300.0 * i for i in range(11)})
    beat(dataset, "a")
    rate = status(dataset).rate
    assert rate.source == "last 60 min" and rate.used == pytest.approx(11)


def test_node_hours_and_cost(dataset: Path) -> None:
    """Processes on one host share its hours while they overlap; the price goes by node and hour."""
    ask(dataset, 13)
    beat(dataset, "a", ended_utc=LATER, alive_s=3600.0)
    beat(dataset, "a2", host="a", ended_utc=LATER, started_utc=LONG_AGO.replace(minute=30), alive_s=3600.0)
    beat(dataset, "b", alive_s=1800.0)
    cost = status(dataset, price=3.0, currency="EUR").cost
    assert (cost.nodes, cost.nodes_alive, cost.images) == (2, 1, 30) and cost.node_hours == pytest.approx(2.0)
    assert (cost.so_far, cost.per_image, cost.to_the_end) == pytest.approx((6.0, 0.2, 2.0))
    assert cost.node_hours_left == pytest.approx(10 * 2 / 30)
    assert "6.00 EUR so far, 0.2 an image, 2.00 more to the end" in as_text(status(dataset, 3.0, "EUR"))


def test_without_heartbeats_nothing_is_said_of_cost(dataset: Path) -> None:
    """The folder may be deleted at any time: then progress is told all the same."""
    beat(dataset, "a")
    shutil.rmtree(dataset / WORKERS)
    found = status(dataset, price=1.0)
    assert found.complete and found.cost.so_far is None and found.cost.per_image is None
    assert not (dataset / WORKERS).exists()


def aside(folder: Path, index: int, name: str, **content: object) -> None:
    place = folder / "quarantine" / f"{index:06d}"
    place.mkdir(parents=True)
    (place / name).write_text(json.dumps(content))


def test_what_was_put_aside_is_told_with_reasons(dataset: Path) -> None:
    """Doubtful labels and failures are counted apart, reasons that differ in numbers only are told once."""
    ask(dataset, 20)
    for index in (3, 4):
        aside(dataset, index, "record.json", status="quarantined", reason=f"disagree in {index} of 100 pixels")
    for index in (5, 6, 7):
        aside(dataset, index, "failure.json", status="failed", reasons=["x", f"took longer than {index} s\n  log"])
    aside(dataset, 8, "failure.json", status="impossible", reasons=["no room"])
    aside(dataset, 0, "failure.json", status="failed", reasons=["another worker made it all the same"])
    (dataset / "quarantine" / "000009").mkdir()  # still being written
    found = status(dataset)
    assert (found.quarantined, found.failed, found.impossible) == (2, 3, 1) and found.waiting == 20 - COUNT - 6
    assert [(g.status, g.count, g.example, g.reason) for g in found.reasons] == [
        ("failed", 3, 5, "took longer than 5 s"),
        ("quarantined", 2, 3, "disagree in 3 of 100 pixels"),
        ("impossible", 1, 8, "no room"),
    ]
    assert "failed: image 5, and 2 like it: took longer than 5 s" in as_text(found)


def test_twins_are_told_beside_their_dataset(dataset: Path) -> None:
    """They have records and workers of their own, and no number that was asked for; named alone they are the same."""
    shutil.copytree(dataset / "records", dataset / TWINS / "records")
    beat(dataset / TWINS, "t", busy=(9,))
    twins = status(dataset).twins
    assert twins is not None and (twins.kind, twins.done, twins.requested, twins.running) == ("twins", COUNT, None, 1)
    alone = status(dataset / TWINS)
    assert (alone.kind, alone.done, alone.twins) == ("twins", COUNT, None) and "twins of t" in as_text(alone)


def test_what_a_model_makes_has_asked_for_images_of_its_own(dataset: Path) -> None:
    """A refined dataset was asked for so many images of its source, whatever it counts so far."""
    info = read_info(dataset)
    source = Source(folder="../d", name="d", seed=0, recipe_sha256=info.recipe_sha256)
    derived = Derivation(kind="refined", generation=1, source=source, plan={}, images=8)
    write_info(dataset, info.model_copy(update={"derived": derived}))
    found = status(dataset)
    assert (found.kind, found.requested, found.done, found.complete) == ("refined", 8, COUNT, False)


def test_times_of_many_records_are_sampled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are counted; only some are looked at, and the work of the last hour is known almost exactly."""
    monkeypatch.setattr(stamps_module, "ALL", 400)
    monkeypatch.setattr(stamps_module, "LOT", 32)
    (tmp_path / "records").mkdir()
    now, ages = 2e9, np.arange(3000)[::-1] * 30.0  # one every 30 s, in the order of indices: 120 in the last hour
    for index, age in enumerate(ages):
        path = tmp_path / "records" / f"{index:06d}.json"
        path.touch()
        os.utime(path, (now - age,) * 2)
    (tmp_path / "records" / "7.json").touch()  # no record
    found = stamps(tmp_path)
    assert found.indices.tolist() == list(range(3000)) and found.modified_s.size < 900
    assert found.weight.sum() == pytest.approx(3000)
    assert found.between(now - 600, now) == 20 and found.between(now - 3600, now) == 120
    assert found.between(now - 45000, now) == pytest.approx(1500, rel=0.02)


def test_watching_ends_when_all_is_there(dataset: Path) -> None:
    """`--watch` looks again until the last image has come, and ends with 0."""
    last = record_path(dataset, COUNT - 1)
    whole = last.read_bytes()
    last.unlink()
    command = [sys.executable, "-m", "scenewright", "status", str(dataset), "--json", "--watch", "0.1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and json.loads(process.stdout.readline())["done"] == COUNT - 1
    last.write_bytes(whole)
    told = [json.loads(line) for line in process.stdout]
    process.stdout.close()
    assert process.wait() == 0 and told[-1]["complete"]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (12, "12 s"), (125, "2 min 5 s"), (7200, "2 h"), (97200, "1 d 3 h")],
)
def test_durations_are_for_people(seconds: float, told: str) -> None:
    """Two units say enough."""
    assert duration(seconds) == told
