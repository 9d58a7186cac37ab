"""Two sets of images side by side in numbers: boxes, colours inside them, background, sharpness and noise.

`python tests/benchmarks/compare_sets.py ../shared/real/dice out/dice --width 640`. Both folders are COCO. Each line
gives the 10th, 50th and 90th percentile of a statistic in either set, and how far apart the two distributions are: the
Kolmogorov–Smirnov distance, 0 for equal ones, 1 for ones that do not overlap. The largest distances are what to mend.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from coco_crops import Boxes, Image, Images, read  # type: ignore[import-not-found]  # beside this script
from common import table  # type: ignore[import-not-found]  # beside this script
from scipy.stats import ks_2samp

Values = npt.NDArray[np.float64]


def statistics(images: Images) -> dict[str, Values]:
    """Name → one value for each image or box."""
    found: dict[str, list[float]] = defaultdict(list)
    for picture, boxes in zip(images.pictures, images.boxes, strict=True):
        for name, value in (*_of_picture(picture, boxes), *(v for box in boxes for v in _of_box(picture, box))):
            found[name].append(value)
    return {name: np.array(values) for name, values in found.items()}


def _of_picture(picture: Image, boxes: Boxes) -> list[tuple[str, float]]:
    """Of the whole picture, objects left out of the background with a margin of a quarter of their size."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float64)
    free = np.ones(grey.shape, bool)
    for x, y, w, h, _ in boxes:
        free[max(int(y - h / 4), 0) : int(y + 1.25 * h), max(int(x - w / 4), 0) : int(x + 1.25 * w)] = False
    colour = picture[free].mean(axis=0)
    fine = np.abs(cv2.Laplacian(grey, cv2.CV_64F))[free]
    coarse = cv2.GaussianBlur(grey, (0, 0), 4) - cv2.GaussianBlur(grey, (0, 0), 16)
    return [
        ("objects in an image", len(boxes)),
        ("background: grey level", float(np.median(grey[free]))),
        ("background: red - blue", float(colour[0] - colour[2])),
        ("background: 95th - 5th percentile", float(np.subtract(*np.percentile(grey[free], [95, 5])))),
        ("background: noise (median |Laplacian|)", float(np.median(fine))),
        ("background: blotches of 4-16 px (MAD)", float(np.median(np.abs(coarse[free])))),
    ]


def _of_box(picture: Image, box: Boxes) -> list[tuple[str, float]]:
    """Of the pixels inside a box, and of the ring of 15 % around it."""
    height, width = picture.shape[:2]
    x, y, w, h = box[:4]
    x0, y0, x1, y1 = max(int(x), 0), max(int(y), 0), min(int(x + w), width), min(int(y + h), height)
    if x1 - x0 < 4 or y1 - y0 < 4:
        return []
    inside = picture[y0:y1, x0:x1]
    grey = cv2.cvtColor(inside, cv2.COLOR_RGB2GRAY).astype(np.float64)
    hsv = cv2.cvtColor(inside, cv2.COLOR_RGB2HSV)
    middle = hsv[len(hsv) // 4 : -(len(hsv) // 4), hsv.shape[1] // 4 : -(hsv.shape[1] // 4)]
    gradient = np.hypot(*np.gradient(grey))
    return [
        ("box: side, px", float(np.sqrt(w * h))),
        ("box: grey level", float(grey.mean())),
        ("box: darkest tenth", float(np.percentile(grey, 10))),
        ("box: brightest hundredth", float(np.percentile(grey, 99))),
        ("box: saturation of the middle", float(np.median(middle[..., 1]))),
        ("box: contrast (std)", float(grey.std())),
        ("box: mean gradient", float(gradient.mean())),
        ("box: steepest hundredth of gradients", float(np.percentile(gradient, 99))),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="two COCO folders side by side in numbers")
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--width", type=int, default=0, help="resize all images to this width first; 0: as they are")
    args = parser.parse_args()
    for folder in (args.first, args.second):
        if not folder.is_dir():
            print(f"skipped: there is no folder {folder}")
            return
    one, two = (statistics(read(folder, args.width)) for folder in (args.first, args.second))
    rows = []
    for name in one:
        a, b = one[name], two.get(name, np.zeros(0))
        if not len(b):
            continue
        ends = [" ".join(f"{v:6.1f}" for v in np.percentile(values, [10, 50, 90])) for values in (a, b)]
        rows.append((name, *ends, f"{ks_2samp(a, b).statistic:.2f}"))
    table(("10th, 50th, 90th percentile", str(args.first), str(args.second), "distance"), rows)


if __name__ == "__main__":
    main()
