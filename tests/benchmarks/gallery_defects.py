"""The README's picture of defects, kind × severity: `gallery_defects.py --out datasets/gallery/defects.jpg`.

A row is one case of a kind, at one place and with one seed, at four severities. Each case is looked for where the
defect stays in place and lies well in the picture.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from common import blender_quiet  # type: ignore[import-not-found]  # beside this script
from defect_scenes import case, families  # type: ignore[import-not-found]  # beside this script

from scenewright.scenes.build import meshes_of
from scenewright.scenes.defect_rays import defect_bits
from scenewright.scenes.rays import cast
from scenewright.scenes.scene import Scene

SEVERITIES = (0.1, 0.4, 0.7, 1.0)
#: Kind and the material on which it is shown; None takes what comes first.
ROWS = {
    "scratch": "painted_metal", "gouge": "plastic", "dent": "painted_metal", "crack": "ceramic", "chip": "ceramic",
    "pitting": "brushed_steel", "corrosion": "painted_metal", "stain": "wood", "hair": "plastic", "fibre": "zinc",
    "dust": "plastic", "oil": "fabric", "burn": "brushed_steel", "wear": "painted_metal", "bubble": "glass",
    "misprint": "printed", "bent": None, "warped": None, "missing_tooth": None, "missing_screw": None,
}  # fmt: skip
CELL = (150, 112)
Picture = npt.NDArray[np.uint8]


def cases(kind: str, material: str | None) -> list[Scene] | None:
    """A case of a kind at all severities, mild to severe, or None."""
    several = families(kind)
    step, first = (len(several), several.index(material)) if material in several else (1, 0)
    for n in range(first, first + 40 * step, step):
        row = [case(kind, n, severity)[1] for severity in SEVERITIES]
        if all(s.objects[0].defects for s in row) and _well_placed(row):
            return row
    return None


def _well_placed(row: list[Scene]) -> bool:
    at = [np.linalg.inv(s.objects[0].defects[0].to_patch)[:3, 3] for s in row]
    if max(np.linalg.norm(p - at[0]) for p in at) > 0.004:
        return False
    box = _box(row[-1])
    camera = row[-1].camera
    return box is not None and box[0] > 8 and box[1] > 8 and box[2] < camera.width - 8 and box[3] < camera.height - 8


def _box(scene: Scene) -> tuple[int, int, int, int] | None:
    meshes = meshes_of(scene)
    view = cast(scene, meshes, triangles=True)
    rows, cols = np.nonzero(defect_bits(scene, meshes, view))
    if not len(rows):
        return None
    return int(cols.min()), int(rows.min()), int(cols.max()) + 1, int(rows.max()) + 1


def shots(engine: Any, row: list[Scene], samples: int) -> list[Picture]:
    """The pictures of a row, all of the same part of the image, which holds the worst of them."""
    box = _box(row[-1])
    assert box is not None
    middle = [(box[k] + box[k + 2]) / 2 for k in (0, 1)]
    zoom = CELL[0] / (1.15 * max(box[2] - box[0], (box[3] - box[1]) * CELL[0] / CELL[1], 40))
    out = []
    for scene in row:
        seen = scene.camera
        camera = seen.model_copy(update={
            "width": CELL[0], "height": CELL[1], "fx": seen.fx * zoom, "fy": seen.fy * zoom,
            "cx": (seen.cx - middle[0]) * zoom + CELL[0] / 2, "cy": (seen.cy - middle[1]) * zoom + CELL[1] / 2,
        })  # fmt: skip
        render = scene.render.model_copy(update={"samples": samples, "prefilter": "accurate"})
        near = scene.model_copy(update={"camera": camera, "render": render})
        out.append(engine.render(near, meshes_of(near)).rgb)
    return out


def main() -> int:
    """Render the grid."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("datasets/gallery/defects.jpg"))
    parser.add_argument("--rows", type=Path, default=Path("out/defect_rows"), help="rows that are finished stay here")
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--kinds", default=",".join(ROWS))
    args = parser.parse_args()
    blender_quiet()
    from scenewright.render.engine import Engine

    engine, rows = Engine("cpu"), []
    args.rows.mkdir(parents=True, exist_ok=True)
    for kind in args.kinds.split(","):
        path = args.rows / f"{kind}.png"
        if not path.is_file():
            found = cases(kind, ROWS.get(kind))
            if found is None:
                print(f"{kind}: no case stays in place")
                continue
            pictures = shots(engine, found, args.samples)
            for width, ink in ((3, 0), (1, 255)):
                at = (4, CELL[1] - 6)
                cv2.putText(pictures[0], kind, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (ink,) * 3, width, cv2.LINE_AA)
            row = np.hstack([np.pad(p, ((1, 1), (1, 1), (0, 0))) for p in pictures])
            cv2.imwrite(str(path), row[..., ::-1])
        rows.append(cv2.imread(str(path))[..., ::-1])
        print(kind, flush=True)
    half = (len(rows) + 1) // 2
    rows += [np.zeros_like(rows[0])] * (2 * half - len(rows))
    grid = np.hstack([np.vstack(rows[:half]), np.vstack(rows[half:])])
    cv2.imwrite(str(args.out), grid[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 84))
    return 0


if __name__ == "__main__":
    sys.exit(main())
