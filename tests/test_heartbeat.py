"""What supervising processes write about themselves, who reads it, and the time limit that is learnt from it."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scenewright.datasets.records import WORKERS
from scenewright.errors import DatasetError
from scenewright.farm import heartbeat
from scenewright.farm.beats import heartbeats, history
from scenewright.farm.heartbeat import Heartbeat
from scenewright.farm.times import LEAST_IMAGES, Times, time_limit

from .commands import COUNT

NOW = 0.0  # write at every call


def soon(true: Callable[[], bool]) -> bool:
    """Whether it comes true within some seconds: another thread writes."""
    end = time.monotonic() + 60  # a disk that others write to may take long for each file
    while not true() and time.monotonic() < end:
        time.sleep(0.005)
    return true()


def test_a_closed_heartbeat_tells_the_whole_run(tmp_path: Path) -> None:
    """Counts, times and busy seconds of all that ended are in the last write, and that it ended."""
    with Heartbeat(tmp_path, 2, "cpu", "s") as alive:
        alive.started(1.5)
        alive.started(2.5)
        for index, (status, seconds) in enumerate([("ok", 2.0), ("ok", 3.0), ("failed", 60.0), ("quarantined", 4.0)]):
            alive.began(index)
            alive.ended(index, status, seconds, first=index == 0)
        alive.began(9)
    (seen,) = heartbeats(tmp_path)
    beat = seen.beat
    assert beat.counts == {"ok": 2, "failed": 1, "quarantined": 1} and beat.busy_s == 69.0
    assert (beat.times.count, beat.times.total_s, beat.times.longest_s) == (3, 9.0, 4.0)
    assert (beat.starts, beat.starting_s) == (2, 4.0) and beat.first_times == Times.of([2.0])
    assert [b.index for b in beat.busy] == [9] and (beat.slots, beat.device, beat.settings) == (2, "cpu", "s")
    assert beat.ended_utc is not None and beat.started_utc <= beat.ended_utc
    assert seen.name == alive.name and seen.name.startswith(beat.host) and f"-{os.getpid()}-" in seen.name


def test_a_living_heartbeat_is_written_at_once_and_then_at_intervals(tmp_path: Path) -> None:
    """A process that hangs while it starts its workers is seen, and one that works writes no more than it said."""
    alive = Heartbeat(tmp_path, 1, "cpu", "s", interval_s=3600)
    assert soon(lambda: len(heartbeats(tmp_path)) == 1) and heartbeats(tmp_path)[0].beat.ended_utc is None
    alive.began(5)
    alive.beat()
    time.sleep(0.05)
    assert heartbeats(tmp_path)[0].beat.busy == ()
    alive.close()
    often = Heartbeat(tmp_path, 1, "cpu", "s", interval_s=NOW)
    often.began(5)

    def told() -> bool:
        often.beat()
        return any(b.index == 5 and b.seconds >= 0 for s in heartbeats(tmp_path) for b in s.beat.busy)

    assert soon(told)
    often.close()
    often.close()  # a second time does nothing


def test_a_process_goes_on_in_its_file(tmp_path: Path) -> None:
    """Shard after shard in one process leaves one file, which tells of all of them; other settings have another."""
    for shard in range(3):
        with Heartbeat(tmp_path, 1, "cpu", "s") as alive:
            for index in range(LEAST_IMAGES):
                alive.ended(index, "ok", 10.0 + shard)
    with Heartbeat(tmp_path, 1, "cpu", "t"):
        pass
    beats = {seen.beat.settings: seen.beat for seen in heartbeats(tmp_path)}
    assert len(heartbeats(tmp_path)) == 2 and beats["s"].ended_utc is not None
    assert beats["s"].counts == {"ok": 3 * LEAST_IMAGES} and beats["s"].times.longest_s == 12.0
    assert beats["s"].busy_s == 33.0 * LEAST_IMAGES and beats["t"].counts == {}
    with Heartbeat(tmp_path, 1, "cpu", "s") as alive:
        assert soon(lambda: alive.limit(1800) == pytest.approx(120, rel=0.05))


def test_a_run_leaves_the_heartbeat_of_its_work(made: Path) -> None:
    """`generate` tells of every image, of the start of its worker and of its first image; that is what plans read."""
    (beat,) = (seen.beat for seen in heartbeats(made))
    assert beat.counts == {"ok": COUNT} and beat.times.count == COUNT and beat.ended_utc is not None
    assert beat.starts == 1 and beat.starting_s > 0 and beat.first_times.count == 1 and beat.busy == ()
    assert 0 < beat.busy_s < beat.alive_s and beat.device == "none" and beat.settings.startswith("dataset flat ")


def test_the_folder_may_be_deleted_at_any_time(tmp_path: Path) -> None:
    """A process whose file has gone writes it again, with all that it knows."""
    alive = Heartbeat(tmp_path, 1, "cpu", "s")
    alive.ended(0, "ok", 1.0)
    assert soon(lambda: len(heartbeats(tmp_path)) == 1)
    shutil.rmtree(tmp_path / WORKERS)
    alive.close()
    assert heartbeats(tmp_path)[0].beat.counts == {"ok": 1}


def test_torn_and_foreign_files_are_passed_over(tmp_path: Path) -> None:
    """Whatever lies in the folder, the heartbeats in it are read."""
    with Heartbeat(tmp_path, 1, "cpu", "s"):
        pass
    folder = tmp_path / WORKERS
    (mine,) = (seen.name for seen in heartbeats(tmp_path))
    whole = (folder / mine).read_bytes()
    (folder / "torn.json").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.json").write_bytes(b"")
    (folder / "other.json").write_text('{"host": 3}')
    (folder / "notes.txt").write_text("mine")
    (folder / ".x.json.tmp").write_text("{")
    (folder / "folder.json").mkdir()
    (folder / "gone.json").symlink_to(folder / "nowhere")
    (folder / "newer.json").write_bytes(whole.replace(b'"host"', b'"mood":"good","host"'))
    assert [s.name for s in heartbeats(tmp_path)] == sorted([mine, "newer.json"])
    assert heartbeats(tmp_path / "nowhere") == []


def test_no_trouble_of_the_store_ends_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A heartbeat that cannot be written, whatever is raised, is noted once, and its process goes on."""
    raised = iter([DatasetError("full"), OSError(5, "gone"), RuntimeError("odd")])

    def refuse(path: Path, data: bytes) -> None:
        raise next(raised, ValueError("more"))

    monkeypatch.setattr(heartbeat, "write_bytes_atomic", refuse)
    notes: list[str] = []
    with Heartbeat(tmp_path, 1, "cpu", "s", interval_s=NOW, note=notes.append) as alive:
        for _ in range(5):
            alive.beat()
            time.sleep(0.01)
    assert len(notes) == 1 and "full" in notes[0] and "the run goes on" in notes[0]


