"""Does severity grow? `bench_severity.py --cases 2`

Of every kind some cases, each at six severities with the same seed in the same place: the area, which is that of the
mask in mm² or, where something is missing, the pixels of the mask and of what is absent; the depth in mm where there is
one; and the mean colour difference. Spearman's rank correlation with severity within each case, and the mean
over the cases that stay in place. A kind without any number that grows, as a screw that is there or is not, has no
severity to check. Exit code 1 when a mean is below 0.9.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from common import blender_quiet, table  # type: ignore[import-not-found]  # beside this script
from defect_scenes import case, pair  # type: ignore[import-not-found]  # beside this script
from scipy.stats import spearmanr

from scenewright.assets.defects.kinds import KINDS
from scenewright.render.defect_labels import DefectLabel
from scenewright.scenes.scene import Scene

LEAST = 0.9
SEVERITIES = (0.1, 0.28, 0.46, 0.64, 0.82, 1.0)
#: A case stays in place when its defect moves by less than this from the mildest to the worst.
STAYS_M = 0.003


def row(engine: Any, kind: str, n: int) -> list[tuple[float, DefectLabel]] | None:
    """Severity and label of one case, from mild to severe; None where it has no place or moves."""
    found: list[tuple[float, Scene]] = []
    for severity in SEVERITIES:
        _, scene = case(kind, n, severity)
        if not scene.objects[0].defects:
            return None
        found.append((severity, scene))
    places = [np.linalg.inv(s.objects[0].defects[0].to_patch)[:3, 3] for _, s in found]
    if max(np.linalg.norm(p - places[0]) for p in places) > STAYS_M:
        return None
    return [(severity, pair(engine, scene, 1, whole=True).label) for severity, scene in found]


def area(label: DefectLabel) -> float:
    """mm² of the mask, or pixels with those of what is absent."""
    return label.area + label.absent_area if KINDS[label.kind].features else label.area_mm2


def grows(rows: list[list[tuple[float, DefectLabel]]], number: Callable[[DefectLabel], float | None]) -> float | None:
    """Mean rank correlation of a number with severity; None where the kind has none."""
    out = []
    for found in rows:
        values = [v for _, label in found if (v := number(label)) is not None]
        if len(values) < len(found):
            return None
        out.append(float(spearmanr([s for s, _ in found], values).statistic) if len(set(values)) > 1 else 0.0)
    return float(np.mean(out)) if out else None


def main() -> int:
    """Print the table by kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2, help="per kind")
    parser.add_argument("--kinds", default=",".join(k for k, kind in KINDS.items() if kind.values))
    args = parser.parse_args()
    blender_quiet()
    from scenewright.render.engine import Engine

    engine, lines, good, start = Engine("cpu"), [], True, time.process_time()
    for kind in args.kinds.split(","):
        rows: list[list[tuple[float, DefectLabel]]] = []
        tried = 0
        while len(rows) < args.cases and tried < 12 * args.cases:
            found = row(engine, kind, tried)
            rows += [found] if found else []
            tried += 1
        ranks = [grows(rows, f) for f in (area, lambda d: d.depth_mm, lambda d: d.colour_difference)]
        good &= bool(rows) and all(r is None or r >= LEAST for r in ranks)
        ends = [f"{area(rows[0][k][1]):.2f}" if rows else "" for k in (0, -1)]
        lines.append((kind, len(rows), *("-" if r is None else f"{r:.3f}" for r in ranks), *ends))
    head = ("kind", "cases", "area", "depth", "colour", "area at 0.1", "at 1")
    table(head, lines)
    print(f"least {LEAST}; {time.process_time() - start:.0f} CPU s")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
