"""Which split an image belongs to: a hash of the dataset's seed and its group, so that adding images moves none."""

from __future__ import annotations

import hashlib

from ..errors import UsageError
from ..scenes.scene import Scene

__all__ = ["SPLITS", "split_group", "split_of"]

SPLITS = ("train", "val")


def split_group(scene: Scene, split_by: str) -> int | str:
    """What must not be parted: the scene's group, or with "backplate" all that stands before one photograph."""
    if split_by == "backplate" and scene.backplate is not None:
        return scene.backplate.image.sha256
    return scene.group


def split_of(seed: int, group: int | str, val_fraction: float = 0.2) -> str:
    """ "train" or "val" for one group (`split_group`), whose images must not be parted.

    A larger fraction moves images to "val" and never back.
    """
    if not 0 <= val_fraction <= 1:
        raise UsageError(f"val_fraction is a share between 0 and 1, got {val_fraction}")
    digest = hashlib.sha256(f"split {seed} {group}".encode()).digest()
    return "val" if int.from_bytes(digest[:8], "big") < val_fraction * 2**64 else "train"
