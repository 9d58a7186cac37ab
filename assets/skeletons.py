"""Skeletons: which key points of a shape are drawn joined, as COCO's key point format asks for.

An edge both of whose ends a mesh has belongs to it: an open bottle has no `cap_top`, and an elbow has two ports.
"""

from __future__ import annotations

__all__ = ["SKELETONS"]

Edge = tuple[str, str]

_CUBE: tuple[Edge, ...] = tuple(
    (f"corner_{i}", f"corner_{i | 1 << axis}") for axis in range(3) for i in range(8) if not i >> axis & 1
)

SKELETONS: dict[str, tuple[Edge, ...]] = {
    "bearing": (("bore_top", "center"), ("center", "bore_bottom"), ("rim_0", "center"), ("center", "rim_1")),
    "bottle": (("base", "punt"), ("punt", "mouth"), ("mouth", "cap_top"), ("shoulder_0", "neck_0"), ("label", "base")),
    "box": _CUBE,
    "can": (("base", "dome"), ("shoulder_0", "rim_0"), ("rivet", "tab_end"), ("rivet", "mouth")),
    "cylinder": (("bottom", "top"),),
    "die": _CUBE,
    "gear": (("bottom_center", "hub_center"),),
    "hex_bolt": (
        ("head_corner_0", "head_center"), ("head_center", "head_corner_3"), ("head_center", "neck"),
        ("neck", "thread_start"), ("thread_start", "shank_end"),
    ),
    "mug": (
        ("rim_0", "rim_1"), ("rim_1", "rim_2"), ("rim_2", "rim_3"), ("rim_3", "rim_0"), ("bottom_inside", "base"),
        ("handle_top", "handle_out"), ("handle_out", "handle_bottom"),
    ),
    "nut": (("top_center", "bottom_center"), ("corner_0", "corner_3")),
    "pipe_fitting": (
        ("centre", "port_x"), ("centre", "port_nx"), ("centre", "port_z"), ("centre", "port_nz"),
    ),
    "socket_screw": (
        ("rim_0", "socket_center"), ("socket_center", "rim_1"), ("socket_center", "neck"), ("neck", "thread_start"),
        ("thread_start", "shank_end"),
    ),
    "sphere": (("top", "centre"), ("centre", "bottom")),
    "spring": (("bottom_center", "top_center"), ("tip_0", "middle"), ("middle", "tip_1")),
    "washer": (("top_center", "bottom_center"), ("rim_0", "rim_1")),
}  # fmt: skip
