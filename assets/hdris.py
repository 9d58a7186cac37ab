"""Environment images: the eight that come inside bpy, and the user's own equirectangular panoramas."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from .exr import read_exr
from .files import locate, remember
from .image_size import MAX_PIXELS, image_size
from .material import FileRef
from .reach import Reach

__all__ = ["BUILT_IN", "SUFFIXES", "Hdri", "check_hdri", "hdri_files", "hdri_path", "mean_luminance"]

SUFFIXES = (".exr", ".hdr")
HEADER_BYTES = 4096
ASPECT_RANGE = (1.9, 2.1)
#: Luminance of linear Rec.709 RGB (ITU-R BT.709-6, section 3.2).
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


@dataclass(frozen=True)
class Hdri:
    """A panorama inside bpy 4.5.15, as its folder's `license.txt` describes it.

    Attributes:
        name: what recipes call it.
        mean_luminance: `mean_luminance()` of the file; a test measures it again.
        slug: the original's name at Poly Haven; license.txt says "probably" of night's and studio's.
        sha256: hash of the file.
    """

    name: str
    mean_luminance: float
    slug: str
    sha256: str
    author: str = "Greg Zaal (Poly Haven)"
    licence: str = "CC0-1.0"

    @property
    def source(self) -> str:
        """Address of the original's page."""
        return f"https://polyhaven.com/a/{self.slug}"

    @property
    def ref(self) -> FileRef:
        """The file by its content."""
        return FileRef(name=f"{self.name}.exr", sha256=self.sha256)


_PANORAMAS = (
    Hdri("city", 0.9360, "portland_landing_pad", "9e42abcd2fa3231e5c2485ca6dd64800534d157b7194ab7fe9cc3bf5a56d0256"),
    Hdri("courtyard", 0.7655, "courtyard", "6690b47725965531559380121e6878373eb599655e35fefd109a4bd0911366f3"),
    Hdri("forest", 0.7738, "ninomaru_teien", "bdf2298244affa0f85509380fd130ac6d4dfaa3c856df065998f7f4c1a93dc0d"),
    Hdri("interior", 0.9726, "hotel_room", "e945ff5c1ddd7a3aaf05e9fb5c3bc9cb93c5518414febd44ed2c394e013f0cbd"),
    Hdri("night", 0.1652, "moonless_golf", "17480af5547465d160f7307c92585cf30820ca563f87f066395decbad8ac32a4"),
    Hdri("studio", 0.7715, "studio_small_01", "c36c7fd390b2cdf8693360cf3662cb1d710c95fa799d9f822f42997167839b56"),
    Hdri("sunrise", 0.6485, "spruit_sunrise", "6a1180126e4db7d01f134c5430ea43c1b263ab1a12faf58a444d9ce9c03f3a84"),
    Hdri("sunset", 0.4936, "venice_sunset", "3bcafdda4f2d7b9759cc1d73004d34d721a274c29b1a0947be88a602dbac426b"),
)

BUILT_IN: Mapping[str, Hdri] = MappingProxyType({panorama.name: panorama for panorama in _PANORAMAS})


def hdri_path(hdri: str | FileRef) -> Path:
    """The file of a built-in name or of a user's reference, its content checked against the hash.

    Raises:
        AssetError: the name is unknown, the file is gone, or it holds other content.
    """
    if isinstance(hdri, FileRef):
        return locate(hdri)
    known = _built_in(hdri)
    path = _bpy_folder() / f"{hdri}.exr"
    if remember(path).sha256 != known.sha256:
        raise AssetError(
            f"{path} is not the file that came with bpy 4.5.15: reinstall bpy, or recipes change their light"
        )
    return path


def hdri_files(folder: Path, reach: Reach) -> list[Path]:
    """The panoramas in a folder, by name.

    Raises:
        AssetError: it is no folder, or has none.
        ValueError: one is a link that leads out of reach.
    """
    if not folder.is_dir():
        raise AssetError(f"{folder} is no folder: give a folder with {' or '.join(SUFFIXES)} files, or one file")
    found = reach.listed(folder, SUFFIXES)
    if not found:
        raise AssetError(f"{folder} has no {' or '.join(SUFFIXES)} file: put equirectangular panoramas into it")
    return found


