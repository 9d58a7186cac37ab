"""COCO folders for the small detector: images in memory, and crops of them, augmented alike whatever they come from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Images:
    """Images (h, w, 3) RGB, their boxes (k, 5) x, y, w, h in pixels and class from 0, and the COCO dictionary."""

    pictures: list[Image]
    boxes: list[Boxes]
    coco: dict[str, list[dict[str, object]]]

    def part(self, which: range | list[int]) -> Images:
        """The images of these positions."""
        ids = {self.coco["images"][k]["id"] for k in which}
        coco = {
            "images": [self.coco["images"][k] for k in which],
            "annotations": [a for a in self.coco["annotations"] if a["image_id"] in ids],
            "categories": self.coco["categories"],
        }
        return Images([self.pictures[k] for k in which], [self.boxes[k] for k in which], coco)


def annotation_files(folder: Path) -> list[Path]:
    """The COCO files of a folder: `annotations.json`, or all `annotations/instances_*.json`, train and val together."""
    single = folder / "annotations.json"
    files = [single] if single.is_file() else sorted(folder.glob("annotations/instances_*.json"))
    if not files:
        raise SystemExit(
            f"{folder} has neither annotations.json nor annotations/instances_*.json: is it a COCO folder?"
        )
    return files


def read(folder: Path, width: int = 0) -> Images:
    """All images in the order of their file names, resized to `width` pixels (with their boxes) unless that is 0."""
    images, annotations, categories = [], [], []
    for file in annotation_files(folder):
        data = json.loads(file.read_bytes())
        images += data["images"]
        annotations += data["annotations"]
        categories = sorted(data["categories"], key=lambda c: c["id"])
    images.sort(key=lambda image: image["file_name"])
    kind = {c["id"]: k for k, c in enumerate(categories)}
    pictures, boxes = [], []
    for image in images:
        picture = _picture(folder, image["file_name"])
        scale = width / picture.shape[1] if width else 1.0
        if scale != 1.0:
            shape = (width, round(picture.shape[0] * scale))
            picture = cv2.resize(picture, shape, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        mine = [a for a in annotations if a["image_id"] == image["id"] and not a.get("iscrowd")]
        rows = [[*(scale * v for v in a["bbox"]), kind[a["category_id"]]] for a in mine]
        pictures.append(picture)
        boxes.append(np.array(rows, dtype=np.float32).reshape(-1, 5))
    return Images(pictures, boxes, {"images": images, "annotations": annotations, "categories": categories})


def _picture(folder: Path, name: str) -> Image:
    path = folder / name if (folder / name).is_file() else folder / "images" / name
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise SystemExit(f"{path} is no readable image")
    return np.ascontiguousarray(picture[:, :, ::-1])


class Crops:
    """Draws training crops; a die's value is the same in any of the eight turns and mirrors, so all are drawn."""

    def __init__(self, images: Images, size: int) -> None:
        self.images, self.size = images, size

    def __call__(self, rng: np.random.Generator, count: int) -> tuple[Image, list[Boxes]]:
        drawn = [self._one(rng) for _ in range(count)]
        return np.stack([picture for picture, _ in drawn]), [boxes for _, boxes in drawn]

    def _one(self, rng: np.random.Generator) -> tuple[Image, Boxes]:
        k = int(rng.integers(len(self.images.pictures)))
        picture, boxes = self.images.pictures[k], self.images.boxes[k]
        zoom, half = rng.uniform(0.88, 1.14), self.size / 2
        height, width = picture.shape[:2]
        centre = rng.uniform(0.0, 1.0, 2) * (width, height)
        if len(boxes) and rng.random() < 0.8:  # most crops hold an object, wherever in the crop
            box = boxes[rng.integers(len(boxes))]
            centre = box[:2] + box[2:4] / 2 + rng.uniform(-0.8, 0.8, 2) * half / zoom
        reach = np.minimum(half / zoom, (width / 2, height / 2))
        centre = np.clip(centre, reach, (width, height) - reach)
        matrix = zoom * _turn(int(rng.integers(8)))
        shift = half - matrix @ centre
        affine = np.column_stack([matrix, shift])
        crop = cv2.warpAffine(picture, affine, (self.size,) * 2, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        return lit(rng, crop), _moved(boxes, matrix, shift, self.size)


def _turn(which: int) -> npt.NDArray[np.float64]:
    """(2, 2) one of the eight symmetries of a square."""
    turn = np.linalg.matrix_power(np.array([[0.0, -1.0], [1.0, 0.0]]), which % 4)
    return turn @ np.diag([1.0, -1.0]) if which >= 4 else turn


def _moved(boxes: Boxes, matrix: npt.NDArray[np.float64], shift: npt.NDArray[np.float64], size: int) -> Boxes:
    """The boxes in the crop; those whose centre lies outside are left out."""
    centre = (boxes[:, :2] + boxes[:, 2:4] / 2) @ matrix.T + shift
    extent = boxes[:, 2:4] @ np.abs(matrix).T
    keep = ((centre >= 0) & (centre < size)).all(axis=1)
    kept: Boxes = np.column_stack([centre - extent / 2, extent, boxes[:, 4]])[keep].astype(np.float32)
    return kept


def lit(rng: np.random.Generator, crop: Image) -> Image:
    """Brightness, contrast, colour cast, saturation, softness and noise, as cameras differ."""
    value = crop.astype(np.float32)
    # From soft to sharpened, as telephones do: what lies above the frequencies of a blur is weakened or strengthened.
    value += rng.uniform(-0.6, 1.6) * (value - cv2.GaussianBlur(value, (0, 0), rng.uniform(0.7, 1.6)))
    grey = value.mean(axis=2, keepdims=True)
    value = grey + (value - grey) * rng.uniform(0.7, 1.3)
    mean = value.mean()
    value = mean + (value - mean) * rng.uniform(0.75, 1.25)
    value = value * (rng.uniform(0.75, 1.25) * rng.uniform(0.94, 1.06, 3)).astype(np.float32)
    if rng.random() < 0.5:
        noise = rng.standard_normal(value.shape, dtype=np.float32)
        value = value + noise * np.float32(rng.uniform(0.0, 6.0))
    rounded: Image = np.clip(value, 0, 255).astype(np.uint8)
    return rounded
