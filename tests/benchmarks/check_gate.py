"""Does the label gate tell harm from harmless? `check_gate.py --renders out/gate`

Renders scenes of four recipes that the rules of `diffusion/gate.py` were set on, and of four others with other seeds
(about 20 CPU minutes in all; folders that are there are taken as they are), and lays every perturbation of
`gate_damage.py` and `gate_restyling.py` on each. What the gate calls not checkable is shown as in the render, as in a
run, and is never the object that is harmed. Prints how many pictures are accepted, with 95 % intervals (Clopper and
Pearson), for each size, then which share of instances is checkable and what a verdict costs.

`--split set` shows the renders that the rules were set on. `--split last` are 224 others of the recipes that are held
out (an hour of rendering), judged when nothing was left to change. With `--draws` each perturbation is drawn several
times for every render; these tries are not independent, so that intervals are too narrow. Exit code 1 when more than
1 % of a damage, or less than 85 % of a restyling, is accepted over all sizes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import zlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import gate_damage as damage  # type: ignore[import-not-found]  # beside this script
import gate_restyling as restyling  # type: ignore[import-not-found]  # beside this script
import numpy as np
from common import table  # type: ignore[import-not-found]  # beside this script
from gate_shots import Image, Rng, Shot  # type: ignore[import-not-found]  # beside this script
from scipy.stats import beta

from scenewright.diffusion.gate import Reference, judge, reference

#: Split → (recipe, size, images, seed).
RENDERS = {
    "set": [
        *((recipe, "256x256", 8, 11) for recipe in ("hardware", "tabletop", "bin", "conveyor")),
        *((recipe, "512x512", 4, 12) for recipe in ("hardware", "tabletop")),
    ],
    "held": [
        *((recipe, "256x256", 8, 77) for recipe in ("dice", "shelf", "inspection", "pegboard")),
        *((r, s, 4, 78) for s in ("512x512", "640x480") for r in ("dice", "shelf", "inspection", "pegboard")),
    ],
    "last": [
        *((recipe, "256x256", 32, 177) for recipe in ("dice", "shelf", "inspection", "pegboard")),
        *((r, s, 12, 178) for s in ("512x512", "640x480") for r in ("dice", "shelf", "inspection", "pegboard")),
    ],
}


@dataclass(frozen=True)
class Perturbation:
    """A name, whether it leaves labels true (None: reported only), and the operation."""

    name: str
    harmless: bool | None
    apply: Callable[[Rng, Shot], Image | None]


def after(harm: Callable[[Rng, Shot], Image | None]) -> Callable[[Rng, Shot], Image | None]:
    """A damage to the restyled picture."""

    def apply(rng: Rng, shot: Shot) -> Image | None:
        restyled = restyling.everything(rng, shot)
        return harm(rng, replace(shot, image=restyled))

    return apply


PERTURBATIONS = (
    Perturbation("identity", True, restyling.identity),
    Perturbation("blur", True, restyling.blur),
    Perturbation("recolour", True, restyling.recolour),
    Perturbation("relight", True, restyling.relight),
    Perturbation("retexture objects", True, restyling.retexture),
    Perturbation("retexture the rest", True, restyling.retexture_ground),
    Perturbation("noise", True, restyling.noise),
    Perturbation("JPEG", True, restyling.jpeg),
    Perturbation("all of these", True, restyling.everything),
    Perturbation("shift 1 px", None, damage.shift_each(1)),
    Perturbation("shift 2 px", False, damage.shift_each(2)),
    Perturbation("shift 4 px", False, damage.shift_each(4)),
    Perturbation("shift 8 px", False, damage.shift_each(8)),
    Perturbation("shift 2 px, one object", False, damage.shift_one(2)),
    Perturbation("shift 4 px, one object", False, damage.shift_one(4)),
    Perturbation("shift 2 px, whole picture", False, damage.shift_all(2)),
    Perturbation("erase", False, damage.erase),
    Perturbation("add", False, damage.add),
    Perturbation("swap", False, damage.swap),
    Perturbation("scale 0.85", False, damage.scale(0.85)),
    Perturbation("scale 1.15", False, damage.scale(1.15)),
    Perturbation("warp 3 px", False, damage.warp(3)),
    Perturbation("warp 6 px", False, damage.warp(6)),
    Perturbation("black frame", False, damage.black),
    Perturbation("random-weight model", False, damage.random_model),
    Perturbation("restyled, shift 2 px", False, after(damage.shift_each(2))),
    Perturbation("restyled, shift 4 px", False, after(damage.shift_each(4))),
    Perturbation("restyled, erase", False, after(damage.erase)),
    Perturbation("restyled, add", False, after(damage.add)),
    Perturbation("restyled, warp 6 px", False, after(damage.warp(6))),
)


def made(folder: Path, split: str) -> list[Path]:
    """The datasets of a split, rendered where they are missing."""
    for recipe, size, count, seed in RENDERS[split]:
        out = folder / split / f"{recipe}_{size}"
        if not out.exists():
            command = [sys.executable, "-m", "scenewright", "generate", recipe, "--out", str(out)]
            options = {"--count": count, "--seed": seed, "--size": size, "--preset": "draft"}
            words = [str(word) for option in options.items() for word in option]
            subprocess.run([*command, *words], check=True, stdout=subprocess.DEVNULL)
    return sorted(path for path in (folder / split).iterdir() if (path / "images").is_dir())


def read(dataset: Path) -> list[tuple[Image, Any]]:
    """Pictures and ids of a dataset."""
    names = sorted(path.name for path in (dataset / "images").glob("*.png"))
    pictures = [np.ascontiguousarray(cv2.imread(str(dataset / "images" / n))[..., ::-1]) for n in names]
    return [
        (p, cv2.imread(str(dataset / "ids" / n), cv2.IMREAD_UNCHANGED)) for p, n in zip(pictures, names, strict=True)
    ]


def shot(ref: Reference, donors: list[tuple[Image, Any]]) -> Shot:
    """What a perturbation needs of a reference; donors of the same size only."""
    movable = tuple(i for i, yes in zip(ref.shape.ids, ref.checkable, strict=True) if yes)
    fitting = tuple((p, i) for p, i in donors if i.shape == ref.ids.shape and i is not ref.ids and i.any())
    return Shot(ref.render, ref.ids, movable, fitting)


def judged(datasets: list[Path], spent: dict[str, list[float]], draws: int) -> list[dict[str, Any]]:
    """A row for every picture, perturbation and draw of it."""
    read_in = [(path.name, pair) for path in datasets for pair in read(path)]
    donors = [pair for _, pair in read_in]
    rows = []
    for number, (name, (picture, ids)) in enumerate(read_in):
        start = time.process_time()
        ref = reference(picture, ids)
        size = f"{ids.shape[1]}x{ids.shape[0]}"
        spent[f"reference {size}"].append(time.process_time() - start)
        at = shot(ref, donors)
        for one, draw in product(PERTURBATIONS, range(draws)):
            seeds = [number, zlib.crc32(one.name.encode()), *([draw] if draw else [])]
            done = one.apply(np.random.default_rng(seeds), at)
            if done is None:
                continue
            start = time.process_time()
            verdict = judge(ref, np.where(ref.frozen[..., None], picture, done))
            spent[f"verdict {size}"].append(time.process_time() - start)
            about = {"dataset": name, "image": number, "size": size, "name": one.name, "harmless": one.harmless}
            area = {int(i): int((ids == i).sum()) for i in ref.shape.ids}
            rows.append({**about, "area": area, **asdict(verdict)})
        print(f"\r{number + 1} of {len(read_in)} renders", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return rows


def interval(hits: int, total: int) -> tuple[float, float]:
    """The exact 95 % interval of a share, in per cent."""
    low = beta.ppf(0.025, hits, total - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, total - hits) if hits < total else 1.0
    return 100 * float(low), 100 * float(high)


def share(rows: list[dict[str, Any]]) -> str:
    """Accepted of all, in per cent, with its interval."""
    if not rows:
        return "–"
    hits = sum(row["accepted"] for row in rows)
    low, high = interval(hits, len(rows))
    return f"{hits}/{len(rows)} = {100 * hits / len(rows):.0f} % ({low:.0f}–{high:.0f})"


def checkable(name: str, found: list[tuple[bool, int]]) -> list[str]:
    """A line on (checkable, pixels) of a dataset's instances."""
    pixels = sum(area for yes, area in found if yes) / sum(area for _, area in found)
    return [name, str(len(found)), f"{np.mean([yes for yes, _ in found]):.2f}", f"{pixels:.2f}"]


