"""`hardware`, rendered by Cycles with 1 worker, 2 workers, in shuffled order, and killed and continued ten times.

All must give the same annotation files byte for byte and the same pixels, with nothing left over and no finished image
rendered again. Small draft images: what is compared does not depend on their size.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

import scenewright as sw
from scenewright.datasets.records import indices
from scenewright.datasets.validate import validate

OVERRIDES = ["render.preset=draft", "render.size=[160, 120]"]


def content(folder: Path) -> dict[str, str]:
    """Path → hash of every file. PNG bytes are a function of the pixels here, so bytes are compared throughout."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def command(count: int, out: Path) -> list[str]:
    """The command line of a run."""
    sets = [part for change in OVERRIDES for part in ("--set", change)]
    return [
        sys.executable,
        "-m",
        "scenewright",
        "generate",
        "hardware",
        "--count",
        str(count),
        "--out",
        str(out),
        *sets,
    ]


def killed(count: int, out: Path, times: int, rng: np.random.Generator) -> int:
    """Continue a run until it is complete, killing its worker or all of it at random moments; images rendered twice."""
    stamps: dict[int, int] = {}
    twice = 0
    for n in range(times):
        process = subprocess.Popen(command(count, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        goal = min(len(indices(out)) + 1 + int(rng.integers(0, 2)), count)
        while process.poll() is None and len(indices(out)) < goal:
            time.sleep(0.02)
        time.sleep(float(rng.uniform(0, 1.5)))
        if process.poll() is None:
            children = psutil.Process(process.pid).children()
            for victim in [c.pid for c in children] if n % 2 == 0 else []:
                os.kill(victim, signal.SIGKILL)
            time.sleep(float(rng.uniform(0, 2.0)) if n % 2 == 0 else 0)
            process.kill()
            process.wait()
            psutil.wait_procs(children, timeout=60)
        now = {i: (out / f"records/{i:06d}.json").stat().st_mtime_ns for i in indices(out)}
        twice += sum(now.get(i) != t for i, t in stamps.items())
        stamps = now
    subprocess.run(command(count, out), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return twice + sum((out / f"records/{i:06d}.json").stat().st_mtime_ns != t for i, t in stamps.items())


def main() -> int:
    """Print a row for each way of running; exit code 1 when one differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--kills", type=int, default=10)
    args = parser.parse_args()
    recipe, rng = sw.load("hardware", OVERRIDES), np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        sw.generate(recipe, args.count, root / "one")
        reference = content(root / "one")
        sw.generate(recipe, args.count, root / "two", options=sw.Options(workers=2))
        order = [int(i) for i in rng.permutation(args.count)]
        sw.generate(recipe, args.count, root / "shuffled", order=order)
        twice = killed(args.count, root / "killed", args.kills, rng)
        print(f"{args.count} images of hardware, {len(reference)} files; all compared byte for byte")
        good = twice == 0
        for name, what in (("two", "2 workers"), ("shuffled", "shuffled"), ("killed", f"killed {args.kills} times")):
            other = content(root / name)
            differing = sorted(k for k in {**reference, **other} if reference.get(k) != other.get(k))
            good &= not differing
            print(f"  {what:18} {'identical' if not differing else f'{len(differing)} differ: {differing[:3]}'}")
        findings = [f.message for f in validate(root / "killed")]
        print(f"  finished images rendered again: {twice}; findings of validate: {findings or 'none'}")
    return 0 if good and not findings else 1


if __name__ == "__main__":
    sys.exit(main())
