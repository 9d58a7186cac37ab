"""The training loader: what it gives, and that augmentation keeps pixels and labels together; pictures for people."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scenewright.datasets.coco import coco_path
from scenewright.datasets.contact import category_color, contact_sheet, montage, overlay
from scenewright.datasets.loader import CocoDetection, Sample, collate, collate_tensors
from scenewright.datasets.png import decode_ids, decode_rgb
from scenewright.datasets.records import iter_records, read_record, record_path
from scenewright.errors import DatasetError, UsageError

from .synthetic import dataset

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it would ask the network for a newer version while it is imported
import albumentations as A

FORMATS = ("coco", "pascal_voc")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dataset(tmp_path_factory.mktemp("dataset"), 8)


def boxes_of(masks: Any) -> list[list[int]]:
    found = []
    for mask in masks:
        y, x = np.nonzero(mask)
        found.append([x.min(), y.min(), x.max() + 1, y.max() + 1])
    return found


def test_samples_are_the_pixels_and_labels_of_the_records(folder: Path) -> None:
    """Images, masks, boxes and labels equal what the id image and the record say."""
    seen = 0
    for split in ("train", "val"):
        for sample in CocoDetection(folder, split=split):  # type: ignore[attr-defined]  # iterates by __getitem__
            record = read_record(record_path(folder, sample["image_id"] - 1))
            items = [i for i in record.instances if i.annotated]
            ids = decode_ids((folder / record.ids).read_bytes(), 64, 48)
            np.testing.assert_array_equal(sample["image"], decode_rgb((folder / record.image).read_bytes(), 64, 48))
            assert sample["labels"].tolist() == [i.category_id for i in items]
            assert sample["boxes"].tolist() == [
                [x, y, x + w, y + h] for x, y, w, h in (i.bbox for i in items if i.bbox)
            ]
            for mask, item in zip(sample["masks"], items, strict=True):
                np.testing.assert_array_equal(mask, ids == item.id)
            assert (sample["boxes"].dtype, sample["labels"].dtype, sample["masks"].dtype) == ("f4", "i8", "u1")
            seen += 1
    assert seen == 8


@pytest.mark.parametrize("form", FORMATS)
def test_augmentation_keeps_masks_boxes_and_labels_together(folder: Path, form: str) -> None:
    """After a flip and a crop every mask is its instance's moved mask, every box its extent; vanished ones are gone."""
    moves = A.Compose(
        [A.HorizontalFlip(p=1), A.Crop(0, 0, 32, 48)],
        bbox_params=A.BboxParams(format=form, label_fields=["labels"], clip=True),
    )
    plain, moved = CocoDetection(folder), CocoDetection(folder, moves)
    assert len(plain) == len(moved) > 3
    dropped = 0
    for i in range(len(plain)):
        before, after = plain[i], moved[i]
        masks = before["masks"][:, :, ::-1][:, :, :32]
        left = masks.any(axis=(1, 2))
        dropped += int((~left).sum())
        np.testing.assert_array_equal(after["image"], before["image"][:, ::-1][:, :32])
        np.testing.assert_array_equal(after["masks"], masks[left])
        np.testing.assert_array_equal(after["labels"], before["labels"][left])
        assert after["boxes"].tolist() == boxes_of(after["masks"])
    assert dropped


def test_boxes_that_a_transform_drops_take_their_masks_along(folder: Path) -> None:
    """albumentations' own limit on visibility drops an instance with its mask and label."""
    crop = [A.Crop(0, 0, 20, 48)]
    keep = CocoDetection(folder, A.Compose(crop, bbox_params=A.BboxParams(format="coco")))
    drop = CocoDetection(folder, A.Compose(crop, bbox_params=A.BboxParams(format="coco", min_visibility=0.9)))
    counts = [(len(keep[i]["labels"]), len(drop[i]["labels"]), len(drop[i]["masks"])) for i in range(len(keep))]
    assert sum(few for _, few, _ in counts) < sum(many for many, _, _ in counts)
    assert all(few == masks for _, few, masks in counts)


def test_transforms_without_boxes(folder: Path) -> None:
    """A pipeline without bbox_params moves image and masks; boxes follow the masks."""
    data = CocoDetection(folder, A.Compose([A.Rotate((90, 90), p=1), A.Resize(24, 32)]))
    for sample in (data[i] for i in range(len(data))):
        assert sample["image"].shape == (24, 32, 3)
        assert sample["masks"].shape[1:] == (24, 32)
        assert sample["boxes"].tolist() == boxes_of(sample["masks"])


