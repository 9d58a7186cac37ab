"""A material as plain data: a family, its values, and the seed of its surface pattern."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["FileRef", "MapRole", "Mapping", "Material", "NormalGreen", "Texture"]

RGB = tuple[float, float, float]


class FileRef(BaseModel):
    """A file named by its content: `name` is for people, `sha256` decides."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


#: What a map says about a surface. `packed` holds occlusion, roughness and metal in red, green and blue.
MapRole = Literal["colour", "roughness", "gloss", "metallic", "packed", "normal", "occlusion", "height"]
#: Where the green of a normal map points: along +v of the picture in OpenGL's convention, along −v in DirectX's.
NormalGreen = Literal["opengl", "directx"]
#: How pictures lie on a mesh: projected along its three axes, in metres, or by its own UV map.
Mapping = Literal["box", "uv"]


class Texture(BaseModel):
    """The pictures of one surface, all of one size: `maps` by role, `colour` always among them.

    `name` is the folder's, for people. `normals` says how to read the map of normals, where there is one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    maps: dict[MapRole, FileRef]
    normals: NormalGreen = "opengl"
    mapping: Mapping = "box"


class Material(BaseModel):
    """What a surface is made of; `render/` turns it into shader nodes, nobody else interprets it.

    `values` are the family's parameters (see `assets.materials.FAMILIES`): numbers, or linear RGB triples in 0…1.
    `seed` places the pattern of wear, grain and bump, so two objects of one material do not share their scratches.
    `texture` are the pictures of the family "textured", which no other family has.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    family: str
    values: dict[str, float | RGB] = {}
    seed: int = 0
    texture: Texture | None = None
