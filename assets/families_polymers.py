"""Plastics, rubber, glass and glaze: the families' values."""

from __future__ import annotations

from .material_values import Family, Palette, Range, dust, roughness, wear
from .palettes import CERAMICS, GLASSES, PLASTICS, RUBBERS

__all__ = ["POLYMERS"]

POLYMERS: dict[str, Family] = {
    "plastic": Family(
        {
            "colour": Palette(PLASTICS, "pigment"),
            "roughness": roughness(0.22, 0.52),
            "texture": Range(0.0, 1.0, 0.4, "depth of the mould's eroded texture"),
            "wear": wear(),
            "dust": dust(),
        }
    ),
    "rubber": Family(
        {
            "colour": Palette(RUBBERS, "compound"),
            "roughness": roughness(0.55, 0.8),
            "bloom": Range(0.0, 1.0, 0.4, "greyish wax and talc that have come to the surface"),
            "wear": wear(),
            "dust": dust(0.4),
        }
    ),
    "glass": Family(
        {
            "colour": Palette(GLASSES, "transmittance of one surface", jitter=0.02),
            "roughness": roughness(0.0, 0.04),
            "smudges": Range(0.0, 1.0, 0.4, "fingerprints and dried drops"),
            "dust": dust(),
        },
        transmission=1.0,
    ),
    "ceramic": Family(
        {
            "colour": Palette(CERAMICS, "glaze"),
            "roughness": roughness(0.02, 0.14),
            "speckle": Range(0.0, 1.0, 0.3, "iron specks in the glaze"),
            "wear": wear(0.3),
            "dust": dust(),
        }
    ),
}
