"""The README's picture of the label gate: `gallery_gate.py DATASET`.

Each row is a render of the dataset and what was made of it: restyled, which is harmless, and three harms. Outlines are
green where the gate is content, red where it is not, white where the render does not show them well enough to tell; the
frame is the verdict on the whole picture.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import gate_damage as damage  # type: ignore[import-not-found]  # beside this script
import gate_restyling as restyling  # type: ignore[import-not-found]  # beside this script
import numpy as np
from check_gate import read, shot  # type: ignore[import-not-found]  # beside this script
from gate_shots import Image  # type: ignore[import-not-found]  # beside this script

from scenewright.datasets.contact import write_picture
from scenewright.diffusion.gate import Reference, Verdict, judge, reference

#: Name → what is done to a render.
CELLS = {
    "render": restyling.identity, "restyled": restyling.everything, "one object moved by 3 px": damage.shift_one(3),
    "one erased": damage.erase, "warped by 6 px": damage.warp(6),
}  # fmt: skip
GOOD, BAD, UNTOLD = (40, 200, 60), (235, 30, 30), (255, 255, 255)


def drawn(image: Image, ref: Reference, verdict: Verdict, name: str) -> Image:
    """The picture with its outlines, its frame and its name."""
    out = image.copy()
    for scores in verdict.instances:
        color = UNTOLD if not scores.checkable else BAD if scores.faults else GOOD
        mask = (ref.ids == scores.id).astype(np.uint8)
        found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(out, found, -1, color, 1, cv2.LINE_AA)
    h, w = out.shape[:2]
    cv2.rectangle(out, (1, 1), (w - 2, h - 2), GOOD if verdict.accepted else BAD, 3)
    for width, ink in ((3, 0), (1, 255)):
        cv2.putText(out, name, (8, h - 10), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (ink,) * 3, width, cv2.LINE_AA)
    return out


def main() -> int:
    """Draw the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--out", type=Path, default=Path("datasets/gallery/gate.jpg"))
    parser.add_argument("--images", type=int, nargs="+", default=[0, 1])
    args = parser.parse_args()
    pictures, rows = read(args.dataset), []
    for number in args.images:
        ref, row = reference(*pictures[number]), []
        for k, (name, apply) in enumerate(CELLS.items()):
            made = apply(np.random.default_rng([number, k]), shot(ref, pictures))
            if made is None:
                continue
            made = np.where(ref.frozen[..., None], ref.render, made)
            row.append(drawn(made, ref, judge(ref, made), name))
        rows.append(np.hstack(row))
    write_picture(args.out, np.vstack(rows))
    print(args.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
