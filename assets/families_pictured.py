"""Surfaces made of the user's own pictures: the family's values."""

from __future__ import annotations

from .material_values import Family, Range

__all__ = ["PICTURED"]

PICTURED: dict[str, Family] = {
    "textured": Family(
        {
            "tile_m": Range(0.001, 100.0, 1.0, "metres of surface that the pictures' width shows", usual=(1.0, 1.0)),
            "offset_u": Range(0.0, 1.0, 0.0, "shift of the pictures along their width, in widths"),
            "offset_v": Range(0.0, 1.0, 0.0, "shift along their height, in heights"),
            "turn_deg": Range(0.0, 360.0, 0.0, "turn of the pictures on the surface"),
            "roughness": Range(0.0, 1.0, 0.6, "where no picture of roughness or gloss says it", usual=(0.5, 0.8)),
            "metallic": Range(0.0, 1.0, 0.0, "where no picture says it", usual=(0.0, 0.0)),
            "normal_strength": Range(0.0, 4.0, 1.0, "factor on the slopes of the normal map", usual=(1.0, 1.0)),
            "relief": Range(0.0, 0.2, 0.01, "height of the height map's white, in tile widths", usual=(0.01, 0.01)),
            "occlusion": Range(0.0, 1.0, 1.0, "how far the occlusion map darkens hollows", usual=(1.0, 1.0)),
        },
        needs_texture=True,
    ),
}
