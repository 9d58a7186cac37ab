"""A map-style dataset over a COCO export: image, boxes, masks and labels, for `torch.utils.data.DataLoader` or a loop.

Nothing here imports torch or albumentations: the dataset has `__len__` and `__getitem__`, which is all that a
`DataLoader` asks for, and transforms are called, not built. Only `collate_tensors` needs torch, when it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt
import orjson

from ..errors import DatasetError, UsageError
from ..render.rle import decode
from .coco import coco_path
from .files import inside, read_bytes
from .png import decode_rgb

__all__ = ["CocoDetection", "Sample", "collate", "collate_tensors"]


class Sample(TypedDict):
    """One image with its N instances.

    `image` is (h, w, 3) uint8 sRGB, or whatever the transforms made of it; `boxes` (N, 4) float32 [x0, y0, x1, y1] from
    pixel edges; `labels` (N,) int64 category ids, from 1; `masks` (N, h, w) uint8 of 0 and 1; `image_id` is COCO's.
    """

    image: Any
    boxes: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    masks: npt.NDArray[np.uint8]
    image_id: int


@dataclass(frozen=True)
class _Image:
    """What is kept in memory of one image: its masks stay encoded."""

    id: int
    file_name: str
    width: int
    height: int
    labels: tuple[int, ...]
    counts: tuple[str, ...]


class CocoDetection:
    """The images of one COCO file, ordered as in the file, with their instances.

    Args:
        source: a dataset folder, of which `split` is read, or an annotation file in a dataset's `annotations/`.
        transforms: called as `transforms(image=…, masks=…)`, an albumentations `Compose` for example. With
            `bbox_params` ("coco" or "pascal_voc") it also gets the boxes, and instances whose box it drops are dropped.
            Boxes are then measured from the transformed masks (the box of a turned box is too wide), and instances
            without a pixel left are dropped.
        split: which file of a dataset folder.

    Raises:
        DatasetError: there is no such file, or it is no COCO file with compressed masks.
    """

    def __init__(
        self, source: str | Path, transforms: Callable[..., dict[str, Any]] | None = None, *, split: str = "train"
    ) -> None:
        source = Path(source)
        self.annotation_file = coco_path(source, split) if source.is_dir() else source
        self.root = self.annotation_file.parent.parent / "images"
        self.transforms = transforms
        self.categories, self._images = _read(self.annotation_file)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Sample:
        entry = self._images[index]
        image = decode_rgb(read_bytes(inside(self.root, entry.file_name)), entry.width, entry.height)
        masks = np.zeros((len(entry.counts), entry.height, entry.width), dtype=np.uint8)
        for mask, counts in zip(masks, entry.counts, strict=True):
            mask[:] = decode(counts, (entry.height, entry.width))
        labels = np.array(entry.labels, dtype=np.int64)
        if self.transforms is None:
            return Sample(image=image, boxes=_boxes(masks), labels=labels, masks=masks, image_id=entry.id)
        shown, masks, kept = _transform(self.transforms, image, masks, labels)
        return Sample(image=shown, boxes=_boxes(masks), labels=labels[kept], masks=masks, image_id=entry.id)


def collate(batch: Sequence[Sample]) -> dict[str, list[Any]]:
    """A batch as lists by key: images may have different sizes and numbers of instances. Use as `collate_fn`."""
    return {key: [dict(sample)[key] for sample in batch] for key in Sample.__annotations__}


def collate_tensors(batch: Sequence[Sample]) -> tuple[list[Any], list[dict[str, Any]]]:
    """A batch for torchvision's detectors: images (3, h, w) float 0…1, and targets of tensors. Needs torch."""
    import torch

    images, targets = [], []
    for sample in batch:
        image = sample["image"]
        if isinstance(image, np.ndarray):
            image = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
        images.append(image.float() / 255 if image.dtype == torch.uint8 else image)
        target = {key: torch.from_numpy(sample[key]) for key in ("boxes", "labels", "masks")}
        targets.append({**target, "image_id": torch.tensor(sample["image_id"])})
    return images, targets


def _read(path: Path) -> tuple[dict[int, str], list[_Image]]:
    """Category names by id, and the images with their instances, of a COCO file."""
    try:
        coco = orjson.loads(read_bytes(path))
        labels: dict[int, list[int]] = {image["id"]: [] for image in coco["images"]}
        counts: dict[int, list[str]] = {image["id"]: [] for image in coco["images"]}
        for annotation in coco["annotations"]:
            labels[annotation["image_id"]].append(annotation["category_id"])
            counts[annotation["image_id"]].append(annotation["segmentation"]["counts"])
        images = [
            _Image(i["id"], i["file_name"], i["width"], i["height"], tuple(labels[i["id"]]), tuple(counts[i["id"]]))
            for i in coco["images"]
        ]
        return {c["id"]: c["name"] for c in coco["categories"]}, images
    except (KeyError, TypeError, orjson.JSONDecodeError) as error:
        raise DatasetError(
            f"{path} is no COCO file with compressed masks ({type(error).__name__}: {error}): name a dataset folder, "
            "or one of its annotations/instances_*.json"
        ) from error


def _transform(
    transforms: Callable[..., dict[str, Any]],
    image: npt.NDArray[np.uint8],
    masks: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
) -> tuple[Any, npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The transformed image, the masks that are left, and which of the instances they are."""
    data: dict[str, Any] = {"image": image}
    if len(masks):  # albumentations cannot stack no masks
        data["masks"] = masks
    processor = getattr(transforms, "processors", {}).get("bboxes")
    if processor is not None:
        data["bboxes"] = _numbered(_boxes(masks), processor.params.format)
        data |= dict.fromkeys(processor.params.label_fields or (), labels)
    result = transforms(**data)
    moved = np.asarray(result["masks"], dtype=np.uint8) if len(masks) else _no_masks(result["image"])
    kept = np.arange(len(masks))
    if processor is not None:
        kept = np.array([round(float(row[4])) for row in result["bboxes"]], dtype=np.int64)
    kept = kept[moved[kept].any(axis=(1, 2))] if len(kept) else np.zeros(0, dtype=np.int64)
    return result["image"], moved[kept], kept


def _numbered(boxes: npt.NDArray[np.float32], form: str) -> npt.NDArray[np.float32]:
    """Boxes in albumentations' format with their number as fifth column, by which a dropped one is noticed."""
    if form not in ("coco", "pascal_voc"):
        raise UsageError(f"bbox_params has format {form!r}: this loader gives 'coco' or 'pascal_voc'")
    numbered = np.column_stack((boxes, np.arange(len(boxes)))).astype(np.float32)
    if form == "coco":
        numbered[:, 2:4] -= numbered[:, :2]
    return numbered


def _no_masks(image: Any) -> npt.NDArray[np.uint8]:
    """No masks of the size of an image, (h, w, 3) as an array or (3, h, w) as a tensor."""
    size = image.shape[:2] if isinstance(image, np.ndarray) else tuple(image.shape[-2:])
    return np.zeros((0, *size), dtype=np.uint8)


def _boxes(masks: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """(N, 4) tight [x0, y0, x1, y1] of masks (N, h, w), each with a pixel at least."""
    boxes = np.zeros((len(masks), 4), dtype=np.float32)
    for box, mask in zip(boxes, masks, strict=True):
        columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
        box[:] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return boxes
