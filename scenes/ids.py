"""The raw id image: objects by their id, and above them what they stand on and lie in.

Both label engines give one number per pixel. Objects have 1 … `OBJECTS`. *Stuff*, in COCO's sense of things without
instances, follows: the surface is `OBJECTS + 1`, fixture k (0, 1, …) is `OBJECTS + 2 + k`. Comparing raw ids therefore
compares the rim of a bin as well as the parts in it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["FIXTURES", "OBJECTS", "SURFACE", "fixture_id", "join_ids", "split_ids"]

Ids = npt.NDArray[np.integer[Any]]

#: The largest id of an object. Blender's pass index ends at 32767, so 766 numbers are left for stuff.
OBJECTS = 32000
SURFACE = OBJECTS + 1
#: Fixtures that one scene may have; `stuff` images have eight bits.
FIXTURES = 254


def fixture_id(k: int) -> int:
    """The raw id of a scene's fixture k, counted from 0."""
    return SURFACE + 1 + k


def split_ids(raw: Ids) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8]]:
    """(h, w) object ids, 0 where there is none, and (h, w) stuff: 1 surface, 2 + k fixture k, 0 elsewhere."""
    stuff = raw > OBJECTS
    return np.where(stuff, 0, raw).astype(np.uint16), np.where(stuff, raw - OBJECTS, 0).astype(np.uint8)


def join_ids(ids: Ids, stuff: Ids) -> npt.NDArray[np.uint16]:
    """(h, w) raw ids again: the inverse of `split_ids`."""
    return np.where(stuff > 0, stuff.astype(np.uint16) + np.uint16(OBJECTS), ids).astype(np.uint16)
