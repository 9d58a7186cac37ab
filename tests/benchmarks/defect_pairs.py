"""Pairs of twins as one file of arrays, for what is trained and tested on them; reading it needs numpy alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["Pairs", "pack", "read"]

Images = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Pairs:
    """All images of a dataset that have sound twins, and their defects that COCO gets.

    Attributes:
        marred, sound: (n, h, w, 3) sRGB.
        masks: (m, h, w), one for each defect; `image` says in which image it is, `kind` is its place in `kinds`,
            `severity` what it was drawn from.
    """

    marred: Images
    sound: Images
    masks: npt.NDArray[np.bool_]
    image: npt.NDArray[np.int64]
    kind: npt.NDArray[np.int64]
    severity: npt.NDArray[np.float32]
    kinds: tuple[str, ...]

    def crop(self, which: int, row: int, column: int, side: int) -> tuple[Images, Images, npt.NDArray[np.bool_]]:
        """Marred and sound crop about a place, as near as fits, and the mask; sound is so inside this mask only.

        What other defects change around it is in both: three pixels around the mask are sound, for a pixel's filter.
        """
        import cv2

        h, w = self.masks.shape[1:]
        y, x = (int(np.clip(at - side // 2, 0, size - side)) for at, size in ((row, h), (column, w)))
        cut = np.s_[y : y + side, x : x + side]
        mask, n = self.masks[which][cut], self.image[which]
        wide = cv2.dilate(mask.astype(np.uint8), np.ones((7, 7), np.uint8))[..., None] > 0
        return self.marred[n][cut], np.where(wide, self.sound[n][cut], self.marred[n][cut]), mask


def pack(dataset: Path, out: Path, least_px: int = 12) -> None:
    """Write the pairs of a dataset with twins; defects of fewer pixels are left out."""
    from scenewright.datasets.files import read_bytes
    from scenewright.datasets.png import decode_rgb
    from scenewright.datasets.records import TWINS, iter_records
    from scenewright.render.rle import decode

    marred: list[Images] = []
    sound: list[Images] = []
    masks: list[Images] = []
    rows: list[tuple[int, str, float]] = []
    for record in iter_records(dataset):
        kept = [d for d in record.defects if d.annotated and d.rle and d.area >= least_px]
        if not kept or not (dataset / TWINS / record.image).is_file():
            continue
        size = record.width, record.height
        one, other = (decode_rgb(read_bytes(folder / record.image), *size) for folder in (dataset, dataset / TWINS))
        for defect in kept:
            masks.append(np.packbits(decode(defect.rle, size[::-1])))  # type: ignore[arg-type]  # not None
            rows.append((len(marred), defect.kind, defect.severity))
        marred.append(one)
        sound.append(other)
    kinds = sorted({kind for _, kind, _ in rows})
    # Differences of neighbours, and of the twins, are mostly zeros: half the size when compressed.
    both = np.stack(sound)
    np.savez_compressed(
        out, sound=np.diff(both, axis=2, prepend=np.zeros_like(both[:, :, :1])), change=np.stack(marred) - both,
        masks=np.stack(masks), image=[r[0] for r in rows], kind=[kinds.index(r[1]) for r in rows],
        severity=np.array([r[2] for r in rows], np.float32), kinds=np.array(kinds),
    )  # fmt: skip


def read(path: Path) -> Pairs:
    """What `pack` wrote."""
    with np.load(path) as data:
        sound = np.cumsum(data["sound"], axis=2, dtype=np.uint8)
        h, w = sound.shape[1:3]
        masks = np.unpackbits(data["masks"], axis=1, count=h * w).reshape(-1, h, w).astype(bool)
        return Pairs(
            sound + data["change"], sound, masks, data["image"].astype(np.int64), data["kind"].astype(np.int64),
            data["severity"], tuple(str(k) for k in data["kinds"]),
        )  # fmt: skip
