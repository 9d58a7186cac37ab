"""Datasets with defects for the small segmentation network: images and masks in memory, and crops of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from coco_crops import lit  # type: ignore[import-not-found]  # beside this script

from scenewright.datasets.files import read_bytes
from scenewright.datasets.png import decode_ids, decode_rgb
from scenewright.datasets.records import Record, iter_records
from scenewright.render.rle import decode

__all__ = ["Crops", "Marked", "read"]

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Marked:
    """One image.

    Attributes:
        picture: (h, w, 3) sRGB.
        kinds: (h, w) mask of every kind of defect in it, of those that COCO gets.
        counts: (h, w) pixels that count: of labelled parts, without defects that nobody can see.
        families: materials of its parts, and `hdri` around them.
    """

    picture: npt.NDArray[np.uint8]
    kinds: dict[str, Mask]
    counts: Mask
    families: frozenset[str]
    hdri: str

    @property
    def defects(self) -> Mask:
        """(h, w) where any defect is."""
        out = np.zeros_like(self.counts)
        for mask in self.kinds.values():
            out |= mask
        return out


def read(folder: Path) -> list[Marked]:
    """All images of a dataset."""
    return [_marked(folder, record) for record in iter_records(folder)]


def _marked(folder: Path, record: Record) -> Marked:
    size = record.height, record.width
    picture = decode_rgb(read_bytes(folder / record.image), record.width, record.height)
    counts = decode_ids(read_bytes(folder / record.ids), record.width, record.height) > 0
    kinds: dict[str, Mask] = {}
    for defect in record.defects:
        if defect.rle is None:
            continue
        mask = decode(defect.rle, size)
        if defect.annotated:
            kinds[defect.kind] = kinds.get(defect.kind, np.zeros(size, bool)) | mask
        else:
            counts &= ~mask
    objects = record.scene.objects
    fresh = {d.new_part for o in objects for d in o.defects}
    families = {m.family for o in objects for part, m in o.materials.items() if part not in fresh}
    hdri = record.scene.world.hdri
    return Marked(picture, kinds, counts, frozenset(families), str(getattr(hdri, "name", hdri)))


#: A kind of so many pixels in an image counts as any pixel; of a smaller one each pixel counts more, up to a limit.
USUAL_PX, MOST = 400.0, 6.0


class Crops:
    """Draws training crops, most about a defect of any kind alike, in any of the eight turns and mirrors and light."""

    def __init__(self, images: Sequence[Marked], size: int) -> None:
        self.images, self.size = images, size
        self._all = [image.defects for image in images]
        self._weights = [_weights(image) for image in images]
        self._with: dict[str, list[int]] = {}
        for k, image in enumerate(images):
            for kind in image.kinds:
                self._with.setdefault(kind, []).append(k)

    def __call__(self, rng: np.random.Generator, count: int) -> tuple[npt.NDArray[np.uint8], Mask, Floats]:
        drawn = [self._one(rng) for _ in range(count)]
        images, truth, counts = zip(*drawn, strict=True)
        return np.stack(images), np.stack(truth), np.stack(counts)

    def _one(self, rng: np.random.Generator) -> tuple[npt.NDArray[np.uint8], Mask, Floats]:
        k = int(rng.integers(len(self.images)))
        middle = rng.uniform(0, 1, 2) * self._all[k].shape
        if self._with and rng.random() < 0.75:
            kind = str(rng.choice(sorted(self._with)))
            k = int(rng.choice(self._with[kind]))
            rows, cols = np.nonzero(self.images[k].kinds[kind])
            at = rng.integers(len(rows))
            middle = (rows[at], cols[at]) + rng.uniform(-0.4, 0.4, 2) * self.size
        sides = self._all[k].shape
        y, x = (int(np.clip(m - self.size / 2, 0, side - self.size)) for m, side in zip(middle, sides, strict=True))
        cut = np.s_[y : y + self.size, x : x + self.size]
        turns, mirror = int(rng.integers(4)), bool(rng.integers(2))

        def turned(a: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return np.ascontiguousarray(np.rot90(a[:, ::-1] if mirror else a, turns))

        picture = tinted(rng, lit(rng, turned(self.images[k].picture[cut])))
        return picture, turned(self._all[k][cut]), turned(self._weights[k][cut])


def tinted(rng: np.random.Generator, crop: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Half of the crops in colours of other materials: channels in any order, some mixed, some of them as negatives.

    What is a defect stays one; what its colour is must not be learned, for held-out materials have others.
    """
    if rng.random() < 0.5:
        return crop
    value = crop[..., rng.permutation(3)].astype(np.float32)
    mixed = value @ (np.eye(3) + rng.uniform(-0.25, 0.25, (3, 3))).astype(np.float32)
    mixed = 255 - mixed if rng.random() < 0.2 else mixed
    return np.asarray(np.clip(mixed, 0, 255), np.uint8)


def _weights(image: Marked) -> Floats:
    """(h, w) how much each pixel counts: a defect of few pixels must not drown in those of large ones."""
    out = image.counts.astype(np.float32)
    for mask in image.kinds.values():
        out[mask] *= np.clip(np.sqrt(USUAL_PX / max(int(mask.sum()), 1)), 1.0, MOST)
    return out
