"""All kinds of defects by name."""

from __future__ import annotations

from .kind import Kind
from .marks import MARKS
from .solids import SOLIDS

__all__ = ["CATEGORIES", "KINDS"]

#: Kinds that change the look of a surface, and those that change its form.
KINDS: dict[str, Kind] = {**MARKS, **SOLIDS}

#: The COCO categories of defects, in the order of the kinds.
CATEGORIES = tuple(dict.fromkeys(kind.category for kind in KINDS.values()))
