"""Datasets with defects for the small segmentation network: images and masks in memory, and crops of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from coco_crops import lit  # type: ignore[import-not-found]  # beside this script

from scenewright.datasets.files import read_bytes
from scenewright.datasets.png import decode_ids, decode_rgb
from scenewright.datasets.records import Record, iter_records
from scenewright.render.rle import decode

__all__ = ["Crops", "Marked", "read"]

Mask = npt.NDArray[np.bool_]


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


class Crops:
    """Draws training crops, most of them with a defect, in any of the eight turns and mirrors, in varied light."""

    def __init__(self, images: Sequence[Marked], size: int) -> None:
        self.images, self.size = images, size
        self._all = [image.defects for image in images]
        self._with = [k for k, mask in enumerate(self._all) if (mask & images[k].counts).any()]

    def __call__(self, rng: np.random.Generator, count: int) -> tuple[npt.NDArray[np.uint8], Mask, Mask]:
        drawn = [self._one(rng) for _ in range(count)]
        images, truth, counts = zip(*drawn, strict=True)
        return np.stack(images), np.stack(truth), np.stack(counts)

    def _one(self, rng: np.random.Generator) -> tuple[npt.NDArray[np.uint8], Mask, Mask]:
        marred = rng.random() < 0.75 and self._with
        k = int(rng.choice(self._with) if marred else rng.integers(len(self.images)))
        truth, image = self._all[k], self.images[k]
        h, w = truth.shape
        middle = rng.uniform(0, 1, 2) * (h, w)
        if marred:
            rows, cols = np.nonzero(truth)
            at = rng.integers(len(rows))
            middle = (rows[at], cols[at]) + rng.uniform(-0.4, 0.4, 2) * self.size
        y, x = (int(np.clip(m - self.size / 2, 0, side - self.size)) for m, side in zip(middle, (h, w), strict=True))
        cut = np.s_[y : y + self.size, x : x + self.size]
        turns, mirror = int(rng.integers(4)), bool(rng.integers(2))

        def turned(a: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
            return np.rot90(a[:, ::-1] if mirror else a, turns)

        picture = lit(rng, np.ascontiguousarray(turned(image.picture[cut])))
        return picture, turned(truth[cut]), turned(image.counts[cut])  # type: ignore[return-value]  # as they came
