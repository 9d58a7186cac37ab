"""What others may do with a dataset's images: stated by the recipe, repeated in dataset.json and in COCO.

A file of its own, so that what reads datasets need not load what recipes are made of.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .scene import Frozen

__all__ = ["License"]


class License(Frozen):
    """The licence of the images, in COCO's terms."""

    name: Annotated[str, Field(min_length=1, max_length=200, description="for example CC-BY-4.0")]
    url: Annotated[str, Field(pattern=r"^(https?://\S+)?$", description="where its text is")] = ""
