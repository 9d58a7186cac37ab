"""Is a defect's mask what it changes? `check_defects.py --count 300 --out out/defects`

Renders defects of all kinds on many materials twice without noise (512 samples, no denoiser, the same seed), with and
without, and compares the pixels that differ with the mask of the label pass. Results are kept one by one in the folder,
so a run that was stopped goes on, and `--part 1/2` shares the work between processes. Precision: the share of the mask
that has changed, within a pixel. Recall: the share of what has changed, three pixels from the mask at most, that lies
in the mask (with what is absent), within a pixel. What has changed farther away is taken for light and shadow, and is
the spill, in shares of the mask; "recall of all" is that of all that has changed. Only a window is looked at, of 44
pixels at most, about the defect or within it. A defect that nobody can see is counted only. Of a deformed part the
mask is what has moved, and a plain face that moves within itself does not change: the last line leaves those kinds out.
Exit code 1 when precision is below 0.97 or recall below 0.9 over all.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from common import blender_quiet, table  # type: ignore[import-not-found]  # beside this script
from defect_scenes import Pair, pair, scenes  # type: ignore[import-not-found]  # beside this script

from scenewright.assets.defects.kinds import KINDS

PRECISION, RECALL = 0.97, 0.9
#: A pixel has changed when one of its channels has, by so many of 255 steps of the picture.
STEPS = 2
SPILL_PX = 3
Mask = npt.NDArray[np.bool_]


def wider(mask: Mask, pixels: int) -> Mask:
    """The mask with all pixels that lie so near to it, diagonals included."""
    k = 2 * pixels + 1
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((k, k), np.uint8)) > 0)


def measured(found: Pair) -> dict[str, Any]:
    """What is known of one defect, with counts of pixels where anybody can see it."""
    label, both = found.label, found.mask | found.absent
    row = {"severity": label.severity, "visible": label.left_out is None, "left_out": label.left_out,
           "agreed": found.agreed, "visible_fraction": label.visible_fraction}  # fmt: skip
    if found.states is None:
        return row
    changed = np.abs(found.states[0] - found.states[1]).max(axis=2) * 255 >= STEPS
    return row | {
        "mask": int(both.sum()), "hit": int((both & wider(changed, 1)).sum()),
        "changed": int((changed & wider(both, SPILL_PX)).sum()),
        "inside": int((changed & wider(both, 1)).sum()), "spill": int((changed & ~wider(both, SPILL_PX)).sum()),
        "absent": int(found.absent.sum()),
    }  # fmt: skip


def sheet(states: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]], found: Pair, path: Path) -> None:
    """Without, with, eight times the difference, and the mask, side by side."""
    marred, sound = states
    difference = np.clip(8 * np.abs(marred - sound), 0, 1)
    mask = np.where(found.absent[..., None], [1.0, 0.3, 0.3], found.mask[..., None] * np.ones(3))
    row = np.hstack([sound, marred, difference, mask]) * 255
    big = cv2.resize(row, None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST)
    cv2.imwrite(str(path), np.rint(big[..., ::-1]).astype(np.uint8))


def report(rows: list[dict[str, Any]]) -> bool:
    """Print the table by kind; whether all limits hold."""
    by_kind = defaultdict(list)
    for row in rows:
        by_kind[row["kind"]].append(row)
    lines, total = [], [0] * 5
    for kind, found in [*sorted(by_kind.items()), ("all", rows)]:
        seen = [r for r in found if r["visible"]]
        mask, hit, changed, inside, spill = (
            sum(r[n] for r in seen) for n in ("mask", "hit", "changed", "inside", "spill")
        )
        total = [mask, hit, changed, inside, spill]
        each = [r["hit"] / r["mask"] for r in seen if r["mask"]]
        lines.append((
            kind, len(found), len(seen), len({r["family"] for r in seen}), f"{hit / max(mask, 1):.4f}",
            f"{np.median(each) if each else 0:.4f}", f"{inside / max(changed, 1):.4f}",
            f"{inside / max(changed + spill, 1):.4f}", f"{spill / max(mask, 1):.3f}",
            sum(not r["agreed"] for r in found),
        ))  # fmt: skip
    head = ("kind", "defects", "seen", "materials", "precision", "median", "recall", "recall of all", "spill",
            "engines apart")  # fmt: skip
    table(head, lines)
    mask, hit, changed, inside, _ = total
    good = hit >= PRECISION * mask and inside >= RECALL * changed
    firm = [r for r in rows if r["visible"] and KINDS[r["kind"]].category != "deformation"]
    print(f"precision {hit / max(mask, 1):.4f} (limit {PRECISION}), recall {inside / max(changed, 1):.4f} "
          f"(limit {RECALL}), a pixel has changed from {STEPS}/255 on")  # fmt: skip
    print("without deformed parts: precision {:.4f}, recall {:.4f}".format(
        *(sum(r[part] for r in firm) / max(sum(r[whole] for r in firm), 1)
          for part, whole in (("hit", "mask"), ("inside", "changed")))
    ))  # fmt: skip
    return good


def main() -> int:
    """Measure what is left to measure, then report on all that the folder holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--samples", type=int, default=512)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--out", type=Path, default=Path("out/check_defects"))
    parser.add_argument("--part", default="1/1", help="k/n: the k-th of n processes")
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()
    blender_quiet()
    from scenewright.render.engine import Engine

    engine, kinds = Engine("cpu", args.threads), args.kinds.split(",")
    args.out.mkdir(parents=True, exist_ok=True)
    part, parts = (int(x) for x in args.part.split("/"))
    start = time.process_time()
    for at, kind in enumerate(kinds):
        if at % parts != part - 1:
            continue
        share = args.count // len(kinds) + (at < args.count % len(kinds))
        for place, (n, family, scene) in enumerate(scenes(kind)):
            if place == share:
                break
            name = args.out / f"{kind}_{n:04d}"
            if name.with_suffix(".json").exists():
                continue
            found = pair(engine, scene, args.samples)
            if found.states is not None:
                sheet(found.states, found, name.with_suffix(".png"))
            row = {"kind": kind, "family": family, "case": n, **measured(found)}
            name.with_suffix(".json").write_text(json.dumps(row))
    print(f"{time.process_time() - start:.0f} CPU s at {args.samples} samples")
    rows = [json.loads(path.read_text()) for path in sorted(args.out.glob("*.json"))]
    return 0 if report([r for r in rows if r["kind"] in kinds]) else 1


if __name__ == "__main__":
    sys.exit(main())
