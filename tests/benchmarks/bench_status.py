"""What `scenewright status` costs on a large dataset: seconds and memory of the real command.

    python tests/benchmarks/bench_status.py [--count 1000000] [--folder FOLDER] [--keep]

Makes that many record files, small but real JSON, with the heartbeats of a large farm beside them, and runs the
command three times. The limits are 5 s and 200 MB for a million. CPU time is told beside the wall clock's, which says
little on a machine that does other things; the exit code goes by CPU time and memory.

With --pictures there are empty ones too, three to a record, and what a run asks of such a dataset when it begins is
measured: which images are complete.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import scenewright as sw
from scenewright.datasets.records import WORKERS
from scenewright.farm.beats import Beat
from scenewright.farm.times import Times

LIMIT_S, LIMIT_MB = 5.0, 200.0
HEARTBEATS = 500
MEASURE = """
import resource, subprocess, sys, time
began = time.monotonic()
subprocess.run(sys.argv[1:])
wall, used = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
print(wall, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""
LOOK = """
import re, sys, time
from pathlib import Path
from scenewright.datasets.presence import present
from scenewright.datasets.records import read_info
place = Path(sys.argv[1])
info = read_info(place)
began, busy = time.monotonic(), time.process_time()
found = len(present(place, info))
print(time.monotonic() - began, time.process_time() - busy, end=" ")
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024 / 1e6, found)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where to put the files; default: the temporary folder")
    parser.add_argument("--keep", action="store_true", help="leave the files there, and use those that are")
    parser.add_argument("--pictures", action="store_true", help="measure the look that a run begins with, too")
    options = parser.parse_args()
    place = (options.folder or Path(tempfile.gettempdir())) / f"bench-status-{options.count}"
    if not (place / "dataset.json").exists():
        make(place, options.count)
    if options.pictures:
        look(place, options.count)
    runs = [measure(place) for _ in range(3)]
    wall, cpu, memory = (min(values) for values in zip(*runs, strict=True))
    print(f"{options.count:,} records, {HEARTBEATS} heartbeats, best of three:")
    print(f"  wall   {wall:6.2f} s (limit {LIMIT_S:g} s)")
    print(f"  CPU    {cpu:6.2f} s")
    print(f"  memory {memory:6.0f} MB at most (limit {LIMIT_MB:g} MB)")
    print(f"  load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    if not options.keep:
        shutil.rmtree(place)
    if memory > LIMIT_MB or cpu > LIMIT_S:
        sys.exit("over the limit")


def make(place: Path, count: int) -> None:
    """A dataset of ours, then record files by the million: first a real dataset of one image, for its dataset.json."""
    sw.generate(sw.load("hardware", ["render.engine=flat", "render.size=[64,48]"]), 1, place)
    info = json.loads((place / "dataset.json").read_text())
    info["counts"] |= {"requested": 2 * count, "images": count}
    (place / "dataset.json").write_text(json.dumps(info))
    began = time.monotonic()
    told = b'{"schema_version":1,"index":%d,"image":"images/%06d.png","status":"ok"}\n'
    fill(place / "records", "json", count, lambda index: told % (index, index))
    (place / WORKERS).mkdir(exist_ok=True)
    for number in range(HEARTBEATS):
        (place / WORKERS / f"node{number:03d}-1-00000000.json").write_text(beat(number).model_dump_json())
    print(f"made in {time.monotonic() - began:.0f} s", file=sys.stderr)


def fill(folder: Path, suffix: str, count: int, content: Callable[[int], bytes]) -> None:
    """Numbered files from 1 on; 0 is that of the real image."""
    place = os.open(folder, os.O_RDONLY)
    for index in range(1, count):
        file = os.open(f"{index:06d}.{suffix}", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=place)
        os.write(file, content(index))
        os.close(file)
    os.close(place)


def look(place: Path, count: int) -> None:
    """What a run asks when it begins, at its end and for its report: names of four folders, none of them opened."""
    for name in {path.parent for path in place.glob("*/000000.png")}:
        if not (name / f"{count - 1:06d}.png").exists():
            fill(name, "png", count, lambda _: b"")
    told = subprocess.run([sys.executable, "-c", LOOK, str(place)], capture_output=True, text=True, check=True)
    wall, cpu, memory, found = told.stdout.split()
    assert int(found) == count, told.stdout
    print(
        f"which of {count:,} images are complete: {float(wall):.2f} s, CPU {float(cpu):.2f} s, {float(memory):.0f} MB"
    )


def beat(number: int) -> Beat:
    """The heartbeat of one of many nodes with four GPUs."""
    now = datetime.now(UTC)
    return Beat(
        host=f"node{number:03d}", pid=1, slots=4, device="optix", gpus=("GPU",) * 4, settings="s", interval_s=3600,
        started_utc=now, updated_utc=now, alive_s=7200.0, counts={"ok": 2000}, busy_s=28000.0,
        times=Times.of([14.0 + 0.001 * k for k in range(2000)]),
    )  # fmt: skip


def measure(place: Path) -> tuple[float, float, float]:
    """Wall and CPU seconds of the command, and the most memory that it held, in MB.

    It is the only child of a process of its own, which asks the system what its children took.
    """
    command = [sys.executable, "-m", "scenewright", "status", str(place), "--price", "2", "--json"]
    asked = [sys.executable, "-c", MEASURE, *command]
    told, found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    status = json.loads(told)
    assert status["done"] * 2 == status["requested"], status
    wall, cpu, kib = map(float, found.split())
    return wall, cpu, kib * 1024 / 1e6


if __name__ == "__main__":
    main()