def test_an_image_without_objects(folder: Path) -> None:
    """The image without objects gives empty arrays of the right shapes, transformed or not."""
    split = read_record(record_path(folder, 2)).split
    crop = A.Compose([A.Crop(0, 0, 20, 30)], bbox_params=A.BboxParams(format="coco", label_fields=["labels"]))
    for transforms, size in ((None, (48, 64)), (crop, (30, 20))):
        data = CocoDetection(folder, transforms, split=split)
        sample = next(data[i] for i in range(len(data)) if data[i]["image_id"] == 3)
        assert (sample["boxes"].shape, sample["labels"].shape, sample["masks"].shape) == ((0, 4), (0,), (0, *size))


def test_other_box_formats_are_refused(folder: Path) -> None:
    """A box format that the loader does not speak is an error that names the two it does."""
    data = CocoDetection(folder, A.Compose([A.HorizontalFlip()], bbox_params=A.BboxParams(format="yolo")))
    with pytest.raises(UsageError, match="'coco' or 'pascal_voc'"):
        data[0]


def test_an_annotation_file_can_be_named(folder: Path) -> None:
    """The annotation file finds its images; categories come by id."""
    data = CocoDetection(coco_path(folder, "val"))
    assert data.categories == {1: "nut", 2: "bolt"}
    assert data[0]["image"].shape == (48, 64, 3)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"images": [], "annotations": [], "categories": [{}]}'])
def test_files_that_are_no_coco(tmp_path: Path, content: str) -> None:
    """A file that is no COCO file, or is missing, is an error that says what to name."""
    path = tmp_path / "annotations" / "x.json"
    with pytest.raises(DatasetError, match="is missing"):
        CocoDetection(path)
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(DatasetError, match="no COCO file"):
        CocoDetection(path)


def test_collate_keeps_different_sizes_apart(folder: Path) -> None:
    """A batch is lists by key, so images and numbers of instances may differ."""
    data = CocoDetection(folder)
    batch: list[Sample] = [data[0], data[1]]
    merged = collate(batch)
    assert set(merged) == {"image", "boxes", "labels", "masks", "image_id"}
    assert merged["labels"][1] is batch[1]["labels"]


def test_a_torch_dataloader_takes_it(folder: Path) -> None:
    """torch's DataLoader batches it, and the tensors are what torchvision's detectors take."""
    torch = pytest.importorskip("torch", reason="torch is an optional dependency")
    moves = A.Compose([A.HorizontalFlip(p=0.5)], bbox_params=A.BboxParams(format="coco", label_fields=["labels"]))
    data = CocoDetection(folder, moves)
    seen = 0
    for images, targets in torch.utils.data.DataLoader(data, batch_size=2, collate_fn=collate_tensors):
        for image, target in zip(images, targets, strict=True):
            assert image.shape == (3, 48, 64)
            assert image.dtype == torch.float32
            assert 0 <= image.min() <= image.max() <= 1
            assert target["boxes"].shape == (len(target["labels"]), 4)
            assert target["masks"].shape == (len(target["labels"]), 48, 64)
            assert target["labels"].dtype == torch.int64
            seen += 1
    assert seen == len(data)


def test_overlay_draws_only_what_is_annotated(folder: Path) -> None:
    """Masks change colour, boxes are drawn on their mask's edge, distractors and the rest of the picture stay."""
    for record in iter_records(folder):
        rgb = np.full((48, 64, 3), 100, dtype=np.uint8)
        drawn = overlay(rgb, record.instances)
        assert (rgb == 100).all()
        shown = [i for i in record.instances if i.annotated]
        assert (drawn != rgb).any() == bool(shown)
        none = overlay(rgb, [i for i in record.instances if not i.annotated])
        np.testing.assert_array_equal(none, rgb)


def test_categories_have_different_colors() -> None:
    """Twenty categories get twenty colours."""
    assert len({category_color(i) for i in range(1, 21)}) == 20


def test_montage_places_every_picture() -> None:
    """Pictures lie row by row in equal cells, smaller ones in the middle of theirs."""
    a, b, c = (np.full((h, w, 3), v, dtype=np.uint8) for h, w, v in ((10, 20, 200), (10, 20, 150), (4, 6, 99)))
    sheet = montage([a, b, c], 2)
    assert sheet.shape == (2 * 14 + 4, 2 * 24 + 4, 3)
    assert (sheet[4:14, 4:24] == 200).all()
    assert (sheet[4:14, 28:48] == 150).all()
    assert (sheet[21:25, 11:17] == 99).all()
    assert (sheet == 99).all(axis=2).sum() == 24
    with pytest.raises(DatasetError, match="no picture"):
        montage([])


def test_contact_sheet_of_a_dataset(folder: Path, tmp_path: Path) -> None:
    """The sheet shows the first images, scaled down when asked; an empty folder is an error."""
    assert contact_sheet(folder, columns=3, limit=5).shape == (2 * 52 + 4, 3 * 68 + 4, 3)
    assert contact_sheet(folder, columns=2, limit=2, max_width=32, labels=False).shape == (24 + 8, 2 * 36 + 4, 3)
    with pytest.raises(DatasetError, match="no finished image"):
        contact_sheet(tmp_path)
