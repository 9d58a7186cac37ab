"""A material as plain data: a family, its values, and the seed of its surface pattern."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["FileRef", "Material"]

RGB = tuple[float, float, float]


class FileRef(BaseModel):
    """A file named by its content: `name` is for people, `sha256` decides."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Material(BaseModel):
    """What a surface is made of; `render/` turns it into shader nodes, nobody else interprets it.

    `values` are the family's parameters (see `assets.materials.FAMILIES`): numbers, or linear RGB triples in 0…1.
    `seed` places the pattern of wear, grain and bump, so two objects of one material do not share their scratches.
    `texture` is an sRGB base-colour image for meshes that bring UVs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    family: str
    values: dict[str, float | RGB] = {}
    seed: int = 0
    texture: FileRef | None = None
