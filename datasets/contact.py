"""Pictures for people: labels drawn into an image, and many images on one sheet."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from ..errors import DatasetError, UsageError
from ..render.defect_labels import DefectLabel
from ..render.labels import Box, InstanceLabel
from ..render.rle import decode
from .files import inside, read_bytes, write_bytes_atomic
from .place import Place
from .png import decode_rgb, encode_rgb
from .records import indices, read_record, record_path

__all__ = ["WRITABLE", "category_color", "contact_sheet", "montage", "overlay", "write_picture"]

Picture = npt.NDArray[np.uint8]

#: Suffixes that `write_picture` knows; JPEG is for pictures that people look at, never for data.
WRITABLE = (".png", ".jpg", ".jpeg")
JPEG_QUALITY = 88
GOLDEN = (math.sqrt(5) - 1) / 2
GAP = 4
PAPER = 24  # grey of the sheet between pictures
BLOCK = np.ones((3, 3), np.uint8)
CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
FONT = cv2.FONT_HERSHEY_SIMPLEX


def category_color(category_id: int) -> tuple[int, int, int]:
    """The sRGB colour of a category: hues a golden section apart, so that any number of them stay distinct."""
    r, g, b = colorsys.hsv_to_rgb((category_id * GOLDEN) % 1.0, 0.75, 1.0)
    return round(255 * r), round(255 * g), round(255 * b)


def overlay(rgb: Picture, instances: Iterable[InstanceLabel], defects: Iterable[DefectLabel] = ()) -> Picture:
    """A copy of an (h, w, 3) picture with the mask, box and name of every annotated instance drawn in.

    Annotated defects get their outline and name: a mask over them would hide what is to be seen.
    """
    picture = rgb.copy()
    shown = [(i, i.bbox, i.rle) for i in instances if i.annotated]
    for item, _, rle in shown:
        if rle is None:
            continue
        mask = decode(rle, (rgb.shape[0], rgb.shape[1]))
        color = np.array(category_color(item.category_id))
        picture[mask] = (0.65 * picture[mask] + 0.35 * color).astype(np.uint8)
        picture[mask & (cv2.erode(mask.astype(np.uint8), CROSS) == 0)] = color  # an outline parts equal neighbours
    for item, box, _ in sorted(shown, key=lambda entry: -entry[0].distance_m):  # near names over far ones
        if box is not None:
            _draw_box(picture, box, item.category, category_color(item.category_id))
    for defect in defects:
        if defect.annotated and defect.rle is not None and defect.bbox is not None:
            mask = decode(defect.rle, (rgb.shape[0], rgb.shape[1])).astype(np.uint8)
            edge = category_color(defect.category_id)
            picture[(cv2.dilate(mask, BLOCK) > 0) & (mask == 0)] = edge
            _draw_box(picture, defect.bbox, defect.kind, edge)
    return picture


def montage(pictures: Sequence[Picture], columns: int = 4) -> Picture:
    """Pictures (h, w, 3) of any sizes on one sheet, row by row, each centred in a cell of the largest size."""
    if not pictures:
        raise DatasetError("there is no picture to show: generate some images first")
    if columns < 1:
        raise DatasetError(f"a sheet has 1 column or more, got {columns}")
    columns = min(columns, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    height, width = (max(p.shape[axis] for p in pictures) for axis in (0, 1))
    sheet = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3), PAPER, dtype=np.uint8)
    for n, p in enumerate(pictures):
        row, column = divmod(n, columns)
        top = GAP + row * (height + GAP) + (height - p.shape[0]) // 2
        left = GAP + column * (width + GAP) + (width - p.shape[1]) // 2
        sheet[top : top + p.shape[0], left : left + p.shape[1]] = p
    return sheet


def contact_sheet(
    folder: Place, columns: int = 4, limit: int = 12, *, labels: bool = True, max_width: int | None = None
) -> Picture:
    """The first `limit` images of a dataset on one sheet, with their labels drawn in or without.

    `max_width` scales each picture down to so many pixels before it is placed.
    """
    pictures = []
    for index in indices(folder)[:limit]:
        record = read_record(record_path(folder, index))
        try:
            rgb = decode_rgb(read_bytes(inside(folder, record.image)), record.width, record.height)
        except DatasetError as e:
            raise DatasetError(f"{record.image}: {e}") from e
        picture = overlay(rgb, record.instances, record.defects) if labels else rgb
        pictures.append(_shrink(picture, max_width) if max_width else picture)
    if not pictures:
        raise DatasetError(f"{folder} holds no finished image: name the folder that `--out` named, or generate first")
    return montage(pictures, columns)


def write_picture(path: Place, rgb: Picture) -> None:
    """Write an (h, w, 3) picture as its suffix says, atomically."""
    if path.suffix.lower() not in WRITABLE:
        raise UsageError(f"pictures are written as {', '.join(WRITABLE)}; got the name {path.name!r}")
    data = encode_rgb(rgb)
    if path.suffix.lower() != ".png":
        data = bytes(cv2.imencode(".jpg", rgb[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))[1].tobytes())
    write_bytes_atomic(path, data)


def _shrink(picture: Picture, width: int) -> Picture:
    if picture.shape[1] <= width:
        return picture
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _draw_box(picture: Picture, box: Box, name: str, color: tuple[int, int, int]) -> None:
    """A one-pixel box, and the name on a plate of its colour above it, or inside where there is no room."""
    height, width = picture.shape[:2]
    x, y, w, h = box
    cv2.rectangle(picture, (x, y), (x + w - 1, y + h - 1), color, 1)
    scale = max(0.3, 0.35 * height / 480)  # smaller letters of this font cannot be read
    (tw, th), _ = cv2.getTextSize(name, FONT, scale, 1)
    left = max(0, min(x, width - tw - 4))
    foot = y if y >= th + 5 else min(y + th + 5, height)
    cv2.rectangle(picture, (left, foot - th - 5), (left + tw + 3, foot - 1), color, cv2.FILLED)
    ink = (0, 0, 0) if sum(color) > 300 else (255, 255, 255)
    cv2.putText(picture, name, (left + 2, foot - 3), FONT, scale, ink, 1, cv2.LINE_AA)
