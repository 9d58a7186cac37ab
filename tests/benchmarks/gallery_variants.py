"""Painted defects from near by, sound | requested | painted | changed: `gallery_variants.py out/painted --out x.jpg`.

Of the datasets that are named each kind is shown once, where it is largest, in the order of `--kinds`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from scenewright.datasets.contact import montage, write_picture
from scenewright.datasets.derived import PaintedDefect, Variant
from scenewright.datasets.png import decode_rgb
from scenewright.datasets.records import TWINS, Record, iter_records
from scenewright.render.rle import decode

Picture = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
CELL = 168
#: So much of the picture is shown about a defect, in sizes of it, and at least so many pixels.
AROUND, LEAST_PX = 2.2, 64
INK = (255, 96, 64)


def cases(folders: list[Path]) -> dict[str, tuple[Path, Record, PaintedDefect]]:
    """The accepted defect of each kind with most pixels, with its record and dataset."""
    found: dict[str, tuple[int, Path, Record, PaintedDefect]] = {}
    for folder in folders:
        for record in iter_records(folder):
            for item in record.derived.defects if isinstance(record.derived, Variant) else ():
                area = next((d.area for d in record.defects if d.id == item.defect_id), 0)
                if item.changed_rle is not None and area > found.get(item.kind, (0,))[0]:
                    found[item.kind] = (area, folder, record, item)
    return {kind: case[1:] for kind, case in found.items()}


def row(folder: Path, record: Record, item: PaintedDefect) -> Picture:
    """Four cells beside each other."""
    size = record.height, record.width
    image, sound = (
        decode_rgb((place / record.image).read_bytes(), record.width, record.height)
        for place in (folder, folder / TWINS)
    )
    requested = decode(item.requested_rle, size)
    cut = _about(requested)
    shown = [sound, _marked(sound, requested), image, _marked(sound, decode(item.changed_rle or "", size))]
    out = np.hstack([np.pad(_cell(p[cut]), ((1, 1), (1, 1), (0, 0))) for p in shown])
    for width, ink in ((3, 0), (1, 255)):
        cv2.putText(out, item.kind, (6, CELL - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (ink,) * 3, width, cv2.LINE_AA)
    return out


def _about(mask: Mask) -> tuple[slice, slice]:
    ends = [np.flatnonzero(mask.any(axis=1 - axis))[[0, -1]] for axis in (0, 1)]
    side = min(max(LEAST_PX, round(AROUND * max(int(b - a) for a, b in ends))), *mask.shape)
    starts = [int(np.clip((a + b) // 2 - side // 2, 0, n - side)) for (a, b), n in zip(ends, mask.shape, strict=True)]
    return slice(starts[0], starts[0] + side), slice(starts[1], starts[1] + side)


def _marked(picture: Picture, mask: Mask) -> Picture:
    return np.where(mask[..., None], np.array(INK, np.uint8), picture // 2)


def _cell(picture: Picture) -> Picture:
    way = cv2.INTER_CUBIC if picture.shape[0] < CELL else cv2.INTER_AREA
    return np.asarray(cv2.resize(np.ascontiguousarray(picture), (CELL, CELL), interpolation=way), np.uint8)


def main() -> int:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, default=Path("datasets/gallery/variants.jpg"))
    parser.add_argument("--kinds", help="in this order; default: all that there are")
    parser.add_argument("--columns", type=int, default=2)
    args = parser.parse_args()
    found = cases(args.folders)
    kinds = args.kinds.split(",") if args.kinds else sorted(found)
    if missing := [kind for kind in kinds if kind not in found] or ([] if kinds else ["any defect"]):
        print(f"no dataset has {', '.join(missing)}", file=sys.stderr)
        return 1
    write_picture(args.out, montage([row(*found[kind]) for kind in kinds], args.columns))
    print(args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