def test_a_store_that_hangs_slows_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one write hangs, calls return at once, and closing waits no longer than it says."""
    free = threading.Event()
    monkeypatch.setattr(heartbeat, "write_bytes_atomic", lambda *_: free.wait(60))
    monkeypatch.setattr(heartbeat, "PATIENCE_S", 0.1)
    alive = Heartbeat(tmp_path, 1, "cpu", "s", interval_s=NOW)
    began = time.monotonic()
    for _ in range(100):
        alive.beat()
    alive.close()
    took = time.monotonic() - began
    free.set()
    assert took < 2


def test_quantiles_are_as_exact_as_documented(tmp_path: Path) -> None:
    """Each quantile is within half a bucket (4.4 %) of the sorted times' own."""
    times = np.random.default_rng(5).lognormal(1.0, 1.0, 4000)
    known = Times.of(map(float, times))
    ordered = np.sort(times)
    for share in (0.01, 0.25, 0.5, 0.9, 0.99):
        assert known.quantile(share) == pytest.approx(ordered[int(np.ceil(share * 4000)) - 1], rel=0.045)
    assert known.quantile(1.0) == pytest.approx(times.max(), rel=0.045) and known.longest_s == times.max()
    assert known.deviation_s == pytest.approx(times.std(ddof=1), rel=0.02)
    assert known.mean_s == pytest.approx(times.mean())


def test_histograms_add_up_as_if_counted_together() -> None:
    """Merging is what makes one history of many processes."""
    times = [float(t) for t in np.random.default_rng(6).lognormal(0, 2, 60)]
    parts = Times.of(times[:7]) + Times.of([]) + Times.of(times[7:])
    whole = Times.of(times)
    assert parts.buckets == whole.buckets and parts.longest_s == whole.longest_s
    assert parts.total_s == pytest.approx(whole.total_s)
    rest = whole - Times.of(times[:7])
    assert rest.buckets == Times.of(times[7:]).buckets and rest.total_s == pytest.approx(sum(times[7:]))
    assert (whole - whole).count == 0 and (whole - whole).total_s == 0.0
    assert Times.model_validate_json(whole.model_dump_json()) == whole


def test_the_time_limit_is_learnt_and_never_condemns() -> None:
    """Nothing known: the ceiling. Then far above what was seen, never above the ceiling, which every last try gets."""
    few, many = Times.of([20.0] * (LEAST_IMAGES - 1)), Times.of([20.0] * 100)
    assert time_limit(few, 1800) == 1800
    assert time_limit(many, 1800) == pytest.approx(200, rel=0.05)
    assert time_limit(many + Times.of([100.0]), 1800) == 400
    assert time_limit(Times.of([0.05] * 100), 1800) == 60
    assert time_limit(many, 100) == 100
    assert time_limit(many, 1800, tries=1) == pytest.approx(800, rel=0.05)
    assert time_limit(many, 1800, tries=2) == 1800


def test_a_new_process_starts_from_what_earlier_ones_saw(tmp_path: Path) -> None:
    """The history is of the same settings and device; others and the torn do not count."""
    for device, settings, seconds in (("cpu", "s", 10.0), ("cpu", "s", 12.0), ("cuda", "s", 1.0), ("cpu", "t", 900.0)):
        with Heartbeat(tmp_path, 1, device, settings) as alive:
            for index in range(LEAST_IMAGES):
                alive.ended(index, "ok", seconds)
    (tmp_path / WORKERS / "torn.json").write_text('{"host"')
    known = history(tmp_path, "s")
    assert {device: times.count for device, times in known.items()} == {"cpu": 2 * LEAST_IMAGES, "cuda": LEAST_IMAGES}
    with Heartbeat(tmp_path, 1, "auto", "s") as alive:
        assert alive.limit(1800) == 1800  # not known yet what "auto" is
        alive.on("cpu")
        assert soon(lambda: alive.limit(1800) < 1800)
        assert alive.limit(1800) == pytest.approx(120, rel=0.05)
