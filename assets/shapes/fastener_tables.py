"""Dimensions of ISO metric fasteners M3 … M12, millimetres as in the standards.

Sources: ISO 261 (coarse pitches), ISO 4017 / 4014 (hexagon head screws and bolts, grade A), ISO 4762 (hexagon socket
head cap screws), ISO 4032 (hexagon nuts, style 1), ISO 7089 and 7093-1 (plain
washers, normal and large series).
Letters are the standards' own: see each class.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = [
    "HEX_HEAD",
    "LARGE_WASHER",
    "MM",
    "NUT",
    "PITCH",
    "SIZES",
    "SOCKET_HEAD",
    "WASHER",
    "HexHead",
    "Nut",
    "Size",
    "SocketHead",
    "Washer",
]

Size = Literal["M3", "M4", "M5", "M6", "M8", "M10", "M12"]
SIZES: tuple[Size, ...] = ("M3", "M4", "M5", "M6", "M8", "M10", "M12")
MM = 1e-3


class HexHead(NamedTuple):
    """ISO 4017: across flats `s`, head height `k`, washer face `dw`, least fillet radius `r`; ISO 4014: thread `b`."""

    s: float
    k: float
    dw: float
    r: float
    b: float


class SocketHead(NamedTuple):
    """ISO 4762: head diameter `dk` (= largest plain head), key `s`, key depth `t`, fillet `r`, thread length `b`."""

    dk: float
    s: float
    t: float
    r: float
    b: float


class Nut(NamedTuple):
    """ISO 4032: across flats `s`, height `m`, washer face `dw`, countersink diameter `da`."""

    s: float
    m: float
    dw: float
    da: float


class Washer(NamedTuple):
    """ISO 7089, ISO 7093-1: hole `d1`, outside `d2`, thickness `h`."""

    d1: float
    d2: float
    h: float


#: ISO 261, coarse series.
PITCH: dict[Size, float] = {"M3": 0.5, "M4": 0.7, "M5": 0.8, "M6": 1.0, "M8": 1.25, "M10": 1.5, "M12": 1.75}

HEX_HEAD: dict[Size, HexHead] = {
    "M3": HexHead(5.5, 2.0, 4.57, 0.1, 12),
    "M4": HexHead(7, 2.8, 5.88, 0.2, 14),
    "M5": HexHead(8, 3.5, 6.88, 0.2, 16),
    "M6": HexHead(10, 4.0, 8.88, 0.25, 18),
    "M8": HexHead(13, 5.3, 11.63, 0.4, 22),
    "M10": HexHead(16, 6.4, 14.63, 0.4, 26),
    "M12": HexHead(18, 7.5, 16.63, 0.6, 30),
}

SOCKET_HEAD: dict[Size, SocketHead] = {
    "M3": SocketHead(5.5, 2.5, 1.3, 0.1, 18),
    "M4": SocketHead(7, 3, 2, 0.2, 20),
    "M5": SocketHead(8.5, 4, 2.5, 0.2, 22),
    "M6": SocketHead(10, 5, 3, 0.25, 24),
    "M8": SocketHead(13, 6, 4, 0.4, 28),
    "M10": SocketHead(16, 8, 5, 0.4, 32),
    "M12": SocketHead(18, 10, 6, 0.6, 36),
}

NUT: dict[Size, Nut] = {
    "M3": Nut(5.5, 2.4, 4.6, 3.45),
    "M4": Nut(7, 3.2, 5.9, 4.6),
    "M5": Nut(8, 4.7, 6.9, 5.75),
    "M6": Nut(10, 5.2, 8.9, 6.75),
    "M8": Nut(13, 6.8, 11.6, 8.75),
    "M10": Nut(16, 8.4, 14.6, 10.8),
    "M12": Nut(18, 10.8, 16.6, 13),
}

WASHER: dict[Size, Washer] = {
    "M3": Washer(3.2, 7, 0.5),
    "M4": Washer(4.3, 9, 0.8),
    "M5": Washer(5.3, 10, 1.0),
    "M6": Washer(6.4, 12, 1.0),
    "M8": Washer(8.4, 16, 1.6),
    "M10": Washer(10.5, 20, 2.0),
    "M12": Washer(13, 24, 2.5),
}

LARGE_WASHER: dict[Size, Washer] = {
    "M3": Washer(3.2, 9, 0.8),
    "M4": Washer(4.3, 12, 1.0),
    "M5": Washer(5.3, 15, 1.0),
    "M6": Washer(6.4, 18, 1.6),
    "M8": Washer(8.4, 24, 2.0),
    "M10": Washer(10.5, 30, 2.5),
    "M12": Washer(13, 37, 3.0),
}
