"""Folders of texture maps that users bring: found, recognised by their names, checked, and named by their content."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from ..errors import AssetError
from .files import remember
from .material import FileRef, MapRole, NormalGreen, Texture
from .material import Mapping as Placing
from .pictures import Picture, read_picture
from .reach import Reach, real
from .texture_names import IMAGE_SUFFIXES, REFUSED, ROLES, role_of

__all__ = ["MAX_FOLDERS", "texture", "texture_files", "textures_of"]

#: Folders below the one that a recipe names: far more than any library has, and an end for a mistaken path.
MAX_FOLDERS = 2000
MAX_DEPTH = 4

#: Map of a material → the roles that a file may have for it, the better one first.
_SOURCES: Mapping[MapRole, tuple[str, ...]] = MappingProxyType(
    {
        "colour": ("colour",),
        "roughness": ("roughness",),
        "gloss": ("gloss",),
        "metallic": ("metallic",),
        "packed": ("packed",),
        "normal": ("normal_gl", "normal", "normal_dx"),
        "occlusion": ("occlusion",),
        "height": ("height", "bump"),
    }
)
#: Map that is not needed → those that say the same, any of them instead.
_INSTEAD: Mapping[MapRole, tuple[MapRole, ...]] = MappingProxyType({"gloss": ("roughness",), "height": ("normal",)})
#: What a packed map says; with all of these beside it, nobody needs it.
_PACKED: tuple[MapRole, ...] = ("occlusion", "roughness", "metallic")


def texture_files(place: Path, reach: Reach) -> tuple[FileRef, ...]:
    """The maps of a folder, or of all folders below it that have some, each checked, in the order of their paths.

    A file's reference is called by its folder and its name, so `textures_of` finds what belongs together.

    Raises:
        AssetError: no folder, no maps, or maps that do not make a surface; naming the files and what to try.
        ValueError: something is out of reach.
    """
    reach.check(place)
    if not place.is_dir():
        raise AssetError(
            f"{place} is no folder: `textures` names a folder of maps ({', '.join(IMAGE_SUFFIXES)}), or a folder of "
            "such folders"
        )
    found = tuple(ref for folder in _folders(place, reach) for ref in _checked(folder, place, reach))
    if not found:
        raise AssetError(
            f"{place} has no images ({', '.join(IMAGE_SUFFIXES)}), nor has a folder in it: unpack texture maps there"
        )
    return found


def textures_of(files: Iterable[FileRef], normals: NormalGreen, mapping: Placing) -> tuple[Texture, ...]:
    """The surfaces that files make, one for each folder, as `texture_files` gives them.

    `normals` is for maps of normals whose names do not say it.
    """
    folders: dict[str, list[FileRef]] = defaultdict(list)
    for ref in files:
        folders[str(PurePosixPath(ref.name).parent)].append(ref)
    return tuple(texture(name, refs, normals, mapping) for name, refs in folders.items())


def texture(name: str, files: Sequence[FileRef], normals: NormalGreen = "opengl", mapping: Placing = "box") -> Texture:
    """One surface from the maps of one folder, by their names; maps that say nothing new are left out.

    Raises:
        AssetError: two files claim one role, there is no colour, or a file says what no surface here can have.
    """
    by_role = _by_role(name, files)
    maps: dict[MapRole, FileRef] = {}
    for key, sources in _SOURCES.items():
        best = next((role for role in sources if role in by_role), None)
        if best is not None:
            maps[key] = by_role[best]
    for key, others in _INSTEAD.items():
        if any(other in maps for other in others):
            maps.pop(key, None)
    if all(key in maps for key in _PACKED):
        maps.pop("packed", None)
    if "colour" not in maps:
        spellings = ", ".join(ROLES["colour"][:6])
        raise AssetError(
            f"{name} has no colour map among {_listed(files)}: let the name of one end with {spellings} or the like"
        )
    if "normal_gl" in by_role:
        normals = "opengl"
    elif "normal" not in by_role and "normal_dx" in by_role:
        normals = "directx"
    return Texture(name=name, maps=maps, normals=normals, mapping=mapping)


def _by_role(name: str, files: Sequence[FileRef]) -> dict[str, FileRef]:
    by_role: dict[str, FileRef] = {}
    for ref in files:
        role = role_of(ref.name)
        if role is None:
            continue
        if role in REFUSED:
            raise AssetError(f"{ref.name} {REFUSED[role]}")
        if role in by_role:
            raise AssetError(
                f"{name}: {_file(by_role[role])} and {_file(ref)} both claim to be the {role} map: keep one of them, "
                "in one resolution and one format"
            )
        by_role[role] = ref
    return by_role


def _folders(place: Path, reach: Reach) -> list[Path]:
    """The folder itself where it holds images, else all below it that do, down to `MAX_DEPTH`, each once."""
    found: list[Path] = []
    seen: set[Path] = set()
    front = [(place, 0)]
    while front:
        folder, depth = front.pop()
        reach.check(folder)
        if real(folder) in seen:
            continue
        seen.add(real(folder))
        inside = sorted(folder.iterdir(), reverse=True)
        if any(_is_image(path) for path in inside):
            found.append(folder)
        elif depth < MAX_DEPTH:
            front += [(path, depth + 1) for path in inside if path.is_dir()]
        if len(found) > MAX_FOLDERS:
            raise AssetError(f"{place} has more than {MAX_FOLDERS:,} folders of images below it: name a narrower one")
    return found


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()


def _checked(folder: Path, place: Path, reach: Reach) -> list[FileRef]:
    """The files of one folder that its surface uses, after they were read."""
    name = folder.name if folder == place else folder.relative_to(place).as_posix()
    paths = {f"{name}/{path.name}": path for path in reach.listed(folder, IMAGE_SUFFIXES)}
    bare = [FileRef(name=key, sha256="0" * 64) for key in paths]  # names decide which files are read at all
    used = sorted(texture(name, bare).maps.items(), key=lambda item: item[1].name)
    pictures = [read_picture(paths[ref.name], ref.name) for _, ref in used]
    _check_sizes(name, pictures)
    for (role, ref), picture in zip(used, pictures, strict=True):
        if role == "colour" and picture.has_holes:
            raise AssetError(f"{ref.name} is transparent in places: it {REFUSED['opacity']}")
    return [FileRef(name=ref.name, sha256=remember(paths[ref.name]).sha256) for _, ref in used]


def _check_sizes(name: str, pictures: Sequence[Picture]) -> None:
    if len({picture.size for picture in pictures}) > 1:
        sizes = ", ".join(f"{PurePosixPath(p.name).name} {p.size[0]} × {p.size[1]}" for p in pictures)
        raise AssetError(f"{name}: maps of one surface have one size, got {sizes}: take all in one resolution")


def _file(ref: FileRef) -> str:
    return PurePosixPath(ref.name).name


def _listed(files: Sequence[FileRef], most: int = 8) -> str:
    names = [_file(ref) for ref in files]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
