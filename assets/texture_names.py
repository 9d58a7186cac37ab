"""What the file names of texture packs say: the role of each map, after the habits of the libraries that people use.

A name ends with its role: `red_brick_03_nor_gl_1k.exr` (Poly Haven), `Bricks075A_1K-JPG_NormalGL.jpg` (ambientCG),
`vlkhcbxia_2K_Albedo.jpg` (Quixel), `worn-siding_normal-ogl.png` (freepbr), `RedBrick01_2K_BaseColor.png` (cgbookcase).
Only resolutions and formats may follow it, so a material that is called "metal" is not taken for a map of metal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from types import MappingProxyType

__all__ = ["IMAGE_SUFFIXES", "REFUSED", "ROLES", "role_of"]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".exr", ".webp")

#: Role → how it is spelled, in small letters without separators. `normal` alone does not say its green's direction.
ROLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "colour": (
            "color", "colour", "col", "albedo", "alb", "basecolor", "basecolour", "base", "diffuse", "diff",
            "diffusecolor",
        ),
        "roughness": ("roughness", "rough", "rgh"),
        "gloss": ("gloss", "glossiness", "glossy", "smoothness"),
        "metallic": ("metallic", "metalness", "metal", "metallness"),
        "packed": ("arm", "orm", "aoroughmetal", "aoroughnessmetallic", "occlusionroughnessmetallic"),
        "normal_gl": ("normalgl", "norgl", "nrmgl", "normalopengl", "normalogl", "noropengl", "nrmopengl"),
        "normal_dx": ("normaldx", "nordx", "nrmdx", "normaldirectx", "nordirectx", "nrmdirectx"),
        "normal": ("normal", "normals", "nor", "nrm", "norm", "normalmap", "nrm16"),
        "occlusion": ("ao", "ambientocclusion", "occlusion", "occ", "mixedao", "aomap"),
        "height": ("height", "displacement", "disp", "displace", "heightmap", "disp16"),
        "bump": ("bump", "bumpmap"),
        "opacity": ("opacity", "alpha", "cutout", "transparency"),
        "emission": ("emission", "emissive", "emit"),
    }
)  # fmt: skip

#: Roles that no material here can have → why, and what to do about it.
REFUSED: Mapping[str, str] = MappingProxyType(
    {
        "opacity": "cuts holes into the surface, and labels would take them for solid: remove the file where the "
        "surface is to be whole, or model the holes",
        "emission": "shines, which a textured surface does not: remove the file, or add a light",
    }
)

_ROLE_OF = {spelling: role for role, spellings in ROLES.items() for spelling in spellings}
#: What may follow a role: 1k, 2K, 512, 4096, 1024x1024, and formats, as ambientCG has them in its names.
_TRAILING = re.compile(r"\d+k|512|1024|2048|4096|8192|16384|\d{3,5}x\d{3,5}|jpe?g|png|tiff?|exr|webp|8bit|16bit|32bit")
_WORDS = 3


def role_of(name: str) -> str | None:
    """The role that a file's name ends with, a key of `ROLES`; None for previews and whatever else lies there."""
    stem = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[0-9])(?=[A-Z][a-z])", "_", PurePosixPath(name).stem)
    words = [word for word in re.split(r"[^a-z0-9]+", stem.lower()) if word]
    while len(words) > 1 and _TRAILING.fullmatch(words[-1]):
        words.pop()
    for count in range(min(_WORDS, len(words)), 0, -1):
        role = _ROLE_OF.get("".join(words[-count:]))
        if role is not None:
            return role
    return None
