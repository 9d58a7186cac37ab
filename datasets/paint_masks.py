"""Masks of the user's that say where defects are to be painted: their names, how they are read, what they ask for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ..assets.defect import FIRST_DEFECT
from ..assets.defects.kinds import KINDS
from ..errors import UsageError
from ..scenes.build import meshes_of
from ..scenes.rays import cast
from ..scenes.recipe_defects import occurs_on
from ..scenes.recipe_materials import OWN
from ..scenes.scene import Scene, SceneObject
from .files import read_bytes
from .paint_requests import Wanted
from .sound import Sound

__all__ = ["HOW", "SEVERITY", "SHARE_PX", "Asked", "asked", "asked_files", "check_masks"]

Mask = npt.NDArray[np.bool_]

#: Of a mask whose name says none.
SEVERITY = 0.6
#: A mask over several objects asks for a defect on each of which it has so many pixels, and where it has most in any
#: case. On fewer nothing can be painted that is like anything.
SHARE_PX = 24
#: So much of a mask must lie on labelled objects: else it was drawn for another picture, or its colours are inverted.
ON_OBJECTS = 0.5
#: How masks are read, for errors.
HOW = (
    "To be painted is what is not black: above 0 in grey, or in red, green or blue; transparency does not count, and "
    "what lies on no labelled object is left out"
)
#: 000017.scratch.png, 000017.scratch.0.6.png, and a second one of its kind 000017.scratch-2.png.
NAME = re.compile(r"(\d{6,})\.([a-z_]+)(?:-\d+)?(?:\.(0\.\d+|1(?:\.0+)?))?\.png")


@dataclass(frozen=True)
class Asked:
    """A mask of the user's: its file, and what its name says."""

    path: Path
    index: int
    kind: str
    severity: float


def asked_files(folder: Path, known: Collection[int], kinds: Collection[str]) -> list[Asked]:
    """All masks in a folder, by name; `known` are the images that there are.

    Raises:
        UsageError: a file whose name says no image, no kind that is painted, or no severity.
    """
    if not folder.is_dir():
        raise UsageError(f"--masks {folder} is no folder: name one that holds 000017.scratch.png, …")
    found = []
    for path in sorted(p for p in folder.iterdir() if not p.name.startswith(".")):
        match = NAME.fullmatch(path.name)
        if match is None or not path.is_file():
            raise UsageError(
                f"{path} is no mask: they are named INDEX.KIND.png or INDEX.KIND.SEVERITY.png, such as "
                "000017.scratch.png or 000017.scratch.0.6.png, with KIND-2 for a second one of its kind"
            )
        index, kind, severity = int(match[1]), match[2], float(match[3] or SEVERITY)
        if match[1] != f"{index:06d}" or index not in known:
            raise UsageError(f"{path}: the dataset has no image {match[1]}")
        if kind not in kinds:
            raise UsageError(
                f"{path}: {kind!r} is no kind of defect that can be painted; choose from {', '.join(kinds)}"
            )
        if severity <= 0:
            raise UsageError(f"{path}: a severity is above 0 and at most 1")
        found.append(Asked(path, index, kind, severity))
    if not found:
        raise UsageError(f"--masks {folder} holds no mask: put 000017.scratch.png, … there")
    return found


def asked(sound: Sound, files: Iterable[Asked]) -> tuple[Scene, list[Wanted]]:
    """The sound scene, and what masks of the user's of this image ask for: a request for each object that one lies on.

    Requests do not overlap: a pixel is that of the first mask that has it.

    Raises:
        UsageError: a mask cannot be read, is of another size, empty, or for the most part on no labelled object, or
            asks for a kind that does not occur on the material there.
    """
    requests = []
    for n, (file, item, mask) in enumerate(_cut(sound, files)):
        family = _material(file, item, sound, mask)
        requests.append(
            Wanted(
                FIRST_DEFECT + n, file.kind, file.severity, item.id, family, mask, None, None, mask_file=file.path.name
            )
        )
    return sound.scene, requests


def check_masks(sound: Sound, files: Iterable[Asked]) -> None:
    """UsageError where `asked` has one; rays are cast only where an object's materials do not all take the defect."""
    for file, item, mask in _cut(sound, files):
        if not all(_takes(file, m.family) for m in item.materials.values()):
            _material(file, item, sound, mask)


def _cut(sound: Sound, files: Iterable[Asked]) -> Iterator[tuple[Asked, SceneObject, Mask]]:
    """Masks cut to one object each."""
    labelled = {o.id: o for o in sound.scene.objects if o.category_id}
    taken = np.zeros(sound.ids.shape, bool)
    for file in files:
        mask = _read(file.path, sound.ids.shape)
        on = mask & np.isin(sound.ids, list(labelled))
        if not mask.any():
            raise UsageError(f"{file.path} is empty: no pixel of it is to be painted")
        if not on.any():
            raise UsageError(f"{file.path} lies on no labelled object of image {file.index}: draw it on one")
        if on.sum() < ON_OBJECTS * mask.sum():
            raise UsageError(
                f"{file.path}: only {on.sum()} of its {mask.sum()} pixels lie on labelled objects of image "
                f"{file.index}, of at least {ON_OBJECTS:.0%}: draw it on them"
            )
        if not (free := on & ~taken).any():
            raise UsageError(f"{file.path}: masks before it have all of its pixels: requests must not overlap")
        shares = zip(*np.unique(sound.ids[free], return_counts=True), strict=True)
        ranked = sorted((-int(n), int(k)) for k, n in shares)
        for _, id in [ranked[0], *(r for r in ranked[1:] if -r[0] >= SHARE_PX)]:
            taken |= (part := free & (sound.ids == id))
            yield file, labelled[id], part


def _read(path: Path, size: tuple[int, ...]) -> Mask:
    """(h, w) where a mask is not zero."""
    content = np.frombuffer(read_bytes(path), np.uint8)
    picture = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if len(content) else None
    if picture is None:
        raise UsageError(f"{path} is no PNG that can be read")
    if picture.shape[:2] != size:
        raise UsageError(f"{path} is {picture.shape[1]}x{picture.shape[0]}, its image {size[1]}x{size[0]}")
    if picture.ndim == 3 and picture.shape[2] == 4:
        picture = picture[..., :3]  # what an opaque background says is no mask
    return np.asarray((picture if picture.ndim == 2 else picture.max(axis=2)) > 0)


def _takes(file: Asked, family: str) -> bool:
    """Whether what a mask asks for occurs on a family of materials; of materials of the user's nobody knows."""
    return family == OWN or occurs_on(KINDS[file.kind], family)


def _material(file: Asked, item: SceneObject, sound: Sound, mask: Mask) -> str:
    """The family of material that most pixels of a mask on an object show; UsageError where it takes no such defect."""
    families = {m.family for m in item.materials.values()}
    family = families.pop() if len(families) == 1 else _most_seen(item, sound, mask)
    if not _takes(file, family):
        raise UsageError(
            f"{file.path}: {file.kind} does not occur on {family}, of which object {item.id} ({item.category}) is "
            "made there"
        )
    return family


def _most_seen(item: SceneObject, sound: Sound, mask: Mask) -> str:
    meshes = meshes_of(sound.scene)
    view = cast(sound.scene, meshes, triangles=True)
    assert view.triangle is not None
    mesh = meshes[item.id]
    parts = Counter(mesh.face_part[view.triangle[mask & (view.ids == item.id) & (sound.ids == item.id)]].tolist())
    part = mesh.part_names[max(parts, key=lambda k: (parts[k], -k))] if parts else mesh.part_names[0]
    return item.materials[part].family