def check_hdri(path: Path) -> None:
    """Refuse a file that cannot light a scene: unreadable, not 2:1, not finite, or black.

    Raises:
        AssetError: saying which, and what to try.
    """
    _measure(remember(path))


def mean_luminance(hdri: str | FileRef | Path) -> float:
    """Mean of Rec.709 luminance over the sphere, scene-linear, each pixel weighted with its solid angle.

    A diffuse horizontal or vertical surface sees light of this order, so `strength = 1 / mean_luminance` makes all
    panoramas about equally bright.

    Raises:
        AssetError: as `check_hdri`.
    """
    if isinstance(hdri, str):
        return _built_in(hdri).mean_luminance
    return _measure(hdri if isinstance(hdri, FileRef) else remember(hdri))


@lru_cache(maxsize=256)
def _measure(ref: FileRef) -> float:
    """Check a panorama's pixels and return its mean luminance."""
    pixels = _read(locate(ref), ref.name)
    height, width = pixels.shape[:2]
    if not ASPECT_RANGE[0] <= width / height <= ASPECT_RANGE[1]:
        raise AssetError(f"{ref.name} is {width}×{height}: a panorama of the whole sphere is twice as wide as high")
    bad = int((~np.isfinite(pixels)).any(axis=2).sum())
    if bad:
        raise AssetError(f"{ref.name} has {bad} NaN or infinite pixels: clamp it in its source program")
    edges = np.cos(np.linspace(0.0, np.pi, height + 1))  # the band between two polar angles has area ∝ Δcos θ
    mean = float((pixels @ LUMINANCE).mean(axis=1) @ (edges[:-1] - edges[1:]) / 2)
    if mean <= 0:
        raise AssetError(f"{ref.name} is black (mean luminance {mean:g}): it would light nothing")
    return mean


def _read(path: Path, name: str) -> npt.NDArray[np.float32]:
    """(h, w, 3) linear RGB, row 0 at the zenith."""
    suffix = Path(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise AssetError(f"{name}: {suffix or 'no suffix'} is no HDRI format; use {' or '.join(SUFFIXES)}")
    try:
        pixels = _read_exr(path) if suffix == ".exr" else _read_radiance(path)
    except AssetError as error:
        raise AssetError(f"{name} {error}") from None
    except Exception as error:  # OpenEXR and OpenCV raise their own kinds on damaged files
        raise AssetError(f"{name} cannot be read as {suffix} ({error!s:.80}): it is cut off or damaged") from error
    return pixels


def _read_exr(path: Path) -> npt.NDArray[np.float32]:
    pixels = read_exr(path)
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels[..., :3]


def _read_radiance(path: Path) -> npt.NDArray[np.float32]:
    with path.open("rb") as file:
        size = image_size(file.read(HEADER_BYTES))
    if size is not None and size[0] * size[1] > MAX_PIXELS:
        raise AssetError(f"has {size[0]}×{size[1]} pixels, more than {MAX_PIXELS:,}: scale it down")
    pixels = None if size is None else cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 3:
        raise AssetError("cannot be read as .hdr: it is cut off, damaged or no colour image")
    return np.asarray(pixels[..., ::-1], dtype=np.float32)


def _built_in(name: str) -> Hdri:
    if name not in BUILT_IN:
        near = difflib.get_close_matches(name, BUILT_IN, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(BUILT_IN)}, or name a file"
        raise AssetError(f"no built-in HDRI {name!r}: {hint}")
    return BUILT_IN[name]


@lru_cache(maxsize=1)
def _bpy_folder() -> Path:
    """Where bpy keeps its panoramas, found without importing bpy."""
    spec = importlib.util.find_spec("bpy")
    roots = (spec.submodule_search_locations or []) if spec else []
    for root in roots:
        folder = Path(root) / "4.5" / "datafiles" / "studiolights" / "world"
        if folder.is_dir():
            return folder
    raise AssetError("the built-in HDRIs come with bpy 4.5, which is not installed: pip install 'bpy>=4.5.15,<4.6'")
