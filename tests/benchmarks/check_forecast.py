"""Is what `generate --plan` says what then happens?

    python tests/benchmarks/check_forecast.py [--recipe hardware] [--pilot 8] [--count 68] [--workers 2]
        [--preset draft] [--size 160x120] [--seed 0] [--limit 15]

Makes a pilot in a new dataset with the real command, then the rest with the real command, and compares: hours and
node-hours of the rest by the wall clock, and bytes and objects of the whole. Other work on the machine slows one of the
two more than the other; so the same is told in CPU seconds of the commands with all their workers, where a forecast in
seconds of slots is taken times the CPU seconds that the pilot spent for one of them. Exit code 1 when bytes are more
than the limit off, or CPU time is.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from scenewright.datasets.records import WORKERS
from scenewright.farm.beats import heartbeats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="hardware")
    parser.add_argument("--pilot", type=int, default=8)
    parser.add_argument("--count", type=int, default=68)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--preset", default="draft")
    parser.add_argument("--size", default="160x120")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=15.0, help="per cent")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="check-forecast-") as folder:
        sys.exit(check(asked, Path(folder) / "d"))


def check(asked: argparse.Namespace, out: Path) -> int:
    command = ["generate", asked.recipe, "--preset", asked.preset, "--size", asked.size, "--seed", str(asked.seed)]
    command += ["--count", str(asked.count), "--workers", str(asked.workers), "--out", str(out), "--json"]
    told, pilot_wall, pilot_cpu = run(*command, "--plan", "--pilot", str(asked.pilot))
    before = busy_s(out)
    _, wall, cpu = run(*command)
    files = [p for p in out.rglob("*") if p.is_file() and WORKERS not in p.relative_to(out).parts]
    print(
        f"{asked.recipe}, {asked.size}, {asked.preset}: pilot of {asked.pilot} ({pilot_wall:.0f} s), then "
        f"{told['left']} images by {asked.workers} workers; {100 * told['start_share']:.0f} % is start-up"
    )
    print(f"{'':22}{'forecast':>14}{'90 % from':>12}{'to':>10}{'truth':>12}{'error':>9}")
    line("hours (wall clock)", told["hours"], wall / 3600)
    line("node-hours", told["node_hours"], wall / 3600)
    rate = pilot_cpu / pilot_wall
    spans = {name: None if value is None else value * 3600 * rate for name, value in told["hours"].items()}
    errors = [line("CPU seconds", spans, cpu)]
    errors.append(line("bytes", told["bytes"], sum(p.stat().st_size for p in files)))
    errors.append(line("objects", {"value": told["objects"], "low": None, "high": None}, len(files)))
    print(f"a CPU second of the pilot took {1 / rate:.2f} s, one of the rest {wall / cpu:.2f} s")
    print(f"slots were busy for {busy_s(out) - before:.0f} s, forecast {told['left'] * told['image_s']['value']:.0f} s")
    return int(max(errors) > asked.limit)


def line(what: str, span: dict[str, Any], truth: float) -> float:
    """Prints one comparison; gives the error in per cent."""
    error = 100 * (float(span["value"]) / truth - 1)
    low, high = ("" if span[k] is None else f"{span[k]:.4g}" for k in ("low", "high"))
    print(f"{what:22}{span['value']:14.4g}{low:>12}{high:>10}{truth:12.4g}{error:+8.1f} %")
    return abs(error)


def run(*arguments: str) -> tuple[dict[str, Any], float, float]:
    """A command's JSON, and its wall and CPU seconds, those of its workers included."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "scenewright", *arguments], capture_output=True, text=True, check=False
    )
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(done.stderr)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    told: dict[str, Any] = json.loads(done.stdout)
    return told, wall, cpu


def busy_s(out: Path) -> float:
    return sum(seen.beat.busy_s for seen in heartbeats(out))


if __name__ == "__main__":
    main()