def report(rows: list[dict[str, Any]], spent: dict[str, list[float]]) -> bool:
    """Print the tables; whether every line keeps its limit."""
    sizes = sorted({row["size"] for row in rows}, key=lambda s: int(s.split("x")[0]))
    lines, good = [], True
    for one in PERTURBATIONS:
        found = [row for row in rows if row["name"] == one.name]
        kept = sum(row["accepted"] for row in found) / max(len(found), 1)
        fine = one.harmless is None or (kept >= 0.85 if one.harmless else kept <= 0.01)
        good &= fine
        kind = {True: "keep", False: "reject", None: "–"}[one.harmless]
        cells = [share([row for row in found if row["size"] == size]) for size in sizes]
        lines.append([one.name, kind, *cells, share(found), "" if fine else "missed"])
    table(["accepted", "goal", *sizes, "all", ""], lines)
    print()
    by_set: dict[str, list[tuple[bool, int]]] = defaultdict(list)
    for row in rows:
        if row["name"] == "identity":
            by_set[row["dataset"]] += [(s["checkable"], row["area"][s["id"]]) for s in row["instances"]]
    table(["checkable", "instances", "share", "of their pixels"], [checkable(*item) for item in by_set.items()])
    print()
    table(["CPU s", "mean"], [[name, f"{np.mean(values):.3f}"] for name, values in sorted(spent.items())])
    return good


def main() -> int:
    """Run as described at the top."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--renders", type=Path, required=True)
    parser.add_argument("--split", choices=sorted(RENDERS), default="held")
    parser.add_argument("--draws", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write every verdict here")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    spent: dict[str, list[float]] = defaultdict(list)
    rows = judged(made(args.renders, args.split), spent, args.draws)
    if args.json:
        args.json.write_text(json.dumps(rows))
    return 0 if report(rows, spent) else 1


if __name__ == "__main__":
    sys.exit(main())
