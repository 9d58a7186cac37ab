"""The size that a picture's header announces, read without decoding it: a bomb of a picture must not be opened."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType

from ..errors import AssetError

__all__ = ["MAX_PIXELS", "MAX_SIDE", "check_image", "image_size"]

MAX_SIDE = 16_384
#: A texture of 8k × 16k; decoded with four channels of a byte it takes half a gigabyte.
MAX_PIXELS = 1 << 27

Size = tuple[int, int]


def check_image(data: bytes, name: str) -> None:
    """Refuse a texture that is none, or too large to be decoded.

    Raises:
        AssetError: saying how large it would be, or which formats can be read.
    """
    size = image_size(data)
    if size is None:
        raise AssetError(f"{name} is no picture that can be read as a texture: save it as PNG, JPEG or EXR")
    width, height = size
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= MAX_PIXELS):
        raise AssetError(
            f"{name} says that it has {width:,} × {height:,} pixels; a texture may have {MAX_SIDE:,} a side and"
            f" {MAX_PIXELS:,} in all: scale it down"
        )


def image_size(data: bytes) -> Size | None:
    """Width and height in pixels that the header of a PNG, JPEG, WebP, BMP, TGA-free TIFF, EXR or HDR says."""
    for magic, read in _READERS.items():
        if data.startswith(magic):
            try:
                return read(data)
            except (struct.error, ValueError, IndexError):
                return None
    return None


def _png(data: bytes) -> Size | None:
    width, height = struct.unpack_from(">4x4xII", data, 8)
    return (width, height) if data[12:16] == b"IHDR" else None


def _jpeg(data: bytes) -> Size | None:
    """The start-of-frame segment (ITU-T T.81, B.2.2) of a JPEG."""
    at = 2
    while True:
        marker, kind, length = struct.unpack_from(">BBH", data, at)
        if marker != 0xFF:
            return None
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        at += 2 + length if kind != 0xFF else 1


def _webp(data: bytes) -> Size | None:
    """The three kinds of first chunk (RFC 9649, section 2)."""
    if data[8:12] != b"WEBP":
        return None
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _bmp(data: bytes) -> Size:
    width, height = struct.unpack_from("<ii", data, 18)
    return abs(width), abs(height)


def _tiff(data: bytes) -> Size | None:
    """The first directory's tags 256 and 257 (TIFF 6.0, section 2)."""
    order = "<" if data[:2] == b"II" else ">"
    (start,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, start)
    found = {}
    for k in range(count):
        tag, kind = struct.unpack_from(order + "HH", data, start + 2 + 12 * k)
        if tag in (256, 257):
            (found[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, start + 10 + 12 * k)
    return (found[256], found[257]) if len(found) == 2 else None


def _exr(data: bytes) -> Size | None:
    """The attribute `dataWindow`, four little-endian integers with both ends included."""
    at = data.find(b"dataWindow\0box2i\0")
    if at < 0:
        return None
    x0, y0, x1, y1 = struct.unpack_from("<4i", data, at + 21)
    return x1 - x0 + 1, y1 - y0 + 1


def _hdr(data: bytes) -> Size | None:
    """Radiance's resolution line, `-Y height +X width`: the first after the empty one that ends the header."""
    words = data[:4096].partition(b"\n\n")[2].partition(b"\n")[0].split()
    if len(words) == 4 and words[0] in (b"-Y", b"+Y") and words[2] in (b"+X", b"-X"):
        return int(words[3]), int(words[1])
    return None


_READERS: Mapping[bytes, Callable[[bytes], Size | None]] = MappingProxyType(
    {
        b"\x89PNG\r\n\x1a\n": _png,
        b"\xff\xd8": _jpeg,
        b"RIFF": _webp,
        b"BM": _bmp,
        b"II*\0": _tiff,
        b"MM\0*": _tiff,
        b"\x76\x2f\x31\x01": _exr,
        b"#?": _hdr,
    }
)
